/**
 * Runs the rule for a batch of parameters: what it does becomes a plan, its numbers become uniforms.
 *
 * A rule is a pure function of its arguments. One that does not look at the time is therefore not run
 * again while nothing else that it sees has changed; every so many steps it is, to notice one that
 * uses what it was not given.
 */
import { Prose, RuleError } from "../errors.ts";
import { PlanCache, type PlanCacheOptions, type Plans } from "../ir/plan-cache.ts";
import type { Rule } from "../ir/rule.ts";
import { Trace } from "../ir/trace.ts";
import { changedGradient, type GradChange } from "./grad-change.ts";
import type { RuleBatch } from "./rule-batch.ts";

type Group = Readonly<Record<string, unknown>>;

const CHECK_PERIOD = 64;

export class RuleRun {
  private readonly rule: Rule;
  private readonly trace: Trace;
  private readonly plans: PlanCache;
  /** Whether all that the rule sees, but for the time, is as it was when the batches were traced. */
  private holds = false;
  /** Whether numbers change with the time, whatever the rule looks at. */
  private readonly throwsDice: boolean;
  private sinceCheck = 0;
  private zeroGrad = false;
  /** The objects that the rule is called with, again and again. */
  private readonly tensors: Record<string, unknown> = {};
  private readonly numbers: Record<string, unknown> = {};
  /** The time, and whether the rule has looked at it. */
  private readonly clock = { now: 0, read: false };

  constructor(rule: Rule, options: PlanCacheOptions) {
    this.rule = rule;
    this.trace = new Trace(rule.name, rule.slots, rule.slotRanks, rule.stateStorage);
    this.throwsDice = rule.stateStorage?.rounding === "stochastic";
    this.plans = new PlanCache(options);
    const { clock, numbers } = this;
    const readTime = (): number => {
      clock.read = true;
      return clock.now;
    };
    Object.defineProperty(numbers, "t", { get: readTime, enumerable: true });
    // A property that has held something else keeps its numbers by reference and copies none.
    for (const name of [...rule.hyperNames, ...rule.numberLetters]) numbers[name] = undefined;
  }

  /** Whether the rule has asked which parameters are matrices. */
  get asksForm(): boolean {
    return this.trace.asksForm;
  }

  /**
   * Brings the plans and uniforms of all batches up to date.
   *
   * @param change what happens to gradients before they are multiplied by `gradScale`.
   * @param changed whether any hyperparameter differs from the last step's.
   */
  update(
    batches: readonly RuleBatch[],
    count: number,
    groups: readonly Group[],
    gradScale: number | undefined,
    change: GradChange,
    zeroGrad: boolean,
    changed: boolean,
  ): void {
    const mayHold = !changed && zeroGrad === this.zeroGrad && this.holds;
    this.zeroGrad = zeroGrad;
    this.holds = false; // nor do they if one of the runs fails
    this.sinceCheck = (this.sinceCheck + 1) % CHECK_PERIOD;
    for (let i = 0; i < count; i++) {
      const batch = batches[i]!;
      const group = groups[batch.group]!;
      const same = batch.keepsChange(change, gradScale);
      const holds = mayHold && same && batch.timeless && batch.traced === batch.written;
      if (!holds) this.retrace(batch, group);
      else if (this.sinceCheck === 0) this.check(batch, group);
    }
    this.holds = true;
  }

  private retrace(batch: RuleBatch, group: Group): void {
    const { trace, clock } = this;
    batch.traced = -1;
    clock.read = false;
    this.run(batch, group);
    batch.plans = this.plans.find(trace) ?? this.makePlans(batch, group);
    const count = trace.uniformCount;
    if (batch.uniforms.length < count) batch.uniforms = new Float64Array(trace.uniforms.length);
    const isSingle = batch.dtype === "float32";
    for (let i = 0; i < count; i++) {
      const value = trace.uniforms[i]!;
      if (isSingle && !Number.isFinite(Math.fround(value))) this.refuseOverflow(value);
      batch.uniforms[i] = value;
    }
    batch.version++;
    batch.timeless = !clock.read && !this.throwsDice && this.rule.numberLetters.length === 0;
    batch.traced = batch.written;
  }

  /** Lets the rule write itself onto the trace. */
  private run(batch: RuleBatch, group: Group): object {
    const { rule, trace, tensors, numbers } = this;
    const { written, shape, isMatrix, dtype } = batch;
    trace.begin(batch.sparse ? 0 : ~written, shape, isMatrix, dtype);
    for (let i = 0; i < rule.slots.length; i++) tensors[rule.slots[i]!] = trace.slot(i);
    const { gradScale, gradLimit } = batch;
    if (gradScale !== undefined || gradLimit !== undefined) {
      tensors["g"] = changedGradient(trace.slot(1), gradScale, gradLimit);
    }
    for (let i = 0; i < rule.hyperNames.length; i++) {
      numbers[rule.hyperNames[i]!] = group[rule.hyperNames[i]!];
    }
    this.clock.now = rule.counted ? batch.steps + 1 : NaN;
    const { numberLetters } = rule;
    for (let i = 0; i < numberLetters.length; i++) {
      numbers[numberLetters[i]!] = batch.numbers[i] ?? 0;
    }
    const outputs = rule.step(tensors as never, numbers as never);
    trace.finish(outputs, this.zeroGrad, undefined, batch.steps + 1);
    for (let i = 0; i < numberLetters.length; i++) {
      const value: unknown = outputs[numberLetters[i]!];
      if (!Number.isFinite(value)) this.refuseNumber(numberLetters[i]!, value);
      batch.nextNumbers[i] = value as number;
    }
    return outputs;
  }

  /** Makes the plans of what was traced, unless the rule does something else when it runs again. */
  private makePlans(batch: RuleBatch, group: Group): Plans {
    const { trace } = this;
    const tape = trace.tape.slice(0, trace.length);
    const uniforms = trace.uniforms.slice(0, trace.uniformCount);
    this.checkOutputs(this.run(batch, group));
    if (!trace.matches(tape) || !this.hasUniforms(uniforms)) this.refuseImpure();
    return this.plans.make(trace);
  }

  /** Refuses a rule that would now do something else than it did. */
  private check(batch: RuleBatch, group: Group): void {
    this.run(batch, group);
    const isSame = this.plans.find(this.trace) === batch.plans;
    if (!isSame || !this.hasUniforms(batch.uniforms)) this.refuseImpure();
  }

  private hasUniforms(expected: Float64Array): boolean {
    const { uniforms, uniformCount } = this.trace;
    for (let i = 0; i < uniformCount; i++) if (uniforms[i] !== expected[i]) return false;
    return true;
  }

  private refuseNumber(letter: string, value: unknown): never {
    throw new RuleError("MISSING_OUTPUT", {
      subject: `${this.rule.name}: what step() returned for ${JSON.stringify(letter)}`,
      got: value,
      expected: "a finite number",
    });
  }

  private refuseImpure(): never {
    throw new RuleError("IMPURE", {
      subject: `${this.rule.name}: step()`,
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
    const { slots, name, numberLetters } = this.rule;
    const known = [...slots.filter((_, i) => i !== 1), ...numberLetters];
    const strange = Object.keys(outputs).find((key) => !known.includes(key));
    if (strange === undefined) return;
    throw new RuleError("UNKNOWN_OUTPUT", {
      subject: `${name}: what step() returned`,
      got: strange,
      expected: `only ${known.join(", ")}`,
    });
  }
}
