/** Operations on whole matrices that run between two kernels: what backends know of them. */
import type { HostOperation } from "../../ir/op.ts";
import type { Plan } from "../../ir/plan.ts";
import type { Shape } from "../../ir/trace.ts";
import type { Arena } from "../../memory/arena.ts";
import type { DType } from "../../memory/dtype.ts";
import type { Backend } from "../backend.ts";

/** Where the matrices at hand lie, and memory for what they are turned over in. */
export interface MatrixRoom {
  readonly backend: Backend;
  readonly arena: Arena;
  /** All shapes that there will be. */
  readonly shapes: readonly Shape[];
  /** Byte offset of memory that is kept. */
  readonly allocate: (bytes: number) => number;
  /** Byte offset of memory that others use as well in between. */
  readonly scratch: (bytes: number) => number;
}

export interface MatrixOperation extends HostOperation {
  /** Most bytes of {@link MatrixRoom.scratch} that it asks for because of a shape, on any backend. */
  scratch(shape: Shape, dtype: DType): number;
  /** @throws {BackendError} `OUT_OF_MEMORY`. */
  bind(room: MatrixRoom): BoundMatrixOperation;
  /** The bytes that an ordinary kernel would move in the time that it takes. */
  work(shape: Shape, numbers: ArrayLike<number>): number;
}

/** An operation over one arena. */
export interface BoundMatrixOperation {
  /**
   * Turns `count` matrices, row after row, into their results.
   *
   * @param at byte offset of the first, and `apart` bytes from one to the next.
   */
  run(
    at: number,
    apart: number,
    count: number,
    shape: Shape,
    numbers: ArrayLike<number>,
    threads: number,
  ): void;
}

/** Whatever a rule calls is one: the words that put it onto a tape see to that. */
export function isMatrixOperation(operation: HostOperation): operation is MatrixOperation {
  return "bind" in operation;
}

/** Most bytes of scratch that a plan's operations ask for because of a shape. */
export function scratchBytes({ stages }: Plan, shape: Shape, dtype: DType): number {
  const calls = stages.flatMap(({ hostCalls }) => hostCalls);
  const bytes = calls.map(({ operation }) =>
    isMatrixOperation(operation) ? operation.scratch(shape, dtype) : 0,
  );
  return Math.max(0, ...bytes);
}

/** The bytes that an ordinary kernel would move while the host runs a plan's operations on one matrix. */
export function hostWork({ stages }: Plan, shape: Shape, uniforms: ArrayLike<number>): number {
  let bytes = 0;
  for (const { hostCalls } of stages) {
    for (const { operation, uniforms: ids } of hostCalls) {
      const numbers = ids.map((id) => uniforms[id]!);
      if (isMatrixOperation(operation)) bytes += operation.work(shape, numbers);
    }
  }
  return bytes;
}
