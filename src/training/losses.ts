/**
 * The arithmetic of a list of losses. A loss over 64 examples jumps from step to step, so people look at a
 * moving average; a loss that is not finite is a run that diverged, and is never averaged away.
 */

/** The moving average's window that suits a run: about a fiftieth of its steps, odd, at most 201. */
export function smoothingWindow(steps: number): number {
  return 2 * Math.min(100, Math.floor(steps / 100)) + 1;
}

/**
 * The centred mean over `window` values (an even window counts as the next odd one).
 *
 * At the beginning the window shrinks on both sides alike, so the average starts at the first value
 * instead of below it; at the end it loses only its right half, so the average ends at a mean and
 * not at one noisy step. A value that is not finite is an end and a new beginning: a diverged step
 * stays one and spoils no other.
 */
export function movingAverage(values: ArrayLike<number>, window: number): Float64Array {
  const n = values.length;
  const half = Math.max(0, Math.floor(window / 2));
  const average = Float64Array.from(values);
  for (let i = 0, start = 0, end = 0; i < n; i++) {
    if (!Number.isFinite(values[i])) {
      start = i + 1;
      continue;
    }
    if (end <= i) for (end = i + 1; end < n && Number.isFinite(values[end]); end++);
    const width = Math.min(half, i - start);
    average[i] = mean(values, i - width, Math.min(i + width, end - 1));
  }
  return average;
}

function mean(values: ArrayLike<number>, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i <= to; i++) sum += values[i] ?? 0;
  return sum / (to - from + 1);
}

/** The first step (counted from 1) whose loss is not finite, or `null` if the run held. */
export function divergedAt(losses: ArrayLike<number>): number | null {
  for (let i = 0; i < losses.length; i++) if (!Number.isFinite(losses[i])) return i + 1;
  return null;
}
