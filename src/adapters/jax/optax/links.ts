/**
 * The parts of chains: optax's transformations, as equations.
 *
 * In every formula g is what comes in and u what goes out; c counts the updates before this one.
 */
import type { Tensor } from "../../../ir/expr.ts";
import {
  clamp,
  ema,
  emaSq,
  gt,
  isFresh,
  max,
  abs,
  pow,
  sign,
  sq,
  sqrt,
  where,
} from "../../../ir/words.ts";
import type { AnyLink, Link, ScalarOrSchedule } from "./link.ts";
import type { MaskOption } from "./mask.ts";
import { checkNames } from "../../../optim/gradient-source.ts";
import { Transformation } from "./transformation.ts";

/** A link with its types, as a transformation by itself. */
function made<K extends string = never, S extends string = never>(
  spec: Link<K, S>,
  mask: MaskOption = null,
): Transformation {
  return new Transformation([{ kind: "link", link: spec as unknown as AnyLink, mask }]);
}

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
  checkNames(owner, options, ["b1", "b2", "eps", "epsRoot", "nesterov"]);
  const { b1 = 0.9, b2 = 0.999, eps = 1e-8, epsRoot = 0, nesterov = false } = options;
  return made({
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
  return made({
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
  checkNames(owner, options, ["decay", "eps", "initialScale", "epsInSqrt"]);
  const { decay = 0.9, eps = 1e-8, initialScale = 0, epsInSqrt = true } = options;
  return made({
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
  return made({
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
  checkNames(owner, options, ["b1", "b2"]);
  const { b1 = 0.9, b2 = 0.99 } = options;
  return made({
    owner,
    numbers: { b1, b2 },
    domain: { b1: "[0, 1]", b2: "[0, 1]" },
    state: ["mu"],
    step: (g, { mu }, n) => ({ g: sign(ema(mu, g, n.b1)), mu: ema(mu, g, n.b2) }),
  });
}

export interface TraceOptions {
  readonly decay?: number;
  readonly nesterov?: boolean;
}

/** Momentum: trace ← g + decay·trace, u = trace, or g + decay·trace with `nesterov`. Default `decay` 0.9. */
export function trace(options: TraceOptions = {}): Transformation {
  const owner = "trace";
  checkNames(owner, options, ["decay", "nesterov"]);
  const { decay = 0.9, nesterov = false } = options;
  return made({
    owner,
    numbers: { decay },
    state: ["trace"],
    step(g, tensors, n) {
      const sum = g.add(tensors.trace.mul(n.decay));
      return { g: nesterov ? g.add(sum.mul(n.decay)) : sum, trace: sum };
    },
  });
}

export interface AddDecayedWeightsOptions {
  /** A number, or a schedule of it (default 0). */
  readonly weightDecay?: ScalarOrSchedule;
  /**
   * What decays: a tree like the parameters with numbers, booleans or arrays that broadcast to the parameter,
   * or a function that makes one of the parameters; it is called once, by `init`. Arrays stay the caller's.
   */
  readonly mask?: MaskOption;
}

/**
 * u = g + weightDecay·mask·p. `update` needs the parameters then.
 *
 * @throws {OptionError} `BAD_MASK` from `init`, `NO_PARAMS` from `update`.
 */
export function addDecayedWeights(options: AddDecayedWeightsOptions = {}): Transformation {
  const owner = "addDecayedWeights";
  checkNames(owner, options, ["weightDecay", "mask"]);
  const { weightDecay = 0, mask = null } = options;
  const decayed = (g: Tensor, p: Tensor, n: { weightDecay: number; mask: number }) =>
    n.weightDecay * n.mask === 0 ? g : g.add(p.mul(n.weightDecay * n.mask));
  if (mask === null) {
    return made({
      owner,
      numbers: { weightDecay },
      state: [],
      usesParams: true,
      step: (g, { p }, n) => ({ g: decayed(g, p, { weightDecay: n.weightDecay, mask: 1 }) }),
    });
  }
  const spec: Link<"weightDecay" | "mask", "maskValues"> = {
    owner,
    numbers: { weightDecay, mask: 1 },
    state: ["maskValues"],
    usesParams: true,
    step(g, { p, maskValues }, n) {
      const masked = isFresh(maskValues) ? p : p.mul(maskValues);
      return { g: decayed(g, masked, n), maskValues };
    },
  };
  return made(spec, mask);
}

/** u = stepSize·g. */
export function scale(stepSize: number): Transformation {
  return made({
    owner: "scale",
    numbers: { stepSize },
    state: [],
    step: (g, _, n) => ({ g: g.mul(n.stepSize) }),
  });
}

/** u = stepSizeFn(c)·g. The function is called in every update with the number of those before: 0 at first. */
export function scaleBySchedule(stepSizeFn: (count: number) => number): Transformation {
  return made({
    owner: "scaleBySchedule",
    numbers: { stepSize: stepSizeFn },
    state: [],
    step: (g, _, n) => ({ g: g.mul(n.stepSize) }),
  });
}

/**
 * u = -learningRate·g, or learningRate·g if `flipSign` is false; the last part of an optimizer.
 *
 * @param learningRate a number, or a function of how many updates there were before.
 */
export function scaleByLearningRate(
  learningRate: ScalarOrSchedule,
  flipSign = true,
): Transformation {
  const direction = flipSign ? -1 : 1;
  return made({
    owner: "scaleByLearningRate",
    numbers: { learningRate },
    state: [],
    step: (g, _, n) => ({ g: g.mul(direction * n.learningRate) }),
  });
}

/**
 * Scales all gradients together to a norm of `maxNorm` if theirs is not below it: u = g/‖g‖·maxNorm. The norm
 * is added up in float64.
 *
 * @param maxNorm a number > 0.
 */
export function clipByGlobalNorm(maxNorm: number): Transformation {
  return new Transformation([{ kind: "clip", owner: "clipByGlobalNorm", maxNorm }]);
}

/** Clamps every element to [-maxDelta, maxDelta]. */
export function clip(maxDelta: number): Transformation {
  return made({
    owner: "clip",
    numbers: { maxDelta },
    domain: { maxDelta: "[0, inf)" },
    state: [],
    step: (g, _, n) => ({ g: clamp(g, -n.maxDelta, n.maxDelta) }),
  });
}

/** u = g. */
export function identity(): Transformation {
  return made({ owner: "identity", numbers: {}, state: [], step: (g) => ({ g }) });
}

/** u = 0, also where g is infinite or NaN. */
export function setToZero(): Transformation {
  return made({
    owner: "setToZero",
    numbers: {},
    state: [],
    step: (g) => ({ g: where(gt(g, 0), g.mul(0).mul(0), 0) as Tensor }),
  });
}
