/** The same picture and the same gradients in plain TypeScript, in float64: what the shaders are held to. */
import { BLUR_IN_PIXELS, CUT, WIDTH } from "./model.ts";

/** A Gaussian as it is drawn. */
interface Drawn {
  readonly x: number;
  readonly y: number;
  /** Half of its box. */
  readonly reach: readonly [number, number];
  /** Σ⁻¹: xx, xy, yy. */
  readonly conic: readonly [number, number, number];
  /** 1 / variance along its own two axes, and the part of the variance that logSx and logSy make. */
  readonly precision: readonly [number, number];
  readonly own: readonly [number, number];
  /** Colour times weight. */
  readonly color: readonly [number, number, number];
}

export interface Fit {
  /** Mean squared error of all three channels. */
  readonly loss: number;
  /** Red, green and blue of each pixel. */
  readonly picture: Float64Array;
  /** ∂loss/∂rows. */
  readonly gradient: Float64Array;
}

/**
 * Forward and backward.
 *
 * @param rows as {@link columns} says.
 * @param target red, green and blue of each pixel, `size` by `size` of them.
 */
export function fit(rows: ArrayLike<number>, target: ArrayLike<number>, size: number): Fit {
  const drawn = Array.from({ length: rows.length / WIDTH }, (_, i) => prepare(rows, i, size));
  const picture = new Float64Array(3 * size * size);
  for (const splat of drawn) {
    forEachPixel(splat, size, (pixel, q) => {
      const density = Math.exp(-q) - Math.exp(-CUT);
      for (let c = 0; c < 3; c++) picture[3 * pixel + c]! += splat.color[c]! * density;
    });
  }
  const errors = picture.map((value, i) => value - target[i]!);
  const loss = errors.reduce((sum, error) => sum + error * error, 0) / errors.length;
  const gradient = new Float64Array(rows.length);
  const slopes = errors.map((error) => (2 * error) / errors.length);
  drawn.forEach((splat, i) => gradient.set(backward(splat, rows, i, slopes, size), i * WIDTH));
  return { loss, picture, gradient };
}

function prepare(rows: ArrayLike<number>, i: number, size: number): Drawn {
  const [x, y, logSx, logSy, angle, red, green, blue, weight] = rowOf(rows, i);
  const blur = (BLUR_IN_PIXELS / size) ** 2;
  const own = [Math.exp(2 * logSx), Math.exp(2 * logSy)] as const;
  const [vx, vy] = [own[0] + blur, own[1] + blur];
  const precision = [1 / vx, 1 / vy] as const;
  const [px, py] = precision;
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  return {
    x,
    y,
    reach: [
      Math.sqrt(2 * CUT * (c * c * vx + s * s * vy)),
      Math.sqrt(2 * CUT * (s * s * vx + c * c * vy)),
    ],
    conic: [c * c * px + s * s * py, c * s * (px - py), s * s * px + c * c * py],
    precision,
    own,
    color: [weight * red, weight * green, weight * blue],
  };
}

/** Calls back for each pixel that a Gaussian reaches, with q and the distance from the mean. */
function forEachPixel(
  { x, y, reach, conic }: Drawn,
  size: number,
  visit: (pixel: number, q: number, dx: number, dy: number) => void,
): void {
  const first = (at: number): number => Math.max(0, Math.ceil(at * size - 0.5));
  const last = (at: number): number => Math.min(size - 1, Math.floor(at * size - 0.5));
  for (let row = first(y - reach[1]); row <= last(y + reach[1]); row++) {
    for (let column = first(x - reach[0]); column <= last(x + reach[0]); column++) {
      const dx = (column + 0.5) / size - x;
      const dy = (row + 0.5) / size - y;
      const q = 0.5 * (conic[0] * dx * dx + conic[2] * dy * dy) + conic[1] * dx * dy;
      if (q < CUT) visit(row * size + column, q, dx, dy);
    }
  }
}

/** The gradient of row i. @param slopes ∂loss/∂picture. */
function backward(
  splat: Drawn,
  rows: ArrayLike<number>,
  i: number,
  slopes: Float64Array,
  size: number,
): number[] {
  const { color, conic, precision, own } = splat;
  const dColor = [0, 0, 0];
  let [dX, dY, dA, dB, dC] = [0, 0, 0, 0, 0];
  forEachPixel(splat, size, (pixel, q, dx, dy) => {
    const gauss = Math.exp(-q);
    let dQ = 0;
    for (let c = 0; c < 3; c++) {
      const slope = slopes[3 * pixel + c]!;
      dColor[c]! += slope * (gauss - Math.exp(-CUT));
      dQ -= slope * color[c]! * gauss;
    }
    dX -= dQ * (conic[0] * dx + conic[1] * dy);
    dY -= dQ * (conic[1] * dx + conic[2] * dy);
    dA += 0.5 * dQ * dx * dx;
    dB += dQ * dx * dy;
    dC += 0.5 * dQ * dy * dy;
  });
  const [, , , , angle, red, green, blue, weight] = rowOf(rows, i);
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  const dPx = c * c * dA + c * s * dB + s * s * dC;
  const dPy = s * s * dA - c * s * dB + c * c * dC;
  return [
    dX,
    dY,
    -2 * own[0] * precision[0] ** 2 * dPx,
    -2 * own[1] * precision[1] ** 2 * dPy,
    2 * conic[1] * (dC - dA) + (conic[0] - conic[2]) * dB,
    weight * dColor[0]!,
    weight * dColor[1]!,
    weight * dColor[2]!,
    red * dColor[0]! + green * dColor[1]! + blue * dColor[2]!,
  ];
}

type Row = [number, number, number, number, number, number, number, number, number];

function rowOf(rows: ArrayLike<number>, i: number): Row {
  return Array.from({ length: WIDTH }, (_, k) => rows[i * WIDTH + k]!) as Row;
}
