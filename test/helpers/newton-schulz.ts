/** Newton-Schulz iteration in plain float64, as PyTorch's documentation of Muon has it. */

/** Rows of numbers. */
export type Matrix = number[][];

const product = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((sum, x, k) => sum + x * b[k]![j]!, 0)));
const transpose = (a: Matrix): Matrix => a[0]!.map((_, j) => a.map((row) => row[j]!));
export const map = (a: Matrix, b: Matrix, f: (x: number, y: number) => number): Matrix =>
  a.map((row, i) => row.map((x, j) => f(x, b[i]![j]!)));

/** X ← a·X + (b·A + c·A·A)·X with A = X·Xᵀ, so many times. */
export function iterate(
  matrix: Matrix,
  [a, b, c]: readonly [number, number, number],
  times: number,
): Matrix {
  const isTall = matrix.length > matrix[0]!.length;
  let x = isTall ? transpose(matrix) : matrix;
  for (let time = 0; time < times; time++) {
    const gram = product(x, transpose(x));
    const polynomial = map(gram, product(gram, gram), (once, twice) => b * once + c * twice);
    x = map(x, product(polynomial, x), (each, change) => a * each + change);
  }
  return isTall ? transpose(x) : x;
}
