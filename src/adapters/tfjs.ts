/**
 * Training TensorFlow.js models with Downhill: optimizers for `model.compile`, `minimize` and
 * `applyGradients`, in the place of those of `tf.train`.
 *
 * TensorFlow.js comes as an argument, so that it is the copy that the model uses.
 */
import type { Optimizer } from "@tensorflow/tfjs-core";
import { OptionError } from "../errors.ts";
import type { HyperDefaults, Rule } from "../ir/rule.ts";
import { registerComposite, TfComposite, type TfMembers } from "./tfjs/composite.ts";
import type { LBFGSOptions } from "../optim/lbfgs/options.ts";
import { classNameOf, fromConfig, registerClass } from "./tfjs/config.ts";
import { registerLBFGSClass, TfLBFGS } from "./tfjs/lbfgs.ts";
import { TfOptimizer } from "./tfjs/optimizer.ts";
import { readOptions, type TfOptions } from "./tfjs/options.ts";
import { checkTf, type Tf } from "./tfjs/tf.ts";

export type { TfComposite, TfMember, TfMembers } from "./tfjs/composite.ts";
export { isMatrix, isVector } from "./tfjs/groups.ts";
export type { VariableGroup, VariableRule, VariableSelector } from "./tfjs/groups.ts";
export type { NamedTensor, VariableGradients } from "./tfjs/moves.ts";
export type { TfLBFGS } from "./tfjs/lbfgs.ts";
export type { TfOptimizer } from "./tfjs/optimizer.ts";
export type { StepScheduler, TfOptions, VariableGroups } from "./tfjs/options.ts";
export type { InPlace } from "./tfjs/path.ts";
export type { Tf } from "./tfjs/tf.ts";

/** A class such as `AdamW`, or one made by `defineOptimizer`. */
export interface RuleClass<H extends HyperDefaults> {
  readonly rule: Rule<H>;
}

/**
 * An optimizer of TensorFlow.js that goes by a rule of Downhill. It is registered as
 * {@link registerOptimizer} does it.
 *
 * @param tf TensorFlow.js as imported.
 * @param type a class such as `AdamW`.
 * @param options the optimizer's own options, and {@link TfOptions}.
 * @throws {OptionError} for a wrong or unknown option; {BackendError} `NO_TFJS`.
 *
 * @example
 * const optimizer = tfOptimizer(tf, AdamW, {
 *   lr: 1e-3,
 *   groups: [{ match: isVector, weightDecay: 0 }],
 *   clipGradNorm: 1,
 * });
 * model.compile({ optimizer, loss: "meanSquaredError" });
 */
export function tfOptimizer<H extends HyperDefaults>(
  tf: Tf,
  type: RuleClass<H>,
  options: TfOptions<H> = {},
): TfOptimizer<H> & Optimizer {
  const rule = ruleOf("tfOptimizer", tf, type);
  const made = new TfOptimizer<H>(tf, rule, options as TfOptions);
  register(tf, rule, options as TfOptions);
  return made as TfOptimizer<H> & Optimizer;
}

/**
 * Lets `tf.loadLayersModel` find an optimizer that was saved with a model: to be called once for each class,
 * in programs that load before they make such an optimizer themselves.
 *
 * @param options those that are functions, `schedule` and `match` of groups, where there are any: a file does
 *   not hold them. All others come from the file.
 * @throws as {@link tfOptimizer}.
 *
 * @example
 * registerOptimizer(tf, AdamW);
 * const model = await tf.loadLayersModel("file://model/model.json");
 */
export function registerOptimizer<H extends HyperDefaults>(
  tf: Tf,
  type: RuleClass<H>,
  options: TfOptions<H> = {},
): void {
  const rule = ruleOf("registerOptimizer", tf, type);
  readOptions(rule, options as TfOptions);
  register(tf, rule, options as TfOptions);
  registerComposite(tf);
}

/**
 * Several optimizers as one: each variable goes to the first member that matches it. Norms for clipping are
 * those of each member by itself. Members are disposed with it.
 *
 * @throws {OptionError} `BAD_OPTION`; {BackendError} `NO_TFJS`.
 *
 * @example
 * const optimizer = tfComposite(tf, {
 *   muon: { match: isMatrix, optimizer: tfOptimizer(tf, Muon, { lr: 0.02 }) },
 *   adamw: { optimizer: tfOptimizer(tf, AdamW, { lr: 3e-4 }) },
 * });
 */
export function tfComposite<const M extends TfMembers>(
  tf: Tf,
  members: M,
): TfComposite<M> & Optimizer {
  checkTf(tf, "tfComposite");
  const made = new TfComposite<M>(tf, members);
  registerComposite(tf);
  return made as TfComposite<M> & Optimizer;
}

/**
 * L-BFGS for TensorFlow.js: for smooth losses over data that stay the same, as in curve fitting or physics. It
 * evaluates the loss several times in a step, so it has `minimize` and no `applyGradients`; in `model.fit` one
 * batch should be all data, and metrics are left out (their tensors would pile up).
 *
 * @param options those of `LBFGS`; `lineSearchFn: "strong_wolfe"` is recommended.
 * @throws {OptionError}; {BackendError} `NO_TFJS`.
 *
 * @example
 * const optimizer = tfLBFGS(tf, { lineSearchFn: "strong_wolfe" });
 * for (let step = 0; step < 10; step++) optimizer.minimize(loss);
 */
export function tfLBFGS(tf: Tf, options: LBFGSOptions = {}): TfLBFGS & Optimizer {
  registerLBFGS(tf);
  return new TfLBFGS(tf, options) as TfLBFGS & Optimizer;
}

/** As {@link registerOptimizer}, for models that were saved with {@link tfLBFGS}. */
export function registerLBFGS(tf: Tf): void {
  checkTf(tf, "tfLBFGS");
  registerLBFGSClass(tf);
}

function register(tf: Tf, rule: Rule, code: TfOptions): void {
  registerClass(tf, classNameOf(rule.name), (config) => {
    return new TfOptimizer(tf, rule, fromConfig(rule, config, code));
  });
}

function ruleOf(call: string, tf: unknown, type: unknown): Rule {
  checkTf(tf, call);
  const { rule } = Object(type) as { rule?: Rule };
  if (typeof rule?.step === "function") return rule;
  throw new OptionError("BAD_OPTION", {
    subject: `${call}: optimizer`,
    got: type,
    expected: "a class such as AdamW, with a rule",
    advice: "For LBFGS there is tfLBFGS().",
  });
}
