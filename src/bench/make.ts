// Downhill's optimizers and parameters for a workload.

import { Optimizer, parameter } from "../index.ts";
import type { Parameter, PlanOptions } from "../index.ts";
import type { BenchedOptimizer, Workload } from "./contender.ts";
import { subjectOf } from "./subject.ts";
import { gradients, startValues } from "./values.ts";

export function makeOptimizer(
  optimizer: BenchedOptimizer,
  params: readonly Parameter[],
  how: PlanOptions,
): Optimizer<never> {
  const { rule, options } = subjectOf(optimizer);
  return new Optimizer(rule, [...params], { ...options, ...how } as never) as never;
}

export function parametersOf(workload: Workload): Parameter[] {
  const shape = workload.shape ? { shape: workload.shape } : {};
  return startValues(workload).map((values, i) => parameter(values, { name: `w${i}`, ...shape }));
}

export function giveGradients(params: readonly Parameter[], workload: Workload): void {
  gradients(workload).forEach((g, i) => (params[i]!.grad = g));
}
