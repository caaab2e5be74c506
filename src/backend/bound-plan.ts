/**
 * A plan tied to an arena: its kernels, their pointers and uniforms, and the numbers that the host
 * computes between them.
 *
 * Kernels see one tensor or many as a range of elements counted from the start of each region, so
 * that running over another tensor takes two numbers and no pointer.
 */
import { Op } from "../ir/op.ts";
import type { HostCall, Plan } from "../ir/plan.ts";
import type { Arena } from "../memory/arena.ts";
import { bytesOf } from "../memory/dtype.ts";
import type { Shape } from "../ir/trace.ts";
import type { Backend, BoundKernel } from "./backend.ts";
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
  /** Values of the program's scalars for the tensor at hand, by id. */
  readonly scalars: Float64Array;
  private uniforms: Float64Array = new Float64Array(0);
  private version = 0;
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
    this.scalars = new Float64Array(plan.program.nodes.length);
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
    if (this.uniforms === uniforms && this.version === version) return;
    this.uniforms = uniforms;
    this.version = version;
    const { stages } = this.plan;
    for (let s = 0; s < stages.length; s++) {
      const sources = stages[s]!.uniforms;
      for (let i = 0; i < sources.length; i++) {
        if (sources[i]! >= 0) this.kernels[s]!.setUniform(i, uniforms[sources[i]!]!);
      }
    }
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
    const { scalars: ids, uniforms, reductions } = this.plan.stages[index]!;
    const kernel = this.kernels[index]!;
    const [begin, end] = this.range;
    this.computeScalars(ids, end - begin);
    for (let i = 0; i < uniforms.length; i++) {
      if (uniforms[i]! < 0) kernel.setUniform(i, this.scalars[~uniforms[i]!]!);
    }
    if (reductions.length === 0) return kernel.run(this.range, 1, threads);
    const totals = this.totals[index]!;
    kernel.reduce(begin, end, totals, threads);
    for (let r = 0; r < reductions.length; r++) this.scalars[reductions[r]!] = totals[r]!;
  }

  private runCall(call: BoundHostCall, shape: Shape, threads: number): void {
    const { operation, at, uniforms, numbers } = call;
    for (let i = 0; i < uniforms.length; i++) numbers[i] = this.uniforms[uniforms[i]!]!;
    operation.run(at, shape, numbers, threads);
  }

  private computeScalars(ids: readonly number[], size: number): void {
    const { nodes } = this.plan.program;
    for (let i = 0; i < ids.length; i++) {
      const { op, args } = nodes[ids[i]!]!;
      const a = args.length > 0 ? this.numberOf(args[0]!) : size;
      const b = args.length > 1 ? this.numberOf(args[1]!) : 0;
      const c = args.length > 2 ? this.numberOf(args[2]!) : 0;
      this.scalars[ids[i]!] = scalarOperation(op, a, b, c);
    }
  }

  private numberOf(id: number): number {
    const { op, index } = this.plan.program.nodes[id]!;
    return op === Op.uniform ? this.uniforms[index]! : this.scalars[id]!;
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

function scalarOperation(op: number, a: number, b: number, c: number): number {
  switch (op) {
    case Op.size:
      return a;
    case Op.add:
      return a + b;
    case Op.sub:
      return a - b;
    case Op.mul:
      return a * b;
    case Op.div:
      return a / b;
    case Op.min:
      return Math.min(a, b);
    case Op.max:
      return Math.max(a, b);
    case Op.neg:
      return -a;
    case Op.abs:
      return Math.abs(a);
    case Op.sqrt:
      return Math.sqrt(a);
    case Op.sign:
      return Number(a > 0) - Number(a < 0);
    case Op.gt:
      return Number(a > b);
    case Op.ge:
      return Number(a >= b);
    case Op.eq:
      return Number(a === b);
    case Op.fma:
      return a * b + c;
    case Op.where:
      return a !== 0 ? b : c;
    default:
      throw new Error(`no such operation on scalars: ${op}`);
  }
}
