/**
 * A kernel's job block in an arena: what JavaScript writes there for the code, and what it reads.
 *
 * Where threads share a kernel that reduces, each of its chunks has a block of its own, so that each
 * keeps its lanes until all are there.
 */
import type { OpCode } from "../../ir/op.ts";
import type { KernelIr } from "../../ir/plan.ts";
import type { Arena } from "../../memory/arena.ts";
import { LANES, withLanes } from "../backend.ts";
import { jobLayout, type JobLayout } from "./layout.ts";

export class JobBlock {
  protected readonly arena: Arena;
  protected readonly layout: JobLayout;
  /** Byte offset of the first block. */
  protected readonly at: number;
  /** Bytes from one block to the next. */
  protected readonly stride: number;
  /** Operations of the reductions. */
  private readonly reducers: readonly OpCode[];
  /** One word each, in a wide memory two. */
  private pointers!: Uint32Array;
  private uniforms!: Float32Array | Float64Array;
  private lanes!: Float64Array;

  /** @param chunks how many blocks there should be besides the first; 0 where all chunks may use that. */
  constructor(ir: KernelIr, arena: Arena, allocate: (bytes: number) => number, chunks: number) {
    this.arena = arena;
    this.layout = jobLayout(ir, arena.dtype, arena.wide);
    this.reducers = ir.reductions.map((id) => ir.nodes[id]!.op);
    // Threads write lanes side by side, but never into one cache line.
    this.stride = chunks > 0 ? Math.ceil(this.layout.bytes / 128) * 128 : 0;
    this.at = allocate(Math.max(this.layout.bytes, this.stride * chunks));
    this.look();
  }

  setPointer(index: number, byteOffset: number): void {
    if (this.pointers.length === 0) this.look();
    // It may be negative: words wrap around, as sums of addresses do.
    if (!this.arena.wide) this.pointers[index] = byteOffset;
    else {
      this.pointers[2 * index] = byteOffset;
      this.pointers[2 * index + 1] = Math.floor(byteOffset / 2 ** 32);
    }
  }

  setUniform(index: number, value: number): void {
    if (this.pointers.length === 0) this.look();
    this.uniforms[index] = value;
  }

  /** Gives all of the first `count` blocks what the first has. */
  protected copyBlock(count: number): void {
    const bytes = new Uint8Array(this.arena.buffer, this.at, count * this.stride);
    for (let b = 1; b < count; b++) bytes.copyWithin(b * this.stride, 0, this.layout.lanes);
  }

  /** Takes the lanes of the first block into the totals. */
  protected take(totals: Float64Array): void {
    if (this.lanes.length === 0) this.look();
    this.takeFrom(this.lanes, 0, totals);
  }

  /** Lanes of the first block become zero. */
  protected clearLanes(): void {
    this.lanes.fill(0);
  }

  /** Takes the lanes of `count` blocks, in order. */
  protected takeAll(count: number, totals: Float64Array): void {
    const lanes = new Float64Array(this.arena.buffer, this.at, (count * this.stride) / 8);
    for (let b = 0; b < count; b++) {
      this.takeFrom(lanes, (b * this.stride + this.layout.lanes) / 8, totals);
    }
  }

  private takeFrom(lanes: Float64Array, first: number, totals: Float64Array): void {
    for (let r = 0; r < totals.length; r++) {
      totals[r] = withLanes(this.reducers[r]!, totals[r]!, lanes, first + r * LANES);
    }
  }

  /** Views the job block; an unshared memory detaches views when it grows. */
  private look(): void {
    const { buffer, dtype } = this.arena;
    const { uniforms, lanes, bytes } = this.layout;
    const at = this.at + uniforms;
    const count = (lanes - uniforms) / (dtype === "float32" ? 4 : 8);
    this.pointers = new Uint32Array(buffer, this.at, uniforms / 4);
    this.uniforms =
      dtype === "float32"
        ? new Float32Array(buffer, at, count)
        : new Float64Array(buffer, at, count);
    this.lanes = new Float64Array(buffer, this.at + lanes, (bytes - lanes) / 8);
  }
}
