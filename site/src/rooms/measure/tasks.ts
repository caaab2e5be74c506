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
  { task: "mlp", label: "2000 layers of width 32" },
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

/**
 * How many tensors as large as all parameters a row keeps, for so many of state, as Chromium's memory grows by.
 * By hand there are two of state whatever the optimizer, and temporaries come and go.
 */
const kept: Readonly<Record<string, (state: number) => number>> = {
  temporaries: () => 9,
  plain: () => 4,
  loop: (state) => state + 4,
  compile: (state) => state + 2,
  foreach: (state) => state + 5,
  best: () => 3,
  "fused-1": (state) => state,
  fused: (state) => state,
};

export function needOf(optimizer: OptimizerKey, task: Task, keys: readonly string[]): Need {
  const { parameters } = workloadOf(task);
  const all = subjectOf(optimizer).workingSet / 4;
  const onCpu = keys.filter((key) => !key.startsWith("gpu-"));
  const onGpu = keys.length - onCpu.length;
  let tensors = onCpu.reduce((sum, key) => sum + (kept[key]?.(all - 2) ?? 0), 0);
  // The fused rows share parameters and gradients.
  if (onCpu.some((key) => key.startsWith("fused"))) tensors += 2;
  // What the memory can do is measured over as much as a step uses.
  if (onCpu.length > 0) tensors += all;
  // To the GPU values and gradients go through the page's memory.
  if (onGpu > 0) tensors += 2;
  const bytes = Float32Array.BYTES_PER_ELEMENT * parameters;
  return { cpu: tensors * bytes, gpu: onGpu === 0 ? 0 : (onGpu + 1) * all * bytes };
}
