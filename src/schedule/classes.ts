/**
 * The schedulers of `torch.optim.lr_scheduler`, and warm-ups, as classes: each is one of the functions of
 * this folder bound to an optimizer. In the formulas b is a group's base value and e the step.
 */
import { cosineAnnealing, cosineWarmRestarts } from "./cosine.ts";
import type { CosineAnnealingOptions, CosineWarmRestartsOptions } from "./cosine.ts";
import { cyclic, cyclicMomentum, oneCycle, oneCycleMomentum } from "./cycle.ts";
import type { CyclicOptions, OneCycleOptions } from "./cycle.ts";
import {
  constant,
  exponential,
  lambda,
  linear,
  multiplicative,
  multiStepDecay,
  polynomial,
  stepDecay,
} from "./decay.ts";
import type {
  ConstantOptions,
  LambdaOptions,
  LinearOptions,
  MultiStepDecayOptions,
  PolynomialOptions,
  StepDecayOptions,
} from "./decay.ts";
import type { HasParamGroups } from "./group-scheduler.ts";
import { Scheduler } from "./scheduler.ts";
import { swa, type SwaOptions } from "./swa.ts";
import { inverseSqrt, warmupCosine, warmupStableDecay } from "./warmup.ts";
import type {
  InverseSqrtOptions,
  WarmupCosineOptions,
  WarmupStableDecayOptions,
} from "./warmup.ts";

/**
 * Decays by a factor at equal distances: b · gamma^⌊e / stepSize⌋.
 *
 * Options: `stepSize`, `gamma` 0.1. As `torch.optim.lr_scheduler.StepLR`.
 */
export class StepLR extends Scheduler {
  constructor(optimizer: HasParamGroups, options: StepDecayOptions) {
    super(optimizer, { lr: stepDecay(options) }, { name: "StepLR", options });
  }
}

/**
 * Decays by a factor at given steps: b · gamma^(number of milestones ≤ e).
 *
 * Options: `milestones`, `gamma` 0.1. As `torch.optim.lr_scheduler.MultiStepLR`.
 */
export class MultiStepLR extends Scheduler {
  constructor(optimizer: HasParamGroups, options: MultiStepDecayOptions) {
    super(optimizer, { lr: multiStepDecay(options) }, { name: "MultiStepLR", options });
  }
}

/**
 * A smaller (or larger) value for the first steps: b · factor while e < totalIters, then b.
 *
 * Options: `factor` 1/3, `totalIters` 5. As `torch.optim.lr_scheduler.ConstantLR`.
 */
export class ConstantLR extends Scheduler {
  constructor(optimizer: HasParamGroups, options: ConstantOptions = {}) {
    super(optimizer, { lr: constant(options) }, { name: "ConstantLR", options });
  }
}

/**
 * A line: b · (startFactor + (endFactor - startFactor) · min(e, totalIters) / totalIters).
 *
 * Options: `startFactor` 1/3, `endFactor` 1, `totalIters` 5. As `torch.optim.lr_scheduler.LinearLR`; it
 * may start from 0.
 */
export class LinearLR extends Scheduler {
  constructor(optimizer: HasParamGroups, options: LinearOptions = {}) {
    super(optimizer, { lr: linear(options) }, { name: "LinearLR", options });
  }
}

/** Decays in each step: b · gamma^e. Options: `gamma`. As `torch.optim.lr_scheduler.ExponentialLR`. */
export class ExponentialLR extends Scheduler {
  constructor(optimizer: HasParamGroups, options: { readonly gamma: number }) {
    super(optimizer, { lr: exponential(options) }, { name: "ExponentialLR", options });
  }
}

/**
 * Falls to 0: b · (1 - min(e, totalIters) / totalIters)^power.
 *
 * Options: `totalIters` 5, `power` 1. As `torch.optim.lr_scheduler.PolynomialLR`.
 */
export class PolynomialLR extends Scheduler {
  constructor(optimizer: HasParamGroups, options: PolynomialOptions = {}) {
    super(optimizer, { lr: polynomial(options) }, { name: "PolynomialLR", options });
  }
}

/**
 * Half a cosine: etaMin + (b - etaMin) · (1 + cos(π e / tMax)) / 2.
 *
 * Options: `tMax`, `etaMin` 0, `clamp` false. After tMax the value rises again, as that of
 * `torch.optim.lr_scheduler.CosineAnnealingLR` does; with `clamp` it stays at etaMin. Loshchilov and
 * Hutter (2017), https://arxiv.org/abs/1608.03983.
 */
export class CosineAnnealingLR extends Scheduler {
  constructor(optimizer: HasParamGroups, options: CosineAnnealingOptions) {
    super(optimizer, { lr: cosineAnnealing(options) }, { name: "CosineAnnealingLR", options });
  }
}

/**
 * Half a cosine again and again: of t0 steps, then t0 · tMult, then t0 · tMult², …
 *
 * Options: `t0`, `tMult` 1, `etaMin` 0. Epochs may be fractions: `step(epoch + i / batches)`. As
 * `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`; Loshchilov and Hutter (2017),
 * https://arxiv.org/abs/1608.03983.
 */
export class CosineAnnealingWarmRestarts extends Scheduler {
  constructor(optimizer: HasParamGroups, options: CosineWarmRestartsOptions) {
    const name = "CosineAnnealingWarmRestarts";
    super(optimizer, { lr: cosineWarmRestarts(options) }, { name, options });
  }
}

/** b · f(e) with a function of your own. As `torch.optim.lr_scheduler.LambdaLR`. */
export class LambdaLR extends Scheduler {
  constructor(optimizer: HasParamGroups, options: LambdaOptions) {
    super(optimizer, { lr: lambda(options) }, { name: "LambdaLR", options, lists: ["lrLambda"] });
  }
}

/**
 * b · f(1) · f(2) ⋯ f(e) with a function of your own. As `torch.optim.lr_scheduler.MultiplicativeLR`.
 */
export class MultiplicativeLR extends Scheduler {
  constructor(optimizer: HasParamGroups, options: LambdaOptions) {
    super(
      optimizer,
      { lr: multiplicative(options) },
      { name: "MultiplicativeLR", options, lists: ["lrLambda"] },
    );
  }
}

/** What the momentum of cycles is called: `momentum`, or where a group has none the first beta. */
const MOMENTUM = "momentum|betas[0]";

const momenta = ["baseMomentum", "maxMomentum"];

/**
 * Up and down between two bounds again and again, the momentum the other way.
 *
 * Options: `baseLr`, `maxLr`, `stepSizeUp` 2000, `stepSizeDown` as many, `mode` `"triangular"`, `gamma` 1,
 * `scaleFn`, `scaleMode` `"cycle"`, `cycleMomentum` true, `baseMomentum` 0.8, `maxMomentum` 0.9; bounds
 * may be arrays with one for each group. As `torch.optim.lr_scheduler.CyclicLR`; Smith (2017),
 * https://arxiv.org/abs/1506.01186.
 */
export class CyclicLR extends Scheduler {
  constructor(optimizer: HasParamGroups, options: CyclicOptions) {
    const lr = cyclic(options);
    const momentum = options.cycleMomentum === false ? {} : { [MOMENTUM]: cyclicMomentum(options) };
    const lists = ["baseLr", "maxLr", ...momenta];
    super(optimizer, { lr, ...momentum }, { name: "CyclicLR", options, lists });
  }
}

/**
 * One cycle for a whole run: up to a high learning rate, then down to almost nothing; the momentum the
 * other way. Step `totalSteps - 1` is the last; the values stay after it.
 *
 * Options: `maxLr`, `totalSteps` (or `epochs` and `stepsPerEpoch`), `pctStart` 0.3, `annealStrategy`
 * `"cos"`, `divFactor` 25, `finalDivFactor` 1e4, `threePhase` false, `cycleMomentum` true, `baseMomentum`
 * 0.85, `maxMomentum` 0.95; bounds may be arrays with one for each group. As
 * `torch.optim.lr_scheduler.OneCycleLR`; Smith and Topin (2018), https://arxiv.org/abs/1708.07120.
 */
export class OneCycleLR extends Scheduler {
  constructor(optimizer: HasParamGroups, options: OneCycleOptions) {
    const lr = oneCycle(options);
    const momentum =
      options.cycleMomentum === false ? {} : { [MOMENTUM]: oneCycleMomentum(options) };
    const lists = ["maxLr", ...momenta];
    super(optimizer, { lr, ...momentum }, { name: "OneCycleLR", options, lists });
  }
}

/**
 * From where the learning rate stands to a constant, for stochastic weight averaging.
 *
 *     b + (swaLr - b) · a(min(1, e / annealEpochs)),   a(q) = (1 - cos πq) / 2, or q
 *
 * Options: `swaLr`, or an array with one for each group; `annealEpochs` 10; `annealStrategy` `"cos"` or
 * `"linear"`. b is what other schedulers of the optimizer make of its base value. As
 * `torch.optim.swa_utils.SWALR`; Izmailov et al. (2018), https://arxiv.org/abs/1803.05407.
 */
export class SWALR extends Scheduler {
  constructor(optimizer: HasParamGroups, options: SwaOptions) {
    super(optimizer, { lr: swa(options) }, { name: "SWALR", options, lists: ["swaLr"] });
  }
}

/**
 * A line from b · startFactor to b, then half a cosine down to etaMin, where it stays.
 *
 * Options: `warmupSteps`, `totalSteps`, `startFactor` 0, `etaMin` 0. What most language models are
 * trained with: Brown et al. (2020), https://arxiv.org/abs/2005.14165.
 */
export class WarmupCosineLR extends Scheduler {
  constructor(optimizer: HasParamGroups, options: WarmupCosineOptions) {
    super(optimizer, { lr: warmupCosine(options) }, { name: "WarmupCosineLR", options });
  }
}

/**
 * Warm-up, stable, decay (WSD): a line up to b, a plateau, a fall at the end.
 *
 * Options: `warmupSteps`, `stableSteps`, `decaySteps`, `startFactor` 0, `endFactor` 0, `decay`
 * `"linear"`, `"cos"` or `"sqrt"` (1 - √q). Hu et al. (2024), https://arxiv.org/abs/2404.06395.
 */
export class WarmupStableDecayLR extends Scheduler {
  constructor(optimizer: HasParamGroups, options: WarmupStableDecayOptions) {
    super(optimizer, { lr: warmupStableDecay(options) }, { name: "WarmupStableDecayLR", options });
  }
}

/**
 * A line up to b, then b · √(timescale / (e - warmupSteps + timescale)).
 *
 * Options: `warmupSteps`, `timescale` as many (10,000 without a warm-up), `startFactor` 0. Vaswani et al.
 * (2017), https://arxiv.org/abs/1706.03762.
 */
export class InverseSqrtLR extends Scheduler {
  constructor(optimizer: HasParamGroups, options: InverseSqrtOptions) {
    super(optimizer, { lr: inverseSqrt(options) }, { name: "InverseSqrtLR", options });
  }
}
