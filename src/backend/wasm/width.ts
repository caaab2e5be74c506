/**
 * Instructions and locals of one width: vectors, or single elements. This is all in which the two
 * differ, but for a few operations.
 */
import { bytesOf, type DType } from "../../memory/dtype.ts";
import type { InstructionName, ValueType } from "./instructions.ts";
import type { FunctionWriter } from "./writer.ts";

export type Width = "vector" | "scalar";

/** Lanes of `i8x16.shuffle` that bring the upper half of a vector down. */
const UPPER_HALF = [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15];

export class WidthWriter {
  readonly width: Width;
  protected readonly dtype: DType;
  protected readonly writer: FunctionWriter;

  constructor(width: Width, dtype: DType, writer: FunctionWriter) {
    this.width = width;
    this.dtype = dtype;
    this.writer = writer;
  }

  /** Prefix of arithmetic instructions, e.g. `f32x4`. */
  get prefix(): "f32" | "f64" | "f32x4" | "f64x2" {
    if (this.width === "scalar") return this.dtype === "float32" ? "f32" : "f64";
    return this.dtype === "float32" ? "f32x4" : "f64x2";
  }

  /** Two elements of a vector of float32, the lower or the upper ones, as float64. */
  widened(name: string, half: 0 | 1): void {
    widen(this.writer, name, half);
  }

  protected splat(offset: number): void {
    const bits = this.dtype === "float32" ? 32 : 64;
    this.writer.emit(`v128.load${bits}_splat`, this.alignment(), offset);
  }

  protected hoistConstant(value: number): void {
    this.writer.emit(this.dtype === "float32" ? "f32.const" : "f64.const", value);
    if (this.width === "vector") this.emit("splat");
    this.writer.set(this.constant(value), this.type(false));
  }

  protected emit(operation: string, ...immediates: number[]): void {
    this.writer.emit(`${this.prefix}.${operation}` as InstructionName, ...immediates);
  }

  /** The local of 0, -0, 1 or the threshold, e.g. `2^-115.v`. */
  protected constant(value: number): string {
    if (Object.is(value, -0)) return this.local("-0");
    return this.local(Number.isInteger(value) ? `${value}` : `2^${Math.log2(value)}`);
  }

  /** Vectors and single elements keep apart: `g.v`, `g.x`. */
  protected local(name: string): string {
    return `${name}.${this.width === "vector" ? "v" : "x"}`;
  }

  protected type(isMask: boolean): ValueType {
    if (this.width === "vector") return "v128";
    return isMask ? "i32" : this.dtype === "float32" ? "f32" : "f64";
  }

  /** Tensors start at any multiple of an element, so no more may be promised to the engine. */
  protected alignment(): number {
    return Math.log2(bytesOf(this.dtype));
  }
}

/** Leaves two elements of a vector of float32, the lower or the upper ones, on the stack as float64. */
export function widen(writer: FunctionWriter, name: string, half: 0 | 1): void {
  writer.get(name);
  if (half === 1) {
    writer.get(name);
    writer.emit("i8x16.shuffle", ...UPPER_HALF);
  }
  writer.emit("f64x2.promote_low_f32x4");
}
