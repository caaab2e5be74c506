/**
 * Tensors of PyTorch's files: a window with strides on stored bytes.
 *
 * All is checked when the file is read; elements are copied out when they are first asked for, so that a
 * file of many views of one storage takes no memory before.
 */
import { widened } from "../../memory/bfloat16.ts";
import type { AnyTypedArray } from "../dtypes.ts";
import { fromHalf } from "../floats.ts";
import { quoted, refuse } from "./refuse.ts";

/** Bytes of an element, and what shows elements of that size. */
const TYPES = {
  float64: [8, Float64Array],
  float32: [4, Float32Array],
  float16: [2, Uint16Array],
  bfloat16: [2, Uint16Array],
  int64: [8, BigInt64Array],
  int32: [4, Int32Array],
  int16: [2, Int16Array],
  int8: [1, Int8Array],
  uint64: [8, BigUint64Array],
  uint32: [4, Uint32Array],
  uint16: [2, Uint16Array],
  uint8: [1, Uint8Array],
  bool: [1, Uint8Array],
  float8_e4m3fn: [1, Uint8Array],
  float8_e5m2: [1, Uint8Array],
} as const;

/** Type of a tensor's elements, as PyTorch names it. */
export type TorchDType = keyof typeof TYPES;

/** Types by PyTorch's storage classes. */
export const STORAGES: ReadonlyMap<string, TorchDType> = /* @__PURE__ */ new Map<
  string,
  TorchDType
>([
  ["torch DoubleStorage", "float64"],
  ["torch FloatStorage", "float32"],
  ["torch HalfStorage", "float16"],
  ["torch BFloat16Storage", "bfloat16"],
  ["torch LongStorage", "int64"],
  ["torch IntStorage", "int32"],
  ["torch ShortStorage", "int16"],
  ["torch CharStorage", "int8"],
  ["torch ByteStorage", "uint8"],
  ["torch BoolStorage", "bool"],
]);

export function torchDType(name: string): TorchDType | undefined {
  return Object.hasOwn(TYPES, name) ? (name as TorchDType) : undefined;
}

/** Stored bytes; without a type if they came from an `UntypedStorage`. */
export class Storage {
  readonly key: string;
  readonly dtype: TorchDType | undefined;
  readonly bytes: Uint8Array;

  constructor(key: string, dtype: TorchDType | undefined, numel: number, bytes: Uint8Array) {
    this.key = key;
    this.dtype = dtype;
    this.bytes = bytes;
    const expected = numel * (dtype ? TYPES[dtype][0] : 1);
    if (bytes.length !== expected) {
      refuse("BAD_TENSOR", `storage ${quoted(key)}`, `${bytes.length} bytes`, `${expected} bytes`);
    }
  }
}

/** A tensor out of a file of PyTorch's. */
export class SavedTensor {
  readonly dtype: TorchDType;
  readonly shape: readonly number[];
  readonly #storage: Storage;
  readonly #offset: number;
  readonly #strides: readonly number[];
  #data: AnyTypedArray | undefined;

  /** @internal `place` is what a message calls the place in the file. */
  constructor(
    storage: Storage,
    dtype: TorchDType,
    offset: number,
    shape: readonly number[],
    strides: readonly number[],
    place: string,
  ) {
    this.#storage = storage;
    this.dtype = dtype;
    this.#offset = offset;
    this.shape = shape;
    this.#strides = strides;
    const available = Math.floor(storage.bytes.length / TYPES[dtype][0]);
    if (shape.length !== strides.length) {
      refuse("BAD_TENSOR", place, `${strides.length} strides`, `${shape.length}, as dimensions`);
    }
    const size = shape.reduce((product, n) => product * (n || 1), 1);
    const isEmpty = shape.includes(0);
    if (size > Number.MAX_SAFE_INTEGER || (!isEmpty && size > available)) {
      const advice = "A tensor that was expanded must be cloned before it is saved.";
      refuse("BAD_TENSOR", place, shape, `a shape of at most ${available} elements`, advice);
    }
    const last = isEmpty
      ? offset - 1
      : shape.reduce((index, n, axis) => index + (n - 1) * strides[axis]!, offset);
    if (last >= available) {
      refuse("BAD_TENSOR", place, `element ${last} of the storage`, `below ${available}`);
    }
  }

  /**
   * A copy of its elements, row by row, made once. float16 and bfloat16 come as float32, int64 as big integers,
   * bool as 0 and 1, float8 as its bits.
   */
  get data(): AnyTypedArray {
    return (this.#data ??= this.copy());
  }

  /** @internal Another copy, which is not kept. */
  copy(): AnyTypedArray {
    const { dtype, shape } = this;
    const [size, View] = TYPES[dtype];
    const length = shape.reduce((product, n) => product * n, 1);
    const copy = this.#isContiguous()
      ? this.#storage.bytes.slice(size * this.#offset, size * (this.#offset + length))
      : this.#gather(length, size);
    const elements = new View(copy.buffer, 0, length);
    if (dtype === "bfloat16") return widened(elements as Uint16Array);
    return dtype === "float16" ? fromHalf(elements as Uint16Array) : elements;
  }

  #isContiguous(): boolean {
    let step = 1;
    for (let axis = this.shape.length - 1; axis >= 0; axis--) {
      const n = this.shape[axis]!;
      if (n > 1 && this.#strides[axis] !== step) return false;
      step *= n;
    }
    return true;
  }

  #gather(length: number, size: number): Uint8Array<ArrayBuffer> {
    const { shape } = this;
    const { bytes } = this.#storage;
    const copy = new Uint8Array(length * size);
    const index = shape.map(() => 0);
    let from = this.#offset;
    for (let i = 0; i < length; i++) {
      for (let k = 0; k < size; k++) copy[i * size + k] = bytes[from * size + k]!;
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        from += this.#strides[axis]!;
        if (++index[axis]! < shape[axis]!) break;
        from -= shape[axis]! * this.#strides[axis]!;
        index[axis] = 0;
      }
    }
    return copy;
  }
}
