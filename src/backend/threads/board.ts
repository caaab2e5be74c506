/**
 * Jobs as the main thread holds them: written into the control memory, opened, worked on, closed, and
 * waited for. Which workers are invited is the pool's business.
 */
import { controlLayout as layout, takePart, type Run } from "./worker.ts";

/** A worker's spinning before it sleeps, and the main thread's. */
export const SPIN_MS = 0.05;
/** Smaller chunks would take longer to claim than they may bring. */
const SMALLEST_CHUNK_BYTES = 1 << 15;
const SLICE_MS = 5;

/** A kernel as workers know it. */
export interface SharedKernel {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Given by the pool when it first meets the kernel. */
  id?: number;
}

/** One kernel over some ranges. */
export interface Job {
  readonly kernel: SharedKernel;
  /** The same kernel's code on this thread. */
  readonly run: Run;
  readonly block: number;
  /** Bytes from the job block of one chunk to that of the next. */
  readonly stride: number;
  /** Elements in a chunk, or 0 for chunks that shrink. */
  readonly chunk: number;
  readonly bytesPerElement: number;
}

export class Board {
  readonly words: Int32Array;
  private readonly numbers: Float64Array;
  private readonly patienceMs: number;
  private number = 0;
  private mayWait = true;

  /** @param patienceMs how long a worker in a job may show no sign of life. */
  constructor(control: ArrayBufferLike, patienceMs: number) {
    this.words = new Int32Array(control);
    this.numbers = new Float64Array(control);
    this.patienceMs = patienceMs;
  }

  /** Jobs held so far. */
  get jobs(): number {
    return this.number;
  }

  /** Writes ranges down, one after another, each from a multiple of the grain on; their extent. */
  place(ranges: ArrayLike<number>, from: number, count: number): number {
    const { numbers } = this;
    let at = layout.job + layout.fields.list;
    let extent = 0;
    for (let r = from; r < from + count; r++) {
      const begin = ranges[2 * r]!;
      const end = ranges[2 * r + 1]!;
      numbers[at++] = begin;
      numbers[at++] = end;
      numbers[at++] = extent;
      extent += Math.ceil((end - begin) / layout.grain) * layout.grain;
    }
    return extent;
  }

  /**
   * Writes the job down and divides its chunks among this thread and `workers` others.
   *
   * @returns how many of them there is a share for.
   */
  describe(job: Job, kernel: number, extent: number, count: number, workers: number): number {
    const { numbers, words } = this;
    const { fields, grain } = layout;
    const { chunk } = job;
    const smallest = Math.ceil(SMALLEST_CHUNK_BYTES / job.bytesPerElement / grain) * grain;
    const most = Math.ceil(extent / (chunk || smallest));
    const shares = Math.max(1, Math.min(workers + 1, most));
    numbers[layout.job + fields.kernel] = kernel;
    numbers[layout.job + fields.block] = job.block;
    numbers[layout.job + fields.stride] = job.stride;
    numbers[layout.job + fields.chunk] = chunk;
    numbers[layout.job + fields.smallest] = smallest;
    numbers[layout.job + fields.extent] = extent;
    numbers[layout.job + fields.shares] = shares;
    numbers[layout.job + fields.ranges] = count;
    const shrinking = chunksIn(Math.ceil(extent / grain / shares) * grain, smallest);
    for (let share = 0; share < shares; share++) {
      const at = layout.shares + share * layout.line;
      words[at] = chunk === 0 ? 0 : Math.floor((most * share) / shares);
      words[at + 1] = chunk === 0 ? shrinking : Math.floor((most * (share + 1)) / shares);
    }
    return shares - 1;
  }

  /**
   * Opens the job, takes part in it, closes it and waits for the workers that joined: also for those
   * that were called to an earlier job and come to this one.
   *
   * @param lines of all workers, the `called` ones first.
   * @returns the place in `lines` of one whose worker was lost in it, or -1.
   */
  hold(run: Run, lines: readonly number[], called: number): number {
    const { words, numbers } = this;
    this.number = (this.number % 0x3fffffff) + 1;
    Atomics.store(words, layout.open, this.number);
    for (let i = 0; i < called; i++) this.ring(lines[i]!);
    let lost = -1;
    try {
      takePart(words, numbers, layout, 0, run);
    } finally {
      Atomics.store(words, layout.open, 0);
      for (let i = 0; i < lines.length; i++) if (!this.waitFor(lines[i]!)) lost = i;
    }
    return lost;
  }

  /** Calls a worker. */
  ring(line: number): void {
    const { bell, sleeps } = layout.worker;
    Atomics.add(this.words, line + bell, 1);
    if (Atomics.load(this.words, line + sleeps) === 1) Atomics.notify(this.words, line + bell);
  }

  /** Waits until a worker is in no job; false if it never will be. */
  private waitFor(line: number): boolean {
    const at = line + layout.worker.state;
    const { words } = this;
    // Once it was seen outside, it is: whoever comes now finds the job closed, but says so for a moment.
    let state = Atomics.load(words, at);
    for (let i = 0; i < 2000 && state > 0; i++) state = Atomics.load(words, at);
    // Slices are counted, not the clock: a whole machine that sleeps is no sign of death.
    for (let left = Math.ceil(this.patienceMs / SLICE_MS); left > 0 && state > 0; left--) {
      this.sleep(at, state);
      state = Atomics.load(words, at);
    }
    return state <= 0 && state !== layout.dead.inJob;
  }

  /** Until the word at `at` changes from `value`, or a slice of time has passed. */
  private sleep(at: number, value: number): void {
    const { words } = this;
    const until = performance.now() + SLICE_MS;
    // Sleeping takes tens of microseconds to end; a chunk is rarely longer.
    const spinUntil = this.mayWait ? until - SLICE_MS + SPIN_MS : until;
    while (performance.now() < spinUntil) {
      for (let i = 0; i < 100; i++) if (Atomics.load(words, at) !== value) return;
    }
    if (!this.mayWait) return;
    Atomics.store(words, layout.mainSleeps, 1);
    try {
      Atomics.wait(words, at, value, SLICE_MS);
    } catch {
      this.mayWait = false; // the main thread of a browser
    }
    Atomics.store(words, layout.mainSleeps, 0);
  }
}

/** Into how many chunks a share of so many elements falls, at most: the last ones may be empty. */
function chunksIn(elements: number, smallest: number): number {
  let chunks = 0;
  for (let left = elements; left > 0; chunks++) left -= Math.max(smallest, left / 4);
  return chunks;
}
