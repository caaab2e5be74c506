/** Inputs that go wrong in ways of their own: each is refused, or taken, before anything changes. */
import { describe, expect, test } from "vitest";
import {
  Adam,
  adam,
  defineOptimizer,
  foreach,
  parameter,
  pow,
  rule,
  SGD,
  type RuleError,
} from "../src/index.ts";

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

describe("rules written without a type checker", () => {
  const good = { name: "R", hyper: { lr: 1 }, step: ({ p }: { p: unknown }) => ({ p }) };
  const refusal = (spec: unknown): string => {
    try {
      rule(spec as never);
    } catch (error) {
      return `${(error as RuleError).code} ${(error as Error).message}`;
    }
    return "accepted";
  };
  test("are refused by what is wrong with them", () => {
    expect(refusal(good)).toBe("accepted");
    const wrong: Record<string, unknown> = {
      nothing: undefined,
      "no name": { ...good, name: "" },
      "no hyper": { ...good, hyper: undefined },
      "no step": { ...good, step: undefined },
      "a misspelt part": { ...good, states: ["m"] },
      "a domain of nothing": { ...good, domain: { lrr: "[0, 1]" } },
      "a text for a number": { ...good, hyper: { mode: "fast" } },
      "a taken name": { ...good, hyper: { t: 1 } },
      "a name twice": { ...good, state: ["m", "m"] },
    };
    const texts = Object.entries(wrong).map(([what, spec]) => `${what}: ${refusal(spec)}`);
    expect(texts).toMatchInlineSnapshot(`
      [
        "nothing: BAD_RULE rule: the rule: got undefined, expected an object.",
        "no name: BAD_RULE rule: name: got "", expected a text.",
        "no hyper: BAD_RULE R: hyper: got undefined, expected an object of defaults.",
        "no step: BAD_RULE R: step: got undefined, expected a function.",
        "a misspelt part: BAD_RULE R: the rule: got "states", expected only name, formula, hyper, domain, state, rows, columns, numbers, counted, sparse, matrices, takesAll, check, step.",
        "a domain of nothing: BAD_RULE R: domain: got "lrr", expected the names of hyperparameters.",
        "a text for a number: BAD_RULE R: hyper.mode: got "fast", expected a number, true or false, two or three numbers, or a name with a list in domain.",
        "a taken name: NAME_CLASH R: hyperparameters: got "t", which is taken, expected each name once. Names with a meaning of their own: params, t, foreach, compile, backend, flushSubnormals, threads, nonFinite, average.",
        "a name twice: NAME_CLASH R: names of tensors and numbers: got "m", which is taken already, expected each name once. Names with a meaning of their own: p, g.",
      ]
    `);
  });

  test("pow takes whole exponents from 0 on", () => {
    for (const exponent of [-1, 0.5, NaN, Infinity, 2 ** 53]) {
      expect(() => pow(2, exponent)).toThrow("expected a whole exponent ≥ 0");
    }
    expect([pow(2, 0), pow(2, 10), pow(0.5, 1074)]).toEqual([1, 1024, 2 ** -1074]);
  });
});

describe("optimizers", () => {
  test("take groups by addParamGroup only, and show them frozen", () => {
    const optimizer = new SGD([parameter([1])]);
    const groups = optimizer.paramGroups as unknown as unknown[];
    expect(() => groups.push({ params: [], lr: 1 })).toThrow(TypeError);
    optimizer.addParamGroup({ params: [parameter([2])] });
    expect([groups.length, optimizer.paramGroups.length]).toEqual([1, 2]);
  });

  test.each([{ set_to_none: false }, { setToNull: 1 }, false, null])("zeroGrad(%j)", (options) => {
    const w = parameter([1], { name: "w" });
    const optimizer = new SGD([w]);
    w.grad = [3];
    expect(() => optimizer.zeroGrad(options as never)).toThrow("SGD: zeroGrad");
    expect([...w.grad!]).toEqual([3]);
  });

  test("refuse a count of steps that has no next one", () => {
    const w = parameter([1], { name: "w" });
    const optimizer = new Adam([w]);
    const dict = structuredClone({ ...optimizer.stateDict(), state: { w: { step: 2 ** 53 - 2 } } });
    expect(() => optimizer.loadStateDict(dict)).toThrow("2^53 - 3");
    optimizer.loadStateDict({ ...dict, state: { w: { step: 2 ** 53 - 3 } } });
    w.grad = [1];
    optimizer.step();
    expect(optimizer.stateDict().state["w"]!["step"]).toBe(2 ** 53 - 2);
  });
});

describe("parameters", () => {
  test("of another parameter, or too large for memory", () => {
    const w = parameter([1], { name: "w" });
    expect(() => parameter(w as never)).toThrow("Copy its values");
    expect(() => parameter({ shape: [2 ** 40], name: "w" })).toThrowErrorMatchingInlineSnapshot(
      `[BackendError: parameter "w": got no memory for 1099511627776 elements, expected a parameter that fits into memory.]`,
    );
  });
});

describe("foreach", () => {
  test("refuses views of memory that has moved, where the engine tells", () => {
    const view = new Float32Array(0);
    Object.defineProperty(view.buffer, "detached", { value: true });
    expect(() => foreach.mul([view], 2)).toThrow("a view of memory that has moved");
  });

  test("refuses a target that another tensor overlaps in part", () => {
    for (const data of [parameter(new Float32Array(40)).data, new Float32Array(40)]) {
      const call = () => foreach.add([data.subarray(1)], [data.subarray(0, 39)]);
      expect(call).toThrow("overlap in part");
      foreach.add([data.subarray(0, 20)], [data.subarray(20)]);
      foreach.add([data], [data]);
    }
  });
});
