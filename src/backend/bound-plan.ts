/**
 * A plan tied to an arena: its kernels, their pointers and uniforms, and the numbers that the host
 * computes between them.
 *
 * Kernels see one tensor or many as a range of elements counted from the start of each region, so
 * that running over another tensor takes two numbers and no pointer.
 */
import type { HostCall, Plan } from "../ir/plan.ts";
import { ALIGNMENT, type Arena } from "../memory/arena.ts";
import { bytesOf } from "../memory/dtype.ts";
import type { Shape } from "../ir/trace.ts";
import type { Backend, BoundKernel } from "./backend.ts";
import { HostScalars } from "./host-scalars.ts";
import {
  isMatrixOperation,
  type BoundMatrixOperation,
  type MatrixRoom,
} from "./matrix/operation.ts";

/** Matrices that may be under way at once, so that threads can share them out. */
const MOST_AT_ONCE = 256;

export class BoundPlan {
  private readonly plan: Plan;
  private readonly arena: Arena;
  private readonly kernels: readonly BoundKernel[];
  /** Per stage what the host runs after the kernel. */
  private readonly hostCalls: readonly (readonly BoundHostCall[])[];
  private readonly roomBytes: number;
  /** Byte offsets of the temporaries. */
  private readonly temporaries: readonly number[];
  private readonly host: HostScalars;
  /** The range at hand. */
  private readonly range: [number, number] = [0, 0];
  /** Sums of each kernel's reductions. */
  private readonly totals: readonly Float64Array[];

  /**
   * @param temporaries where the arena's first element would lie in each: byte offsets.
   * @param largest elements of the largest range.
   * @param allocate where memory for kernels comes from.
   * @param matrices see {@link MatrixNeeds}.
   * @throws {BackendError} if memory runs out; nothing has run then.
   */
  constructor(
    plan: Plan,
    backend: Backend,
    arena: Arena,
    temporaries: readonly number[],
    largest: number,
    allocate: (bytes: number) => number = (bytes) => arena.allocate(bytes),
    matrices: MatrixNeeds = { shapes: [], scratch: allocate, elements: largest },
  ) {
    this.plan = plan;
    this.arena = arena;
    this.kernels = plan.stages.map(({ kernel }) =>
      backend.compile(kernel, arena.dtype).bind(arena, allocate, largest),
    );
    const room = { backend, arena, allocate, ...matrices };
    this.hostCalls = plan.stages.map(({ hostCalls }) =>
      hostCalls.map((call) => bindCall(call, room, temporaries[call.temporary]!)),
    );
    this.temporaries = temporaries;
    const calls = this.hostCalls.some(({ length }) => length > 0);
    this.host = new HostScalars(plan, this.kernels, calls ? MOST_AT_ONCE : 1);
    this.roomBytes = matrices.elements * bytesOf(arena.dtype);
    this.totals = plan.stages.map(({ reductions }) => new Float64Array(reductions.length));
  }

  /** Says where the program's slots start: byte offsets in the arena, by slot. */
  place(slots: ArrayLike<number>): void {
    const { stages } = this.plan;
    for (let s = 0; s < stages.length; s++) {
      const { pointers } = stages[s]!;
      for (let i = 0; i < pointers.length; i++) {
        const target = pointers[i]!;
        const at = target < 0 ? this.temporaries[~target]! : slots[target]!;
        this.kernels[s]!.setPointer(i, at);
      }
    }
  }

  /** Hands the numbers of a trace to the kernels, unless they have those of this version. */
  load(uniforms: Float64Array, version: number): void {
    this.host.load(uniforms, version);
  }

  /** Values of the program's scalars for the tensor at hand, by id. */
  get scalars(): Float64Array {
    return this.host.values;
  }

  /**
   * All kernels over one range, then over the next; `ranges` holds begin and end of each.
   *
   * @param shape of every range, if they are matrices.
   */
  runRangeByRange(
    ranges: readonly number[],
    count: number,
    threads = 1,
    shape: Shape | null = null,
  ): void {
    const bytes = bytesOf(this.arena.dtype);
    const apart = shape ? Math.ceil((shape[0] * shape[1] * bytes) / ALIGNMENT) * ALIGNMENT : 0;
    const room = Math.floor(this.roomBytes / Math.max(ALIGNMENT, apart));
    const atOnce = shape && threads > 1 ? Math.max(1, Math.min(MOST_AT_ONCE, room)) : 1;
    for (let from = 0; from < count; from += atOnce) {
      this.runRanges(ranges, from, Math.min(count, from + atOnce), threads, apart, shape);
    }
  }

  /** Stage by stage, with temporaries `apart` bytes from one range to the next. */
  private runRanges(
    ranges: readonly number[],
    from: number,
    to: number,
    threads: number,
    apart: number,
    shape: Shape | null,
  ): void {
    const bytes = bytesOf(this.arena.dtype);
    for (let s = 0; s < this.kernels.length; s++) {
      for (let r = from; r < to; r++) {
        this.range[0] = ranges[2 * r]!;
        this.range[1] = ranges[2 * r + 1]!;
        this.moveTemporaries(s, (r - from) * apart - this.range[0] * bytes);
        this.host.turnTo(r - from);
        this.runStage(s, threads);
      }
      const calls = this.hostCalls[s]!;
      for (let i = 0; i < calls.length; i++) {
        this.runCall(calls[i]!, apart, to - from, shape!, threads);
      }
    }
  }

  /** One kernel over all ranges, then the next; not for plans whose values belong to one tensor. */
  runKernelByKernel(ranges: readonly number[], count: number, threads = 1): void {
    for (let s = 0; s < this.kernels.length; s++) this.kernels[s]!.run(ranges, count, threads);
  }

  /** Lets tensors use the same temporaries in turn, which then stay in the cache. */
  private moveTemporaries(stage: number, bytes: number): void {
    const { pointers } = this.plan.stages[stage]!;
    for (let i = 0; i < pointers.length; i++) {
      const target = pointers[i]!;
      if (target < 0) this.kernels[stage]!.setPointer(i, this.temporaries[~target]! + bytes);
    }
  }

  /** One kernel over the range at hand. */
  private runStage(index: number, threads: number): void {
    const { reductions } = this.plan.stages[index]!;
    const kernel = this.kernels[index]!;
    const [begin, end] = this.range;
    this.host.prepare(index, end - begin);
    if (reductions.length === 0) return kernel.run(this.range, 1, threads);
    const totals = this.totals[index]!;
    kernel.reduce(begin, end, totals, threads);
    this.host.take(index, totals);
  }

  private runCall(
    call: BoundHostCall,
    apart: number,
    count: number,
    shape: Shape,
    threads: number,
  ): void {
    const { operation, at, uniforms, numbers } = call;
    for (let i = 0; i < uniforms.length; i++) numbers[i] = this.host.uniforms[uniforms[i]!]!;
    operation.run(at, apart, count, shape, numbers, threads);
  }
}

/** What operations on matrices need to know. */
export interface MatrixNeeds extends Pick<MatrixRoom, "shapes" | "scratch"> {
  /** Of each temporary. */
  readonly elements: number;
}

/** An operation of the host, tied to a temporary. */
interface BoundHostCall {
  readonly operation: BoundMatrixOperation;
  readonly at: number;
  readonly uniforms: readonly number[];
  readonly numbers: Float64Array;
}

function bindCall({ operation, uniforms }: HostCall, room: MatrixRoom, at: number): BoundHostCall {
  if (!isMatrixOperation(operation)) throw new Error(`nothing to run for ${operation.name}`);
  const numbers = new Float64Array(uniforms.length);
  return { operation: operation.bind(room), at, uniforms, numbers };
}
