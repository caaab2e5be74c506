// From an optimizer's name to something that trains a network: most are rules and work on every
// parameter; L-BFGS is none, and takes a loss and its gradient several times within a step.

import {
  LBFGS,
  Optimizer,
  type HyperDefaults,
  type LBFGSOptions,
  type OptimizerOptions,
  type Parameter,
  type PlanOptions,
} from "../index.ts";
import { findRule } from "./catalog.ts";
import type { OptimizerChoice } from "./optimizers.ts";

/** What training needs of an optimizer. */
export interface Trainer {
  readonly backend: string;
  zeroGrad(): void;
  /** Updates all parameters; `evaluate` fills their gradients and returns the loss. */
  step(evaluate: () => number): number;
}

/** @throws {UsageError} for an unknown class; {OptionError} for wrong options. */
export function createOptimizer(
  { torchClass, options }: OptimizerChoice,
  parameters: readonly Parameter[],
  plan: PlanOptions,
): Trainer {
  if (torchClass === "LBFGS") {
    const { backend = "auto" } = plan;
    return new LBFGS(parameters, { ...options, backend } as LBFGSOptions);
  }
  const all = { ...options, ...plan } as OptimizerOptions<HyperDefaults>;
  return new Optimizer(findRule(torchClass), parameters, all);
}
