/**
 * The body of a kernel's loop: one vector, or one element, of each slot.
 *
 * Both widths are written by the same walk over the IR. They differ in the prefix of their
 * instructions (`f32x4.add`, `f32.add`) and in how they load, choose and compare, never in what they
 * compute, so their bits are equal. Every value is computed before the first store, because a slot
 * may be read after its new value is known.
 */
import { isNarrow } from "../../ir/bfloat16.ts";
import { flushThreshold, Op, opInfo } from "../../ir/op.ts";
import type { KernelIr } from "../../ir/plan.ts";
import type { DType } from "../../memory/dtype.ts";
import { bytesOf } from "../../memory/dtype.ts";
import type { InstructionName } from "./instructions.ts";
import { NarrowWriter } from "./narrow.ts";
import { WidthWriter, type Width } from "./width.ts";
import type { FunctionWriter } from "./writer.ts";

/**
 * The local that holds the address in a slot. A slot may have any name made of letters, so the names
 * of all other locals have something that a slot's cannot have: a dot, a star or a digit in front.
 */
export const addressOf = (slot: string): string => `${slot}*`;

/** Lanes that join the lower halves of two vectors. */
const LOWER_HALVES = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];

export class Body extends WidthWriter {
  private readonly kernel: KernelIr;
  private readonly narrow: NarrowWriter;
  private readonly uses: readonly number[];
  /** Values that stand in their local in the copy of the body at hand. */
  private known = new Set<number>();
  private offset = 0;

  constructor(width: Width, kernel: KernelIr, dtype: DType, writer: FunctionWriter) {
    super(width, dtype, writer);
    this.kernel = kernel;
    this.narrow = new NarrowWriter(width, dtype, writer);
    this.uses = countUses(kernel);
  }

  /** Loads uniform `index` from `offset` in the job block into its local, splatted for vectors. */
  hoistUniform(index: number, offset: number): void {
    this.writer.get("job");
    if (this.width === "scalar") this.emit("load", this.alignment(), offset);
    else this.splat(offset);
    this.writer.set(this.local(`u.${index}`), this.type(false));
  }

  /** Loads the one number of a slot that holds for a whole line, from its address. */
  hoistSlot(slot: number): void {
    const name = this.kernel.slots[slot]!;
    this.writer.get(addressOf(name));
    if (this.width === "scalar") this.emit("load", this.alignment(), 0);
    else this.splat(0);
    this.writer.set(this.local(name), this.type(false));
  }

  /** Puts the constants that the kernel needs into locals. */
  hoistConstants(): void {
    this.narrow.hoist(this.kernel, (id) => this.nameOf(id));
    const has = (op: number) => this.kernel.nodes.some((node) => node.op === op);
    if (has(Op.flush)) this.hoistConstant(flushThreshold(this.dtype));
    if (has(Op.sign) || (has(Op.flush) && this.width === "scalar")) this.hoistConstant(0);
    if (this.width === "scalar") return;
    if (has(Op.sign)) this.hoistConstant(1);
    for (const { op, args } of this.kernel.nodes) {
      if (op !== Op.min && op !== Op.max) continue;
      const bound = this.boundOf(args);
      if (bound !== undefined) this.hoistHelp(op, bound);
    }
  }

  /** Starts a copy of the body, `offset` bytes from the addresses. */
  start(offset: number): void {
    this.offset = offset;
    this.known = new Set();
  }

  /** Computes and stores the new value of every slot that has one. */
  storeAll(): void {
    const { outputs, slots } = this.kernel;
    const stored = outputs.flatMap((id, slot) => (id >= 0 ? [{ id, slot }] : []));
    if (stored.length > 1) for (const { id } of stored) this.keep(id);
    for (const { id, slot } of stored) {
      if (isNarrow(this.kernel, slot)) {
        this.narrow.store(addressOf(slots[slot]!), this.offset, this.keep(id));
        continue;
      }
      this.writer.get(addressOf(slots[slot]!));
      this.value(id);
      if (this.width === "vector") this.writer.emit("v128.store", this.alignment(), this.offset);
      else this.emit("store", this.alignment(), this.offset);
    }
  }

  /** Computes a value into its local and says which one that is. */
  keep(id: number): string {
    const name = this.nameOf(id);
    if (this.known.has(id) || this.isHoisted(id)) return name;
    this.compute(id);
    this.writer.set(name, this.type(this.kernel.nodes[id]!.isMask));
    this.known.add(id);
    return name;
  }

  /** Leaves a value on the stack; one that is used again goes into its local as well. */
  private value(id: number): void {
    const { isMask } = this.kernel.nodes[id]!;
    if (this.isHoisted(id) || this.known.has(id)) return this.writer.get(this.nameOf(id));
    this.compute(id);
    if (this.uses[id]! <= 1) return;
    this.writer.tee(this.nameOf(id), this.type(isMask));
    this.known.add(id);
  }

  /** Whether a value stands in its local before the loop begins. */
  private isHoisted(id: number): boolean {
    const { op, index } = this.kernel.nodes[id]!;
    if (op === Op.uniform) return true;
    const along = this.kernel.lines?.along[index];
    return op === Op.load && (along === "line" || along === "matrix");
  }

  private compute(id: number): void {
    const { op, args, index } = this.kernel.nodes[id]!;
    switch (op) {
      case Op.load:
        return this.load(index);
      case Op.sign:
        return this.sign(args[0]!);
      case Op.where:
        for (const arg of [args[1]!, args[2]!, args[0]!]) this.value(arg);
        return this.writer.emit(this.width === "vector" ? "v128.bitselect" : "select");
      case Op.flush:
        return this.flush(args[0]!);
      case Op.narrow:
        return this.narrow.nearest(this.keep(args[0]!));
      case Op.narrowStochastic: {
        const element = this.offset / bytesOf(this.dtype);
        return this.narrow.byDice(this.keep(args[0]!), index, element);
      }
      case Op.min:
      case Op.max: {
        const bound = this.width === "vector" ? this.boundOf(args) : undefined;
        if (bound === undefined) break;
        return this.bounded(op, args[0] === bound ? args[1]! : args[0]!, bound);
      }
      case Op.fma:
        return this.fma(args.map((arg) => this.keep(arg)));
    }
    for (const arg of args) this.value(arg);
    this.emit(opInfo(op).name);
  }

  /**
   * The maximum or minimum with a number. `pmax` is one instruction of the machine where `max` is eight:
   * x < bound ? bound : x. It differs where the bound is NaN, and of two zeros it takes x, whatever
   * their signs. Both are mended by something that most often changes nothing: a maximum has -0 added
   * to x, but +0 if the bound is +0; a minimum is joined with no bits, but with the sign bit if the
   * bound is -0; and both with NaN if that is NaN.
   */
  private bounded(op: typeof Op.min | typeof Op.max, x: number, bound: number): void {
    const help = (how: InstructionName) => {
      this.writer.get(this.helpOf(op, bound));
      this.writer.emit(how);
    };
    this.value(x);
    if (op === Op.max) help(`${this.prefix}.add` as InstructionName);
    this.writer.get(this.nameOf(bound));
    this.emit(op === Op.max ? "pmax" : "pmin");
    if (op === Op.min) help("v128.or");
  }

  private hoistHelp(op: typeof Op.min | typeof Op.max, bound: number): void {
    const { writer } = this;
    const zero = op === Op.max ? 0 : -0;
    for (const value of [zero, -0]) this.hoistConstant(value);
    writer.get(this.constant(-0));
    writer.get(this.nameOf(bound));
    writer.get(this.constant(zero));
    writer.emit(this.dtype === "float32" ? "i32x4.eq" : "i64x2.eq");
    writer.emit(op === Op.max ? "v128.andnot" : "v128.and");
    for (let i = 0; i < 2; i++) writer.get(this.nameOf(bound));
    this.emit("ne");
    writer.emit("v128.or");
    writer.set(this.helpOf(op, bound), "v128");
  }

  /** The operand of a maximum or minimum that is a number of the host. */
  private boundOf(args: readonly number[]): number | undefined {
    return args.find((arg) => this.kernel.nodes[arg]!.op === Op.uniform);
  }

  private helpOf(op: typeof Op.min | typeof Op.max, bound: number): string {
    return this.local(`u.${this.kernel.nodes[bound]!.index}.${op === Op.max ? "max" : "min"}`);
  }

  private load(slot: number): void {
    const address = addressOf(this.kernel.slots[slot]!);
    if (isNarrow(this.kernel, slot)) return this.narrow.load(address, this.offset);
    this.writer.get(address);
    if (this.width === "vector") this.writer.emit("v128.load", this.alignment(), this.offset);
    else this.emit("load", this.alignment(), this.offset);
  }

  /** 0 where |x| < threshold, else x, also if that is NaN. */
  private flush(x: number): void {
    if (this.width === "scalar") this.writer.get(this.constant(0));
    this.value(x);
    this.value(x);
    this.emit("abs");
    this.writer.get(this.constant(flushThreshold(this.dtype)));
    this.emit("lt");
    this.writer.emit(this.width === "vector" ? "v128.andnot" : "select");
  }

  /** a·b + c; float32 goes through float64, where the product is exact. */
  private fma(names: readonly string[]): void {
    const { writer } = this;
    if (this.dtype === "float64") {
      names.forEach((name, i) => {
        writer.get(name);
        if (i > 0) this.emit(i === 1 ? "mul" : "add");
      });
      return;
    }
    if (this.width === "scalar") {
      names.forEach((name, i) => {
        writer.get(name);
        writer.emit("f64.promote_f32");
        if (i > 0) writer.emit(i === 1 ? "f64.mul" : "f64.add");
      });
      return writer.emit("f32.demote_f64");
    }
    for (const half of [0, 1] as const) {
      names.forEach((name, i) => {
        this.widened(name, half);
        if (i > 0) writer.emit(i === 1 ? "f64x2.mul" : "f64x2.add");
      });
      writer.emit("f32x4.demote_f64x2_zero");
    }
    writer.emit("i8x16.shuffle", ...LOWER_HALVES);
  }

  /** (x > 0) - (x < 0) */
  private sign(x: number): void {
    for (const comparison of ["gt", "lt"] as const) {
      this.value(x);
      this.writer.get(this.constant(0));
      this.emit(comparison);
      if (this.width === "scalar") this.emit("convert_i32_s");
      else {
        this.writer.get(this.constant(1));
        this.writer.emit("v128.and");
      }
    }
    this.emit("sub");
  }

  private nameOf(id: number): string {
    const { op, index } = this.kernel.nodes[id]!;
    if (op === Op.load) return this.local(this.kernel.slots[index]!);
    if (op === Op.uniform) return this.local(`u.${index}`);
    return this.local(`${opInfo(op).name}.${id}`);
  }
}

function countUses(kernel: KernelIr): number[] {
  const uses = kernel.nodes.map(() => 0);
  for (const { op, args } of kernel.nodes) {
    for (const arg of args) uses[arg]! += op === Op.sign || op === Op.flush ? 2 : 1;
  }
  for (const id of kernel.outputs) if (id >= 0) uses[id]!++;
  return uses;
}
