/**
 * Values and layouts at the edge: lengths around a vector, special numbers in gradients, empty
 * tensors, parameters that sit out steps, groups, mixed types, and optimizers that share parameters.
 */
import { describe, expect, test } from "vitest";
import { Adam, AdamW, parameter, RMSprop, SGD, type DType, type Parameter } from "../src/index.ts";
import { ways } from "./helpers/backends.ts";
import { bits, imprint } from "./helpers/bits.ts";
import { noisyParameters, ruleCases, setNoisyGrads, type RuleCase } from "./helpers/rules.ts";

/** Steps all parameters with noise for gradients and says what came out. */
function steps(
  { create }: RuleCase,
  way: object,
  parameters: Parameter[],
  grads: (parameters: Parameter[], step: number) => void = setNoisyGrads,
  count = 3,
): Record<string, unknown> {
  const optimizer = create(parameters, way);
  for (let step = 0; step < count; step++) {
    grads(parameters, step);
    optimizer.step();
  }
  return imprint(optimizer, parameters);
}

/** Runs on all ways and returns what the oracle says, to which all others are held. */
function expectAllWaysEqual(
  run: (way: object) => Record<string, unknown>,
): Record<string, unknown> {
  const oracle = run(ways[0]!.options);
  for (const { name, options } of ways.slice(1)) expect(run(options), name).toEqual(oracle);
  return oracle;
}

const dtypes = ["float32", "float64"] as const;

const special = [NaN, Infinity, -Infinity, 1e-40, 5e-324, -0, 1e20, -1e20, 0, 1e300];

interface SpecialCase {
  readonly w: Parameter;
  readonly special: readonly number[];
}

const specialCase = (dtype: DType): SpecialCase => ({
  w: parameter(
    Array.from({ length: 35 }, (_, i) => i / 7 - 2),
    { name: "w", shape: [5, 7], dtype },
  ),
  special,
});

/** Steps with special values for every third element of the second gradient. */
function imprintOf(ruleCase: RuleCase, way: object, { w, special: values }: SpecialCase) {
  return steps(ruleCase, way, [w], (_, step) => {
    setNoisyGrads([w], step);
    if (step === 1) values.forEach((value, i) => (w.grad![3 * i] = value));
  });
}

describe.each(ruleCases)("$title", (ruleCase) => {
  test.each(dtypes)("%s: lengths around a vector and around the unrolled loop", (dtype) => {
    const sizes = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65];
    const together = expectAllWaysEqual((way) =>
      steps(ruleCase, way, noisyParameters(sizes, dtype)),
    );
    expect(Object.keys(together).filter((key) => key.startsWith("data"))).toHaveLength(17);
    const grads = [0, 1, 2].map((step) => {
      const all = noisyParameters(sizes, dtype);
      setNoisyGrads(all, step);
      return all.map(({ grad }) => grad!);
    });
    const alone = noisyParameters(sizes, dtype).map((chosen, index) => {
      const setGrads = (_: Parameter[], step: number): void => {
        chosen.grad = grads[step]![index]!;
      };
      return steps(ruleCase, {}, [chosen], setGrads)["data 0"];
    });
    expect(alone).toEqual(sizes.map((_, index) => together[`data ${index}`]));
  });

  test.each(dtypes)("%s: all ways agree on special gradients", (dtype) => {
    const seen = expectAllWaysEqual((way) => imprintOf(ruleCase, way, specialCase(dtype)));
    expect(seen).not.toEqual(imprintOf(ruleCase, {}, { ...specialCase(dtype), special: [] }));
  });

  test("parameters that sit out steps, frozen ones, and groups of their own", () => {
    const run = (way: object): Record<string, unknown> => {
      const all = noisyParameters([5, 70, 1, 64, 3, 9, 130]);
      all[2]!.requiresGrad = false;
      const groups = [
        { params: all.slice(0, 3) },
        { params: [all[5]!], lr: 0.5 },
        { params: [all[6]!, all[4]!, all[3]!] },
      ];
      const optimizer = ruleCase.create(groups, way);
      for (let step = 0; step < 6; step++) {
        setNoisyGrads(
          all.filter((p) => p.requiresGrad),
          step,
        );
        all.forEach((p, index) => {
          if ((step + index) % (2 + (index % 3)) === 0) p.grad = null;
        });
        optimizer.step();
      }
      return imprint(optimizer, all);
    };
    const seen = expectAllWaysEqual(run);
    expect(seen["data 2"]).toBe(bits(noisyParameters([5, 70, 1, 64, 3, 9, 130])[2]!.data));
  });

  test("both types in one optimizer, as if each had its own", () => {
    const make = () => [...noisyParameters([9, 20]), ...noisyParameters([9, 20], "float64")];
    const renamed = (all: Parameter[]) =>
      all.map((p, i): Parameter =>
        parameter(p.data as Float32Array, { name: `${p.dtype} ${i}`, shape: p.shape }),
      );
    const mixed = expectAllWaysEqual((way) => steps(ruleCase, way, renamed(make())));
    const grads = (half: number) => (own: Parameter[], step: number) => {
      const all = make();
      setNoisyGrads(all, step);
      own.forEach((p, i) => (p.grad = all[2 * half + i]!.grad!));
    };
    [0, 1].forEach((half) => {
      const own = renamed(make()).slice(2 * half, 2 * half + 2);
      const alone = steps(ruleCase, {}, own, grads(half));
      expect([alone["data 0"], alone["data 1"]]).toEqual([
        mixed[`data ${2 * half}`],
        mixed[`data ${2 * half + 1}`],
      ]);
    });
  });
});

const mixing = new Set(["Normed", "Balanced", "Adafactor", "Muon"]);
const elementwise = ruleCases.filter(({ name }) => !mixing.has(name));

describe.each(dtypes)("a special gradient in %s touches its own element only", (dtype) => {
  test.each(elementwise)("$title", (ruleCase) => {
    const [healthy, poisoned] = [specialCase(dtype), specialCase(dtype)];
    imprintOf(ruleCase, {}, { ...healthy, special: [] });
    imprintOf(ruleCase, {}, poisoned);
    const others = Array.from({ length: 35 }, (_, i) => i).filter((i) => i > 27 || i % 3 > 0);
    expect(others.map((i) => poisoned.w.data[i])).toEqual(others.map((i) => healthy.w.data[i]));
    // A NaN has no sign, and Rprop goes by signs alone.
    expect(Number.isNaN(poisoned.w.data[0])).toBe(ruleCase.name !== "Rprop");
    const fine = special.slice(3, 9).map((_, i) => poisoned.w.data[3 * (i + 3)]!);
    expect(fine.every((value) => Number.isFinite(value))).toBe(true);
  });
});

describe("a gradient of 1e20 in float32", () => {
  test.each([
    ["Adam", Adam, { lr: 0.1 }],
    ["RMSprop", RMSprop, { lr: 0.1 }],
  ] as const)("%s: its square stays finite and the parameter moves again", (_, cls, options) => {
    const w = parameter([1], { name: "w" });
    const optimizer = new cls([w], options);
    w.grad = [1e20];
    optimizer.step();
    const after = w.data[0]!;
    w.grad = [1];
    for (let step = 0; step < 2000; step++) optimizer.step();
    for (const value of Object.values(optimizer.stateDict().state["w"]!)) {
      expect([value].flat().every((x) => Number.isFinite(Number(x)))).toBe(true);
    }
    expect(w.data[0]).toBeLessThan(after);
  });
});

describe("shapes", () => {
  test.each([[[]], [[0]], [[0, 3]], [[1]], [[1, 1]], [[2, 0, 5]]])("%j takes steps", (shape) => {
    expectAllWaysEqual((way) => {
      const w = parameter({ name: "w", shape });
      const b = parameter([1], { name: "b" });
      const optimizer = new AdamW([w, b], way);
      for (const p of [w, b]) p.ensureGrad().fill(1);
      optimizer.step();
      const { state } = optimizer.stateDict();
      expect((state["w"]!["exp_avg"] as Float32Array).length).toBe(w.size);
      expect(b.data[0]).toBeLessThan(1);
      return imprint(optimizer, [w, b]);
    });
  });

  test("an optimizer of empty tensors only", () => {
    const optimizer = new Adam([parameter({ shape: [0] }), parameter([])]);
    optimizer.paramGroups[0]!.params[0]!.ensureGrad();
    optimizer.step();
    expect(optimizer.stateDict().state["0"]!["step"]).toBe(1);
  });
});

describe("optimizers over the same parameters", () => {
  test("keep to their own state and to their own parameters", () => {
    expectAllWaysEqual((way) => {
      const [a, b, c] = noisyParameters([10, 70, 5]) as [Parameter, Parameter, Parameter];
      const first = new Adam([a, b, c], way);
      const second = new SGD([a, c], { momentum: 0.9, ...way });
      for (let step = 0; step < 4; step++) {
        setNoisyGrads([a, b, c], step);
        first.step();
        second.step();
      }
      expect(Object.keys(second.stateDict().state)).toEqual(["w0", "w2"]);
      return { ...imprint(first, [a, b, c]), second: imprint(second, []) };
    });
  });

  test("an optimizer that takes in a larger neighbour later has room for it", () => {
    expectAllWaysEqual((way) => {
      const all = noisyParameters([3, 500, 40]);
      const first = new SGD(all, { momentum: 0.9, ...way });
      const second = new Adam([all[0]!], way);
      setNoisyGrads(all, 0);
      first.step();
      second.step();
      second.addParamGroup({ params: [all[1]!], lr: 0.1 });
      for (let step = 1; step < 4; step++) {
        setNoisyGrads(all, step);
        first.step();
        second.step();
      }
      return { ...imprint(first, all), second: imprint(second, []) };
    });
  });

  test("a group added later is as one that was there, but for the steps it missed", () => {
    const run = (late: boolean): string => {
      const [a, b] = noisyParameters([100, 30]) as [Parameter, Parameter];
      const optimizer = new Adam(late ? [a] : [a, b], { lr: 0.1 });
      setNoisyGrads([a], 0);
      optimizer.step();
      if (late) optimizer.addParamGroup({ params: [b] });
      setNoisyGrads([a, b], 1);
      optimizer.step();
      return bits(a.data) + bits(b.data);
    };
    expect(run(true)).toBe(run(false));
  });
});

describe("betas of 0", () => {
  test.each(ways)("m is the gradient, bit for bit, on $name", ({ options }) => {
    for (const w of noisyParameters([37]).concat(noisyParameters([37], "float64"))) {
      const optimizer = new Adam([w], { betas: [0, 0.9], ...options });
      for (let step = 0; step < 3; step++) {
        setNoisyGrads([w], step);
        w.grad![0] = 1e-3;
        optimizer.step();
        const { exp_avg: m } = optimizer.stateDict().state["w0"]!;
        expect(bits(m as Float32Array)).toBe(bits(w.grad!));
      }
    }
  });
});
