/** What the updates of each component of a row are multiplied by. */
import { ParameterError, type ErrorParts } from "../../errors.ts";
import type { NestedNumbers } from "../shape.ts";
import { acceptValues } from "../values.ts";

/**
 * Reads factors: as many numbers ≥ 0 as a row has elements, flat or nested; `null` for none.
 *
 * @throws {ParameterError} `BAD_OPTION`.
 */
export function readLrScale(
  label: string,
  shape: readonly number[],
  given: Float32Array | NestedNumbers | null,
): readonly number[] | null {
  if (given === null) return null;
  const refuse = (parts: Omit<ErrorParts, "subject">): never => {
    throw new ParameterError("BAD_OPTION", { subject: `${label}: lrScale`, ...parts });
  };
  const values = acceptValues(given, "float32", shape.slice(1), (got, expected, advice = "") =>
    refuse({ got, expected: `a factor for each element of a row: ${expected}`, advice }),
  );
  const factors = Array.from(values, Math.fround);
  const at = factors.findIndex((factor) => !(factor >= 0 && factor < Infinity));
  if (at >= 0) refuse({ got: values[at], expected: "finite numbers ≥ 0" });
  return Object.freeze(factors);
}
