/** A tensor of a safetensors file that was read. */
import { elementsOf, type AnyTypedArray, type SafeDType } from "./dtypes.ts";

/** A tensor of a file that was read. */
export class StoredTensor {
  readonly dtype: SafeDType;
  readonly shape: readonly number[];
  /** @internal From and to which byte, counted from the first tensor. */
  readonly begin: number;
  /** @internal */
  readonly end: number;
  private readonly body: Uint8Array;

  /** @internal */
  constructor(
    body: Uint8Array,
    dtype: SafeDType,
    shape: readonly number[],
    begin: number,
    end: number,
  ) {
    this.body = body;
    this.dtype = dtype;
    this.shape = shape;
    this.begin = begin;
    this.end = end;
  }

  /** Its bytes in the file, not copied. */
  get bytes(): Uint8Array {
    return this.body.subarray(this.begin, this.end);
  }

  /**
   * Its elements, row by row: a view of the file where it lies at a multiple of the element's size, else
   * a copy. F16 and BF16 show as their bits, C64 as pairs, F8, F6 and F4 as bytes.
   */
  get data(): AnyTypedArray {
    return elementsOf(this.dtype, this.bytes);
  }
}
