/** What the next step on a GPU does to its gradients: known numbers, and what the GPU finds out itself. */
import {
  GradientCheck,
  writeDecision,
  writeGroup,
  type GradientStretch,
  type GradientWork,
} from "../backend/webgpu/gradient-check.ts";
import type { Gpu } from "../backend/webgpu/gpu.ts";
import type { NormType } from "../backend/webgpu/measure.ts";
import { BINDING_ALIGNMENT } from "../memory/webgpu/constants.ts";
import { GradChange } from "../optim/grad-change.ts";
import { Ranges } from "../optim/ranges.ts";
import type { ChunkState } from "./chunk-state.ts";

/** A clipping that the next step is to do. */
export interface Clipping {
  readonly maxNorm: number;
  readonly normType: NormType;
  readonly perGroup: boolean;
}

const measureOnly: Clipping = { maxNorm: Infinity, normType: Infinity, perGroup: false };

/** Neighbours among tensors that start where bindings may. */
class GpuRanges extends Ranges {
  protected override readonly alignment = BINDING_ALIGNMENT;
}

export class GpuGradients {
  readonly change = new GradChange();
  /** Whether steps without finite gradients are left out. */
  readonly skips: boolean;
  clipping: Clipping | null = null;
  private readonly gpu: Gpu;
  private readonly groups: readonly object[];
  private check: GradientCheck | undefined;

  /** @param groups of the optimizer, as they are and will be. */
  constructor(gpu: Gpu, groups: readonly object[], skips: boolean) {
    this.gpu = gpu;
    this.groups = groups;
    this.skips = skips;
  }

  get groupCount(): number {
    return this.groups.length;
  }

  /** Where the GPU decides about the next step; `null` if it has nothing to decide. */
  get control(): GPUBuffer | null {
    if (!this.skips && !this.clipping) return null;
    return (this.check ??= new GradientCheck(this.gpu)).control;
  }

  /** Where it decided last, if it ever has. */
  get decided(): GPUBuffer | undefined {
    return this.check?.control;
  }

  /** Bytes of the numbers for a decision. */
  get bytes(): number {
    const bytes = GradientCheck.numbers(this.groupCount) * Float32Array.BYTES_PER_ELEMENT;
    return Math.ceil(bytes / BINDING_ALIGNMENT) * BINDING_ALIGNMENT;
  }

  forgetLayout(): void {
    this.check?.forget();
  }

  arrange(chunks: readonly ChunkState[], values: GPUBufferBinding): GradientWork {
    const { normType } = this.clipping ?? measureOnly;
    const stretches = (): GradientStretch[] => chunks.flatMap((chunk) => this.stretchesOf(chunk));
    return this.check!.arrange(normType, stretches, this.groupCount, values);
  }

  /** Writes the numbers of the next step's decision. @param gradScale multiplies what has been clipped. */
  write(into: Float32Array, at: number, gradScale = 1): void {
    const { maxNorm, perGroup } = this.clipping ?? measureOnly;
    writeDecision(into, at, { maxNorm, perGroup, skip: this.skips, gradScale });
    for (let group = 0; group < this.groupCount; group++) {
      writeGroup(into, at, group, this.change.scaleOf(group), this.change.limitOf(group));
    }
  }

  /** Forgets what the step has done. */
  forget(): void {
    this.change.forget();
    this.clipping = null;
  }

  private stretchesOf(chunk: ChunkState): GradientStretch[] {
    const byGroup = this.groups.map(() => new GpuRanges());
    for (const entry of chunk.entries) {
      if (entry.parameter.hasGrad) byGroup[entry.group]!.addRange(entry, true);
    }
    return byGroup.flatMap(({ ranges, rangeCount }, group) =>
      Array.from({ length: rangeCount }, (_, r) => {
        return { memory: chunk, group, begin: ranges[2 * r]!, end: ranges[2 * r + 1]! };
      }),
    );
  }
}
