/**
 * The pool of worker threads that share in large steps.
 *
 * It starts when a step is first large enough, without waiting: until its workers are ready, the main
 * thread does all the work. In a job the main thread takes its share like any worker, then waits, but
 * only for workers that have joined: one that is late finds the job closed. A worker that ends in the
 * middle of a job has left tensors half updated, which is an error; between jobs it is replaced.
 */
import { BackendError, Prose } from "../../errors.ts";
import { machineThreads, spawnHere, type Spawn, type Thread } from "./spawn.ts";
import { Board, SPIN_MS, type Job, type SharedKernel } from "./board.ts";
import {
  CONTROL_BYTES,
  controlLayout as layout,
  MAX_RANGES,
  MAX_THREADS,
  type Letter,
} from "./worker.ts";

/** Steps that move fewer bytes never use threads: calling one would cost as much as it brings. */
export const QUIET_BYTES = 0.2e6;
/** Steps that move more always do, and wake sleeping workers, which takes some 50 us. */
const WORTH_WAKING_BYTES = 7e6;
/** What one thread moves in a millisecond, about; for judging whether steps follow closely. */
const BYTES_PER_MS = 5e6;
/** Steps that move less than this never wake a worker, they only use one that is awake. */
const STREAK_BYTES = 1e6;
/** So many steps have to follow closely before workers are woken for less than is worth waking. */
const STREAK = 16;
/** More threads than this are used only where asked for: memory is busy with fewer. */
const DEFAULT_MOST = 8;

export interface PoolOptions {
  readonly spawn?: Spawn | null;
  /** How long a worker in a job may show no sign of life. */
  readonly patienceMs?: number;
  /** Bytes from which on sleeping workers are woken. */
  readonly worthWaking?: number;
}

/** A worker, and the kernels that it has been sent. */
interface Member {
  readonly thread: Thread;
  /** Where its line begins in the control memory. */
  readonly line: number;
  readonly kernels: Set<number>;
}

export function defaultThreads(): number {
  return Math.max(1, Math.min(machineThreads(), DEFAULT_MOST));
}

export class Pool {
  /** `null` where no thread can be started. */
  private spawn: Spawn | null;
  private readonly worthWaking: number;
  private readonly board: Board;
  private readonly words: Int32Array;
  private members: Member[] = [];
  /** All workers, those first that are ready for the job at hand. */
  private readonly invited: Member[] = [];
  /** Their lines. */
  private readonly lines: number[] = [];
  /** Lines are used in turn, so that a thread that is slow to end finds no successor on its own. */
  private nextLine = 0;
  /** Threads that ended before they had read a letter; after a few of them no more are started. */
  private stillborn = 0;
  private readonly kernelIds = new WeakMap<WebAssembly.Memory, Map<WebAssembly.Module, number>>();
  private nextKernel = 0;
  private streak = 0;
  private lastStep = 0;
  private readonly users = new Set<WeakRef<object>>();
  private readonly known = new WeakMap<object, WeakRef<object>>();
  /** Workers hold the memories that they were sent; only their end lets go of one for certain. */
  private readonly dropped = new FinalizationRegistry<null>(() => this.end());

  constructor({
    spawn = spawnHere(),
    patienceMs = 10_000,
    worthWaking = WORTH_WAKING_BYTES,
  }: PoolOptions = {}) {
    this.spawn = typeof SharedArrayBuffer === "undefined" ? null : spawn;
    this.worthWaking = worthWaking;
    const control = this.spawn
      ? new SharedArrayBuffer(CONTROL_BYTES)
      : new ArrayBuffer(CONTROL_BYTES);
    this.board = new Board(control, patienceMs);
    this.words = this.board.words;
  }

  /** Jobs that workers were invited to so far. */
  get jobs(): number {
    return this.board.jobs;
  }

  /** Worker threads there are at the moment. */
  get size(): number {
    return this.members.length;
  }

  /** How many of them are ready to take part, the kernels that they were sent included. */
  get ready(): number {
    return this.members.filter((member) => this.isReady(member)).length;
  }

  /**
   * How many threads a step should use that moves so many bytes, at most `wanted`. Starts workers
   * where they would have been of use; they come too late for this step.
   *
   * @param user who asks, see {@link release}.
   */
  threadsFor(bytes: number, wanted: number, user: object): number {
    if (wanted <= 1 || bytes < QUIET_BYTES || this.spawn === null) return 1;
    if (bytes < this.worthWaking && !this.isHot() && !this.followsClosely(bytes)) return 1;
    if (!this.known.has(user)) this.admit(user);
    const threads = Math.min(wanted, MAX_THREADS, 1 + Math.floor(bytes / QUIET_BYTES));
    if (this.members.length < threads - 1) this.start(threads - 1);
    return threads;
  }

  /** Ends the workers unless someone else uses them. */
  release(user: object): void {
    const reference = this.known.get(user);
    if (!reference) return;
    this.known.delete(user);
    this.users.delete(reference);
    for (const other of this.users) {
      if (other.deref() !== undefined) return;
      this.users.delete(other);
    }
    this.end();
  }

  /** Ends all workers. */
  end(): void {
    const { members } = this;
    this.members = [];
    for (const member of members) this.dismiss(member);
  }

  /**
   * Runs a job on this thread and on those workers that are ready for it.
   *
   * @param ranges begin and end of each range, in elements; `count` of them.
   * @returns false if no worker is ready; nothing has run then.
   * @throws {BackendError} `WORKER_DIED` if a worker ended in the middle; tensors are torn then.
   */
  share(job: Job, ranges: ArrayLike<number>, count: number, threads: number): boolean {
    const { board, invited, lines } = this;
    const id = (job.kernel.id ??= this.idOf(job.kernel));
    const ready = this.invite(job.kernel, id, threads);
    if (ready === 0) return false;
    for (let from = 0; from < count; from += MAX_RANGES) {
      const some = Math.min(MAX_RANGES, count - from);
      const extent = board.place(ranges, from, some);
      const workers = board.describe(job, id, extent, some, ready);
      for (let i = 0; i < workers; i++) this.words[lines[i]! + layout.worker.share] = i + 1;
      const lost = board.hold(job.run, lines, workers);
      if (lost >= 0) this.fail(invited[lost]!);
    }
    return true;
  }

  private admit(user: object): void {
    const reference = new WeakRef(user);
    this.known.set(user, reference);
    this.users.add(reference);
  }

  private isHot(): boolean {
    const { sleeps } = layout.worker;
    for (const member of this.members) {
      if (this.isReady(member) && Atomics.load(this.words, member.line + sleeps) === 0) return true;
    }
    return false;
  }

  private isReady({ line }: Member): boolean {
    const { sent, read, state } = layout.worker;
    const { words } = this;
    return Atomics.load(words, line + read) === words[line + sent] && words[line + state]! >= 0;
  }

  /** Whether steps take up most of the time lately, so that woken workers would stay awake. */
  private followsClosely(bytes: number): boolean {
    if (bytes < STREAK_BYTES) return false;
    const now = performance.now();
    this.streak = now - this.lastStep < bytes / BYTES_PER_MS ? this.streak + 1 : 0;
    this.lastStep = now;
    return this.streak >= STREAK;
  }

  private start(count: number): void {
    this.members = this.members.filter(({ line, thread }) => {
      const lives = Atomics.load(this.words, line + layout.worker.state) >= 0;
      if (!lives) thread.end();
      return lives;
    });
    while (this.members.length < count && this.spawn !== null) {
      const line = layout.workers + this.nextLine * layout.line;
      this.nextLine = (this.nextLine + 1) % MAX_THREADS;
      if (this.members.some((member) => member.line === line)) continue;
      this.words.fill(0, line, line + layout.line);
      try {
        const thread = this.spawn(() => this.ended(member));
        const member: Member = { thread, line, kernels: new Set() };
        this.members.push(member);
        const control = this.words.buffer as SharedArrayBuffer;
        this.send(member, { control, line, layout, spinMs: SPIN_MS });
      } catch {
        this.spawn = null;
      }
    }
  }

  private ended(member: Member): void {
    const at = this.members.indexOf(member);
    if (at >= 0) this.members.splice(at, 1);
    if (at >= 0 && this.words[member.line + layout.worker.read] === 0) this.stillborn++;
    if (this.stillborn >= 3) this.spawn = null;
  }

  private send(member: Member, letter: Letter): void {
    Atomics.add(this.words, member.line + layout.worker.sent, 1);
    member.thread.post(letter);
    this.board.ring(member.line);
  }

  /**
   * Lists all workers, those first that are ready for the job, and sends the kernel to those that do
   * not have it; how many are ready.
   */
  private invite(kernel: SharedKernel, id: number, threads: number): number {
    const { members, invited, lines } = this;
    let ready = 0;
    for (let i = 0; i < members.length; i++) {
      const member = members[i]!;
      invited[i] = member;
      if (!member.kernels.has(id)) {
        member.kernels.add(id);
        this.send(member, { kernel: id, module: kernel.module, memory: kernel.memory });
      } else if (ready < threads - 1 && this.isReady(member)) {
        invited[i] = invited[ready]!;
        invited[ready++] = member;
      }
    }
    lines.length = invited.length = members.length;
    for (let i = 0; i < lines.length; i++) lines[i] = invited[i]!.line;
    return ready;
  }

  private idOf({ module, memory }: SharedKernel): number {
    let ids = this.kernelIds.get(memory);
    if (!ids) {
      this.kernelIds.set(memory, (ids = new Map()));
      this.dropped.register(memory, null);
    }
    let id = ids.get(module);
    if (id === undefined) ids.set(module, (id = this.nextKernel++));
    return id;
  }

  /**
   * Ends a worker. A letter that never comes keeps it from joining a job before it has ended; the bell
   * lets it look for the letter, because Chromium ends a worker that sleeps only after two seconds.
   */
  private dismiss({ line, thread }: Member): void {
    Atomics.add(this.words, line + layout.worker.sent, 1);
    this.board.ring(line);
    thread.end();
  }

  private fail(lost: Member): never {
    this.members = this.members.filter((member) => member !== lost);
    this.dismiss(lost);
    throw new BackendError("WORKER_DIED", {
      subject: "threads",
      got: new Prose("a worker thread that ended, or stood still, in the middle of a step"),
      expected: "workers that live as long as the program",
      advice:
        "Part of the parameters and of the state is updated and part is not: load both from the last " +
        "copy you have. Was the program short of memory? { threads: 1 } does without workers.",
    });
  }
}

let shared: Pool | undefined;

/** The pool that all optimizers share. */
export function sharedPool(): Pool {
  return (shared ??= new Pool());
}
