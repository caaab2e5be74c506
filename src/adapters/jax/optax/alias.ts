/**
 * Whole optimizers under optax's names, with its options, defaults and formulas. Each is the chain that it is
 * in optax, and runs as one pass over memory.
 */
import { checkNames } from "../../../optim/gradient-source.ts";
import type { ScalarOrSchedule } from "./link.ts";
import {
  directionOptions,
  scaleByAdam,
  scaleByAdamax,
  scaleByLion,
  scaleByRms,
  scaleByRss,
  type ScaleByAdamaxOptions,
  type ScaleByAdamOptions,
  type ScaleByLionOptions,
  type ScaleByRmsOptions,
  type ScaleByRssOptions,
} from "./directions.ts";
import {
  addDecayedWeights,
  identity,
  scaleByLearningRate,
  trace,
  type AddDecayedWeightsOptions,
} from "./links.ts";
import { chain, type Transformation } from "./transformation.ts";

const momentumOptions = ["momentum", "nesterov"];
const decayOptions = ["weightDecay", "mask"];

/** What {@link sgd} takes. */
export interface SgdOptions {
  /** Decay of the momentum; `null` (default) for none. */
  readonly momentum?: number | null;
  readonly nesterov?: boolean;
}

/** Gradient descent: u = -learningRate·g, with {@link trace} before if there is `momentum`. */
export function sgd(learningRate: ScalarOrSchedule, options: SgdOptions = {}): Transformation {
  checkNames("sgd", options, momentumOptions);
  const { momentum = null, ...rest } = options;
  const first = momentum === null ? identity() : trace({ decay: momentum, ...rest });
  return chain(first, scaleByLearningRate(learningRate)).named("sgd");
}

/** Adam: {@link scaleByAdam} with its options, then the learning rate. */
export function adam(
  learningRate: ScalarOrSchedule,
  options: ScaleByAdamOptions = {},
): Transformation {
  return chain(scaleByAdam(options), scaleByLearningRate(learningRate)).named("adam");
}

/** What {@link adamw} and {@link nadamw} take. */
export type AdamWOptions = ScaleByAdamOptions & AddDecayedWeightsOptions;

/**
 * AdamW: u = -learningRate·(Adam's direction + weightDecay·mask·p). `weightDecay` is 1e-4 by default, where
 * the class `AdamW` has PyTorch's 1e-2. Options: those of {@link scaleByAdam} and {@link addDecayedWeights}.
 */
export function adamw(learningRate: ScalarOrSchedule, options: AdamWOptions = {}): Transformation {
  checkNames("adamw", options, [...directionOptions.adam, ...decayOptions]);
  const { weightDecay = 1e-4, mask = null, ...rest } = options;
  return chain(
    scaleByAdam(rest),
    addDecayedWeights({ weightDecay, mask }),
    scaleByLearningRate(learningRate),
  ).named("adamw");
}

/** Adam with Nesterov's momentum: {@link adam} with `nesterov` true. */
export function nadam(
  learningRate: ScalarOrSchedule,
  options: ScaleByAdamOptions = {},
): Transformation {
  return adam(learningRate, { nesterov: true, ...options }).named("nadam");
}

/** AdamW with Nesterov's momentum: {@link adamw} with `nesterov` true. */
export function nadamw(learningRate: ScalarOrSchedule, options: AdamWOptions = {}): Transformation {
  return adamw(learningRate, { nesterov: true, ...options }).named("nadamw");
}

/** Adamax: {@link scaleByAdamax} with its options, then the learning rate. */
export function adamax(
  learningRate: ScalarOrSchedule,
  options: ScaleByAdamaxOptions = {},
): Transformation {
  return chain(scaleByAdamax(options), scaleByLearningRate(learningRate)).named("adamax");
}

/** What {@link rmsprop} takes. */
export type RmsPropOptions = ScaleByRmsOptions & SgdOptions;

/**
 * RMSprop: {@link scaleByRms} with its options, the learning rate, then {@link trace} if there is `momentum`.
 * PyTorch's, with eps outside the root, is `gradientTransformation(RMSprop)`.
 */
export function rmsprop(
  learningRate: ScalarOrSchedule,
  options: RmsPropOptions = {},
): Transformation {
  checkNames("rmsprop", options, [...directionOptions.rms, ...momentumOptions]);
  const { momentum = null, nesterov = false, ...rest } = options;
  const last = momentum === null ? identity() : trace({ decay: momentum, nesterov });
  return chain(scaleByRms(rest), scaleByLearningRate(learningRate), last).named("rmsprop");
}

/** Adagrad: {@link scaleByRss} with its options, then the learning rate. */
export function adagrad(
  learningRate: ScalarOrSchedule,
  options: ScaleByRssOptions = {},
): Transformation {
  return chain(scaleByRss(options), scaleByLearningRate(learningRate)).named("adagrad");
}

/** What {@link lion} takes. */
export type LionOptions = ScaleByLionOptions & AddDecayedWeightsOptions;

/** Lion: u = -learningRate·(Lion's direction + weightDecay·mask·p); `weightDecay` 1e-3 by default. */
export function lion(learningRate: ScalarOrSchedule, options: LionOptions = {}): Transformation {
  checkNames("lion", options, [...directionOptions.lion, ...decayOptions]);
  const { weightDecay = 1e-3, mask = null, ...rest } = options;
  return chain(
    scaleByLion(rest),
    addDecayedWeights({ weightDecay, mask }),
    scaleByLearningRate(learningRate),
  ).named("lion");
}
