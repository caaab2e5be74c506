/** Numbers in bfloat16 that lie in memory, as float32 and back. Arithmetic knows them only as float32. */
import { narrowBits } from "../ir/bfloat16.ts";

/** A copy in float32, which is exact. */
export function widened(halves: Uint16Array): Float32Array {
  const bits = Int32Array.from(halves, (half) => half << 16);
  return new Float32Array(bits.buffer);
}

/** Rounds values to the nearest bfloat16, of two to the even one: where they go is as long as they are. */
export function narrowInto(halves: Uint16Array, values: ArrayLike<number>): void {
  const number = new Float32Array(1);
  const bits = new Int32Array(number.buffer);
  for (let i = 0; i < halves.length; i++) {
    number[0] = values[i]!;
    halves[i] = narrowBits(bits[0]!) >>> 16;
  }
}
