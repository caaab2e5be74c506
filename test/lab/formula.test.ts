/** Surfaces from formulas that are typed: their values and slopes, and what is said of those that are none. */
import { describe, expect, test } from "vitest";
import { FormulaError, functions, readFormula } from "../../site/src/race/formula.ts";
import { slopes } from "./helpers.ts";

describe("formulas", () => {
  test.each([
    ["x y", 0.84, [0.7, 1.2]],
    ["2x^2 - -y", 3.58, [4.8, 1]],
    ["abs(x) + sqrt(x^2)", 2.4, [2, 0]],
    ["log(x, 2)", Math.log2(1.2), [1 / (1.2 * Math.LN2), 0]],
    [
      "pow(x, 3) / e^y",
      1.2 ** 3 / Math.exp(0.7),
      [(3 * 1.2 ** 2) / Math.exp(0.7), -(1.2 ** 3) / Math.exp(0.7)],
    ],
    [
      "tan(x) + tanh(y) + sin(1)",
      Math.tan(1.2) + Math.tanh(0.7) + Math.sin(1),
      [1 / Math.cos(1.2) ** 2, 1 / Math.cosh(0.7) ** 2],
    ],
    ["7", 7, [0, 0]],
  ] as const)("%s", (text, value, gradient) => {
    const read = readFormula(text);
    expect(read.value(1.2, 0.7)).toBeCloseTo(value, 12);
    read.gradient(1.2, 0.7).forEach((slope, i) => expect(slope).toBeCloseTo(gradient[i]!, 12));
  });

  test.each(functions)("%s can be typed and has a derivative", (name) => {
    const read = readFormula(`${name}(x / 2)`);
    const [slope] = slopes(read, 0.9, 0);
    expect(read.gradient(0.9, 0)[0]).toBeCloseTo(slope, 8);
  });

  test.each([
    ["", 0, "Type a formula in x and y."],
    ["x + z", 4, "There is no z. A formula may use x, y, pi, tau and e."],
    ["x^2 + foo(y)", 6, "There is no function foo. There are abs,"],
    ["x +", 3, "Unexpected end of expression."],
    ["(x", 2, "Parenthesis ) expected."],
    ["y + sin", 4, "There is no sin. It is a function: write sin(x)."],
    ["x; y", 0, "Expected one formula of numbers, x, y, + - * / ^ and functions."],
    ["[x, y]", 0, "Expected one formula"],
    ["f(x) = x", 0, "Expected one formula"],
    ["x.constructor", 0, "Expected one formula"],
    ["x!", 1, "There is no operator ! here, only + - * / ^."],
    ["x % 2", 2, "There is no operator % here"],
    ["sin(x, y)", 0, "sin takes one number."],
    ['import("x")', 8, "Expected numbers, got x."],
    ["constructor(x)", 0, "There is no function constructor."],
    ["xx + x", 0, "There is no xx."],
  ])("%s is refused at %i", (text, at, message) => {
    let error: unknown;
    try {
      readFormula(text);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(FormulaError);
    expect((error as FormulaError).message).toContain(message);
    expect((error as FormulaError).at).toBe(at);
  });
});
