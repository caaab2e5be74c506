/** Values for a tensor, in any form that they may come in. */
import { Prose } from "../errors.ts";
import { dtypeOf, type DType, type TypedArray } from "./dtype.ts";
import { flatten } from "./shape.ts";

/** Throws an error about values that do not fit. */
export type Refuse = (got: unknown, expected: string, advice?: string) => never;

/**
 * The values in row-major order: those of a typed array of the tensor's type, of nested arrays of its
 * shape, or of a flat array. They are not copied if they are flat already.
 */
export function acceptValues(
  values: unknown,
  dtype: DType,
  shape: readonly number[],
  refuse: Refuse,
): TypedArray | number[] {
  const array = dtype === "float32" ? "Float32Array" : "Float64Array";
  const size = shape.reduce((product, n) => product * n, 1);
  const wanted = `shape [${shape.join(", ")}]`;
  const given = dtypeOf(values);
  if (given !== null) {
    const typed = values as TypedArray;
    if (given !== dtype) refuse(values, `a ${array}`, `Convert it: new ${array}(values).`);
    if (typed.length !== size) refuse(values, `${size} elements, ${wanted}`);
    return typed;
  }
  const nested = flatten(values);
  if (nested === null) return refuse(values, `a ${array}, or nested arrays of numbers`);
  const isFlat = nested.shape.length === 1 && nested.values.length === size;
  const fits = nested.shape.length === shape.length && nested.shape.every((n, i) => n === shape[i]);
  if (!fits && !isFlat) refuse(new Prose(`shape [${nested.shape.join(", ")}]`), wanted);
  return nested.values;
}
