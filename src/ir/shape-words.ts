/** Words that ask for the shape of the parameter at hand: rules may differ by it. */
import type { Expr, Tensor } from "./expr.ts";
import { traceOf } from "./words.ts";

/** Whether the parameter at hand has rows and columns: two dimensions or more. */
export const isMatrix = (x: Expr): boolean => traceOf("isMatrix", x).isMatrix;
/** Number of rows of the parameter at hand; for rules with `matrices: true`. */
export const rowsOf = (x: Tensor): number => traceOf("rowsOf", x).matrix("rowsOf")[0];
/** Number of columns of the parameter at hand; for rules with `matrices: true`. */
export const columnsOf = (x: Tensor): number => traceOf("columnsOf", x).matrix("columnsOf")[1];
