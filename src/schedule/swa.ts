/** The learning rate of stochastic weight averaging: from where it stands to a constant. */
import { left, type AnnealStrategy } from "./anneal.ts";
import { oneOf, perGroup, readOptions, real, valueFor, whole, type PerGroup } from "./options.ts";
import type { Curve } from "./schedule.ts";

export interface SwaOptions {
  /** The constant in the end. */
  readonly swaLr: PerGroup<number>;
  /** Steps until it is reached, default 10. */
  readonly annealEpochs?: number;
  /** Default `"cos"`. */
  readonly annealStrategy?: AnnealStrategy;
}

export const swaKinds = () => ({
  swaLr: perGroup(real({ min: 0 })),
  annealEpochs: whole(0, 10),
  annealStrategy: oneOf(["cos", "linear"], "cos"),
});

/**
 * b + (swaLr - b) · a(min(1, e / annealEpochs)), with a(q) = q or (1 - cos πq) / 2, as `SWALR`.
 * Izmailov et al. (2018), https://arxiv.org/abs/1803.05407.
 */
export function swa(options: SwaOptions): Curve {
  const { swaLr, annealEpochs, annealStrategy } = readOptions("swa", options, swaKinds());
  return (step, base = 1, group = 0) => {
    const rest = step < annealEpochs ? left[annealStrategy](step / annealEpochs) : 0;
    const goal = valueFor("swa", "swaLr", swaLr, group);
    return goal + (base - goal) * rest;
  };
}
