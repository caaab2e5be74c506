/** What a step does about gradients that are infinite or NaN. */
import { GradientError, Prose } from "../errors.ts";
import type { Gradients } from "./gradients.ts";

/**
 * `"propagate"` takes the step all the same, as PyTorch does; `"skip"` leaves it out; `"throw"` throws.
 */
export type NonFinite = "propagate" | "skip" | "throw";

/** @throws {GradientError} `NON_FINITE`, with the first gradient that is to blame. */
export function refuseNonFinite(subject: string, gradients: readonly Gradients[]): never {
  throw new GradientError("NON_FINITE", {
    subject,
    got: new Prose(describeNonFinite(gradients)),
    expected: "finite gradients",
    advice: 'Look at the loss and at lr, or leave such steps out: { nonFinite: "skip" }.',
  });
}

function describeNonFinite(gradients: readonly Gradients[]): string {
  for (const { arenas } of gradients) {
    for (const { key, parameter } of arenas.flatMap(({ entries }) => entries)) {
      const grad = parameter.grad ?? parameter.sparseGrad?.values ?? [];
      const at = grad.findIndex((x) => !Number.isFinite(x));
      if (at >= 0) return `${grad[at]} at element ${at} of the gradient of ${JSON.stringify(key)}`;
    }
  }
  return "gradients that are finite but overflow when they are scaled";
}
