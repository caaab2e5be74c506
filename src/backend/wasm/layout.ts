/** Where things stand in a kernel's job block, and how far its loops go at a time. */
import { isNarrow } from "../../ir/bfloat16.ts";
import type { KernelIr } from "../../ir/plan.ts";
import { bytesOf, type DType } from "../../memory/dtype.ts";
import { LANES } from "../backend.ts";

export const VECTOR_BYTES = 16;
/** Kernels of up to this many values are unrolled four times, longer ones twice. */
const SHORT_KERNEL = 16;

/** Where things stand in a job block; pointers come first. */
export interface JobLayout {
  /** Words of an address that come first: a pointer for each slot, and more for kernels with lines. */
  readonly words: number;
  readonly uniforms: number;
  readonly lanes: number;
  readonly bytes: number;
}

/** What kernels with lines know of their grid, in this order after the pointers. */
export const gridWords = ["height", "width", "lines", "perMatrix"] as const;

/** Numbers, in `lines.sums`, of the sums of columns: after the grid there is the address of each. */
export function columnSumsOf({ lines }: KernelIr): number[] {
  if (!lines) return [];
  return lines.sums.flatMap(({ slot }, k) => (lines.along[slot] === "column" ? [k] : []));
}

export function jobLayout(kernel: KernelIr, dtype: DType, wide: boolean): JobLayout {
  const align = (bytes: number) => Math.ceil(bytes / 8) * 8;
  const { slots, lines, reductions } = kernel;
  const words = slots.length + (lines ? gridWords.length + columnSumsOf(kernel).length : 0);
  const uniforms = align((wide ? 8 : 4) * words);
  const lanes = align(uniforms + kernel.uniformCount * bytesOf(dtype));
  const sums = reductions.length + (lines?.sums.length ?? 0);
  return { words, uniforms, lanes, bytes: lanes + sums * LANES * 8 };
}

/** Bytes of an element of a slot. */
export function slotBytes(kernel: KernelIr, slot: number, dtype: DType): number {
  return isNarrow(kernel, slot) ? 2 : bytesOf(dtype);
}

/** Bytes in one round of the vector loop. */
export function roundBytes(kernel: KernelIr, dtype: DType): number {
  const reduces = kernel.reductions.length > 0 || (kernel.lines?.sums.length ?? 0) > 0;
  if (reduces) return LANES * bytesOf(dtype);
  return VECTOR_BYTES * (kernel.nodes.length <= SHORT_KERNEL ? 4 : 2);
}
