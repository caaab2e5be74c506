/**
 * How a schedule gets from one value to another.
 *
 * `Math.cos` and `**` may differ in the last bit from engine to engine. So the cosine is a series here,
 * and whole powers are repeated squaring: a run has the same learning rates everywhere.
 */
import { pow } from "../ir/words.ts";

/** Ways to anneal, by their names in options. */
export type AnnealStrategy = "cos" | "linear";

/** From 1 at `q` = 0 to 0 at `q` = 1: what is left of the way. */
export const left: Readonly<Record<AnnealStrategy, (q: number) => number>> = {
  cos: (q) => {
    const c = cosPi(q / 2); // cos² of the half: exact at both ends, and no cancellation near 1
    return c * c;
  },
  linear: (q) => 1 - q,
};

/** cos(πx), to a unit or two in the last place; exact where it is 0, 1 or -1. */
export function cosPi(x: number): number {
  const turn = Math.abs(x) % 2;
  const half = turn > 1 ? 2 - turn : turn;
  if (half > 0.5) return -cosine(1 - half);
  return cosine(half);
}

/** cos(πx) for x from 0 to 1/2: Taylor's series of the cosine, or beyond 1/4 that of the sine. */
function cosine(x: number): number {
  const small = x <= 0.25;
  const y = Math.PI * (small ? x : 0.5 - x);
  let sum = 1;
  for (let n = small ? 18 : 19; n > 1; n -= 2) sum = 1 - (sum * y * y) / (n * (n - 1));
  return small ? sum : sum * y;
}

/** base^exponent, with the same bits on every engine where the exponent is whole. */
export function power(base: number, exponent: number): number {
  return Number.isSafeInteger(exponent) && exponent >= 0 ? pow(base, exponent) : base ** exponent;
}
