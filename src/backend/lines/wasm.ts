/** A kernel with lines on an arena: blocks of lines, and the sums of columns that they leave. */
import { accessesOf, type KernelIr } from "../../ir/plan.ts";
import type { Arena } from "../../memory/arena.ts";
import { bytesOf } from "../../memory/dtype.ts";
import type { Job } from "../threads/board.ts";
import { QUIET_BYTES, type Pool } from "../threads/pool.ts";
import type { Instance } from "../wasm/code.ts";
import { JobBlock } from "../wasm/job-block.ts";
import { columnSumsOf, gridWords } from "../wasm/layout.ts";
import { addBlocks, type Grid } from "./grid.ts";
import type { BoundLineKernel } from "./kernel.ts";

type LineJob = { -readonly [K in keyof Job]: Job[K] };

export class WasmLineKernel extends JobBlock implements BoundLineKernel {
  private readonly ir: KernelIr;
  private readonly pool: Pool;
  private readonly instance: Instance;
  private readonly bytesPerElement: number;
  /** For several threads; `null` where they cannot reach the memory. */
  private readonly job: LineJob | null;
  /** Into how many chunks with lanes of their own a grid may fall; without lanes it does not matter. */
  private readonly chunks: number;
  private readonly range: [number, number] = [0, 0];
  /** The slots that sums of columns go to, and their byte offsets. */
  private readonly columnSlots: readonly number[];
  private readonly targets: number[];
  /** Byte offsets of the sums themselves, by block. */
  private readonly sums: readonly number[];
  /** The memory as float64. */
  private numbers: Float64Array = new Float64Array(0);

  constructor(
    ir: KernelIr,
    instance: Instance,
    arena: Arena,
    allocate: (bytes: number) => number,
    grids: readonly Grid[],
    columnSums: readonly number[],
    pool: Pool,
  ) {
    const { sums } = ir.lines!;
    const reduces = ir.reductions.length + sums.length > 0;
    const most = (value: number, { blocks, chunk }: Grid) =>
      Math.max(value, Math.ceil(blocks / chunk));
    const chunks = reduces ? grids.reduce(most, 0) : Infinity;
    super(ir, arena, allocate, reduces ? chunks : 0);
    this.ir = ir;
    this.pool = pool;
    this.instance = instance;
    this.chunks = chunks;
    this.bytesPerElement = accessesOf(ir) * bytesOf(arena.dtype);
    this.job = arena.shared
      ? {
          kernel: { module: instance.module, memory: arena.memory as WebAssembly.Memory },
          run: instance.run,
          block: this.at,
          stride: this.stride,
          chunk: 0,
          bytesPerElement: this.bytesPerElement,
        }
      : null;
    this.columnSlots = columnSumsOf(ir).map((k) => sums[k]!.slot);
    this.targets = this.columnSlots.map(() => 0);
    this.sums = columnSums;
  }

  override setPointer(index: number, byteOffset: number): void {
    const sum = this.columnSlots.indexOf(index);
    if (sum >= 0) this.targets[sum] = byteOffset;
    super.setPointer(index, byteOffset);
  }

  run(grid: Grid, totals: Float64Array, threads: number): void {
    this.describe(grid);
    totals.fill(0);
    const { blocks, chunk } = grid;
    const count = Math.ceil(blocks / chunk);
    const { run } = this.instance;
    if (threads > 1 && this.isLarge(grid, count) && this.share(grid, count, threads)) {
      this.takeAll(count, totals);
    } else if (totals.length === 0) run(this.at, 0, blocks);
    else {
      for (let from = 0; from < blocks; from += chunk) {
        run(this.at, from, Math.min(blocks, from + chunk));
        this.take(totals);
      }
    }
    if (this.targets.length > 0) this.addColumns(grid);
  }

  /** Tells the code how the lines lie, and clears the sums of columns. */
  private describe(grid: Grid): void {
    const first = this.ir.slots.length;
    for (let i = 0; i < gridWords.length; i++) super.setPointer(first + i, grid[gridWords[i]!]);
    for (let k = 0; k < this.targets.length; k++) {
      super.setPointer(first + gridWords.length + k, this.sums[k]!);
      const at = this.sums[k]! / 8;
      this.memory().fill(0, at, at + grid.blocks * grid.width);
    }
  }

  private share({ blocks, chunk }: Grid, count: number, threads: number): boolean {
    this.job!.chunk = chunk;
    this.range[1] = blocks;
    if (this.stride > 0) this.copyBlock(count);
    return this.pool.share(this.job!, this.range, 1, threads);
  }

  private isLarge({ matrices, height, width }: Grid, count: number): boolean {
    if (!this.job || count < 2 || count > this.chunks) return false;
    return matrices * height * width * this.bytesPerElement >= QUIET_BYTES;
  }

  private addColumns(grid: Grid): void {
    const { arena, targets } = this;
    for (let k = 0; k < targets.length; k++) {
      const first = targets[k]! / bytesOf(arena.dtype);
      addBlocks(grid, this.memory(), this.sums[k]! / 8, arena.elements, first);
    }
  }

  /** Made anew after growth, which detaches views of an unshared memory. */
  private memory(): Float64Array {
    const { buffer } = this.arena;
    if (this.numbers.buffer !== buffer) {
      this.numbers = new Float64Array(buffer, 0, Math.floor(buffer.byteLength / 8));
    }
    return this.numbers;
  }
}
