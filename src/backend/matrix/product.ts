/** One matrix product over an arena: generated code and its job block. */
import type { Arena } from "../../memory/arena.ts";
import type { Job } from "../threads/board.ts";
import type { Pool } from "../threads/pool.ts";
import type { Run } from "../threads/worker.ts";
import type { WasmBackend } from "../wasm/backend.ts";
import { JobBlock } from "./job.ts";
import { lowerProduct, productWords, type Product } from "./lower.ts";

/** Rows that one call of the code takes: those of U that it reads then stay in the second cache. */
const ROWS_AT_ONCE = 64;
/** So many multiplications are worth a thread's while. */
export const WORTH_SHARING = 4e5;

/** A matrix in panels. */
export interface Panels {
  /** Byte offset of the first panel. */
  readonly at: number;
  /** Bytes from one column to the next, on average: a panel's, shared out among its columns. */
  readonly column: number;
}

export class ProductKernel {
  private readonly pool: Pool | null;
  private readonly code: Run;
  private readonly block: JobBlock;
  private readonly job: Job;
  private readonly range: [number, number];
  private readonly multiplications: number;

  /**
   * c becomes a product of a and b, whose sums have k terms each.
   *
   * @param at byte offset of the job block.
   * @param rows of the result, and `columns` of it.
   */
  constructor(
    product: Product,
    backend: WasmBackend,
    arena: Arena,
    at: number,
    [a, b, c]: readonly [Panels, Panels, Panels],
    [k, rows, columns]: readonly [number, number, number],
  ) {
    const { dtype } = arena;
    const code = backend.code(`${product} ${dtype}`, (simd, wide) =>
      lowerProduct(product, dtype, simd, wide),
    );
    const { module, run } = code.on(arena);
    this.pool = arena.shared ? backend.pool : null;
    this.code = run;
    this.block = new JobBlock(arena, at, productWords.length);
    const words = [a.at, a.column, b.at, b.column, c.at, c.column, k, columns];
    words.forEach((word, index) => this.block.setWord(index, word));
    this.job = {
      kernel: { module, memory: arena.memory as WebAssembly.Memory },
      run,
      block: at,
      stride: 0,
      chunk: ROWS_AT_ONCE,
      bytesPerElement: 1,
    };
    this.range = [0, rows];
    this.multiplications = k * rows * columns;
  }

  /** Says what the sums are multiplied by, and what the operand that is added to them. */
  scale(alpha: number, beta: number): void {
    this.block.setNumber(0, alpha);
    this.block.setNumber(1, beta);
  }

  run(threads: number): void {
    const { range, block } = this;
    const rows = range[1];
    const mayShare = threads > 1 && this.pool && rows > ROWS_AT_ONCE;
    if (mayShare && this.multiplications >= WORTH_SHARING) {
      if (this.pool.share(this.job, range, 1, threads)) return;
    }
    for (let row = 0; row < rows; row += ROWS_AT_ONCE) {
      this.code(block.at, row, Math.min(rows, row + ROWS_AT_ONCE));
    }
  }
}
