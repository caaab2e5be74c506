/**
 * Newton-Schulz iteration towards the nearest orthogonal matrix: so many times
 *
 *     X ← a·X + (b·A + c·A·A)·X,   A = X·Xᵀ
 *
 * or the same from the other side, X ← a·X + X·(b·A + c·A·A) with A = Xᵀ·X, which is the same polynomial
 * of X: of the two, that whose A is smaller. It runs on a matrix U with at least as many rows as
 * columns, which is X or its transpose, in the elements' own type.
 */
import type { Shape } from "../../ir/trace.ts";
import type { Arena } from "../../memory/arena.ts";
import type { TypedArray } from "../../memory/dtype.ts";
import { bytesOf } from "../../memory/dtype.ts";
import { WasmBackend } from "../wasm/backend.ts";
import type { BoundMatrixOperation, MatrixOperation, MatrixRoom } from "./operation.ts";
import { newtonSchulzStep, type PlainRoom } from "./plain.ts";
import { WasmNewtonSchulz, wasmScratch } from "./wasm.ts";

/** Multiplications and additions that take as long as an ordinary kernel takes to move a byte. */
const OPERATIONS_PER_BYTE = 8;

/** Its numbers are a, b, c and how many times. */
export const newtonSchulz: MatrixOperation = {
  name: "newtonSchulz",
  scratch: wasmScratch,
  bind: (room) =>
    room.backend instanceof WasmBackend
      ? new WasmNewtonSchulz(room, room.backend)
      : new PlainNewtonSchulz(room),
  work([rows, columns], numbers) {
    const [n, m] = [Math.max(rows, columns), Math.min(rows, columns)];
    return (numbers[3]! * m * m * (3 * n + m)) / OPERATIONS_PER_BYTE;
  },
};

/** For backends that run no generated code. */
class PlainNewtonSchulz implements BoundMatrixOperation {
  private readonly arena: Arena;
  private readonly u: TypedArray;
  private readonly room: PlainRoom;

  constructor({ arena, shapes }: MatrixRoom) {
    const array = (length: number): TypedArray =>
      arena.dtype === "float32" ? new Float32Array(length) : new Float64Array(length);
    const most = (measure: (shape: Shape) => number) => Math.max(0, ...shapes.map(measure));
    const columns = most((shape) => Math.min(...shape));
    this.arena = arena;
    this.u = array(most(([rows, cols]) => rows * cols));
    this.room = {
      gram: array(columns ** 2),
      polynomial: array(columns ** 2),
      row: array(columns),
    };
  }

  run(at: number, apart: number, count: number, shape: Shape, numbers: ArrayLike<number>): void {
    for (let i = 0; i < count; i++) this.iterate(at + i * apart, shape, numbers);
  }

  private iterate(at: number, [rows, columns]: Shape, numbers: ArrayLike<number>): void {
    const { arena, u } = this;
    const isTall = rows >= columns;
    const [n, m] = isTall ? [rows, columns] : [columns, rows];
    const place = (k: number, j: number) => from + (isTall ? k * m + j : j * n + k);
    const from = at / bytesOf(arena.dtype);
    const { elements } = arena;
    for (let k = 0; k < n; k++) for (let j = 0; j < m; j++) u[k * m + j] = elements[place(k, j)]!;
    const round = arena.dtype === "float32" ? Math.fround : (x: number) => x;
    const [a, b, c] = [round(numbers[0]!), round(numbers[1]!), round(numbers[2]!)];
    for (let step = 0; step < numbers[3]!; step++) newtonSchulzStep(u, n, m, [a, b, c], this.room);
    for (let k = 0; k < n; k++) for (let j = 0; j < m; j++) elements[place(k, j)] = u[k * m + j]!;
  }
}
