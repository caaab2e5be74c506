/** Parameters that take a step together: one plan, one set of numbers, and the ranges they lie in. */
import type { Plan } from "../ir/plan.ts";
import type { Shape } from "../ir/trace.ts";
import type { DType } from "../memory/dtype.ts";
import type { ArenaState, Entry } from "./entry.ts";
import { RuleBatch } from "./rule-batch.ts";

export class Batch extends RuleBatch {
  private readonly takesAll: boolean;
  arena!: ArenaState;
  /** Whether it matters to the rule that they have rows and columns. */
  private byForm = false;
  /** Steps taken that its entries do not know of yet. */
  taken = 0;
  plan!: Plan;
  /** Bytes that a step reads and writes; -1 if nobody has counted yet. */
  bytes = -1;
  entries: Entry[] = [];
  entryCount = 0;

  /** @param takesAll whether it does not matter what gradients its parameters have. */
  constructor(takesAll: boolean) {
    super();
    this.takesAll = takesAll;
  }

  get dtype(): DType {
    return this.arena.arena.dtype;
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
      this.remembers(entry.numbers) &&
      this.hasShape(entry.parameter.shape)
    );
  }

  private isSparse({ parameter }: Entry): boolean {
    return !this.takesAll && parameter.isSparse;
  }

  add(entry: Entry, merge: boolean): void {
    this.entries[this.entryCount++] = entry;
    if (this.sparse) this.addGradient(entry, merge);
    else this.addRange(entry, merge);
  }

  /** One range for each parameter, for plans whose values belong to one tensor. */
  splitRanges(): void {
    this.clearRanges();
    for (let i = 0; i < this.entryCount; i++) this.addRange(this.entries[i]!, false);
  }
}
