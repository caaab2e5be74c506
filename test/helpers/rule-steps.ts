/** What a rule writes, step by step: operations and numbers, apart from how an optimizer runs them. */
import { printProgram } from "../../src/ir/print.ts";
import { programOf } from "../../src/ir/program.ts";
import type { Rule } from "../../src/index.ts";
import { Trace } from "../../src/ir/trace.ts";

export type HyperValues = Readonly<Record<string, unknown>>;

export interface WrittenStep {
  readonly program: string;
  readonly uniforms: readonly number[];
  /** What it remembers in numbers. */
  readonly numbers: HyperValues;
}

/** The first twelve steps, in which state is fresh once and kept out of the subnormal range now and then. */
export function stepsOf(
  made: Rule,
  hyper: HyperValues = {},
  dtype: "float32" | "float64" = "float32",
  count = 12,
): WrittenStep[] {
  const trace = new Trace(made.name, made.slots, made.slotRanks);
  let numbers: HyperValues = Object.fromEntries(made.numberLetters.map((letter) => [letter, 0]));
  return Array.from({ length: count }, (_, index) => {
    const t = index + 1;
    trace.begin(t === 1 ? -1 : 0, null, true, dtype);
    const tensors = Object.fromEntries(made.slots.map((slot, i) => [slot, trace.slot(i)]));
    const given = { ...made.hyper, ...hyper, ...numbers, t };
    const outputs: HyperValues = made.step(tensors as never, given as never);
    trace.finish(outputs);
    numbers = Object.fromEntries(made.numberLetters.map((letter) => [letter, outputs[letter]]));
    const program = printProgram(programOf(trace, { flush: t % 2 === 0 }));
    return { program, uniforms: [...trace.uniforms.subarray(0, trace.uniformCount)], numbers };
  });
}

/** A program with its numbers in it, whatever their order was. */
export function withNumbers({ program, uniforms }: WrittenStep): string {
  return program.replaceAll(/uniform u(\d+)/g, (_, index) => `number ${uniforms[Number(index)]}`);
}

/** All ways to choose one value for each option. */
export function combinations(options: Readonly<Record<string, readonly unknown[]>>): HyperValues[] {
  return Object.entries(options).reduce<HyperValues[]>(
    (all, [name, values]) =>
      all.flatMap((one) => values.map((value) => ({ ...one, [name]: value }))),
    [{}],
  );
}
