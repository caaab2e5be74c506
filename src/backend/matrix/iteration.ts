/**
 * A whole Newton-Schulz iteration for small matrices as one WebAssembly function `run(job, begin, end)`:
 * for each of the matrices `begin` to `end` it brings the matrix into panels, runs the products to and
 * fro between two places, and brings it back. So a thread can take many matrices at once, and each has
 * all that it needs in its first cache.
 */
import type { DType } from "../../memory/dtype.ts";
import type { WasmFunction } from "../wasm/instructions.ts";
import { ProductWriter } from "./lower.ts";

/**
 * The words of a job block, in order; a, b and c of the polynomial follow. The matrices lie `apart` bytes
 * from one another, U's next row `down` bytes and its next column `right` bytes further.
 */
export const iterationWords = [
  "first",
  "apart",
  "down",
  "right",
  "n",
  "m",
  "u",
  "v",
  "uColumn",
  "gram",
  "polynomial",
  "gramColumn",
  "steps",
] as const;

export function lowerIteration(dtype: DType, simd: boolean, wide: boolean): WasmFunction {
  return new IterationWriter(dtype, simd, wide).iteration();
}

class IterationWriter extends ProductWriter {
  iteration(): WasmFunction {
    const { writer } = this;
    this.readJob(iterationWords, ["*a", "*b", "*c"]);
    this.assign("matrix", "begin");
    this.assign("matrices", "end");
    this.sum("first", () => this.times("matrix", "apart"));
    writer.setAddress("first");
    writer.whileBelow("matrix", "matrices", () => {
      this.assign("from", "u");
      this.assign("to", "v");
      this.copy("from", true);
      this.constant("step", 0);
      writer.whileBelow("step", "steps", () => this.oneStep());
      this.copy("from", false);
      this.sum("first", () => writer.get("apart"));
      writer.setAddress("first");
      writer.advance("matrix", 1);
    });
    return writer.function();
  }

  private oneStep(): void {
    const { writer } = this;
    this.constant("begin", 0);
    const operands = (a: string, b: string, c: string): void => {
      for (const [word, place] of Object.entries({ a, b, c })) {
        this.assign(word, place);
        this.assign(`${word}Column`, ["from", "to"].includes(place) ? "uColumn" : "gramColumn");
      }
    };
    const scale = (number: string, value: string): void => {
      writer.get(value);
      writer.set(number, this.type);
    };
    operands("from", "from", "gram");
    this.assign("k", "n");
    this.assign("columns", "m");
    this.assign("end", "m");
    this.multiplyOut("gram");
    operands("gram", "gram", "polynomial");
    this.assign("k", "m");
    scale("alpha", "*c");
    scale("beta", "*b");
    this.multiplyOut("square");
    operands("from", "polynomial", "to");
    this.assign("end", "n");
    scale("beta", "*a");
    this.multiplyOut("apply");
    this.assign("a", "from");
    this.assign("from", "to");
    this.assign("to", "a");
    writer.advance("step", 1);
  }

  /** Copies the matrix at hand into panels, or back: panel by panel, row by row. */
  private copy(panels: string, into: boolean): void {
    const { writer, tile } = this;
    this.assign("panel", panels);
    this.assign("column", "first");
    this.constant("j", 0);
    writer.whileBelow("j", "m", () => {
      // The bytes of a row that count: those of the last panel may be fewer.
      writer.get("m");
      writer.get("j");
      writer.onAddress("sub");
      this.shift(this.bytes);
      writer.setAddress("width");
      this.constant("whole", this.rowBytes);
      this.lesser("width", "whole");
      writer.setAddress("width");
      this.assign("row", "panel");
      this.assign("outer", "column");
      this.sum("row", () => this.shifted("n", this.rowBytes));
      writer.setAddress("rows");
      writer.whileBelow("row", "rows", () => this.copyRow(into));
      this.sum("panel", () => this.shifted("uColumn", tile.columns));
      writer.setAddress("panel");
      this.sum("column", () => this.shifted("right", tile.columns));
      writer.setAddress("column");
      writer.advance("j", tile.columns);
    });
  }

  private copyRow(into: boolean): void {
    const { writer } = this;
    this.assign("inside", "row");
    this.assign("outside", "outer");
    this.sum("row", () => writer.get("width"));
    writer.setAddress("row.end");
    writer.whileBelow("inside", "row.end", () => {
      if (into) this.copyElement("outside", "inside");
      else this.copyElement("inside", "outside");
      this.sum("outside", () => writer.get("right"));
      writer.setAddress("outside");
      writer.advance("inside", this.bytes);
    });
    this.sum("outer", () => writer.get("down"));
    writer.setAddress("outer");
    writer.advance("row", this.rowBytes);
  }

  private constant(name: string, value: number): void {
    this.writer.onAddress("const", value);
    this.writer.setAddress(name);
  }
}
