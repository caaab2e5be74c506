/**
 * Takes steps on a GPU: finds out which parameters go together, lets the rule write itself down once for
 * each such set, and encodes its kernels.
 *
 * What runs, and over what, is laid out when it changes, and for some steps ahead: a later step only sends
 * its numbers and encodes. Everything that can fail comes before that.
 */
import type { Arrangement } from "../backend/webgpu/chunk.ts";
import type { GradientWork } from "../backend/webgpu/gradient-check.ts";
import { Gpu } from "../backend/webgpu/gpu.ts";
import type { HyperDefaults, Rule } from "../ir/rule.ts";
import { planOf, type Plan } from "../ir/plan.ts";
import { scaleUpdate } from "../ir/scale-update.ts";
import { gradientChanges } from "../memory/parameter.ts";
import { BINDING_ALIGNMENT } from "../memory/webgpu/constants.ts";
import type { ParamGroup, StepOptions } from "../optim/options.ts";
import { RuleRun } from "../optim/rule-run.ts";
import { GpuBatch } from "./batch.ts";
import type { ChunkState } from "./chunk-state.ts";
import type { GpuGradients } from "./gradients.ts";
import { requireKnownRows } from "./members.ts";
import type { GpuParameter } from "../memory/webgpu/parameter.ts";
import { PlanRunner, type Way } from "./run.ts";
import { ValuesRing } from "./values.ts";

type Groups = readonly ParamGroup<HyperDefaults, GpuParameter>[];

/** How many steps ahead kernels are made ready: RAdam's formula changes in its sixth. */
const AHEAD = 8;
/** One plan over some batches of a chunk. */
interface Run {
  readonly runner: PlanRunner;
  readonly batches: readonly GpuBatch[];
  readonly work: Arrangement;
  /** Where their numbers begin among those of the step, in bytes. */
  readonly offset: number;
  /** Their numbers in the step at hand. */
  readonly numbers: Float32Array;
}

export class GpuStepper {
  readonly gpu: Gpu;
  private readonly rule: Rule;
  private readonly way: Way;
  private readonly ruleRun: RuleRun;
  private readonly ring: ValuesRing;
  private readonly scaledPlans = new Map<Plan, Plan>();
  private batches: GpuBatch[] = [];
  private runs: readonly Run[] = [];
  /** What measures the gradients first, if anything does. */
  private checking: GradientWork | null = null;
  /** The plan of each batch in the runs; `null` if these are not laid out. */
  private planned: readonly Plan[] | null = null;
  /** Where the GPU decides about steps, and by which norm, when the runs were laid out. */
  private control: GPUBuffer | null = null;
  private normType: number | undefined;
  private gathered = false;
  private changesSeen = 0;
  private byForm: boolean;

  constructor(rule: Rule, way: Way, device: GPUDevice) {
    this.rule = rule;
    this.way = way;
    this.gpu = Gpu.of(device);
    this.ring = new ValuesRing(device);
    this.byForm = rule.slotRanks.some((rank) => rank !== "tensor");
    this.ruleRun = new RuleRun(rule, { flush: false, fuse: way.compile });
  }

  /** Makes a step ready: all of it that can fail. @param changed whether any hyperparameter has. */
  prepare(
    chunks: readonly ChunkState[],
    groups: Groups,
    { gradScale, zeroGrad = false }: StepOptions,
    gradients: GpuGradients,
    changed: boolean,
  ): void {
    this.gpu.requireSound(`${this.rule.name}: step`);
    const { change, control } = gradients;
    if (!this.isRepetition(chunks)) {
      this.gather(chunks);
      gradients.forgetLayout();
    }
    const update = (batches: readonly GpuBatch[]) =>
      this.ruleRun.update(batches, batches.length, groups, gradScale, change, zeroGrad, changed);
    update(this.batches);
    if (this.ruleRun.asksForm && !this.byForm) {
      this.byForm = true;
      this.gather(chunks);
      update(this.batches);
    }
    if (this.isLaidOut(control, gradients.clipping?.normType)) return;
    this.planned = null; // until all of it is
    this.control = control;
    this.normType = gradients.clipping?.normType;
    this.gpu.guarded(() => this.layOut(update, chunks, gradients));
  }

  /** Sends the numbers of the step that was made ready, and encodes it. */
  encode(pass: GPUComputePassEncoder, { gradScale }: StepOptions, gradients: GpuGradients): void {
    const { runs, ring, checking } = this;
    if (runs.length === 0) return;
    const { staging } = ring;
    if (checking) gradients.write(staging, 0, gradScale);
    for (let r = 0; r < runs.length; r++) {
      const { runner, batches, offset } = runs[r]!;
      let at = offset / Float32Array.BYTES_PER_ELEMENT;
      for (let b = 0; b < batches.length; b++, at += runner.stride) {
        const { uniforms } = batches[b]!;
        for (let i = 0; i < runner.stride; i++) staging[at + i] = uniforms[i]!;
      }
    }
    const start = ring.send();
    checking?.encode(pass, start);
    for (let r = 0; r < runs.length; r++) {
      const { work, offset, numbers } = runs[r]!;
      work.encode(pass, start + offset, numbers);
    }
  }

  /** Counts the step that was encoded. */
  commit(): void {
    for (let b = 0; b < this.batches.length; b++) {
      const batch = this.batches[b]!;
      batch.taken++;
      if (this.rule.counted) batch.steps++;
      const { numbers, nextNumbers } = batch;
      for (let i = 0; i < nextNumbers.length; i++) numbers[i] = nextNumbers[i]!;
      batch.written |= batch.plans.usual.storeMask >>> 2;
    }
  }

  /** Lets all entries know how many steps they have taken and what they have written. */
  settle(): void {
    for (const batch of this.batches) {
      if (batch.taken === 0) continue;
      for (const entry of batch.entries) {
        entry.steps = batch.steps;
        entry.written = batch.written;
        if (batch.numbers.length > 0) entry.numbers = [...batch.numbers];
      }
      batch.taken = 0;
    }
  }

  /** Settles, and forgets the batches: entries have come, or their counts are about to change. */
  startOver(): void {
    this.settle();
    this.batches = [];
    this.planned = null;
    this.gathered = false;
  }

  private isLaidOut(control: GPUBuffer | null, normType: number | undefined): boolean {
    const { planned, batches } = this;
    if (!planned || control !== this.control || normType !== this.normType) return false;
    return batches.every((batch, i) => batch.plans.usual === planned[i]);
  }

  private isRepetition(chunks: readonly ChunkState[]): boolean {
    if (!this.gathered) return false;
    if (gradientChanges.count === this.changesSeen) return true;
    for (const { entries } of chunks) {
      for (const { parameter, had, lrScale, revision } of entries) {
        if (parameter.hasGrad !== had || parameter.lrScale !== lrScale) return false;
        if (parameter.revision !== revision) return false;
      }
    }
    this.changesSeen = gradientChanges.count;
    return true;
  }

  private gather(chunks: readonly ChunkState[]): void {
    for (const { entries } of chunks) requireKnownRows(this.rule.name, entries);
    this.startOver();
    for (const { entries, bound } of chunks) {
      for (const runner of bound) runner.forget();
      let batch: GpuBatch | undefined;
      for (const entry of entries) {
        entry.had = entry.parameter.hasGrad;
        entry.lrScale = entry.parameter.lrScale;
        if (!entry.had && !this.rule.takesAll) continue;
        if (!batch?.takes(entry)) {
          batch = this.batches.find((known) => known.takes(entry));
          if (!batch) {
            batch = new GpuBatch(entry, this.rule.matrices, this.byForm);
            this.batches.push(batch);
          }
        }
        batch.add(entry);
      }
    }
    this.gathered = true;
    this.changesSeen = gradientChanges.count;
  }

  /** Lays out this step and those ahead, which differ where a rule does. */
  private layOut(
    update: (batches: readonly GpuBatch[]) => void,
    chunks: readonly ChunkState[],
    gradients: GpuGradients,
  ): void {
    const { batches } = this;
    const now = batches.map((batch) => batch.plans.usual);
    const steps = [now, ...this.plansAhead(update)];
    const runners = steps.map((plans) => plans.map((plan, b) => this.runner(batches[b]!, plan)));
    const front = this.control ? gradients.bytes : 0;
    const bytes = front + Math.max(...runners.map((each) => this.bytesOf(each)));
    if (this.ring.reserve(bytes)) {
      gradients.forgetLayout();
      for (const { bound } of chunks) for (const runner of bound) runner.forget();
    }
    this.checking = this.control ? gradients.arrange(chunks, this.ring.binding(front)) : null;
    const laidOut = runners.map((each) => this.runsOf(each, front));
    this.runs = laidOut[0]!;
    this.planned = now;
  }

  /** The plan of each batch in the steps that come next. The batches are as they were afterwards. */
  private plansAhead(update: (batches: readonly GpuBatch[]) => void): Plan[][] {
    const count = this.rule.counted ? AHEAD : 1;
    const probes = this.batches.map((batch) => batch.probe());
    const ahead: Plan[][] = [];
    for (let step = 0; step < count; step++) {
      for (const probe of probes) probe.advance(this.rule.counted);
      update(probes);
      ahead.push(probes.map((probe) => probe.plans.usual));
    }
    return ahead;
  }

  private runner({ chunk, isScaled }: GpuBatch, usual: Plan): PlanRunner {
    const { gpu, way, control } = this;
    const plan = isScaled ? this.scaled(usual) : usual;
    let runner = chunk.bound.find((known) => known.plan === plan && known.control === control);
    if (!runner) chunk.bound.push((runner = new PlanRunner(gpu, plan, chunk, way, control)));
    return runner;
  }

  /** The same plan for parameters whose updates are multiplied by factors. */
  private scaled(plan: Plan): Plan {
    let scaled = this.scaledPlans.get(plan);
    if (!scaled) {
      scaled = planOf(scaleUpdate(plan.program), this.way.compile);
      this.scaledPlans.set(plan, scaled);
    }
    return scaled;
  }

  /** Batches by who runs them, in order. */
  private together(runners: readonly PlanRunner[]): Map<PlanRunner, GpuBatch[]> {
    const lists = new Map<PlanRunner, GpuBatch[]>();
    runners.forEach((runner, b) => {
      const list = lists.get(runner) ?? [];
      list.push(this.batches[b]!);
      lists.set(runner, list);
    });
    return lists;
  }

  private bytesOf(runners: readonly PlanRunner[]): number {
    let bytes = 0;
    for (const [runner, { length }] of this.together(runners)) bytes += spaceFor(runner, length);
    return bytes;
  }

  /** @param front bytes before their numbers. */
  private runsOf(runners: readonly PlanRunner[], front: number): Run[] {
    let offset = front;
    return [...this.together(runners)].map(([runner, batches]) => {
      const size = spaceFor(runner, batches.length);
      const work = runner.arrange(batches, this.ring.binding(size));
      const numbers = this.ring.staging.subarray(offset / Float32Array.BYTES_PER_ELEMENT);
      const run = { runner, batches, work, offset, numbers };
      offset += size;
      return run;
    });
  }
}

/** Bytes for the numbers of some batches: as much as may be bound from where bindings may begin. */
function spaceFor({ stride }: PlanRunner, batches: number): number {
  const bytes = stride * batches * Float32Array.BYTES_PER_ELEMENT;
  return Math.max(1, Math.ceil(bytes / BINDING_ALIGNMENT)) * BINDING_ALIGNMENT;
}
