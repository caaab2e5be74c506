// The numbers of one step as native/limits.c reads them, computed like those of the rules: in float64.

import { hyperparameters, type WrittenOptimizer } from "../../../bench/contender.ts";

const { sgd, momentum, rmsprop, adam, adamw } = hyperparameters;

/** The loops of limits.c, in its order. */
const LOOPS = { sgd: 0, momentum: 1, rmsprop: 2, adam: 3, adamw: 3, scale: 4 } as const;

export function loopOf(optimizer: WrittenOptimizer | "scale"): number {
  return LOOPS[optimizer];
}

/** @param t which step it is, from 1. */
export function numbersOf(optimizer: WrittenOptimizer, t: number): number[] {
  if (optimizer === "sgd") return [sgd.lr];
  if (optimizer === "momentum") return [momentum.lr, momentum.momentum];
  if (optimizer === "rmsprop") return [rmsprop.lr, rmsprop.alpha, 1 - rmsprop.alpha, rmsprop.eps];
  const { lr, beta1, beta2, eps } = adam;
  const keep = optimizer === "adamw" ? 1 - adamw.lr * adamw.weightDecay : 1;
  const root = 1 / Math.sqrt(1 - beta2 ** t);
  return [lr / (1 - beta1 ** t), 1 - beta1, beta2, 1 - beta2, root, eps, keep];
}
