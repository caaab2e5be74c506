/**
 * Text and code of each rule are the same rule: for every combination of options, in first steps and in
 * later ones, both write the same operations in the same order and the same numbers, to the last bit.
 */
import { describe, expect, test } from "vitest";
import * as downhill from "../../src/index.ts";
import type { HyperDefaults, Rule } from "../../src/index.ts";
import { DownhillError } from "../../src/errors.ts";
import * as formulas from "../../src/math/formulas/index.ts";
import { parseRule, printRule } from "../../src/math/index.ts";
import { formulaCases } from "../helpers/formula-cases.ts";
import { combinations, stepsOf, withNumbers, type HyperValues } from "../helpers/rule-steps.ts";

const texts: Readonly<Record<string, string>> = formulas;

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

function isAllowed(made: Rule, hyper: HyperValues): boolean {
  try {
    made.validate({ ...made.hyper, ...hyper });
    return true;
  } catch {
    return false;
  }
}

describe.each(Object.entries(formulaCases))("%s", (name, { rule: code, options }) => {
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

  test("printed it is the same text, and with options the same rule", () => {
    const printed = printRule(code);
    expect(printed).toBe(printRule(text));
    expect(printRule(parseRule(printed))).toBe(printed);
    for (const hyper of combined.filter((each) => isAllowed(code, each))) {
      const plain = parseRule(printRule(code, { hyper: hyper as HyperDefaults }));
      const [ours, theirs] = [stepsOf(plain, {}, "float32", 7), stepsOf(code, hyper, "float32", 7)];
      expect(ours.map(withNumbers), JSON.stringify(hyper)).toEqual(theirs.map(withNumbers));
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
