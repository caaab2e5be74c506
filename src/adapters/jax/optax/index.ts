/** What optax has, for jax-js: see docs/jax.md. */
export {
  adagrad,
  adam,
  adamax,
  adamw,
  lion,
  nadam,
  nadamw,
  rmsprop,
  sgd,
  type AdamWOptions,
  type LionOptions,
  type RmsPropOptions,
  type SgdOptions,
} from "./alias.ts";
export type { ScalarOrSchedule, Schedule } from "./link.ts";
export {
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
export {
  addDecayedWeights,
  clip,
  clipByGlobalNorm,
  identity,
  scale,
  scaleByLearningRate,
  scaleBySchedule,
  setToZero,
  trace,
  type AddDecayedWeightsOptions,
  type TraceOptions,
} from "./links.ts";
export type { MaskOption, MaskTree } from "./mask.ts";
export { applyUpdates } from "./pending.ts";
export { TransformState, type TransformStateDict } from "./state.ts";
export {
  chain,
  gradientTransformation,
  Transformation,
  type GradientTransformation,
  type OptState,
  type TransformationOptions,
} from "./transformation.ts";
export {
  l2Loss,
  squaredError,
  treeBiasCorrection,
  treeMax,
  treeNorm,
  treeOnesLike,
  treeSum,
  treeUpdateMoment,
  treeZerosLike,
  type NormOrd,
} from "./trees.ts";
