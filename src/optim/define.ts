/** From a rule to an optimizer class, in one call. */
import { rule, type Hyper, type HyperDefaults, type Rule, type RuleSpec } from "../ir/rule.ts";
import { Optimizer } from "./optimizer.ts";
import type { OptimizerOptions, ParamsInput } from "./options.ts";

/** A class such as `Adam`, made from a rule. */
export interface OptimizerClass<H extends HyperDefaults> {
  new (params: ParamsInput<H>, options?: OptimizerOptions<H>): Optimizer<H>;
  readonly rule: Rule<H>;
}

/**
 * The class of a rule that has been made already, such as one that was read from text.
 *
 * @example
 * const Momentum = optimizerClass(parseRule("m = ema(m, g, b1); p = p - lr * m"));
 * const optimizer = new Momentum([w], { lr: 1e-2 });
 */
export function optimizerClass<H extends HyperDefaults>(made: Rule<H>): OptimizerClass<H> {
  const cls = class extends Optimizer<H> {
    static readonly rule = made;
    constructor(params: ParamsInput<H>, options: OptimizerOptions<H> = {}) {
      super(made, params, options);
    }
  };
  Object.defineProperty(cls, "name", { value: made.name });
  return cls;
}

/**
 * An optimizer class for your own rule; it gets every backend and plan.
 *
 * @example
 * const SignSGD = defineOptimizer({
 *   name: "SignSGD",
 *   hyper: { lr: 1e-3 },
 *   step: ({ p, g }, { lr }) => ({ p: p.sub(sign(g).mul(lr)) }),
 * });
 * const optimizer = new SignSGD([w], { lr: 1e-2 });
 *
 * @throws as {@link rule} does.
 */
export function defineOptimizer<
  const H extends HyperDefaults,
  S extends string = never,
  N extends string = never,
  R extends string = never,
  C extends string = never,
>(spec: RuleSpec<H, S, N, R, C>): OptimizerClass<Hyper<H>> {
  return optimizerClass(rule(spec));
}
