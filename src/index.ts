/** Downhill: every optimizer written once, as its equations, and run at memory speed. */
export {
  Adadelta,
  Adafactor,
  Adagrad,
  Adam,
  Adamax,
  AdamW,
  ASGD,
  Muon,
  NAdam,
  RAdam,
  RMSprop,
  Rprop,
  SGD,
  SparseAdam,
} from "./optim/classes.ts";
export { defineOptimizer, optimizerClass, type OptimizerClass } from "./optim/define.ts";
export { type Average, type Swap } from "./optim/average.ts";
export type { AverageOptions } from "./optim/average-options.ts";
export { AveragedModel } from "./optim/averaged-model.ts";
export {
  registerOptimizerStepPostHook,
  registerOptimizerStepPreHook,
  type HookHandle,
  type HookOptions,
  type StateDictFilter,
  type StateDictHook,
  type StepCall,
  type StepPostHook,
  type StepPreHook,
} from "./optim/hooks.ts";
export { CompositeOptimizer, type Members } from "./optim/composite.ts";
export type { OptimizerLike } from "./optim/common.ts";
export { freeze, gradualUnfreezing, unfreeze } from "./optim/freeze.ts";
export {
  groupParams,
  layerwiseLr,
  withoutDecay,
  type Group,
  type Groupable,
  type Grouped,
  type GroupRule,
  type LayerwiseOptions,
} from "./optim/groups.ts";
export { partition, type Selector } from "./optim/select.ts";
export { LBFGS } from "./optim/lbfgs/lbfgs.ts";
export type { LBFGSGroup, LBFGSHyper, LBFGSOptions, LBFGSParams } from "./optim/lbfgs/options.ts";
export { Optimizer } from "./optim/optimizer.ts";
export type {
  OptimizerOptions,
  ParamGroup,
  ParamGroupInput,
  ParamsInput,
  PlanOptions,
  StepOptions,
  StepPolicy,
} from "./optim/options.ts";
export type { StateOptions } from "./optim/state-storage.ts";
export type { LoadOptions, LoadReport, StateMismatch } from "./optim/load.ts";
export { toTorchStateDict } from "./optim/torch/export.ts";
export { fromTorchStateDict } from "./optim/torch/import.ts";
export { fromTorchSchedulerState, type TorchSchedulerState } from "./schedule/torch.ts";
export { TorchTensor, type TorchGroup, type TorchStateDict } from "./optim/torch/layout.ts";
export type { GroupState, ParameterInfo, ParameterState, StateDict } from "./optim/state-dict.ts";
export {
  ConstantLR,
  CosineAnnealingLR,
  CosineAnnealingWarmRestarts,
  CyclicLR,
  ExponentialLR,
  InverseSqrtLR,
  LambdaLR,
  LinearLR,
  MultiplicativeLR,
  MultiStepLR,
  OneCycleLR,
  PolynomialLR,
  StepLR,
  SWALR,
  WarmupCosineLR,
  WarmupStableDecayLR,
} from "./schedule/classes.ts";
export { GroupScheduler } from "./schedule/group-scheduler.ts";
export type { HasParamGroups, SchedulerState } from "./schedule/group-scheduler.ts";
export * as schedule from "./schedule/index.ts";
export { ReduceLROnPlateau } from "./schedule/reduce-on-plateau.ts";
export { ChainedScheduler, Scheduler, SequentialLR } from "./schedule/scheduler.ts";
export type { Schedules } from "./schedule/scheduler.ts";
export type { Curve, Schedule } from "./schedule/schedule.ts";
export * as foreach from "./foreach/index.ts";
export { parameter } from "./memory/create.ts";
export type { Parameter, ParameterOptions } from "./memory/parameter.ts";
export type { CoalescedGradient, SparseGradient } from "./memory/rows.ts";
export type { DType, TypedArray } from "./memory/dtype.ts";
export type { NestedNumbers } from "./memory/shape.ts";
export {
  rule,
  type Choices,
  type Complaint,
  type Hyper,
  type HyperDefaults,
  type Interval,
  type Rule,
  type RuleOutputs,
  type RuleSpec,
  type RuleTensors,
  type SparseSupport,
} from "./ir/rule.ts";
export type {
  Expr,
  Mask,
  Operand,
  PerColumn,
  PerMatrix,
  PerRow,
  Scalar,
  Tensor,
} from "./ir/expr.ts";
export { columnsOf, isMatrix, rowsOf } from "./ir/shape-words.ts";
export { columnMean, columnSum, rowMean, rowSum } from "./backend/lines/words.ts";
export {
  abs,
  add,
  clamp,
  div,
  dot,
  ema,
  emaSq,
  eq,
  fma,
  ge,
  gt,
  isFresh,
  le,
  lerp,
  lt,
  machineEpsilon,
  max,
  maxAbs,
  mean,
  min,
  mul,
  neg,
  norm,
  pow,
  sign,
  sizeOf,
  sq,
  sqrt,
  sub,
  sum,
  where,
} from "./ir/words.ts";
export { orthogonalize, type OrthogonalizeOptions } from "./backend/matrix/orthogonalize.ts";
export { adafactor } from "./rules/adafactor.ts";
export { adadelta } from "./rules/adadelta.ts";
export { adagrad } from "./rules/adagrad.ts";
export { adam, adamw } from "./rules/adam.ts";
export { adamax } from "./rules/adamax.ts";
export { asgd } from "./rules/asgd.ts";
export { muon } from "./rules/muon.ts";
export { getEmaAvgFn, getSwaAvgFn, type AvgFn } from "./rules/average.ts";
export { nadam } from "./rules/nadam.ts";
export { radam } from "./rules/radam.ts";
export { rmsprop } from "./rules/rmsprop.ts";
export { rprop } from "./rules/rprop.ts";
export { sgd } from "./rules/sgd.ts";
export { sparseAdam } from "./rules/sparse-adam.ts";
export type { Backend, BoundKernel, Kernel } from "./backend/backend.ts";
export type { KernelIr } from "./ir/plan.ts";
export type { Arena } from "./memory/arena.ts";
export type { BackendName } from "./backend/select.ts";
export {
  AverageError,
  BackendError,
  CallError,
  CheckpointError,
  DownhillError,
  GradientError,
  OptionError,
  ParameterError,
  RuleError,
  StateDictError,
} from "./errors.ts";
export { GradAccumulator, type GradAccumulatorState } from "./optim/accumulate.ts";
export {
  clipGradNorm,
  clipGradsWithNorm,
  clipGradValue,
  getTotalNorm,
  scaleGrads,
  type ClipNormOptions,
  type NormOptions,
} from "./optim/clip.ts";
export { GradScaler, type GradScalerOptions, type GradScalerState } from "./optim/grad-scaler.ts";
export type { GradientSource, OptimizerGroup } from "./optim/gradient-source.ts";
export type { NonFinite } from "./optim/non-finite.ts";
