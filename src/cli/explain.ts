// `downhill explain`: what a rule is and what it becomes.
//
// Everything is read off the rule itself: it is traced once with the given hyperparameters, as the
// optimizer traces it in every step, and the program, the traffic and the generated code follow.

import { printProgram } from "../ir/print.ts";
import { loadMaskOf, planOfRule } from "../ir/rule-plan.ts";
import { lowerLines } from "../backend/lines/lower.ts";
import { lower } from "../backend/wasm/lower.ts";
import { wasmText } from "../backend/wasm/text.ts";
import type { DType, Hyper, HyperDefaults, OptimizerOptions, Rule } from "../index.ts";
import { printRule, texOf } from "../math/index.ts";
import { checkOptions } from "../optim/options.ts";
import { withStorage, type StateOptions } from "../optim/state-storage.ts";
import { catalog, findRule } from "../training/catalog.ts";
import type { OptionValue } from "../training/experiment.ts";
import { shadersOf } from "./shaders.ts";
import { checkHyper, showOptions } from "./usage.ts";

export interface ExplainOptions {
  readonly hyper: Readonly<Record<string, OptionValue>>;
  readonly dtype: DType;
  /** Which step of a parameter is shown, from 1; the first may differ from the others. */
  readonly t: number;
  /** For a parameter without rows and columns; by default for one that has them. */
  readonly vector?: boolean;
  /** What the state is kept in, as optimizers take it. */
  readonly stateDtype?: StateOptions["stateDtype"];
  readonly stateRounding?: StateOptions["stateRounding"];
  /** Whether to show the shaders of a GPU as well. */
  readonly wgsl?: boolean;
  /** Whether to typeset the formula as well. */
  readonly tex?: boolean;
}

/** What is known of a rule with certain hyperparameters. */
export interface Explanation {
  readonly name: string;
  /** What the hyperparameters leave of it. */
  readonly formula: string;
  /** The same for TeX, where it was asked for. */
  readonly tex?: string;
  readonly hyper: Readonly<Record<string, OptionValue>>;
  /** Names in state dicts of the state in use. */
  readonly state: readonly string[];
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  /** Bytes per parameter and step; what rows and columns have counts for nothing. */
  readonly bytes: number;
  /** How often kernels run over the parameters. */
  readonly passes: number;
  readonly ir: string;
  /** Values of the uniforms in this step. */
  readonly uniforms: readonly number[];
  /** One module for each kernel. */
  readonly wasm: readonly string[];
  /** The shaders of a GPU, where they were asked for. */
  readonly wgsl?: readonly string[];
}

/** @param subject a rule, or the name of one. */
export function explain(subject: string | Rule, options: ExplainOptions): Explanation {
  const { stateDtype = "same", stateRounding = "nearest" } = options;
  const given = typeof subject === "string" ? findRule(subject) : subject;
  const rule = withStorage(given, { stateDtype, stateRounding });
  checkHyper(rule, options.hyper);
  const hyper = checkOptions(rule, options.hyper as OptimizerOptions<HyperDefaults>).defaults;
  const { plan, uniforms } = planOfRule(rule, hyper, options);
  const { program } = plan;
  const slotNames = ["p", "g", ...rule.stateNames];
  const named = (mask: number) => slotNames.filter((_, slot) => (mask >> slot) & 1);
  const loads = loadMaskOf(plan);
  const isNarrow = (slot: number) => rule.stateStorage?.slots[slot] === "bfloat16";
  const moved = (mask: number) =>
    slotNames.reduce((sum, _, slot) => sum + ((mask >> slot) & 1) * (isNarrow(slot) ? 0.5 : 1), 0);
  const accesses = plan.lines ? plan.accesses : moved(loads) + moved(plan.storeMask);
  return {
    name: rule.name,
    formula: formulaFor(given, hyper),
    ...(options.tex === true && { tex: texOf(given, { hyper }) }),
    hyper,
    state: named(plan.usedMask & ~3),
    reads: named(loads),
    writes: named(plan.storeMask),
    bytes: accesses * (options.dtype === "float32" ? 4 : 8),
    passes: plan.lines ? plan.stages.filter(({ domain }) => domain === "tensor").length : 1,
    ir: printProgram(program),
    uniforms,
    wasm: plan.stages.map(({ kernel }) => {
      const lowering = kernel.lines ? lowerLines : lower;
      return wasmText(lowering(kernel, options.dtype, true, false), true);
    }),
    ...(options.wgsl === true && { wgsl: shadersOf(plan) }),
  };
}

/** The equations for these hyperparameters; those of rules for matrices say themselves what they do. */
function formulaFor(rule: Rule, hyper: Hyper<HyperDefaults>): string {
  const hasText = !rule.matrices && rule.slotRanks.every((rank) => rank === "tensor");
  return hasText ? printRule(rule, { hyper, declarations: false }) : rule.formula;
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
