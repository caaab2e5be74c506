/** The two floating-point types a parameter can have, and what follows from each. */

/** Element type of a parameter, its gradient and its state. */
export type DType = "float32" | "float64";

/** The typed array that holds elements of type `D`. */
export type TypedArray<D extends DType = DType> = D extends "float32" ? Float32Array : Float64Array;

/** Bytes of one element. */
export function bytesOf(dtype: DType): 4 | 8 {
  return dtype === "float32" ? 4 : 8;
}

/** A view of `length` elements from `byteOffset` on. */
export function viewOf<D extends DType>(
  dtype: D,
  buffer: ArrayBufferLike,
  byteOffset: number,
  length: number,
): TypedArray<D> {
  const view =
    dtype === "float32"
      ? new Float32Array(buffer, byteOffset, length)
      : new Float64Array(buffer, byteOffset, length);
  return view as TypedArray<D>;
}

/** The type of a float array, or `null` for anything else. */
export function dtypeOf(value: unknown): DType | null {
  if (value instanceof Float32Array) return "float32";
  if (value instanceof Float64Array) return "float64";
  return null;
}
