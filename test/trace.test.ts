/**
 * What a trace records of a rule, and what is refused: rules that are not pure functions of their
 * tensors, with words that say what to write instead, and programs that no trace can make.
 */
import { describe, expect, test } from "vitest";
import { Op } from "../src/ir/op.ts";
import { printProgram } from "../src/ir/print.ts";
import { programOf, type Node, type Program } from "../src/ir/program.ts";
import type { Rule } from "../src/ir/rule.ts";
import { Trace } from "../src/ir/trace.ts";
import { verify } from "../src/ir/verify.ts";
import {
  adam,
  dot,
  gt,
  mean,
  norm,
  Optimizer,
  parameter,
  rmsprop,
  sgd,
  sqrt,
  sum,
  where,
  type Tensor,
} from "../src/index.ts";
import { expectUnchanged } from "./helpers/bits.ts";
import { record, ruleOfStep } from "./helpers/trace.ts";

type AnyRule = typeof adam | typeof rmsprop | typeof sgd;

describe("a trace", () => {
  const twice = (x: number, y: number) =>
    record(
      new Trace("R", ["p", "g"]),
      {
        step: ({ p }: { p: { mul(x: number): { mul(x: number): unknown } } }) => ({
          p: p.mul(x).mul(y),
        }),
      } as never,
      {},
    );

  test("never merges equal numbers: they may differ in the next step", () => {
    expect(printProgram(programOf(twice(2, 2), { flush: false }))).toMatchInlineSnapshot(`
      "%0 = load p
      %1 = uniform u0
      %2 = mul %0, %1
      %3 = uniform u1
      %4 = mul %2, %3
      store p, %4"
    `);
    expect(twice(2, 2).matches(twice(3, 4).tape.slice(0, twice(3, 4).length))).toBe(true);
  });

  test("hands out its numbers in order", () => {
    const trace = twice(3, 4);
    expect(Array.from(trace.uniforms.slice(0, trace.uniformCount))).toEqual([3, 4]);
  });

  const changes: readonly [string, AnyRule, object][] = [
    ["SGD", sgd, { lr: 7, momentum: 0.5, weightDecay: 3, dampening: 0.25 }],
    ["RMSprop", rmsprop, { lr: 7, alpha: 0.1, eps: 1, weightDecay: 3, momentum: 0.5 }],
    ["Adam", adam, { lr: 7, betas: [0.8, 0.1], eps: 1, weightDecay: 3 }],
  ];
  test.each(changes)("%s: other numbers leave the tape as it is", (_, made, hyper) => {
    const start = { weightDecay: 0.1, momentum: 0.9, dampening: 0.5 };
    const { name, slots, hyper: defaults, step } = made as unknown as Rule;
    const trace = record(new Trace(name, slots), { step }, { ...defaults, ...start });
    const tape = trace.tape.slice(0, trace.length);
    const numbers = Array.from(trace.uniforms.slice(0, trace.uniformCount));
    record(trace, { step }, { ...defaults, ...start, ...hyper }, { t: 99 });
    expect(trace.matches(tape)).toBe(true);
    expect(Array.from(trace.uniforms.slice(0, trace.uniformCount))).not.toEqual(numbers);
    record(trace, { step }, { ...defaults, ...start, ...hyper, weightDecay: 0 });
    expect(trace.matches(tape)).toBe(false);
  });
});

describe("a rule that is not a pure function of its tensors", () => {
  type Step = Parameters<typeof ruleOfStep>[0];
  let kept: Tensor | undefined;
  let calls = 0;

  /** What the step says that a rule makes fail, the `at`-th one. */
  function messageOf(step: (...given: Parameters<Step>) => unknown, at = 1): string {
    kept = undefined;
    calls = 0;
    const w = parameter([1, 2, 3], { name: "w" });
    const optimizer = new Optimizer(ruleOfStep(step as Step), [w]);
    w.grad = [1, 1, 1];
    for (let i = 1; i < at; i++) optimizer.step();
    let message = "";
    expectUnchanged(optimizer, [w], () => {
      try {
        optimizer.step();
      } catch (error) {
        message = `${String(error)} (${(error as { code?: string }).code})`;
        throw error;
      }
    });
    return message;
  }

  const foreign = new Trace("another", ["p", "g"]);

  test("is refused by what it does, and nothing has changed", () => {
    expect({
      "multiplies with *": messageOf(({ p, a, b }) => ({
        p: p.mul((p as unknown as number) * 2),
        a,
        b,
      })),
      "compares with >": messageOf(({ p, g, a, b }) => ({ p: p > g ? p : g, a, b })),
      "prints a tensor": messageOf(({ p, a, b }) => ({ p: p.mul(Number(`${p as never}`)), a, b })),
      "keeps a tensor of the last step": messageOf(({ p, a, b }) => {
        const result = p.add(kept ?? 1);
        kept = p;
        return { p: result, a, b };
      }),
      "keeps a result of the last step": messageOf(({ p, a, b }) => {
        const result = p.add(1);
        const output = kept ?? result;
        kept = result;
        return { p: output, a, b };
      }),
      "draws a random number": messageOf(({ p, a, b }) => ({ p: p.mul(Math.random()), a, b })),
      "counts its calls": messageOf(({ p, a, b }) => ({ p: calls++ % 2 ? p : a, a, b })),
      "returns more than there is": messageOf(({ p, g, a, b }) => ({ p, a, b, g })),
      "uses a tensor of another rule": messageOf(({ p, a, b }) => ({
        p: p.add(foreign.slot(0)),
        a,
        b,
      })),
      "forgets a state tensor": messageOf(({ p, a }) => ({ p, a })),
      "forgets the parameter": messageOf(({ a, b }) => ({ a, b })),
      "returns nothing": messageOf(() => undefined),
      "returns a promise": messageOf(async ({ p, a, b }) => ({ p, a, b })),
      "returns a number": messageOf(({ a, b }) => ({ p: 1, a, b })),
      "returns a comparison": messageOf(({ p, g, a, b }) => ({ p: gt(p, g), a, b })),
      "returns a scalar": messageOf(({ p, a, b }) => ({ p: norm(p), a, b })),
      "computes NaN": messageOf(({ p, a, b }) => ({ p: p.mul(2).mul(0 / 0), a, b })),
      "computes infinity, later": messageOf(
        ({ p, a, b }, { t }) => ({ p: p.mul(1 / (3 - t)), a, b }),
        3,
      ),
      "adds undefined": messageOf(({ p, a, b }) => ({ p: p.add(undefined as never), a, b })),
      "adds a comparison": messageOf(({ p, a, b }) => ({ p: p.add(gt(p, 1) as never), a, b })),
      "adds a text": messageOf(({ p, a, b }) => ({ p: p.add("1" as never), a, b })),
      "takes the root of a number": messageOf(({ p, a, b }) => ({
        p: p.add(sqrt(2 as never)),
        a,
        b,
      })),
      "compares two numbers": messageOf(({ p, a, b }) => ({ p: where(gt(1, 2), p, a), a, b })),
      "chooses by a boolean": messageOf(({ p, a, b }) => ({
        p: where(true as never, p, a),
        a,
        b,
      })),
      "chooses by a tensor": messageOf(({ p, a, b }) => ({ p: where(p as never, p, a), a, b })),
      "chooses tensors by scalars": messageOf(({ p, a, b }) => ({
        p: where(gt(norm(p), 1), p, a),
        a,
        b,
      })),
      "sums one number": messageOf(({ p, a, b }) => ({ p: p.mul(sum(mean(p) as never)), a, b })),
      "multiplies a tensor and a scalar by dot": messageOf(({ p, a, b }) => ({
        p: p.mul(dot(p, norm(p) as never)),
        a,
        b,
      })),
      "throws something of its own": messageOf(() => {
        throw new TypeError("mine");
      }),
    }).toMatchInlineSnapshot(`
      {
        "adds a comparison": "RuleError: R: an operand: got a Mask, expected a number, or a tensor or scalar of this rule. (NOT_AN_OPERAND)",
        "adds a text": "RuleError: R: an operand: got "1", expected a number, or a tensor or scalar of this rule. (NOT_AN_OPERAND)",
        "adds undefined": "RuleError: R: an operand: got undefined, expected a number, or a tensor or scalar of this rule. (NOT_AN_OPERAND)",
        "chooses by a boolean": "RuleError: where: got true, expected a comparison such as gt(a, b). A condition over plain numbers is an ordinary if. (NOT_A_CONDITION)",
        "chooses by a tensor": "RuleError: where: got a tensor, expected a comparison such as gt(a, b). A condition over plain numbers is an ordinary if. (NOT_A_CONDITION)",
        "chooses tensors by scalars": "RuleError: R: where: got a comparison of scalars, expected one of tensors, to choose tensors by. Choose between scalars, and multiply: g.mul(where(gt(norm(g), 1), c, 1)). (BAD_PROGRAM)",
        "compares two numbers": "RuleError: gt: got [1, 2], expected at least one tensor or scalar of a rule. Between plain numbers use JavaScript's own operators and Math. (NOT_AN_OPERAND)",
        "compares with >": "RuleError: R: a tensor: got one of JavaScript's operators (such as * or <) on it, expected a method or a function of Downhill. Write a.mul(b) for a * b, sub(1, a) for 1 - a, where(gt(a, b), x, y) for a > b ? x : y. (NOT_A_NUMBER)",
        "computes NaN": "RuleError: R: number 2 of those that meet a tensor in step(): got NaN, expected a finite number. Look at the hyperparameters and at what the rule computes from them. (NOT_FINITE)",
        "computes infinity, later": "RuleError: R: number 1 of those that meet a tensor in step(): got Infinity, expected a finite number. Look at the hyperparameters and at what the rule computes from them. (NOT_FINITE)",
        "counts its calls": "RuleError: R: step(): got something else when it was called again with the same arguments, expected a pure function. Keep what a step must remember in state tensors, and randomness out of it. (IMPURE)",
        "draws a random number": "RuleError: R: step(): got something else when it was called again with the same arguments, expected a pure function. Keep what a step must remember in state tensors, and randomness out of it. (IMPURE)",
        "forgets a state tensor": "RuleError: R: what step() returned for "b": got undefined, expected a tensor. Return every slot, also one that did not change: { p, a, b }. (MISSING_OUTPUT)",
        "forgets the parameter": "RuleError: R: what step() returned for "p": got undefined, expected a tensor. Return every slot, also one that did not change: { p, a, b }. (MISSING_OUTPUT)",
        "keeps a result of the last step": "RuleError: R: an operand: got a tensor of an earlier step or of another rule, expected a tensor of this call. A rule must be pure: keep nothing between calls but what it returns. (STALE_TENSOR)",
        "keeps a tensor of the last step": "RuleError: R: an operand: got a tensor of an earlier step or of another rule, expected a tensor of this call. A rule must be pure: keep nothing between calls but what it returns. (STALE_TENSOR)",
        "multiplies a tensor and a scalar by dot": "RuleError: R: dot: got one number, expected a tensor. (BAD_PROGRAM)",
        "multiplies with *": "RuleError: R: a tensor: got one of JavaScript's operators (such as * or <) on it, expected a method or a function of Downhill. Write a.mul(b) for a * b, sub(1, a) for 1 - a, where(gt(a, b), x, y) for a > b ? x : y. (NOT_A_NUMBER)",
        "prints a tensor": "RuleError: R: a tensor: got one of JavaScript's operators (such as * or <) on it, expected a method or a function of Downhill. Write a.mul(b) for a * b, sub(1, a) for 1 - a, where(gt(a, b), x, y) for a > b ? x : y. (NOT_A_NUMBER)",
        "returns a comparison": "RuleError: R: what step() returned for "p": got a Mask, expected a tensor. Return every slot, also one that did not change: { p, a, b }. (MISSING_OUTPUT)",
        "returns a number": "RuleError: R: what step() returned for "p": got 1, expected a tensor. Return every slot, also one that did not change: { p, a, b }. (MISSING_OUTPUT)",
        "returns a promise": "RuleError: R: what step() returned for "p": got a promise, expected a tensor. step() must not be async. (MISSING_OUTPUT)",
        "returns a scalar": "RuleError: R: p: got one number, expected a tensor. (BAD_PROGRAM)",
        "returns more than there is": "RuleError: R: what step() returned: got "g", expected only p, a, b. (UNKNOWN_OUTPUT)",
        "returns nothing": "RuleError: R: what step() returned for "p": got undefined, expected a tensor. Return every slot, also one that did not change: { p, a, b }. (MISSING_OUTPUT)",
        "sums one number": "RuleError: R: sum: got one number, expected a tensor. (BAD_PROGRAM)",
        "takes the root of a number": "RuleError: sqrt: got 2, expected at least one tensor or scalar of a rule. Between plain numbers use JavaScript's own operators and Math. (NOT_AN_OPERAND)",
        "throws something of its own": "TypeError: mine (undefined)",
        "uses a tensor of another rule": "RuleError: R: an operand: got a tensor of an earlier step or of another rule, expected a tensor of this call. A rule must be pure: keep nothing between calls but what it returns. (STALE_TENSOR)",
      }
    `);
  });

  test("a failing rule may succeed later", () => {
    let broken = true;
    const w = parameter([1, 2], { name: "w" });
    const optimizer = new Optimizer(
      ruleOfStep(({ p, g, a, b }) => ({ p: p.sub(g.mul(broken ? NaN : 1)), a, b })),
      [w],
    );
    w.grad = [1, 1];
    expect(() => optimizer.step()).toThrow("NaN");
    broken = false;
    optimizer.step();
    expect([...w.data]).toEqual([0, 1]);
  });
});

describe("verify refuses what no trace can make", () => {
  const node = (op: Node["op"], args: number[], more: Partial<Node> = {}): Node => ({
    op,
    args,
    index: 0,
    rank: "tensor",
    isMask: false,
    ...more,
  });
  const load = node(Op.load, []);
  const number = node(Op.uniform, [], { rank: "number" });
  const mask = node(Op.gt, [0, 0], { isMask: true });
  const total = node(Op.sum, [0], { rank: "scalar" });
  const scalarMask = node(Op.gt, [1, 1], { rank: "scalar", isMask: true });
  const refusalOf = (nodes: Node[], output: number, results: number[] = []): string => {
    const program: Program = {
      subject: "R",
      slots: ["p"],
      slotRanks: ["tensor"],
      nodes,
      outputs: [output],
      results,
    };
    try {
      verify(program);
      return "accepted";
    } catch (error) {
      return String(error);
    }
  };

  test("in so many words", () => {
    expect({
      "a sound program": refusalOf([load, node(Op.add, [0, 0])], 1),
      "a missing operand": refusalOf([load, node(Op.add, [0])], 1),
      "an operand that comes later": refusalOf([load, node(Op.add, [0, 2]), load], 1),
      "an operand that is not there": refusalOf([load, node(Op.neg, [7])], 1),
      "a comparison for a number": refusalOf([load, mask, node(Op.add, [0, 1])], 2),
      "a number for a comparison": refusalOf([load, node(Op.where, [0, 0, 0])], 1),
      "a sum of one number": refusalOf([load, number, node(Op.sum, [1], { rank: "scalar" })], 0),
      "a scalar condition between tensors": refusalOf(
        [load, total, scalarMask, node(Op.where, [2, 0, 0])],
        3,
      ),
      "a comparison in a slot": refusalOf([load, mask], 1),
      "a scalar in a slot": refusalOf([load, total], 1),
      "an output that is not there": refusalOf([load], 3),
      "a tensor for a result": refusalOf([load], 0, [0]),
      "a result that is not there": refusalOf([load], 0, [9]),
    }).toMatchInlineSnapshot(`
      {
        "a comparison for a number": "RuleError: R: add: got a comparison, expected a number.",
        "a comparison in a slot": "RuleError: R: p: got a comparison, expected a tensor.",
        "a missing operand": "RuleError: R: add: got 1 operands, expected 2.",
        "a number for a comparison": "RuleError: R: where: got a number, expected a comparison.",
        "a result that is not there": "RuleError: R: result %9: got a tensor, expected a scalar.",
        "a scalar condition between tensors": "RuleError: R: where: got a comparison of scalars, expected one of tensors, to choose tensors by. Choose between scalars, and multiply: g.mul(where(gt(norm(g), 1), c, 1)).",
        "a scalar in a slot": "RuleError: R: p: got one number, expected a tensor.",
        "a sound program": "accepted",
        "a sum of one number": "RuleError: R: sum: got one number, expected a tensor.",
        "a tensor for a result": "RuleError: R: result %0: got a tensor, expected a scalar.",
        "an operand that comes later": "RuleError: R: add %1: got operand %2, expected an earlier value.",
        "an operand that is not there": "RuleError: R: neg %1: got operand %7, expected an earlier value.",
        "an output that is not there": "RuleError: R: slot p: got value %3, expected a value of the program.",
      }
    `);
  });
});
