/**
 * Text and code of each rule are the same rule: for every combination of options, in first steps and in
 * later ones, both write the same operations in the same order and the same numbers, to the last bit.
 */
import { describe, expect, test } from "vitest";
import * as downhill from "../../src/index.ts";
import type { HyperDefaults, Rule } from "../../src/index.ts";
import { DownhillError } from "../../src/errors.ts";
import { printProgram } from "../../src/ir/print.ts";
import { programOf } from "../../src/ir/program.ts";
import { Trace } from "../../src/ir/trace.ts";
import * as formulas from "../../src/math/formulas/index.ts";
import { parseRule } from "../../src/math/index.ts";

const texts: Readonly<Record<string, string>> = formulas;

type Hyper = Readonly<Record<string, unknown>>;

/** What each option is set to; all combinations are tried. */
const table: Record<keyof typeof formulas, { rule: unknown; options: Record<string, unknown[]> }> =
  {
    SGD: {
      rule: downhill.sgd,
      options: {
        momentum: [0, 0.9],
        dampening: [0, 0.3],
        weightDecay: [0, 0.1],
        nesterov: [false, true],
        maximize: [false, true],
      },
    },
    RMSprop: {
      rule: downhill.rmsprop,
      options: {
        alpha: [0.99, 0.3],
        weightDecay: [0, 0.1],
        momentum: [0, 0.9],
        centered: [false, true],
        maximize: [false, true],
      },
    },
    Adam: {
      rule: downhill.adam,
      options: {
        lr: [1e-3, 0.1],
        betas: [
          [0.9, 0.999],
          [0.3, 0.6],
        ],
        weightDecay: [0, 0.1],
        amsgrad: [false, true],
        maximize: [false, true],
        decoupledWeightDecay: [false, true],
      },
    },
    AdamW: {
      rule: downhill.adamw,
      options: {
        betas: [
          [0.9, 0.999],
          [0.3, 0.6],
        ],
        weightDecay: [1e-2, 0],
        amsgrad: [false, true],
        maximize: [false, true],
      },
    },
    Adagrad: {
      rule: downhill.adagrad,
      options: {
        lrDecay: [0, 0.1],
        weightDecay: [0, 0.1],
        initialAccumulatorValue: [0, 0.5],
        maximize: [false, true],
      },
    },
    Adadelta: {
      rule: downhill.adadelta,
      options: { rho: [0.9, 0.3], weightDecay: [0, 0.1], maximize: [false, true] },
    },
    Adamax: {
      rule: downhill.adamax,
      options: {
        betas: [
          [0.9, 0.999],
          [0.3, 0.6],
        ],
        weightDecay: [0, 0.1],
        maximize: [false, true],
      },
    },
    NAdam: {
      rule: downhill.nadam,
      options: {
        weightDecay: [0, 0.1],
        momentumDecay: [4e-3, 0.5],
        decoupledWeightDecay: [false, true],
        maximize: [false, true],
      },
    },
    RAdam: {
      rule: downhill.radam,
      options: {
        betas: [
          [0.9, 0.999],
          [0.3, 0.6],
        ],
        weightDecay: [0, 0.1],
        decoupledWeightDecay: [false, true],
        maximize: [false, true],
      },
    },
    ASGD: {
      rule: downhill.asgd,
      options: { t0: [1e6, 2], alpha: [0.75, 2], weightDecay: [0, 0.1], maximize: [false, true] },
    },
    Rprop: {
      rule: downhill.rprop,
      options: {
        etas: [
          [0.5, 1.2],
          [0.1, 3],
        ],
        stepSizes: [
          [1e-6, 50],
          [1e-3, 1],
        ],
        maximize: [false, true],
      },
    },
    SparseAdam: {
      rule: downhill.sparseAdam,
      options: { lr: [1e-3, 0.1], maximize: [false, true] },
    },
  };

function combinations(options: Record<string, unknown[]>): Hyper[] {
  return Object.entries(options).reduce<Hyper[]>(
    (all, [name, values]) =>
      all.flatMap((one) => values.map((value) => ({ ...one, [name]: value }))),
    [{}],
  );
}

/** All that twelve steps write, step by step: the program as it comes and its numbers. */
function stepsOf(made: Rule, hyper: Hyper, dtype: "float32" | "float64") {
  const trace = new Trace(made.name, made.slots, made.slotRanks);
  let numbers: Hyper = {};
  return Array.from({ length: 12 }, (_, step) => {
    const t = step + 1;
    trace.begin(t === 1 ? -1 : 0, null, true, dtype);
    const tensors = Object.fromEntries(made.slots.map((slot, i) => [slot, trace.slot(i)]));
    const given = { ...made.hyper, ...hyper, ...numbers, t };
    const outputs: Hyper = made.step(tensors as never, given as never);
    trace.finish(outputs);
    numbers = Object.fromEntries(made.numberLetters.map((letter) => [letter, outputs[letter]]));
    const program = printProgram(programOf(trace, { flush: t % 2 === 0 }));
    return { program, uniforms: [...trace.uniforms.subarray(0, trace.uniformCount)], numbers };
  });
}

/** What a rule says to values at and beyond the ends of a domain. */
function refusalsOf(made: Rule): string[] {
  const probes = [-Infinity, -1, -1e-300, 0, 1e-300, 0.5, 1, 1 + 1e-15, 2, 1e300, NaN, true, null];
  return made.hyperNames.flatMap((name) =>
    probes.map((probe) => {
      const example = made.hyper[name];
      const value = Array.isArray(example) ? [probe, example[1]] : probe;
      try {
        made.validate({ ...made.hyper, [name]: value });
        return "accepted";
      } catch (error) {
        if (!(error instanceof DownhillError)) throw error;
        return error.code + error.message.replace(/expected (?!a|true).*/, "");
      }
    }),
  );
}

function isAllowed(made: Rule, hyper: Hyper): boolean {
  try {
    made.validate({ ...made.hyper, ...hyper });
    return true;
  } catch {
    return false;
  }
}

describe.each(Object.entries(table))("%s", (name, { rule, options }) => {
  const code = rule as Rule<HyperDefaults>;
  const text = parseRule(texts[name]!);
  const combined = combinations(options);

  test("text declares what code declares", () => {
    const declared = (made: Rule) => ({
      name: made.name,
      hyper: Object.entries(made.hyper),
      hyperNames: made.hyperNames,
      slots: made.slots,
      slotRanks: made.slotRanks,
      stateNames: made.stateNames,
      numberLetters: made.numberLetters,
      numberNames: made.numberNames,
      counted: made.counted,
      matrices: made.matrices,
    });
    expect(declared(text)).toEqual(declared(code));
    expect(refusalsOf(text)).toEqual(refusalsOf(code));
  });

  test("text accepts the combinations of options that code accepts", () => {
    const allowed = (made: Rule) => combined.filter((hyper) => isAllowed(made, hyper));
    expect(allowed(text)).toEqual(allowed(code));
    expect(allowed(code).length).toBeGreaterThan(1);
  });

  test(`text is code for all ${combined.length} combinations of options`, () => {
    for (const hyper of combined.filter((each) => isAllowed(code, each))) {
      for (const dtype of ["float32", "float64"] as const) {
        const [ours, theirs] = [text, code].map((made) => stepsOf(made, hyper, dtype));
        expect(ours, JSON.stringify(hyper)).toEqual(theirs);
      }
    }
  });
});

test("every rule that works element by element has a text", () => {
  const rules = Object.values(downhill).filter((each) => {
    const made = each as Partial<Rule>;
    return typeof made === "object" && made !== null && "slotRanks" in made;
  }) as unknown as Rule[];
  const simple = rules.filter(
    ({ matrices, slotRanks }) => !matrices && slotRanks.every((rank) => rank === "tensor"),
  );
  expect(Object.keys(formulas).toSorted()).toEqual(simple.map(({ name }) => name).toSorted());
});
