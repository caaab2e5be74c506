/**
 * The matrix products of a Newton-Schulz iteration as WebAssembly functions `run(job, begin, end)`,
 * which compute the rows `begin` to `end` of their result.
 *
 *     gram     C = Uᵀ·U
 *     square   C = β·A + α·(A·A)     where A is symmetric
 *     apply    C = β·U + U·B
 *
 * Matrices lie in panels: so many columns as two vectors hold, row after row, then the next columns.
 * A result is computed in tiles of a few rows of a panel that stay in registers while k goes up, so
 * that both operands stream in from where they lie and nothing has to be packed for the purpose. The
 * sum of each element runs from k = 0 up, in the element's own type, whatever the size of a tile is. The
 * first two results are symmetric: tiles on one side of the diagonal are stored twice.
 *
 * Columns and rows beyond the matrix's own, in the last panel and in the last tile, hold whatever
 * they hold: k never comes to them, so nothing that counts depends on them.
 */
import type { DType } from "../../memory/dtype.ts";
import type { WasmFunction } from "../wasm/instructions.ts";
import { MatrixWriter } from "./writer.ts";

export type Product = "gram" | "square" | "apply";

/** The words of a job block, in order; α and β follow, in the type of the elements. */
export const productWords = [
  "a",
  "aColumn",
  "b",
  "bColumn",
  "c",
  "cColumn",
  "k",
  "columns",
] as const;

export function lowerProduct(
  product: Product,
  dtype: DType,
  simd: boolean,
  wide: boolean,
): WasmFunction {
  return new ProductWriter(dtype, simd, wide).function(product);
}

export class ProductWriter extends MatrixWriter {
  private product: Product = "gram";

  function(product: Product): WasmFunction {
    this.readJob(productWords, ["alpha", "beta"]);
    this.multiplyOut(product);
    return this.writer.function();
  }

  /** The product of what stands in the locals that are called as the words of a job are. */
  protected multiplyOut(product: Product): void {
    const { writer, tile } = this;
    this.product = product;
    // j counts columns; the panels of b, of c and of a (whose elements β multiplies) go along.
    writer.get("begin");
    writer.onAddress("const", this.symmetric ? -tile.columns : 0);
    writer.onAddress("and");
    writer.setAddress("j");
    for (const matrix of ["a", "b", "c"]) {
      this.sum(matrix, () => this.times("j", `${matrix}Column`));
      writer.setAddress(`${matrix}.panel`);
    }
    writer.whileBelow("j", "columns", () => {
      this.rowLimit();
      this.assign("i", "begin");
      writer.whileBelow("i", "limit", () => this.oneTile());
      for (const matrix of ["a", "b", "c"]) {
        this.sum(`${matrix}.panel`, () => this.shifted(`${matrix}Column`, tile.columns));
        writer.setAddress(`${matrix}.panel`);
      }
      writer.advance("j", tile.columns);
    });
  }

  private get symmetric(): boolean {
    return this.product !== "apply";
  }

  /** limit = end, or where the diagonal leaves the panel if that comes first. */
  private rowLimit(): void {
    const { writer } = this;
    if (this.symmetric) {
      this.sum("j", () => writer.onAddress("const", this.tile.columns));
      writer.setAddress("limit");
      this.lesser("limit", "end");
    } else writer.get("end");
    writer.setAddress("limit");
  }

  private oneTile(): void {
    const { writer } = this;
    this.eachAccumulator((name) => {
      writer.get("zero");
      writer.set(name, this.type);
    });
    this.startOfA();
    this.assign("b.at", "b.panel");
    this.sum("b.panel", () => this.shifted("k", this.rowBytes));
    writer.setAddress("b.last");
    if (this.product === "apply") this.alongRows();
    else this.whileBelowK("b.last", this.rowBytes);
    this.storeTile();
    if (this.symmetric) this.storeMirrored();
    writer.advance("i", this.tile.rows);
  }

  /** Rows i of a for k = 0: in panel 0 row by row, or in the panel of column i one below another. */
  private startOfA(): void {
    const { writer } = this;
    if (this.product === "apply") this.sum("a", () => this.shifted("i", this.rowBytes));
    else this.columnOf("a");
    writer.setAddress("a.at");
  }

  /** Leaves the address of column i in row 0 of a matrix on the stack. */
  private columnOf(matrix: string): void {
    const { writer } = this;
    const { columns } = this.tile;
    writer.get(matrix);
    writer.get("i");
    writer.onAddress("const", -columns);
    writer.onAddress("and");
    writer.get(`${matrix}Column`);
    writer.onAddress("mul");
    writer.onAddress("add");
    writer.get("i");
    writer.onAddress("const", columns - 1);
    writer.onAddress("and");
    this.shift(this.bytes);
    writer.onAddress("add");
  }

  /** All k where those of a lie side by side, as many as a panel has columns. */
  private alongRows(): void {
    const { writer, tile } = this;
    writer.whileBelow("b.at", "b.last", () => {
      this.sum("b.at", () => writer.onAddress("const", tile.columns * this.rowBytes));
      writer.setAddress("b.end");
      this.lesser("b.end", "b.last");
      writer.setAddress("b.end");
      this.whileBelowK("b.end", this.bytes);
      this.sum("a.at", () => this.shifted("aColumn", tile.columns));
      writer.onAddress("const", tile.columns * this.bytes);
      writer.onAddress("sub");
      writer.setAddress("a.at");
    });
  }

  /**
   * One k after another while b is below `limit`. A round is not written several times over: engines
   * would load for all of them first, and run out of registers.
   */
  private whileBelowK(limit: string, aStep: number): void {
    const { writer } = this;
    writer.whileBelow("b.at", limit, () => {
      this.multiply();
      writer.advance("a.at", aStep);
      writer.advance("b.at", this.rowBytes);
    });
  }

  /** Adds the products of one k to the tile: each element of a column of a times a row of b. */
  private multiply(): void {
    const { writer, tile } = this;
    for (let v = 0; v < 2; v++) {
      writer.get("b.at");
      this.load(v * this.vectorBytes);
      writer.set(`b.${v}`, this.type);
    }
    for (let row = 0; row < tile.rows; row++) {
      writer.get("a.at");
      this.loadSplat(row * (this.product === "apply" ? this.rowBytes : this.bytes));
      writer.set("a.x", this.type);
      for (let v = 0; v < 2; v++) {
        writer.get(accumulator(row, v));
        writer.get("a.x");
        writer.get(`b.${v}`);
        this.emit("mul");
        this.emit("add");
        writer.set(accumulator(row, v), this.type);
      }
    }
  }

  /** Finishes the sums and stores them. */
  private storeTile(): void {
    const { writer } = this;
    for (const matrix of ["a", "c"]) {
      this.sum(`${matrix}.panel`, () => this.shifted("i", this.rowBytes));
      writer.setAddress(`${matrix}.tile`);
    }
    this.eachAccumulator((name, row, v) => {
      const offset = row * this.rowBytes + v * this.vectorBytes;
      if (this.product !== "gram") {
        writer.get("a.tile");
        this.load(offset);
        writer.get("beta");
        this.emit("mul");
        writer.get(name);
        if (this.product === "square") {
          writer.get("alpha");
          this.emit("mul");
        }
        this.emit("add");
        writer.set(name, this.type);
      }
      writer.get("c.tile");
      writer.get(name);
      this.store(offset);
    });
  }

  /** Stores the tile's transpose on the other side of the diagonal, unless its panel crosses that. */
  private storeMirrored(): void {
    const { writer } = this;
    writer.emit("block");
    writer.get("i");
    writer.get("j");
    writer.onAddress("ge_u");
    writer.emit("br_if", 0);
    this.columnOf("c");
    this.shifted("j", this.rowBytes);
    writer.onAddress("add");
    writer.setAddress("c.tile");
    const { lanes, rows, columns } = this.tile;
    for (let row = 0; row < rows; row += lanes) {
      for (let column = 0; column < columns; column += lanes) {
        this.storeTransposed(row, column / lanes, column * this.rowBytes + row * this.bytes);
      }
    }
    writer.emit("end");
  }

  /** Stores a square block of accumulators, its columns as rows. */
  private storeTransposed(row: number, v: number, offset: number): void {
    const { writer } = this;
    const { lanes } = this.tile;
    const names = Array.from({ length: lanes }, (_, r) => accumulator(row + r, v));
    const out = (column: number, leave: () => void): void => {
      writer.get("c.tile");
      leave();
      this.store(offset + column * this.rowBytes);
    };
    if (lanes === 1) return out(0, () => writer.get(names[0]!));
    if (lanes === 2) {
      for (const column of [0, 1]) {
        out(column, () => this.shuffle(names[0]!, names[1]!, [column, 2 + column]));
      }
      return;
    }
    // Two rounds of two by two.
    const halves = [
      [0, 4, 1, 5],
      [2, 6, 3, 7],
    ];
    halves.forEach((order, half) => {
      for (const pair of [0, 1]) {
        this.shuffle(names[2 * pair]!, names[2 * pair + 1]!, order);
        writer.set(`pair.${pair}`, "v128");
      }
      out(2 * half, () => this.shuffle("pair.0", "pair.1", [0, 1, 4, 5]));
      out(2 * half + 1, () => this.shuffle("pair.0", "pair.1", [2, 3, 6, 7]));
    });
  }

  private eachAccumulator(visit: (name: string, row: number, v: number) => void): void {
    for (let row = 0; row < this.tile.rows; row++) {
      for (let v = 0; v < 2; v++) visit(accumulator(row, v), row, v);
    }
  }
}

const accumulator = (row: number, v: number): string => `sum.${row}.${v}`;
