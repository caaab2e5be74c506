/** Inputs that go wrong in ways of their own: each is refused, or taken, before anything changes. */
import { describe, expect, test } from "vitest";
import { Adam, adam, defineOptimizer, foreach, parameter, rule, SGD } from "../src/index.ts";

test("a number that float32 cannot hold is refused, and float64 takes it", () => {
  const single = parameter([1], { name: "w" });
  const double = parameter([1], { name: "w", dtype: "float64" });
  for (const w of [single, double]) w.grad = [1e-39];
  expect(() => new SGD([single], { lr: 1e39 }).step()).toThrowErrorMatchingInlineSnapshot(
    `[RuleError: SGD: a number that meets a float32 tensor: got 1e+39, expected one that float32 can hold, up to 3.4e38. Look at the hyperparameters, or use float64.]`,
  );
  expect(single.data[0]).toBe(1);
  new SGD([double], { lr: 1e39 }).step();
  expect(double.data[0]).toBeCloseTo(0, 12);
});

test("parameters whose memory was transferred away are refused, and the others stay where they are", () => {
  const [a, b] = [parameter([1], { name: "a" }), parameter([2], { name: "b" })];
  structuredClone(b.data.buffer, { transfer: [b.data.buffer as ArrayBuffer] });
  const view = a.data;
  expect(() => new Adam([a, b])).toThrowErrorMatchingInlineSnapshot(
    `[ParameterError: parameter "b": got no values: their memory was transferred away, expected 1 elements. Copy what you send elsewhere: w.data.slice().]`,
  );
  expect([...view]).toEqual([1]);
});

test("a state dict of proxies, as reactive frameworks make them, loads whole", () => {
  const w = parameter([1], { name: "w" });
  const optimizer = new Adam([w]);
  const dict = optimizer.stateDict();
  const [group] = dict.paramGroups as unknown as [Record<string, unknown>];
  group["betas"] = new Proxy([0.5, 0.75], {});
  optimizer.loadStateDict(dict);
  expect(optimizer.paramGroups[0].betas).toEqual([0.5, 0.75]);
  optimizer.paramGroups[0].betas = new Proxy([0.25, 0.5], {}) as unknown as [number, number];
  expect(structuredClone(optimizer.stateDict()).paramGroups[0]!["betas"]).toEqual([0.25, 0.5]);
});

describe("a rule's defaults", () => {
  test("cannot be changed from outside", () => {
    const hyper = { lr: 0.5, betas: [0.5, 0.5] as [number, number] };
    const made = rule({ name: "R", hyper, step: ({ p }) => ({ p }) });
    hyper.lr = -1;
    hyper.betas[0] = 7;
    expect(made.hyper).toEqual({ lr: 0.5, betas: [0.5, 0.5] });
    expect(() => Object.assign(adam.hyper, { lr: 5 })).toThrow(TypeError);
  });

  test("may be called as something that every object has", () => {
    const made = rule({ name: "R", hyper: { valueOf: 1 }, step: ({ p }) => ({ p }) });
    expect(made.hyper.valueOf).toBe(1);
  });
});

test("a rule of two thousand values runs; a longer one is refused by name", () => {
  const chain = (length: number) =>
    defineOptimizer({
      name: "Long",
      hyper: {},
      step({ p, g }) {
        for (let i = 0; i < length; i++) p = p.add(g);
        return { p };
      },
    });
  const w = parameter([1], { name: "w" });
  w.grad = [1];
  for (const options of [{}, { compile: false }, { backend: "interp" } as const]) {
    w.data = [1];
    new (chain(1990))([w], options).step();
    expect(w.data[0]).toBe(1991);
    expect(() => new (chain(5000))([w], options).step()).toThrowErrorMatchingInlineSnapshot(
      `[RuleError: Long: step(): got 5002 operations and numbers, expected at most 2000.]`,
    );
  }
});

describe("foreach", () => {
  test("refuses a target that another tensor overlaps in part", () => {
    for (const data of [parameter(new Float32Array(40)).data, new Float32Array(40)]) {
      const call = () => foreach.add([data.subarray(1)], [data.subarray(0, 39)]);
      expect(call).toThrow("overlap in part");
      foreach.add([data.subarray(0, 20)], [data.subarray(20)]);
      foreach.add([data], [data]);
    }
  });
});
