/**
 * Cycles between two learning rates: up and down again and again, or once for a whole run. The momentum
 * goes the other way. Both have bounds of their own: the base value does not enter.
 */
import { OptionError } from "../errors.ts";
import { left, power, type AnnealStrategy } from "./anneal.ts";
import {
  callable,
  flag,
  oneOf,
  optional,
  perGroup,
  readOptions,
  real,
  valueFor,
  whole,
  type PerGroup,
  type Values,
} from "./options.ts";
import type { Curve } from "./schedule.ts";

/** The momentum of a cycle. */
interface MomentumOptions {
  /** Whether the class cycles `momentum`, or where a group has none the first of `betas`; default true. */
  readonly cycleMomentum?: boolean;
  /** The lower bound, where the learning rate is highest: default 0.8, of `OneCycleLR` 0.85. */
  readonly baseMomentum?: PerGroup<number>;
  /** The upper bound: default 0.9, of `OneCycleLR` 0.95. */
  readonly maxMomentum?: PerGroup<number>;
}

export interface CyclicOptions extends MomentumOptions {
  /** The lower bound. */
  readonly baseLr: PerGroup<number>;
  /** The upper bound of the first cycle. */
  readonly maxLr: PerGroup<number>;
  /** Steps of the rising half, default 2000. */
  readonly stepSizeUp?: number;
  /** Steps of the falling half, by default as many. */
  readonly stepSizeDown?: number;
  /**
   * `"triangular"` (default): all cycles alike. `"triangular2"`: each half as high as the one before.
   * `"exp_range"`: the height shrinks by `gamma` in each step.
   */
  readonly mode?: "triangular" | "triangular2" | "exp_range";
  /** For `"exp_range"`, default 1. */
  readonly gamma?: number;
  /** A height of your own instead of `mode`: a factor for each cycle (from 1 on) or each step. */
  readonly scaleFn?: (x: number) => number;
  /** What `scaleFn` gets, default `"cycle"`. */
  readonly scaleMode?: "cycle" | "iterations";
}

export const cyclicKinds = () => ({
  baseLr: perGroup(real({ min: 0 })),
  maxLr: perGroup(real({ min: 0 })),
  stepSizeUp: real({ above: 0 }, 2000),
  stepSizeDown: optional(real({ above: 0 })),
  mode: oneOf(["triangular", "triangular2", "exp_range"], "triangular"),
  gamma: real({ min: 0 }, 1),
  scaleFn: optional(callable<(x: number) => number>()),
  scaleMode: oneOf(["cycle", "iterations"], "cycle"),
  ...momentumKinds(0.8, 0.9),
});

const momentumKinds = (low: number, high: number) => ({
  cycleMomentum: flag(true),
  baseMomentum: perGroup(real({ min: 0 }, low)),
  maxMomentum: perGroup(real({ min: 0 }, high)),
});

/** baseLr + (maxLr - baseLr) · height, as `CyclicLR`. Smith (2017), https://arxiv.org/abs/1506.01186. */
export function cyclic(options: CyclicOptions): Curve {
  const read = readOptions("cyclic", options, cyclicKinds());
  const height = heightOf(read);
  return (step, _, group = 0) => {
    const low = valueFor("cyclic", "baseLr", read.baseLr, group);
    return low + (valueFor("cyclic", "maxLr", read.maxLr, group) - low) * height(step);
  };
}

/** maxMomentum - (maxMomentum - baseMomentum) · height: the momentum that goes with {@link cyclic}. */
export function cyclicMomentum(options: CyclicOptions): Curve {
  const read = readOptions("cyclicMomentum", options, cyclicKinds());
  const height = heightOf(read);
  return (step, _, group = 0) => {
    const [low, high] = momentaFor("cyclicMomentum", read, group);
    return high - (high - low) * height(step);
  };
}

function momentaFor(
  owner: string,
  read: Values<ReturnType<typeof momentumKinds>>,
  group: number,
): [low: number, high: number] {
  const low = valueFor(owner, "baseMomentum", read.baseMomentum, group);
  return [low, valueFor(owner, "maxMomentum", read.maxMomentum, group)];
}

/** How high a step stands in its cycle, from 0 to the scale of that cycle. */
function heightOf(shape: Values<ReturnType<typeof cyclicKinds>>): (step: number) => number {
  const { stepSizeUp: up, stepSizeDown: down = up, mode, gamma, scaleFn, scaleMode } = shape;
  return (step) => {
    const cycle = Math.floor(step / (up + down));
    const at = step - cycle * (up + down);
    const part = at <= up ? at / up : (up + down - at) / down;
    if (scaleFn) return part * scaleFn(scaleMode === "cycle" ? cycle + 1 : step);
    if (mode === "triangular2") return part * power(0.5, cycle);
    return mode === "exp_range" ? part * power(gamma, step) : part;
  };
}

export interface OneCycleOptions extends MomentumOptions {
  /** The peak. */
  readonly maxLr: PerGroup<number>;
  /** Steps of the whole run. */
  readonly totalSteps?: number;
  /** Instead of `totalSteps`, with `stepsPerEpoch`. */
  readonly epochs?: number;
  readonly stepsPerEpoch?: number;
  /** The part of the run that rises, default 0.3. */
  readonly pctStart?: number;
  /** Default `"cos"`. */
  readonly annealStrategy?: AnnealStrategy;
  /** The run begins with `maxLr / divFactor`, default 25. */
  readonly divFactor?: number;
  /** It ends with the initial value divided by this, default 1e4. */
  readonly finalDivFactor?: number;
  /** Falls back to the initial value first, then to the last one; default false: at one stretch. */
  readonly threePhase?: boolean;
}

export const oneCycleKinds = () => ({
  maxLr: perGroup(real({ min: 0 })),
  totalSteps: optional(whole(1)),
  epochs: optional(whole(1)),
  stepsPerEpoch: optional(whole(1)),
  pctStart: real({ min: 0, max: 1 }, 0.3),
  annealStrategy: oneOf(["cos", "linear"], "cos"),
  divFactor: real({ above: 0 }, 25),
  finalDivFactor: real({ above: 0 }, 1e4),
  threePhase: flag(false),
  ...momentumKinds(0.85, 0.95),
});

/**
 * From maxLr / divFactor up to maxLr and down to almost nothing, as `OneCycleLR`. Step
 * `totalSteps - 1` is the last one; later ones have its value. Smith and Topin (2018),
 * https://arxiv.org/abs/1708.07120.
 */
export function oneCycle(options: OneCycleOptions): Curve {
  const read = readOptions("oneCycle", options, oneCycleKinds());
  const { divFactor, finalDivFactor, threePhase } = read;
  const through = throughKnots("oneCycle", read);
  return (step, _, group = 0) => {
    const peak = valueFor("oneCycle", "maxLr", read.maxLr, group);
    const first = peak / divFactor;
    const last = first / finalDivFactor;
    return through(step, threePhase ? [first, peak, first, last] : [first, peak, last]);
  };
}

/** The momentum that goes with {@link oneCycle}: low where the learning rate is high. */
export function oneCycleMomentum(options: OneCycleOptions): Curve {
  const read = readOptions("oneCycleMomentum", options, oneCycleKinds());
  const through = throughKnots("oneCycleMomentum", read);
  return (step, _, group = 0) => {
    const [low, high] = momentaFor("oneCycleMomentum", read, group);
    return through(step, [high, low, high, high]);
  };
}

/** A curve through values at the ends of the phases; phases without width are passed over. */
function throughKnots(
  owner: string,
  shape: Values<ReturnType<typeof oneCycleKinds>>,
): (step: number, knots: readonly number[]) => number {
  const { epochs, stepsPerEpoch, pctStart, annealStrategy, threePhase } = shape;
  const total = shape.totalSteps ?? (epochs ?? NaN) * (stepsPerEpoch ?? NaN);
  if (Number.isNaN(total)) {
    throw new OptionError("BAD_OPTION", {
      subject: `${owner}: totalSteps`,
      got: undefined,
      expected: "a whole number from 1 on, or epochs and stepsPerEpoch",
    });
  }
  const end = total - 1;
  const peak = Math.max(0, pctStart * total - 1);
  const times = threePhase ? [0, peak, 2 * peak, end] : [0, peak, end];
  return (step, knots) => {
    const at = Math.min(step, end);
    let phase = 1;
    while (phase < times.length - 1 && (at > times[phase]! || times[phase] === times[phase - 1])) {
      phase++;
    }
    const [start, width] = [times[phase - 1]!, times[phase]! - times[phase - 1]!];
    const rest = width > 0 ? left[annealStrategy]((at - start) / width) : 0;
    return knots[phase]! + (knots[phase - 1]! - knots[phase]!) * rest;
  };
}
