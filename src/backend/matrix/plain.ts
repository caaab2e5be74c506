/**
 * One step of the Newton-Schulz iteration in plain TypeScript: what the interpreter runs, and what the
 * generated code is held to. Each element is a sum from k = 0 up, rounded to the elements' type after
 * every product and every sum; for + and × rounding the float64 result gives the bits of float32.
 */
import type { TypedArray } from "../../memory/dtype.ts";

/** Rooms for Uᵀ·U, for the polynomial of it, and for a row. */
export interface PlainRoom {
  readonly gram: TypedArray;
  readonly polynomial: TypedArray;
  readonly row: TypedArray;
}

/**
 * U ← a·U + U·(b·A + c·A·A) with A = Uᵀ·U, for a matrix of `n` rows and `m` columns.
 *
 * @param u the matrix, row after row.
 */
export function newtonSchulzStep(
  u: TypedArray,
  n: number,
  m: number,
  [a, b, c]: readonly [number, number, number],
  { gram, polynomial, row }: PlainRoom,
): void {
  const round = u instanceof Float32Array ? Math.fround : (x: number) => x;
  for (let i = 0; i < m; i++) {
    row.fill(0, 0, m);
    for (let k = 0; k < n; k++) addScaled(row, u[k * m + i]!, u, k * m, m);
    for (let j = 0; j < m; j++) gram[i * m + j] = row[j]!;
  }
  for (let i = 0; i < m; i++) {
    row.fill(0, 0, m);
    for (let k = 0; k < m; k++) addScaled(row, gram[i * m + k]!, gram, k * m, m);
    for (let j = 0; j < m; j++) {
      polynomial[i * m + j] = round(b * gram[i * m + j]!) + round(c * row[j]!);
    }
  }
  for (let i = 0; i < n; i++) {
    row.fill(0, 0, m);
    for (let k = 0; k < m; k++) addScaled(row, u[i * m + k]!, polynomial, k * m, m);
    for (let j = 0; j < m; j++) u[i * m + j] = round(a * u[i * m + j]!) + row[j]!;
  }
}

/** into ← into + x · row, for a row of `count` elements that begins at `from`. */
function addScaled(
  into: TypedArray,
  x: number,
  rows: TypedArray,
  from: number,
  count: number,
): void {
  if (into instanceof Float32Array) {
    for (let j = 0; j < count; j++) into[j]! += Math.fround(x * rows[from + j]!);
  } else {
    for (let j = 0; j < count; j++) into[j]! += x * rows[from + j]!;
  }
}
