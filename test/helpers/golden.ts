/** PyTorch's recorded trajectories, and how a run of ours is measured against them. */
import { readFileSync } from "node:fs";
import type { Optimizer, Parameter, PlanOptions, TypedArray } from "../../src/index.ts";
import {
  Adadelta,
  Adafactor,
  Adagrad,
  Adam,
  Adamax,
  AdamW,
  ASGD,
  Muon,
  NAdam,
  parameter,
  RAdam,
  RMSprop,
  Rprop,
  SGD,
  SparseAdam,
} from "../../src/index.ts";
import { camelCase, type GoldenCase } from "./golden-case.ts";

export { camelCase, type GoldenCase } from "./golden-case.ts";

export const optimizers = {
  SGD,
  RMSprop,
  Adam,
  AdamW,
  Adagrad,
  Adadelta,
  Adamax,
  NAdam,
  RAdam,
  ASGD,
  Rprop,
  Adafactor,
};
/** Those with gradients of rows as well, by the name of their file. */
export const recorded = {
  ...optimizers,
  SparseAdam,
  "SGD-sparse": SGD,
  "Adagrad-sparse": Adagrad,
};
export type OptimizerName = keyof typeof recorded;

/** Also those of which PyTorch computes something in bfloat16: they are judged by themselves. */
const all = { ...recorded, Muon };
type AnyName = keyof typeof all;

export function goldenCases(name: AnyName): GoldenCase[] {
  const file = new URL(`../golden/${name}.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { cases: GoldenCase[] }).cases;
}

export interface Run {
  readonly parameters: Record<string, Parameter>;
  readonly optimizer: Optimizer;
  /** Copies of all parameters after each step. */
  readonly trajectory: Record<string, TypedArray>[];
}

export interface Task {
  readonly optimizer: Optimizer;
  readonly parameters: Record<string, Parameter>;
}

export function createTask(name: AnyName, golden: GoldenCase, plan: PlanOptions): Task {
  const parameters: Record<string, Parameter> = {};
  for (const [key, shape] of Object.entries(golden.shapes)) {
    parameters[key] = parameter(Float64Array.from(golden.init[key]!), {
      name: key,
      shape,
      dtype: golden.dtype,
    } as { name: string });
  }
  const options = { ...camelCase(golden.options), ...plan };
  const optimizer = new (all[name] as unknown as typeof SGD)(
    Object.values(parameters),
    options as never,
  );
  return { optimizer: optimizer as unknown as Optimizer, parameters };
}

/** Takes step `index` of a case, as it was recorded. */
export function takeStep({ optimizer, parameters }: Task, golden: GoldenCase, index: number): void {
  const lr = golden.lr?.[index];
  if (lr !== undefined) (optimizer.paramGroups[0] as unknown as { lr: number }).lr = lr;
  for (const [key, values] of Object.entries(golden.grads[index]!)) {
    if (values === null || Array.isArray(values)) parameters[key]!.grad = values;
    else parameters[key]!.sparseGrad = values;
  }
  optimizer.step();
}

export function snapshot(parameters: Record<string, Parameter>): Record<string, TypedArray> {
  return Object.fromEntries(Object.entries(parameters).map(([key, p]) => [key, p.data.slice()]));
}

export function runCase(name: AnyName, golden: GoldenCase, plan: PlanOptions): Run {
  const task = createTask(name, golden, plan);
  const trajectory = golden.grads.map((_, index) => {
    takeStep(task, golden, index);
    return snapshot(task.parameters);
  });
  return { ...task, trajectory };
}
