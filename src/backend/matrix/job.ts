/** A job block of code on matrices: words such as addresses and counts, then numbers. */
import type { Arena } from "../../memory/arena.ts";
import { numbersAt } from "./writer.ts";

/** Room for one; no two share a cache line. */
export const JOB_BYTES = 128;

export class JobBlock {
  /** Its byte offset. */
  readonly at: number;
  private readonly arena: Arena;
  private readonly length: number;
  /** One word each, in a wide memory two. */
  private words!: Uint32Array;
  private numbers!: Float32Array | Float64Array;

  constructor(arena: Arena, at: number, length: number) {
    this.arena = arena;
    this.at = at;
    this.length = length;
    this.look();
  }

  setWord(index: number, value: number): void {
    if (this.words.length === 0) this.look();
    if (!this.arena.wide) this.words[index] = value;
    else {
      this.words[2 * index] = value;
      this.words[2 * index + 1] = Math.floor(value / 2 ** 32);
    }
  }

  setNumber(index: number, value: number): void {
    if (this.words.length === 0) this.look();
    this.numbers[index] = value;
  }

  /** Views the block; an unshared memory detaches views when it grows. */
  private look(): void {
    const { buffer, dtype, wide } = this.arena;
    const numbers = this.at + numbersAt(this.length, wide ? 8 : 4);
    this.words = new Uint32Array(buffer, this.at, this.length * (wide ? 2 : 1));
    this.numbers =
      dtype === "float32"
        ? new Float32Array(buffer, numbers, 3)
        : new Float64Array(buffer, numbers, 3);
  }
}
