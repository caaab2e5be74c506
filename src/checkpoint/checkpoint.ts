/**
 * Checkpoints: all that a run has to remember, in one safetensors file.
 *
 * The file is a plain one that any reader of the format opens. Its metadata hold a SHA-256 digest of each
 * tensor and one of the header, so that a bit that flips anywhere is found before anything is used.
 * docs/checkpoints.md describes the layout.
 */
import { CheckpointError, Prose } from "../errors.ts";
import { checkDistinct, keyOf } from "../optim/entry.ts";
import type { LoadOptions } from "../optim/load.ts";
import type { StateDict } from "../optim/state-dict.ts";
import type { Parameter } from "../memory/parameter.ts";
import { BLANK, checkDigests, DIGESTS, HEADER_DIGEST } from "./digests.ts";
import { parseJson, writeJson } from "./json.ts";
import { fromJson, toJson, type PlainData } from "./plain.ts";
import { restore, type CheckpointTargets, type RestoreReport } from "./restore.ts";
import {
  readSafetensors,
  type ReadBudget,
  type Safetensors,
  type StoredTensor,
} from "./safetensors.ts";
import { sha256 } from "./sha256.ts";
import { readStateDict, writeStateDict, writeTorch, type Sheet } from "./state-layout.ts";
import { FileLayout, type TensorInput } from "./write-safetensors.ts";

/** What has a state: an optimizer, a scheduler, an average, a scaler, or something of yours. */
export interface HasState {
  stateDict(): unknown;
}

/** Numbers of a shape, row by row. */
export type Values = Pick<TensorInput, "data" | "shape">;

/** What a checkpoint is made of; all of it may be left out. */
export interface CheckpointContent {
  /** A list, keyed by their names (by position without one), or a record of what has shape and data. */
  readonly parameters?: readonly Parameter[] | Readonly<Record<string, Values>>;
  /** An optimizer, or what its `stateDict()` returned. Several are saved as one `CompositeOptimizer`. */
  readonly optimizer?: { stateDict(): StateDict } | StateDict;
  readonly schedulers?: readonly HasState[];
  /** Averages that are no part of the optimizer: those are in its own state. */
  readonly averages?: readonly { stateDict(): StateDict }[];
  readonly scaler?: HasState;
  readonly accumulator?: HasState;
  /** How many steps the run has taken. */
  readonly step?: number;
  /** The state of a random generator, as plain data. */
  readonly random?: PlainData;
  /** Whatever else you want to find again. */
  readonly metadata?: { readonly [key: string]: PlainData };
}

/** @internal What the entries `format` and `format_version` say. */
export const FORMAT = "downhill";
/** @internal */
export const VERSION = "1";

/**
 * A checkpoint as the bytes of a safetensors file. Everything is copied before the call returns its
 * promise, so that training may go on while digests are computed.
 *
 * @throws {CheckpointError} `BAD_DATA` for data that is not plain, `BAD_TENSOR` or `BAD_TEXT`;
 *   {ParameterError} for parameters of equal names.
 *
 * @example
 * const bytes = await encodeCheckpoint({ parameters, optimizer, schedulers: [scheduler], step });
 */
export async function encodeCheckpoint(
  content: CheckpointContent,
): Promise<Uint8Array<ArrayBuffer>> {
  const sheet = sheetOf(content);
  const layout = new FileLayout(sheet.tensors);
  const metadata = new Map(sheet.metadata);
  metadata.set(DIGESTS, layout.places.map(() => BLANK).join(" ")).set(HEADER_DIGEST, BLANK);
  const blank = layout.header(metadata);
  const file = layout.file(blank);
  const body = file.subarray(file.length - layout.size);
  const digests: string[] = [];
  for (const { begin, end } of layout.places) digests.push(await sha256(body.subarray(begin, end)));
  metadata.set(DIGESTS, digests.join(" "));
  metadata.set(HEADER_DIGEST, await sha256(layout.header(metadata)));
  file.set(layout.header(metadata), file.length - layout.size - blank.length);
  return file;
}

function sheetOf(content: CheckpointContent): Sheet {
  const { parameters = [], optimizer, averages, step, ...rest } = content;
  const sheet: Sheet = { tensors: new Map(), metadata: new Map() };
  const { tensors, metadata } = sheet;
  metadata.set("format", FORMAT).set("format_version", VERSION);
  const values = valuesOf(parameters);
  for (const [name, { data, shape }] of values) tensors.set(`model.${name}`, { data, shape });
  const dict = optimizer && ("stateDict" in optimizer ? optimizer.stateDict() : optimizer);
  if (dict) writeStateDict(dict, "", sheet);
  const names = values.map(([name]) => name);
  metadata.set("torch", writeTorch(names, dict));
  averages?.forEach((average, i) => writeStateDict(average.stateDict(), `averages.${i}.`, sheet));
  const plain = {
    ...rest,
    schedulers: rest.schedulers?.map((one) => one.stateDict()),
    scaler: rest.scaler?.stateDict(),
    accumulator: rest.accumulator?.stateDict(),
    step,
  };
  for (const [key, value] of Object.entries(plain)) {
    if (!KEYS.has(key)) refuseKey(key);
    if (value !== undefined) metadata.set(key, writeJson(toJson(value, key, tensors)));
  }
  return sheet;
}

const KEYS: ReadonlySet<string> = /* @__PURE__ */ new Set([
  "schedulers",
  "scaler",
  "accumulator",
  "step",
  "random",
  "metadata",
]);

function refuseKey(key: string): never {
  throw new CheckpointError("BAD_DATA", {
    subject: "checkpoint",
    got: key,
    expected: `parameters, optimizer, averages, ${[...KEYS].join(", ")}`,
    advice: "Data of your own belongs into metadata.",
  });
}

function valuesOf(parameters: CheckpointContent["parameters"] & object): [string, Values][] {
  if (!Array.isArray(parameters)) return Object.entries(parameters);
  const list = parameters as readonly Parameter[];
  checkDistinct("checkpoint", list, []);
  return list.map((parameter, i) => [keyOf(parameter, i), parameter]);
}

/**
 * Reads a checkpoint: all of it is checked, down to the last bit, and nothing is written yet.
 *
 * @throws {CheckpointError} as {@link readSafetensors} does, and `NOT_A_CHECKPOINT`, `UNKNOWN_VERSION`,
 *   `DIGEST_MISMATCH` with the tensor's name, or `BAD_DATA`.
 *
 * @example
 * const checkpoint = await decodeCheckpoint(bytes);
 * checkpoint.restore({ parameters, optimizer, schedulers: [scheduler] });
 */
export async function decodeCheckpoint(
  bytes: Uint8Array,
  budget?: ReadBudget,
): Promise<Checkpoint> {
  const file = readSafetensors(bytes, budget);
  const { metadata } = file;
  const refuse = (code: string, key: string, expected: string, advice = ""): never => {
    const got = metadata.get(key) ?? new Prose("none");
    throw new CheckpointError(code, { subject: `checkpoint: ${key}`, got, expected, advice });
  };
  if (metadata.get("format") !== FORMAT) {
    refuse(
      "NOT_A_CHECKPOINT",
      "format",
      `"${FORMAT}"`,
      "readSafetensors() reads any safetensors file.",
    );
  }
  if (metadata.get("format_version") !== VERSION) {
    refuse("UNKNOWN_VERSION", "format_version", `"${VERSION}"`, "A newer Downhill may read it.");
  }
  await checkDigests(bytes, file);
  return new Checkpoint(file);
}

/** A checkpoint that was read. Its tensors are views of the bytes where they can be. */
export class Checkpoint {
  /** The file itself: every tensor and text by name. */
  readonly file: Safetensors;
  /** Parameters by name. */
  readonly parameters: ReadonlyMap<string, StoredTensor>;
  readonly optimizer: StateDict | undefined;
  readonly averages: readonly StateDict[];
  readonly schedulers: readonly PlainData[];
  readonly scaler: PlainData;
  readonly accumulator: PlainData;
  readonly step: number | undefined;
  readonly random: PlainData;
  readonly metadata: PlainRecord;

  /** @internal */
  constructor(file: Safetensors) {
    this.file = file;
    const isModel = ([name]: readonly [string, unknown]) => name.startsWith("model.");
    const models = [...file.tensors].filter(isModel);
    this.parameters = new Map(
      models.map(([name, tensor]) => [name.slice("model.".length), tensor]),
    );
    this.optimizer = readStateDict("", file);
    const averages: StateDict[] = [];
    const next = () => readStateDict(`averages.${averages.length}.`, file);
    for (let dict = next(); dict; dict = next()) averages.push(dict);
    this.averages = averages;
    this.schedulers = this.read("schedulers", Array.isArray, "a list") ?? [];
    this.scaler = this.read("scaler");
    this.accumulator = this.read("accumulator");
    this.step = this.read("step", isNumber, "a number");
    this.random = this.read("random");
    this.metadata = this.read("metadata", isRecord, "an object") ?? Object.create(null);
  }

  /**
   * Brings everything that is named to where it was saved: steps from here on are bit for bit those of
   * the run that was not interrupted. All of it is checked first; after an error everything is as before.
   *
   * With `strict: false` what fits is loaded, by name, and the report says what did not: parameters that are
   * missing or unexpected, or of another shape. With `dtype: "cast"` tensors of another type of floating point
   * are converted to that of the parameter.
   *
   * @throws {CheckpointError} `CHECKPOINT_MISMATCH` with all differences of the parameters, `NOT_SAVED`
   *   for what the checkpoint does not hold; and what `loadStateDict` of each target throws.
   */
  restore(targets: CheckpointTargets, options?: LoadOptions): RestoreReport {
    return restore(this, targets, options);
  }

  /** An entry of the metadata; `undefined` if there is none. */
  private read<T extends PlainData>(
    key: string,
    fits: (value: PlainData) => value is T = (_): _ is T => true,
    expected = "",
  ): T | undefined {
    const text = this.file.metadata.get(key);
    if (text === undefined) return undefined;
    const value = fromJson(parseJson(text, `checkpoint: ${key}`), key, this.file.tensors);
    if (fits(value)) return value;
    throw new CheckpointError("BAD_DATA", { subject: `checkpoint: ${key}`, got: value, expected });
  }
}

type PlainRecord = Readonly<Record<string, PlainData>>;

function isNumber(value: PlainData): value is number {
  return typeof value === "number";
}

function isRecord(value: PlainData): value is PlainRecord {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !ArrayBuffer.isView(value)
  );
}
