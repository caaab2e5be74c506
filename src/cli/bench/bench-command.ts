// `downhill bench`: how long a step takes, beside other ways to take it on this machine; how that
// depends on the size; and whether promises are kept.

import { availableParallelism } from "node:os";

import { UsageError } from "../errors.ts";
import { isFancy, note, prepareFolder, print, writeOutput } from "../output.ts";
import { markdownReport, terminalReport, type Bench } from "./bench-report.ts";
import { benchFigure, sweepFigure } from "./chart.ts";
import { runChecks } from "./checks.ts";
import { benchedOptimizers, isWritten } from "../../bench/contender.ts";
import type { BenchedOptimizer, Contender, Workload } from "../../bench/contender.ts";
import { adamBeside, plans } from "../../bench/downhill.ts";
import { observe } from "./machine.ts";
import { compare, inWords } from "../../bench/measure.ts";
import { findNative, type Bandwidth } from "./native/index.ts";
import { findNodePeers } from "./node-peers.ts";
import { findPyTorch } from "./pytorch.ts";
import { markdownChecks, markdownSweep, terminalChecks, terminalSweep } from "./sweep-report.ts";
import { sweep, sweeps, sweptRows, withBandwidth, type Sweep, type SweepKind } from "./sweep.ts";
import { subjectOf } from "../../bench/subject.ts";
import { checkOptimizers } from "./check-optimizers.ts";
import { handWritten } from "../../bench/typescript.ts";
import { flat, matrices, perceptron } from "../../bench/workload.ts";

export interface BenchOptions {
  /** By default all, of a sweep SGD and Adam. */
  readonly optimizers: readonly string[] | undefined;
  readonly layers: number;
  readonly width: number;
  /** One flat tensor of so many elements instead of layers; of a sweep the largest. */
  readonly size: number | undefined;
  /** So many matrices of one shape instead: `count x rows x columns`. */
  readonly matrices: readonly [count: number, rows: number, columns: number] | undefined;
  /**
   * Keys of the rows to measure; by default all, of a sweep those that all sizes have, and of rules that
   * few rows have those that all rules have.
   */
  readonly rows: readonly string[] | undefined;
  /** Along what the size is varied, instead of one table. */
  readonly sweep: string | undefined;
  /** Holds promises against figures, instead of a table. */
  readonly checks: boolean;
  /** Where steps run: on the CPU, on a GPU, or on the heap of TensorFlow.js's WASM backend. */
  readonly backend: "wasm" | "webgpu" | "tfjs";
  /** What a step on a GPU costs the CPU, instead of a table. */
  readonly hostCost: boolean;
  readonly rounds: number;
  readonly threads: number | undefined;
  readonly out: string;
  readonly json: boolean;
}

/** What a mode of the command found, in all the forms that it is given out in. */
export interface Findings {
  readonly name: string;
  readonly record: object;
  readonly text: string;
  readonly markdown: string;
  readonly svg: string | null;
}

export async function benchCommand(options: BenchOptions): Promise<void> {
  const say = progress();
  const run = { wasm: benchCpu, webgpu: benchGpu, tfjs: benchTfjs }[options.backend];
  const found = await run(options, say);
  say("");
  const files = [
    writeOutput(options.out, `${found.name}.md`, found.markdown),
    writeOutput(options.out, `${found.name}.json`, `${JSON.stringify(found.record)}\n`),
    ...(found.svg === null ? [] : [writeOutput(options.out, `${found.name}.svg`, found.svg)]),
  ];
  if (options.json) return print(JSON.stringify(found.record));
  print(found.text);
  note(`Written to ${files.join(", ")}.`);
}

async function benchGpu(options: BenchOptions, say: Say): Promise<Findings> {
  const { gpuBench } = await import("./webgpu/gpu-bench.ts");
  prepareFolder(options.out);
  return gpuBench(options, workloadOf(options), say);
}

async function benchTfjs(options: BenchOptions, say: Say): Promise<Findings> {
  const { tfjsBench, usualTasks } = await import("./tfjs/tfjs-bench.ts");
  prepareFolder(options.out);
  const isGiven = options.size !== undefined || options.matrices !== undefined;
  const tasks = isGiven ? [{ workload: workloadOf(options), promise: null }] : usualTasks;
  return tfjsBench(options, tasks, say);
}

async function benchCpu(options: BenchOptions, say: Say): Promise<Findings> {
  if (options.hostCost) {
    throw new UsageError("--host-cost: got it alone, expected it with --backend webgpu.");
  }
  const optimizers = options.optimizers && checkOptimizers(options.optimizers);
  const kind = options.sweep === undefined ? undefined : checkSweep(options.sweep);
  const threads = options.threads ?? availableParallelism();
  const look = observe();
  const native = await findNative(threads);
  const torch = findPyTorch();
  const node = findNodePeers();
  const all = [
    ...handWritten,
    ...plans(threads),
    ...native.contenders,
    ...torch.rows,
    ...node.rows,
  ];
  const rows = choose(
    all,
    options.rows ??
      (kind ? sweptRows : optimizers?.every(isWritten) === false ? ruleRows : undefined),
    options.rows !== undefined,
  );
  prepareFolder(options.out);
  const { bandwidth } = native;
  const setting = () => look([torch.version, ...node.versions, ...native.versions]);
  if (options.checks) return findChecks(threads, torch.rows, bandwidth, say, setting);
  return kind
    ? findSweep(kind, optimizers ?? ["sgd", "adam"], rows, options, bandwidth, say, setting)
    : findTable(optimizers ?? benchedOptimizers, rows, options, bandwidth, say, setting);
}

/** What all rules have. */
const ruleRows: readonly string[] = [
  "fused-1",
  "fused",
  "pytorch-for-loop",
  "pytorch-foreach",
  "pytorch-fused",
];

type Say = (what: string) => void;
type Look = () => ReturnType<ReturnType<typeof observe>>;

async function findTable(
  optimizers: readonly BenchedOptimizer[],
  rows: readonly Contender[],
  options: BenchOptions,
  bandwidth: Bandwidth | null,
  say: Say,
  look: Look,
): Promise<Findings> {
  const { rounds } = options;
  const workload = workloadOf(options);
  const areRules =
    !optimizers.every(isWritten) && optimizers.every((name) => subjectOf(name).isElementwise);
  const comparisons = [];
  for (const optimizer of optimizers) {
    const beside = areRules && optimizer !== "adam" ? adamBeside(rows) : [];
    const comparison = await compare(
      [...rows, ...beside],
      optimizer,
      workload,
      rounds,
      inWords(say),
    );
    comparisons.push(await withBandwidth(comparison, workload, rows, bandwidth));
  }
  const record: Bench = { setting: look(), workload, comparisons };
  return {
    name: "bench",
    record,
    text: terminalReport(record),
    markdown: markdownReport(record),
    svg: benchFigure(record),
  };
}

function workloadOf({ size, matrices: shape, layers, width }: BenchOptions): Workload {
  if (shape) return matrices(...shape);
  return size === undefined ? perceptron(layers, width) : flat(size);
}

async function findSweep(
  kind: SweepKind,
  optimizers: readonly BenchedOptimizer[],
  rows: readonly Contender[],
  { rounds, size = 1e8 }: BenchOptions,
  bandwidth: Bandwidth | null,
  say: Say,
  look: Look,
): Promise<Findings> {
  const found: Sweep[] = [];
  for (const optimizer of optimizers) {
    found.push(await sweep(kind, optimizer, rows, Math.ceil(rounds / 3), size, bandwidth, say));
  }
  const record = { setting: look(), sweeps: found };
  return {
    name: `sweep-${kind}`,
    record,
    text: terminalSweep(record),
    markdown: markdownSweep(record),
    svg: sweepFigure(found, record.setting),
  };
}

async function findChecks(
  threads: number,
  peers: readonly Contender[],
  bandwidth: Bandwidth | null,
  say: Say,
  look: Look,
): Promise<Findings> {
  const checks = await runChecks(threads, peers, bandwidth, say);
  const record = { setting: look(), checks };
  return {
    name: "checks",
    record,
    text: terminalChecks(record),
    markdown: markdownChecks(record),
    svg: null,
  };
}

function checkSweep(name: string): SweepKind {
  const found = sweeps.find((known) => known === name);
  if (found) return found;
  throw new UsageError(`--sweep: got ${JSON.stringify(name)}, expected ${sweeps.join(" or ")}.`);
}

/** @param strict whether a key that no row has is an error, or a peer that is not here. */
function choose(
  all: readonly Contender[],
  keys: readonly string[] | undefined,
  strict: boolean,
): readonly Contender[] {
  if (!keys) return all;
  const stranger = keys.find((key) => !all.some((row) => row.key === key));
  if (stranger === undefined || !strict) return all.filter(({ key }) => keys.includes(key));
  throw new UsageError(
    `--rows: got ${JSON.stringify(stranger)}, expected some of ${all.map(({ key }) => key).join(", ")}.`,
  );
}

/** One line that changes on a terminal; elsewhere a line for each optimizer's first round. */
function progress(): (what: string) => void {
  let said = "";
  if (isFancy()) {
    return (what) => {
      if (what !== said) process.stderr.write(`\r\x1b[K${what}`);
      said = what;
    };
  }
  return (what) => {
    const [head] = what.split(/:|,/);
    if (what === "" || head === said) return;
    said = head!;
    note(`${head}: measuring`);
  };
}
