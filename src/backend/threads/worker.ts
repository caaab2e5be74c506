/**
 * What worker threads run, and what they and the main thread say to one another.
 *
 * A job is one kernel over some ranges, cut into chunks. Every thread has a share of the chunks and
 * claims them one by one, then those that others have not come to: so a thread that wakes late or is
 * kept from running by the system delays nobody, and data stays in the cache of the same core from step
 * to step. A chunk is claimed by exactly one thread, and no result depends on which. In a share each
 * chunk is a quarter of what is left: a kernel starts seldom, and still all threads end together.
 *
 * The two functions here travel to the worker as text, because that works with every bundler and
 * without a file of its own. So they may use nothing but their parameters.
 */

/** Int32 words between things that different threads write, so that no cache line is fought over. */
const LINE = 32;
/** Most threads that share in a job. */
export const MAX_THREADS = 64;

/** Where things stand in the control memory: in int32 words, and in float64 elements for the job. */
export const controlLayout = {
  line: LINE,
  /** Number of the open job, 0 if there is none. */
  open: 0,
  /** 1 while the main thread sleeps until a worker leaves the job. */
  mainSleeps: LINE,
  /** One line for each worker, see {@link worker}. */
  workers: 2 * LINE,
  /** One line for each share: the next chunk to claim, the end of the share. */
  shares: (2 + MAX_THREADS) * LINE,
  /** Words of a worker's line. */
  worker: {
    /** Goes up for every call: a job or a letter. */
    bell: 0,
    /** 1 while it sleeps. */
    sleeps: 1,
    /** The job that it is in, 0 between jobs, or one of `dead`. */
    state: 2,
    /** Letters sent to it. */
    sent: 3,
    /** Letters that it has read. */
    read: 4,
    /** Its share of the open job. */
    share: 5,
  },
  dead: { idle: -1, inJob: -2 },
  /** Where the job's description begins, and its fields; the list of ranges comes last. */
  job: ((2 + 2 * MAX_THREADS) * LINE) / 2,
  fields: {
    kernel: 0,
    block: 1,
    stride: 2,
    /** Elements in every chunk, or 0 where chunks shrink. */
    chunk: 3,
    /** Elements in the smallest chunk of those that shrink. */
    smallest: 4,
    extent: 5,
    shares: 6,
    ranges: 7,
    list: 8,
  },
  /** Chunks begin at multiples of this many elements: whole cache lines and vectors. */
  grain: 64,
} as const;

export type Layout = typeof controlLayout;

/** Most ranges in one job. */
export const MAX_RANGES = 4096;

/** Bytes of control memory. For each range there are its begin, its end and its place in the job. */
export const CONTROL_BYTES = 8 * (controlLayout.job + controlLayout.fields.list + 3 * MAX_RANGES);

/** A kernel's code: runs over the elements `begin` to `end` with the job block at `block`. */
export type Run = (block: number, begin: number, end: number) => void;

/** What a worker is sent: the control memory first, then kernels. */
export type Letter =
  | {
      readonly control: SharedArrayBuffer;
      readonly line: number;
      readonly layout: Layout;
      readonly spinMs: number;
    }
  | {
      readonly kernel: number;
      readonly module: WebAssembly.Module;
      readonly memory: WebAssembly.Memory;
    };

/** A worker's end of the line; browsers and Node have it alike. */
export interface Port {
  onmessage: ((event: { readonly data: Letter }) => void) | null;
}

/** Claims chunks, first of the share `first`, then of the others, until there are none left. */
export function takePart(
  words: Int32Array,
  numbers: Float64Array,
  layout: Layout,
  first: number,
  run: Run,
): void {
  const { fields, job } = layout;
  const block = numbers[job + fields.block]!;
  const stride = numbers[job + fields.stride]!;
  const chunk = numbers[job + fields.chunk]!;
  const smallest = numbers[job + fields.smallest]!;
  const grains = numbers[job + fields.extent]! / layout.grain;
  const shares = numbers[job + fields.shares]!;
  const count = numbers[job + fields.ranges]!;
  const list = job + fields.list;
  for (let turn = 0; turn < shares; turn++) {
    const number = (first + turn) % shares;
    const share = layout.shares + number * layout.line;
    const limit = words[share + 1]!;
    // Where chunk `walked` of those that shrink begins and ends; claims only go up.
    const shareEnd = Math.floor((grains * (number + 1)) / shares) * layout.grain;
    let next = Math.floor((grains * number) / shares) * layout.grain;
    let start = next;
    let walked = -1;
    while (Atomics.load(words, share) < limit) {
      const claimed = Atomics.add(words, share, 1);
      if (claimed >= limit) break;
      for (const until = chunk === 0 ? claimed : -1; walked < until; walked++) {
        const quarter = Math.ceil((shareEnd - next) / 4 / layout.grain) * layout.grain;
        start = next;
        next = Math.min(shareEnd, next + Math.max(quarter, smallest));
      }
      const from = chunk === 0 ? start : claimed * chunk;
      const to = chunk === 0 ? next : from + chunk;
      // The last range that begins at or before this chunk.
      let low = 0;
      for (let high = count; high - low > 1;) {
        const middle = (low + high) >> 1;
        if (numbers[list + 3 * middle + 2]! <= from) low = middle;
        else high = middle;
      }
      for (let r = low; r < count; r++) {
        const place = numbers[list + 3 * r + 2]!;
        if (place >= to) break;
        const begin = numbers[list + 3 * r]! + Math.max(0, from - place);
        const end = Math.min(numbers[list + 3 * r + 1]!, numbers[list + 3 * r]! + to - place);
        if (begin < end) run(block + claimed * stride, begin, end);
      }
    }
  }
}

/**
 * The worker's whole life: wait for the bell, spinning a little and then asleep; read letters or take
 * part in the open job; wait again.
 */
export function work(
  port: Port,
  part: typeof takePart,
  whenEnding: (say: () => void) => void,
): void {
  let words!: Int32Array;
  let numbers!: Float64Array;
  let layout!: Layout;
  let me = 0;
  let spinMs = 0;
  let heard = 0;
  const kernels: Run[] = [];

  const pause = (Atomics as { pause?: () => void }).pause ?? (() => {});
  const waitForBell = (): void => {
    const { bell, sleeps } = layout.worker;
    const until = performance.now() + spinMs;
    for (let i = 1; Atomics.load(words, me + bell) === heard; i++) {
      pause();
      if (i % 128 !== 0 || performance.now() < until) continue;
      Atomics.store(words, me + sleeps, 1);
      Atomics.wait(words, me + bell, heard);
      Atomics.store(words, me + sleeps, 0);
    }
    heard = Atomics.load(words, me + bell);
  };

  const join = (job: number): void => {
    const { state, share } = layout.worker;
    Atomics.store(words, me + state, job);
    // The main thread closes a job before it looks who is in: one of the two sees the other.
    if (Atomics.load(words, layout.open) === job) {
      // Called to an earlier job, it may not have the kernel of this one yet.
      const run = kernels[numbers[layout.job + layout.fields.kernel]!];
      if (run) part(words, numbers, layout, words[me + share]!, run);
    }
    Atomics.store(words, me + state, 0);
    if (Atomics.load(words, layout.mainSleeps) === 1) Atomics.notify(words, me + state);
  };

  const loop = (): void => {
    const { sent, read } = layout.worker;
    for (;;) {
      waitForBell();
      if (Atomics.load(words, me + sent) !== Atomics.load(words, me + read)) return;
      const job = Atomics.load(words, layout.open);
      if (job !== 0) join(job);
    }
  };

  const die = (): void => {
    const at = me + layout.worker.state;
    const { idle, inJob } = layout.dead;
    const was = Atomics.load(words, at);
    if (was < 0) return; // an error is followed by the end of the thread
    Atomics.store(words, at, was > 0 ? inJob : idle);
    Atomics.notify(words, at);
  };

  // oxlint-disable-next-line prefer-add-event-listener -- this starts the port, a listener does not
  port.onmessage = ({ data: letter }) => {
    if ("control" in letter) {
      ({ layout, spinMs } = letter);
      words = new Int32Array(letter.control);
      numbers = new Float64Array(letter.control);
      me = letter.line;
      whenEnding(die);
    } else {
      const { module, memory } = letter;
      const { run } = new WebAssembly.Instance(module, { env: { memory } }).exports;
      kernels[letter.kernel] = run as Run;
    }
    const { sent, read } = layout.worker;
    Atomics.add(words, me + read, 1);
    if (Atomics.load(words, me + sent) !== Atomics.load(words, me + read)) return;
    try {
      loop();
    } catch (error) {
      die();
      throw error;
    }
  };
}

/** The text of a worker; `port` and `whenEnding` are expressions of its environment. */
export function workerText(port: string, whenEnding: string): string {
  // Some bundlers wrap functions in a helper that keeps their names.
  return `const __name = (f) => f;\n(${work})(${port}, ${takePart}, ${whenEnding});`;
}
