/** How a racer stands at a step of the race, in numbers and in words. */
import type { Track } from "./engine.ts";
import type { Racer } from "./racers.ts";
import type { Point, View } from "./surfaces.ts";

export interface Standing {
  /** Its last step, if that comes before the one that is looked at. */
  readonly step: number;
  readonly x: number;
  readonly y: number;
  readonly loss: number;
  readonly kind: "running" | "arrived" | "resting" | "left" | "diverged" | "refused";
  readonly text: string;
}

/** What does not depend on the step that is looked at. */
export interface Fate {
  /** From which step on it stays at a minimum, `null` for never. */
  readonly arrived: number | null;
  /** From which step on it hardly moves, where minima are not known. */
  readonly rested: number | null;
  /** From which step on it stays out of the picture. */
  readonly left: number | null;
}

/** A racer whose track is known. */
export interface Shown {
  readonly racer: Racer;
  readonly track: Track;
  readonly fate: Fate;
}

/** How near to a minimum counts as there, as a part of the picture's shorter side. */
export const NEAR = 0.01;
/** Rest has to last from this part of the race on. */
const RESTING = 0.5;

export function fateOf({ xs, ys }: Track, minima: readonly Point[], view: View): Fate {
  const [x0, x1, y0, y1] = view;
  const reach = NEAR * Math.min(x1 - x0, y1 - y0);
  const isNear = (i: number): boolean =>
    minima.some(([x, y]) => Math.hypot(xs[i]! - x, ys[i]! - y) <= reach);
  // NaN is out of every picture.
  const isOut = (i: number): boolean =>
    !(xs[i]! >= x0 && xs[i]! <= x1 && ys[i]! >= y0 && ys[i]! <= y1);
  const last = xs.length - 1;
  const isStill = (i: number): boolean =>
    Math.hypot(xs[i]! - xs[last]!, ys[i]! - ys[last]!) <= reach;
  const stood = minima.length > 0 ? null : since(xs.length, isStill);
  return {
    arrived: since(xs.length, isNear),
    rested: stood !== null && stood < RESTING * last ? stood : null,
    left: since(xs.length, isOut),
  };
}

/** From where on something holds to the end. */
function since(length: number, holds: (i: number) => boolean): number | null {
  let first: number | null = null;
  for (let i = length - 1; i >= 0 && holds(i); i--) first = i;
  return first;
}

export function standingAt(track: Track, fate: Fate, step: number): Standing {
  const last = track.xs.length - 1;
  const at = Math.min(step, last);
  const place = { step: at, x: track.xs[at]!, y: track.ys[at]!, loss: track.losses[at]! };
  if (track.refusal !== null)
    return { ...place, kind: "refused", text: track.refusal.split("\n")[0]! };
  const left = fate.left !== null && at >= fate.left ? `left the picture at step ${fate.left}` : "";
  if (track.diverged && at === last) {
    const end = `no finite number from step ${last} on`;
    return { ...place, kind: "diverged", text: left ? `${left}, ${end}` : end };
  }
  if (left) return { ...place, kind: "left", text: left };
  if (fate.arrived !== null && at >= fate.arrived) {
    return { ...place, kind: "arrived", text: `at a minimum since step ${fate.arrived}` };
  }
  if (fate.rested !== null && at >= fate.rested) {
    return { ...place, kind: "resting", text: `at rest since step ${fate.rested}` };
  }
  return { ...place, kind: "running", text: "on its way" };
}
