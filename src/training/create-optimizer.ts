// From an optimizer's name to something that trains a network: most are rules and work on every
// parameter; Muon takes matrices only and leaves the others to AdamW; L-BFGS is no rule, and takes a loss
// and its gradient several times within a step.

import {
  CompositeOptimizer,
  LBFGS,
  Optimizer,
  type HyperDefaults,
  type LBFGSOptions,
  type OptimizerOptions,
  type Parameter,
  type PlanOptions,
  type StateDict,
} from "../index.ts";
import { findRule } from "./catalog.ts";
import type { OptimizerChoice } from "./optimizers.ts";

/** What training needs of an optimizer. */
export interface Trainer {
  readonly backend: string;
  zeroGrad(): void;
  /** Updates all parameters; `evaluate` fills their gradients and returns the loss. */
  step(evaluate: () => number): number;
  stateDict(): StateDict;
  loadStateDict(dict: StateDict): unknown;
  /** Lets go of worker threads. */
  dispose?(): void;
}

const byDefault: OptimizerChoice = { torchClass: "AdamW", options: { lr: 1e-3 } };

/** @throws {OptionError} for an unknown class or wrong options. */
export function createOptimizer(
  { torchClass, options, others = byDefault, rule: own }: OptimizerChoice,
  parameters: readonly Parameter[],
  plan: PlanOptions,
): Trainer {
  if (torchClass === "LBFGS" && !own) {
    const { backend = "auto" } = plan;
    return new LBFGS(parameters, { ...options, backend } as LBFGSOptions);
  }
  const rule = own ?? findRule(torchClass);
  const all = { ...options, ...plan } as OptimizerOptions<HyperDefaults>;
  if (!rule.matrices) return new Optimizer(rule, parameters, all);
  const isMatrix = ({ shape }: Parameter) => shape.length === 2;
  const rest = parameters.filter((parameter) => !isMatrix(parameter));
  const matrices = new Optimizer(rule, parameters.filter(isMatrix), all);
  if (rest.length === 0) return matrices;
  const composite = new CompositeOptimizer({
    matrices,
    others: createOptimizer(others, rest, plan) as Optimizer,
  });
  return Object.assign(composite, { backend: matrices.backend });
}
