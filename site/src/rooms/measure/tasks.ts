/** What can be measured: optimizers, what they update, the rows, and the memory that all of it takes. */
import type { Family, Workload } from "../../../../src/bench/contender.ts";
import { plans } from "../../../../src/bench/downhill.ts";
import { subjectOf } from "../../../../src/bench/subject.ts";
import { handWritten } from "../../../../src/bench/typescript.ts";
import { gpuLabels } from "../../../../src/bench/webgpu/labels.ts";
import { flat, perceptron } from "../../../../src/bench/workload.ts";

export const optimizers = [
  { key: "sgd", label: "SGD" },
  { key: "momentum", label: "SGD with momentum" },
  { key: "rmsprop", label: "RMSprop" },
  { key: "adam", label: "Adam" },
  { key: "adamw", label: "AdamW" },
] as const;

export type OptimizerKey = (typeof optimizers)[number]["key"];

/** The article's network by name, or one tensor of so many elements. */
export type Task = "mlp" | number;

/** What is offered; an address may name any size. */
export const tasks: readonly { readonly task: Task; readonly label: string }[] = [
  { task: "mlp", label: "2000 layers of width 32: 4,000 tensors" },
  { task: 2_112_000, label: "one tensor of 2.1 million" },
  { task: 16_777_216, label: "one tensor of 16.8 million" },
  { task: 33_554_432, label: "one tensor of 33.6 million" },
  { task: 100_000_000, label: "one tensor of 100 million" },
];

export const MOST_ELEMENTS = 200_000_000;
/** From so many on, rows that no one would use for them are not on by default. */
const LARGE = 10_000_000;

export function workloadOf(task: Task): Workload {
  return task === "mlp" ? perceptron(2000, 32) : flat(task);
}

export interface Row {
  readonly key: string;
  readonly label: string;
  readonly family: Family;
  /** Threads it computes on; 0 on a GPU. */
  readonly threads: number;
}

/** All rows on a machine of so many threads, in the order of the table. */
export function rowsFor(optimizer: OptimizerKey, threads: number): readonly Row[] {
  // Without a second thread the row is there, to say so.
  const cpu = [...handWritten, ...plans(Math.max(threads, 2))];
  const gpu = Object.entries(gpuLabels).map(([key, label]): Row => {
    return { key, label, family: key === "gpu-written" ? "native" : "downhill", threads: 0 };
  });
  return [
    ...cpu.map(({ key, label, family, threads: count }) => ({
      key,
      label,
      family,
      threads: count,
    })),
    ...gpu,
  ]
    .map((row) => (row.key === "fused" && threads < 2 ? { ...row, label: SEVERAL } : row))
    .filter(({ key }) => key !== "best" || optimizer === "sgd");
}

const SEVERAL = "Downhill, fused, several threads";
/** Rows that are on where all of them are small enough to be of interest, and those that always are. */
const USUAL = ["temporaries", "plain", "loop", "compile", "foreach", "best"];
const ALWAYS = ["fused-1", "fused", "gpu-fused", "gpu-written"];

/** The keys of the rows that are on until someone chooses. */
export function usualRows(task: Task): readonly string[] {
  const isLarge = workloadOf(task).parameters >= LARGE;
  return [...(isLarge ? ["plain"] : USUAL), ...ALWAYS];
}

/** Memory while it is measured, in bytes: all rows keep their tensors, so that they can take turns. */
export interface Need {
  readonly cpu: number;
  readonly gpu: number;
}

export function needOf(optimizer: OptimizerKey, task: Task, keys: readonly string[]): Need {
  const { parameters } = workloadOf(task);
  const { workingSet } = subjectOf(optimizer);
  const one = 4 * parameters;
  const has = (...wanted: string[]): boolean => wanted.some((key) => keys.includes(key));
  const fused = keys.filter((key) => key === "fused-1" || key === "fused").length;
  let cpu = 0;
  // By hand there are two tensors of state whatever the optimizer; temporaries come and go.
  if (has("plain")) cpu += 4 * one;
  if (has("temporaries")) cpu += 8 * one;
  for (const key of ["loop", "foreach"]) if (has(key)) cpu += workingSet * parameters + one;
  if (has("compile")) cpu += workingSet * parameters;
  if (has("best")) cpu += 3 * one;
  // Both fused rows share parameters and gradients.
  if (fused > 0) cpu += 2 * one + fused * (workingSet * parameters - 2 * one);
  const isOnCpu = keys.some((key) => !key.startsWith("gpu-"));
  if (isOnCpu) cpu += workingSet * parameters;
  const onGpu = keys.filter((key) => key.startsWith("gpu-")).length;
  // Values and gradients pass through the page's memory once.
  if (onGpu > 0) cpu += 2 * one;
  return { cpu, gpu: onGpu === 0 ? 0 : (onGpu + 1) * workingSet * parameters };
}
