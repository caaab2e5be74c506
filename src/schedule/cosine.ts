/** Half a cosine from the base value down, once or again and again. */
import { left } from "./anneal.ts";
import { flag, readOptions, real, whole } from "./options.ts";
import type { Curve } from "./schedule.ts";

export interface CosineAnnealingOptions {
  /** Steps from the base value to the smallest. */
  readonly tMax: number;
  /** The smallest value, default 0. */
  readonly etaMin?: number;
  /** Stays at `etaMin` after `tMax`; by default (false) the value rises again, as in PyTorch. */
  readonly clamp?: boolean;
}

export const cosineAnnealingKinds = () => ({
  tMax: real({ above: 0 }),
  etaMin: real({}, 0),
  clamp: flag(false),
});

/**
 * etaMin + (b - etaMin) · (1 + cos(π e / tMax)) / 2, as `CosineAnnealingLR`. Loshchilov and Hutter
 * (2017), https://arxiv.org/abs/1608.03983.
 */
export function cosineAnnealing(options: CosineAnnealingOptions): Curve {
  const { tMax, etaMin, clamp } = readOptions("cosineAnnealing", options, cosineAnnealingKinds());
  return (step, base = 1) => {
    const q = (clamp ? Math.min(step, tMax) : step) / tMax;
    return etaMin + (base - etaMin) * left.cos(q);
  };
}

export interface CosineWarmRestartsOptions {
  /** Steps of the first cycle. */
  readonly t0: number;
  /** How many times longer each cycle is than the one before, a whole number, default 1. */
  readonly tMult?: number;
  /** The smallest value, default 0. */
  readonly etaMin?: number;
}

export const cosineWarmRestartsKinds = () => ({
  t0: whole(1),
  tMult: whole(1, 1),
  etaMin: real({}, 0),
});

/**
 * Cosine annealing that begins anew at the base value, in ever longer cycles, as
 * `CosineAnnealingWarmRestarts`. Loshchilov and Hutter (2017), https://arxiv.org/abs/1608.03983.
 */
export function cosineWarmRestarts(options: CosineWarmRestartsOptions): Curve {
  const { t0, tMult, etaMin } = readOptions(
    "cosineWarmRestarts",
    options,
    cosineWarmRestartsKinds(),
  );
  return (step, base = 1) => {
    let [start, length] = [0, t0];
    if (tMult === 1) start = Math.floor(step / t0) * t0;
    // Adding up whole lengths finds restarts exactly; a logarithm would miss some.
    else for (; step - start >= length; length *= tMult) start += length;
    return etaMin + (base - etaMin) * left.cos((step - start) / length);
  };
}
