/** Where a parameter with rows and columns has its parts of the state. */
import type { Domain, SlotRank } from "../ir/rank.ts";

/** One parameter with rows and columns. */
export interface MatrixPlace {
  /** Per kind of state the elements from the start of a region to the parameter's part, and in it. */
  readonly offsets: Readonly<Record<SlotRank, number>>;
  readonly sizes: Readonly<Record<Domain, number>>;
  /** Rows and columns of each matrix. */
  readonly rows: number;
  readonly columns: number;
}

/**
 * @param offsets where its parts of regions begin.
 * @returns `null` for a shape of fewer than two dimensions. Without elements there are no rows either.
 */
export function matrixPlace(
  shape: readonly number[],
  offsets: Readonly<Record<SlotRank, number>>,
): MatrixPlace | null {
  if (shape.length < 2) return null;
  const tensor = shape.reduce((product, n) => product * n, 1);
  const [rows, columns] = shape.slice(-2) as [number, number];
  const matrices = tensor === 0 ? 0 : tensor / (rows * columns);
  const sizes = { tensor, row: matrices * rows, column: matrices * columns, matrix: matrices };
  return { offsets, sizes, rows, columns };
}
