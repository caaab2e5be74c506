/** A plan on a chunk, whatever its kernels are like, as the optimizer runs it. */
import type { Arrangement } from "../backend/webgpu/chunk.ts";
import { ElementPlan } from "../backend/webgpu/element-plan.ts";
import type { Gpu } from "../backend/webgpu/gpu.ts";
import { TensorPlan } from "../backend/webgpu/tensor/tensor-plan.ts";
import type { Plan } from "../ir/plan.ts";
import type { GpuBatch } from "./batch.ts";
import type { ChunkState } from "./chunk-state.ts";

/** How tensors and operations go: see `PlanOptions` of the CPU's optimizers. */
export interface Way {
  readonly foreach: boolean;
  readonly compile: boolean;
}

export class PlanRunner {
  readonly plan: Plan;
  /** Where the GPU decides about the step; `null` if it decides nothing. */
  readonly control: GPUBuffer | null;
  private readonly bound: ElementPlan | TensorPlan;
  private readonly way: Way;
  /** What has been laid out, by the batches that it is for. */
  private readonly known: { readonly batches: readonly GpuBatch[]; readonly run: Arrangement }[] =
    [];

  constructor(gpu: Gpu, plan: Plan, chunk: ChunkState, way: Way, control: GPUBuffer | null) {
    this.plan = plan;
    this.control = control;
    this.way = way;
    for (let slot = 2; slot < chunk.slotRanks.length; slot++) {
      if ((plan.usedMask >> slot) & 1) chunk.require(slot);
    }
    const kind = plan.perTensor ? TensorPlan : ElementPlan;
    this.bound = new kind(gpu, plan, chunk, !way.foreach, control);
  }

  /** Numbers of each batch in what is uploaded for a step. */
  get stride(): number {
    return this.bound.stride;
  }

  /** Lays out work for these batches, or finds what was. */
  arrange(batches: readonly GpuBatch[], values: GPUBufferBinding): Arrangement {
    const same = (others: readonly GpuBatch[]) =>
      others.length === batches.length && others.every((batch, i) => batch === batches[i]);
    const found = this.known.find((each) => same(each.batches));
    if (found) return found.run;
    const { bound } = this;
    const run =
      bound instanceof TensorPlan
        ? bound.arrange(
            batches.flatMap((batch, segment) => batch.tensors(segment)),
            values,
          )
        : bound.arrange(
            batches.flatMap((batch, segment) => batch.stretches(segment, this.way.foreach)),
            values,
          );
    this.known.push({ batches: [...batches], run });
    return run;
  }

  /** Forgets what was laid out: there are other batches now. */
  forget(): void {
    this.known.length = 0;
  }
}
