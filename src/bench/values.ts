// What all contenders start from, and how those that run in this process are timed.

import { clockResolution } from "./clock.ts";
import type { Workload } from "./contender.ts";

/** From -0.5 to 0.5, spread evenly and the same everywhere; never 0. */
function spread(i: number): number {
  return ((Math.imul(i + 1, 0x9e3779b1) >>> 8) + 0.5) / 2 ** 24 - 0.5;
}

function tensors({ sizes }: Workload, value: (i: number) => number): Float32Array[] {
  let at = 0;
  return sizes.map((size) => {
    const tensor = new Float32Array(size);
    for (let i = 0; i < size; i++) tensor[i] = value(at++);
    return tensor;
  });
}

/** Gradients, of a root mean square of 0.01. */
const slope = (i: number): number => 0.035 * spread(i + 77);

export const startValues = (workload: Workload): Float32Array[] => tensors(workload, spread);

export const gradients = (workload: Workload): Float32Array[] => tensors(workload, slope);

/** What `count` elements from the `from`-th of all tensors on start with, and their gradients. */
export function startOf(
  from: number,
  count: number,
): { values: Float32Array; grads: Float32Array } {
  const indices = Float64Array.from({ length: count }, (_, i) => from + i);
  return { values: Float32Array.from(indices, spread), grads: Float32Array.from(indices, slope) };
}

/** Steps shorter than this are timed several at once, for the clock's sake. */
const BLOCK_MS = 0.02;
/** What is timed takes so many times as long as the clock takes from one reading to the next. */
const TICKS = 100;

/**
 * Milliseconds of each of so many steps; of short ones the mean of a few in a row.
 *
 * @param before each step something may be done that does not count.
 * @param resolution of the clock, in milliseconds.
 */
export function timed(
  step: () => void,
  steps: number,
  before?: () => void,
  resolution: number = clockResolution(),
): Float64Array {
  const times = new Float64Array(steps);
  const least = Math.max(BLOCK_MS, TICKS * resolution);
  let block = 1;
  for (let i = 0; i < steps;) {
    const count = Math.min(block, steps - i);
    const each = (before ? apart(step, count, before) : together(step, count)) / count;
    times.fill(each, i, i + count);
    i += count;
    block = Math.max(1, Math.ceil(least / Math.max(each, 1e-5)));
  }
  return times;
}

function together(step: () => void, count: number): number {
  const start = performance.now();
  for (let k = 0; k < count; k++) step();
  return performance.now() - start;
}

/** Ticks of the clock that are missed and counted too much make up for one another over many steps. */
function apart(step: () => void, count: number, before: () => void): number {
  let sum = 0;
  for (let k = 0; k < count; k++) {
    before();
    sum += together(step, 1);
  }
  return sum;
}
