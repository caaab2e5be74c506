// Downhill's optimizers and parameters for a workload.

import { Adam, AdamW, parameter, RMSprop, SGD } from "../../index.ts";
import type { Optimizer, Parameter, PlanOptions } from "../../index.ts";
import { hyperparameters, type BenchedOptimizer, type Workload } from "./contender.ts";
import { gradients, startValues } from "./values.ts";

const { sgd, momentum, rmsprop, adam, adamw } = hyperparameters;

export const makers: Record<
  BenchedOptimizer,
  (params: Parameter[], how: PlanOptions) => Optimizer<never>
> = {
  sgd: (params, how) => new SGD(params, { ...sgd, ...how }) as never,
  momentum: (params, how) => new SGD(params, { ...momentum, ...how }) as never,
  rmsprop: (params, how) => new RMSprop(params, { ...rmsprop, ...how }) as never,
  adam: (params, how) => new Adam(params, { ...adamOptions(adam), ...how }) as never,
  adamw: (params, how) =>
    new AdamW(params, {
      ...adamOptions(adamw),
      weightDecay: adamw.weightDecay,
      ...how,
    }) as never,
};

function adamOptions({ lr, beta1, beta2, eps }: typeof adam | typeof adamw) {
  return { lr, betas: [beta1, beta2] as [number, number], eps };
}

export function parametersOf(workload: Workload): Parameter[] {
  return startValues(workload).map((values, i) => parameter(values, { name: `w${i}` }));
}

export function giveGradients(params: readonly Parameter[], workload: Workload): void {
  gradients(workload).forEach((g, i) => (params[i]!.grad = g));
}
