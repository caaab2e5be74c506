/**
 * Runs steps: finds out which parameters go together, traces the rule once for each such set, and
 * runs the kernels. Everything that can fail happens before the first kernel runs.
 *
 * Parameters go together if they share group, arena, count of steps and state written so far: then
 * the rule gives them the same structure and the same numbers. Where they lie side by side, they run
 * as one range.
 */
import type { Backend } from "../backend/backend.ts";
import { BoundPlan } from "../backend/bound-plan.ts";
import { hostWork } from "../backend/matrix/operation.ts";
import { lineRunnerOf, type LineRoom } from "../backend/lines/engine.ts";
import type { HyperDefaults, Rule } from "../ir/rule.ts";
import type { Plan } from "../ir/plan.ts";
import { flushesAt } from "../ir/rule.ts";
import type { Shape } from "../ir/trace.ts";
import { bytesOf } from "../memory/dtype.ts";
import { gradientChanges } from "../memory/parameter.ts";
import { Batch } from "./batch.ts";
import type { ArenaState, Entry } from "./entry.ts";
import type { GradChange } from "./grad-change.ts";
import type { CheckedPlan, ParamGroup, StepOptions } from "./options.ts";
import { RuleRun } from "./rule-run.ts";
import { checkKind, fillState, forgetRows, refuseReduction } from "./sparse.ts";

/** Elements of small matrices that are under way at once, for threads to share out. */
const ELEMENTS_AT_ONCE = 1 << 18;

export class Stepper {
  readonly backend: Backend;
  private readonly rule: Rule;
  private readonly options: CheckedPlan;
  private readonly ruleRun: RuleRun;
  private readonly batches: Batch[] = [];
  private batchCount = 0;
  /** Whether the batches are those of the last step. */
  private gathered = false;
  private changesSeen = 0;
  /** How many threads the last step used. */
  threads = 1;
  /** Whether the rule does something else for matrices: it has state of rows, or it has asked. */
  private byForm: boolean;
  /** Whether a step ended in the middle, so that part of the numbers is new and part is not. */
  torn = false;

  constructor(rule: Rule, options: CheckedPlan, backend: Backend) {
    this.rule = rule;
    this.options = options;
    this.backend = backend;
    this.byForm = rule.slotRanks.some((rank) => rank !== "tensor");
    this.ruleRun = new RuleRun(rule, { flush: options.flushSubnormals, fuse: options.compile });
  }

  /**
   * Makes ready a step of every parameter that has a gradient: all of it that can fail.
   *
   * @param change what happens to the gradients first.
   * @param changed whether any hyperparameter differs from the last step's.
   */
  prepare(
    arenas: readonly ArenaState[],
    groups: readonly ParamGroup<HyperDefaults>[],
    { gradScale, zeroGrad = false }: StepOptions,
    change: GradChange,
    changed: boolean,
  ): void {
    if (!this.isRepetition(arenas)) this.regather(arenas);
    for (let i = 0; i < this.batchCount; i++) {
      checkKind(this.rule, this.batches[i]!, groups[this.batches[i]!.group]!);
    }
    const { batches, ruleRun } = this;
    ruleRun.update(batches, this.batchCount, groups, gradScale, change, zeroGrad, changed);
    if (ruleRun.asksForm && !this.byForm) {
      this.byForm = true;
      this.regather(arenas);
      ruleRun.update(batches, this.batchCount, groups, gradScale, change, zeroGrad, changed);
    }
    const { batchCount } = this;
    let bytes = 0;
    for (let i = 0; i < batchCount; i++) bytes += this.choosePlan(batches[i]!);
    this.threads = this.backend.threadsFor?.(bytes, this.options.threads, this) ?? 1;
  }

  /** Takes the step that was made ready. */
  run(groups: readonly ParamGroup<HyperDefaults>[], { zeroGrad = false }: StepOptions): void {
    const { batches, batchCount } = this;
    this.torn = true;
    for (let i = 0; i < batchCount; i++) {
      const batch = batches[i]!;
      if (batch.sparse) fillState(this.rule, batch, groups[batch.group]!);
      this.runBatch(batch);
    }
    for (let i = 0; i < batchCount; i++) this.commit(batches[i]!, zeroGrad);
    this.torn = false;
  }

  /** Whether all operations of the rule run in one pass. */
  get fuses(): boolean {
    return this.options.compile;
  }

  /** Lets all entries know how many steps they have taken and what they have written. */
  settle(): void {
    for (let b = 0; b < this.batchCount; b++) {
      const batch = this.batches[b]!;
      if (batch.taken === 0) continue;
      for (let i = 0; i < batch.entryCount; i++) {
        const entry = batch.entries[i]!;
        entry.steps = batch.steps;
        entry.written = batch.written;
        if (batch.numbers.length > 0) entry.numbers = [...batch.numbers];
      }
      batch.taken = 0;
    }
  }

  private regather(arenas: readonly ArenaState[]): void {
    this.startOver();
    for (let i = 0; i < arenas.length; i++) this.gather(arenas[i]!);
    this.gathered = true;
    this.changesSeen = gradientChanges.count;
  }

  /** Settles, and forgets the batches: entries have come, or their counts are about to change. */
  startOver(): void {
    this.settle();
    this.batchCount = 0;
    this.gathered = false;
  }

  /** Whether the same parameters and rows have a gradient as in the last step: its batches hold. */
  private isRepetition(arenas: readonly ArenaState[]): boolean {
    if (!this.gathered) return false;
    if (gradientChanges.count === this.changesSeen) return true;
    for (let a = 0; a < arenas.length; a++) {
      const { entries } = arenas[a]!;
      for (let i = 0; i < entries.length; i++) {
        const entry = entries[i]!;
        if (entry.parameter.gradKind !== entry.had) return false;
      }
    }
    this.changesSeen = gradientChanges.count;
    return true;
  }

  private gather(arena: ArenaState): void {
    const { entries } = arena;
    let batch: Batch | undefined;
    let at = 0;
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i]!;
      entry.had = entry.parameter.gradKind;
      if (!entry.parameter.hasGrad && !this.rule.takesAll) continue;
      if (batch?.takes(entry)) entry.batch = at;
      else {
        batch = this.batchFor(entry);
        at = entry.batch;
      }
      batch.add(entry, this.options.foreach);
    }
  }

  /** The batch of an entry: that of the last step if it fits, so that many batches cost no search. */
  private batchFor(entry: Entry): Batch {
    const { batchCount, batches } = this;
    let at = entry.batch;
    if (at > batchCount || (at < batchCount && !batches[at]!.takes(entry))) {
      for (at = 0; at < batchCount && !batches[at]!.takes(entry);) at++;
    }
    const batch = (batches[at] ??= new Batch(this.rule.takesAll ?? false));
    if (at === batchCount) {
      batch.restart(entry, this.rule.matrices, this.byForm);
      this.batchCount++;
    }
    entry.batch = at;
    return batch;
  }

  /** Decides whether the step flushes, and makes the kernels ready; the bytes that will be moved. */
  private choosePlan(batch: Batch): number {
    const { usual, flushing } = batch.plans;
    const plan = flushesAt(this.rule, batch.steps + 1) ? flushing : usual;
    const { bound } = batch.arena;
    if (plan === batch.plan && batch.bytes >= 0 && bound.has(plan)) return batch.bytes;
    if (plan.perTensor && batch.sparse) refuseReduction(this.rule);
    if (plan.perTensor) batch.splitRanges();
    // Both at once, so that no later step compiles.
    if (!bound.has(usual)) this.bind(batch.arena, usual);
    if (!bound.has(flushing)) this.bind(batch.arena, flushing);
    batch.plan = plan;
    const { dtype } = batch.arena.arena;
    batch.bytes = batch.elements() * plan.accesses * bytesOf(dtype);
    if (batch.shape) batch.bytes += batch.rangeCount * hostWork(plan, batch.shape, batch.uniforms);
    return batch.bytes;
  }

  private bind(arena: ArenaState, plan: Plan): void {
    for (let slot = 2; slot < this.rule.slots.length; slot++) {
      if ((plan.usedMask >> slot) & 1) arena.require(slot);
    }
    const lines = lineRunnerOf(plan);
    const bound = lines ? lines.bind(plan, this.lineRoom(arena)) : this.bindRanges(arena, plan);
    bound.place(arena.regions);
    arena.bound.set(plan, bound);
  }

  private lineRoom(state: ArenaState): LineRoom {
    return {
      backend: this.backend,
      arena: state.arena,
      places: state.entries.flatMap(({ matrix }) => matrix ?? []),
      allocate: (bytes) => state.allocate(bytes),
      temporaries: (count, elements, kind) => state.temporaries(count, 0, elements, kind),
    };
  }

  private bindRanges(arena: ArenaState, plan: Plan): BoundPlan {
    const { matrices } = this.rule;
    const largest = arena.entries.reduce(
      (size, { parameter }) => Math.max(size, parameter.size),
      0,
    );
    const elements = matrices ? Math.max(largest, Math.min(arena.span, ELEMENTS_AT_ONCE)) : largest;
    const temporaries = this.byRange(plan)
      ? arena.temporaries(plan.temporaries, 0, elements)
      : arena.temporaries(plan.temporaries, arena.start, arena.span);
    const needs = {
      shapes: matrices ? arena.entries.map((entry) => entry.parameter.shape as Shape) : [],
      scratch: (bytes: number) => arena.scratch(bytes),
      elements,
    };
    const allocate = (bytes: number) => arena.allocate(bytes);
    return new BoundPlan(plan, this.backend, arena.arena, temporaries, largest, allocate, needs);
  }

  /** Whether a range runs through all kernels before the next one starts. */
  private byRange(plan: Plan): boolean {
    return plan.perTensor || !this.options.foreach;
  }

  protected runBatch(batch: Batch): void {
    const { threads } = this;
    const bound = batch.arena.bound.get(batch.plan)!;
    bound.load(batch.uniforms, batch.version);
    const { ranges, rangeCount, shape } = batch;
    if (!(bound instanceof BoundPlan)) {
      for (let i = 0; i < batch.entryCount; i++) bound.run(batch.entries[i]!.matrix!, threads);
    } else if (this.byRange(batch.plan)) {
      bound.runRangeByRange(ranges, rangeCount, threads, shape);
    } else bound.runKernelByKernel(ranges, rangeCount, threads);
  }

  private commit(batch: Batch, zeroGrad: boolean): void {
    if (zeroGrad && batch.sparse) forgetRows(batch);
    batch.taken++;
    if (this.rule.counted) batch.steps++;
    const { numbers, nextNumbers } = batch;
    for (let i = 0; i < nextNumbers.length; i++) numbers[i] = nextNumbers[i]!;
    batch.written |= batch.plan.storeMask >>> 2;
  }
}
