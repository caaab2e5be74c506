/**
 * A WebAssembly assembler for the one shape of module that kernels need: it imports a memory and
 * exports a function `run`. Written by hand because every general one is larger than Downhill.
 */
import { describe, type Instruction, type ValueType, type WasmFunction } from "./instructions.ts";

/** As many as engines allow, so that every memory fits. */
export const MAX_PAGES = { i32: 65_536, i64: 262_144 };
const MAGIC_AND_VERSION = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

const typeCode: Record<ValueType, number> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
};

/** The bytes of a module around `func`, whose memory is imported as `env.memory`. */
export function assemble(func: WasmFunction, sharedMemory: boolean): Uint8Array<ArrayBuffer> {
  const type = [0x60, ...vector(func.params.map((param) => [typeCode[param.type]])), 0];
  const flags = (sharedMemory ? 3 : 1) | (func.address === "i64" ? 4 : 0);
  const limits = [flags, ...unsigned(1), ...unsigned(MAX_PAGES[func.address])];
  const code = [...localGroups(func), ...func.body.flatMap(encode), 0x0b];
  return Uint8Array.from([
    ...MAGIC_AND_VERSION,
    ...section(1, [type]),
    ...section(2, [[...text("env"), ...text("memory"), 2, ...limits]]),
    ...section(3, [[0]]),
    ...section(7, [[...text("run"), 0, 0]]),
    ...section(10, [[...unsigned(code.length), ...code]]),
  ]);
}

function section(id: number, items: number[][]): number[] {
  const content = vector(items);
  return [id, ...unsigned(content.length), ...content];
}

function vector(items: readonly number[][]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function text(ascii: string): number[] {
  return [...unsigned(ascii.length), ...[...ascii].map((letter) => letter.charCodeAt(0))];
}

/** Locals are declared as runs of equal types. */
function localGroups({ locals }: WasmFunction): number[] {
  const groups: { type: ValueType; count: number }[] = [];
  for (const { type } of locals) {
    const last = groups.at(-1);
    if (last?.type === type) last.count++;
    else groups.push({ type, count: 1 });
  }
  return vector(groups.map(({ type, count }) => [...unsigned(count), typeCode[type]]));
}

function encode([name, ...immediates]: Instruction): number[] {
  const [opcode, kind] = describe(name);
  const head = opcode < 0x100 ? [opcode] : [0xfd, ...unsigned(opcode - 0x100)];
  switch (kind) {
    case undefined:
      return head;
    case "block":
      return [...head, 0x40];
    case "int":
      return [...head, ...signed(immediates[0]!)];
    case "f32":
      return [...head, ...new Uint8Array(Float32Array.of(immediates[0]!).buffer)];
    case "f64":
      return [...head, ...new Uint8Array(Float64Array.of(immediates[0]!).buffer)];
    case "lanes":
      return [...head, ...immediates];
    default:
      return [...head, ...immediates.flatMap(unsigned)];
  }
}

/** LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  do {
    const rest = Math.floor(value / 128);
    bytes.push((value & 127) | (rest > 0 ? 128 : 0));
    value = rest;
  } while (value > 0);
  return bytes;
}

function signed(value: number): number[] {
  const bytes: number[] = [];
  for (;;) {
    const byte = value & 127;
    value >>= 7;
    if ((value === 0 && byte < 64) || (value === -1 && byte >= 64)) return [...bytes, byte];
    bytes.push(byte | 128);
  }
}
