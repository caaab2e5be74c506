/**
 * From a rule to its program: the operations of every rule, and what the flush pass does to them. They
 * stand here as text, so that a change of a formula or of a pass shows in a review.
 */
import { describe, expect, test } from "vitest";
import { printProgram } from "../src/ir/print.ts";
import type { Rule } from "../src/ir/rule.ts";
import { adam, adamw, ema, rmsprop, sgd } from "../src/index.ts";
import { programFor, ruleOfStep } from "./helpers/trace.ts";

const print = (
  made: typeof adam | typeof adamw | typeof rmsprop | typeof sgd,
  hyper: object,
  options = {},
) => printProgram(programFor(made as unknown as Rule, hyper, options));

describe("the rules as programs", () => {
  test("SGD", () => {
    expect(print(sgd, {})).toMatchInlineSnapshot(`
      "%0 = load p
      %1 = load g
      %2 = uniform u0
      %3 = mul %1, %2
      %4 = sub %0, %3
      store p, %4"
    `);
  });

  test("SGD with momentum, first step: the buffer is the gradient, and needs no flush", () => {
    expect(print(sgd, { momentum: 0.9 }, { fresh: true })).toMatchInlineSnapshot(`
      "%0 = load p
      %1 = load g
      %2 = uniform u0
      %3 = mul %1, %2
      %4 = sub %0, %3
      store p, %4
      store b, %1"
    `);
  });

  test("SGD with everything, later step", () => {
    const options = { momentum: 0.9, nesterov: true, weightDecay: 0.1, maximize: true };
    expect(print(sgd, options)).toMatchInlineSnapshot(`
      "%0 = load p
      %1 = load g
      %2 = neg %1
      %3 = uniform u0
      %4 = mul %0, %3
      %5 = add %2, %4
      %6 = load b
      %7 = uniform u1
      %8 = mul %6, %7
      %9 = add %8, %5
      %10 = flush %9
      %11 = uniform u2
      %12 = mul %10, %11
      %13 = add %5, %12
      %14 = uniform u3
      %15 = mul %13, %14
      %16 = sub %0, %15
      store p, %16
      store b, %10"
    `);
  });

  test("RMSprop", () => {
    expect(print(rmsprop, {})).toMatchInlineSnapshot(`
      "%0 = load p
      %1 = load g
      %2 = load v
      %3 = uniform u0
      %4 = mul %2, %3
      %5 = uniform u1
      %6 = mul %1, %5
      %7 = mul %6, %1
      %8 = add %4, %7
      %9 = flush %8
      %10 = sqrt %9
      %11 = uniform u2
      %12 = add %10, %11
      %13 = div %1, %12
      %14 = uniform u3
      %15 = mul %13, %14
      %16 = sub %0, %15
      store p, %16
      store v, %9"
    `);
  });

  test("RMSprop, centered and with momentum", () => {
    expect(print(rmsprop, { centered: true, momentum: 0.9 })).toMatchInlineSnapshot(`
      "%0 = load p
      %1 = load b
      %2 = uniform u4
      %3 = mul %1, %2
      %4 = load g
      %5 = load v
      %6 = uniform u0
      %7 = mul %5, %6
      %8 = uniform u1
      %9 = mul %4, %8
      %10 = mul %9, %4
      %11 = add %7, %10
      %12 = flush %11
      %13 = load a
      %14 = sub %4, %13
      %15 = uniform u2
      %16 = mul %14, %15
      %17 = add %13, %16
      %18 = flush %17
      %19 = mul %18, %18
      %20 = sub %12, %19
      %21 = sqrt %20
      %22 = uniform u3
      %23 = add %21, %22
      %24 = div %4, %23
      %25 = add %3, %24
      %26 = flush %25
      %27 = uniform u5
      %28 = mul %26, %27
      %29 = sub %0, %28
      store p, %29
      store v, %12
      store b, %26
      store a, %18"
    `);
  });

  test("Adam", () => {
    expect(print(adam, {})).toMatchInlineSnapshot(`
      "%0 = load p
      %1 = load m
      %2 = load g
      %3 = sub %2, %1
      %4 = uniform u0
      %5 = mul %3, %4
      %6 = add %1, %5
      %7 = flush %6
      %8 = load v
      %9 = uniform u1
      %10 = mul %8, %9
      %11 = uniform u2
      %12 = mul %2, %11
      %13 = mul %12, %2
      %14 = add %10, %13
      %15 = flush %14
      %16 = sqrt %15
      %17 = uniform u3
      %18 = mul %16, %17
      %19 = uniform u4
      %20 = add %18, %19
      %21 = div %7, %20
      %22 = uniform u5
      %23 = mul %21, %22
      %24 = sub %0, %23
      store p, %24
      store m, %7
      store v, %15"
    `);
  });

  test("Adam with amsgrad and weight decay, without flush", () => {
    const options = { amsgrad: true, weightDecay: 0.1 };
    expect(print(adam, options, { flush: false })).toMatchInlineSnapshot(`
      "%0 = load p
      %1 = load m
      %2 = load g
      %3 = uniform u0
      %4 = mul %0, %3
      %5 = add %2, %4
      %6 = sub %5, %1
      %7 = uniform u1
      %8 = mul %6, %7
      %9 = add %1, %8
      %10 = load vmax
      %11 = load v
      %12 = uniform u2
      %13 = mul %11, %12
      %14 = uniform u3
      %15 = mul %5, %14
      %16 = mul %15, %5
      %17 = add %13, %16
      %18 = max %10, %17
      %19 = sqrt %18
      %20 = uniform u4
      %21 = mul %19, %20
      %22 = uniform u5
      %23 = add %21, %22
      %24 = div %9, %23
      %25 = uniform u6
      %26 = mul %24, %25
      %27 = sub %0, %26
      store p, %27
      store m, %9
      store v, %17
      store vmax, %18"
    `);
  });

  test("AdamW", () => {
    expect(print(adamw, {})).toMatchInlineSnapshot(`
      "%0 = load p
      %1 = uniform u0
      %2 = mul %0, %1
      %3 = load m
      %4 = load g
      %5 = sub %4, %3
      %6 = uniform u1
      %7 = mul %5, %6
      %8 = add %3, %7
      %9 = flush %8
      %10 = load v
      %11 = uniform u2
      %12 = mul %10, %11
      %13 = uniform u3
      %14 = mul %4, %13
      %15 = mul %14, %4
      %16 = add %12, %15
      %17 = flush %16
      %18 = sqrt %17
      %19 = uniform u4
      %20 = mul %18, %19
      %21 = uniform u5
      %22 = add %20, %21
      %23 = div %9, %22
      %24 = uniform u6
      %25 = mul %23, %24
      %26 = sub %2, %25
      store p, %26
      store m, %9
      store v, %17"
    `);
  });
});

/** The program of a rule over the state a and b. */
const programOfStep = (step: Parameters<typeof ruleOfStep>[0], flush = true): string =>
  printProgram(programFor(ruleOfStep(step), {}, { flush }));

describe("the flush pass", () => {
  test("an average is flushed, and its readers read the flushed value", () => {
    expect(
      programOfStep(({ p, g, a, b }) => {
        const mean = ema(a, g, 0.9);
        return { p: p.sub(mean), a: mean, b };
      }),
    ).toMatchInlineSnapshot(`
      "%0 = load p
      %1 = load a
      %2 = uniform u0
      %3 = mul %1, %2
      %4 = load g
      %5 = uniform u1
      %6 = mul %4, %5
      %7 = add %3, %6
      %8 = flush %7
      %9 = sub %0, %8
      store p, %9
      store a, %8"
    `);
  });

  test("state that is made anew, copied or swapped is not", () => {
    expect(programOfStep(({ p, g, a }) => ({ p, a: g.mul(2), b: a }))).not.toContain("flush");
    expect(programOfStep(({ p, a, b }) => ({ p, a: b, b: a }))).not.toContain("flush");
  });

  test("state that decays by taking turns is flushed once a round", () => {
    expect(programOfStep(({ p, a, b }) => ({ p, a: b, b: a.mul(0.5) }))).toMatchInlineSnapshot(`
      "%0 = load b
      %1 = load a
      %2 = uniform u0
      %3 = mul %1, %2
      %4 = flush %3
      store a, %0
      store b, %4"
    `);
  });

  test("the same value written down twice is one value, flushed for both", () => {
    expect(programOfStep(({ g, a, b }) => ({ p: a.add(g), a: a.add(g), b })))
      .toMatchInlineSnapshot(`
      "%0 = load a
      %1 = load g
      %2 = add %0, %1
      %3 = flush %2
      store p, %3
      store a, %3"
    `);
  });

  test("takes a value with many paths to its slot in its stride", () => {
    const doubled = programOfStep(({ p, a, b }) => {
      let value = a.add(1);
      for (let i = 0; i < 64; i++) value = value.add(value);
      return { p, a: value, b };
    });
    expect(doubled.split("\n").at(-1)).toBe("store a, %67");
  });
});
