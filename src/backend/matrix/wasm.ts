/**
 * Newton-Schulz iteration with generated code. The matrix is brought into panels, goes to and fro
 * between two places there, and comes back. Matrices of one shape have kernels of their own, so that
 * nothing has to be told to them in a step but the coefficients, if these have changed.
 */
import type { Shape } from "../../ir/trace.ts";
import { ALIGNMENT, type Arena } from "../../memory/arena.ts";
import { bytesOf } from "../../memory/dtype.ts";
import type { WasmBackend } from "../wasm/backend.ts";
import { tileOf, type Product, type Tile } from "./lower.ts";
import type { BoundMatrixOperation, MatrixRoom } from "./operation.ts";
import { JOB_BYTES, ProductKernel, type Panels } from "./product.ts";

export class WasmNewtonSchulz implements BoundMatrixOperation {
  private readonly forShapes: ForShape[] = [];
  private last: ForShape | undefined;

  constructor({ arena, shapes, allocate, scratch }: MatrixRoom, backend: WasmBackend) {
    const tile = tileOf(arena.dtype, backend.simd);
    for (const shape of shapes) {
      if (this.find(shape) || shape[0] === 0 || shape[1] === 0) continue;
      this.forShapes.push(new ForShape(shape, tile, arena, backend));
    }
    const at = scratch(Math.max(0, ...this.forShapes.map(({ bytes }) => bytes)));
    for (const one of this.forShapes) one.place(at, allocate(5 * JOB_BYTES));
  }

  run(at: number, shape: Shape, numbers: ArrayLike<number>, threads: number): void {
    if (shape[0] > 0 && shape[1] > 0) this.find(shape)!.run(at, numbers, threads);
  }

  private find(shape: Shape): ForShape | undefined {
    if (this.last?.is(shape)) return this.last;
    return (this.last = this.forShapes.find((one) => one.is(shape)));
  }
}

/** The iteration for matrices of one shape. */
class ForShape {
  private readonly shape: Shape;
  private readonly arena: Arena;
  private readonly backend: WasmBackend;
  private readonly tile: Tile;
  /** Of U, whose rows are not fewer than its columns. */
  private readonly rows: number;
  private readonly columns: number;
  /** Bytes from one panel of U, and of the products, to the next. */
  private readonly stride: number;
  private readonly squareStride: number;
  /** The two places of U. */
  private u!: readonly [Panels, Panels];
  /** U to A, A to B, U and B to the other U: from the first place and from the second. */
  private gram!: readonly [ProductKernel, ProductKernel];
  private square!: ProductKernel;
  private apply!: readonly [ProductKernel, ProductKernel];
  private readonly coefficients = [NaN, NaN, NaN];

  constructor(shape: Shape, tile: Tile, arena: Arena, backend: WasmBackend) {
    this.shape = shape;
    this.tile = tile;
    this.arena = arena;
    this.backend = backend;
    this.rows = Math.max(...shape);
    this.columns = Math.min(...shape);
    this.stride = this.strideOf(this.rows);
    this.squareStride = this.strideOf(this.panels * tile.columns);
  }

  is(shape: Shape): boolean {
    return shape[0] === this.shape[0] && shape[1] === this.shape[1];
  }

  /** Bytes that it needs for U, U, A and B. */
  get bytes(): number {
    return 2 * this.panels * (this.stride + this.squareStride);
  }

  /** Says where the matrices are to be, and the kernels' job blocks. */
  place(at: number, jobs: number): void {
    const { panels, stride, squareStride, rows: n, columns: m } = this;
    this.u = [
      { at, stride },
      { at: at + panels * stride, stride },
    ];
    const squares = at + 2 * panels * stride;
    const a = { at: squares, stride: squareStride };
    const b = { at: squares + panels * squareStride, stride: squareStride };
    let job = jobs;
    const kernel = (product: Product, ...where: Parameters<ProductKernel["place"]>) => {
      const made = new ProductKernel(product, this.backend, this.arena, job, this.tile.columns);
      made.place(...where);
      job += JOB_BYTES;
      return made;
    };
    const [u, v] = this.u;
    this.gram = [kernel("gram", u, u, a, n, m, m), kernel("gram", v, v, a, n, m, m)];
    this.square = kernel("square", a, a, b, m, m, m);
    this.apply = [kernel("apply", u, b, v, m, n, m), kernel("apply", v, b, u, m, n, m)];
  }

  run(at: number, numbers: ArrayLike<number>, threads: number): void {
    this.scale(numbers);
    const steps = numbers[3]!;
    this.copy(at, this.u[0], true);
    for (let step = 0; step < steps; step++) {
      const turn = (step & 1) as 0 | 1;
      this.gram[turn].run(threads);
      this.square.run(threads);
      this.apply[turn].run(threads);
    }
    this.copy(at, this.u[(steps & 1) as 0 | 1], false);
  }

  private get panels(): number {
    return Math.ceil(this.columns / this.tile.columns);
  }

  /** An odd number of tiles from panel to panel: neighbours then differ in their place in the caches. */
  private strideOf(height: number): number {
    const { rows, columns } = this.tile;
    const tiles = Math.ceil(height / rows);
    const bytes = (tiles + 1 - (tiles % 2)) * rows * columns * bytesOf(this.arena.dtype);
    return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
  }

  private scale(numbers: ArrayLike<number>): void {
    const { coefficients } = this;
    let same = true;
    for (let i = 0; i < 3; i++) {
      same &&= coefficients[i] === numbers[i];
      coefficients[i] = numbers[i]!;
    }
    if (same) return;
    this.square.scale(numbers[2]!, numbers[1]!);
    for (const kernel of this.apply) kernel.scale(1, numbers[0]!);
  }

  /** Copies the matrix into panels, or back. */
  private copy(at: number, panels: Panels, into: boolean): void {
    const { elements } = this.arena;
    const bytes = bytesOf(this.arena.dtype);
    const width = this.tile.columns;
    const { rows: n, columns: m } = this;
    const isTall = this.shape[0] === n;
    const down = isTall ? m : 1;
    const right = isTall ? 1 : n;
    for (let j = 0; j < m; j++) {
      let outside = at / bytes + j * right;
      let inside = (panels.at + Math.floor(j / width) * panels.stride) / bytes + (j % width);
      for (let k = 0; k < n; k++, outside += down, inside += width) {
        if (into) elements[inside] = elements[outside]!;
        else elements[outside] = elements[inside]!;
      }
    }
  }
}
