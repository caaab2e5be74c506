/** Shapes, and plain nested arrays of numbers read as tensors. */
import { ParameterError } from "../errors.ts";

/** A number, or evenly nested arrays of numbers. */
export type NestedNumbers = number | readonly NestedNumbers[];

/** @throws {ParameterError} `BAD_SHAPE` unless it is an array of whole numbers ≥ 0. */
export function sizeOfShape(shape: readonly number[], label: string): number {
  const fits = Array.isArray(shape) && shape.every((n) => Number.isSafeInteger(n) && n >= 0);
  const size = fits ? shape.reduce((product, n) => product * n, 1) : NaN;
  if (Number.isSafeInteger(size)) return size;
  throw new ParameterError("BAD_SHAPE", {
    subject: `${label}: shape`,
    got: shape,
    expected: "an array of whole numbers ≥ 0",
  });
}

/** Values in row-major order and their shape; `null` if the nesting is uneven or not of numbers. */
export function flatten(nested: unknown): { values: number[]; shape: number[] } | null {
  const shape: number[] = [];
  for (let level = nested; Array.isArray(level); level = level[0]) shape.push(level.length);
  const values: number[] = [];
  return fill(nested, shape, 0, values) ? { values, shape } : null;
}

function fill(nested: unknown, shape: readonly number[], depth: number, into: number[]): boolean {
  if (depth === shape.length) return typeof nested === "number" && into.push(nested) > 0;
  if (!Array.isArray(nested) || nested.length !== shape[depth]) return false;
  for (const part of nested) if (!fill(part, shape, depth + 1, into)) return false;
  return true;
}
