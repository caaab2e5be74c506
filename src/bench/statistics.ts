// Medians and quartiles, and whether a measurement agrees with its own repetition.

export interface Summary {
  readonly median: number;
  readonly lower: number;
  readonly upper: number;
}

/** The value below which a share `q` of the sorted values lies, between neighbours in proportion. */
function quantile(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (at - below) * (sorted[above]! - sorted[below]!);
}

export function summarize(values: ArrayLike<number>): Summary {
  const sorted = Float64Array.from(values).toSorted();
  return {
    median: quantile(sorted, 0.5),
    lower: quantile(sorted, 0.25),
    upper: quantile(sorted, 0.75),
  };
}

/**
 * Whether two halves of a run say the same: the median of each lies within the quartiles of the other,
 * or they differ by less than 2 %.
 */
export function agrees(values: readonly number[]): boolean {
  const middle = Math.floor(values.length / 2);
  if (middle === 0) return false;
  const a = summarize(values.slice(0, middle));
  const b = summarize(values.slice(middle));
  const inside = (x: number, { lower, upper }: Summary) => x >= lower && x <= upper;
  if (Math.abs(a.median - b.median) <= 0.02 * Math.min(a.median, b.median)) return true;
  return inside(a.median, b) && inside(b.median, a);
}
