/** Plans that go tensor by tensor on a bare device: memory for them, and steps of a rule over it. */
import type { Arrangement, Window } from "../../src/backend/webgpu/chunk.ts";
import { Gpu } from "../../src/backend/webgpu/gpu.ts";
import type { TensorMemory } from "../../src/backend/webgpu/tensor/room.ts";
import type { Tensor } from "../../src/backend/webgpu/tensor/segments.ts";
import { TensorPlan } from "../../src/backend/webgpu/tensor/tensor-plan.ts";
import { PlanCache } from "../../src/ir/plan-cache.ts";
import type { Plan } from "../../src/ir/plan.ts";
import type { Rule } from "../../src/ir/rule.ts";
import { Trace } from "../../src/ir/trace.ts";
import { matrixPlace } from "../../src/memory/matrix-place.ts";
import { SHARED_USAGE } from "../../src/memory/webgpu/constants.ts";
import { readBuffer } from "./webgpu.ts";

const ALIGNMENT = 64;
/** Bytes in front of the numbers of a step: they are found by their offset. */
export const OFFSET = 256;
const up = (n: number) => Math.ceil(n / ALIGNMENT) * ALIGNMENT;

/** What a test runs: a rule over tensors, each with a group of hyperparameters. */
export interface TensorCase {
  readonly rule: Rule;
  readonly groups: readonly object[];
  readonly tensors: readonly {
    readonly shape: readonly number[];
    readonly data: Float32Array;
    readonly group: number;
  }[];
}

export interface TensorOptions {
  readonly fuse?: boolean;
  /** One tensor after another. */
  readonly alone?: boolean;
  /** Memory that ends with the last tensor, and has parameter and gradient in one buffer. */
  readonly adopted?: boolean;
}

export class TensorBench implements TensorMemory {
  readonly location = {};
  readonly windows: readonly Window[];
  readonly tensors: readonly (Tensor & { readonly shape: readonly number[] })[];
  private readonly device: GPUDevice;
  private readonly gpu: Gpu;
  private readonly test: TensorCase;
  private readonly options: Required<TensorOptions>;
  private readonly buffers = new Map<number, { buffer: GPUBuffer; offset: number }>();
  private readonly traces: readonly Trace[];
  private readonly caches: readonly PlanCache[];
  private readonly plans = new Map<Plan, TensorPlan>();
  private readonly sizes = { tensor: 0, row: 0, column: 0 };
  private step = 0;
  private written = 0;

  constructor(
    device: GPUDevice,
    test: TensorCase,
    { fuse = true, alone = false, adopted = false }: TensorOptions = {},
  ) {
    this.device = device;
    this.gpu = Gpu.of(device);
    this.test = test;
    this.options = { fuse, alone, adopted };
    const { sizes } = this;
    this.tensors = test.tensors.map(({ shape, group, data }) => {
      const begin = sizes.tensor;
      const place = matrixPlace(shape, { tensor: begin, row: sizes.row, column: sizes.column });
      sizes.tensor += up(data.length);
      sizes.row += place?.sizes.row ?? 0;
      sizes.column += place?.sizes.column ?? 0;
      return { segment: group, group, begin, end: begin + data.length, place, shape };
    });
    this.windows = [{ begin: 0, end: adopted ? this.tensors.at(-1)!.end : sizes.tensor }];
    const { name, slots, slotRanks } = test.rule;
    // The padding between tensors must not count.
    slots.forEach((_, slot) => this.fill(slot, slot < 2 ? NaN : 0));
    this.tensors.forEach(({ begin }, i) => this.write(0, begin, test.tensors[i]!.data));
    this.traces = [0, 1].map(() => new Trace(name, slots, slotRanks));
    this.caches = [0, 1].map(() => new PlanCache({ flush: false, fuse }));
  }

  whole(slot: number): GPUBufferBinding {
    return this.buffers.get(slot)!;
  }

  binding(slot: number, { begin, end }: Window): GPUBufferBinding {
    if (slot < 0 && !this.buffers.has(slot)) this.fill(slot, NaN);
    const { buffer, offset } = this.buffers.get(slot)!;
    return { buffer, offset: offset + 4 * begin, size: 4 * (end - begin) };
  }

  /** One step with these gradients. */
  run(gradients: readonly Float32Array[]): void {
    const { device } = this;
    this.tensors.forEach(({ begin }, i) => this.write(1, begin, gradients[i]!));
    this.step++;
    const works = [false, true].flatMap((isMatrix) => this.arrange(isMatrix));
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (const work of works) work.encode(pass, OFFSET, []);
    pass.end();
    device.queue.submit([encoder.finish()]);
  }

  /** Lays out the work of a step; numbers begin at {@link OFFSET}. */
  arrange(isMatrix: boolean): Arrangement[] {
    const { device, test, options } = this;
    const tensors = this.tensors.filter(({ shape }) => shape.length >= 2 === isMatrix);
    if (tensors.length === 0) return [];
    const batches = test.groups.map((hyper) => this.trace(Number(isMatrix), hyper));
    const { plan } = batches[0]!;
    let bound = this.plans.get(plan);
    if (!bound) {
      this.plans.set(plan, (bound = new TensorPlan(this.gpu, plan, this, options.alone, null)));
    }
    const all = new Float32Array(OFFSET / 4 + Math.max(1, bound.stride * batches.length));
    batches.forEach(({ numbers }, b) => all.set(numbers, OFFSET / 4 + b * bound.stride));
    const buffer = device.createBuffer({ size: all.byteLength, usage: SHARED_USAGE });
    device.queue.writeBuffer(buffer, 0, all);
    this.written |= plan.storeMask >>> 2;
    return [bound.arrange(tensors, { buffer, size: all.byteLength - OFFSET })];
  }

  /** What each tensor has in a slot; `null` for rows and columns of a vector. */
  async read(slot: number): Promise<(Float32Array | null)[]> {
    const { buffer, offset } = this.buffers.get(slot)!;
    const all = new Float32Array(await readBuffer(this.device, buffer, offset));
    const rank = this.test.rule.slotRanks[slot]!;
    return this.tensors.map(({ begin, end, place }) => {
      if (rank === "tensor") return all.slice(begin, end);
      return place && all.slice(place.offsets[rank], place.offsets[rank] + place.sizes[rank]);
    });
  }

  private trace(form: number, hyper: object) {
    const { rule } = this.test;
    const trace = this.traces[form]!;
    trace.begin(this.step === 1 ? -1 : ~this.written, null, form === 1, "float32");
    const tensors = Object.fromEntries(rule.slots.map((name, i) => [name, trace.slot(i)]));
    const numbers = { ...rule.hyper, ...hyper, t: this.step };
    trace.finish(rule.step(tensors as never, numbers as never));
    const plans = this.caches[form]!.find(trace) ?? this.caches[form]!.make(trace);
    return { plan: plans.usual, numbers: trace.uniforms.slice(0, trace.uniformCount) };
  }

  private fill(slot: number, value: number): void {
    const rank = slot < 0 ? "tensor" : this.test.rule.slotRanks[slot]!;
    const size = 4 * up(Math.max(1, this.sizes[rank]));
    const both = this.options.adopted && slot >= 0 && slot < 2;
    const { buffer } = (both && this.buffers.get(0)) || {
      buffer: this.device.createBuffer({ size: both ? 2 * size : size, usage: SHARED_USAGE }),
    };
    this.buffers.set(slot, { buffer, offset: both ? slot * size : 0 });
    if (value !== 0) this.write(slot, 0, new Float32Array(size / 4).fill(value));
  }

  private write(slot: number, at: number, values: Float32Array): void {
    const { buffer, offset } = this.buffers.get(slot)!;
    this.device.queue.writeBuffer(buffer, offset + 4 * at, values.slice());
  }
}
