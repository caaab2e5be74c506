/**
 * Gradients of a few rows, as tables of embeddings have them.
 *
 * The values are added up in the parameter's own gradient memory, each row where it belongs; what lies
 * between them is whatever it was and counts for nothing. So setting such a gradient costs what its rows
 * cost, and a step runs over them as over any tensor: as ranges.
 */
import { GradientError, Prose } from "../errors.ts";
import type { DType, TypedArray } from "./dtype.ts";
import type { NestedNumbers } from "./shape.ts";
import { acceptValues, type Refuse } from "./values.ts";

/** Rows of a gradient: positions along the first dimension, and what stands there. */
export interface SparseGradient<D extends DType = DType> {
  /** In any order; values of rows that appear more than once are added up in the order they come in. */
  readonly indices: Uint32Array | Int32Array | readonly number[];
  /** Of shape [number of indices, ...shape of a row], flat or nested. */
  readonly values: TypedArray<D> | NestedNumbers;
}

/** The same as it is read back: every row once, in ascending order; copies. */
export interface CoalescedGradient<D extends DType = DType> extends SparseGradient<D> {
  readonly indices: Uint32Array;
  readonly values: TypedArray<D>;
}

/** What this file knows of a parameter. */
interface Target {
  readonly label: string;
  readonly shape: readonly number[];
  readonly size: number;
  readonly dtype: DType;
}

/** So that indices fit into a Uint32Array. */
const MAX_ROWS = 2 ** 32;

/** The rows that a gradient consists of. They are kept in memory that is used again by the next ones. */
export class TouchedRows {
  private readonly target: Target;
  /** Elements of a row. */
  private readonly width: number;
  /** Begin and end of each run of neighbouring rows, in elements of the parameter. */
  runs = new Float64Array(0);
  runCount = 0;
  /** The indices as they came in, and sorted. */
  private given = new Uint32Array(0);
  private sorted = new Uint32Array(0);

  /** @throws {GradientError} for a parameter without dimensions. */
  constructor(target: Target) {
    this.target = target;
    this.width = target.shape.slice(1).reduce((product, n) => product * n, 1);
    if (target.shape.length === 0) {
      this.fail("", new Prose("rows of a single number"), "a parameter with a dimension at least");
    }
  }

  /**
   * Checks a gradient, then adds it up in `memory`: the whole of the parameter's gradient memory.
   *
   * @throws {GradientError} `BAD_GRADIENT`; nothing has been written then.
   */
  accept(gradient: unknown, memory: TypedArray): void {
    if (typeof gradient !== "object" || gradient === null) {
      this.fail("", gradient, "{ indices, values } or null");
    }
    const { indices, values } = gradient as Partial<SparseGradient>;
    const count = this.acceptIndices(indices);
    const numbers = this.acceptValues(values, count, memory);
    const distinct = this.findRuns(count);
    if (distinct < count) this.addUp(numbers, count, memory);
    else this.copy(numbers, count, memory);
  }

  /** The rows' numbers and values; both are copies. */
  read(memory: TypedArray): CoalescedGradient {
    const { runs, runCount, width } = this;
    const rows: number[] = [];
    let elements = 0;
    for (let r = 0; r < runCount; r++) {
      for (let at = runs[2 * r]!; at < runs[2 * r + 1]!; at += width) rows.push(at / width);
      elements += runs[2 * r + 1]! - runs[2 * r]!;
    }
    const values = memory.slice(0, elements);
    for (let r = 0, at = 0; r < runCount; r++) {
      const run = memory.subarray(runs[2 * r], runs[2 * r + 1]);
      values.set(run, at);
      at += run.length;
    }
    return { indices: Uint32Array.from(rows), values };
  }

  /** Makes the gradient dense: zeros wherever it has no rows. */
  fillRest(memory: TypedArray): void {
    let end = 0;
    for (let r = 0; r < this.runCount; r++) {
      memory.fill(0, end, this.runs[2 * r]);
      end = this.runs[2 * r + 1]!;
    }
    memory.fill(0, end);
  }

  /** Copies and sorts the indices; how many there are. */
  private acceptIndices(indices: unknown): number {
    const typed = indices instanceof Uint32Array || indices instanceof Int32Array;
    if (!typed && !Array.isArray(indices)) {
      this.fail(": indices", indices, "an Int32Array, a Uint32Array or an array of whole numbers");
    }
    const list = indices as ArrayLike<number>;
    const count = list.length;
    if (this.given.length < count) {
      this.given = new Uint32Array(count);
      this.sorted = new Uint32Array(count);
    }
    const { given, sorted } = this;
    const rows = Math.min(this.target.shape[0]!, MAX_ROWS);
    let last = -1;
    let isSorted = true;
    for (let i = 0; i < count; i++) {
      const row: unknown = list[i];
      if (!Number.isSafeInteger(row) || (row as number) < 0 || (row as number) >= rows) {
        this.fail(`: indices[${i}]`, row, rows > 0 ? `a row from 0 to ${rows - 1}` : "no rows");
      }
      given[i] = sorted[i] = row as number;
      if ((row as number) < last) isSorted = false;
      last = row as number;
    }
    if (!isSorted) sorted.subarray(0, count).sort();
    return count;
  }

  private acceptValues(values: unknown, count: number, memory: TypedArray): TypedArray {
    const { shape, dtype } = this.target;
    const refuse: Refuse = (got, expected, advice) => this.fail(": values", got, expected, advice);
    const numbers = acceptValues(values, dtype, [count, ...shape.slice(1)], refuse);
    if (Array.isArray(numbers)) {
      return dtype === "float32" ? new Float32Array(numbers) : new Float64Array(numbers);
    }
    return numbers.buffer === memory.buffer ? numbers.slice() : numbers;
  }

  /** Joins sorted rows that are neighbours; how many distinct ones there are. */
  private findRuns(count: number): number {
    const { sorted, width } = this;
    if (this.runs.length < 2 * count) this.runs = new Float64Array(2 * count);
    const { runs } = this;
    let distinct = 0;
    let next = -1;
    this.runCount = 0;
    for (let i = 0; i < count; i++) {
      const row = sorted[i]!;
      if (row === next - 1) continue;
      if (row !== next) runs[2 * this.runCount++] = row * width;
      runs[2 * this.runCount - 1] = (row + 1) * width;
      next = row + 1;
      distinct++;
    }
    return distinct;
  }

  private copy(values: TypedArray, count: number, memory: TypedArray): void {
    const { given, width } = this;
    for (let i = 0, from = 0; i < count; i++) {
      const at = given[i]! * width;
      for (let k = 0; k < width; k++) memory[at + k] = values[from++]!;
    }
  }

  private addUp(values: TypedArray, count: number, memory: TypedArray): void {
    const { given, runs, width } = this;
    for (let r = 0; r < this.runCount; r++) memory.fill(0, runs[2 * r], runs[2 * r + 1]);
    for (let i = 0, from = 0; i < count; i++) {
      const at = given[i]! * width;
      for (let k = 0; k < width; k++) memory[at + k] = memory[at + k]! + values[from++]!;
    }
  }

  private fail(what: string, got: unknown, expected: string, advice = ""): never {
    const subject = `${this.target.label}: sparseGrad${what}`;
    throw new GradientError("BAD_GRADIENT", { subject, got, expected, advice });
  }
}
