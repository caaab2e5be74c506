/**
 * A rule's printed formula must be what its code computes: the text is evaluated as arithmetic and
 * compared with a step of the optimizer, in float64.
 */
import { describe, expect, test } from "vitest";
import { adam, adamw, Optimizer, parameter, rmsprop, sgd } from "../src/index.ts";
import type { HyperDefaults, OptimizerOptions, Rule } from "../src/index.ts";

const cases = [
  { rule: sgd, letters: ["b"], hyper: {} },
  { rule: sgd, letters: ["b"], hyper: { momentum: 0.9, dampening: 0.3, weightDecay: 0.1 } },
  { rule: rmsprop, letters: ["v", "b"], hyper: {} },
  { rule: rmsprop, letters: ["v", "b"], hyper: { momentum: 0.9, weightDecay: 0.1, eps: 0.1 } },
  { rule: adam, letters: ["m", "v"], hyper: {} },
  { rule: adam, letters: ["m", "v"], hyper: { betas: [0.5, 0.9], weightDecay: 0.1, eps: 0.1 } },
  { rule: adamw, letters: ["m", "v"], hyper: { lr: 0.1, weightDecay: 0.3, eps: 0.1 } },
] as const;

/** Runs the formula on numbers, as JavaScript with ^ for powers. */
function evaluate(formula: string, scope: Record<string, number>): void {
  for (const line of formula.split("\n")) {
    const [target, text] = line.split(" = ") as [string, string];
    const names = Object.keys(scope);
    const body = `return ${text.replaceAll("^", "**").replaceAll("sqrt", "Math.sqrt")}`;
    scope[target] = new Function(...names, body)(...names.map((name) => scope[name])) as number;
  }
}

describe.each(cases)("$rule.name $hyper", ({ rule, letters, hyper }) => {
  test("text and code agree over five steps", () => {
    const w = parameter(Float64Array.of(0.7), { name: "w" });
    const options = hyper as OptimizerOptions<HyperDefaults>;
    const optimizer = new Optimizer(rule as unknown as Rule<HyperDefaults>, [w], options);
    const { betas, ...numbers } = { betas: [0, 0], ...rule.hyper, ...hyper };
    const scope: Record<string, number> = { p: 0.7, b1: betas[0], b2: betas[1] };
    for (const letter of letters) scope[letter] = 0;
    [0.5, -1.5, 0.25, 3, -0.125].forEach((gradient, index) => {
      w.grad = [gradient];
      optimizer.step();
      const isFirst = index === 0 && rule === sgd;
      const damping = isFirst ? { dampening: 0 } : {};
      Object.assign(scope, numbers, damping, { g: gradient, t: index + 1 });
      evaluate(rule.formula, scope);
      expect(Math.abs(w.data[0]! - scope["p"]!)).toBeLessThan(1e-12);
    });
  });
});
