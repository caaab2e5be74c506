/**
 * Exponential growth and a year's rhythm:
 *
 *     c(x) = level + growth·τ·(e^(s/τ) - 1)
 *            + (swing + widening·s/10)·cos 2π(x - peak) + swing2·cos 4π(x - peak2),   s = x - 1990
 *
 * so growth in 1990 is `growth`, and before it all began c was level - growth·τ. The derivatives are written
 * by hand. They share almost everything with the value, so one pass over the data gives both.
 */
import type { Measurements } from "./data.ts";

/** What is looked for: `start` is a guess from a glance at the data, of which `scale` is a typical error. */
export const unknowns = [
  {
    name: "level",
    unit: "ppm",
    start: 350,
    scale: 10,
    meaning: "in 1990, without the year's waves",
  },
  { name: "growth", unit: "ppm/year", start: 1, scale: 0.5, meaning: "in 1990" },
  {
    name: "tau",
    unit: "years",
    start: 100,
    scale: 50,
    meaning: "in which growth becomes e times as fast",
  },
  {
    name: "swing",
    unit: "ppm",
    start: 2,
    scale: 1,
    meaning: "up and down in the course of the year, in 1990",
  },
  { name: "widening", unit: "ppm/decade", start: 0, scale: 0.5, meaning: "of that swing" },
  {
    name: "peak",
    unit: "years",
    start: 0.4,
    scale: 0.1,
    meaning: "from New Year to the top of that wave",
  },
  { name: "swing2", unit: "ppm", start: 0.5, scale: 0.5, meaning: "of a wave of half a year" },
  {
    name: "peak2",
    unit: "years",
    start: 0.4,
    scale: 0.1,
    meaning: "from New Year to the top of that wave",
  },
] as const;

const TURN = 2 * Math.PI;

/** The model's value at `x`; its derivatives by the unknowns go into `slopes`. */
export function model(values: ArrayLike<number>, x: number, slopes: Float64Array): number {
  const [level, growth, tau, swing, widening, peak, swing2, peak2] = values as unknown as number[];
  const s = x - 1990;
  const e = Math.exp(s / tau!);
  const amplitude = swing! + (widening! * s) / 10;
  const year = TURN * (x - peak!);
  const half = 2 * TURN * (x - peak2!);
  const cos = Math.cos(year);
  const cosHalf = Math.cos(half);
  slopes[0] = 1;
  slopes[1] = tau! * (e - 1);
  slopes[2] = growth! * (e - 1 - (s / tau!) * e);
  slopes[3] = cos;
  slopes[4] = (s / 10) * cos;
  slopes[5] = amplitude * TURN * Math.sin(year);
  slopes[6] = cosHalf;
  slopes[7] = swing2! * 2 * TURN * Math.sin(half);
  return level! + growth! * slopes[1] + amplitude * cos + swing2! * cosHalf;
}

/**
 * The mean squared error, and its gradient, of unknowns that are counted in their scales from their starts:
 * a change by 1 then is as much for each of them, which is what optimizers want.
 */
export class Misfit {
  evaluations = 0;
  private readonly data: Measurements;
  private readonly values = new Float64Array(unknowns.length);
  private readonly slopes = new Float64Array(unknowns.length);

  constructor(data: Measurements) {
    this.data = data;
  }

  evaluate(scaled: Float64Array, gradient: Float64Array): number {
    const { values, slopes } = this;
    const { x, y } = this.data;
    this.evaluations++;
    unscale(scaled, values);
    gradient.fill(0);
    let sum = 0;
    for (let i = 0; i < x.length; i++) {
      const error = model(values, x[i]!, slopes) - y[i]!;
      sum += error * error;
      for (let k = 0; k < slopes.length; k++) gradient[k]! += error * slopes[k]!;
    }
    unknowns.forEach(({ scale }, k) => (gradient[k]! *= (2 * scale) / x.length));
    return sum / x.length;
  }
}

/** The unknowns themselves. */
export function unscale(scaled: ArrayLike<number>, values: Float64Array): Float64Array {
  unknowns.forEach(({ start, scale }, k) => (values[k] = start + scale * scaled[k]!));
  return values;
}
