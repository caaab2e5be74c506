/**
 * Norms of gradients, one for each parameter group.
 *
 * Those of order 1, 2 and infinity take one pass at the speed of memory. All others are for the curious:
 * that pass finds the largest element, by which the others are divided so that no power overflows, and
 * then it is plain TypeScript.
 */
import { abs, dot, sum } from "../ir/words.ts";
import type { TypedArray } from "../memory/dtype.ts";
import { largest, type Gradients, type Question } from "./gradients.ts";

const add = (a: number, b: number): number => a + b;
const squares: Question = { reduce: (x) => dot(x, x), degree: 2, join: add };
const sizes: Question = { reduce: (x) => sum(abs(x)), degree: 1, join: add };

/** A smaller sum of squares of float64 may have lost some to underflow. */
const LEAST = 1e-290;

/**
 * Appends the norm of each group's gradients as the next step will see them; 0 for one that has none.
 *
 * @param order p > 0, Infinity, or 0: the number of tensors that are not zero all over.
 */
export function appendNorms(gradients: Gradients, order: number, norms: number[]): void {
  const { groupCount } = gradients;
  if (order === 2) return appendEuclidean(gradients, norms);
  const answers = order > 0 ? gradients.ask(order === 1 ? sizes : largest) : undefined;
  for (let group = 0; group < groupCount; group++) {
    const answer = answers?.[group];
    if (answer === undefined) norms.push(countTensors(gradients, group));
    else if (order === 1 || order === Infinity) norms.push(answer);
    else norms.push(powerNorm(gradients, group, order, answer));
  }
}

/** The norm of that whose parts have these norms. */
export function joinNorms(norms: readonly number[], order: number): number {
  let most = 0;
  let total = 0;
  for (const norm of norms) {
    most = Math.max(most, norm);
    total += norm;
  }
  if (order === 0 || order === 1) return total;
  if (norms.length === 1 || order === Infinity || !isOrdinary(most)) return most;
  let powers = 0;
  for (const norm of norms) powers += power(norm / most, order);
  return most * root(powers, order);
}

/** √(Σ x²); where squares of float64 have overflowed or underflowed, by the slower way. */
function appendEuclidean(gradients: Gradients, norms: number[]): void {
  const { groupCount } = gradients;
  const first = norms.length;
  const answers = gradients.ask(squares);
  let lost: number[] | undefined;
  for (let group = 0; group < groupCount; group++) {
    const answer = answers[group]!;
    norms.push(Math.sqrt(answer));
    if ((answer < LEAST || answer === Infinity) && hasDoubles(gradients, group)) {
      (lost ??= []).push(group);
    }
  }
  if (!lost) return;
  const most = gradients.ask(largest);
  for (const group of lost) norms[first + group] = powerNorm(gradients, group, 2, most[group]!);
}

/** (Σ |x|^order)^(1/order) of a group whose largest |x| is known. */
function powerNorm(gradients: Gradients, group: number, order: number, most: number): number {
  if (!isOrdinary(most)) return most;
  let powers = 0;
  for (const view of viewsOf(gradients, group)) {
    for (const g of view) powers += power(sizeAfter(gradients, group, g) / most, order);
  }
  return most * root(powers, order);
}

function countTensors(gradients: Gradients, group: number): number {
  const views = viewsOf(gradients, group);
  return views.filter((view) => view.some((g) => sizeAfter(gradients, group, g) !== 0)).length;
}

function hasDoubles(gradients: Gradients, group: number): boolean {
  return viewsOf(gradients, group).some((view) => view instanceof Float64Array);
}

/** The gradients of a group, one tensor after another. */
function viewsOf({ arenas }: Gradients, group: number): TypedArray[] {
  const entries = arenas.flatMap((arena) => arena.entries);
  return entries.flatMap(({ group: own, parameter }) =>
    own === group ? (parameter.grad ?? parameter.sparseGrad?.values ?? []) : [],
  );
}

/** |x| of a gradient g as the next step will see it. */
function sizeAfter({ change }: Gradients, group: number, g: number): number {
  return Math.min(Math.abs(change.scaleOf(group) * g), change.limitOf(group) ?? Infinity);
}

const isOrdinary = (x: number): boolean => x > 0 && x < Infinity;
const power = (x: number, order: number): number => (order === 2 ? x * x : x ** order);
const root = (x: number, order: number): number => (order === 2 ? Math.sqrt(x) : x ** (1 / order));
