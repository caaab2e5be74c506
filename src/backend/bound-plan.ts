/**
 * A plan tied to an arena: its kernels, their pointers and uniforms, and the numbers that the host
 * computes between them.
 *
 * Kernels see one tensor or many as a range of elements counted from the start of each region, so
 * that running over another tensor takes two numbers and no pointer.
 */
import type { HostCall, Plan } from "../ir/plan.ts";
import type { Arena } from "../memory/arena.ts";
import { bytesOf } from "../memory/dtype.ts";
import type { Shape } from "../ir/trace.ts";
import type { Backend, BoundKernel } from "./backend.ts";
import { HostScalars } from "./host-scalars.ts";
import {
  isMatrixOperation,
  type BoundMatrixOperation,
  type MatrixRoom,
} from "./matrix/operation.ts";

export class BoundPlan {
  private readonly plan: Plan;
  private readonly arena: Arena;
  private readonly kernels: readonly BoundKernel[];
  /** Per stage what the host runs after the kernel. */
  private readonly hostCalls: readonly (readonly BoundHostCall[])[];
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
   * @param matrices what operations on matrices need to know.
   * @throws {BackendError} if memory runs out; nothing has run then.
   */
  constructor(
    plan: Plan,
    backend: Backend,
    arena: Arena,
    temporaries: readonly number[],
    largest: number,
    allocate: (bytes: number) => number = (bytes) => arena.allocate(bytes),
    matrices: Pick<MatrixRoom, "shapes" | "scratch"> = { shapes: [], scratch: allocate },
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
    this.host = new HostScalars(plan, this.kernels);
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
    const { stages } = this.plan;
    for (let r = 0; r < count; r++) {
      this.range[0] = ranges[2 * r]!;
      this.range[1] = ranges[2 * r + 1]!;
      if (this.temporaries.length > 0) this.moveTemporaries(this.range[0]);
      for (let s = 0; s < stages.length; s++) {
        this.runStage(s, threads);
        const calls = this.hostCalls[s]!;
        for (let i = 0; i < calls.length; i++) this.runCall(calls[i]!, shape!, threads);
      }
    }
  }

  /** One kernel over all ranges, then the next; not for plans whose values belong to one tensor. */
  runKernelByKernel(ranges: readonly number[], count: number, threads = 1): void {
    for (let s = 0; s < this.kernels.length; s++) this.kernels[s]!.run(ranges, count, threads);
  }

  /** Lets every tensor use the same temporaries, which then stay in the cache. */
  private moveTemporaries(begin: number): void {
    const shift = begin * bytesOf(this.arena.dtype);
    const { stages } = this.plan;
    for (let s = 0; s < stages.length; s++) {
      const { pointers } = stages[s]!;
      for (let i = 0; i < pointers.length; i++) {
        const target = pointers[i]!;
        if (target < 0) this.kernels[s]!.setPointer(i, this.temporaries[~target]! - shift);
      }
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

  private runCall(call: BoundHostCall, shape: Shape, threads: number): void {
    const { operation, at, uniforms, numbers } = call;
    for (let i = 0; i < uniforms.length; i++) numbers[i] = this.host.uniforms[uniforms[i]!]!;
    operation.run(at, shape, numbers, threads);
  }
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
