/**
 * What a rule becomes in one of its steps, without an optimizer: it is traced as an optimizer traces it,
 * and planned as one kernel where that is possible.
 */
import { Op } from "./op.ts";
import { planOf, type Plan } from "./plan.ts";
import { programOf } from "./program.ts";
import { flushesAt, type Hyper, type HyperDefaults, type Rule, type RuleTensors } from "./rule.ts";
import { Trace } from "./trace.ts";

export interface StepAt {
  readonly dtype: "float32" | "float64";
  /** Which step of a parameter, from 1; the first may differ from the others. */
  readonly t: number;
  /** For a parameter without rows and columns; by default for one that has them. */
  readonly vector?: boolean;
}

export function planOfRule(
  rule: Rule,
  hyper: Hyper<HyperDefaults>,
  { t, dtype, vector = false }: StepAt,
): { plan: Plan; uniforms: number[] } {
  const trace = new Trace(rule.name, rule.slots, rule.slotRanks, rule.stateStorage);
  // What a rule remembers in numbers comes from the steps before.
  let numbers = Object.fromEntries(rule.numberLetters.map((letter) => [letter, 0]));
  for (let step = rule.numberLetters.length > 0 ? 1 : t; step <= t; step++) {
    trace.begin(step === 1 ? -1 : 0, rule.matrices ? [1024, 1024] : null, !vector, dtype);
    const tensors = Object.fromEntries(rule.slots.map((slot, index) => [slot, trace.slot(index)]));
    const outputs: Record<string, unknown> = rule.step(tensors as unknown as RuleTensors<string>, {
      ...hyper,
      ...numbers,
      t: step,
    });
    trace.finish(outputs, false, undefined, step);
    numbers = Object.fromEntries(rule.numberLetters.map((key) => [key, outputs[key] as number]));
  }
  const plan = planOf(programOf(trace, { flush: flushesAt(rule, t) }), true);
  return { plan, uniforms: [...trace.uniforms.subarray(0, trace.uniformCount)] };
}

/** The slots that a plan reads, as bits. */
export function loadMaskOf({ program }: Plan): number {
  return program.nodes.reduce(
    (mask, node) => (node.op === Op.load ? mask | (1 << node.index) : mask),
    0,
  );
}

/** How many of the slots are set in a mask. */
export function countSlots(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}
