/**
 * Learning curves as numbers: what the report draws, and the arithmetic between a list of losses
 * and a picture of it. A figure is some 700 pixels wide, so it needs no more than that many points.
 */
import { divergedAt } from "../../training/losses.ts";

/** The losses of one training run, in the order of its steps. */
export interface Curve {
  readonly label: string;
  readonly losses: ArrayLike<number>;
}

/** One optimizer's line in the comparison. */
export interface ComparisonRow {
  /** The name that selects the optimizer on the command line, e.g. `adam`. */
  readonly key: string;
  readonly label: string;
  /** The hyperparameters that were set, e.g. `lr=0.001`. */
  readonly options: string;
  /** Where the averaged curve ends, see `movingAverage`. */
  readonly finalLoss: number;
  /** Fraction of the test examples that were classified correctly, from 0 to 1. */
  readonly testAccuracy: number;
  /** The same for PyTorch's float64 run; `null` if there is none. */
  readonly torchAccuracy: number | null;
  /** Largest |ours - PyTorch float64| over all steps; `null` without a PyTorch run. */
  readonly distance: number | null;
  /** Largest |PyTorch float32 - PyTorch float64| over all steps; `null` without a PyTorch run. */
  readonly torchDistance: number | null;
  /** Mean milliseconds per step spent on the loss and its gradient. */
  readonly gradientMs: number;
  /** Mean milliseconds per step spent in the optimizer. */
  readonly optimizerMs: number;
  /** How many numbers the optimizer updates in a step. */
  readonly parameters: number;
  readonly steps: number;
}

/** A point of a drawn line; a `y` that is not finite leaves a gap. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/**
 * |a - b| at every step that both have.
 *
 * Where both diverged in the same way (the same infinity, or both NaN) they agree, and the distance
 * is 0; where only one did, it is infinite.
 */
export function distances(a: ArrayLike<number>, b: ArrayLike<number>): Float64Array {
  const out = new Float64Array(Math.min(a.length, b.length));
  for (let i = 0; i < out.length; i++) {
    const [x, y] = [a[i] ?? Number.NaN, b[i] ?? Number.NaN];
    const distance = Object.is(x, y) ? 0 : Math.abs(x - y);
    out[i] = Number.isNaN(distance) ? Number.POSITIVE_INFINITY : distance;
  }
  return out;
}

/**
 * The largest |a - b| over all steps; 0 for two empty curves.
 *
 * @throws RangeError if the curves have different numbers of steps: they would not be comparable.
 */
export function largestDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) {
    throw new RangeError(`cannot compare ${a.length} losses with ${b.length}: not the same steps`);
  }
  return distances(a, b).reduce((largest, distance) => Math.max(largest, distance), 0);
}

/**
 * At most some `2 * buckets` points that look like the whole curve: the smallest and the largest
 * value of each bucket of steps, in their order, so that no spike is lost. Steps count from 1.
 */
export function thin(values: ArrayLike<number>, buckets: number): Point[] {
  const points: Point[] = [];
  const size = Math.max(1, Math.ceil(values.length / buckets));
  for (let start = 0; start < values.length; start += size) {
    const kept = new Set<number>();
    if (start === 0) kept.add(0);
    const end = Math.min(start + size, values.length);
    let [low, high] = [-1, -1];
    for (let i = start; i < end; i++) {
      const value = values[i] ?? Number.NaN;
      if (!Number.isFinite(value)) kept.add(i);
      else if (low < 0) low = high = i;
      else if (value < (values[low] ?? 0)) low = i;
      else if (value > (values[high] ?? 0)) high = i;
    }
    for (const index of [low, high, end === values.length ? end - 1 : -1]) {
      if (index >= 0) kept.add(index);
    }
    points.push(...[...kept].toSorted((a, b) => a - b).map((i) => pointAt(values, i)));
  }
  return dropRepeatedGaps(points);
}

function pointAt(values: ArrayLike<number>, index: number): Point {
  return { x: index + 1, y: values[index] ?? Number.NaN };
}

function dropRepeatedGaps(points: readonly Point[]): Point[] {
  return points.filter((point, i) => {
    const before = points[i - 1];
    return Number.isFinite(point.y) || before === undefined || Number.isFinite(before.y);
  });
}

/**
 * The largest value of each `size` steps: an upper envelope, for values whose lows mean nothing.
 * A bucket without a finite value above zero becomes a gap: a log axis has no place for it.
 */
export function envelope(values: ArrayLike<number>, size: number): Point[] {
  const points: Point[] = [];
  for (let start = 0; start < values.length; start += size) {
    const end = Math.min(start + size, values.length);
    let largest = 0;
    for (let i = start; i < end; i++) {
      const value = values[i] ?? Number.NaN;
      if (Number.isFinite(value)) largest = Math.max(largest, value);
    }
    points.push({ x: (start + 1 + end) / 2, y: largest > 0 ? largest : Number.NaN });
  }
  return points;
}

/**
 * The part of a line between `low` and `high`: what lies outside becomes a gap, with points added
 * exactly where the line leaves and comes back.
 */
export function clip(points: readonly Point[], low: number, high: number): Point[] {
  return negated(clipAbove(negated(clipAbove(points, high)), -low));
}

function negated(points: readonly Point[]): Point[] {
  return points.map(({ x, y }) => ({ x, y: -y }));
}

function clipAbove(points: readonly Point[], top: number): Point[] {
  const out: Point[] = [];
  points.forEach((point, i) => {
    const before = points[i - 1];
    const bothFinite = before !== undefined && Number.isFinite(before.y + point.y);
    if (bothFinite && before.y > top !== point.y > top) {
      const across = (top - before.y) / (point.y - before.y);
      out.push({ x: before.x + across * (point.x - before.x), y: top });
    }
    out.push(point.y > top ? { x: point.x, y: Number.NaN } : point);
  });
  return dropRepeatedGaps(out);
}

/**
 * The losses a chart should have room for: from 0 (or the smallest, if negative) to the largest.
 * A run that explodes must not press the others flat: values beyond three times the worst first
 * loss are left out once a curve diverged or went ten times beyond it.
 */
export function lossRange(curves: readonly ArrayLike<number>[]): [low: number, high: number] {
  const values = curves.flatMap((curve) => Array.from(curve)).filter(Number.isFinite);
  const largest = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const first = Math.max(0, ...curves.map((curve) => curve[0] ?? 0).filter(Number.isFinite));
  const exploded = largest > 10 * first || curves.some((curve) => divergedAt(curve) !== null);
  const high = exploded && first > 0 ? Math.min(largest, 3 * first) : largest;
  const low = values.reduce((a, b) => Math.min(a, b), 0);
  return high > low ? [low, high] : [low, low + 1];
}
