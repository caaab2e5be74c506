/** How matrices of one shape lie in panels, as Newton-Schulz iteration needs them. */
import type { Shape } from "../../ir/trace.ts";
import { ALIGNMENT } from "../../memory/arena.ts";
import { bytesOf, type DType } from "../../memory/dtype.ts";
import type { Panels } from "./product.ts";
import { tileOf } from "./writer.ts";

/** The two places of U, A and B. */
export interface Places {
  readonly u: Panels;
  readonly v: Panels;
  readonly gram: Panels;
  readonly polynomial: Panels;
}

export class ShapeLayout {
  readonly shape: Shape;
  /** Of U, whose rows are not fewer than its columns. */
  readonly rows: number;
  readonly columns: number;
  /** Bytes from one row of U to the next where it lies outside, and from one column to the next. */
  readonly down: number;
  readonly right: number;
  /** Columns of a panel. */
  readonly panelColumns: number;
  /** Bytes of all places. */
  readonly bytes: number;
  /** Bytes from one panel of U, and of a product, to the next. */
  private readonly stride: number;
  private readonly squareStride: number;

  constructor(shape: Shape, dtype: DType, simd: boolean) {
    const tile = tileOf(dtype, simd);
    const bytes = bytesOf(dtype);
    const isTall = shape[0] >= shape[1];
    this.shape = shape;
    this.rows = Math.max(...shape);
    this.columns = Math.min(...shape);
    this.down = bytes * (isTall ? this.columns : 1);
    this.right = bytes * (isTall ? 1 : this.rows);
    this.panelColumns = tile.columns;
    const strideOf = (height: number): number => {
      // An odd number of tiles: neighbouring panels then differ in their place in the caches.
      const tiles = Math.ceil(height / tile.rows);
      const panel = (tiles + 1 - (tiles % 2)) * tile.rows * tile.columns * bytes;
      return Math.ceil(panel / ALIGNMENT) * ALIGNMENT;
    };
    this.stride = strideOf(this.rows);
    this.squareStride = strideOf(this.panels * tile.columns);
    this.bytes = 2 * this.panels * (this.stride + this.squareStride);
  }

  is(shape: Shape): boolean {
    return shape[0] === this.shape[0] && shape[1] === this.shape[1];
  }

  /** Multiplications of one step. */
  get multiplications(): number {
    return this.columns ** 2 * (2 * this.rows + this.columns);
  }

  /** Where everything lies if it begins at a byte offset. */
  from(at: number): Places {
    const squares = at + 2 * this.panels * this.stride;
    const place = (begin: number, stride: number): Panels => ({
      at: begin,
      column: stride / this.panelColumns,
    });
    return {
      u: place(at, this.stride),
      v: place(at + this.panels * this.stride, this.stride),
      gram: place(squares, this.squareStride),
      polynomial: place(squares + this.panels * this.squareStride, this.squareStride),
    };
  }

  private get panels(): number {
    return Math.ceil(this.columns / this.panelColumns);
  }
}
