/**
 * A heap such as other libraries have, for tests: first come, first served, addresses that are multiples of
 * 8 and no more, rubbish in all memory that it hands out, and a memory that grows only when it must.
 */
import type { Heap } from "../../src/memory/foreign.ts";

const PAGE = 65_536;
const HEAD = 8;
const RUBBISH = 0x7f;

export class TestHeap implements Heap {
  readonly memory: WebAssembly.Memory;
  private readonly most: number;
  private used = 8;
  private readonly sizes = new Map<number, number>();
  private readonly spare = new Map<number, number[]>();

  constructor({ shared = false, most = 4096 } = {}) {
    this.memory = new WebAssembly.Memory({ initial: 1, maximum: 4096, shared });
    this.most = most;
  }

  /** Bytes that are in use. */
  get bytes(): number {
    let sum = 0;
    for (const size of this.sizes.values()) sum += size;
    return sum;
  }

  /** Bytes of the memory that have ever been in use. */
  get high(): number {
    return this.used;
  }

  readonly allocate = (bytes: number): number => {
    // Never a multiple of 16 bytes.
    const size = Math.ceil((bytes + HEAD) / 16) * 16;
    const at = this.spare.get(size)?.pop() ?? this.extend(size);
    if (at === 0) return 0;
    this.sizes.set(at, size);
    new Uint8Array(this.memory.buffer, at, size).fill(RUBBISH);
    return at;
  };

  readonly free = (at: number): void => {
    const size = this.sizes.get(at);
    if (size === undefined) throw new Error(`${at} is not in use`);
    this.sizes.delete(at);
    this.spare.set(size, [...(this.spare.get(size) ?? []), at]);
    new Uint8Array(this.memory.buffer, at, size).fill(RUBBISH);
  };

  /** Throws if anything was written to memory after it was freed. */
  check(): void {
    for (const [size, all] of this.spare) {
      for (const at of all) {
        const bytes = new Uint8Array(this.memory.buffer, at, size);
        if (!bytes.every((byte) => byte === RUBBISH)) throw new Error(`${at} was written to`);
      }
    }
  }

  /** Address of new floats. */
  floats(values: Float32Array): number {
    const at = this.allocate(values.byteLength);
    this.view(at, values.length).set(values);
    return at;
  }

  view(at: number, length: number): Float32Array {
    return new Float32Array(this.memory.buffer, at, length);
  }

  private extend(size: number): number {
    const missing = Math.ceil((this.used + size) / PAGE) - this.memory.buffer.byteLength / PAGE;
    if (this.memory.buffer.byteLength / PAGE + missing > this.most) return 0;
    if (missing > 0) this.memory.grow(missing);
    const at = this.used;
    this.used += size;
    return at;
  }
}
