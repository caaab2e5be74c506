/**
 * A backend that rounds as carelessly as WGSL lets a driver round: a sum, difference or product goes to
 * either neighbour, a quotient is up to 2.5 ulps off, a root as much as 1 / inverseSqrt(x) may be, and an
 * fma is fused or not; all by chance. It stands in for the drivers that are not at hand.
 */
import type { Backend, BoundKernel, Kernel } from "../../src/backend/backend.ts";
import { Op } from "../../src/ir/op.ts";
import type { KernelIr } from "../../src/ir/plan.ts";
import type { Arena } from "../../src/memory/arena.ts";

/** Ulps of 2^-23 relative to the result: 2.5 of the quotient, 2 more of the inverse root. */
const QUOTIENT = 2.5 * 2 ** -23;
const ROOT = 4.5 * 2 ** -23;

export class RoughBackend implements Backend {
  readonly name = "interp";
  private state: number;

  constructor(seed: number) {
    this.state = seed;
  }

  compile(kernel: KernelIr): Kernel {
    return { bind: (arena) => new RoughKernel(kernel, arena, () => this.chance()) };
  }

  /** From 0 to 1. */
  private chance(): number {
    this.state = (Math.imul(this.state, 1_664_525) + 1_013_904_223) >>> 0;
    return this.state / 2 ** 32;
  }
}

class RoughKernel implements BoundKernel {
  private readonly pointers: number[] = [];
  private readonly uniforms: number[] = [];
  private readonly kernel: KernelIr;
  private readonly arena: Arena;
  private readonly chance: () => number;

  constructor(kernel: KernelIr, arena: Arena, chance: () => number) {
    this.kernel = kernel;
    this.arena = arena;
    this.chance = chance;
  }

  setPointer(index: number, byteOffset: number): void {
    this.pointers[index] = byteOffset / 4;
  }

  setUniform(index: number, value: number): void {
    this.uniforms[index] = Math.fround(value);
  }

  run(ranges: ArrayLike<number>, count: number): void {
    for (let r = 0; r < count; r++) {
      for (let i = ranges[2 * r]!; i < ranges[2 * r + 1]!; i++) this.element(i);
    }
  }

  reduce(): void {
    throw new Error("only for rules that go element by element");
  }

  readonly reducePiece = this.reduce;
  readonly finishBlock = this.reduce;

  private element(i: number): void {
    const { elements } = this.arena;
    const values: number[] = [];
    for (const { op, args, index } of this.kernel.nodes) {
      if (op === Op.load) values.push(elements[this.pointers[index]! + i]!);
      else if (op === Op.uniform) values.push(this.uniforms[index]!);
      else values.push(this.operate(op, ...(args.map((id) => values[id]!) as [number])));
    }
    this.kernel.outputs.forEach((id, slot) => {
      if (id >= 0) elements[this.pointers[slot]! + i] = values[id]!;
    });
  }

  private operate(op: number, a: number, b = 0, c = 0): number {
    switch (op) {
      case Op.add:
        return this.neighbour(a + b);
      case Op.sub:
        return this.neighbour(a - b);
      case Op.mul:
        return this.neighbour(a * b);
      case Op.div:
        return this.off(a / b, QUOTIENT);
      case Op.sqrt:
        return this.off(Math.sqrt(a), ROOT);
      case Op.fma:
        return this.neighbour((this.chance() < 0.5 ? a * b : this.neighbour(a * b)) + c);
      case Op.min:
        return Math.min(a, b);
      case Op.max:
        return Math.max(a, b);
      case Op.neg:
        return -a;
      case Op.abs:
        return Math.abs(a);
      case Op.sign:
        return Math.sign(a);
      case Op.flush:
        return a;
      case Op.gt:
        return Number(a > b);
      case Op.ge:
        return Number(a >= b);
      case Op.eq:
        return Number(a === b);
      case Op.where:
        return a ? b : c;
      default:
        throw new Error(`no such operation: ${op}`);
    }
  }

  private off(x: number, most: number): number {
    return Math.fround(x * (1 + most * (2 * this.chance() - 1)));
  }

  /** One of the two numbers around x, or x itself if it is one. */
  private neighbour(x: number): number {
    const near = Math.fround(x);
    if (near === x || !Number.isFinite(near) || this.chance() < 0.5) return near;
    const bits = new Int32Array(Float32Array.of(near).buffer);
    bits[0]! += Math.abs(near) > Math.abs(x) ? -1 : 1;
    return new Float32Array(bits.buffer)[0]!;
  }
}
