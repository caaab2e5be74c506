/** What a backend is: something that turns a kernel's IR into code that runs over an arena. */
import type { KernelIr } from "../ir/plan.ts";
import type { Arena } from "../memory/arena.ts";
import type { DType } from "../memory/dtype.ts";

/** Accumulators of a reduction: element i goes into lane i mod 8, so that bits are the same everywhere. */
export const LANES = 8;

export interface Backend {
  readonly name: "wasm" | "interp";
  /** Compiles a kernel, or finds it among those compiled before. */
  compile(kernel: KernelIr, dtype: DType): Kernel;
}

/** Compiled code, not yet tied to a memory. */
export interface Kernel {
  /** @param allocate gives room in the arena for what the kernel needs of its own. */
  bind(arena: Arena, allocate: (bytes: number) => number): BoundKernel;
}

/** A kernel over one arena, with room of its own for pointers and uniforms. */
export interface BoundKernel {
  /** Where slot `index` of the kernel starts: a byte offset in the arena. */
  setPointer(index: number, byteOffset: number): void;
  setUniform(index: number, value: number): void;
  /** Runs over the elements `begin` to `end` (exclusive) counted from the pointers. */
  run(begin: number, end: number): void;
  /** After a run: {@link LANES} partial sums for each reduction. */
  lanes(): Float64Array;
}
