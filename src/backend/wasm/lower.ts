/**
 * From a kernel's IR to a WebAssembly function `run(job, begin, end)`.
 *
 * `job` is the address of a small block: one pointer per slot, then the uniforms, then the lanes of
 * the reductions. The function is a loop over 128-bit vectors, unrolled with constant offsets, then
 * a loop over single elements for the rest. Uniforms are splatted once, before the loops. Without
 * SIMD the second loop does all the work, with equal bits. For a wide memory, addresses and pointers
 * have 64 bits; nothing else differs.
 */
import type { KernelIr } from "../../ir/plan.ts";
import { bytesOf, type DType } from "../../memory/dtype.ts";
import { addressOf, Body } from "./body.ts";
import type { WasmFunction } from "./instructions.ts";
import { Lanes } from "./lanes.ts";
import { jobLayout, roundBytes, slotBytes, VECTOR_BYTES, type JobLayout } from "./layout.ts";
import { advanceCount, countsElements, startCount } from "./narrow.ts";
import { FunctionWriter } from "./writer.ts";

/** @param wide for a memory whose addresses have 64 bits. */
export function lower(kernel: KernelIr, dtype: DType, simd: boolean, wide = false): WasmFunction {
  const lowering = new Lowering(kernel, dtype, wide);
  lowering.addresses();
  if (simd) lowering.vectorLoop();
  else if (!kernel.continues) lowering.lanes.clear();
  lowering.scalarLoop();
  return lowering.writer.function();
}

class Lowering {
  readonly writer: FunctionWriter;
  private readonly kernel: KernelIr;
  private readonly dtype: DType;
  private readonly wide: boolean;
  private readonly layout: JobLayout;
  readonly lanes: Lanes;
  /** The address that the loops watch. */
  private readonly watched: string;

  constructor(kernel: KernelIr, dtype: DType, wide: boolean) {
    this.writer = new FunctionWriter(wide ? "i64" : "i32", "job", "begin", "end");
    this.kernel = kernel;
    this.dtype = dtype;
    this.wide = wide;
    this.layout = jobLayout(kernel, dtype, wide);
    this.lanes = new Lanes(this.writer, kernel, dtype, kernel.reductions, this.layout.lanes);
    this.watched = addressOf(kernel.slots[0]!);
  }

  /** Each slot's address of element `begin`. */
  addresses(): void {
    this.kernel.slots.forEach((slot, index) => {
      this.element(index, "begin");
      this.writer.setAddress(addressOf(slot));
    });
    if (!countsElements(this.kernel)) return;
    this.writer.get("begin");
    startCount(this.writer, this.wide);
  }

  vectorLoop(): void {
    const { writer, kernel, dtype, lanes } = this;
    const body = new Body("vector", kernel, dtype, writer);
    const round = roundBytes(kernel, dtype);
    this.hoist(body);
    if (kernel.continues) lanes.load(kernel.reductions.length);
    else lanes.zero();
    this.vectorLimit(round / bytesOf(dtype));
    writer.whileBelow(this.watched, "*vectors", () => {
      for (let offset = 0; offset < round; offset += VECTOR_BYTES) {
        body.start(offset);
        body.storeAll();
        lanes.accumulate(body, offset);
      }
      this.advance(round / bytesOf(dtype));
    });
    lanes.store();
  }

  scalarLoop(): void {
    const { writer, kernel, lanes } = this;
    const body = new Body("scalar", kernel, this.dtype, writer);
    this.hoist(body);
    lanes.first();
    this.element(0, "end");
    writer.setAddress("*end");
    writer.whileBelow(this.watched, "*end", () => {
      body.start(0);
      body.storeAll();
      lanes.add(body);
      this.advance(1);
    });
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
    this.toBytes(slot);
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
    this.toBytes(0);
    this.writer.onAddress("add");
    this.writer.setAddress("*vectors");
  }

  private toBytes(slot: number): void {
    this.writer.onAddress("const", Math.log2(slotBytes(this.kernel, slot, this.dtype)));
    this.writer.onAddress("shl");
  }

  private advance(elements: number): void {
    const { kernel, writer } = this;
    kernel.slots.forEach((slot, index) =>
      writer.advance(addressOf(slot), elements * slotBytes(kernel, index, this.dtype)),
    );
    if (countsElements(kernel)) advanceCount(writer, elements);
  }
}
