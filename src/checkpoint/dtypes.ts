/** The types of elements that safetensors knows, and the typed arrays that show them. */

/** Bits of an element. The order is that in which tensors are written, from the last: the widest first. */
const BITS = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const;

/** Type of a tensor's elements, as safetensors names it. */
export type SafeDType = keyof typeof BITS;

/** A typed array that may stand for a tensor. */
export type AnyTypedArray =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

interface ViewType {
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): AnyTypedArray;
  readonly BYTES_PER_ELEMENT: number;
}

/** What shows each type; what JavaScript has no numbers for shows as bits, C64 as pairs. */
const VIEWS: Readonly<Partial<Record<SafeDType, ViewType>>> = {
  I8: Int8Array,
  I16: Int16Array,
  U16: Uint16Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I32: Int32Array,
  U32: Uint32Array,
  F32: Float32Array,
  C64: Float32Array,
  F64: Float64Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
};

/** Which type an array is written as. */
const TYPES: ReadonlyMap<unknown, SafeDType> = /* @__PURE__ */ new Map<unknown, SafeDType>([
  [Uint8Array, "U8"],
  [Int8Array, "I8"],
  [Uint16Array, "U16"],
  [Int16Array, "I16"],
  [Uint32Array, "U32"],
  [Int32Array, "I32"],
  [Float32Array, "F32"],
  [Float64Array, "F64"],
  [BigInt64Array, "I64"],
  [BigUint64Array, "U64"],
]);

const ranks: ReadonlyMap<string, number> = /* @__PURE__ */ new Map(
  /* @__PURE__ */ Object.keys(BITS).map((name, rank) => [name, rank]),
);

let words: readonly (readonly [SafeDType, Uint8Array])[] | undefined;

/** The type whose name a text says, if there is one. */
export function dtypeThat(text: { says(word: Uint8Array): boolean }): SafeDType | undefined {
  words ??= [...ranks.keys()].map((name) => [name as SafeDType, new TextEncoder().encode(name)]);
  for (const [name, word] of words) if (text.says(word)) return name;
  return undefined;
}

export function bitsOf(dtype: SafeDType): number {
  return BITS[dtype];
}

/** Greater for types that are written earlier. */
export function rankOf(dtype: SafeDType): number {
  return ranks.get(dtype)!;
}

/** The type that an array is written as; `undefined` for what is no typed array of numbers. */
export function dtypeOfArray(value: unknown): SafeDType | undefined {
  if (!ArrayBuffer.isView(value)) return undefined;
  for (const [type, dtype] of TYPES) if (value instanceof (type as ViewType)) return dtype;
  return undefined;
}

/** Bytes as elements: without a copy where they lie at a multiple of the element's size. */
export function elementsOf(dtype: SafeDType, bytes: Uint8Array): AnyTypedArray {
  const type = VIEWS[dtype];
  if (!type) return bytes;
  const size = type.BYTES_PER_ELEMENT;
  const own = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  return new type(own.buffer, own.byteOffset, own.byteLength / size);
}

export function typeNames(): string {
  return [...ranks.keys()].join(", ");
}
