/**
 * The words of the rules as numbers: that `pow` is right and has the same bits on every engine, that
 * `lerp` meets both ends, and what the operations make of NaN, infinities and both zeros.
 */
import { describe, expect, test } from "vitest";
import {
  abs,
  clamp,
  fma,
  eq,
  ge,
  gt,
  le,
  lerp,
  lt,
  max,
  maxAbs,
  min,
  neg,
  Optimizer,
  parameter,
  pow,
  sign,
  sqrt,
  sub,
  sum,
  where,
  type Tensor,
} from "../src/index.ts";
import { ways } from "./helpers/backends.ts";
import { ruleOfStep } from "./helpers/trace.ts";

describe("pow", () => {
  test("is exact where it can be", () => {
    expect([pow(2, 0), pow(2, 10), pow(-3, 3), pow(0, 0), pow(0.5, 1074), pow(2, 2000)]).toEqual([
      1,
      1024,
      -27,
      1,
      5e-324,
      Infinity,
    ]);
  });

  test("agrees with Math.pow", () => {
    for (const base of [0.5, 0.9, 0.99, 0.999, 0.9999, -0.9]) {
      for (let t = 0; t <= 2000; t++) {
        const exact = Math.pow(base, t);
        expect(Math.abs(pow(base, t) - exact)).toBeLessThanOrEqual(1e-12 * Math.abs(exact));
      }
    }
    for (const t of [1e5, 2 ** 24, 2 ** 31, 2 ** 53 - 1]) expect(pow(0.9, t)).toBe(0);
  });

  test("has these bits on every engine", () => {
    const ts = [1, 2, 3, 10, 100, 1000, 9999];
    expect(ts.map((t) => [0.9, 0.999].map((b) => pow(b, t)))).toMatchInlineSnapshot(`
      [
        [
          0.9,
          0.999,
        ],
        [
          0.81,
          0.998001,
        ],
        [
          0.7290000000000001,
          0.997002999,
        ],
        [
          0.34867844010000015,
          0.9900448802097483,
        ],
        [
          0.000026561398887587605,
          0.9047921471137097,
        ],
        [
          1.7478712517227353e-46,
          0.36769542477096695,
        ],
        [
          0,
          0.00004521856454159386,
        ],
      ]
    `);
  });
});

/** As often as it takes for whole rounds of vectors and a rest. */
const often = (values: readonly number[]) => Array.from({ length: 4 }, () => values).flat();
const X = often([1, -1, 0, -0, NaN, Infinity, -Infinity, 0.5, 2]);
const none = 0;
const Y = often([0, -0, -0, 0, 1, Infinity, 1, 0.5, NaN]);

/** Words over x and y, and what they are in IEEE arithmetic. */
const words: Record<
  string,
  readonly [(x: Tensor, y: Tensor) => Tensor, (x: number, y: number) => number]
> = {
  min: [(x, y) => min(x, y), Math.min],
  max: [(x, y) => max(x, y), Math.max],
  "max with 0": [(x) => max(x, 0), (x) => Math.max(x, 0)],
  "max with -0": [(x) => max(-0, x), (x) => Math.max(x, -0)],
  "min with 0": [(x) => min(0, x), (x) => Math.min(x, 0)],
  "min with -0": [(x) => min(x, -0), (x) => Math.min(x, -0)],
  "max with NaN": [(x, y) => max(x, sum(y)), () => NaN],
  "min with NaN": [(x, y) => min(sum(y), x), () => NaN],
  "max with infinity": [
    (x, y) => max(x, maxAbs(where(eq(y, y), y, 1))),
    (x) => Math.max(x, Infinity),
  ],
  neg: [(x) => neg(x), (x) => -x],
  abs: [(x) => abs(x), Math.abs],
  sqrt: [(x) => sqrt(x), (x) => Math.fround(Math.sqrt(x))],
  sign: [(x) => sign(x), (x) => Math.sign(x) || 0],
  "sub from 1": [(x) => sub(1, x), (x) => 1 - x],
  fma: [(x, y) => fma(x, y, x), (x, y) => x * y + x],
  clamp: [(x) => clamp(x, -0.5, 1), (x) => Math.min(Math.max(x, -0.5), 1)],
  "lerp at 0": [(x, y) => lerp(x, y, 0), (x, y) => x + Math.fround(y - x) * none],
  "lerp at 1": [(x, y) => lerp(x, y, 1), (x, y) => y - Math.fround(y - x) * none],
  gt: [(x, y) => where(gt(x, y), 1, 2), (x, y) => (x > y ? 1 : 2)],
  ge: [(x, y) => where(ge(x, y), 1, 2), (x, y) => (x >= y ? 1 : 2)],
  lt: [(x, y) => where(lt(x, y), 1, 2), (x, y) => (x < y ? 1 : 2)],
  le: [(x, y) => where(le(x, y), 1, 2), (x, y) => (x <= y ? 1 : 2)],
  eq: [(x, y) => where(eq(x, y), x, y), (x, y) => (x === y ? x : y)],
};

describe.each(Object.entries(words))("%s", (_, [word, meaning]) => {
  test.each(ways)("$name", ({ options }) => {
    const w = parameter(X, { name: "w" });
    const made = ruleOfStep(({ p, g, a, b }) => ({ p: word(p, g), a, b }));
    const optimizer = new Optimizer(made, [w], options as never);
    w.grad = Y;
    optimizer.step();
    expect([...w.data]).toEqual(X.map((x, i) => meaning(x, Y[i]!)));
  });
});
