/**
 * Safetensors files, read piece by piece: however large one is, of its tensors no more than a piece is in
 * memory at a time.
 */
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { FORMAT } from "../../checkpoint/checkpoint.ts";
import { digestsOf, isHeaderWhole } from "../../checkpoint/digests.ts";
import { parseJson, type Json } from "../../checkpoint/json.ts";
import {
  headerLength,
  readHeader,
  START,
  type Safetensors,
  type StoredTensor,
} from "../../checkpoint/safetensors.ts";
import { CheckpointError, Prose } from "../../errors.ts";
import { AVERAGE } from "../../optim/with-average.ts";
import type { FileReport, TensorReport } from "./file-report.ts";
import { optimizersOf, schedulersOf } from "./run-report.ts";
import { numbersOf, Tally } from "./statistics.ts";

/** Bytes of a piece, which no element straddles. */
const PIECE = 2 ** 20;
/** As long as a header may be. */
const BUDGET = { maxHeaderBytes: 100_000_000, maxTensors: Infinity, maxTexts: Infinity };

export interface Depth {
  /** Whether to look at the tensors' bytes, and not at the header alone. */
  readonly isDeep: boolean;
  readonly hasStatistics: boolean;
  /** Which tensors' numbers count; digests are compared of all. */
  readonly isWanted: (name: string) => boolean;
}

export async function safetensorsReport(
  path: string,
  file: FileHandle,
  size: number,
  depth: Depth,
): Promise<FileReport> {
  const source = new Source(path, file);
  const prefix = await source.read(0, Math.min(START, size));
  const length = headerLength(prefix, size, BUDGET);
  const header = (await source.read(START, length)).slice();
  const found = readHeader(header, size - START - length, BUDGET);
  const { metadata } = found;
  const isOurs = metadata.get("format") === FORMAT;
  const digests = isOurs ? digestsOf(found) : [];
  const tensors: TensorReport[] = [];
  for (const [name, tensor] of found.tensors) {
    const known = describe(name, tensor, isOurs);
    const digest = isOurs ? (digests[tensors.length] ?? "") : null;
    const looked = await look(source, START + length, name, tensor, digest, depth);
    tensors.push({ ...known, ...looked });
  }
  const isWhole = isOurs ? await isHeaderWhole(header, found) : null;
  const run = isOurs ? runOf(found, isWhole === true) : { also: Object.fromEntries(metadata) };
  return {
    file: path,
    bytes: size,
    format: isOurs ? "downhill" : "safetensors",
    version: isOurs ? (metadata.get("format_version") ?? null) : null,
    step: null,
    optimizers: [],
    schedulers: [],
    also: {},
    ...run,
    isHeaderWhole: isWhole,
    digest: isOurs ? "SHA-256" : null,
    tensors,
  };
}

function describe(name: string, { dtype, shape, begin, end }: StoredTensor, isOurs: boolean) {
  const elements = shape.reduce((product, n) => product * n, 1);
  const what = isOurs ? whatIs(name) : "tensor";
  return { name, what, dtype, shape, elements, bytes: end - begin } as const;
}

/** By the names that docs/checkpoints.md describes. */
function whatIs(name: string): TensorReport["what"] {
  if (name.startsWith("model.")) return "parameter";
  const isState = name.startsWith("state.");
  if (name.startsWith("averages.") || (isState && name.endsWith(`.${AVERAGE}`))) return "average";
  return isState ? "state" : "data";
}

async function look(
  source: Source,
  start: number,
  name: string,
  { dtype, begin, end }: StoredTensor,
  digest: string | null,
  { isDeep, hasStatistics, isWanted }: Depth,
): Promise<Pick<TensorReport, "statistics" | "isWhole">> {
  const isCounted = isDeep && hasStatistics && isWanted(name);
  if (!isCounted && !(isDeep && digest !== null)) return { statistics: null, isWhole: null };
  const hash = digest === null ? null : createHash("sha256");
  let tally: Tally | null = isCounted ? new Tally() : null;
  for (let at = begin; at < end; at += PIECE) {
    const piece = await source.read(start + at, Math.min(PIECE, end - at));
    hash?.update(piece);
    const numbers = tally && numbersOf(dtype, piece);
    if (numbers) tally!.add(numbers);
    else tally = null;
  }
  return {
    statistics: tally?.statistics() ?? null,
    isWhole: hash && hash.digest("hex") === digest,
  };
}

type Run = Pick<FileReport, "step" | "optimizers" | "schedulers" | "also">;

/** What the metadata of our own files say; of a damaged header nothing, if that cannot be read. */
function runOf({ metadata }: Safetensors, isWhole: boolean): Partial<Run> {
  const read = (key: string): Json | undefined => {
    const text = metadata.get(key);
    return text === undefined ? undefined : parseJson(text, `checkpoint: ${key}`);
  };
  try {
    const step = read("step");
    const also = ["scaler", "accumulator", "random", "metadata"].flatMap((key) => {
      const value = read(key);
      return value === undefined ? [] : [[key, value] as const];
    });
    return {
      step: typeof step === "number" ? step : null,
      optimizers: optimizersOf(metadata),
      schedulers: schedulersOf(read("schedulers")),
      also: Object.fromEntries(also) as Run["also"],
    };
  } catch (error) {
    if (isWhole) throw error;
    return {};
  }
}

/** Reads into one piece of memory again and again. */
class Source {
  private readonly path: string;
  private readonly file: FileHandle;
  private buffer = new Uint8Array(PIECE);

  constructor(path: string, file: FileHandle) {
    this.path = path;
    this.file = file;
  }

  /** @returns bytes that are there until the next call. */
  async read(from: number, length: number): Promise<Uint8Array> {
    if (length > this.buffer.length) this.buffer = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const { bytesRead } = await this.file.read(this.buffer, at, length - at, from + at);
      if (bytesRead === 0) {
        throw new CheckpointError("TRUNCATED", {
          subject: this.path,
          got: new Prose(`an end at byte ${from + at}`),
          expected: `at least ${from + length} bytes`,
          advice: "It has become shorter meanwhile.",
        });
      }
      at += bytesRead;
    }
    return this.buffer.subarray(0, length);
  }
}
