/** Parameters on a GPU that take a step together: one plan, and one set of numbers. */
import type { Stretch } from "../backend/webgpu/chunk.ts";
import type { Tensor } from "../backend/webgpu/tensor/segments.ts";
import type { Shape } from "../ir/trace.ts";
import { BINDING_ALIGNMENT } from "../memory/webgpu/constants.ts";
import { RuleBatch } from "../optim/rule-batch.ts";
import type { ChunkState } from "./chunk-state.ts";
import type { GpuEntry } from "./entry.ts";

export class GpuBatch extends RuleBatch {
  readonly chunk: ChunkState;
  readonly entries: GpuEntry[] = [];
  readonly dtype = "float32";
  /** Steps taken that its entries do not know of yet. */
  taken = 0;
  /** Whether their updates are multiplied by factors, each parameter's by its own. */
  readonly isScaled: boolean;
  private readonly byForm: boolean;
  protected override readonly alignment = BINDING_ALIGNMENT;

  /**
   * @param byShape whether only parameters of one shape, a matrix's, may go together.
   * @param byForm whether the rule does something else for matrices.
   */
  constructor(entry: GpuEntry, byShape: boolean, byForm: boolean) {
    super();
    this.chunk = entry.chunk;
    this.group = entry.group;
    this.steps = entry.steps;
    this.written = entry.written;
    this.isScaled = entry.lrScale !== null;
    this.isMatrix = entry.matrix !== null;
    this.byForm = byForm;
    this.numbers = [...entry.numbers];
    this.shape = byShape ? (entry.parameter.shape as Shape) : null;
  }

  takes(entry: GpuEntry): boolean {
    return (
      entry.chunk === this.chunk &&
      entry.group === this.group &&
      entry.steps === this.steps &&
      entry.written === this.written &&
      (entry.lrScale !== null) === this.isScaled &&
      (!this.byForm || this.isMatrix === (entry.matrix !== null)) &&
      this.remembers(entry.numbers) &&
      this.hasShape(entry.parameter.shape)
    );
  }

  add(entry: GpuEntry): void {
    this.entries.push(entry);
  }

  /** One that stands for this batch in later steps, to see what its rule will do then. */
  probe(): GpuBatch {
    const [entry] = this.entries as [GpuEntry];
    const probe = new GpuBatch(entry, this.shape !== null, this.byForm);
    probe.steps = this.steps;
    probe.written = this.written;
    probe.numbers = [...this.numbers];
    probe.plans = this.plans;
    return probe;
  }

  /** Goes on to the next step as if this one had been taken. */
  advance(counted: boolean): void {
    if (counted) this.steps++;
    this.written |= this.plans.usual.storeMask >>> 2;
    this.traced = -1;
  }

  /**
   * Where its elements lie: stretches of neighbours with the gaps between them, or one for each parameter,
   * as there always is where these have factors.
   *
   * @param segment whose numbers they meet.
   */
  stretches(segment: number, merge: boolean): Stretch[] {
    this.clearRanges();
    const { entries, group, isScaled } = this;
    for (const entry of entries) this.addRange(entry, merge && !isScaled);
    return Array.from({ length: this.rangeCount }, (_, r) => ({
      segment,
      group,
      begin: this.ranges[2 * r]!,
      end: this.ends(r),
      ...(isScaled && { factors: entries[r]!.lrScale! }),
    }));
  }

  /** The tensors themselves. @param segment whose numbers they meet. */
  tensors(segment: number): Tensor[] {
    const { group } = this;
    return this.entries.map(({ home, parameter, matrix, lrScale }) => ({
      segment,
      group,
      begin: home.offset,
      end: home.offset + parameter.size,
      place: matrix,
      ...(lrScale && { factors: lrScale }),
    }));
  }

  /** Own memory goes on behind a tensor: so whole vectors are enough there. */
  private ends(range: number): number {
    const end = this.ranges[2 * range + 1]!;
    return this.chunk.chunk.isOwn ? Math.ceil(end / 4) * 4 : end;
  }
}
