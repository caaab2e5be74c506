/**
 * The equations of any rule. A text counts only if it is the rule: for the hyperparameters at hand it must
 * write the same operations and numbers. Otherwise the rule's own program is turned back into equations, so
 * that a printed formula is never another one than what runs.
 */
import { DownhillError } from "../errors.ts";
import { programOf, type Program } from "../ir/program.ts";
import { printProgram } from "../ir/print.ts";
import type { HyperDefaults, HyperValue, Rule } from "../ir/rule.ts";
import { Trace } from "../ir/trace.ts";
import type { RuleTree } from "./ast.ts";
import { decompile } from "./decompile.ts";
import { MathError } from "./errors.ts";
import * as formulas from "./formulas/index.ts";
import { resolve } from "./resolve.ts";
import { parsedOf, parseRule, type Parsed } from "./rule.ts";

/** A rule of any hyperparameters. */
export type AnyRule = Pick<
  Rule,
  | "name"
  | "formula"
  | "slots"
  | "slotRanks"
  | "stateNames"
  | "numberLetters"
  | "counted"
  | "matrices"
> & {
  readonly hyper: HyperDefaults;
  readonly step: unknown;
};

/** For which hyperparameters equations are shown. */
export interface FormulaOptions {
  /**
   * Hyperparameters: the equations are those that hold for them, and for the defaults of those that are
   * not given. Without it they are those of all cases, if the rule has a text.
   */
  readonly hyper?: Readonly<Record<string, HyperValue>>;
}

/** Steps in which text and code are compared: the first ones, and after RAdam's switch. */
const STEPS = [1, 2, 3, 8];

const texts: Readonly<Record<string, string>> = formulas;

/** @throws {MathError} for a text that is no rule. */
export function formulaOf(given: AnyRule | string, { hyper }: FormulaOptions): RuleTree {
  const rule = typeof given === "string" ? parseRule(given) : given;
  const values = { ...rule.hyper, ...hyper };
  const parsed = parsedOf(rule) ?? provenText(rule, values);
  if (!parsed) return decompiled(rule, values);
  return hyper === undefined ? parsed.tree : resolve(parsed.source, parsed.tree, values);
}

/** The text that comes with a rule of code, or with Downhill, if it is that rule. */
function provenText(rule: AnyRule, hyper: HyperDefaults): Parsed | undefined {
  for (const text of [rule.formula, Object.hasOwn(texts, rule.name) ? texts[rule.name]! : ""]) {
    const made = text === "" ? undefined : parsedOrNone(text, rule.name);
    if (made && isSame(made, rule, hyper)) return parsedOf(made);
  }
  return undefined;
}

function parsedOrNone(text: string, name: string): Rule | undefined {
  try {
    return parseRule(text, { name });
  } catch (error) {
    if (error instanceof MathError) return undefined;
    throw error;
  }
}

function isSame(text: Rule, code: AnyRule, hyper: HyperDefaults): boolean {
  const isDeclaredAlike =
    code.slots.join() === text.slots.join() &&
    code.numberLetters.join() === text.numberLetters.join() &&
    Object.keys(code.hyper).toSorted().join() === Object.keys(text.hyper).toSorted().join();
  if (!isDeclaredAlike || code.matrices) return false;
  const theirs = writtenBy(code, hyper);
  try {
    return writtenBy(text, hyper).every((step, i) => step.text === theirs[i]!.text);
  } catch (error) {
    // With these hyperparameters the text cannot run, which the code just has.
    if (error instanceof DownhillError) return false;
    throw error;
  }
}

interface Written {
  readonly text: string;
  readonly program: Program;
  readonly uniforms: Float64Array;
}

/** What a rule writes in some of its steps. */
function writtenBy(rule: AnyRule, hyper: HyperDefaults): Written[] {
  const trace = new Trace(rule.name, rule.slots, rule.slotRanks);
  let numbers: HyperDefaults = Object.fromEntries(rule.numberLetters.map((letter) => [letter, 0]));
  const all: Written[] = [];
  for (let t = 1; t <= STEPS.at(-1)!; t++) {
    trace.begin(t === 1 ? -1 : 0, rule.matrices ? [1024, 1024] : null, true, "float32");
    const tensors = Object.fromEntries(rule.slots.map((slot, i) => [slot, trace.slot(i)]));
    const step = rule.step as (tensors: object, hyper: object) => Record<string, unknown>;
    const outputs = step(tensors, { ...hyper, ...numbers, t });
    trace.finish(outputs);
    numbers = Object.fromEntries(
      rule.numberLetters.map((letter) => [letter, outputs[letter] as number]),
    );
    if (!STEPS.includes(t)) continue;
    const program = programOf(trace, { flush: false });
    const uniforms = trace.uniforms.slice(0, trace.uniformCount);
    all.push({ text: `${printProgram(program)}\n${uniforms.join()}`, program, uniforms });
  }
  return all;
}

/** The equations of the second step: in the first one state may begin in another way. */
function decompiled(rule: AnyRule, hyper: HyperDefaults): RuleTree {
  const { program, uniforms } = writtenBy(rule, hyper)[1]!;
  return decompile(rule, program, uniforms);
}
