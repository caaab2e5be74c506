/** Options of parameters on a GPU. */
import { ParameterError, type ErrorParts } from "../../errors.ts";
import type { NestedNumbers } from "../shape.ts";
import { acceptValues } from "../values.ts";

/** What a parameter on a GPU takes besides its values. */
export interface GpuParameterOptions {
  /** Key in state dicts and in messages. */
  readonly name?: string;
  /** Row-major; by default that of the values. */
  readonly shape?: readonly number[];
  /** Whether it is trained (default true). */
  readonly requiresGrad?: boolean;
  /**
   * What updates are multiplied by, one number ≥ 0 for each element of a row, that is of `shape.slice(1)`:
   * see `GpuParameter.lrScale`.
   */
  readonly lrScale?: Float32Array | NestedNumbers | null;
  /**
   * Rows that there is to be memory for (default: as many as there are), so that rows may be added later
   * without a move: see `GpuParameter.capacity`.
   */
  readonly capacity?: number;
}

/**
 * Reads for how many rows there is to be memory.
 *
 * @throws {ParameterError} `BAD_OPTION`.
 */
export function readCapacity(label: string, shape: readonly number[], given?: number): number {
  const [rows] = shape;
  if (given === undefined) return rows ?? 1;
  if (rows !== undefined && Number.isSafeInteger(given) && given >= rows) return given;
  throw new ParameterError("BAD_OPTION", {
    subject: `${label}: capacity`,
    got: given,
    expected:
      rows === undefined ? "none, as a single number has no rows" : `a whole number ≥ ${rows}`,
  });
}

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
