// `downhill bench`: how long a step takes, beside other ways to take it on this machine.

import { availableParallelism, cpus, loadavg } from "node:os";

import { UsageError } from "../errors.ts";
import { isFancy, note, prepareFolder, print, writeOutput } from "../output.ts";
import { markdownReport, terminalReport, type Bench, type Setting } from "./bench-report.ts";
import { benchedOptimizers, type BenchedOptimizer, type Contender } from "./contender.ts";
import { plans } from "./downhill.ts";
import { compare } from "./measure.ts";
import { findNative } from "./native/index.ts";
import { findPyTorch } from "./pytorch.ts";
import { handWritten } from "./typescript.ts";
import { flat, perceptron } from "./workload.ts";

export interface BenchOptions {
  readonly optimizers: readonly string[];
  readonly layers: number;
  readonly width: number;
  /** One flat tensor of so many elements instead of layers. */
  readonly size: number | undefined;
  /** Keys of the rows to measure, or all. */
  readonly rows: readonly string[] | undefined;
  readonly rounds: number;
  readonly threads: number | undefined;
  readonly out: string;
  readonly json: boolean;
}

export async function benchCommand(options: BenchOptions): Promise<void> {
  const optimizers = options.optimizers.map(checkOptimizer);
  const threads = options.threads ?? availableParallelism();
  const native = await findNative(threads);
  const torch = findPyTorch();
  const all = [...handWritten, ...plans(threads), ...native.contenders, ...torch.rows];
  const contenders = choose(all, options.rows);
  prepareFolder(options.out);
  const { size, layers, width } = options;
  const workload = size === undefined ? perceptron(layers, width) : flat(size);
  const before = loadavg()[0]!;
  const comparisons = [];
  for (const optimizer of optimizers) {
    const say = progress();
    comparisons.push(await compare(contenders, optimizer, workload, options.rounds, say));
    say("");
  }
  const setting: Setting = {
    command: ["downhill bench", ...process.argv.slice(3)].join(" "),
    date: new Date().toISOString().slice(0, 10),
    processor: cpus()[0]?.model ?? "unknown processor",
    cores: availableParallelism(),
    node: process.versions.node,
    load: [before, loadavg()[0]!],
    peers: [torch.version, ...native.versions],
  };
  const bench: Bench = { setting, workload, comparisons };
  writeOutput(options.out, "bench.json", `${JSON.stringify(bench)}\n`);
  const path = writeOutput(options.out, "bench.md", markdownReport(bench));
  if (options.json) return print(JSON.stringify(bench));
  print(terminalReport(bench));
  note(`Written to ${path} and bench.json.`);
}

function checkOptimizer(name: string): BenchedOptimizer {
  const found = benchedOptimizers.find((known) => known === name);
  if (found) return found;
  throw new UsageError(
    `--optimizers: got ${JSON.stringify(name)}, expected some of ${benchedOptimizers.join(", ")}.`,
  );
}

function choose(
  all: readonly Contender[],
  keys: readonly string[] | undefined,
): readonly Contender[] {
  if (!keys) return all;
  const stranger = keys.find((key) => !all.some((row) => row.key === key));
  if (stranger === undefined) return all.filter(({ key }) => keys.includes(key));
  throw new UsageError(
    `--rows: got ${JSON.stringify(stranger)}, expected some of ${all.map(({ key }) => key).join(", ")}.`,
  );
}

/** One line that changes on a terminal; elsewhere a line for each optimizer's first round. */
function progress(): (what: string) => void {
  if (isFancy()) return (what) => void process.stderr.write(`\r\x1b[K${what}`);
  let said = "";
  return (what) => {
    const [head] = what.split(/:|,/);
    if (what === "" || head === said) return;
    said = head!;
    note(`${head}: measuring`);
  };
}
