/**
 * The axes that figures and terminal plots share: the range of the losses, whether it is a
 * logarithmic one, and where the ticks are.
 *
 * Plot would choose ticks too, but the terminal needs the same ones, steps must be whole, and a
 * distance may span three decades or thirty. Losses stand on a log axis wherever they fall far
 * enough, because a loss that goes from 2.3 to 0.05 leaves nine tenths of a linear chart empty.
 */

import { lossRange } from "./curves.ts";
import { formatScientific } from "../../bench/format.ts";

/** A vertical axis. */
export interface Axis {
  readonly type: "linear" | "log";
  readonly domain: readonly [low: number, high: number];
  readonly ticks: readonly number[];
  readonly format: (value: number) => string;
}

/** The axis for some curves; `room` is how far below the smallest loss a log axis begins. */
export function lossAxis(curves: readonly ArrayLike<number>[], room = 1.2): Axis {
  const [low, high] = lossRange(curves);
  let smallest = Number.POSITIVE_INFINITY;
  for (const curve of curves) {
    for (let i = 0; i < curve.length; i++) smallest = Math.min(smallest, curve[i] || smallest);
  }
  if (smallest > 0 && Number.isFinite(smallest) && high > 5 * smallest) {
    return logAxis(smallest / room, high * 1.15);
  }
  return linearAxis(low, low + (high - low) * 1.08);
}

export function logAxis(low: number, high: number): Axis {
  return { type: "log", domain: [low, high], ticks: logTicks(low, high), format: tickLabel };
}

export function linearAxis(low: number, high: number): Axis {
  return { type: "linear", domain: [low, high], ticks: niceTicks(low, high, 5), format: tickLabel };
}

/** Where a value stands on an axis: 0 at its low end, 1 at its high end. */
export function shareOf({ type, domain: [low, high] }: Axis, value: number): number {
  if (type === "linear") return (value - low) / (high - low);
  return Math.log(value / low) / Math.log(high / low);
}

function tickLabel(value: number): string {
  const size = Math.abs(value);
  return value === 0 || (size >= 1e-3 && size < 1e5) ? String(value) : formatScientific(value, 0);
}

/** Round numbers (1, 2 or 5 times a power of ten apart) from `low` to `high`, about `count` of them. */
export function niceTicks(low: number, high: number, count: number): number[] {
  const rough = (high - low) / Math.max(1, count);
  if (!(rough > 0) || !Number.isFinite(rough)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough * 0.999) ?? 10);
  const ticks: number[] = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) {
    ticks.push(Number((i * step).toPrecision(12)));
  }
  return ticks;
}

/** 1, 2 and 5 times the powers of ten from `low` to `high`, or the powers alone if that is enough. */
export function logTicks(low: number, high: number): number[] {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  if (last - first > 4) return decadeTicks(first + 1, last - 1);
  const ticks: number[] = [];
  for (let exponent = first; exponent <= last; exponent++) {
    for (const factor of [1, 2, 5]) ticks.push(Number(`${factor}e${exponent}`));
  }
  return ticks.filter((tick) => tick >= low && tick <= high);
}

/** Whole powers of ten from `10^low` to `10^high`, at most five or so. */
export function decadeTicks(low: number, high: number): number[] {
  const every = Math.max(1, Math.ceil((high - low) / 4));
  const ticks: number[] = [];
  for (let exponent = high; exponent >= low; exponent -= every) ticks.push(Number(`1e${exponent}`));
  return ticks;
}

/** A power of ten as a reader writes it: 1e-7 is `10⁻⁷`. */
export function powerOfTen(value: number): string {
  const exponent = String(Math.round(Math.log10(value)));
  return `10${Array.from(exponent, (c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(c)])).join("")}`;
}
