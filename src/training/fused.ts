/**
 * Whether jax-js multiplies and adds in one rounding here, by `f32x4.relaxed_madd`, which engines before 2023 (Node
 * 20's too) and some of today lack. Losses are the same to the bit among those that have it, and among the others.
 */
export function isFused(): boolean {
  const bytes = probe.match(/../g)!.map((byte) => Number.parseInt(byte, 16));
  return WebAssembly.validate(Uint8Array.from(bytes));
}

/** A module with this one instruction. */
const probe = "0061736d0100000001080160037b7b7b017b030201000a0d010b00200020012002fd85020b";
