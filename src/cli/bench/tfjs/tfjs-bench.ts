// `downhill bench --backend tfjs`: TensorFlow.js's own optimizers against Downhill's, which work in place
// on the same heap; for a small network, for many tensors, and for a large one.

import { UsageError } from "../../errors.ts";
import type { BenchOptions, Findings } from "../bench-command.ts";
import type { BenchedOptimizer, Workload } from "../../../bench/contender.ts";
import { observe } from "../machine.ts";
import { compare, inWords } from "../../../bench/measure.ts";
import { flat, perceptron } from "../../../bench/workload.ts";
import { openTfjs } from "./open.ts";
import { markdownTfjs, terminalTfjs, type TfjsBench, type TfjsComparison } from "./report.ts";
import { tfjsOptimizers, tfjsRows } from "./rows.ts";

/** A workload, and how many times as fast as TensorFlow.js's Adam is promised. */
export interface Task {
  readonly workload: Workload;
  readonly promise: number | null;
}

/** Layers of 784, 512, 512 and 10 units. */
const mlp: Workload = {
  title: "784-512-512-10",
  sizes: [784 * 512, 512, 512 * 512, 512, 512 * 10, 10],
  parameters: 669_706,
};

export const usualTasks: readonly Task[] = [
  { workload: mlp, promise: 8 },
  { workload: perceptron(2000, 32), promise: 100 },
  { workload: flat(2 ** 24), promise: 7 },
];

export async function tfjsBench(
  options: BenchOptions,
  tasks: readonly Task[],
  say: (what: string) => void,
): Promise<Findings> {
  refuseForeign(options);
  const { optimizers = ["adam"], rounds } = options;
  const tf = await openTfjs();
  const look = observe();
  const comparisons: TfjsComparison[] = [];
  for (const optimizer of optimizers) {
    for (const { workload, promise } of tasks) {
      const comparison = await compare(
        tfjsRows(tf),
        optimizer,
        workload,
        rounds,
        inWords((what) => say(`${workload.title}: ${what}`)),
      );
      comparisons.push({ ...comparison, workload, promise: optimizer === "adam" ? promise : null });
    }
  }
  const peers = [{ name: "TensorFlow.js", version: tf.version_core, found: true }];
  const record: TfjsBench = { setting: look(peers), comparisons };
  return {
    name: "bench-tfjs",
    record,
    text: terminalTfjs(record),
    markdown: markdownTfjs(record),
    svg: null,
  };
}

/** @throws {UsageError} for what only the CPU's benchmark has, and what TensorFlow.js has not. */
function refuseForeign(options: BenchOptions): void {
  const { sweep, checks, threads, rows, hostCost, optimizers = [] } = options;
  const given = {
    "--sweep": sweep !== undefined,
    "--checks": checks,
    "--threads": threads !== undefined,
    "--rows": rows !== undefined,
    "--host-cost": hostCost,
  };
  const foreign = Object.entries(given).find(([, isGiven]) => isGiven);
  if (foreign)
    throw new UsageError(`${foreign[0]}: got it with --backend tfjs, expected it without.`);
  const stranger = optimizers.find((name: BenchedOptimizer) => !tfjsOptimizers.includes(name));
  if (stranger === undefined) return;
  throw new UsageError(
    `--optimizers: got ${JSON.stringify(stranger)} with --backend tfjs, expected some of ${tfjsOptimizers.join(", ")}.`,
  );
}
