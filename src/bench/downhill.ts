// Downhill's own rows: the four plans, and the article's best in two list operations.

import { foreach } from "../index.ts";
import type { PlanOptions, TypedArray } from "../index.ts";
import { acquire } from "./arena-share.ts";
import { hyperparameters, type Contender } from "./contender.ts";
import { giveGradients, makeOptimizer, parametersOf } from "./make.ts";
import { gradients, timed } from "./values.ts";

const { sgd } = hyperparameters;

/** The rows for a machine of so many threads. */
export function plans(threads: number): readonly Contender[] {
  const one = { threads: 1 };
  const rows = [
    plan("loop", "Downhill, loop", { ...one, foreach: false, compile: false }),
    plan("compile", "Downhill, compile", { ...one, foreach: false }),
    plan("foreach", "Downhill, foreach", { ...one, compile: false }),
    best,
    fused(1),
  ];
  if (threads < 2) return rows;
  return [...rows, fused(threads)];
}

/**
 * The fused ones of some rows for Adam, to be measured in turn with another rule's: from minute to minute
 * a machine that is shared differs more than rules do.
 */
export function adamBeside(rows: readonly Contender[]): readonly Contender[] {
  return rows
    .filter(({ key }) => key === "fused-1" || key === "fused")
    .map((row) => ({
      ...row,
      key: `adam-${row.key}`,
      label: row.label.replace("fused", "fused, Adam"),
      instead: "adam",
    }));
}

/** The default plan, on the memory that the C limit of as many threads runs on as well. */
function fused(threads: number): Contender {
  return {
    key: threads === 1 ? "fused-1" : "fused",
    label: `Downhill, fused, ${threads} thread${threads > 1 ? "s" : ""}`,
    family: "downhill",
    threads,
    prepare: (optimizer, workload) => {
      const shared = acquire(optimizer, workload);
      const { parameters } = shared;
      const made = shared.optimizer(threads);
      return Promise.resolve({
        run: (steps) => Promise.resolve(timed(() => made.step(), steps)),
        close: () => Promise.resolve(shared.release()),
        values: () => parameters.map(({ data }) => data as Float32Array),
      });
    },
  };
}

function plan(key: string, label: string, how: PlanOptions & { threads: number }): Contender {
  return {
    key,
    label,
    family: "downhill",
    threads: how.threads,
    prepare: (optimizer, workload) => {
      const params = parametersOf(workload);
      const made = makeOptimizer(optimizer, params, how);
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
    const owner = makeOptimizer("sgd", params, { threads: 1 }); // brings the tensors side by side
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
