/**
 * From a kernel's IR to a WebAssembly function `run(job, begin, end)`.
 *
 * `job` is the address of a small block: one pointer per slot, then the uniforms, then the lanes of
 * the reductions. The function is a loop over 128-bit vectors, unrolled with constant offsets, then
 * a loop over single elements for the rest. Uniforms are splatted once, before the loops. Without
 * SIMD the second loop does all the work, with equal bits. For a wide memory, addresses and pointers
 * have 64 bits; nothing else differs.
 */
import { Op } from "../../ir/op.ts";
import type { KernelIr } from "../../ir/plan.ts";
import { bytesOf, type DType } from "../../memory/dtype.ts";
import { LANES } from "../backend.ts";
import { addressOf, Body } from "./body.ts";
import type { WasmFunction } from "./instructions.ts";
import { FunctionWriter } from "./writer.ts";

const VECTOR_BYTES = 16;
/** Kernels of up to this many values are unrolled four times, longer ones twice. */
const SHORT_KERNEL = 16;

/** Where things stand in a job block; pointers come first. */
export interface JobLayout {
  readonly uniforms: number;
  readonly lanes: number;
  readonly bytes: number;
}

export function jobLayout(kernel: KernelIr, dtype: DType, wide: boolean): JobLayout {
  const align = (bytes: number) => Math.ceil(bytes / 8) * 8;
  const uniforms = align((wide ? 8 : 4) * kernel.slots.length);
  const lanes = align(uniforms + kernel.uniformCount * bytesOf(dtype));
  return { uniforms, lanes, bytes: lanes + kernel.reductions.length * LANES * 8 };
}

/** @param wide for a memory whose addresses have 64 bits. */
export function lower(kernel: KernelIr, dtype: DType, simd: boolean, wide = false): WasmFunction {
  const lowering = new Lowering(kernel, dtype, wide);
  lowering.addresses();
  if (simd) lowering.vectorLoop();
  else lowering.clearLanes();
  lowering.scalarLoop();
  return lowering.writer.function();
}

class Lowering {
  readonly writer: FunctionWriter;
  private readonly kernel: KernelIr;
  private readonly dtype: DType;
  private readonly wide: boolean;
  private readonly layout: JobLayout;
  /** The address that the loops watch. */
  private readonly watched: string;

  constructor(kernel: KernelIr, dtype: DType, wide: boolean) {
    this.writer = new FunctionWriter(wide ? "i64" : "i32", "job", "begin", "end");
    this.kernel = kernel;
    this.dtype = dtype;
    this.wide = wide;
    this.layout = jobLayout(kernel, dtype, wide);
    this.watched = addressOf(kernel.slots[0]!);
  }

  /** Each slot's address of element `begin`. */
  addresses(): void {
    this.kernel.slots.forEach((slot, index) => {
      this.element(index, "begin");
      this.writer.setAddress(addressOf(slot));
    });
  }

  vectorLoop(): void {
    const { writer, kernel, dtype } = this;
    const body = new Body("vector", kernel, dtype, writer);
    const round = this.roundBytes();
    this.hoist(body);
    this.eachAccumulator((name) => {
      writer.emit("f64.const", 0);
      writer.emit("f64x2.splat");
      writer.set(name, "v128");
    });
    this.vectorLimit(round / bytesOf(dtype));
    writer.whileBelow(this.watched, "*vectors", () => {
      for (let offset = 0; offset < round; offset += VECTOR_BYTES) {
        body.start(offset);
        body.storeAll();
        kernel.reductions.forEach((id, r) => this.accumulate(body, id, r, offset));
      }
      this.advance(round);
    });
    this.eachAccumulator((name, lanes) => {
      writer.get("job");
      writer.get(name);
      writer.emit("v128.store", 3, lanes);
    });
  }

  scalarLoop(): void {
    const { writer, kernel } = this;
    const body = new Body("scalar", kernel, this.dtype, writer);
    this.hoist(body);
    const reduces = kernel.reductions.length > 0;
    if (reduces) {
      writer.get("job");
      writer.setAddress("*lane");
    }
    this.element(0, "end");
    writer.setAddress("*end");
    writer.whileBelow(this.watched, "*end", () => {
      body.start(0);
      body.storeAll();
      kernel.reductions.forEach((id, r) => this.addToLane(body, id, r));
      if (reduces) this.nextLane();
      this.advance(bytesOf(this.dtype));
    });
  }

  clearLanes(): void {
    for (let lane = 0; lane < this.kernel.reductions.length * LANES; lane++) {
      this.writer.get("job");
      this.writer.emit("f64.const", 0);
      this.writer.emit("f64.store", 3, this.layout.lanes + 8 * lane);
    }
  }

  private roundBytes(): number {
    if (this.kernel.reductions.length > 0) return LANES * bytesOf(this.dtype);
    return VECTOR_BYTES * (this.kernel.nodes.length <= SHORT_KERNEL ? 4 : 2);
  }

  private hoist(body: Body): void {
    for (let index = 0; index < this.kernel.uniformCount; index++) {
      body.hoistUniform(index, this.layout.uniforms + index * bytesOf(this.dtype));
    }
    body.hoistConstants();
  }

  /** Leaves the address of element `position` of a slot on the stack. */
  private element(slot: number, position: "begin" | "end"): void {
    this.writer.get("job");
    if (this.wide) this.writer.onAddress("load", 3, 8 * slot);
    else this.writer.onAddress("load", 2, 4 * slot);
    this.writer.get(position);
    this.toBytes();
    this.writer.onAddress("add");
  }

  /** Where the whole rounds of the vector loop end. */
  private vectorLimit(round: number): void {
    this.writer.get(this.watched);
    this.writer.get("end");
    this.writer.get("begin");
    this.writer.onAddress("sub");
    this.writer.onAddress("const", -round);
    this.writer.onAddress("and");
    this.toBytes();
    this.writer.onAddress("add");
    this.writer.setAddress("*vectors");
  }

  private toBytes(): void {
    this.writer.onAddress("const", Math.log2(bytesOf(this.dtype)));
    this.writer.onAddress("shl");
  }

  private advance(bytes: number): void {
    for (const slot of this.kernel.slots) this.writer.advance(addressOf(slot), bytes);
  }

  /** Takes one vector into its accumulators, two elements to each, as float64. */
  private accumulate(body: Body, id: number, reduction: number, offset: number): void {
    const { op, args } = this.kernel.nodes[id]!;
    const names = args.map((arg) => body.keep(arg));
    const halves = this.dtype === "float32" ? 2 : 1;
    for (let half = 0 as 0 | 1; half < halves; half++) {
      const accumulator = accumulatorOf(reduction, (offset / VECTOR_BYTES) * halves + half);
      this.writer.get(accumulator);
      for (const name of names) {
        if (halves === 2) body.widened(name, half);
        else this.writer.get(name);
      }
      if (op === Op.dot) this.writer.emit("f64x2.mul");
      if (op === Op.maxAbs) this.writer.emit("f64x2.abs");
      this.writer.emit(op === Op.maxAbs ? "f64x2.max" : "f64x2.add");
      this.writer.set(accumulator, "v128");
    }
  }

  /** Takes one element into the lane in memory whose turn it is. */
  private addToLane(body: Body, id: number, reduction: number): void {
    const { op, args } = this.kernel.nodes[id]!;
    const names = args.map((arg) => body.keep(arg));
    const at = this.layout.lanes + reduction * LANES * 8;
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

  private eachAccumulator(visit: (name: string, lanesOffset: number) => void): void {
    this.kernel.reductions.forEach((_, r) => {
      for (let part = 0; part < LANES / 2; part++) {
        visit(accumulatorOf(r, part), this.layout.lanes + 8 * (r * LANES + 2 * part));
      }
    });
  }
}

const accumulatorOf = (reduction: number, part: number): string => `sum.${reduction}.${part}`;
