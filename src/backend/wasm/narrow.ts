/**
 * What kernels do with state in bfloat16: they widen it, round it and throw its dice; formulas in
 * `ir/bfloat16.ts`. All of it is arithmetic on whole numbers of 32 bits, alike in both widths.
 */
import { MULTIPLIERS, NAN_BITS, SHIFTS, SLOT_STEP } from "../../ir/bfloat16.ts";
import { Op } from "../../ir/op.ts";
import type { KernelIr } from "../../ir/plan.ts";
import type { InstructionName } from "./instructions.ts";
import { WidthWriter } from "./width.ts";
import type { FunctionWriter } from "./writer.ts";

const HALF = 16;
const UPPER = 0xffff0000 | 0;
/** Lanes of `i8x16.shuffle` that bring the upper halves of four words together. */
const UPPER_HALVES = [2, 3, 6, 7, 10, 11, 14, 15];
/** Bytes of 0, 1, 2, 3 as words. */
const IOTA = [0, 1, 2, 3].flatMap((i) => [i, 0, 0, 0]);
/** The local that holds the number of the element at hand, by which the dice know it. */
const NUMBER = "*number";

/** Whether a kernel throws dice, so that it has to know the number of each element. */
export function countsElements({ nodes }: KernelIr): boolean {
  return nodes.some(({ op }) => op === Op.narrowStochastic);
}

/** Starts the count of elements from the address-sized number on the stack. */
export function startCount(writer: FunctionWriter, wide: boolean): void {
  if (wide) writer.emit("i32.wrap_i64");
  writer.set(NUMBER, "i32");
}

export function advanceCount(writer: FunctionWriter, elements: number): void {
  writer.get(NUMBER);
  writer.emit("i32.const", elements);
  writer.emit("i32.add");
  writer.set(NUMBER, "i32");
}

export class NarrowWriter extends WidthWriter {
  /** Leaves a slot's element, or four, on the stack, as float32. */
  load(address: string, offset: number): void {
    const { writer } = this;
    writer.get(address);
    writer.emit(this.width === "vector" ? "v128.load16x4_u" : "i32.load16_u", 1, offset / 2);
    this.shift("shl", HALF);
    if (this.width === "scalar") writer.emit("f32.reinterpret_i32");
  }

  /** Stores a local's upper halves. */
  store(address: string, offset: number, name: string): void {
    const { writer } = this;
    writer.get(address);
    this.bits(name);
    if (this.width === "scalar") {
      this.shift("shr_u", HALF);
      return writer.emit("i32.store16", 1, offset / 2);
    }
    writer.get(name);
    writer.emit("i8x16.shuffle", ...UPPER_HALVES, ...UPPER_HALVES);
    writer.emit("f64x2.extract_lane", 0);
    writer.emit("f64.store", 1, offset / 2);
  }

  /** Puts what does not change into locals before the loops. @param uniformOf the local of a uniform. */
  hoist(kernel: KernelIr, uniformOf: (id: number) => string): void {
    const { writer } = this;
    const narrowing = kernel.nodes.filter(({ op }) => op === Op.narrow);
    const throwing = kernel.nodes.filter(({ op }) => op === Op.narrowStochastic);
    if (this.width === "vector" && narrowing.length > 0) this.hoistWords(0x7fff, 1);
    if (this.width === "vector" && narrowing.length + throwing.length > 0) {
      this.hoistWords(UPPER, NAN_BITS);
    }
    if (throwing.length === 0) return;
    if (this.width === "vector") {
      this.hoistWords(...MULTIPLIERS);
      writer.emit("v128.const", ...IOTA);
      writer.set(this.local("iota"), "v128");
    }
    for (const { args, index } of throwing) {
      this.bits(uniformOf(args[1]!));
      writer.emit("i32.const", Math.imul(index, SLOT_STEP));
      if (this.width === "vector") writer.emit("i32x4.splat");
      this.integer("add");
      this.mix();
      writer.set(this.keyOf(index), this.wordType);
    }
  }

  /** The nearest bfloat16 of a local. */
  nearest(name: string): void {
    this.orNaN(name, () => {
      this.bits(name);
      this.word(0x7fff);
      this.integer("add");
      this.bits(name);
      this.shift("shr_u", HALF);
      this.word(1);
      this.bitwise("and");
      this.integer("add");
    });
  }

  /** A bfloat16 next to a local, by dice. @param element of the first, counted from the number at hand. */
  byDice(name: string, slot: number, element: number): void {
    const { writer } = this;
    this.orNaN(name, () => {
      writer.get(NUMBER);
      if (element > 0) {
        writer.emit("i32.const", element);
        writer.emit("i32.add");
      }
      if (this.width === "vector") {
        writer.emit("i32x4.splat");
        writer.get(this.local("iota"));
        writer.emit("i32x4.add");
      }
      writer.get(this.keyOf(slot));
      this.bitwise("xor");
      this.mix();
      this.shift("shr_u", HALF);
      this.bits(name);
      this.integer("add");
    });
  }

  /** The upper halves of what `rounded` leaves on the stack, or NaN where the local is. */
  private orNaN(name: string, rounded: () => void): void {
    const { writer } = this;
    rounded();
    this.word(UPPER);
    this.bitwise("and");
    this.word(NAN_BITS);
    for (let i = 0; i < 2; i++) writer.get(name);
    this.emit("eq");
    writer.emit(this.width === "vector" ? "v128.bitselect" : "select");
    if (this.width === "scalar") writer.emit("f32.reinterpret_i32");
  }

  /** Mixes the bits of the words on the stack. */
  private mix(): void {
    const { writer } = this;
    const name = this.local("dice");
    SHIFTS.forEach((shift, i) => {
      writer.tee(name, this.wordType);
      writer.get(name);
      this.shift("shr_u", shift);
      this.bitwise("xor");
      this.word(MULTIPLIERS[i]!);
      this.integer("mul");
    });
  }

  private get wordType(): "v128" | "i32" {
    return this.width === "vector" ? "v128" : "i32";
  }

  private keyOf(slot: number): string {
    return this.local(`key.${slot}`);
  }

  /** The bits of a local. */
  private bits(name: string): void {
    this.writer.get(name);
    if (this.width === "scalar") this.writer.emit("i32.reinterpret_f32");
  }

  private word(value: number): void {
    if (this.width === "scalar") this.writer.emit("i32.const", value | 0);
    else this.writer.get(this.local(`word.${value}`));
  }

  private hoistWords(...values: readonly number[]): void {
    for (const value of values) {
      this.writer.emit("i32.const", value | 0);
      this.writer.emit("i32x4.splat");
      this.writer.set(this.local(`word.${value}`), "v128");
    }
  }

  private shift(operation: "shl" | "shr_u", bits: number): void {
    this.writer.emit("i32.const", bits);
    this.integer(operation);
  }

  private integer(operation: string): void {
    const prefix = this.width === "vector" ? "i32x4" : "i32";
    this.writer.emit(`${prefix}.${operation}` as InstructionName);
  }

  private bitwise(operation: string): void {
    const prefix = this.width === "vector" ? "v128" : "i32";
    this.writer.emit(`${prefix}.${operation}` as InstructionName);
  }
}
