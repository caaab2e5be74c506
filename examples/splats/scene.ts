/** Pictures to fit: a landscape that is computed, or one of the user's. */

/** Red, green and blue, from 0 to 1. */
type Color = readonly [number, number, number];

export const DEFAULT_SIZE = 256;

/** A lake in the evening, `size` by `size` pixels: red, green, blue and alpha from 0 to 255. */
export function landscape(size: number): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(4 * size * size);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const color: number[] = [0, 0, 0];
      // Four samples per pixel.
      for (const [dx, dy] of [
        [1, 1],
        [3, 1],
        [1, 3],
        [3, 3],
      ] as const) {
        const sample = colorAt((column + dx / 4) / size, (row + dy / 4) / size);
        for (let c = 0; c < 3; c++) color[c]! += sample[c]! / 4;
      }
      pixels.set([...color.map((value) => 255 * value), 255], 4 * (row * size + column));
    }
  }
  return pixels;
}

const SHORE = 0.7;
const SUN = [0.66, 0.4] as const;

function colorAt(x: number, y: number): Color {
  if (y > SHORE) return lake(x, y);
  return land(x, y) ?? sky(x, y);
}

function sky(x: number, y: number): Color {
  const away = Math.hypot(x - SUN[0], y - SUN[1]);
  const height = y / SHORE;
  const air = mix([0.16, 0.2, 0.42], mix([0.93, 0.52, 0.42], [1, 0.8, 0.5], height), height ** 1.3);
  const glow = mix(air, [1, 0.86, 0.55], 0.7 * Math.exp(-away * 6));
  const cloud = smooth(0.5, 0.75, noise(5 * x + 2 * y, 22 * y, 4)) * smooth(0.55, 0.1, y);
  const clouded = mix(glow, mix([0.98, 0.68, 0.6], [0.45, 0.33, 0.5], y * 1.4), 0.75 * cloud);
  const star = y < 0.25 && hash(Math.floor(90 * x), Math.floor(90 * y)) > 0.985 ? 0.5 - 2 * y : 0;
  return mix(mix(clouded, [1, 1, 0.95], star), [1, 0.97, 0.82], smooth(0.075, 0.07, away));
}

/** Mountains, hills and trees, nearest first. */
function land(x: number, y: number): Color | null {
  if (y > trees(x)) return [0.05, 0.09, 0.1];
  const layers = [
    {
      base: 0.64,
      rise: 0.12,
      detail: 3,
      seed: 7,
      near: [0.13, 0.24, 0.2],
      far: [0.26, 0.36, 0.28],
    },
    { base: 0.56, rise: 0.2, detail: 4, seed: 3, near: [0.22, 0.3, 0.38], far: [0.4, 0.4, 0.48] },
    {
      base: 0.46,
      rise: 0.34,
      detail: 5,
      seed: 1,
      near: [0.42, 0.38, 0.52],
      far: [0.72, 0.55, 0.6],
    },
  ] as const;
  for (const { base, rise, detail, seed, near, far } of layers) {
    const ridge = base - rise * (noise(3 * x + 17 * seed, seed, detail) - 0.35);
    if (y <= ridge) continue;
    const rock = noise(24 * x + seed, 40 * (y - ridge) + 9 * x, 3);
    const body = mix(far, near, smooth(0, 0.16, y - ridge) * 0.7 + 0.5 * (rock - 0.5));
    const snow = seed === 1 ? smooth(0.09, 0.02, y - ridge + 0.1 * rock - 0.03) * 0.8 : 0;
    return mix(body, [1, 0.9, 0.88], snow);
  }
  return null;
}

/** The upper edge of a row of firs before the shore. */
function trees(x: number): number {
  let edge = SHORE - 0.012 - 0.01 * noise(40 * x, 5, 2);
  for (const spacing of [0.023, 0.031]) {
    const tree = Math.floor(x / spacing);
    const height = (0.03 + 0.09 * hash(tree, 11) ** 2) * (x < 0.45 || x > 0.82 ? 1 : 0.35);
    const off = Math.abs(x / spacing - tree - 0.5) * 2;
    const branches = 0.12 * Math.abs(((off * 5) % 1) - 0.5);
    edge = Math.min(edge, SHORE - height * (1 - off - branches));
  }
  return edge;
}

/** What is above, upside down, darker, broken by waves; and the sun's path. */
function lake(x: number, y: number): Color {
  const depth = (y - SHORE) / (1 - SHORE);
  const wave = noise(7 * x, 60 * Math.sqrt(depth) + 4 * x, 3) - 0.5;
  const mirrored = SHORE - (y - SHORE) * 1.5 + 0.05 * wave * depth;
  const seen = land(x + 0.02 * wave, mirrored) ?? sky(x + 0.02 * wave, mirrored);
  const water = mix(seen, [0.08, 0.16, 0.28], 0.35 + 0.25 * depth);
  const path = Math.exp(-(((x - SUN[0]) / (0.03 + 0.09 * depth)) ** 2));
  return mix(water, [1, 0.85, 0.55], path * smooth(0.02, 0.2, wave) * 0.9);
}

function mix(a: Color, b: Color, share: number): Color {
  const t = Math.min(1, Math.max(0, share));
  return [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1]), a[2] + t * (b[2] - a[2])];
}

/** From 0 at `from` to 1 at `to`, which may be the smaller one. */
function smooth(from: number, to: number, x: number): number {
  const t = Math.min(1, Math.max(0, (x - from) / (to - from)));
  return t * t * (3 - 2 * t);
}

/** Value noise, from 0 to 1: octaves of smoothly joined random numbers. */
function noise(x: number, y: number, octaves: number): number {
  let [sum, weight, total] = [0, 1, 0];
  for (let octave = 0; octave < octaves; octave++, weight /= 2) {
    const [fx, fy] = [x * 2 ** octave, y * 2 ** octave];
    const [ix, iy] = [Math.floor(fx), Math.floor(fy)];
    const [tx, ty] = [smooth(0, 1, fx - ix), smooth(0, 1, fy - iy)];
    const upper = hash(ix, iy) * (1 - tx) + hash(ix + 1, iy) * tx;
    const lower = hash(ix, iy + 1) * (1 - tx) + hash(ix + 1, iy + 1) * tx;
    sum += weight * (upper * (1 - ty) + lower * ty);
    total += weight;
  }
  return sum / total;
}

/** A number from 0 to 1 for each pair of integers. */
function hash(x: number, y: number): number {
  let bits = Math.imul(x, 0x27d4eb2d) ^ Math.imul(y, 0x165667b1);
  bits = Math.imul(bits ^ (bits >>> 15), 0x2c1b3c6d);
  bits = Math.imul(bits ^ (bits >>> 12), 0x297a2d39);
  return ((bits ^ (bits >>> 15)) >>> 0) / 2 ** 32;
}

/** The middle of a picture of the user's, scaled to `size` by `size` pixels. */
export async function pixelsOf(file: Blob, size: number): Promise<Uint8ClampedArray<ArrayBuffer>> {
  const bitmap = await createImageBitmap(file);
  const { width, height } = bitmap;
  const side = Math.min(width, height);
  const context = new OffscreenCanvas(size, size).getContext("2d")!;
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, (width - side) / 2, (height - side) / 2, side, side, 0, 0, size, size);
  return context.getImageData(0, 0, size, size).data as Uint8ClampedArray<ArrayBuffer>;
}
