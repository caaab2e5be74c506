/** A kernel that runs along lines, over one arena: what the plan sees of it. */
import type { Grid } from "./grid.ts";

export interface BoundLineKernel {
  /** Where slot `index` of the kernel starts for the parameter at hand: a byte offset. */
  setPointer(index: number, byteOffset: number): void;
  setUniform(index: number, value: number): void;
  /**
   * Runs over all lines. Sums of lines and of columns go where their slots are; those of everything into
   * `totals`, chunk by chunk of blocks. Element i of a line counts for lane i mod 8.
   */
  run(grid: Grid, totals: Float64Array, threads: number): void;
}
