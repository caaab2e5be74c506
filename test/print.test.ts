/** What people see who print an optimizer or a parameter, and what they find in its state. */
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { Adam, AdamW, ASGD, NAdam, parameter, RMSprop, SGD } from "../src/index.ts";
import { refusals } from "./helpers/refusals.ts";
import { noisyParameters, ruleCases, setNoisyGrads } from "./helpers/rules.ts";

describe("an optimizer prints", () => {
  test("as in PyTorch: names in alphabetical order, an empty line between groups", () => {
    const [a, b] = [parameter([1]), parameter([1])];
    const groups = [{ params: [a] }, { params: [b], lr: 5 }];
    const optimizer = new Adam(groups, { betas: [0.5, 0.9] });
    expect(`${optimizer}`).toMatchInlineSnapshot(`
      "Adam (
      Parameter Group 0
          amsgrad: false
          betas: [0.5, 0.9]
          decoupledWeightDecay: false
          eps: 1e-8
          lr: 0.001
          maximize: false
          weightDecay: 0

      Parameter Group 1
          amsgrad: false
          betas: [0.5, 0.9]
          decoupledWeightDecay: false
          eps: 1e-8
          lr: 5
          maximize: false
          weightDecay: 0
      )"
    `);
    expect(inspect(optimizer)).toBe(String(optimizer));
  });

  test("numbers, switches and pairs as JavaScript has them, also when they were changed", () => {
    const optimizer = new RMSprop([parameter([1])], { centered: true });
    optimizer.paramGroups[0].lr = 1e-30;
    expect(String(optimizer)).toMatchInlineSnapshot(`
      "RMSprop (
      Parameter Group 0
          alpha: 0.99
          centered: true
          eps: 1e-8
          lr: 1e-30
          maximize: false
          momentum: 0
          weightDecay: 0
      )"
    `);
  });
});

test("a parameter prints what it is, not its numbers", () => {
  const all = [
    parameter({ name: "layer.weight", shape: [784, 128] }),
    parameter([1, 2], { dtype: "float64", requiresGrad: false }),
    parameter(3),
  ];
  expect(all.map(String)).toMatchInlineSnapshot(`
    [
      "Parameter { name: "layer.weight", shape: [784, 128], dtype: "float32", requiresGrad: true }",
      "Parameter { shape: [2], dtype: "float64", requiresGrad: false }",
      "Parameter { shape: [], dtype: "float32", requiresGrad: true }",
    ]
  `);
  expect(inspect(all[0])).toBe(String(all[0]));
  expect(inspect({ all }).length).toBeLessThan(400);
});

describe.each(ruleCases)("the state of $title", ({ create }) => {
  test("is what its state dict says, with live views", () => {
    const [w, still] = noisyParameters([5, 3]);
    const optimizer = create([w, still]);
    setNoisyGrads([w!], 0);
    optimizer.step();
    setNoisyGrads([w!], 1);
    optimizer.step();
    const seen = optimizer.state(w!);
    const { state } = optimizer.stateDict();
    expect(seen).toEqual(state["w0"] ?? {});
    expect(optimizer.state(still!)).toEqual({});
    optimizer.step();
    const after = optimizer.stateDict().state["w0"] ?? {};
    for (const [name, value] of Object.entries(seen)) {
      if (typeof value !== "number") expect(value).toEqual(after[name]);
    }
  });
});

test("the state cannot be extended, and parameters of others are refused", () => {
  const [w, other] = [parameter([1], { name: "w" }), parameter([1], { name: "other" })];
  const optimizer = new SGD([w], { momentum: 0.5 });
  w.grad = [1];
  optimizer.step();
  expect(Object.isFrozen(optimizer.state(w))).toBe(true);
  expect(refusals({ "of another": () => optimizer.state(other) })).toMatchInlineSnapshot(`
    {
      "of another": "ParameterError UNKNOWN_PARAMETER: SGD: state: got a Parameter, expected one of its parameters.",
    }
  `);
});

test("the numbers that rules remember are there as well", () => {
  const w = parameter([1]);
  const optimizers = [new NAdam([w]), new ASGD([w])];
  w.grad = [1];
  for (const optimizer of optimizers) (optimizer as NAdam).step();
  expect(optimizers.map((o) => Object.keys((o as NAdam).state(w)))).toEqual([
    ["step", "mu_product", "exp_avg", "exp_avg_sq"],
    ["step", "eta", "mu", "ax"],
  ]);
});

test("defaults are what the constructor was given over what the rule has, and stay that", () => {
  const optimizer = new AdamW([{ params: [parameter([1])], lr: 5 }], { eps: 0.5 });
  const { defaults } = optimizer;
  optimizer.paramGroups[0].eps = 0.25;
  expect(defaults).toEqual({ ...AdamW.rule.hyper, eps: 0.5 });
  expect(() => Object.assign(defaults, { lr: 1 })).toThrow(TypeError);
  optimizer.addParamGroup({ params: [parameter([2], { name: "late" })] });
  expect(optimizer.paramGroups[1]!.eps).toBe(0.5);
});
