/** Numbers of types that JavaScript has no arrays for, as float32, which holds them exactly. */
import { CheckpointError, Prose } from "../errors.ts";
import { widened } from "../memory/bfloat16.ts";
import { elementsOf, type SafeDType } from "./dtypes.ts";
import type { StoredTensor } from "./stored-tensor.ts";

/**
 * A copy of a tensor as float32: exact for F32, F16, BF16, F8_E4M3 and F8_E5M2; F64 is rounded.
 *
 * @throws {CheckpointError} `BAD_TENSOR` for other types, and for numbers that float32 cannot hold.
 *
 * @example
 * const { tensors } = readSafetensors(bytes); // of a model in BF16
 * const params = [...tensors].map(([name, tensor]) =>
 *   parameter(toFloat32(tensor), { name, shape: tensor.shape }),
 * );
 */
export function toFloat32(tensor: StoredTensor): Float32Array {
  return asFloat32(tensor, "toFloat32");
}

/** Whether a tensor of such a type can be one of float32. */
export function isFloat(dtype: SafeDType): boolean {
  return FLOATS.includes(dtype);
}

const FLOATS: readonly SafeDType[] = ["F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"];

/** @param subject what messages call it. */
export function asFloat32({ dtype, bytes }: StoredTensor, subject: string): Float32Array {
  if (dtype === "F32") return elementsOf(dtype, new Uint8Array(bytes)) as Float32Array;
  if (dtype === "F64") return narrowed(elementsOf(dtype, bytes) as Float64Array, subject);
  const values = exactFloat32(dtype, bytes);
  if (values) return values;
  const got = new Prose(`a tensor of ${dtype}`);
  throw new CheckpointError("BAD_TENSOR", { subject, got, expected: FLOATS.join(", ") });
}

/** Those of less than 32 bits; `null` for other types. */
export function exactFloat32(dtype: SafeDType, bytes: Uint8Array): Float32Array | null {
  switch (dtype) {
    case "F16":
      return fromHalf(elementsOf(dtype, bytes) as Uint16Array);
    case "BF16":
      return widened(elementsOf(dtype, bytes) as Uint16Array);
    case "F8_E5M2": // the upper half of a half
      return fromHalf(Uint16Array.from(bytes, (byte) => byte << 8));
    case "F8_E4M3":
      return Float32Array.from(bytes, fromE4M3);
    default:
      return null;
  }
}

function narrowed(values: Float64Array, subject: string): Float32Array {
  const rounded = Float32Array.from(values);
  const at = values.findIndex((x, i) => Number.isFinite(x) && !Number.isFinite(rounded[i]));
  if (at < 0) return rounded;
  const expected = "numbers that float32 can hold";
  throw new CheckpointError("BAD_TENSOR", { subject, got: values[at], expected });
}

/** Numbers in IEEE's half precision. */
export function fromHalf(halves: Uint16Array): Float32Array {
  return Float32Array.from(halves, halfValue);
}

function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent === 0
    ? sign * fraction * 2 ** -24
    : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** 4 bits of exponent, 3 of fraction, no infinity: https://arxiv.org/abs/2209.05433. */
function fromE4M3(byte: number): number {
  const sign = byte & 0x80 ? -1 : 1;
  const [exponent, fraction] = [(byte >> 3) & 15, byte & 7];
  if (exponent === 15 && fraction === 7) return NaN;
  const size = exponent === 0 ? fraction * 2 ** -9 : (8 + fraction) * 2 ** (exponent - 10);
  return sign * size;
}
