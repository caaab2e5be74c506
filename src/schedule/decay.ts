/** Schedules that multiply the base value by a factor: steps, lines, powers, and factors of your own. */
import { power } from "./anneal.ts";
import {
  callable,
  numbers,
  perGroup,
  readOptions,
  real,
  valueFor,
  type PerGroup,
} from "./options.ts";
import type { Curve } from "./schedule.ts";

export interface StepDecayOptions {
  /** Steps between two decays. */
  readonly stepSize: number;
  /** Factor of each decay, default 0.1. */
  readonly gamma?: number;
}

export const stepDecayKinds = () => ({
  stepSize: real({ above: 0 }),
  gamma: real({ min: 0 }, 0.1),
});

/** b · gamma^⌊e / stepSize⌋, as `StepLR`. */
export function stepDecay(options: StepDecayOptions): Curve {
  const { stepSize, gamma } = readOptions("stepDecay", options, stepDecayKinds());
  return (step, base = 1) => base * power(gamma, Math.floor(step / stepSize));
}

export interface MultiStepDecayOptions {
  /** The steps at which it decays, in order; a step that stands there twice decays twice. */
  readonly milestones: readonly number[];
  /** Factor of each decay, default 0.1. */
  readonly gamma?: number;
}

export const multiStepDecayKinds = () => ({
  milestones: numbers(),
  gamma: real({ min: 0 }, 0.1),
});

/** b · gamma^(number of milestones ≤ e), as `MultiStepLR`. */
export function multiStepDecay(options: MultiStepDecayOptions): Curve {
  const { milestones, gamma } = readOptions("multiStepDecay", options, multiStepDecayKinds());
  const all = [...milestones];
  return (step, base = 1) => {
    let passed = 0;
    while (passed < all.length && all[passed]! <= step) passed++;
    return base * power(gamma, passed);
  };
}

export interface ConstantOptions {
  /** Factor before `totalIters`, default 1/3. */
  readonly factor?: number;
  /** Steps for which the factor holds, default 5. */
  readonly totalIters?: number;
}

export const constantKinds = () => ({
  factor: real({ min: 0 }, 1 / 3),
  totalIters: real({ min: 0 }, 5),
});

/** b · factor before `totalIters`, then b, as `ConstantLR`. */
export function constant(options: ConstantOptions = {}): Curve {
  const { factor, totalIters } = readOptions("constant", options, constantKinds());
  return (step, base = 1) => (step < totalIters ? base * factor : base);
}

export interface LinearOptions {
  /** Factor at step 0, default 1/3. */
  readonly startFactor?: number;
  /** Factor from `totalIters` on, default 1. */
  readonly endFactor?: number;
  /** Steps from one to the other, default 5. */
  readonly totalIters?: number;
}

export const linearKinds = () => ({
  startFactor: real({ min: 0 }, 1 / 3),
  endFactor: real({ min: 0 }, 1),
  totalIters: real({ min: 0 }, 5),
});

/** b · (start + (end - start) · min(e, totalIters) / totalIters), as `LinearLR`. */
export function linear(options: LinearOptions = {}): Curve {
  const { startFactor, endFactor, totalIters } = readOptions("linear", options, linearKinds());
  return (step, base = 1) => {
    if (step >= totalIters) return base * endFactor;
    return base * (startFactor + (endFactor - startFactor) * (step / totalIters));
  };
}

export const exponentialKinds = () => ({ gamma: real({ min: 0 }) });

/** b · gamma^e, as `ExponentialLR`. */
export function exponential(options: { readonly gamma: number }): Curve {
  const { gamma } = readOptions("exponential", options, exponentialKinds());
  return (step, base = 1) => base * power(gamma, step);
}

export interface PolynomialOptions {
  /** Steps until 0 is reached, default 5. */
  readonly totalIters?: number;
  /** Default 1, a line. */
  readonly power?: number;
}

export const polynomialKinds = () => ({
  totalIters: real({ above: 0 }, 5),
  power: real({ above: 0 }, 1),
});

/** b · (1 - min(e, totalIters) / totalIters)^power, as `PolynomialLR`. */
export function polynomial(options: PolynomialOptions = {}): Curve {
  const { totalIters, power: exponent } = readOptions("polynomial", options, polynomialKinds());
  return (step, base = 1) => base * power(1 - Math.min(step, totalIters) / totalIters, exponent);
}

/** A factor for each step; `group` is the number of the parameter group. */
export type Factor = (step: number, group: number) => number;

export interface LambdaOptions {
  /** The factor, or an array with one function for each group. */
  readonly lrLambda: PerGroup<Factor>;
}

/** b · f(e), as `LambdaLR`. */
export function lambda(options: LambdaOptions): Curve {
  const { lrLambda } = readOptions("lambda", options, { lrLambda: perGroup(callable<Factor>()) });
  return (step, base = 1, group = 0) =>
    base * valueFor("lambda", "lrLambda", lrLambda, group)(step, group);
}

/**
 * b · f(1) · f(2) ⋯ f(e), as `MultiplicativeLR`. The last product is kept, so that asking for one step
 * after the other costs one call each.
 */
export function multiplicative(options: LambdaOptions): Curve {
  const kinds = { lrLambda: perGroup(callable<Factor>()) };
  const { lrLambda } = readOptions("multiplicative", options, kinds);
  const known = new Map<number, { readonly at: number; readonly product: number }>();
  return (step, base = 1, group = 0) => {
    const f = valueFor("multiplicative", "lrLambda", lrLambda, group);
    const last = known.get(group);
    let { at, product } = last && last.at <= step ? last : { at: 0, product: 1 };
    while (at + 1 <= step) product *= f(++at, group);
    known.set(group, { at, product });
    return base * product;
  };
}
