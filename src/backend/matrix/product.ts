/** One matrix product over an arena: generated code and its job block. */
import type { Arena } from "../../memory/arena.ts";
import { bytesOf } from "../../memory/dtype.ts";
import type { Job, SharedKernel } from "../threads/board.ts";
import type { Pool } from "../threads/pool.ts";
import type { Run } from "../threads/worker.ts";
import type { WasmBackend } from "../wasm/backend.ts";
import { jobWords, lowerProduct, type Product } from "./lower.ts";

/** Rows that one call of the code takes: those of U that it reads then stay in the second cache. */
const ROWS_AT_ONCE = 64;
/** A product of fewer multiplications is not worth a thread's while. */
const WORTH_SHARING = 4e5;
/** Room for a job block; no two in one cache line. */
export const JOB_BYTES = 128;

/** A matrix in panels. */
export interface Panels {
  /** Byte offset of the first panel. */
  readonly at: number;
  /** Bytes from one panel to the next. */
  readonly stride: number;
}

export class ProductKernel {
  private readonly arena: Arena;
  private readonly pool: Pool;
  private readonly code: Run;
  private readonly at: number;
  private readonly job: Job;
  private readonly panelColumns: number;
  private readonly range: [number, number] = [0, 0];
  private multiplications = 0;
  /** One word each, in a wide memory two. */
  private words!: Uint32Array;
  private numbers!: Float32Array | Float64Array;

  /** @param at byte offset of its job block. */
  constructor(
    product: Product,
    backend: WasmBackend,
    arena: Arena,
    at: number,
    panelColumns: number,
  ) {
    const { dtype } = arena;
    const code = backend.code(`${product} ${dtype}`, (simd, wide) =>
      lowerProduct(product, dtype, simd, wide),
    );
    const { module, run } = code.on(arena);
    const kernel: SharedKernel = { module, memory: arena.memory as WebAssembly.Memory };
    this.arena = arena;
    this.pool = backend.pool;
    this.code = run;
    this.at = at;
    this.panelColumns = panelColumns;
    this.job = { kernel, run, block: at, stride: 0, chunk: ROWS_AT_ONCE, bytesPerElement: 1 };
    this.look();
  }

  /**
   * Says what is multiplied.
   *
   * @param k terms of each sum.
   * @param rows of the result, and `columns` of it.
   */
  place(a: Panels, b: Panels, c: Panels, k: number, rows: number, columns: number): void {
    const column = ({ stride }: Panels) => stride / this.panelColumns;
    const values = [a.at, column(a), b.at, column(b), c.at, column(c), k, columns];
    if (this.words.length === 0) this.look();
    const size = this.arena.wide ? 2 : 1;
    for (let i = 0; i < jobWords.length; i++) {
      this.words[size * i] = values[i]!;
      if (size === 2) this.words[2 * i + 1] = Math.floor(values[i]! / 2 ** 32);
    }
    this.range[1] = rows;
    this.multiplications = k * rows * columns;
  }

  /** Says what the sums are multiplied by, and what the operand that is added to them. */
  scale(alpha: number, beta: number): void {
    if (this.words.length === 0) this.look();
    this.numbers[0] = alpha;
    this.numbers[1] = beta;
  }

  run(threads: number): void {
    const { range } = this;
    const rows = range[1];
    const mayShare = threads > 1 && this.arena.shared && rows > ROWS_AT_ONCE;
    if (mayShare && this.multiplications >= WORTH_SHARING) {
      if (this.pool.share(this.job, range, 1, threads)) return;
    }
    for (let row = 0; row < rows; row += ROWS_AT_ONCE) {
      this.code(this.at, row, Math.min(rows, row + ROWS_AT_ONCE));
    }
  }

  /** Views the job block; an unshared memory detaches views when it grows. */
  private look(): void {
    const { buffer, dtype, wide } = this.arena;
    const count = jobWords.length * (wide ? 2 : 1);
    const numbers = this.at + 4 * count;
    this.words = new Uint32Array(buffer, this.at, count);
    this.numbers =
      bytesOf(dtype) === 4
        ? new Float32Array(buffer, numbers, 2)
        : new Float64Array(buffer, numbers, 2);
  }
}
