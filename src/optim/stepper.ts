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
import { Prose, RuleError } from "../errors.ts";
import type { HyperDefaults, Rule } from "../ir/rule.ts";
import type { Plan } from "../ir/plan.ts";
import { PlanCache, type Plans } from "../ir/plan-cache.ts";
import { flushesAt } from "../ir/rule.ts";
import { Trace } from "../ir/trace.ts";
import { bytesOf } from "../memory/dtype.ts";
import { gradientChanges } from "../memory/parameter.ts";
import { Batch } from "./batch.ts";
import type { ArenaState, Entry } from "./entry.ts";
import type { CheckedPlan, ParamGroup, StepOptions } from "./options.ts";

export class Stepper {
  readonly backend: Backend;
  private readonly rule: Rule;
  private readonly options: CheckedPlan;
  private readonly trace: Trace;
  private readonly plans: PlanCache;
  private readonly batches: Batch[] = [];
  private batchCount = 0;
  /** Whether the batches are those of the last step. */
  private gathered = false;
  private changesSeen = 0;
  /** Whether a step ended in the middle, so that part of the numbers is new and part is not. */
  torn = false;
  private gradScale: number | undefined;
  private zeroGrad = false;
  /** The objects that the rule is called with, again and again. */
  private readonly tensors: Record<string, unknown> = {};
  private readonly numbers: Record<string, unknown> = { t: 0 };

  constructor(rule: Rule, options: CheckedPlan, backend: Backend) {
    this.rule = rule;
    this.options = options;
    this.backend = backend;
    this.trace = new Trace(rule.name, rule.slots);
    this.plans = new PlanCache({ flush: options.flushSubnormals, fuse: options.compile });
    // A property that has held something else keeps its numbers by reference and copies none.
    for (const name of rule.hyperNames) this.numbers[name] = undefined;
  }

  /** Takes one step for every parameter that has a gradient. */
  step(
    arenas: readonly ArenaState[],
    groups: readonly ParamGroup<HyperDefaults>[],
    { gradScale, zeroGrad = false }: StepOptions,
  ): void {
    this.gradScale = gradScale;
    this.zeroGrad = zeroGrad;
    let bytes = 0;
    if (!this.isRepetition(arenas)) {
      this.startOver();
      for (let i = 0; i < arenas.length; i++) this.gather(arenas[i]!);
      this.gathered = true;
      this.changesSeen = gradientChanges.count;
    }
    for (let i = 0; i < this.batchCount; i++) bytes += this.prepare(this.batches[i]!, groups);
    const threads = this.backend.threadsFor?.(bytes, this.options.threads, this) ?? 1;
    this.torn = true;
    for (let i = 0; i < this.batchCount; i++) this.run(this.batches[i]!, threads);
    for (let i = 0; i < this.batchCount; i++) this.commit(this.batches[i]!);
    this.torn = false;
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
      }
      batch.taken = 0;
    }
  }

  /** Settles, and forgets the batches: entries have come, or their counts are about to change. */
  startOver(): void {
    this.settle();
    this.batchCount = 0;
    this.gathered = false;
  }

  /** Whether the same parameters have a gradient as in the last step, so that its batches hold. */
  private isRepetition(arenas: readonly ArenaState[]): boolean {
    if (!this.gathered) return false;
    if (gradientChanges.count === this.changesSeen) return true;
    for (let a = 0; a < arenas.length; a++) {
      const { entries } = arenas[a]!;
      for (let i = 0; i < entries.length; i++) {
        const entry = entries[i]!;
        if (entry.parameter.hasGrad !== entry.had) return false;
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
      entry.had = entry.parameter.hasGrad;
      if (!entry.had) continue;
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
    const batch = (batches[at] ??= new Batch());
    if (at === batchCount) {
      batch.restart(entry);
      this.batchCount++;
    }
    entry.batch = at;
    return batch;
  }

  /** Makes a batch ready to run; how many bytes it will read and write. */
  private prepare(batch: Batch, groups: readonly ParamGroup<HyperDefaults>[]): number {
    const { trace } = this;
    const group = groups[batch.group]!;
    this.runRule(batch, group);
    const { usual, flushing } = this.plans.find(trace) ?? this.makePlans(batch, group);
    batch.plan = flushesAt(this.rule, batch.steps + 1) ? flushing : usual;
    const count = trace.uniformCount;
    if (batch.uniforms.length < count) batch.uniforms = new Float64Array(trace.uniforms.length);
    const isSingle = batch.arena.arena.dtype === "float32";
    for (let i = 0; i < count; i++) {
      const value = trace.uniforms[i]!;
      if (isSingle && !Number.isFinite(Math.fround(value))) this.refuseOverflow(value);
      batch.uniforms[i] = value;
    }
    if (batch.plan.perTensor) batch.splitRanges();
    if (!batch.arena.bound.has(batch.plan)) this.bind(batch.arena, batch.plan);
    if (usual !== flushing) {
      // Both at once, so that no later step compiles.
      const other = batch.plan === usual ? flushing : usual;
      if (!batch.arena.bound.has(other)) this.bind(batch.arena, other);
    }
    return batch.elements() * batch.plan.accesses * bytesOf(batch.arena.arena.dtype);
  }

  /** Lets the rule write itself onto the trace. */
  private runRule(batch: Batch, group: ParamGroup<HyperDefaults>): object {
    const { rule, trace, tensors, numbers } = this;
    trace.begin(~batch.written);
    for (let i = 0; i < rule.slots.length; i++) tensors[rule.slots[i]!] = trace.slot(i);
    if (this.gradScale !== undefined) tensors["g"] = trace.slot(1).mul(this.gradScale);
    for (let i = 0; i < rule.hyperNames.length; i++) {
      numbers[rule.hyperNames[i]!] = group[rule.hyperNames[i]!];
    }
    numbers["t"] = rule.counted ? batch.steps + 1 : NaN;
    const outputs = rule.step(tensors as never, numbers as never);
    trace.finish(outputs, this.zeroGrad);
    return outputs;
  }

  /** Makes the plans of what was traced, unless the rule does something else when it runs again. */
  private makePlans(batch: Batch, group: ParamGroup<HyperDefaults>): Plans {
    const { trace, rule } = this;
    const tape = trace.tape.slice(0, trace.length);
    const uniforms = trace.uniforms.slice(0, trace.uniformCount);
    this.checkOutputs(this.runRule(batch, group));
    if (trace.matches(tape) && uniforms.every((value, i) => value === trace.uniforms[i])) {
      return this.plans.make(trace);
    }
    throw new RuleError("IMPURE", {
      subject: `${rule.name}: step()`,
      got: new Prose("something else when it was called again with the same arguments"),
      expected: "a pure function",
      advice: "Keep what a step must remember in state tensors, and randomness out of it.",
    });
  }

  private refuseOverflow(value: number): never {
    throw new RuleError("NOT_FINITE", {
      subject: `${this.rule.name}: a number that meets a float32 tensor`,
      got: value,
      expected: "one that float32 can hold, up to 3.4e38",
      advice: "Look at the hyperparameters, or use float64.",
    });
  }

  private checkOutputs(outputs: object): void {
    const { slots, name } = this.rule;
    const strange = Object.keys(outputs).find((key) => key === "g" || !slots.includes(key));
    if (strange === undefined) return;
    throw new RuleError("UNKNOWN_OUTPUT", {
      subject: `${name}: what step() returned`,
      got: strange,
      expected: `only ${slots.filter((_, i) => i !== 1).join(", ")}`,
    });
  }

  private bind(arena: ArenaState, plan: Plan): void {
    for (let slot = 2; slot < this.rule.slots.length; slot++) {
      if ((plan.usedMask >> slot) & 1) arena.require(slot);
    }
    const largest = arena.entries.reduce(
      (size, { parameter }) => Math.max(size, parameter.size),
      0,
    );
    const temporaries = this.byRange(plan)
      ? arena.temporaries(plan.temporaries, 0, largest)
      : arena.temporaries(plan.temporaries, arena.start, arena.span);
    const allocate = (bytes: number) => arena.allocate(bytes);
    const bound = new BoundPlan(plan, this.backend, arena.arena, temporaries, largest, allocate);
    bound.place(arena.regions);
    arena.bound.set(plan, bound);
  }

  /** Whether a range runs through all kernels before the next one starts. */
  private byRange(plan: Plan): boolean {
    return plan.perTensor || !this.options.foreach;
  }

  private run(batch: Batch, threads: number): void {
    const bound = batch.arena.bound.get(batch.plan)!;
    bound.load(batch.uniforms);
    if (this.byRange(batch.plan)) bound.runRangeByRange(batch.ranges, batch.rangeCount, threads);
    else bound.runKernelByKernel(batch.ranges, batch.rangeCount, threads);
  }

  private commit(batch: Batch): void {
    batch.taken++;
    if (this.rule.counted) batch.steps++;
    batch.written |= batch.plan.storeMask >>> 2;
  }
}
