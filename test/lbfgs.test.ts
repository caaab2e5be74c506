/**
 * L-BFGS against PyTorch: every recorded case, in both types, on every backend.
 *
 * Trajectories of L-BFGS magnify rounding, so what is asked for is measured: PyTorch's own runs from
 * starting points one bit apart lie `drift` apart. float64 must agree to 1e-12, or to twice that;
 * float32 must be as near to the float64 truth as those runs are. Evaluations must agree exactly.
 */
import { describe, expect, test } from "vitest";
import type { TypedArray } from "../src/index.ts";
import { backends } from "./helpers/backends.ts";
import { createLbfgsTask, createProblem, lbfgsGolden, type LbfgsCase } from "./helpers/lbfgs.ts";

const { cases } = lbfgsGolden();

interface Run {
  readonly params: Record<string, TypedArray>[];
  readonly losses: number[];
  readonly evaluations: number[];
  readonly state: unknown;
}

function run(golden: LbfgsCase, options: object): Run {
  const { optimizer, parameters, closure, calls } = createLbfgsTask(golden, options);
  const params: Run["params"] = [];
  const losses: number[] = [];
  const evaluations: number[] = [];
  for (let step = 0; step < golden.params.length; step++) {
    losses.push(optimizer.step(closure));
    params.push(
      Object.fromEntries(Object.entries(parameters).map(([key, p]) => [key, p.data.slice()])),
    );
    evaluations.push(calls());
  }
  return { params, losses, evaluations, state: optimizer.stateDict() };
}

const distance = (ours: Record<string, TypedArray>, theirs: Record<string, number[]>): number => {
  expect(Object.keys(ours)).toEqual(Object.keys(theirs));
  const gaps = Object.entries(theirs).flatMap(([key, values]) =>
    values.map((value, i) => Math.abs(ours[key]![i]! - value)),
  );
  return Math.max(...gaps);
};

test("every case has its float64 twin, and half of them a line search", () => {
  expect(cases).toHaveLength(36);
  cases.forEach(({ dtype, options, params }, i) => {
    expect(dtype).toBe(i % 2 === 0 ? "float32" : "float64");
    expect(options).toEqual(cases[i ^ 1]!.options);
    expect(params.length).toBeGreaterThan(0);
  });
  expect(cases.filter(({ options }) => options["line_search_fn"]).length).toBeGreaterThan(18);
});

describe.each(cases.map((golden, i) => ({ golden, truth: cases[i | 1]! })))(
  "$golden.problem $golden.dtype $golden.options",
  ({ golden, truth }) => {
    const oracle = run(golden, { backend: backends.interp });

    test("as PyTorch after every step", () => {
      expect(oracle.evaluations).toEqual(golden.evaluations);
      golden.params.forEach((theirs, step) => {
        const drift = golden.drift[step]!;
        if (golden.dtype === "float64") {
          const allowed = Math.max(1e-12, 2 * drift);
          expect(distance(oracle.params[step]!, theirs)).toBeLessThanOrEqual(allowed);
          const loss = golden.losses[step]!;
          expect(Math.abs(oracle.losses[step]! - loss)).toBeLessThanOrEqual(1e-6 * (loss + 1e-6));
        } else {
          const error = distance(oracle.params[step]!, truth.params[step]!);
          expect(error).toBeLessThanOrEqual(1.5 * drift + 1e-7);
        }
      });
    });

    test.each(["wasm scalar", "wasm SIMD"] as const)("bit for bit with %s", (backend) => {
      expect(run(golden, { backend: backends[backend] })).toEqual(oracle);
    });
  },
);

describe("what PyTorch 2.13 was seen to do on Rosenbrock's function", () => {
  test.each([
    { lineSearchFn: null, evaluations: 27, x: [1.000000154, 1.000000283], loss: 8.8e-14 },
    { lineSearchFn: "strong_wolfe", evaluations: 21, x: [1.000000829, 1.000001465], loss: 4.4e-12 },
  ] as const)("$lineSearchFn", ({ lineSearchFn, evaluations, x, loss }) => {
    const { optimizer, all, closure, calls } = createProblem("rosenbrock", "float64", {
      lineSearchFn,
    });
    expect(optimizer.step(closure)).toBe(56.5);
    optimizer.step(closure);
    expect(calls()).toBe(evaluations);
    expect(all[0]!.data[0]).toBeCloseTo(x[0], 9);
    expect(all[0]!.data[1]).toBeCloseTo(x[1], 9);
    expect(closure()).toBeCloseTo(loss, 13);
  });
});
