/**
 * From a kernel with lines to a WebAssembly function `run(job, begin, end)` over blocks of lines.
 *
 * Three loops: blocks, lines, and the elements of a line as in `wasm/lower.ts`. What has one number per line
 * or per matrix is splatted before the loops inside; what has one per column starts over in each line.
 * After the pointers the job block holds the grid, then where the sums of columns are to be added up:
 * as float64, a line of them for each block.
 */
import { isNarrow } from "../../ir/bfloat16.ts";
import { Op } from "../../ir/op.ts";
import type { KernelIr, LinesIr } from "../../ir/plan.ts";
import { bytesOf, type DType } from "../../memory/dtype.ts";
import { addressOf, Body } from "../wasm/body.ts";
import type { InstructionName, WasmFunction } from "../wasm/instructions.ts";
import { Lanes } from "../wasm/lanes.ts";
import {
  columnSumsOf,
  gridWords,
  jobLayout,
  roundBytes,
  slotBytes,
  VECTOR_BYTES,
} from "../wasm/layout.ts";
import { advanceCount, countsElements, startCount } from "../wasm/narrow.ts";
import { FunctionWriter } from "../wasm/writer.ts";

export function lowerLines(
  kernel: KernelIr,
  dtype: DType,
  simd: boolean,
  wide: boolean,
): WasmFunction {
  return new LineLowering(kernel, dtype, simd, wide).run();
}

class LineLowering {
  private readonly writer: FunctionWriter;
  private readonly kernel: KernelIr;
  private readonly lines: LinesIr;
  private readonly dtype: DType;
  private readonly wide: boolean;
  /** Without SIMD there is the second alone. */
  private readonly bodies: readonly Body[];
  private readonly lanes: Lanes;
  /** Numbers, in `lines.sums`, of sums along lines and of columns. */
  private readonly lineSums: readonly number[];
  private readonly columnSums: readonly number[];
  private readonly uniforms: number;
  /** The slot whose address the loops watch. */
  private readonly watchedSlot: number;
  private readonly watched: string;

  constructor(kernel: KernelIr, dtype: DType, simd: boolean, wide: boolean) {
    this.writer = new FunctionWriter(wide ? "i64" : "i32", "job", "begin", "end");
    this.kernel = kernel;
    this.lines = kernel.lines!;
    this.dtype = dtype;
    this.wide = wide;
    const widths = simd ? (["vector", "scalar"] as const) : (["scalar"] as const);
    this.bodies = widths.map((width) => new Body(width, kernel, dtype, this.writer));
    this.columnSums = columnSumsOf(kernel);
    const { sums } = this.lines;
    this.lineSums = sums.map((_, k) => k).filter((k) => !this.columnSums.includes(k));
    const layout = jobLayout(kernel, dtype, wide);
    const ids = [...kernel.reductions, ...this.lineSums.map((k) => sums[k]!.id)];
    this.lanes = new Lanes(this.writer, kernel, dtype, ids, layout.lanes);
    this.uniforms = layout.uniforms;
    this.watchedSlot = [...this.slotsAlong("element"), ...this.columnSlots()][0]!;
    this.watched = this.address(this.watchedSlot);
  }

  run(): WasmFunction {
    const { writer, kernel } = this;
    for (const body of this.bodies) {
      for (let index = 0; index < kernel.uniformCount; index++) {
        body.hoistUniform(index, this.uniforms + index * bytesOf(this.dtype));
      }
      body.hoistConstants();
    }
    gridWords.forEach((name, i) => {
      this.word(kernel.slots.length + i);
      writer.setAddress(`*${name}`);
    });
    this.lanes.clear(0, kernel.reductions.length);
    this.compute("*lineBytes", "*width", "shl", Math.log2(bytesOf(this.dtype)));
    if (kernel.storage) this.compute("*halfLine", "*width", "shl", 1);
    writer.whileBelow("begin", "end", () => {
      this.startBlock();
      writer.whileBelow("*line", "*last", () => this.line());
      writer.advance("begin", 1);
    });
    return writer.function();
  }

  /** Which lines the block has, and where its slots begin. */
  private startBlock(): void {
    const { writer } = this;
    this.compute("*matrix", "begin", "div_u", "*perMatrix");
    this.compute("*first", "*matrix", "mul", "*height");
    // line = first + (block - matrix·perMatrix)·lines
    this.compute("*line", "*matrix", "mul", "*perMatrix");
    this.compute("*line", "begin", "sub", "*line");
    this.compute("*line", "*line", "mul", "*lines");
    this.compute("*line", "*line", "add", "*first");
    // last = min(line + lines, first + height)
    this.compute("*last", "*line", "add", "*lines");
    this.compute("*first", "*first", "add", "*height");
    for (const name of ["*last", "*first", "*last", "*first"]) writer.get(name);
    writer.onAddress("lt_u");
    writer.emit("select");
    writer.setAddress("*last");
    const size = bytesOf(this.dtype);
    this.kernel.slots.forEach((_, slot) => {
      const along = this.lines.along[slot]!;
      const name = along === "column" ? homeOf(this.address(slot)) : this.address(slot);
      const unit = along === "element" || along === "line" ? "*line" : "*matrix";
      const isLong = along === "element" || along === "column";
      this.addressAt(slot, name, unit, isLong ? this.lineBytes(slot) : size);
      if (along === "matrix") for (const body of this.bodies) body.hoistSlot(slot);
    });
    const after = this.kernel.slots.length + gridWords.length;
    this.compute("*sumBytes", "*width", "mul", 8);
    this.columnSums.forEach((k, i) =>
      this.addressAt(after + i, homeOf(sumName(k)), "begin", "*sumBytes"),
    );
  }

  private line(): void {
    const { writer, lanes, bodies } = this;
    for (const slot of this.columnSlots()) {
      this.copy(homeOf(this.address(slot)), this.address(slot));
    }
    for (const k of this.columnSums) this.copy(homeOf(sumName(k)), sumName(k));
    for (const slot of this.slotsAlong("line").filter((each) => this.isLoaded(each)))
      for (const body of bodies) body.hoistSlot(slot);
    const totals = this.kernel.reductions.length;
    if (countsElements(this.kernel)) {
      this.compute("*number.line", "*line", "mul", "*width");
      writer.get("*number.line");
      startCount(writer, this.wide);
    }
    this.compute("*end", this.watched, "add", this.lineBytes(this.watchedSlot));
    if (bodies.length === 2) {
      lanes.load(totals);
      lanes.zero(totals);
      this.vectors(bodies[0]!);
      lanes.store();
    } else lanes.clear(totals);
    this.rest(bodies.at(-1)!);
    this.lineSums.forEach((k, i) => this.storeSum(this.lines.sums[k]!.slot, totals + i));
    for (const slot of this.slotsAlong("line")) {
      writer.advance(this.address(slot), bytesOf(this.dtype));
    }
    writer.advance("*line", 1);
  }

  private vectors(body: Body): void {
    const round = roundBytes(this.kernel, this.dtype);
    const share = isNarrow(this.kernel, this.watchedSlot) ? 2 : 1;
    this.compute("*vectors", this.lineBytes(this.watchedSlot), "and", -round / share);
    this.compute("*vectors", "*vectors", "add", this.watched);
    this.writer.whileBelow(this.watched, "*vectors", () => {
      for (let offset = 0; offset < round; offset += VECTOR_BYTES) {
        body.start(offset);
        body.storeAll();
        this.lanes.accumulate(body, offset);
        this.addColumns(body, offset);
      }
      this.advance(round);
    });
  }

  private rest(body: Body): void {
    this.lanes.first();
    this.writer.whileBelow(this.watched, "*end", () => {
      body.start(0);
      body.storeAll();
      this.lanes.add(body);
      this.addColumns(body, 0);
      this.advance(bytesOf(this.dtype));
    });
  }

  /** Adds a vector, or an element, to the sums of its columns. */
  private addColumns(body: Body, offset: number): void {
    const isSingle = this.dtype === "float32";
    const width = body.width === "vector" ? "v128" : "f64";
    for (const k of this.columnSums) {
      const value = body.keep(this.kernel.nodes[this.lines.sums[k]!.id]!.args[0]!);
      const halves = isSingle && width === "v128" ? 2 : 1;
      for (let half = 0 as 0 | 1; half < halves; half++) {
        const at = (offset / bytesOf(this.dtype)) * 8 + VECTOR_BYTES * half;
        this.writer.get(sumName(k));
        this.writer.get(sumName(k));
        this.writer.emit(`${width}.load` as InstructionName, 3, at);
        if (halves === 2) body.widened(value, half);
        else this.writer.get(value);
        if (isSingle && width === "f64") this.writer.emit("f64.promote_f32");
        this.writer.emit(width === "v128" ? "f64x2.add" : "f64.add");
        this.writer.emit(`${width}.store` as InstructionName, 3, at);
      }
    }
  }

  /** Puts the sum of a line where its slot has the line's number. */
  private storeSum(slot: number, reduction: number): void {
    const isSingle = this.dtype === "float32";
    this.writer.get(this.address(slot));
    this.lanes.sum(reduction);
    if (isSingle) this.writer.emit("f32.demote_f64");
    this.writer.emit(isSingle ? "f32.store" : "f64.store", isSingle ? 2 : 3, 0);
  }

  /** Moves what walks along the line. */
  private advance(bytes: number): void {
    const { kernel } = this;
    const elements = bytes / bytesOf(this.dtype);
    for (const slot of this.slotsAlong("element")) {
      this.writer.advance(this.address(slot), elements * slotBytes(kernel, slot, this.dtype));
    }
    for (const slot of this.columnSlots()) this.writer.advance(this.address(slot), bytes);
    for (const k of this.columnSums) {
      this.writer.advance(sumName(k), elements * 8);
    }
    if (countsElements(kernel)) advanceCount(this.writer, elements);
  }

  /** name = word + count · unit */
  private addressAt(word: number, name: string, count: string, unit: string | number): void {
    this.compute(name, count, "mul", unit);
    this.word(word);
    this.writer.get(name);
    this.writer.onAddress("add");
    this.writer.setAddress(name);
  }

  /** name = a operation b, on addresses. */
  private compute(
    name: string,
    a: string,
    operation: "add" | "sub" | "mul" | "div_u" | "and" | "shl",
    b: string | number,
  ): void {
    this.writer.get(a);
    if (typeof b === "string") this.writer.get(b);
    else this.writer.onAddress("const", b);
    this.writer.onAddress(operation);
    this.writer.setAddress(name);
  }

  private copy(from: string, to: string): void {
    this.writer.get(from);
    this.writer.setAddress(to);
  }

  /** Leaves a word of the job block on the stack. */
  private word(index: number): void {
    this.writer.get("job");
    if (this.wide) this.writer.onAddress("load", 3, 8 * index);
    else this.writer.onAddress("load", 2, 4 * index);
  }

  private slotsAlong(...along: LinesIr["along"][number][]): number[] {
    return this.lines.along.flatMap((way, slot) => (along.includes(way) ? [slot] : []));
  }

  /** The local that says how long a line of a slot is. */
  private lineBytes(slot: number): string {
    return isNarrow(this.kernel, slot) ? "*halfLine" : "*lineBytes";
  }

  private address(slot: number): string {
    return addressOf(this.kernel.slots[slot]!);
  }

  /** Slots that sums go to need not be. */
  private isLoaded(slot: number): boolean {
    return this.kernel.nodes.some(({ op, index }) => op === Op.load && index === slot);
  }

  /** Slots with a number per column that are loaded. */
  private columnSlots(): number[] {
    return this.slotsAlong("column").filter((slot) => this.isLoaded(slot));
  }
}

const sumName = (sum: number): string => `columns.${sum}*`;
/** Where something that starts over in each line begins. */
const homeOf = (name: string): string => `${name}home`;
