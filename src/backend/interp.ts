/**
 * The interpreter: runs a kernel's IR as it stands, without generating code.
 *
 * It is the oracle of the other backends, and serves where a content policy forbids WebAssembly. It
 * works through blocks of elements, one operation after another, over registers of the tensors' own
 * type: storing to a Float32Array rounds to float32, and for + - × ÷ √ rounding the float64 result
 * gives the same bits as float32 arithmetic.
 */
import { diceKey, diceOf, isNarrow, narrowBits, narrowBitsBy } from "../ir/bfloat16.ts";
import { flushThreshold, Op, opInfo, type OpCode } from "../ir/op.ts";
import type { KernelIr } from "../ir/plan.ts";
import type { Arena } from "../memory/arena.ts";
import { bytesOf, type DType, type TypedArray } from "../memory/dtype.ts";
import {
  LANES,
  REDUCTION_BLOCK,
  withLanes,
  type Backend,
  type BoundKernel,
  type Kernel,
} from "./backend.ts";

/** Elements in each register. */
export const BLOCK = 512;

export class InterpBackend implements Backend {
  readonly name = "interp";

  compile(ir: KernelIr, dtype: DType): Kernel {
    return { bind: (arena) => new InterpKernel(ir, dtype, arena) };
  }
}

/** Operations over blocks of registers; how a slot's part is found is up to the kinds of kernels. */
export abstract class InterpBody {
  protected readonly ir: KernelIr;
  protected readonly arena: Arena;
  protected readonly bytes: number;
  /** Of an element, by slot. */
  protected readonly slotBytes: readonly number[];
  private readonly tiny: number;
  protected readonly pointers: Float64Array;
  private readonly uniforms: TypedArray;
  protected readonly partials: Float64Array;
  /** Operations of the reductions. */
  protected readonly reducers: readonly OpCode[];
  protected readonly registers: readonly TypedArray[];
  /** Their bits, where any slot lies in bfloat16. */
  private readonly bits: readonly Int32Array[];

  constructor(ir: KernelIr, dtype: DType, arena: Arena) {
    const array = (length: number): TypedArray =>
      dtype === "float32" ? new Float32Array(length) : new Float64Array(length);
    this.ir = ir;
    this.arena = arena;
    this.bytes = bytesOf(dtype);
    this.slotBytes = ir.slots.map((_, slot) => (isNarrow(ir, slot) ? 2 : this.bytes));
    this.tiny = flushThreshold(dtype);
    this.pointers = new Float64Array(ir.slots.length);
    this.uniforms = array(ir.uniformCount);
    const sums = ir.lines?.sums.length ?? 0;
    this.partials = new Float64Array((ir.reductions.length + sums) * LANES);
    this.reducers = ir.reductions.map((id) => ir.nodes[id]!.op);
    this.registers = ir.nodes.map(() => array(BLOCK));
    this.bits = this.registers.map(({ buffer }) => new Int32Array(buffer));
  }

  setPointer(index: number, byteOffset: number): void {
    this.pointers[index] = byteOffset;
  }

  setUniform(index: number, value: number): void {
    this.uniforms[index] = value;
  }

  /** Where in the arena a slot has its numbers for the elements from `from` on. */
  protected abstract start(slot: number, from: number): number;

  /** The number by which the dice know element `from`. */
  protected abstract number(from: number): number;

  protected load(id: number, slot: number, from: number, count: number): void {
    const at = this.start(slot, from);
    if (isNarrow(this.ir, slot)) {
      const { halves } = this.arena;
      const out = this.bits[id]!;
      for (let i = 0; i < count; i++) out[i] = halves[at + i]! << 16;
      return;
    }
    const { elements } = this.arena;
    const out = this.registers[id]!;
    for (let i = 0; i < count; i++) out[i] = elements[at + i]!;
  }

  private store(id: number, slot: number, from: number, count: number): void {
    const at = this.start(slot, from);
    if (isNarrow(this.ir, slot)) {
      const { halves } = this.arena;
      const value = this.bits[id]!;
      for (let i = 0; i < count; i++) halves[at + i] = value[i]! >>> 16;
      return;
    }
    const { elements } = this.arena;
    const value = this.registers[id]!;
    for (let i = 0; i < count; i++) elements[at + i] = value[i]!;
  }

  /** To bfloat16; with a second operand, the step, by dice. */
  private narrow(id: number, from: number, n: number): void {
    const { args, index } = this.ir.nodes[id]!;
    const [x, out] = [this.bits[args[0]!]!, this.bits[id]!];
    if (args.length === 1) {
      for (let i = 0; i < n; i++) out[i] = narrowBits(x[i]!);
      return;
    }
    const key = diceKey(this.bits[args[1]!]![0]!, index);
    const first = this.number(from);
    for (let i = 0; i < n; i++) out[i] = narrowBitsBy(x[i]!, diceOf(first + i, key));
  }

  protected block(from: number, count: number): void {
    const { nodes, outputs, reductions } = this.ir;
    nodes.forEach(({ op, args, index }, id) => {
      const out = this.registers[id]!;
      if (op === Op.load) this.load(id, index, from, count);
      else if (op === Op.narrow || op === Op.narrowStochastic) this.narrow(id, from, count);
      else if (op === Op.uniform) out.fill(this.uniforms[index]!, 0, count);
      else if (opInfo(op).class !== "reduce") this.operate(op, out, args, count);
    });
    outputs.forEach((id, slot) => {
      if (id >= 0) this.store(id, slot, from, count);
    });
    reductions.forEach((id, r) => this.accumulate(id, r, count));
  }

  private operate(op: number, out: TypedArray, args: readonly number[], n: number): void {
    const a = this.registers[args[0]!]!;
    const b = this.registers[args[1] ?? args[0]!]!;
    const c = this.registers[args[2] ?? args[0]!]!;
    switch (op) {
      case Op.add:
        for (let i = 0; i < n; i++) out[i] = a[i]! + b[i]!;
        break;
      case Op.sub:
        for (let i = 0; i < n; i++) out[i] = a[i]! - b[i]!;
        break;
      case Op.mul:
        for (let i = 0; i < n; i++) out[i] = a[i]! * b[i]!;
        break;
      case Op.div:
        for (let i = 0; i < n; i++) out[i] = a[i]! / b[i]!;
        break;
      case Op.min:
        for (let i = 0; i < n; i++) out[i] = Math.min(a[i]!, b[i]!);
        break;
      case Op.max:
        for (let i = 0; i < n; i++) out[i] = Math.max(a[i]!, b[i]!);
        break;
      case Op.neg:
        for (let i = 0; i < n; i++) out[i] = -a[i]!;
        break;
      case Op.abs:
        for (let i = 0; i < n; i++) out[i] = Math.abs(a[i]!);
        break;
      case Op.sqrt:
        for (let i = 0; i < n; i++) out[i] = Math.sqrt(a[i]!);
        break;
      case Op.sign:
        for (let i = 0; i < n; i++) out[i] = Number(a[i]! > 0) - Number(a[i]! < 0);
        break;
      case Op.flush:
        for (let i = 0; i < n; i++) out[i] = Math.abs(a[i]!) < this.tiny ? 0 : a[i]!;
        break;
      case Op.gt:
        for (let i = 0; i < n; i++) out[i] = Number(a[i]! > b[i]!);
        break;
      case Op.ge:
        for (let i = 0; i < n; i++) out[i] = Number(a[i]! >= b[i]!);
        break;
      case Op.eq:
        for (let i = 0; i < n; i++) out[i] = Number(a[i] === b[i]);
        break;
      case Op.fma:
        for (let i = 0; i < n; i++) out[i] = a[i]! * b[i]! + c[i]!;
        break;
      case Op.where:
        for (let i = 0; i < n; i++) out[i] = a[i] !== 0 ? b[i]! : c[i]!;
        break;
      default:
        throw new Error(`no such operation: ${op}`);
    }
  }

  /** Element i goes into lane i mod 8; a block is a whole number of turns. */
  protected accumulate(id: number, reduction: number, count: number): void {
    const { op, args } = this.ir.nodes[id]!;
    const a = this.registers[args[0]!]!;
    const b = op === Op.dot ? this.registers[args[1]!]! : undefined;
    const start = reduction * LANES;
    if (op === Op.maxAbs) {
      for (let i = 0; i < count; i++) {
        const lane = start + (i % LANES);
        this.partials[lane] = Math.max(this.partials[lane]!, Math.abs(a[i]!));
      }
      return;
    }
    for (let i = 0; i < count; i++) {
      this.partials[start + (i % LANES)]! += b ? a[i]! * b[i]! : a[i]!;
    }
  }
}

class InterpKernel extends InterpBody implements BoundKernel {
  run(ranges: ArrayLike<number>, count: number): void {
    for (let r = 0; r < count; r++) this.range(ranges[2 * r]!, ranges[2 * r + 1]!);
  }

  reduce(begin: number, end: number, totals: Float64Array): void {
    totals.fill(0);
    for (let from = begin; from < end; from += REDUCTION_BLOCK) {
      this.partials.fill(0);
      this.range(from, Math.min(end, from + REDUCTION_BLOCK));
      this.take(totals);
    }
  }

  reducePiece(begin: number, end: number): void {
    this.range(begin, end);
  }

  finishBlock(totals: Float64Array): void {
    this.take(totals);
    this.partials.fill(0);
  }

  private take(totals: Float64Array): void {
    for (let r = 0; r < totals.length; r++) {
      totals[r] = withLanes(this.reducers[r]!, totals[r]!, this.partials, r * LANES);
    }
  }

  private range(begin: number, end: number): void {
    for (let from = begin; from < end; from += BLOCK) this.block(from, Math.min(BLOCK, end - from));
  }

  protected start(slot: number, from: number): number {
    return this.pointers[slot]! / this.slotBytes[slot]! + from;
  }

  protected number(from: number): number {
    return from;
  }
}
