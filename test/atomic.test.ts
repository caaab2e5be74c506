/**
 * All or nothing: whatever goes wrong in a step, in a call that adds parameters or in one over lists
 * of tensors leaves parameters, gradients, state, counts and hyperparameters byte for byte as before,
 * and the next call works.
 */
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  Adam,
  BackendError,
  defineOptimizer,
  foreach,
  OptionError,
  parameter,
  ParameterError,
  RuleError,
  SGD,
  type Parameter,
} from "../src/index.ts";
import { ways } from "./helpers/backends.ts";
import { bits, expectUnchanged, imprint } from "./helpers/bits.ts";
import { noisyParameters, ruleCases, setNoisyGrads } from "./helpers/rules.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

describe("a number changed to what it must not be, in the second of two groups", () => {
  const bad: Record<string, readonly unknown[]> = {
    lr: [NaN, -1, Infinity, "1", null],
    betas: [[0.9, 1], [NaN, 0.5], [0.9], 0.9, null],
    eps: [-1, NaN],
    weightDecay: [-1, Infinity],
    momentum: [NaN, -0.5],
    alpha: [-1, NaN],
    amsgrad: [1],
    maximize: ["no"],
    nesterov: ["yes"],
    b: [1],
  };
  test.each(ruleCases)("$title", ({ create, rule }) => {
    const all = noisyParameters([5, 70, 3]);
    const optimizer = create([{ params: all.slice(0, 2) }, { params: all.slice(2) }]);
    const group = optimizer.paramGroups[1]! as Record<string, unknown>;
    setNoisyGrads(all, 0);
    optimizer.step();
    let tried = 0;
    for (const name of rule.hyperNames) {
      for (const value of bad[name] ?? []) {
        const good = group[name];
        group[name] = value;
        expectUnchanged(optimizer, all, () => optimizer.step());
        expect(() => optimizer.step()).toThrow(OptionError);
        expect(() => optimizer.step()).toThrow(`${rule.name}: paramGroups[1].${name}`);
        group[name] = good;
        tried++;
      }
    }
    expect(tried).toBeGreaterThan(4);
    const before = bits(all[0]!.data);
    optimizer.step();
    expect(bits(all[0]!.data)).not.toBe(before);
  });

  test("a combination that makes no sense", () => {
    const all = noisyParameters([5, 3]);
    const optimizer = new SGD([{ params: [all[0]!] }, { params: [all[1]!] }]);
    setNoisyGrads(all, 0);
    optimizer.paramGroups[1]!.nesterov = true;
    expectUnchanged(optimizer, all, () => optimizer.step());
  });

  test("a group takes no new names and no other parameters", () => {
    const [group] = new SGD(noisyParameters([1])).paramGroups;
    expect(() => Object.assign(group!, { learningRate: 1 })).toThrow(TypeError);
    expect(() => Object.assign(group!, { params: [] })).toThrow(TypeError);
    expect(() => (group!.params as Parameter[]).push(parameter([1]))).toThrow(TypeError);
  });
});

test.each(ways)("a rule that fails for the second of two groups, on $name", ({ options }) => {
  const Picky = defineOptimizer({
    name: "Picky",
    hyper: { lr: 1 },
    state: ["m"],
    step: ({ p, g, m }, { lr }) => ({ p: p.sub(g.mul(1 / (lr - 3))), m: m.add(g) }),
  });
  const all = noisyParameters([5, 70, 3]);
  const optimizer = new Picky([{ params: all.slice(0, 2) }, { params: all.slice(2) }], options);
  setNoisyGrads(all, 0);
  optimizer.paramGroups[1]!.lr = 3;
  expectUnchanged(optimizer, all, () => optimizer.step());
  expect(() => optimizer.step()).toThrow(RuleError);
  optimizer.paramGroups[1]!.lr = 2;
  optimizer.step();
  expect(Object.keys(optimizer.stateDict().state)).toHaveLength(3);
});

describe("out of memory", () => {
  const noMore = () =>
    vi.spyOn(WebAssembly.Memory.prototype, "grow").mockImplementation(() => {
      throw new RangeError("no more");
    });

  /** An optimizer whose state finds no room where another one keeps its parameters. */
  const crowded = (way: object) => {
    const all = [
      ...noisyParameters([40_000, 3]),
      parameter([1, 2], { name: "x", dtype: "float64" }),
    ];
    new SGD(all);
    const optimizer = new Adam(all as Parameter[], way);
    setNoisyGrads(all as Parameter[], 0);
    return { all: all as Parameter[], optimizer };
  };

  test.each(ways)(
    "in the first step, on $name: nothing has changed, and later it works",
    ({ options }) => {
      const { all, optimizer } = crowded(options);
      noMore();
      expectUnchanged(optimizer, all, () => optimizer.step());
      expect(() => optimizer.step()).toThrow(BackendError);
      vi.restoreAllMocks();
      optimizer.step();
      const { all: others, optimizer: other } = crowded(options);
      other.step();
      expect(imprint(optimizer, all)).toEqual(imprint(other, others));
    },
  );

  test("says how much was asked for, and what caused it", () => {
    const { optimizer } = crowded({});
    noMore();
    expect(() => optimizer.step()).toThrowErrorMatchingInlineSnapshot(
      `[BackendError: memory of the optimizer: got no memory for 633.9 KiB in one piece, expected parameters, gradients and state to fit into memory, and into 4.0 GiB. State that comes later, of this optimizer or of another over the same parameters, has to fit in beside them: make the optimizer with the most state first. One that is dropped gives its room back when it is collected.]`,
    );
    try {
      optimizer.step();
    } catch (error) {
      expect(error).toMatchObject({ code: "OUT_OF_MEMORY", cause: new RangeError("no more") });
    }
    expect.assertions(2);
  });

  test("when a state dict is loaded", () => {
    const { all, optimizer } = crowded({});
    const { all: others, optimizer: other } = crowded({});
    other.step();
    const dict = other.stateDict();
    noMore();
    expectUnchanged(optimizer, all, () => optimizer.loadStateDict(dict));
    vi.restoreAllMocks();
    optimizer.loadStateDict(dict);
    expect(optimizer.stateDict()).toEqual(dict);
    expect(others).toHaveLength(3);
  });

  test("when parameters are moved into a memory that cannot be had", () => {
    const w = parameter([1, 2]);
    const optimizer = new SGD([w]);
    const [late, wide] = [parameter([3]), parameter([3], { dtype: "float64" })];
    const { data } = late;
    vi.spyOn(WebAssembly, "Memory").mockImplementation(function () {
      throw new RangeError("no memory");
    });
    expect(() => optimizer.addParamGroup({ params: [late, wide] })).toThrow(BackendError);
    expect(optimizer.paramGroups).toHaveLength(1);
    expect([...data]).toEqual([3]);
    vi.restoreAllMocks();
    optimizer.addParamGroup({ params: [late, wide] });
    expect(optimizer.paramGroups).toHaveLength(2);
  });
});

test("a group that does not fit is not added, and its parameters stay where they are", () => {
  const w = parameter([1], { name: "w" });
  const optimizer = new Adam([w]);
  const fresh = parameter([2], { name: "fresh" });
  const { data } = fresh;
  const refused = [
    { params: [fresh, w] },
    { params: [fresh, fresh] },
    { params: [fresh, parameter([1], { name: "w" })] },
    { params: [fresh], lr: -1 },
    { params: [fresh], momentum: 1 },
    { params: [fresh, 1] },
  ];
  for (const group of refused) {
    expectUnchanged(optimizer, [w], () =>
      optimizer.addParamGroup(group as { params: Parameter[] }),
    );
    expect(optimizer.paramGroups).toHaveLength(1);
  }
  expect([...data]).toEqual([2]);
});

test("a list of tensors with one that does not fit: none is written", () => {
  const [a, b] = [parameter([1, 2]), parameter([3])];
  expect(() => foreach.add([a, b], [Float32Array.of(1, 1), Float32Array.of(1, 1)])).toThrow(
    ParameterError,
  );
  expect(() => foreach.mul([a, b], [2, NaN])).toThrow(OptionError);
  expect(() => foreach.zero([a, null as never])).toThrow(ParameterError);
  expect([[...a.data], [...b.data]]).toEqual([[1, 2], [3]]);
});
