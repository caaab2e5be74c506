/** What code on matrices in panels is written with: words and numbers of a job, addresses, vectors. */
import { bytesOf, type DType } from "../../memory/dtype.ts";
import type { InstructionName, ValueType } from "../wasm/instructions.ts";
import { FunctionWriter } from "../wasm/writer.ts";

/** How matrices are cut: columns of a panel, rows of a tile, elements of a vector. */
export interface Tile {
  readonly lanes: 1 | 2 | 4;
  readonly columns: number;
  readonly rows: number;
}

export function tileOf(dtype: DType, simd: boolean): Tile {
  if (!simd) return { lanes: 1, columns: 2, rows: 2 };
  return dtype === "float32"
    ? { lanes: 4, columns: 8, rows: 4 }
    : { lanes: 2, columns: 4, rows: 4 };
}

/** Where the numbers of a job block begin, which follow its words. */
export function numbersAt(words: number, wordBytes: 4 | 8): number {
  return Math.ceil((words * wordBytes) / 8) * 8;
}

export class MatrixWriter {
  protected readonly writer: FunctionWriter;
  protected readonly tile: Tile;
  protected readonly bytes: 4 | 8;
  /** Bytes of a row of a panel. */
  protected readonly rowBytes: number;
  protected readonly vectorBytes: number;
  protected readonly type: ValueType;
  private readonly scalar: "f32" | "f64";
  private readonly prefix: "f32" | "f64" | "f32x4" | "f64x2";
  private readonly wordBytes: 4 | 8;

  constructor(dtype: DType, simd: boolean, wide: boolean) {
    this.writer = new FunctionWriter(wide ? "i64" : "i32", "job", "begin", "end");
    this.tile = tileOf(dtype, simd);
    this.bytes = bytesOf(dtype);
    this.rowBytes = this.tile.columns * this.bytes;
    this.vectorBytes = this.tile.lanes * this.bytes;
    this.scalar = dtype === "float32" ? "f32" : "f64";
    this.prefix = simd ? (dtype === "float32" ? "f32x4" : "f64x2") : this.scalar;
    this.type = simd ? "v128" : this.scalar;
    this.wordBytes = wide ? 8 : 4;
  }

  /** Loads a job block into locals: its words, then its numbers, each into all lanes of a vector. */
  protected readJob(words: readonly string[], numbers: readonly string[]): void {
    const { writer, wordBytes } = this;
    words.forEach((word, index) => {
      writer.get("job");
      writer.onAddress("load", Math.log2(wordBytes), wordBytes * index);
      writer.setAddress(word);
    });
    numbers.forEach((name, index) => {
      writer.get("job");
      this.loadSplat(numbersAt(words.length, wordBytes) + index * this.bytes);
      writer.set(name, this.type);
    });
    writer.emit(this.bytes === 4 ? "f32.const" : "f64.const", 0);
    if (this.type === "v128") this.emit("splat");
    writer.set("zero", this.type);
  }

  /** Sets an address to the value of another. */
  protected assign(name: string, value: string): void {
    this.writer.get(value);
    this.writer.setAddress(name);
  }

  /** Leaves name + addend on the stack. */
  protected sum(name: string, addend: () => void): void {
    this.writer.get(name);
    addend();
    this.writer.onAddress("add");
  }

  /** Leaves the lesser of two addresses on the stack. */
  protected lesser(a: string, b: string): void {
    for (const name of [a, b, a, b]) this.writer.get(name);
    this.writer.onAddress("lt_u");
    this.writer.emit("select");
  }

  protected times(a: string, b: string): void {
    this.writer.get(a);
    this.writer.get(b);
    this.writer.onAddress("mul");
  }

  /** Leaves name · factor on the stack; the factor is a power of two. */
  protected shifted(name: string, factor: number): void {
    this.writer.get(name);
    this.shift(factor);
  }

  protected shift(factor: number): void {
    this.writer.onAddress("const", Math.log2(factor));
    this.writer.onAddress("shl");
  }

  /** Leaves the chosen elements of two vectors on the stack. */
  protected shuffle(a: string, b: string, order: readonly number[]): void {
    const { bytes } = this;
    this.writer.get(a);
    this.writer.get(b);
    const lanes = order.flatMap((at) => Array.from({ length: bytes }, (_, i) => at * bytes + i));
    this.writer.emit("i8x16.shuffle", ...lanes);
  }

  protected load(offset: number): void {
    if (this.type === "v128") this.writer.emit("v128.load", Math.log2(this.bytes), offset);
    else this.emit("load", Math.log2(this.bytes), offset);
  }

  protected loadSplat(offset: number): void {
    if (this.type !== "v128") return this.load(offset);
    const name = this.bytes === 4 ? "v128.load32_splat" : "v128.load64_splat";
    this.writer.emit(name, Math.log2(this.bytes), offset);
  }

  protected store(offset: number): void {
    if (this.type === "v128") this.writer.emit("v128.store", Math.log2(this.bytes), offset);
    else this.emit("store", Math.log2(this.bytes), offset);
  }

  /** Copies one element from the address in one local to that in another. */
  protected copyElement(from: string, to: string): void {
    const { writer, scalar } = this;
    writer.get(to);
    writer.get(from);
    writer.emit(`${scalar}.load`, Math.log2(this.bytes), 0);
    writer.emit(`${scalar}.store`, Math.log2(this.bytes), 0);
  }

  protected emit(operation: string, ...immediates: number[]): void {
    this.writer.emit(`${this.prefix}.${operation}` as InstructionName, ...immediates);
  }
}
