/**
 * The directions of the adaptive optimizers, as optax has them: parts of chains.
 *
 * In every formula g is what comes in and u what goes out; t counts the updates from 1.
 */
import {
  abs,
  ema,
  emaSq,
  gt,
  isFresh,
  max,
  pow,
  sign,
  sq,
  sqrt,
  where,
} from "../../../ir/words.ts";
import { checkNames } from "../../../optim/gradient-source.ts";
import { transformationOf, type Transformation } from "./transformation.ts";

/** @internal The options of directions that whole optimizers take besides their own. */
export const directionOptions = {
  adam: ["b1", "b2", "eps", "epsRoot", "nesterov"],
  rms: ["decay", "eps", "initialScale", "epsInSqrt"],
  lion: ["b1", "b2"],
} as const;

/** What {@link scaleByAdam} takes; its text has the defaults. */
export interface ScaleByAdamOptions {
  readonly b1?: number;
  readonly b2?: number;
  readonly eps?: number;
  readonly epsRoot?: number;
  readonly nesterov?: boolean;
}

/**
 * Adam's direction:
 *
 *     mu ← b1·mu + (1 - b1)·g,   nu ← b2·nu + (1 - b2)·g²,   t = c + 1
 *     u = mu/(1 - b1ᵗ) / (√(nu/(1 - b2ᵗ) + epsRoot) + eps)
 *
 * With `nesterov` the numerator is b1·mu/(1 - b1ᵗ⁺¹) + (1 - b1)·g/(1 - b1ᵗ). Defaults: `b1` 0.9, `b2` 0.999,
 * `eps` 1e-8, `epsRoot` 0, `nesterov` false. Kingma and Ba (2015), https://arxiv.org/abs/1412.6980; Dozat
 * (2016), https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ.
 *
 * @throws {OptionError} from the function that makes it, for an option that is unknown or out of range.
 */
export function scaleByAdam(options: ScaleByAdamOptions = {}): Transformation {
  const owner = "scaleByAdam";
  checkNames(owner, options, directionOptions.adam);
  const { b1 = 0.9, b2 = 0.999, eps = 1e-8, epsRoot = 0, nesterov = false } = options;
  return transformationOf({
    owner,
    numbers: { b1, b2, eps, epsRoot },
    domain: { b1: "[0, 1)", b2: "[0, 1)", eps: "[0, inf)", epsRoot: "[0, inf)" },
    state: ["mu", "nu"],
    step(g, tensors, n) {
      const mu = ema(tensors.mu, g, n.b1);
      const nu = emaSq(tensors.nu, g, n.b2);
      const unbiased = 1 - pow(n.b1, n.t);
      const mean = nesterov
        ? mu.mul(n.b1 / (1 - pow(n.b1, n.t + 1))).add(g.mul((1 - n.b1) / unbiased))
        : mu.mul(1 / unbiased);
      const square = nu.mul(1 / (1 - pow(n.b2, n.t)));
      const root = sqrt(n.epsRoot === 0 ? square : square.add(n.epsRoot));
      return { g: mean.div(root.add(n.eps)), mu, nu };
    },
  });
}

/** What {@link scaleByAdamax} takes; its text has the defaults. */
export interface ScaleByAdamaxOptions {
  readonly b1?: number;
  readonly b2?: number;
  readonly eps?: number;
}

/**
 * Adamax's direction: mu ← b1·mu + (1 - b1)·g, nu ← max(b2·nu, |g| + eps), u = mu/(1 - b1ᵗ)/nu.
 *
 * Defaults: `b1` 0.9, `b2` 0.999, `eps` 1e-8. https://arxiv.org/abs/1412.6980, section 7.1.
 */
export function scaleByAdamax(options: ScaleByAdamaxOptions = {}): Transformation {
  const owner = "scaleByAdamax";
  checkNames(owner, options, ["b1", "b2", "eps"]);
  const { b1 = 0.9, b2 = 0.999, eps = 1e-8 } = options;
  return transformationOf({
    owner,
    numbers: { b1, b2, eps },
    domain: { b1: "[0, 1)", b2: "[0, 1)", eps: "[0, inf)" },
    state: ["mu", "nu"],
    step(g, tensors, n) {
      const mu = ema(tensors.mu, g, n.b1);
      const nu = max(tensors.nu.mul(n.b2), abs(g).add(n.eps));
      return { g: mu.mul(1 / (1 - pow(n.b1, n.t))).div(nu), mu, nu };
    },
  });
}

/** What {@link scaleByRms} takes; its text has the defaults. */
export interface ScaleByRmsOptions {
  readonly decay?: number;
  readonly eps?: number;
  readonly initialScale?: number;
  readonly epsInSqrt?: boolean;
}

/**
 * The gradient over its running root mean square: nu ← decay·nu + (1 - decay)·g², u = g/√(nu + eps), or
 * g/(√nu + eps) if `epsInSqrt` is false.
 *
 * Defaults: `decay` 0.9, `eps` 1e-8, `initialScale` 0 (nu before the first step), `epsInSqrt` true.
 */
export function scaleByRms(options: ScaleByRmsOptions = {}): Transformation {
  const owner = "scaleByRms";
  checkNames(owner, options, directionOptions.rms);
  const { decay = 0.9, eps = 1e-8, initialScale = 0, epsInSqrt = true } = options;
  return transformationOf({
    owner,
    numbers: { decay, eps, initialScale },
    domain: { decay: "[0, 1]", eps: "[0, inf)", initialScale: "[0, inf)" },
    state: ["nu"],
    step(g, tensors, n) {
      const before = n.initialScale !== 0 && isFresh(tensors.nu);
      const fresh = emaSq(tensors.nu, g, n.decay);
      const nu = before ? fresh.add(n.decay * n.initialScale) : fresh;
      return { g: g.div(epsInSqrt ? sqrt(nu.add(n.eps)) : sqrt(nu).add(n.eps)), nu };
    },
  });
}

/** What {@link scaleByRss} takes; its text has the defaults. */
export interface ScaleByRssOptions {
  readonly initialAccumulatorValue?: number;
  readonly eps?: number;
}

/**
 * Adagrad's direction: s ← s + g², u = g/√(s + eps), and 0 where s is 0.
 *
 * Defaults: `initialAccumulatorValue` 0.1 (s before the first step), `eps` 1e-7.
 */
export function scaleByRss(options: ScaleByRssOptions = {}): Transformation {
  const owner = "scaleByRss";
  checkNames(owner, options, ["initialAccumulatorValue", "eps"]);
  const { initialAccumulatorValue = 0.1, eps = 1e-7 } = options;
  return transformationOf({
    owner,
    numbers: { initialAccumulatorValue, eps },
    domain: { initialAccumulatorValue: "[0, inf)", eps: "[0, inf)" },
    state: ["sumOfSquares"],
    step(g, tensors, n) {
      const before = tensors.sumOfSquares;
      const sum = sq(g).add(isFresh(before) ? n.initialAccumulatorValue : before);
      return { g: where(gt(sum, 0), g.div(sqrt(sum.add(n.eps))), 0), sumOfSquares: sum };
    },
  });
}

/** What {@link scaleByLion} takes; its text has the defaults. */
export interface ScaleByLionOptions {
  readonly b1?: number;
  readonly b2?: number;
}

/**
 * Lion's direction: u = sign(b1·mu + (1 - b1)·g), then mu ← b2·mu + (1 - b2)·g.
 *
 * Defaults: `b1` 0.9, `b2` 0.99. Chen et al. (2023), https://arxiv.org/abs/2302.06675.
 */
export function scaleByLion(options: ScaleByLionOptions = {}): Transformation {
  const owner = "scaleByLion";
  checkNames(owner, options, directionOptions.lion);
  const { b1 = 0.9, b2 = 0.99 } = options;
  return transformationOf({
    owner,
    numbers: { b1, b2 },
    domain: { b1: "[0, 1]", b2: "[0, 1]" },
    state: ["mu"],
    step: (g, { mu }, n) => ({ g: sign(ema(mu, g, n.b1)), mu: ema(mu, g, n.b2) }),
  });
}
