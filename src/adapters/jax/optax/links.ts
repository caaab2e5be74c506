/**
 * Simple parts of chains, as optax has them.
 *
 * In every formula g is what comes in and u what goes out; c counts the updates before this one.
 */
import type { Tensor } from "../../../ir/expr.ts";
import { clamp, gt, isFresh, where } from "../../../ir/words.ts";
import { checkNames } from "../../../optim/gradient-source.ts";
import type { Link, ScalarOrSchedule } from "./link.ts";
import type { MaskOption } from "./mask.ts";
import { Transformation, transformationOf } from "./transformation.ts";

/** What {@link trace} takes. */
export interface TraceOptions {
  readonly decay?: number;
  readonly nesterov?: boolean;
}

/** Momentum: trace ← g + decay·trace, u = trace, or g + decay·trace with `nesterov`. Default `decay` 0.9. */
export function trace(options: TraceOptions = {}): Transformation {
  const owner = "trace";
  checkNames(owner, options, ["decay", "nesterov"]);
  const { decay = 0.9, nesterov = false } = options;
  return transformationOf({
    owner,
    numbers: { decay },
    state: ["trace"],
    step(g, tensors, n) {
      const sum = g.add(tensors.trace.mul(n.decay));
      return { g: nesterov ? g.add(sum.mul(n.decay)) : sum, trace: sum };
    },
  });
}

/** What {@link addDecayedWeights} takes. */
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
    return transformationOf({
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
  return transformationOf(spec, mask);
}

/** u = stepSize·g. */
export function scale(stepSize: number): Transformation {
  return transformationOf({
    owner: "scale",
    numbers: { stepSize },
    state: [],
    step: (g, _, n) => ({ g: g.mul(n.stepSize) }),
  });
}

/** u = stepSizeFn(c)·g. The function is called in every update with the number of those before: 0 at first. */
export function scaleBySchedule(stepSizeFn: (count: number) => number): Transformation {
  return transformationOf({
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
  return transformationOf({
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
  const owner = "clipByGlobalNorm";
  return new Transformation([{ kind: "clip", owner, maxNorm }], owner);
}

/** Clamps every element to [-maxDelta, maxDelta]. */
export function clip(maxDelta: number): Transformation {
  return transformationOf({
    owner: "clip",
    numbers: { maxDelta },
    domain: { maxDelta: "[0, inf)" },
    state: [],
    step: (g, _, n) => ({ g: clamp(g, -n.maxDelta, n.maxDelta) }),
  });
}

/** u = g. */
export function identity(): Transformation {
  return transformationOf({ owner: "identity", numbers: {}, state: [], step: (g) => ({ g }) });
}

/** u = 0, also where g is infinite or NaN. */
export function setToZero(): Transformation {
  return transformationOf({
    owner: "setToZero",
    numbers: {},
    state: [],
    step: (g) => ({ g: where(gt(g, 0), g.mul(0).mul(0), 0) as Tensor }),
  });
}
