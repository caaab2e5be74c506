/**
 * The accumulators of a kernel's reductions: element i goes into lane i mod 8, as float64.
 *
 * The vector loop keeps the lanes of a reduction in four vectors, which go to memory after it; single
 * elements are added to the lanes there.
 *
 * The largest |x| is found by comparing the bits of |x| as whole numbers, which have the same order, with
 * NaN above all: one instruction, where a maximum of floats takes eight. In float32 two more vectors hold
 * the largest in that type, and join the lanes after the loop.
 */
import { Op } from "../../ir/op.ts";
import type { KernelIr } from "../../ir/plan.ts";
import type { DType } from "../../memory/dtype.ts";
import { LANES } from "../backend.ts";
import type { Body } from "./body.ts";
import { VECTOR_BYTES } from "./layout.ts";
import { widen } from "./width.ts";
import type { FunctionWriter } from "./writer.ts";

export class Lanes {
  private readonly writer: FunctionWriter;
  private readonly kernel: KernelIr;
  private readonly dtype: DType;
  /** Ids of the reductions. */
  private readonly ids: readonly number[];
  private readonly offset: number;

  /** @param offset of the first reduction's lanes in the job block. */
  constructor(
    writer: FunctionWriter,
    kernel: KernelIr,
    dtype: DType,
    ids: readonly number[],
    offset: number,
  ) {
    this.writer = writer;
    this.kernel = kernel;
    this.dtype = dtype;
    this.ids = ids;
    this.offset = offset;
  }

  /** Vectors become zero, those of reduction `from` and of all after it. */
  zero(from = 0): void {
    this.eachVector(from, this.ids.length, (name) => {
      this.writer.emit("f64.const", 0);
      this.writer.emit("f64x2.splat");
      this.writer.set(name, "v128");
    });
    this.zeroLargest(from, this.ids.length);
  }

  /** Vectors become what is in memory, those of the reductions before `end`. */
  load(end: number): void {
    this.eachVector(0, end, (name, at) => {
      this.writer.get("job");
      this.writer.emit("v128.load", 3, at);
      this.writer.set(name, "v128");
    });
    this.zeroLargest(0, end);
  }

  /** Vectors go to memory. */
  store(): void {
    this.joinLargest();
    this.eachVector(0, this.ids.length, (name, at) => {
      this.writer.get("job");
      this.writer.get(name);
      this.writer.emit("v128.store", 3, at);
    });
  }

  /** Lanes in memory become zero, those of the reductions from `from` to before `end`. */
  clear(from = 0, end = this.ids.length): void {
    for (let lane = from * LANES; lane < end * LANES; lane++) {
      this.writer.get("job");
      this.writer.emit("f64.const", 0);
      this.writer.emit("f64.store", 3, this.offset + 8 * lane);
    }
  }

  /** Takes one vector of each operand into the accumulators, two elements to each, as float64. */
  accumulate(body: Body, offset: number): void {
    this.ids.forEach((id, reduction) => {
      const { op, args } = this.kernel.nodes[id]!;
      const names = args.map((arg) => body.keep(arg));
      if (op === Op.maxAbs) return this.takeLargest(names[0]!, reduction, offset / VECTOR_BYTES);
      const halves = this.dtype === "float32" ? 2 : 1;
      for (let half = 0 as 0 | 1; half < halves; half++) {
        const accumulator = vectorOf(reduction, (offset / VECTOR_BYTES) * halves + half);
        this.writer.get(accumulator);
        for (const name of names) {
          if (halves === 2) body.widened(name, half);
          else this.writer.get(name);
        }
        if (op === Op.dot) this.writer.emit("f64x2.mul");
        this.writer.emit("f64x2.add");
        this.writer.set(accumulator, "v128");
      }
    });
  }

  /** Takes the absolute values of one vector, the `part`-th of a round, if they are larger. */
  private takeLargest(name: string, reduction: number, part: number): void {
    const { writer } = this;
    if (this.dtype === "float32") {
      writer.get(largestOf(reduction, part));
      writer.get(name);
      writer.emit("f32x4.abs");
      writer.emit("i32x4.max_s");
      return writer.set(largestOf(reduction, part), "v128");
    }
    const [accumulator, size] = [vectorOf(reduction, part), `size.${reduction}`];
    writer.get(name);
    writer.emit("f64x2.abs");
    writer.tee(size, "v128");
    writer.get(accumulator);
    writer.get(size);
    writer.get(accumulator);
    writer.emit("i64x2.gt_s");
    writer.emit("v128.bitselect");
    writer.set(accumulator, "v128");
  }

  private zeroLargest(from: number, end: number): void {
    this.eachLargest(from, end, (name) => {
      this.writer.emit("f64.const", 0);
      this.writer.emit("f64x2.splat");
      this.writer.set(name, "v128");
    });
  }

  private joinLargest(): void {
    this.eachLargest(0, this.ids.length, (name, reduction, part) => {
      for (const half of [0, 1] as const) {
        const accumulator = vectorOf(reduction, 2 * part + half);
        this.writer.get(accumulator);
        widen(this.writer, name, half);
        this.writer.emit("f64x2.max");
        this.writer.set(accumulator, "v128");
      }
    });
  }

  private eachLargest(
    from: number,
    end: number,
    visit: (name: string, reduction: number, part: number) => void,
  ): void {
    if (this.dtype !== "float32") return;
    for (let reduction = from; reduction < end; reduction++) {
      if (this.kernel.nodes[this.ids[reduction]!]!.op !== Op.maxAbs) continue;
      for (const part of [0, 1]) visit(largestOf(reduction, part), reduction, part);
    }
  }

  /** The next single element is for lane 0. */
  first(): void {
    if (this.ids.length === 0) return;
    this.writer.get("job");
    this.writer.setAddress("*lane");
  }

  /** Takes one element into the lanes in memory whose turn it is. */
  add(body: Body): void {
    this.ids.forEach((id, reduction) => {
      const { op, args } = this.kernel.nodes[id]!;
      const names = args.map((arg) => body.keep(arg));
      const at = this.offset + reduction * LANES * 8;
      this.writer.get("*lane");
      this.writer.get("*lane");
      this.writer.emit("f64.load", 3, at);
      for (const name of names) {
        this.writer.get(name);
        if (this.dtype === "float32") this.writer.emit("f64.promote_f32");
      }
      if (op === Op.dot) this.writer.emit("f64.mul");
      if (op === Op.maxAbs) this.writer.emit("f64.abs");
      this.writer.emit(op === Op.maxAbs ? "f64.max" : "f64.add");
      this.writer.emit("f64.store", 3, at);
    });
    if (this.ids.length > 0) this.nextLane();
  }

  /** Leaves the sum of a reduction's lanes in memory on the stack, in the order that all backends keep. */
  sum(reduction: number): void {
    const add = (first: number, count: number): void => {
      if (count === 1) {
        this.writer.get("job");
        this.writer.emit("f64.load", 3, this.offset + 8 * (reduction * LANES + first));
        return;
      }
      add(first, count / 2);
      add(first + count / 2, count / 2);
      this.writer.emit("f64.add");
    };
    add(0, LANES);
  }

  /** lane = job + (lane + 8 - job) mod 64 */
  private nextLane(): void {
    this.writer.get("*lane");
    this.writer.onAddress("const", 8);
    this.writer.onAddress("add");
    this.writer.get("job");
    this.writer.onAddress("sub");
    this.writer.onAddress("const", 8 * LANES - 1);
    this.writer.onAddress("and");
    this.writer.get("job");
    this.writer.onAddress("add");
    this.writer.setAddress("*lane");
  }

  private eachVector(from: number, end: number, visit: (name: string, at: number) => void): void {
    for (let reduction = from; reduction < end; reduction++) {
      for (let part = 0; part < LANES / 2; part++) {
        visit(vectorOf(reduction, part), this.offset + 8 * (reduction * LANES + 2 * part));
      }
    }
  }
}

const vectorOf = (reduction: number, part: number): string => `sum.${reduction}.${part}`;
const largestOf = (reduction: number, part: number): string => `largest.${reduction}.${part}`;
