/**
 * Newton-Schulz iteration with generated code. Small matrices are iterated one by one, each on one
 * thread; on a large one all threads share in every product. Matrices of one shape have kernels of
 * their own, so that nothing has to be told to them in a step but the numbers, if these have changed.
 */
import type { Shape } from "../../ir/trace.ts";
import type { Arena } from "../../memory/arena.ts";
import { bytesOf, type DType } from "../../memory/dtype.ts";
import type { WasmBackend } from "../wasm/backend.ts";
import { JOB_BYTES } from "./job.ts";
import type { Product } from "./lower.ts";
import type { BoundMatrixOperation, MatrixRoom } from "./operation.ts";
import { ProductKernel, type Panels } from "./product.ts";
import { ShapeLayout } from "./shape.ts";
import { CHUNKS, SmallIteration } from "./small.ts";

/** What is turned over for a matrix of so many bytes fits into the second cache. */
const SMALL_BYTES = 1 << 19;

const isSmall = ({ bytes }: ShapeLayout) => bytes <= SMALL_BYTES;

/** Bytes of all places that matrices of one shape are turned over in. */
const scratchOf = (layout: ShapeLayout) => (isSmall(layout) ? CHUNKS : 1) * layout.bytes;

/** The same of a shape; vectors need more than single elements. */
export function wasmScratch(shape: Shape, dtype: DType): number {
  return shape[0] === 0 || shape[1] === 0 ? 0 : scratchOf(new ShapeLayout(shape, dtype, true));
}

export class WasmNewtonSchulz implements BoundMatrixOperation {
  private readonly iterations: (LargeIteration | SmallIteration)[];
  private last: LargeIteration | SmallIteration | undefined;

  constructor({ arena, shapes, allocate, scratch }: MatrixRoom, backend: WasmBackend) {
    const layouts: ShapeLayout[] = [];
    for (const shape of shapes) {
      if (shape[0] === 0 || shape[1] === 0 || layouts.some((known) => known.is(shape))) continue;
      layouts.push(new ShapeLayout(shape, arena.dtype, backend.simd));
    }
    const at = scratch(Math.max(0, ...layouts.map(scratchOf)));
    this.iterations = layouts.map((layout) =>
      isSmall(layout)
        ? new SmallIteration(layout, backend, arena, at, allocate(CHUNKS * JOB_BYTES))
        : new LargeIteration(layout, backend, arena, at, allocate(5 * JOB_BYTES)),
    );
  }

  run(
    at: number,
    apart: number,
    count: number,
    shape: Shape,
    numbers: ArrayLike<number>,
    threads: number,
  ): void {
    if (shape[0] === 0 || shape[1] === 0) return;
    if (!this.last?.layout.is(shape)) {
      this.last = this.iterations.find(({ layout }) => layout.is(shape))!;
    }
    this.last.run(at, apart, count, numbers, threads);
  }
}

/** The iteration product by product. */
class LargeIteration {
  readonly layout: ShapeLayout;
  private readonly arena: Arena;
  private readonly panelColumns: number;
  private readonly u: readonly [Panels, Panels];
  /** U to A, A to B, U and B to the other U: from the first place and from the second. */
  private readonly gram: readonly [ProductKernel, ProductKernel];
  private readonly square: ProductKernel;
  private readonly apply: readonly [ProductKernel, ProductKernel];
  private readonly coefficients = [NaN, NaN, NaN];

  constructor(layout: ShapeLayout, backend: WasmBackend, arena: Arena, at: number, jobs: number) {
    const { rows: n, columns: m } = layout;
    const { u, v, gram: a, polynomial: b } = layout.from(at);
    let job = jobs - JOB_BYTES;
    const kernel = (
      product: Product,
      ...[matrices, sizes]: [[Panels, Panels, Panels], [number, number, number]]
    ) => new ProductKernel(product, backend, arena, (job += JOB_BYTES), matrices, sizes);
    this.layout = layout;
    this.arena = arena;
    this.panelColumns = layout.panelColumns;
    this.u = [u, v];
    this.gram = [kernel("gram", [u, u, a], [n, m, m]), kernel("gram", [v, v, a], [n, m, m])];
    this.square = kernel("square", [a, a, b], [m, m, m]);
    this.apply = [kernel("apply", [u, b, v], [m, n, m]), kernel("apply", [v, b, u], [m, n, m])];
  }

  run(at: number, apart: number, count: number, numbers: ArrayLike<number>, threads: number): void {
    this.scale(numbers);
    for (let i = 0; i < count; i++) this.iterate(at + i * apart, numbers[3]!, threads);
  }

  private iterate(at: number, steps: number, threads: number): void {
    this.copy(at, this.u[0], true);
    for (let step = 0; step < steps; step++) {
      const turn = (step & 1) as 0 | 1;
      this.gram[turn].run(threads);
      this.square.run(threads);
      this.apply[turn].run(threads);
    }
    this.copy(at, this.u[(steps & 1) as 0 | 1], false);
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

  /** Copies the matrix into panels, or back: panel by panel, row by row. */
  private copy(at: number, panels: Panels, into: boolean): void {
    const { elements } = this.arena;
    const bytes = bytesOf(this.arena.dtype);
    const width = this.panelColumns;
    const { rows: n, columns: m } = this.layout;
    const down = this.layout.down / bytes;
    const right = this.layout.right / bytes;
    for (let j = 0; j < m; j += width) {
      const wide = Math.min(width, m - j);
      let inside = (panels.at + j * panels.column) / bytes;
      let outside = at / bytes + j * right;
      for (let k = 0; k < n; k++, inside += width, outside += down) {
        for (let i = 0; i < wide; i++) {
          if (into) elements[inside + i] = elements[outside + i * right]!;
          else elements[outside + i * right] = elements[inside + i]!;
        }
      }
    }
  }
}
