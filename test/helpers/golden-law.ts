/**
 * What a run must be like beside PyTorch's: float64 agrees to 1e-12 relative, float32 is no farther from
 * the float64 truth than 1.5 times PyTorch's own float32 (plus 1e-7). All parameters after every step and
 * all state after the last one are held to it. (On a GPU some rules get a few ulps more, see ./gpu-law.ts.)
 */
import { expect } from "vitest";
import type { GoldenCase } from "./golden-case.ts";

/** Largest |a - b|, in units of max(1, |b|) for `relative`. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>, relative: boolean): number {
  expect(a.length).toBe(b.length);
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const scale = relative ? Math.max(Math.abs(b[i]!), 1e-2) : 1;
    largest = Math.max(largest, Math.abs(a[i]! - b[i]!) / scale);
  }
  expect(largest).not.toBeNaN();
  return largest;
}

const asList = (value: number | ArrayLike<number>): ArrayLike<number> =>
  typeof value === "number" ? [value] : value;

/** One thing that is judged as a whole: ours, PyTorch's and the truth, tensor by tensor. */
interface Comparison {
  readonly ours: ArrayLike<number>;
  readonly theirs: readonly number[];
  readonly truth: readonly number[];
}

/** Over all tensors and steps of a case; `slack` ulps of the largest number are allowed on top. */
function judge(
  golden: GoldenCase,
  what: string,
  comparisons: readonly Comparison[],
  slack: number,
): void {
  expect(comparisons.length, what).toBeGreaterThan(0);
  const largest = (measure: (comparison: Comparison) => number) =>
    Math.max(...comparisons.map(measure));
  if (golden.dtype === "float64") {
    expect(
      largest(({ ours, theirs }) => distance(ours, theirs, true)),
      what,
    ).toBeLessThanOrEqual(1e-12);
  } else {
    const own = largest(({ theirs, truth }) => distance(theirs, truth, false));
    const ulp = 2 ** -23 * largest(({ truth }) => Math.max(...truth.map(Math.abs)));
    expect(
      largest(({ ours, truth }) => distance(ours, truth, false)),
      what,
    ).toBeLessThanOrEqual(1.5 * own + 1e-7 + slack * ulp);
  }
}

/** @param truth the same case in float64. */
export function expectParameters(
  golden: GoldenCase,
  truth: GoldenCase,
  trajectory: readonly Record<string, ArrayLike<number>>[],
  slack = 0,
): void {
  const comparisons = trajectory.flatMap((values, step) =>
    Object.entries(values).map(([key, ours]) => ({
      ours,
      theirs: golden.params[step]![key]!,
      truth: truth.params[step]![key]!,
    })),
  );
  judge(golden, "parameters", comparisons, slack);
}

/** @param truth the same case in float64. */
export function expectState(
  golden: GoldenCase,
  truth: GoldenCase,
  state: Readonly<Record<string, Readonly<Record<string, number | ArrayLike<number>>>>>,
  slack = 0,
): void {
  const bySlot = new Map<string, Comparison[]>();
  for (const [key, slots] of Object.entries(golden.state)) {
    expect(Object.keys(state[key] ?? {}).toSorted()).toEqual(Object.keys(slots).toSorted());
    for (const [slot, value] of Object.entries(slots)) {
      const comparisons = bySlot.get(slot) ?? [];
      comparisons.push({
        ours: asList(state[key]![slot]!),
        theirs: asList(value) as number[],
        truth: asList(truth.state[key]![slot]!) as number[],
      });
      bySlot.set(slot, comparisons);
    }
  }
  for (const [slot, comparisons] of bySlot) judge(golden, slot, comparisons, slack);
}
