/** Curves as a chart wants them while they grow: averaged anew only where that changes, and of few points. */
import { movingAverage, smoothingWindow } from "../../../../src/training/losses.ts";

/**
 * Brings the moving average of a run's losses up to date.
 *
 * @param values, average both as long as the whole run.
 * @param before how many losses it has been brought up to date for.
 * @param done how many there are.
 */
export function smooth(
  values: Float64Array,
  average: Float64Array,
  before: number,
  done: number,
): void {
  const window = smoothingWindow(values.length);
  const half = Math.floor(window / 2);
  // The last averages had no right half yet; they need values to their left in turn.
  const first = Math.max(0, before - half);
  const begin = Math.max(0, first - half);
  const tail = movingAverage(values.subarray(begin, done), window);
  average.set(tail.subarray(first - begin), first);
}

/** At most this many places have a value in a chart. */
const MOST_PLACES = 1200;

/** The steps that a chart of a run shows, as numbers of steps taken before: the first and every so many. */
export function placesOf(steps: number): number[] {
  const stride = Math.max(1, Math.ceil(steps / MOST_PLACES));
  return Array.from({ length: Math.ceil(steps / stride) }, (_, i) => i * stride);
}
