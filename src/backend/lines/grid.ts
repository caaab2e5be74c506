/**
 * Where a tensor's matrices lie, and how kernels that run along lines cut them into blocks.
 *
 * What is added up over the lines of a matrix is added up block by block, then over the blocks in order.
 * Blocks follow from the shape alone, so sums have the same bits whoever computes which block.
 */
import type { Domain } from "../../ir/rank.ts";
import type { TypedArray } from "../../memory/dtype.ts";
import type { MatrixPlace } from "../../memory/matrix-place.ts";
import { REDUCTION_BLOCK } from "../backend.ts";

/** Matrices one after another in memory, as a kernel sees them. */
export interface Grid {
  readonly matrices: number;
  /** Lines of each matrix, and elements of each line. */
  readonly height: number;
  readonly width: number;
  /** Lines of each block but the last of a matrix, which may have fewer. */
  readonly lines: number;
  /** Blocks of each matrix, and of all. */
  readonly perMatrix: number;
  readonly blocks: number;
  /** Blocks that are reduced to one number as one, and claimed by a thread as one. */
  readonly chunk: number;
}

/** A matrix falls into no more blocks than this: each has sums of its own for all columns. */
const MOST_BLOCKS = 32;

function gridOf(matrices: number, height: number, width: number): Grid {
  const enough = Math.ceil(REDUCTION_BLOCK / Math.max(1, width));
  const lines = Math.max(1, Math.min(height, Math.max(enough, Math.ceil(height / MOST_BLOCKS))));
  const perMatrix = Math.ceil(height / lines);
  const chunk = perMatrix > 1 ? 1 : Math.max(1, Math.floor(REDUCTION_BLOCK / (height * width)));
  return { matrices, height, width, lines, perMatrix, blocks: matrices * perMatrix, chunk };
}

/** How a parameter's matrices, and what its rows, columns and matrices have, lie. */
export function gridsOf({ sizes, rows, columns }: MatrixPlace): Readonly<Record<Domain, Grid>> {
  const { matrix: matrices } = sizes;
  return {
    tensor: gridOf(matrices, rows, columns),
    row: gridOf(1, matrices, rows),
    column: gridOf(1, matrices, columns),
    matrix: gridOf(1, 1, matrices),
  };
}

/**
 * Adds the sums that the blocks of each matrix have for its columns, and puts them where they belong.
 *
 * @param sums block by block, from `at` on; they are used up.
 */
export function addBlocks(
  { matrices, perMatrix, width }: Grid,
  sums: Float64Array,
  at: number,
  into: TypedArray,
  first: number,
): void {
  for (let m = 0; m < matrices; m++) {
    const own = at + m * perMatrix * width;
    for (let other = own + width; other < own + perMatrix * width; other += width) {
      for (let c = 0; c < width; c++) sums[own + c]! += sums[other + c]!;
    }
    for (let c = 0; c < width; c++) into[first + m * width + c] = sums[own + c]!;
  }
}
