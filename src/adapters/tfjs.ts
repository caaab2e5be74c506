/**
 * Training TensorFlow.js models with Downhill: an optimizer for `model.compile`, `minimize` and
 * `applyGradients`, in the place of those of `tf.train`.
 *
 * TensorFlow.js comes as an argument, so that it is the copy that the model uses.
 */
import type { Optimizer } from "@tensorflow/tfjs-core";
import { OptionError } from "../errors.ts";
import type { HyperDefaults, Rule } from "../ir/rule.ts";
import { TfOptimizer } from "./tfjs/optimizer.ts";
import type { TfOptions } from "./tfjs/options.ts";
import { checkTf, type Tf } from "./tfjs/tf.ts";

export { isVector } from "./tfjs/groups.ts";
export type { VariableGroup, VariableRule, VariableSelector } from "./tfjs/groups.ts";
export type { VariableGradients } from "./tfjs/moves.ts";
export type { TfOptimizer } from "./tfjs/optimizer.ts";
export type { StepScheduler, TfOptions, VariableGroups } from "./tfjs/options.ts";
export type { InPlace } from "./tfjs/path.ts";
export type { Tf } from "./tfjs/tf.ts";

/** A class such as `AdamW`, or one made by `defineOptimizer`. */
export interface RuleClass<H extends HyperDefaults> {
  readonly rule: Rule<H>;
}

/**
 * An optimizer of TensorFlow.js that goes by a rule of Downhill.
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
  checkTf(tf, "tfOptimizer");
  if (typeof type?.rule?.step !== "function") {
    throw new OptionError("BAD_OPTION", {
      subject: "tfOptimizer: optimizer",
      got: type,
      expected: "a class such as AdamW, with a rule",
    });
  }
  const rule = type.rule as unknown as Rule;
  return new TfOptimizer<H>(tf, rule, options as TfOptions) as TfOptimizer<H> & Optimizer;
}
