/** From a rule with options to its tape, program and plan, as the optimizer makes them. */
import { planOf, type Plan } from "../../src/ir/plan.ts";
import { programOf, type Program } from "../../src/ir/program.ts";
import { rule, type Rule, type RuleSpec } from "../../src/ir/rule.ts";
import { Trace } from "../../src/ir/trace.ts";

export interface TraceOptions {
  readonly flush?: boolean;
  /** Whether the state has never been written. */
  readonly fresh?: boolean;
  readonly t?: number;
  /** Whether the parameter has rows and columns. */
  readonly matrix?: boolean;
}

type Step = (tensors: never, numbers: never) => Readonly<Record<string, unknown>>;

/** Lets a rule write itself onto a trace. */
export function record(
  trace: Trace,
  { step, numberLetters = [] }: { readonly step: Step; readonly numberLetters?: readonly string[] },
  hyper: object,
  { fresh = false, t = 1, matrix = true }: TraceOptions = {},
): Trace {
  trace.begin(fresh ? -1 : 0, matrix ? [32, 32] : null);
  const tensors = Object.fromEntries(trace.slots.map((slot, index) => [slot, trace.slot(index)]));
  const numbers = Object.fromEntries(numberLetters.map((letter) => [letter, 0.5]));
  trace.finish(step(tensors as never, { ...hyper, ...numbers, t } as never));
  return trace;
}

export function programFor(made: Rule, hyper: object, options: TraceOptions = {}): Program {
  const trace = record(
    new Trace(made.name, made.slots, made.slotRanks, made.stateStorage),
    made,
    { ...made.hyper, ...hyper },
    options,
  );
  return programOf(trace, { flush: options.flush ?? true });
}

export function planFor(made: Rule, hyper: object, fuse: boolean, options?: TraceOptions): Plan {
  return planOf(programFor(made, hyper, options), fuse);
}

/** A rule of no hyperparameters over the state a and b. */
export function ruleOfStep(step: RuleSpec<Record<never, number>, "a" | "b">["step"]): Rule {
  return rule({ name: "R", hyper: {}, state: ["a", "b"], step });
}
