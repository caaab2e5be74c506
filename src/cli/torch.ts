// PyTorch's learning curves: recorded now if a Python with PyTorch is there, or else read from the
// file that ships with the package.
//
// PyTorch runs in a process of its own, fed through a temporary folder with the same weights and
// batches that Downhill trains on. A recorded curve is only handed out when it belongs to exactly
// this experiment: same network, same weights, same batches, same options, to the bit.

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { isDeepStrictEqual } from "node:util";

import { CodedError } from "./errors.ts";
import { batchOrder, initialWeights } from "../training/experiment.ts";
import type { Experiment, OptionValue } from "../training/experiment.ts";
import { trainingExamples } from "../training/mnist.ts";
import type { Mnist } from "./mnist.ts";
import type { ComparedOptimizer } from "../training/optimizers.ts";
import { packageRoot } from "./package.ts";

/** Element types PyTorch trains in: what its users see, and the truth both sides are held to. */
export type TorchDtype = "float32" | "float64";

/** One training run in PyTorch. */
export interface TorchCurve {
  readonly key: string;
  readonly torchClass: string;
  readonly options: Readonly<Record<string, OptionValue>>;
  readonly dtype: TorchDtype;
  /** Loss of every step, before its update. */
  readonly losses: readonly number[];
  /** Share of the test digits recognized at the end, from 0 to 1. */
  readonly accuracy: number;
  /** Wall-clock seconds of one whole step, batch, gradient and update, on one thread. */
  readonly secondsPerStep: number;
}

/** Curves from one recording, with all that identifies the experiment they belong to. */
export interface TorchRecord {
  /** PyTorch's version. */
  readonly torch: string;
  readonly experiment: Experiment;
  /** SHA-256 of the initial weights: float32, little endian, in order. */
  readonly weights: string;
  /** SHA-256 of the batch order: uint32, little endian. */
  readonly order: string;
  readonly curves: readonly TorchCurve[];
}

/** Where a recording is: run `run` of `runs`, step `step` of `steps`. */
export interface TorchProgress {
  readonly run: number;
  readonly runs: number;
  readonly key: string;
  readonly dtype: TorchDtype;
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
}

/** A Python interpreter that can import PyTorch. */
export interface TorchInstallation {
  readonly python: string;
  readonly version: string;
}

/** What a {@link TorchError} is about: no PyTorch was found, or the recording went wrong. */
export type TorchErrorCode = "TORCH_NOT_FOUND" | "TORCH_FAILED";

/** PyTorch is missing or its run failed; the message says what was tried and what to do. */
export class TorchError extends CodedError<TorchErrorCode> {
  override readonly name = "TorchError";
}

const found = new Map<string, TorchInstallation | null>();

/**
 * Finds a Python with PyTorch and NumPy: the one named by `DOWNHILL_PYTHON`, or, where that is not
 * set, `python3` or `/usr/bin/python3`. The answer is remembered, since asking takes a second.
 */
export function findTorch(): TorchInstallation | null {
  for (const python of candidates()) {
    let installation = found.get(python);
    if (installation === undefined) {
      installation = askForTorch(python);
      found.set(python, installation);
    }
    if (installation !== null) return installation;
  }
  return null;
}

function candidates(): string[] {
  const chosen = process.env["DOWNHILL_PYTHON"];
  return chosen ? [chosen] : ["python3", "/usr/bin/python3"];
}

function askForTorch(python: string): TorchInstallation | null {
  const question = "import numpy, torch; print(torch.__version__)";
  const answer = spawnSync(python, ["-c", question], { encoding: "utf8", timeout: 60_000 });
  const version = answer.status === 0 ? answer.stdout.trim() : "";
  return version === "" ? null : { python, version };
}

/**
 * Trains with every optimizer in PyTorch, in float32 and in float64, and returns the curves.
 *
 * @throws {TorchError} `TORCH_NOT_FOUND` or `TORCH_FAILED`
 */
export async function recordTorchCurves(
  experiment: Experiment,
  optimizers: readonly ComparedOptimizer[],
  mnist: Mnist,
  onProgress: (progress: TorchProgress) => void = () => {},
): Promise<TorchRecord> {
  const installation = findTorch();
  if (installation === null) {
    throw new TorchError(
      "TORCH_NOT_FOUND",
      `No Python with PyTorch and NumPy was found (tried: ${candidates().join(", ")}). ` +
        `Install both (pip install torch numpy), or set DOWNHILL_PYTHON to an interpreter that ` +
        `has them.`,
    );
  }
  const weights = weightBytes(experiment);
  const order = orderBytes(experiment, mnist.train.count);
  const folder = await mkdtemp(join(tmpdir(), "downhill-torch-"));
  // Ctrl-C ends the process without coming back here.
  const sweep = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", sweep);
  try {
    const config = { experiment, optimizers, mnist: mnist.directory };
    await writeFile(join(folder, "config.json"), JSON.stringify(config));
    await writeFile(join(folder, "weights.f32"), weights);
    await writeFile(join(folder, "order.u32"), order);
    await runScript(installation.python, folder, onProgress);
    const record = parseRecord(await readFile(join(folder, "result.json"), "utf8"));
    const expected = { weights: sha256(weights), order: sha256(order) };
    const fits = record !== null && belongs(record, experiment, expected);
    if (!fits || !optimizers.every((optimizer) => hasCurves(record, optimizer))) {
      throw new TorchError(
        "TORCH_FAILED",
        `PyTorch ${installation.version} answered for another experiment than it was given. ` +
          `Was scripts/torch_curves.py changed? Reinstall Downhill.`,
      );
    }
    return record;
  } finally {
    process.off("exit", sweep);
    sweep();
  }
}

/** Runs the script on a folder; lines that are not progress are kept to explain a failure. */
async function runScript(
  python: string,
  folder: string,
  onProgress: (progress: TorchProgress) => void,
): Promise<void> {
  const script = join(packageRoot(), "scripts", "torch_curves.py");
  const child = spawn(python, [script, folder], { stdio: ["ignore", "ignore", "pipe"] });
  const stop = () => child.kill();
  process.once("exit", stop);
  const ended = new Promise<string>((settle) => {
    child.once("error", (error) => settle(error.message));
    child.once("close", (status, signal) =>
      settle(status === 0 ? "" : `it ended with ${signal ?? `status ${status}`}`),
    );
  });
  const complaints: string[] = [];
  for await (const line of createInterface({ input: child.stderr })) {
    const progress = parseProgress(line);
    if (progress !== null) onProgress(progress);
    else complaints.push(line);
  }
  const problem = await ended;
  process.off("exit", stop);
  if (problem === "") return;
  throw new TorchError(
    "TORCH_FAILED",
    [`${python} ${script} failed: ${problem}.`, ...complaints.slice(-12)].join("\n"),
  );
}

function parseProgress(line: string): TorchProgress | null {
  const value = parseJson(line);
  return isObject(value) && typeof value["step"] === "number" && typeof value["runs"] === "number"
    ? (value as unknown as TorchProgress)
    : null;
}

/** Why PyTorch's curve of an optimizer cannot be recorded with a version of it, or `null` if it can. */
export function whyNotInTorch(optimizer: ComparedOptimizer, version: string): string | null {
  const { label, torchSince, torchDiffers } = optimizer;
  if (torchDiffers !== undefined) return torchDiffers;
  if (torchSince === undefined || numbersOf(version) >= numbersOf(torchSince)) return null;
  return `${label}, which PyTorch has from ${torchSince} on (this is ${version})`;
}

/** `2.13.0+cpu` as a number that grows with versions. */
function numbersOf(version: string): number {
  const [major = 0, minor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  return 1000 * major + minor;
}

/**
 * The curves that ship with the package, or `null` if they belong to another experiment, to other
 * weights or to other batches. Not every optimizer need be among them, see {@link hasCurves}.
 */
export function loadRecordedCurves(
  experiment: Experiment,
  file: string = recordedCurvesFile(),
): TorchRecord | null {
  if (!existsSync(file)) return null;
  const record = parseRecord(readFileSync(file, "utf8"));
  if (record === null) return null;
  const expected = {
    weights: sha256(weightBytes(experiment)),
    order: sha256(orderBytes(experiment, trainingExamples)),
  };
  return belongs(record, experiment, expected) ? record : null;
}

/** Where the recorded curves stand: `curves/mnist.json` in the package. */
export function recordedCurvesFile(): string {
  return join(packageRoot(), "curves", "mnist.json");
}

/** The curve of one optimizer, by its class and options, or `null` if it was not recorded. */
export function curveOf(
  record: TorchRecord,
  optimizer: ComparedOptimizer,
  dtype: TorchDtype,
): TorchCurve | null {
  if (optimizer.rule) return null;
  const curve = record.curves.find(
    ({ torchClass, options, dtype: type }) =>
      type === dtype &&
      torchClass === optimizer.torchClass &&
      isDeepStrictEqual(options, { ...optimizer.options }),
  );
  return curve ?? null;
}

/** Whether an optimizer's curves were recorded, with exactly these options. */
export function hasCurves(record: TorchRecord, optimizer: ComparedOptimizer): boolean {
  return (["float32", "float64"] as const).every((type) => curveOf(record, optimizer, type));
}

function belongs(
  record: TorchRecord,
  experiment: Experiment,
  expected: { weights: string; order: string },
): boolean {
  return (
    isDeepStrictEqual(record.experiment, { ...experiment }) &&
    record.weights === expected.weights &&
    record.order === expected.order
  );
}

function parseRecord(text: string): TorchRecord | null {
  const value = parseJson(text);
  return isObject(value) && typeof value["torch"] === "string" && Array.isArray(value["curves"])
    ? (value as unknown as TorchRecord)
    : null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function weightBytes(experiment: Experiment): Buffer {
  return Buffer.concat(initialWeights(experiment).map(({ data }) => new Uint8Array(data.buffer)));
}

function orderBytes(experiment: Experiment, examples: number): Uint8Array {
  return new Uint8Array(batchOrder(experiment, examples).buffer);
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
