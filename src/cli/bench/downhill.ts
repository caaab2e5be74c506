// Downhill's own rows: the four plans, and the article's best in two list operations.

import { Adam, AdamW, foreach, parameter, RMSprop, SGD } from "../../index.ts";
import type { Optimizer, Parameter, PlanOptions, TypedArray } from "../../index.ts";
import {
  hyperparameters,
  type BenchedOptimizer,
  type Contender,
  type Workload,
} from "./contender.ts";
import { gradients, startValues, timed } from "./values.ts";

const { sgd, momentum, rmsprop, adam, adamw } = hyperparameters;

const makers: Record<
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

/** The rows for a machine of so many threads. */
export function plans(threads: number): readonly Contender[] {
  const one = { threads: 1 };
  const rows = [
    plan("loop", "Downhill, loop", { ...one, foreach: false, compile: false }),
    plan("compile", "Downhill, compile", { ...one, foreach: false }),
    plan("foreach", "Downhill, foreach", { ...one, compile: false }),
    best,
    plan("fused-1", "Downhill, fused, 1 thread", one),
  ];
  if (threads < 2) return rows;
  return [...rows, plan("fused", `Downhill, fused, ${threads} threads`, { threads })];
}

function plan(key: string, label: string, how: PlanOptions & { threads: number }): Contender {
  return {
    key,
    label,
    family: "downhill",
    threads: how.threads,
    prepare: (optimizer, workload) => {
      const params = parametersOf(workload);
      const made = makers[optimizer](params, how);
      giveGradients(params, workload);
      return Promise.resolve({
        run: (steps) => Promise.resolve(timed(() => made.step(), steps)),
        close: () => {
          made.dispose();
          return Promise.resolve();
        },
        values: () => params.map(({ data }) => data as Float32Array),
      });
    },
  };
}

/** `foreach.mul(grads, -lr); foreach.add(params, grads)`: gradients are restored before each step. */
const best: Contender = {
  key: "best",
  label: "Downhill, the article's best",
  family: "downhill",
  threads: 1,
  prepare: (optimizer, workload) => {
    if (optimizer !== "sgd") return Promise.resolve("the article has it for SGD only");
    const params = parametersOf(workload);
    const owner = makers.sgd(params, { threads: 1 }); // brings the tensors side by side
    giveGradients(params, workload);
    const grads = params.map((p) => p.grad as TypedArray);
    const originals = gradients(workload);
    const step = (): void => {
      foreach.mul(grads, -sgd.lr);
      foreach.add(params, grads);
    };
    const restore = (): void => grads.forEach((g, i) => g.set(originals[i]!));
    return Promise.resolve({
      run: (steps) => Promise.resolve(timed(step, steps, restore)),
      close: () => {
        owner.dispose();
        return Promise.resolve();
      },
      values: () => params.map(({ data }) => data as Float32Array),
    });
  },
};

function parametersOf(workload: Workload): Parameter[] {
  return startValues(workload).map((values, i) => parameter(values, { name: `w${i}` }));
}

function giveGradients(params: readonly Parameter[], workload: Workload): void {
  gradients(workload).forEach((g, i) => (params[i]!.grad = g));
}
