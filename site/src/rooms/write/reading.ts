/** A text as a rule, or what is wrong with it; and what the rule becomes. */
import type { HyperDefaults, OptimizerOptions, Rule } from "downhill";
import { DownhillError } from "downhill";
import { MathError, parseRule, texOf } from "downhill/math";
import { explainRule, type Explanation } from "../../../../src/explain/explain.ts";
import type { Changes, Field } from "../../ui/hyper.ts";
import { settable } from "../../ui/own-rule.ts";

export type Reading =
  | { readonly rule: Rule; readonly error: null }
  | { readonly rule: null; readonly error: MathError };

export function read(text: string): Reading {
  try {
    return { rule: parseRule(text), error: null };
  } catch (error) {
    if (error instanceof MathError) return { rule: null, error };
    throw error;
  }
}

/** What can be set of the rule of a text, its learning rate aside. */
export function fieldsIn(text: string): readonly Field[] {
  const { rule } = read(text);
  return rule ? settable(rule.hyper).fields : [];
}

/** What a reader has set, as far as the rule has it: an edited text may have lost some. */
export function fitting(rule: Rule, changes: Changes): Changes {
  const { fields, lr } = settable(rule.hyper);
  const has = (name: string): boolean =>
    (name === "lr" && lr !== undefined) || fields.some((field) => field.name === name);
  return Object.fromEntries(Object.entries(changes).filter(([name]) => has(name)));
}

/** What a rule becomes in a step, with the formula for all hyperparameters; or why it does not. */
export type Explained =
  | (Explanation & { readonly refusal: null; readonly general: string })
  | { readonly refusal: string };

export function explain(
  rule: Rule,
  changes: Changes,
  t: number,
  stateDtype: "same" | "bfloat16" = "same",
): Explained {
  const hyper = changes as OptimizerOptions<HyperDefaults>;
  try {
    const options = { hyper, t, stateDtype, dtype: "float32", wgsl: true, tex: true } as const;
    const explained = explainRule(rule, options);
    return { ...explained, refusal: null, general: texOf(rule) };
  } catch (error) {
    if (error instanceof DownhillError) return { refusal: error.message };
    throw error;
  }
}
