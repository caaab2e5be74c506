/**
 * Files of `torch.save`. They are read whole: which bytes are a tensor's is known only when all of the file
 * has been understood. Checksums of all entries have been compared then.
 */
import {
  readTorch,
  type PlainData,
  type SavedTensor,
  type TorchValue,
} from "../../checkpoint/index.ts";
import { isDict } from "../../checkpoint/torch/rebuild.ts";
import { SavedTensor as Tensor } from "../../checkpoint/torch/tensor.ts";
import { BESIDES } from "../../optim/torch/import.ts";
import { camelCase, FIXED } from "../../optim/torch/layout.ts";
import { catalog } from "../../training/catalog.ts";
import type { FileReport, GroupReport, OptimizerReport, TensorReport } from "./file-report.ts";
import { rangeOf } from "./run-report.ts";
import type { Depth } from "./safetensors-report.ts";
import { Tally } from "./statistics.ts";

type Dict = Readonly<Record<string, TorchValue>>;

export function torchReport(path: string, bytes: Uint8Array, depth: Depth): FileReport {
  const value = readTorch(bytes, { maxInstructions: Infinity });
  const walk = new Walk(depth);
  walk.visit(value, [], false);
  const steps = ["step", "global_step", "iteration"].map((key) => isDict(value) && value[key]);
  const step = steps.find((one): one is number => typeof one === "number");
  return {
    file: path,
    bytes: bytes.length,
    format: "torch",
    version: "3",
    step: step ?? null,
    optimizers: walk.optimizers,
    schedulers: walk.schedulers,
    also: walk.also,
    isHeaderWhole: null,
    digest: "CRC-32",
    tensors: walk.tensors,
  };
}

class Walk {
  readonly tensors: TensorReport[] = [];
  readonly optimizers: OptimizerReport[] = [];
  readonly schedulers: { readonly name: string; readonly step: number | null }[] = [];
  readonly also: Record<string, PlainData> = {};
  private readonly depth: Depth;

  constructor(depth: Depth) {
    this.depth = depth;
  }

  /** @param isState whether it is part of an optimizer's state. */
  visit(value: TorchValue, path: readonly string[], isState: boolean): void {
    const name = path.join(".");
    if (value instanceof Tensor) {
      this.tensors.push(this.tensor(name, value, isState));
    } else if (isOptimizer(value)) {
      this.optimizers.push(optimizerOf(name, value));
      this.visit(value["state"]!, [...path, "state"], true);
    } else if (isDict(value) && typeof value["last_epoch"] === "number") {
      this.schedulers.push({ name: name || "scheduler", step: value["last_epoch"] });
    } else if (typeof value === "object" && value !== null && !isPlainList(value)) {
      for (const [key, item] of Object.entries(value as Dict)) {
        this.visit(item, [...path, key], isState);
      }
    } else if (!isState) this.also[name] = value as PlainData;
  }

  private tensor(name: string, tensor: SavedTensor, isState: boolean): TensorReport {
    const { isDeep, hasStatistics, isWanted } = this.depth;
    const { dtype, shape } = tensor;
    const elements = shape.reduce((product, n) => product * n, 1);
    let tally: Tally | null = null;
    if (isDeep && hasStatistics && isWanted(name) && !dtype.startsWith("float8")) {
      tally = new Tally();
      tally.add(tensor.copy());
    }
    const what = isState ? "state" : "tensor";
    const bytes = elements * sizeOf(dtype);
    const statistics = tally?.statistics() ?? null;
    return { name, what, dtype, shape, elements, bytes, statistics, isWhole: null };
  }
}

/** Such as a history of losses. */
function isPlainList(value: TorchValue): boolean {
  return Array.isArray(value) && value.every((item) => typeof item !== "object" || item === null);
}

/** Bytes of an element, which the names of types end with in bits. */
function sizeOf(dtype: string): number {
  return Number(/\d+/.exec(dtype)?.[0] ?? 8) / 8;
}

function isOptimizer(value: TorchValue): value is Dict & { readonly param_groups: Dict[] } {
  return isDict(value) && isDict(value["state"]) && Array.isArray(value["param_groups"]);
}

function optimizerOf(
  place: string,
  { state, param_groups: list }: Dict & { readonly param_groups: Dict[] },
): OptimizerReport {
  const slots = state as Readonly<Record<string, Dict>>;
  const sizeOfParameter = (id: TorchValue): number => {
    const tensors = Object.values(slots[String(id)] ?? {}).filter((one) => one instanceof Tensor);
    return Math.max(0, ...tensors.map(({ shape }) => shape.reduce((product, n) => product * n, 1)));
  };
  const groups = list.map(({ params, param_names: _, ...options }): GroupReport => {
    const ids = Array.isArray(params) ? (params as TorchValue[]) : [];
    const elements = ids.reduce((sum: number, id) => sum + sizeOfParameter(id), 0);
    const shown = Object.entries(options).map(([key, value]) => [key, plain(value)]);
    return {
      parameters: ids.length,
      elements,
      options: Object.fromEntries(shown) as GroupReport["options"],
    };
  });
  const steps = Object.values(slots).flatMap(({ step }) => {
    const number: unknown = step instanceof Tensor ? step.copy()[0] : step;
    return typeof number === "number" ? number : [];
  });
  const known = [...new Set(Object.values(slots).flatMap((own) => Object.keys(own ?? {})))];
  return { place, name: classOf(list[0] ?? {}, known), steps: rangeOf(steps), groups };
}

const plain = (value: TorchValue): unknown =>
  value instanceof Tensor ? [...value.copy()] : typeof value === "bigint" ? String(value) : value;

/** The state dict does not say its class, but which have such options and such state. */
function classOf(group: Dict, slots: readonly string[]): string {
  const given = Object.entries(group).filter(([key]) => !BESIDES.has(key));
  const options = new Set(given.map(([key]) => camelCase(key)));
  const fits = Object.values(catalog).filter((rule) => {
    // Adam with this option is AdamW.
    if (rule.name === "Adam" && group["decoupled_weight_decay"] === true) return false;
    const fixed = FIXED[rule.name] ?? {};
    const isKnown = ([key, value]: readonly [string, unknown]) =>
      rule.hyperNames.includes(camelCase(key)) ||
      (Object.hasOwn(fixed, key) && fixed[key] === value);
    const hasAll = rule.hyperNames.every((one) => options.has(one) || rule.hyper[one] === false);
    const state = new Set(["step", ...rule.stateNames, ...rule.numberNames]);
    return hasAll && given.every(isKnown) && slots.every((slot) => state.has(slot));
  });
  return fits.map(({ name }) => name).join(" or ") || "of a class that is not known here";
}
