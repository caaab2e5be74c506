/** Training on parameters of both types, and the arenas that they went into. */
import type { Optimizer, Parameter } from "../../src/index.ts";
import type { Arena } from "../../src/memory/arena.ts";
import { noisyParameters, setNoisyGrads, type RuleCase } from "./rules.ts";

export const PAGE = 65_536;

/** Each arena once, in the order of its first parameter. */
export function arenasOf(all: readonly Parameter[]): Arena[] {
  return [...new Set(all.map(({ home }) => home!.arena))];
}

/** Noisy parameters of the given sizes in float32, then in float64. */
export function parametersOf(sizes: readonly number[]): Parameter[] {
  const all = [...noisyParameters(sizes), ...noisyParameters(sizes, "float64")];
  all.forEach((p, i) => Object.assign(p, { name: `w${i}` }));
  return all;
}

/** Steps in two groups; one parameter has no gradient in the second step. */
export function train(
  { create }: RuleCase,
  all: readonly Parameter[],
  options: object = {},
  steps = 5,
): Optimizer {
  const half = Math.ceil(all.length / 2);
  const groups = [{ params: all.slice(0, half) }, { params: all.slice(half), lr: 0.02 }];
  const optimizer = create(groups, options);
  for (let step = 0; step < steps; step++) stepNoisily(optimizer, all, step);
  return optimizer;
}

export function stepNoisily(optimizer: Optimizer, all: readonly Parameter[], step: number): void {
  setNoisyGrads(all, step);
  if (step === 1) all[1]!.grad = null;
  optimizer.step();
}
