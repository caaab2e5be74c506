/** Newton-Schulz iteration over many small matrices: each thread takes some of them at a time. */
import type { Arena } from "../../memory/arena.ts";
import type { Job } from "../threads/board.ts";
import type { Pool } from "../threads/pool.ts";
import type { Run } from "../threads/worker.ts";
import type { WasmBackend } from "../wasm/backend.ts";
import { iterationWords, lowerIteration } from "./iteration.ts";
import { JOB_BYTES, JobBlock } from "./job.ts";
import { WORTH_SHARING } from "./product.ts";
import type { ShapeLayout } from "./shape.ts";

/** Into how many parts the matrices fall that are there at once; each has places of its own. */
export const CHUNKS = 16;

type Word = (typeof iterationWords)[number];
const FIRST = iterationWords.indexOf("first");
const APART = iterationWords.indexOf("apart");
const STEPS = iterationWords.indexOf("steps");

export class SmallIteration {
  readonly layout: ShapeLayout;
  private readonly pool: Pool | null;
  private readonly code: Run;
  /** One for each part. */
  private readonly blocks: readonly JobBlock[];
  private readonly job: { -readonly [K in keyof Job]: Job[K] };
  private readonly range: [number, number] = [0, 0];
  /** What the job blocks hold of what may change. */
  private readonly told = [NaN, NaN, NaN, NaN, NaN, NaN];

  /**
   * @param at byte offset of the places of all parts.
   * @param jobs byte offset of their job blocks.
   */
  constructor(layout: ShapeLayout, backend: WasmBackend, arena: Arena, at: number, jobs: number) {
    const { dtype } = arena;
    const code = backend.code(`iteration ${dtype}`, (simd, wide) =>
      lowerIteration(dtype, simd, wide),
    );
    const { module, run } = code.on(arena);
    this.layout = layout;
    this.pool = arena.shared ? backend.pool : null;
    this.code = run;
    this.blocks = Array.from({ length: CHUNKS }, (_, part) => {
      const block = new JobBlock(arena, jobs + part * JOB_BYTES, iterationWords.length);
      const { u, v, gram, polynomial } = layout.from(at + part * layout.bytes);
      const words: Partial<Record<Word, number>> = {
        down: layout.down,
        right: layout.right,
        n: layout.rows,
        m: layout.columns,
        u: u.at,
        v: v.at,
        uColumn: u.column,
        gram: gram.at,
        polynomial: polynomial.at,
        gramColumn: gram.column,
      };
      iterationWords.forEach((word, index) => block.setWord(index, words[word] ?? 0));
      return block;
    });
    const kernel = { module, memory: arena.memory as WebAssembly.Memory };
    this.job = { kernel, run, block: jobs, stride: JOB_BYTES, chunk: 1, bytesPerElement: 1 };
  }

  run(at: number, apart: number, count: number, numbers: ArrayLike<number>, threads: number): void {
    this.tell(at, apart, numbers);
    const { range, job, pool } = this;
    const work = count * numbers[3]! * this.layout.multiplications;
    if (threads > 1 && count > 1 && pool && work >= WORTH_SHARING) {
      range[1] = count;
      job.chunk = Math.ceil(count / CHUNKS);
      if (pool.share(job, range, 1, threads)) return;
    }
    this.code(this.blocks[0]!.at, 0, count);
  }

  private tell(at: number, apart: number, numbers: ArrayLike<number>): void {
    const { told, blocks } = this;
    let same = told[4] === at && told[5] === apart;
    for (let i = 0; i < 4; i++) same &&= told[i] === numbers[i];
    if (same) return;
    for (let i = 0; i < 4; i++) told[i] = numbers[i]!;
    told[4] = at;
    told[5] = apart;
    for (let b = 0; b < blocks.length; b++) {
      const block = blocks[b]!;
      block.setWord(FIRST, at);
      block.setWord(APART, apart);
      block.setWord(STEPS, numbers[3]!);
      for (let i = 0; i < 3; i++) block.setNumber(i, numbers[i]!);
    }
  }
}
