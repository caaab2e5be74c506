/** What the next step on a GPU does to its gradients: known numbers, and what the GPU finds out itself. */
import {
  GradientCheck,
  writeDecision,
  writeGroup,
  type GradientStretch,
  type GradientWork,
} from "../backend/webgpu/gradient-check.ts";
import { MAX_GROUPS } from "../backend/webgpu/control.ts";
import type { Gpu } from "../backend/webgpu/gpu.ts";
import type { NormType } from "../backend/webgpu/measure.ts";
import { BINDING_ALIGNMENT } from "../memory/webgpu/constants.ts";
import { readParts } from "../memory/webgpu/read.ts";
import { GradChange } from "../optim/grad-change.ts";
import { check } from "../optim/gradient-source.ts";
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

  /** Reads back what it decided last. */
  async report(subject: string): Promise<{ norm: number | null; skippedSteps: number }> {
    if (!this.check) return { norm: null, skippedSteps: 0 };
    const part = { buffer: this.check.control, offset: 0, size: 16 };
    const [bytes] = await readParts(this.gpu.device, subject, [part]);
    const [norm] = new Float32Array(bytes!, 8, 1) as unknown as [number];
    return { norm, skippedSteps: new Uint32Array(bytes!)[1]! };
  }

  /** @throws {OptionError} `BAD_OPTION` for more groups than the GPU can decide about, if it is to. */
  requireFew(subject: string, groups: number): void {
    const fits = groups <= MAX_GROUPS || (!this.skips && !this.clipping);
    const expected = `at most ${MAX_GROUPS} groups where the GPU decides about a step`;
    check(`${subject}: groups`, groups, fits, expected);
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
