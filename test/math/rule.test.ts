/** Rules of text in use: what the language means, and that an optimizer cannot tell them from rules of code. */
import { describe, expect, test } from "vitest";
import {
  abs,
  Adam,
  div,
  ema,
  emaSq,
  gt,
  max,
  mul,
  neg,
  norm,
  Optimizer,
  optimizerClass,
  OptionError,
  parameter,
  pow,
  rule,
  sqrt,
  sub,
  where,
  type HyperDefaults,
  type Parameter,
  type Rule,
  type RuleSpec,
} from "../../src/index.ts";
import { printProgram } from "../../src/ir/print.ts";
import { programOf } from "../../src/ir/program.ts";
import { Trace } from "../../src/ir/trace.ts";
import * as formulas from "../../src/math/formulas/index.ts";
import { parseRule, type ParseOptions } from "../../src/math/index.ts";
import { ways } from "../helpers/backends.ts";
import { noisyParameters, setNoisyGrads } from "../helpers/rules.ts";
import { record, type TraceOptions } from "../helpers/trace.ts";

function train(optimizer: { step(): unknown; stateDict(): unknown }, all: Parameter[]) {
  for (let step = 1; step <= 12; step++) {
    setNoisyGrads(all, step);
    optimizer.step();
  }
  return { data: all.map(({ data }) => [...data]), dict: optimizer.stateDict() };
}

describe.each(["float32", "float64"] as const)("Adam, typed, in %s", (dtype) => {
  test.each(ways)("is Adam bit for bit, state dict and all: $name", (way) => {
    const Typed = optimizerClass(parseRule(formulas.Adam));
    const options = { lr: 0.01, weightDecay: 0.1, amsgrad: true, ...way.options };
    const [a, b] = [noisyParameters([5, 64, 3], dtype), noisyParameters([5, 64, 3], dtype)];
    const ours = train(new Typed(a, options as object), a);
    expect(ours).toEqual(train(new Adam(b, options), b));
    expect(Typed.name).toBe("Adam");
  });
});

/** The operations and numbers that a rule writes. */
function written(made: Rule, options: TraceOptions = {}) {
  const trace = record(new Trace(made.name, made.slots), made, made.hyper, options);
  const uniforms = trace.uniforms.slice(0, trace.uniformCount);
  return { program: printProgram(programOf(trace, { flush: false })), uniforms };
}

const hyper = { lr: 1e-3, b1: 0.9, b2: 0.999, eps: 1e-8 };
type Step = RuleSpec<typeof hyper, "m" | "v">["step"];
const code = (step: Step) =>
  rule<typeof hyper, "m" | "v">({
    name: "R",
    hyper,
    state: ["m", "v"],
    step,
  }) as unknown as Rule<HyperDefaults>;
const text = (lines: string) =>
  parseRule(`state m, v\n${lines}\nm = m\nv = v`, { name: "R", hyper });

const meanings: Record<string, { lines: string; step: Step; at?: TraceOptions }> = {
  "a number stands behind its tensor": {
    lines: "p = 2 + 3 * g",
    step: ({ g, m, v }) => ({ p: g.mul(3).add(2), m, v }),
  },
  "but in front where order counts": {
    lines: "p = (1 - g) + 2 / g",
    step: ({ g, m, v }) => ({ p: sub(1, g).add(div(2, g)), m, v }),
  },
  "and where a word says so": {
    lines: "p = mul(2, g)",
    step: ({ g, m, v }) => ({ p: mul(2, g), m, v }),
  },
  "signs bind as in mathematics": {
    lines: "p = p - lr * g / m * v^2 + -g^2",
    step: ({ p, g, m, v }, { lr }) => ({
      p: p.sub(g.mul(lr).div(m).mul(v.mul(v))).add(neg(g.mul(g))),
      m,
      v,
    }),
  },
  "powers of tensors are products": {
    lines: "p = g^5 * g^1",
    step: ({ g, m, v }) => ({ p: g.mul(g.mul(g).mul(g.mul(g))).mul(g), m, v }),
  },
  "whole powers of numbers are products": {
    lines: "p = g * (1 - b2^t) * b1^(2*t + 1) * b1^-2",
    step: ({ g, m, v }, { b1, b2, t }) => ({
      p: g
        .mul(1 - pow(b2, t))
        .mul(pow(b1, 2 * t + 1))
        .mul(1 / pow(b1, 2)),
      m,
      v,
    }),
    at: { t: 300 },
  },
  "other powers are the engine's": {
    lines: "p = g * 0.96^(t * b1) * t^-0.8",
    step: ({ g, m, v }, { b1, t }) => ({ p: g.mul(0.96 ** (t * b1)).mul(t ** -0.8), m, v }),
    at: { t: 10 },
  },
  "x^y^z is x^(y^z)": {
    lines: "p = 2^3^2 * g",
    step: ({ g, m, v }) => ({ p: g.mul(512), m, v }),
  },
  averages: {
    lines: "m = ema(m, g, b1)\nv = emaSq(v, g, b2)\np = p - m / sqrt(v)",
    step: ({ p, g, m, v }, { b1, b2 }) => {
      const [mean, square] = [ema(m, g, b1), emaSq(v, g, b2)];
      return { p: p.sub(mean.div(sqrt(square))), m: mean, v: square };
    },
  },
  "a choice between tensors is where": {
    lines: "p = p - (g if g > m else 0)",
    step: ({ p, g, m, v }) => ({ p: p.sub(where(gt(g, m), g, 0)), m, v }),
  },
  "scalars choose scalars": {
    lines: "p = p - (1 if norm(g) > 1 else 2) * g",
    step: ({ p, g, m, v }) => ({ p: p.sub(where(gt(norm(g), 1), 1, 2).mul(g)), m, v }),
  },
  "numbers are the host's": {
    lines:
      "a = min(max(lr, 2), 3) + abs(-1) + sqrt(4) + floor(2.5) + exp(0) + log(1) + cos(0)\np = a * g",
    step: ({ g, m, v }) => ({ p: g.mul(2 + 1 + 2 + 2 + 1 + 0 + 1), m, v }),
  },
  "float32 rounds": {
    lines: "p = float32(b1) * g",
    step: ({ g, m, v }, { b1 }) => ({ p: g.mul(Math.fround(b1)), m, v }),
  },
  "the host chooses by conditions": {
    lines: `
if t > 2 and not (lr == 0 or b1 != 0.9):
  if lr >= 1: p = p - g
  elif lr <= 0: p = p + g
  else:
    d = abs(g); e = max(d, eps)
    p = p - e
else: p = g`,
    step: ({ p, g, m, v }, { eps }) => ({ p: p.sub(max(abs(g), eps)), m, v }),
    at: { t: 3 },
  },
  "a bracket goes over lines, a comment to the end of one": {
    lines: "p = p - lr * ( # the step\n   g +\n # more\n m)",
    step: ({ p, g, m, v }, { lr }) => ({ p: p.sub(g.add(m).mul(lr)), m, v }),
  },
  "** is ^": {
    lines: "p = p - lr * g**2",
    step: ({ p, g, m, v }, { lr }) => ({ p: p.sub(g.mul(g).mul(lr)), m, v }),
  },
  "the first step": {
    lines: "m = g if isFresh(m) else ema(m, g, b1)\np = p - m",
    step: ({ p, g, v }) => ({ p: p.sub(g), m: g, v }),
    at: { fresh: true },
  },
};
test.each(Object.entries(meanings))("%s", (_, { lines, step, at }) => {
  expect(written(text(lines), at)).toEqual(written(code(step), at));
});

describe("what a text leaves out", () => {
  const made = parseRule("m = ema(m, g, b1); p = p - lr * m");

  test("customary hyperparameters have their defaults and domains", () => {
    expect(made.hyper).toEqual({ b1: 0.9, lr: 1e-3 });
    const w = parameter([1, 2], { name: "w" });
    expect(() => new Optimizer(made, [w], { b1: 1 })).toThrow(
      "Rule: b1: got 1, expected a finite number in [0, 1).",
    );
    expect(() => new Optimizer(made, [w], { b3: 1 })).toThrow(OptionError);
  });

  test("what is read before it has a value is state", () => {
    expect(made).toMatchObject({ slots: ["p", "g", "m"], stateNames: ["m"], counted: true });
  });

  test("options give a name and other defaults", () => {
    const options: ParseOptions = { name: "Mine", hyper: { lr: 0.5, pair: [1, 2], fast: true } };
    const mine = parseRule("lr = 0.1 in [0, 1]\nif fast: p = p - lr * pair[1] * g", options);
    expect(mine).toMatchObject({ name: "Mine", hyper: { lr: 0.5, pair: [1, 2], fast: true } });
    expect(() => parseRule("lr = 0.1 in [0, 1]; p = p - lr * g", { hyper: { lr: 2 } })).toThrow(
      "Rule, line 1: got 2, expected a finite number in [0, 1].",
    );
    expect(parseRule(formulas.SGD).name).toBe("SGD");
  });

  test("the text is kept, without the indentation that all lines share", () => {
    const kept = parseRule(`
      if lr > 0:
        p = p - lr * g
    `);
    expect(kept.formula).toBe("if lr > 0:\n  p = p - lr * g");
  });
});

/** The parameter and its state after steps with a gradient of 1. */
function after(lines: string, steps: number, options: ParseOptions = {}) {
  const w = parameter(Float64Array.of(0, 0), { name: "w" });
  const optimizer = new Optimizer(parseRule(lines, options), [w], {});
  for (let step = 0; step < steps; step++) {
    w.grad = [1, 1];
    optimizer.step();
  }
  const { slots, numbers } = optimizer.stateDict().state["w"] as never as Record<string, never>;
  return { p: w.data[0], slots, numbers };
}

describe("what is remembered", () => {
  test("state begins with its start value", () => {
    const { p } = after("start = 4\nstate s as sum = start / 2\ns = s + g\np = p - s", 2);
    expect(p).toBe(-(3 + 4));
  });

  test("numbers begin with theirs, or 0, and are kept", () => {
    const lines = "number n as count = 2, k\nn = n * 3; k = k + 1\np = p - n * k * g";
    expect(after(lines, 2).p).toBe(-(6 * 1 + 18 * 2));
  });

  test("state that gets a number holds it everywhere, whatever it held", () => {
    const lines = "state s, n\ns = 3 if t == 2 else s + g / (g - g)\nn = norm(g)\np = p - g * n";
    const w = parameter(Float64Array.of(0, 0), { name: "w" });
    const optimizer = new Optimizer(parseRule(lines), [w], {});
    for (let step = 0; step < 2; step++) {
      w.grad = [1, 1];
      optimizer.step();
    }
    const { state } = JSON.parse(JSON.stringify(optimizer.stateDict())) as { state: unknown };
    expect(JSON.stringify(state)).toContain('{"0":3,"1":3}');
    expect(JSON.stringify(state)).toContain(String(Math.SQRT2));
  });
});
