/**
 * Steps whose gradients are infinite or NaN: taken as PyTorch takes them, left out whole, or refused. What
 * is finite is never taken for anything else.
 */
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Backend } from "../src/backend/backend.ts";
import { WasmBackend } from "../src/backend/wasm/backend.ts";
import { Adam, clipGradNorm, clipGradValue, parameter, scaleGrads, SGD } from "../src/index.ts";
import { ways } from "./helpers/backends.ts";
import { bits, expectUnchanged, imprint } from "./helpers/bits.ts";
import { refusals, wrong } from "./helpers/refusals.ts";
import { noisyParameters, ruleCases, setNoisyGrads } from "./helpers/rules.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const dtypes = ["float32", "float64"] as const;
const odd = [NaN, Infinity, -Infinity];
const SIZES = [5, 64, 0, 3, 40];

describe.each(ways)("on $name", ({ options }) => {
  test("a step is left out whole, and the next ones are as if it had not been", () => {
    for (const dtype of dtypes) {
      for (const bad of odd) {
        const [all, others] = [noisyParameters(SIZES, dtype), noisyParameters(SIZES, dtype)];
        const optimizer = new Adam(all, { ...options, nonFinite: "skip" });
        const other = new Adam(others, options);
        for (let step = 0; step < 4; step++) {
          setNoisyGrads(all, step);
          const before = step === 2 ? imprint(optimizer, all) : {};
          if (step === 2) all[3]!.grad![2] = bad;
          const grads = all.map((p) => bits(p.grad!));
          expect(optimizer.step(() => step)).toBe(step);
          if (step === 2) expect(imprint(optimizer, all)).toMatchObject(state(before));
          expect(all.map((p) => bits(p.grad!))).toEqual(grads);
          setNoisyGrads(others, step);
          if (step !== 2) other.step();
        }
        expect(optimizer.skippedSteps).toBe(1);
        expect(all.map((p) => bits(p.data))).toEqual(others.map((p) => bits(p.data)));
        expect(optimizer.stateDict().state["w0"]!["step"]).toBe(3);
      }
    }
  });

  test("is refused with the name of a gradient", () => {
    const all = noisyParameters(SIZES);
    const optimizer = new Adam(all, { ...options, nonFinite: "throw" });
    setNoisyGrads(all, 0);
    optimizer.step();
    all[1]!.grad![60] = NaN;
    expectUnchanged(optimizer, all, () => optimizer.step());
    all[1]!.grad![60] = 1;
    optimizer.step();
    expect(optimizer.stateDict().state["w1"]!["step"]).toBe(2);
  });

  test("huge, tiny and negative zero gradients are finite", () => {
    const grads = {
      float32: [3.4028234663852886e38, -3.4028234663852886e38, 1e-45, -0, 1e38],
      float64: [Number.MAX_VALUE, -Number.MAX_VALUE, 5e-324, -0, 1e308],
    };
    for (const dtype of dtypes) {
      const w = parameter({ shape: [5 * 1001], dtype });
      w.grad = Array.from({ length: 5 * 1001 }, (_, i) => grads[dtype][i % 5]!);
      const optimizer = new SGD([w], { ...options, lr: 1e-10, nonFinite: "throw" });
      optimizer.step();
      expect(optimizer.skippedSteps).toBe(0);
      expect(w.data[0]).toBeLessThan(0);
    }
  });
});

/** Without gradients. */
function state(seen: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(seen).filter(([key]) => !key.startsWith("grad")));
}

test.each(ruleCases)("$title is left out", ({ create }) => {
  const all = noisyParameters(SIZES).concat(noisyParameters([4], "float64"));
  all.forEach((p, i) => Object.assign(p, { name: `w${i}` }));
  const groups = [{ params: all.slice(0, 2) }, { params: all.slice(2) }];
  const optimizer = create(groups, { nonFinite: "skip" });
  for (let step = 0; step < 3; step++) {
    setNoisyGrads(all, step);
    optimizer.step();
  }
  all[5]!.grad![3] = -Infinity;
  const before = imprint(optimizer, all);
  optimizer.step();
  expect(imprint(optimizer, all)).toEqual(before);
});

describe("what counts is the gradient that the rule sees", () => {
  const create = (grad: number[], dtype: "float32" | "float64" = "float32") => {
    const w = parameter(
      grad.map(() => 0),
      { name: "w", dtype },
    );
    w.grad = grad;
    return { w, optimizer: new SGD([w], { lr: 1, nonFinite: "skip" }) };
  };

  test("finite ones may overflow when they are scaled, in their own type", () => {
    const { w, optimizer } = create([1e38, 0]);
    optimizer.step({ gradScale: 10 });
    scaleGrads(optimizer, 5);
    optimizer.step();
    expect([optimizer.skippedSteps, ...w.data]).toEqual([2, 0, 0]);
    scaleGrads(optimizer, 5);
    optimizer.step({ gradScale: 0.5 });
    expect(w.data[0]).toBe(-Math.fround(Math.fround(1e38) * 2.5));
    const double = create([1e38, 0], "float64");
    double.optimizer.step({ gradScale: 10 });
    expect(double.w.data[0]).toBe(-1e39);
  });

  test("infinite ones may be clamped, NaN may not", () => {
    const { w, optimizer } = create([Infinity, -Infinity]);
    clipGradValue(optimizer, 2);
    optimizer.step();
    expect([...w.data]).toEqual([-2, 2]);
    w.grad = [NaN, 1];
    clipGradValue(optimizer, 2);
    optimizer.step();
    expect([optimizer.skippedSteps, ...w.data]).toEqual([1, -2, 2]);
  });

  test("a step that is left out forgets its clipping", () => {
    const { w, optimizer } = create([NaN, 1]);
    clipGradNorm(optimizer, 1);
    optimizer.step();
    w.grad = [3, 4];
    optimizer.step();
    expect([optimizer.skippedSteps, ...w.data]).toEqual([1, -3, -4]);
  });

  test("gradients that were to be set to zero are, so that adding to them can go on", () => {
    const { w, optimizer } = create([NaN, 1]);
    optimizer.step({ zeroGrad: true });
    expect([...w.grad!]).toEqual([0, 0]);
    w.addGrad([1, 2]);
    optimizer.step({ zeroGrad: true });
    expect([optimizer.skippedSteps, ...w.data]).toEqual([1, -1, -2]);
  });

  test("a hyperparameter that was changed before it holds after it", () => {
    const { w, optimizer } = create([NaN]);
    w.grad = [1];
    optimizer.step();
    optimizer.paramGroups[0].lr = 0.5;
    w.grad = [NaN];
    optimizer.step();
    w.grad = [1];
    optimizer.step();
    expect(w.data[0]).toBe(-1.5);
  });
});

describe("passes over the gradients", () => {
  /** A backend that counts how often anything is reduced. */
  function counting(): { backend: Backend; reduced: () => number } {
    const wasm = new WasmBackend();
    let count = 0;
    const compile: Backend["compile"] = (ir, dtype) => {
      const kernel = wasm.compile(ir, dtype);
      return {
        bind: (...args) => {
          const bound = kernel.bind(...args);
          const reduce = bound.reduce.bind(bound);
          bound.reduce = (...rest) => {
            count++;
            reduce(...rest);
          };
          return bound;
        },
      };
    };
    return { backend: { name: "wasm", compile }, reduced: () => count };
  }

  test("none without the option, one with it, none more after a norm", () => {
    const seen: number[] = [];
    for (const nonFinite of ["propagate", "skip"] as const) {
      const { backend, reduced } = counting();
      const all = noisyParameters([5, 3]);
      const optimizer = new Adam(all, { backend, nonFinite });
      setNoisyGrads(all, 0);
      optimizer.step();
      seen.push(reduced());
      clipGradNorm(optimizer, 1);
      optimizer.step();
      seen.push(reduced());
      clipGradNorm(optimizer, 1, { normType: Infinity });
      clipGradValue(optimizer, 1);
      optimizer.step({ gradScale: 3 });
      seen.push(reduced());
    }
    expect(seen).toEqual([0, 1, 2, 1, 2, 3]);
  });

  test("a norm of infinite gradients is looked at again, and tells the truth", () => {
    const { backend } = counting();
    const w = parameter([0, 0], { dtype: "float64" });
    const optimizer = new SGD([w], { backend, lr: 1, nonFinite: "skip" });
    w.grad = [1e200, 1e200];
    clipGradNorm(optimizer, 1);
    optimizer.step();
    expect(w.data[0]).toBeCloseTo(-Math.SQRT1_2, 12);
    w.grad = [Infinity, 1];
    clipGradNorm(optimizer, 1);
    optimizer.step();
    expect(optimizer.skippedSteps).toBe(1);
  });
});

test("what is refused", () => {
  const w = parameter([1], { name: "w" });
  const create = (nonFinite: unknown) => new SGD([w], { nonFinite: wrong(nonFinite) });
  const optimizer = new SGD([w], { nonFinite: "throw" });
  expect(
    refusals({
      "an unknown choice": () => create("ignore"),
      null: () => create(null),
      "a step with NaN": () => {
        w.grad = [NaN];
        optimizer.step();
      },
      "a step that would overflow": () => {
        w.grad = [1e38];
        optimizer.step({ gradScale: 100 });
      },
      "a step with -Infinity": () => {
        w.grad = [-Infinity];
        optimizer.step();
      },
    }),
  ).toMatchInlineSnapshot(`
    {
      "a step that would overflow": "GradientError NON_FINITE: SGD: step: got gradients that are finite but overflow when they are scaled, expected finite gradients. Look at the loss and at lr, or leave such steps out: { nonFinite: "skip" }.",
      "a step with -Infinity": "GradientError NON_FINITE: SGD: step: got -Infinity at element 0 of the gradient of "w", expected finite gradients. Look at the loss and at lr, or leave such steps out: { nonFinite: "skip" }.",
      "a step with NaN": "GradientError NON_FINITE: SGD: step: got NaN at element 0 of the gradient of "w", expected finite gradients. Look at the loss and at lr, or leave such steps out: { nonFinite: "skip" }.",
      "an unknown choice": "OptionError BAD_OPTION: SGD: nonFinite: got "ignore", expected "propagate", "skip" or "throw".",
      "null": "OptionError BAD_OPTION: SGD: nonFinite: got null, expected "propagate", "skip" or "throw".",
    }
  `);
  expect(w.data[0]).toBe(1);
});
