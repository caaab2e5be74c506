/**
 * Checkpoints of PyTorch: what `torch.save` wrote, as plain data.
 *
 * A run that was begun in Python goes on here. Nothing of the file is ever executed; see ./pickle.ts.
 */
import type { TorchStateDict } from "../../optim/torch/layout.ts";
import { unpickle, type TorchBudget } from "./pickle.ts";
import { isDict } from "./rebuild.ts";
import { decode, quoted, refuse } from "./refuse.ts";
import { SavedTensor } from "./tensor.ts";
import { readZip } from "./zip.ts";

export type { TorchBudget } from "./pickle.ts";
export type { SavedTensor, TorchDType } from "./tensor.ts";

/**
 * Data out of PyTorch's file. Dictionaries are objects without a prototype, whose integer keys are written
 * in digits; lists and tuples are arrays; `None` is `null`; integers beyond 2^53 are big.
 */
export type TorchValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | SavedTensor
  | readonly TorchValue[]
  | { readonly [key: string]: TorchValue };

const MAX_DEPTH = 64;
/** Of the tree that is left when what is shared is counted as often as it is found. */
const MAX_VALUES = 10_000_000;

/**
 * Reads a file that `torch.save` wrote, since PyTorch 1.6: state dicts of models, optimizers and schedulers,
 * and what else is tensors, numbers, texts, lists and dictionaries. Classes and functions are refused.
 *
 * @throws {CheckpointError} `TRUNCATED`, `BAD_ZIP`, `BAD_CHECKSUM`, `BAD_LAYOUT`, `BAD_PICKLE`, `BAD_TEXT`,
 *   `DUPLICATE_KEY`, `FORBIDDEN_NAME`, `BAD_TENSOR`, `TOO_DEEP` or `TOO_LARGE`.
 *
 * @example
 * // Python: torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, "run.pt")
 * const saved = readTorch(readFileSync("run.pt")) as Record<string, TorchValue>;
 * const weights = torchTensors(saved["model"]);
 * optimizer.loadStateDict(fromTorchStateDict(torchStateDict(saved["optimizer"]), optimizer));
 */
export function readTorch(bytes: Uint8Array, budget: TorchBudget = {}): TorchValue {
  const entries = withoutPrefix(readZip(bytes));
  checkText(entries, "version", "3", true);
  checkText(entries, "byteorder", "little", false);
  const { maxInstructions = Math.max(100_000, bytes.length / 128) } = budget;
  const stored = (key: string) => entries.get(`data/${key}`);
  const value = unpickle(entries.get("data.pkl")!, stored, maxInstructions);
  new DataCheck().measure(value, 0);
  return value as TorchValue;
}

/**
 * The state dict of an optimizer, for `fromTorchStateDict`.
 *
 * @throws {CheckpointError} `BAD_DATA` if it is none.
 */
export function torchStateDict(value: TorchValue | undefined): TorchStateDict {
  if (isDict(value) && isDict(value["state"]) && Array.isArray(value["param_groups"])) {
    return value as unknown as TorchStateDict;
  }
  const advice = "Is it under a key of the file, such as optimizer?";
  return refuse("BAD_DATA", "PyTorch's state dict", value, "{ state, param_groups }", advice);
}

/**
 * The tensors of a model's state dict, by name.
 *
 * @throws {CheckpointError} `BAD_DATA` if it is none.
 */
export function torchTensors(value: TorchValue | undefined): Map<string, SavedTensor> {
  const expected = "a dictionary of tensors";
  if (!isDict(value)) return refuse("BAD_DATA", "PyTorch's model", value, expected);
  const tensors = new Map<string, SavedTensor>();
  for (const [name, tensor] of Object.entries(value)) {
    if (tensor instanceof SavedTensor) tensors.set(name, tensor);
    else refuse("BAD_DATA", `PyTorch's model: ${quoted(name)}`, tensor, expected);
  }
  return tensors;
}

/** All entries stand in one folder, which is called after the file. */
function withoutPrefix(entries: ReadonlyMap<string, Uint8Array>): Map<string, Uint8Array> {
  const pickle = [...entries.keys()].find((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickle === undefined) {
    return refuse("BAD_LAYOUT", "PyTorch's file", "no data.pkl", "one, as torch.save writes");
  }
  const prefix = pickle.slice(0, -"data.pkl".length);
  const inside = new Map<string, Uint8Array>();
  for (const [name, bytes] of entries) {
    if (!name.startsWith(prefix)) {
      refuse("BAD_LAYOUT", "PyTorch's file", quoted(name), `all entries in ${quoted(prefix)}`);
    }
    inside.set(name.slice(prefix.length), bytes);
  }
  return inside;
}

function checkText(
  entries: ReadonlyMap<string, Uint8Array>,
  name: string,
  expected: string,
  isRequired: boolean,
): void {
  const bytes = entries.get(name);
  if (!bytes && !isRequired) return;
  const subject = `PyTorch's file: ${name}`;
  const found = bytes && decode(bytes.subarray(0, 20), subject).trim();
  if (found !== expected) {
    refuse("BAD_LAYOUT", subject, found === undefined ? "none" : quoted(found), expected);
  }
}

interface Extent {
  readonly values: number;
  readonly height: number;
}
const LEAF: Extent = { values: 1, height: 0 };
const EMPTY: Extent = { values: 1, height: 1 };

/** Only data, neither cyclic nor so deep or often shared that who walks through it would not come back. */
class DataCheck {
  /** Of each list and dictionary; `null` while it is being measured. */
  private readonly extents = new Map<object, Extent | null>();

  measure(value: unknown, depth: number): Extent {
    if (typeof value !== "object" || value === null || value instanceof SavedTensor) return LEAF;
    if (!Array.isArray(value) && !isDict(value)) {
      return refuse("FORBIDDEN_NAME", "data.pkl", "a name or a storage as a value", "data");
    }
    let extent = this.extents.get(value);
    if (extent === null) return refuse("BAD_PICKLE", "data.pkl", "a list within itself", "a tree");
    if (depth + (extent?.height ?? 1) > MAX_DEPTH) {
      refuse("TOO_DEEP", "data.pkl", "one level more", `at most ${MAX_DEPTH} levels`);
    }
    if (extent) return extent;
    if (Array.isArray(value) && value.length === 0) return EMPTY;
    this.extents.set(value, null);
    extent = this.sum(value, depth);
    if (extent.values > MAX_VALUES) {
      refuse("TOO_LARGE", "data.pkl", `${extent.values} values`, `at most ${MAX_VALUES}`);
    }
    this.extents.set(value, extent);
    return extent;
  }

  private sum(value: object, depth: number): Extent {
    let values = 1;
    let height = 0;
    for (const item of Object.values(value) as unknown[]) {
      const each = this.measure(item, depth + 1);
      values += each.values;
      height = Math.max(height, each.height);
    }
    return { values, height: height + 1 };
  }
}
