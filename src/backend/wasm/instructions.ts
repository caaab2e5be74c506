/**
 * The WebAssembly instructions that kernels are made of, with the opcodes of the core specification
 * (https://webassembly.github.io/spec/core/binary/instructions.html).
 */

/** An instruction: its name in the text format and its immediates. */
export type Instruction = readonly [name: InstructionName, ...immediates: number[]];

/** Immediates: a block type, an index, alignment and offset, a constant, or bytes: lane numbers, a vector. */
export type ImmediateKind = "block" | "index" | "memory" | "int" | "f32" | "f64" | "lanes";

/** Instructions without immediates; from 0x100 on with the SIMD prefix 0xfd. */
const plain = {
  end: 0x0b,
  select: 0x1b,
  "i32.lt_u": 0x49,
  "i32.ge_u": 0x4f,
  "i64.lt_u": 0x54,
  "i64.ge_u": 0x5a,
  "f32.eq": 0x5b,
  "f32.lt": 0x5d,
  "f32.gt": 0x5e,
  "f32.ge": 0x60,
  "f64.eq": 0x61,
  "f64.lt": 0x63,
  "f64.gt": 0x64,
  "f64.ge": 0x66,
  "i32.add": 0x6a,
  "i32.sub": 0x6b,
  "i32.mul": 0x6c,
  "i32.div_u": 0x6e,
  "i32.and": 0x71,
  "i32.xor": 0x73,
  "i32.shl": 0x74,
  "i32.shr_u": 0x76,
  "i64.add": 0x7c,
  "i64.sub": 0x7d,
  "i64.mul": 0x7e,
  "i64.div_u": 0x80,
  "i64.and": 0x83,
  "i64.shl": 0x86,
  "f32.abs": 0x8b,
  "f32.neg": 0x8c,
  "f32.sqrt": 0x91,
  "f32.add": 0x92,
  "f32.sub": 0x93,
  "f32.mul": 0x94,
  "f32.div": 0x95,
  "f32.min": 0x96,
  "f32.max": 0x97,
  "f64.abs": 0x99,
  "f64.neg": 0x9a,
  "f64.sqrt": 0x9f,
  "f64.add": 0xa0,
  "f64.sub": 0xa1,
  "f64.mul": 0xa2,
  "f64.div": 0xa3,
  "f64.min": 0xa4,
  "f64.max": 0xa5,
  "i32.wrap_i64": 0xa7,
  "i64.trunc_f64_s": 0xb0,
  "f32.convert_i32_s": 0xb2,
  "f64.convert_i32_s": 0xb7,
  "f32.demote_f64": 0xb6,
  "f64.promote_f32": 0xbb,
  "i32.reinterpret_f32": 0xbc,
  "f32.reinterpret_i32": 0xbe,
  "i32x4.splat": 0x111,
  "f32x4.splat": 0x113,
  "f64x2.splat": 0x114,
  "i32x4.eq": 0x137,
  "f32x4.eq": 0x141,
  "f32x4.ne": 0x142,
  "f32x4.lt": 0x143,
  "f32x4.gt": 0x144,
  "f32x4.ge": 0x146,
  "f64x2.eq": 0x147,
  "f64x2.ne": 0x148,
  "f64x2.lt": 0x149,
  "f64x2.gt": 0x14a,
  "f64x2.ge": 0x14c,
  "v128.and": 0x14e,
  "v128.andnot": 0x14f,
  "v128.or": 0x150,
  "v128.xor": 0x151,
  "v128.bitselect": 0x152,
  "i32x4.shl": 0x1ab,
  "i32x4.shr_u": 0x1ad,
  "i32x4.add": 0x1ae,
  "i32x4.mul": 0x1b5,
  "i32x4.max_s": 0x1b8,
  "i64x2.gt_s": 0x1d9,
  "f32x4.demote_f64x2_zero": 0x15e,
  "f64x2.promote_low_f32x4": 0x15f,
  "i64x2.eq": 0x1d6,
  "f32x4.abs": 0x1e0,
  "f32x4.neg": 0x1e1,
  "f32x4.sqrt": 0x1e3,
  "f32x4.add": 0x1e4,
  "f32x4.sub": 0x1e5,
  "f32x4.mul": 0x1e6,
  "f32x4.div": 0x1e7,
  "f32x4.min": 0x1e8,
  "f32x4.max": 0x1e9,
  "f32x4.pmin": 0x1ea,
  "f32x4.pmax": 0x1eb,
  "f64x2.abs": 0x1ec,
  "f64x2.neg": 0x1ed,
  "f64x2.sqrt": 0x1ef,
  "f64x2.add": 0x1f0,
  "f64x2.sub": 0x1f1,
  "f64x2.mul": 0x1f2,
  "f64x2.div": 0x1f3,
  "f64x2.min": 0x1f4,
  "f64x2.max": 0x1f5,
  "f64x2.pmin": 0x1f6,
  "f64x2.pmax": 0x1f7,
} as const;

const withImmediates = {
  block: [0x02, "block"],
  loop: [0x03, "block"],
  br_if: [0x0d, "index"],
  "local.get": [0x20, "index"],
  "local.set": [0x21, "index"],
  "local.tee": [0x22, "index"],
  "i32.load": [0x28, "memory"],
  "i64.load": [0x29, "memory"],
  "f32.load": [0x2a, "memory"],
  "f64.load": [0x2b, "memory"],
  "i32.load16_u": [0x2f, "memory"],
  "f32.store": [0x38, "memory"],
  "f64.store": [0x39, "memory"],
  "i32.store16": [0x3b, "memory"],
  "i32.const": [0x41, "int"],
  "i64.const": [0x42, "int"],
  "f32.const": [0x43, "f32"],
  "f64.const": [0x44, "f64"],
  "v128.load": [0x100, "memory"],
  "v128.load16x4_u": [0x104, "memory"],
  "v128.load32_splat": [0x109, "memory"],
  "v128.load64_splat": [0x10a, "memory"],
  "v128.store": [0x10b, "memory"],
  "v128.const": [0x10c, "lanes"],
  "i8x16.shuffle": [0x10d, "lanes"],
  "f64x2.extract_lane": [0x121, "lanes"],
} as const;

export type InstructionName = keyof typeof plain | keyof typeof withImmediates;

const none: readonly [number, undefined] = [0, undefined];

/** Opcode and kind of immediates of an instruction. */
export function describe(name: InstructionName): readonly [number, ImmediateKind | undefined] {
  if (name in plain) return [plain[name as keyof typeof plain], undefined];
  return withImmediates[name as keyof typeof withImmediates] ?? none;
}

/** The type of addresses: of 32 bits, or of 64 in a memory that may be larger than 4 GiB. */
export type AddressType = "i32" | "i64";

export type ValueType = AddressType | "f32" | "f64" | "v128";

export interface Local {
  readonly name: string;
  readonly type: ValueType;
}

/** One function without a result: all that a kernel's module exports. */
export interface WasmFunction {
  /** Of the memory that it works on. */
  readonly address: AddressType;
  /** Numbers that JavaScript hands over as they are: i32, or f64 where addresses have more bits. */
  readonly params: readonly Local[];
  readonly locals: readonly Local[];
  readonly body: readonly Instruction[];
}
