/** Parameters that take a step together: one plan, one set of numbers, and the ranges they lie in. */
import type { Plan } from "../ir/plan.ts";
import type { Plans } from "../ir/plan-cache.ts";
import type { Shape } from "../ir/trace.ts";
import { ALIGNMENT } from "../memory/arena.ts";
import { bytesOf } from "../memory/dtype.ts";
import type { ArenaState, Entry } from "./entry.ts";

export class Batch {
  private readonly takesAll: boolean;
  arena!: ArenaState;
  group = 0;
  steps = 0;
  written = 0;
  /** Whether their gradients consist of rows. */
  sparse = false;
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
  /** Begin and end of each range, in elements. */
  ranges: number[] = [];
  rangeCount = 0;
  /** Where a parameter would lie that continues the last range. */
  private next = -1;

  /** @param takesAll whether it does not matter what gradients its parameters have. */
  constructor(takesAll: boolean) {
    this.takesAll = takesAll;
  }

  /** @param byShape whether only parameters of one shape, a matrix's, may go together. */
  restart(entry: Entry, byShape: boolean): void {
    this.arena = entry.arena;
    this.group = entry.group;
    this.steps = entry.steps;
    this.written = entry.written;
    this.sparse = this.isSparse(entry);
    this.numbers = [...entry.numbers];
    this.shape = byShape ? (entry.parameter.shape as Shape) : null;
    this.taken = 0;
    this.traced = -1;
    this.bytes = -1;
    this.entryCount = 0;
    this.rangeCount = 0;
    this.next = -1;
  }

  takes(entry: Entry): boolean {
    return (
      entry.arena === this.arena &&
      entry.group === this.group &&
      entry.steps === this.steps &&
      entry.written === this.written &&
      this.isSparse(entry) === this.sparse &&
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
    if (this.sparse) this.addRows(entry);
    else this.addRange(entry, merge);
  }

  /** One range for each parameter, for plans whose values belong to one tensor. */
  splitRanges(): void {
    this.rangeCount = 0;
    for (let i = 0; i < this.entryCount; i++) this.addRange(this.entries[i]!, false);
  }

  /** Number of elements in all ranges. */
  elements(): number {
    let sum = 0;
    for (let r = 0; r < this.rangeCount; r++) sum += this.ranges[2 * r + 1]! - this.ranges[2 * r]!;
    return sum;
  }

  private addRows({ home, parameter }: Entry): void {
    const { runs, runCount } = parameter.rows!;
    for (let i = 0, at = 2 * this.rangeCount; i < 2 * runCount; i++) {
      this.ranges[at++] = home.offset + runs[i]!;
    }
    this.rangeCount += runCount;
  }

  private addRange({ home, parameter }: Entry, merge: boolean): void {
    const end = home.offset + parameter.size;
    if (merge && home.offset === this.next) this.ranges[2 * this.rangeCount - 1] = end;
    else {
      this.ranges[2 * this.rangeCount] = home.offset;
      this.ranges[2 * this.rangeCount + 1] = end;
      this.rangeCount++;
    }
    const step = ALIGNMENT / bytesOf(this.arena.arena.dtype);
    this.next = Math.ceil(end / step) * step;
  }
}
