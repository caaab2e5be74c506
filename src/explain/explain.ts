/**
 * What a rule is and what it becomes, for the command line and for pages.
 *
 * Everything is read off the rule itself: it is traced once with the given hyperparameters, as the
 * optimizer traces it in every step, and the program, the traffic and the generated code follow.
 */
import { lowerLines } from "../backend/lines/lower.ts";
import { lower } from "../backend/wasm/lower.ts";
import { wasmText } from "../backend/wasm/text.ts";
import { printProgram } from "../ir/print.ts";
import type { Plan } from "../ir/plan.ts";
import { loadMaskOf, planOfRule, type StepAt } from "../ir/rule-plan.ts";
import type { Hyper, HyperDefaults, Rule } from "../ir/rule.ts";
import { printRule, texOf } from "../math/index.ts";
import { checkOptions, type OptimizerOptions } from "../optim/options.ts";
import { withStorage, type StateOptions } from "../optim/state-storage.ts";
import { shadersOf } from "./shaders.ts";

export interface ExplainRuleOptions extends StepAt, StateOptions {
  /** Hyperparameters that differ from the rule's defaults. */
  readonly hyper?: OptimizerOptions<HyperDefaults>;
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
  readonly hyper: Hyper<HyperDefaults>;
  /** Names in state dicts of the state in use. */
  readonly state: readonly string[];
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  /** Bytes per parameter and step; what rows and columns have counts for nothing. */
  readonly bytes: number;
  /** The same where a tensor is too large for a cache, so that each pass over it reads it anew. */
  readonly bytesUncached: number;
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

/** @throws {OptionError} for hyperparameters that the rule does not take. */
export function explainRule(given: Rule, options: ExplainRuleOptions): Explanation {
  const { dtype, stateDtype = "same", stateRounding = "nearest" } = options;
  const rule = withStorage(given, { stateDtype, stateRounding });
  const hyper = checkOptions(rule, options.hyper ?? {}).defaults;
  const { plan, uniforms } = planOfRule(rule, hyper, options);
  const loads = loadMaskOf(plan);
  const bytesEach = dtype === "float32" ? 4 : 8;
  const slotNames = ["p", "g", ...rule.stateNames];
  const named = (mask: number) => slotNames.filter((_, slot) => (mask >> slot) & 1);
  return {
    name: rule.name,
    formula: formulaFor(given, hyper),
    ...(options.tex === true && { tex: texOf(given, { hyper }) }),
    hyper,
    state: named(plan.usedMask & ~3),
    reads: named(loads),
    writes: named(plan.storeMask),
    bytes: accessesOf(rule, plan, loads) * bytesEach,
    bytesUncached: plan.accesses * bytesEach,
    passes: plan.lines ? plan.stages.filter(({ domain }) => domain === "tensor").length : 1,
    ir: printProgram(plan.program),
    uniforms,
    wasm: plan.stages.map(({ kernel }) => {
      const lowering = kernel.lines ? lowerLines : lower;
      return wasmText(lowering(kernel, dtype, true, false), true);
    }),
    ...(options.wgsl === true && { wgsl: shadersOf(plan) }),
  };
}

/** How many numbers a step reads and writes for each parameter; one of bfloat16 is half of one. */
function accessesOf(rule: Rule, plan: Plan, loads: number): number {
  if (plan.lines) return plan.accesses;
  const isNarrow = (slot: number) => rule.stateStorage?.slots[slot] === "bfloat16";
  const moved = (mask: number) =>
    rule.slots.reduce((sum, _, slot) => sum + ((mask >> slot) & 1) * (isNarrow(slot) ? 0.5 : 1), 0);
  return moved(loads) + moved(plan.storeMask);
}

/** The equations for these hyperparameters; those of rules for matrices say themselves what they do. */
function formulaFor(rule: Rule, hyper: Hyper<HyperDefaults>): string {
  const hasText = !rule.matrices && rule.slotRanks.every((rank) => rank === "tensor");
  return hasText ? printRule(rule, { hyper, declarations: false }) : rule.formula;
}
