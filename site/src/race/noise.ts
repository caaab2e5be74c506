/** Noise that is the same for every racer in the same step, and the same again for the same seed. */
import type { Point } from "./surfaces.ts";

/** Two independent normal numbers, by Box and Muller. */
export function noiseAt(seed: number, step: number): Point {
  const u = 1 - uniform(seed, 2 * step);
  const angle = 2 * Math.PI * uniform(seed, 2 * step + 1);
  const radius = Math.sqrt(-2 * Math.log(u));
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}

/** In [0, 1): an integer hash of both numbers, whose every bit depends on every bit. */
function uniform(seed: number, index: number): number {
  let h = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca77)) >>> 0;
  for (let round = 0; round < 2; round++) {
    h = Math.imul(h ^ (h >>> 16), 0x21f0aaad);
    h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
    h = (h ^ (h >>> 15)) >>> 0;
  }
  return h / 2 ** 32;
}
