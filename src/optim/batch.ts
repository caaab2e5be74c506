/** Parameters that take a step together: one plan, one set of numbers, and the ranges they lie in. */
import type { Plan } from "../ir/plan.ts";
import type { Plans } from "../ir/plan-cache.ts";
import type { Shape } from "../ir/trace.ts";
import type { ArenaState, Entry } from "./entry.ts";
import type { GradChange } from "./grad-change.ts";
import { Ranges } from "./ranges.ts";

export class Batch extends Ranges {
  private readonly takesAll: boolean;
  arena!: ArenaState;
  group = 0;
  steps = 0;
  written = 0;
  /** Whether their gradients consist of rows. */
  sparse = false;
  /** Whether they have rows and columns, and whether that matters to the rule. */
  isMatrix = false;
  private byForm = false;
  /** What the rule remembers besides tensors, and what it will remember once the step is taken. */
  numbers: number[] = [];
  /** Rows and columns of each parameter, for rules that look at them. */
  shape: Shape | null = null;
  nextNumbers: number[] = [];
  /** Steps taken that its entries do not know of yet. */
  taken = 0;
  /** The plans of what the rule did last, and the state written when it did. */
  plans!: Plans;
  traced = -1;
  /** Whether the rule did not look at the time then. */
  timeless = false;
  plan!: Plan;
  /** Bytes that a step reads and writes; -1 if nobody has counted yet. */
  bytes = -1;
  uniforms = new Float64Array(32);
  /** Goes up whenever the numbers change. */
  version = 0;
  entries: Entry[] = [];
  entryCount = 0;
  /** What the gradients are multiplied by and clamped to before the rule sees them, if anything. */
  gradScale: number | undefined;
  gradLimit: number | undefined;

  /** @param takesAll whether it does not matter what gradients its parameters have. */
  constructor(takesAll: boolean) {
    super();
    this.takesAll = takesAll;
  }

  /**
   * @param byShape whether only parameters of one shape, a matrix's, may go together.
   * @param byForm whether the rule does something else for matrices.
   */
  restart(entry: Entry, byShape: boolean, byForm: boolean): void {
    this.arena = entry.arena;
    this.group = entry.group;
    this.steps = entry.steps;
    this.written = entry.written;
    this.sparse = this.isSparse(entry);
    this.isMatrix = entry.matrix !== null;
    this.byForm = byForm;
    this.numbers = [...entry.numbers];
    this.shape = byShape ? (entry.parameter.shape as Shape) : null;
    this.taken = 0;
    this.traced = -1;
    this.bytes = -1;
    this.entryCount = 0;
    this.clearRanges();
  }

  takes(entry: Entry): boolean {
    return (
      entry.arena === this.arena &&
      entry.group === this.group &&
      entry.steps === this.steps &&
      entry.written === this.written &&
      this.isSparse(entry) === this.sparse &&
      (!this.byForm || this.isMatrix === (entry.matrix !== null)) &&
      this.remembers(entry) &&
      this.hasShape(entry)
    );
  }

  private isSparse({ parameter }: Entry): boolean {
    return !this.takesAll && parameter.isSparse;
  }

  private remembers({ numbers }: Entry): boolean {
    const count = Math.max(numbers.length, this.numbers.length);
    for (let i = 0; i < count; i++) if (numbers[i] !== this.numbers[i]) return false;
    return true;
  }

  private hasShape({ parameter }: Entry): boolean {
    const { shape } = this;
    return !shape || (shape[0] === parameter.shape[0] && shape[1] === parameter.shape[1]);
  }

  add(entry: Entry, merge: boolean): void {
    this.entries[this.entryCount++] = entry;
    if (this.sparse) this.addGradient(entry, merge);
    else this.addRange(entry, merge);
  }

  /**
   * Takes over what happens to the gradients: `change`, then a multiplication by `factor`. Says whether
   * it is what happened in the last step.
   */
  keepsChange(change: GradChange, factor: number | undefined): boolean {
    let scale = factor;
    let limit: number | undefined;
    if (change.scaled) scale = change.scaleOf(this.group) * (factor ?? 1);
    if (change.limited) limit = change.limitOf(this.group, factor);
    const same = scale === this.gradScale && limit === this.gradLimit;
    this.gradScale = scale;
    this.gradLimit = limit;
    return same;
  }

  /** One range for each parameter, for plans whose values belong to one tensor. */
  splitRanges(): void {
    this.clearRanges();
    for (let i = 0; i < this.entryCount; i++) this.addRange(this.entries[i]!, false);
  }
}
