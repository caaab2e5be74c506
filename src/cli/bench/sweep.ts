// How the cost of a parameter depends on how many there are, and on how many tensors they are in.

import type { BenchedOptimizer, Contender, Workload } from "../../bench/contender.ts";
import { compare, inWords, type Comparison } from "../../bench/measure.ts";
import type { Bandwidth } from "./native/index.ts";
import { subjectOf } from "../../bench/subject.ts";
import { evenly, flat } from "../../bench/workload.ts";

export const sweeps = ["size", "tensors"] as const;
export type SweepKind = (typeof sweeps)[number];

/** One optimizer at one place of the sweep. */
export interface SweepPoint {
  /** Elements, or tensors. */
  readonly x: number;
  readonly comparison: Comparison;
}

export interface Sweep {
  readonly kind: SweepKind;
  readonly optimizer: BenchedOptimizer;
  readonly points: readonly SweepPoint[];
}

/** Where rows are measured; a step of the largest needs some gigabytes. */
const SIZES = [
  10, 31, 100, 316, 1000, 3162, 1e4, 31_623, 1e5, 316_228, 1e6, 3_162_278, 1e7, 31_622_777, 1e8,
];
const TENSORS = [1, 10, 100, 1000, 4000, 10_000, 100_000];
/** The perceptron's size, so that both tables have a row in common. */
const CONSTANT_SIZE = 2_112_000;

/** Rows that say something of every size; `--rows` names others. */
export const sweptRows: readonly string[] = [
  "plain",
  "fused-1",
  "fused",
  "native-1",
  "native",
  "pytorch-for-loop",
  "pytorch-foreach",
  "pytorch-fused",
];

export function workloadsOf(kind: SweepKind, most: number): { x: number; workload: Workload }[] {
  if (kind === "size") {
    return SIZES.filter((size) => size <= most).map((x) => ({ x, workload: flat(x) }));
  }
  const size = Math.min(CONSTANT_SIZE, most);
  return TENSORS.filter((x) => x <= size).map((x) => ({ x, workload: evenly(size, x) }));
}

/** @param most elements of the largest workload. */
export async function sweep(
  kind: SweepKind,
  optimizer: BenchedOptimizer,
  contenders: readonly Contender[],
  rounds: number,
  most: number,
  bandwidth: Bandwidth | null,
  onProgress: (what: string) => void,
): Promise<Sweep> {
  const points: SweepPoint[] = [];
  for (const { x, workload } of workloadsOf(kind, most)) {
    const say = (what: string) => onProgress(`${workload.title}; ${what}`);
    const comparison = await compare(contenders, optimizer, workload, rounds, inWords(say));
    points.push({
      x,
      comparison: await withBandwidth(comparison, workload, contenders, bandwidth),
    });
  }
  return { kind, optimizer, points };
}

/** Adds the memory's bandwidth for as much memory as the step uses, on as many threads. */
export async function withBandwidth(
  comparison: Comparison,
  { parameters }: Workload,
  contenders: readonly Contender[],
  bandwidth: Bandwidth | null,
): Promise<Comparison> {
  if (!bandwidth) return comparison;
  const ours = contenders.filter(({ family }) => family === "downhill" || family === "native");
  const threads = Math.max(1, ...ours.map((row) => row.threads));
  const bytes = subjectOf(comparison.optimizer).workingSet * parameters;
  const alone = await bandwidth.measure(bytes, 1);
  // Where another program keeps a core busy, C with a part for each is slower than on one alone.
  const together = threads > 1 ? await bandwidth.measure(bytes, threads) : 0;
  const gigabytesPerSecond = Math.max(alone, together);
  return { ...comparison, bandwidth: { threads, gigabytesPerSecond } };
}
