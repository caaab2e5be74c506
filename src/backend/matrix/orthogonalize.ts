/** The word for what Muon does: the nearest orthogonal matrix, about. */
import type { Expr, Tensor } from "../../ir/expr.ts";
import { max, norm } from "../../ir/words.ts";
import { newtonSchulz } from "./newton-schulz.ts";

/** What {@link orthogonalize} takes. */
export interface OrthogonalizeOptions {
  /** a, b and c of the polynomial. */
  readonly coefficients: readonly [number, number, number];
  /** How often it is applied: a whole number from 0 on. */
  readonly steps: number;
  /** The least that the norm counts as. */
  readonly eps: number;
}

/**
 * A matrix with the singular vectors of x and singular values near 1, by Newton-Schulz iteration in
 * the elements' own type:
 *
 *     X ← x / max(‖x‖, eps),   then `steps` times   X ← a·X + (b·A + c·A·A)·X,   A = X·Xᵀ
 *
 * For rules with `matrices: true`.
 */
export function orthogonalize(
  x: Tensor,
  { coefficients, steps, eps }: OrthogonalizeOptions,
): Expr<"tensor"> {
  const unit = x.div(max(norm(x), eps));
  const numbers = x.trace.numbers; // used again in every step
  for (let i = 0; i < 3; i++) numbers[i] = coefficients[i]!;
  numbers[3] = steps;
  return x.trace.host(newtonSchulz, unit, 4) as Expr<"tensor">;
}
