/** What a backend is: something that turns a kernel's IR into code that runs over an arena. */
import { Op, type OpCode } from "../ir/op.ts";
import type { KernelIr } from "../ir/plan.ts";
import type { Arena } from "../memory/arena.ts";
import type { DType } from "../memory/dtype.ts";

/** Accumulators of a reduction: element i goes into lane i mod 8, so that bits are the same everywhere. */
export const LANES = 8;

/** Reductions add up blocks of this many elements, in order, whoever computes them. */
export const REDUCTION_BLOCK = 1 << 16;

/** What runs kernels: WebAssembly, or the interpreter that is its oracle. */
export interface Backend {
  readonly name: "wasm" | "interp";
  /** Compiles a kernel, or finds it among those compiled before. */
  compile(kernel: KernelIr, dtype: DType): Kernel;
  /**
   * How many threads a step should use that moves so many bytes, at most `wanted`; without this
   * method always one.
   */
  threadsFor?(bytes: number, wanted: number, user: object): number;
  /** Lets go of the threads that `user` has used. */
  release?(user: object): void;
}

/** Compiled code, not yet tied to a memory. */
export interface Kernel {
  /**
   * @param allocate gives room in the arena for what the kernel needs of its own.
   * @param largest elements of the largest range that it will reduce on several threads.
   */
  bind(arena: Arena, allocate: (bytes: number) => number, largest: number): BoundKernel;
}

/** A kernel over one arena, with room of its own for pointers and uniforms. */
export interface BoundKernel {
  /** Where slot `index` of the kernel starts: a byte offset in the arena. */
  setPointer(index: number, byteOffset: number): void;
  setUniform(index: number, value: number): void;
  /**
   * Runs over the first `count` ranges: begin and end (exclusive) of each, in elements counted from
   * the pointers. Several threads may share the work.
   */
  run(ranges: ArrayLike<number>, count: number, threads: number): void;
  /**
   * Runs over one range and puts the result of each reduction into `totals`: blocks of
   * {@link REDUCTION_BLOCK} elements, each in {@link LANES} lanes, put together in order.
   */
  reduce(begin: number, end: number, totals: Float64Array, threads: number): void;
  /**
   * Takes elements into the lanes of a kernel that continues, the first of them into lane 0. For blocks
   * whose elements do not all count from one pointer.
   */
  reducePiece(begin: number, end: number): void;
  /** Adds the lanes to `totals`, as those of a block, and clears them. */
  finishBlock(totals: Float64Array): void;
}

/** Takes a block's lanes into the total of its reduction, in the order that all backends keep. */
export function withLanes(op: OpCode, total: number, l: Float64Array, at: number): number {
  if (op === Op.maxAbs) {
    let largest = total;
    for (let lane = at; lane < at + LANES; lane++) largest = Math.max(largest, l[lane]!);
    return largest;
  }
  return (
    total +
    (l[at]! +
      l[at + 1]! +
      (l[at + 2]! + l[at + 3]!) +
      (l[at + 4]! + l[at + 5]! + (l[at + 6]! + l[at + 7]!)))
  );
}
