/**
 * The model: a picture as a sum of a few thousand Gaussians, each of them a row of one parameter.
 *
 *     picture(at) = Σ weight · colour · (exp(-q(at)) - exp(-CUT)),  over the Gaussians with q(at) < CUT
 *     q(at) = dᵀ Σ⁻¹ d / 2,  d = at - (x, y)
 *     Σ = R(angle) diag(exp(2 logSx) + BLUR², exp(2 logSy) + BLUR²) R(angle)ᵀ
 *
 * A sum needs no order, so nothing is sorted. A Gaussian ends at three standard deviations, where it is zero
 * and not merely small, so that what is left out at its border is nothing; and it is never thinner than
 * half a pixel (BLUR), so that none slips between the pixels. Coordinates run from 0 to 1.
 */

/** What a row holds, in order. */
export const columns = [
  "x",
  "y",
  "logSx",
  "logSy",
  "angle",
  "red",
  "green",
  "blue",
  "weight",
] as const;

/** Floats of a row. */
export const WIDTH = columns.length;

/** What the learning rate of each column is multiplied by. */
export const lrScale = [0.1, 0.1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5];

/** Three standard deviations. */
export const CUT = 4.5;
export const BLUR_IN_PIXELS = 0.5;

/** Grey Gaussians, scattered evenly and just large enough to cover the picture together. */
export function initialRows(count: number, seed: number): Float32Array<ArrayBuffer> {
  const random = randomNumbers(seed);
  const rows = new Float32Array(count * WIDTH);
  const logS = Math.log(1 / Math.sqrt(2 * Math.PI * count));
  for (let i = 0; i < count; i++) {
    const stretch = 0.3 * (random() - 0.5);
    const [x, y, angle] = [random(), random(), Math.PI * random()];
    rows.set([x, y, logS + stretch, logS - stretch, angle, 0.5, 0.5, 0.5, 0.8], i * WIDTH);
  }
  return rows;
}

/** Numbers from 0 to 1, the same ones for the same seed: a Weyl sequence, its bits mixed. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let bits = state;
    bits = Math.imul(bits ^ (bits >>> 16), 0x21f0aaad);
    bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97);
    return ((bits ^ (bits >>> 15)) >>> 0) / 2 ** 32;
  };
}
