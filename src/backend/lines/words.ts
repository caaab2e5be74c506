/**
 * Words that sum up rows and columns. With them comes what runs kernels along these.
 *
 * A parameter of two dimensions or more is a matrix, or several: its last two dimensions are rows and
 * columns, those before count the matrices. A value may have one number per row, per column or per
 * matrix; where such values meet others, they broadcast as matrices do whose other sides are 1 long.
 */
import { cutLines } from "../../ir/cut-lines.ts";
import type { Expr, PerColumn, PerMatrix, PerRow, Tensor } from "../../ir/expr.ts";
import { provideLines } from "../../ir/lines.ts";
import { Op } from "../../ir/op.ts";
import { traceOf } from "../../ir/words.ts";
import type { LineRunner } from "./engine.ts";
import { LinePlan, sumBytes } from "./plan.ts";

const runner: LineRunner = {
  cut: cutLines,
  bind: (plan, room) => new LinePlan(plan, room),
  sumBytes,
};

// Bundlers keep this where any word of this file is used, and drop it with the file where none is.
provideLines(runner);

/** One number per row of a tensor; of what columns have, one per matrix. */
type OfRows<X> = X extends Tensor ? PerRow : PerMatrix;
/** One number per column of a tensor; of what rows have, one per matrix. */
type OfColumns<X> = X extends Tensor ? PerColumn : PerMatrix;

/**
 * Sum of each row Σⱼ xᵢⱼ, in float64 and a fixed order.
 *
 * @throws {RuleError} `NOT_A_MATRIX` for a parameter of fewer than two dimensions.
 */
export const rowSum = <X extends Tensor | PerColumn>(x: X): OfRows<X> =>
  matrixTrace("rowSum", x).unary(Op.rowSum, x) as OfRows<X>;

/** Sum of each column Σᵢ xᵢⱼ, as {@link rowSum}. */
export const columnSum = <X extends Tensor | PerRow>(x: X): OfColumns<X> =>
  matrixTrace("columnSum", x).unary(Op.columnSum, x) as OfColumns<X>;

/** Mean of each row: its sum over the number of columns. */
export const rowMean = <X extends Tensor | PerColumn>(x: X): OfRows<X> =>
  (rowSum(x) as Expr).div(x.trace.leaf(Op.columns)) as Expr as OfRows<X>;

/** Mean of each column: its sum over the number of rows. */
export const columnMean = <X extends Tensor | PerRow>(x: X): OfColumns<X> =>
  (columnSum(x) as Expr).div(x.trace.leaf(Op.rows)) as Expr as OfColumns<X>;

function matrixTrace(word: string, x: Expr) {
  const trace = traceOf(word, x);
  trace.requireMatrix(word);
  return trace;
}
