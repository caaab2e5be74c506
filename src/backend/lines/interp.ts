/** A kernel with lines on an arena, without generated code: the oracle of those with. */
import { Op } from "../../ir/op.ts";
import type { LinesIr } from "../../ir/plan.ts";
import { LANES, withLanes } from "../backend.ts";
import { BLOCK, InterpBody } from "../interp.ts";
import { addBlocks, type Grid } from "./grid.ts";
import type { BoundLineKernel } from "./kernel.ts";

/** Runs line by line; `from` counts the elements of the line at hand. */
export class InterpLineKernel extends InterpBody implements BoundLineKernel {
  private readonly lines: LinesIr = this.ir.lines!;
  private grid!: Grid;
  private matrix = 0;
  /** The line at hand, counted over all matrices, and the block that it is in. */
  private line = 0;
  private blockAt = 0;
  /** Sums of columns, by block. */
  private columns = new Float64Array(0);

  run(grid: Grid, totals: Float64Array): void {
    this.grid = grid;
    const { height, lines, perMatrix, blocks, chunk, width } = grid;
    const sums = this.lines.sums.length;
    this.columns = new Float64Array(sums * blocks * width);
    totals.fill(0);
    for (let b = 0; b < blocks; b++) {
      if (b % chunk === 0) this.partials.fill(0);
      this.blockAt = b;
      this.matrix = Math.floor(b / perMatrix);
      const first = (b % perMatrix) * lines;
      const end = Math.min(height, first + lines);
      for (let l = first; l < end; l++) this.runLine(this.matrix * height + l);
      if ((b + 1) % chunk !== 0 && b + 1 < blocks) continue;
      for (let r = 0; r < totals.length; r++) {
        totals[r] = withLanes(this.reducers[r]!, totals[r]!, this.partials, r * LANES);
      }
    }
    this.lines.sums.forEach(({ slot }, k) => {
      if (this.lines.along[slot] !== "column") return;
      const at = this.pointers[slot]! / this.bytes;
      addBlocks(grid, this.columns, k * blocks * width, this.arena.elements, at);
    });
  }

  private runLine(line: number): void {
    const { width } = this.grid;
    const { elements } = this.arena;
    const own = this.ir.reductions.length * LANES;
    this.line = line;
    this.partials.fill(0, own);
    for (let from = 0; from < width; from += BLOCK) {
      const count = Math.min(BLOCK, width - from);
      this.block(from, count);
      this.lines.sums.forEach(({ id, slot }, k) => {
        if (this.lines.along[slot] === "column") this.addColumns(id, k, from, count);
        else this.accumulate(id, this.ir.reductions.length + k, count);
      });
    }
    this.lines.sums.forEach(({ slot }, k) => {
      if (this.lines.along[slot] === "column") return;
      const sum = withLanes(Op.sum, 0, this.partials, own + k * LANES);
      elements[this.pointers[slot]! / this.bytes + line] = sum;
    });
  }

  private addColumns(id: number, k: number, from: number, count: number): void {
    const { blocks, width } = this.grid;
    const value = this.registers[this.ir.nodes[id]!.args[0]!]!;
    const at = (k * blocks + this.blockAt) * width + from;
    for (let i = 0; i < count; i++) this.columns[at + i]! += value[i]!;
  }

  protected override load(id: number, slot: number, from: number, count: number): void {
    const along = this.lines.along[slot]!;
    if (along === "element" || along === "column") return super.load(id, slot, from, count);
    const at = along === "line" ? this.line : this.matrix;
    this.registers[id]!.fill(
      this.arena.elements[this.pointers[slot]! / this.bytes + at]!,
      0,
      count,
    );
  }

  protected start(slot: number, from: number): number {
    const line = this.lines.along[slot] === "column" ? this.matrix : this.line;
    return this.pointers[slot]! / this.slotBytes[slot]! + line * this.grid.width + from;
  }

  protected number(from: number): number {
    return this.line * this.grid.width + from;
  }
}
