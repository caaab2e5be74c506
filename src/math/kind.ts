/**
 * What a value of a rule may be: sets of kinds, as a choice made by the host may give one or another.
 *
 * Numbers are the host's, in float64; scalars and tensors are traced, see ../ir/expr.ts; masks are what
 * comparing those gives.
 */
import type { Expr, Mask } from "../ir/expr.ts";

export type Value = number | boolean | Expr | Mask;

/** A set of the bits below. */
export type Kind = number;

export const NUMBER = 1;
export const SCALAR = 2;
export const TENSOR = 4;
export const BOOLEAN = 8;
/** A comparison of scalars. */
export const SCALAR_MASK = 16;
export const MASK = 32;
/** All that arithmetic takes. */
export const OPERAND = NUMBER | SCALAR | TENSOR;
export const ANY_MASK = SCALAR_MASK | MASK;

const names: readonly (readonly [Kind, string])[] = [
  [NUMBER, "a number"],
  [SCALAR, "a scalar"],
  [TENSOR, "a tensor"],
  [BOOLEAN, "true or false"],
  [ANY_MASK, "a comparison of tensors"],
];

/** `a number or a tensor` */
export function describeKind(kind: Kind): string {
  if (kind === OPERAND) return "a number or a tensor";
  const found = names.filter(([bits]) => (kind & bits) !== 0).map(([, name]) => name);
  return found.join(" or ");
}

/** What arithmetic makes of two operands. */
export function joined(a: Kind, b: Kind): Kind {
  const numbers = a & b & NUMBER;
  const hasScalar = (a & SCALAR && b & (NUMBER | SCALAR)) || (b & SCALAR && a & NUMBER);
  return numbers | (hasScalar ? SCALAR : 0) | ((a | b) & TENSOR);
}
