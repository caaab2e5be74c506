// `downhill explain`: rules by their names, hyperparameters as they are typed, and explanations as text.

import { explainRule, type Explanation, type ExplainRuleOptions } from "../explain/explain.ts";
import type { HyperDefaults, OptimizerOptions, Rule } from "../index.ts";
import { catalog, findRule } from "../training/catalog.ts";
import type { OptionValue } from "../training/experiment.ts";
import { checkHyper, showOptions } from "./usage.ts";

export interface ExplainOptions extends Omit<ExplainRuleOptions, "hyper"> {
  readonly hyper: Readonly<Record<string, OptionValue>>;
}

/** @param subject a rule, or the name of one. */
export function explain(subject: string | Rule, options: ExplainOptions): Explanation {
  const rule = typeof subject === "string" ? findRule(subject) : subject;
  checkHyper(rule, options.hyper);
  return explainRule(rule, { ...options, hyper: options.hyper as OptimizerOptions<HyperDefaults> });
}

/** The explanation as text. */
export function explanationText(
  explained: Explanation,
  { dtype, t, stateDtype = "same" }: ExplainOptions,
): string {
  const { name, formula, hyper, state, reads, writes, bytes, passes, ir, uniforms } = explained;
  const { wasm, wgsl = [], tex } = explained;
  const section = (title: string, body: string) => `${title}\n${body.replaceAll(/^(?=.)/gm, "  ")}`;
  const kernels = (language: string, texts: readonly string[]) =>
    texts.map((text, i) =>
      section(`${language}${texts.length > 1 ? `, kernel ${i + 1} of ${texts.length}` : ""}`, text),
    );
  return [
    section(`${name}: the formula`, formula),
    ...(tex === undefined ? [] : [section("TeX", tex)]),
    section("Hyperparameters", showOptions(hyper)),
    section("State", stateText(state, stateDtype)),
    section(
      `Memory traffic: ${bytes} bytes per parameter and step (${dtype}${passes > 1 ? `, ${passes} passes` : ""})`,
      `reads ${reads.join(", ")}; writes ${writes.join(", ")}`,
    ),
    section(`Intermediate representation (step ${t})`, ir),
    section("Uniforms in this step", uniforms.map((u, i) => `u${i} = ${u}`).join("\n")),
    ...kernels("WebAssembly", wasm),
    ...kernels("WGSL", wgsl),
  ].join("\n\n");
}

function stateText(names: readonly string[], dtype: "same" | "bfloat16"): string {
  if (names.length === 0) return "none";
  return names.join(", ") + (dtype === "same" ? "" : ` (${dtype})`);
}

/** A line for each rule: name, bytes per parameter, state, hyperparameters. */
export function ruleList(): Explanation[] {
  return Object.keys(catalog).map((name) => explain(name, { hyper: {}, dtype: "float32", t: 2 }));
}
