/**
 * From a kernel's nodes to WGSL statements, one `let` for each value that is used.
 *
 * Numbers are f32; everything else is a vector of four neighbouring elements, or a single f32 where a
 * kernel goes element by element. WGSL mixes numbers and vectors in + - * / alone, so all other
 * operations get their numbers spread out.
 */
import { flushThreshold, Op, opInfo, type OpCode } from "../../ir/op.ts";
import type { KernelIr } from "../../ir/plan.ts";
import { isHost } from "../../ir/rank.ts";
import { isNaN } from "./nan.ts";

/** Where a kernel's values come from, as WGSL expressions. */
export interface BodySource {
  /** The element, or four, of a slot. */
  readonly load: (slot: number) => string;
  /** A number. */
  readonly uniform: (index: number) => string;
  /** The numbers of the elements at hand, by which dice are thrown; where there are elements. */
  readonly element?: string;
}

/** Elements that a thread has at once. */
export type Width = 1 | 4;

const infix: Partial<Record<OpCode, string>> = {
  [Op.add]: "+",
  [Op.sub]: "-",
  [Op.mul]: "*",
  [Op.div]: "/",
};
const comparison: Partial<Record<OpCode, string>> = { [Op.gt]: ">", [Op.ge]: ">=", [Op.eq]: "==" };
const calls: Partial<Record<OpCode, string>> = {
  [Op.abs]: "abs",
  [Op.sqrt]: "sqrt",
  [Op.sign]: "sign",
  [Op.fma]: "fma",
};

export class BodyWriter {
  /** The statements so far. */
  readonly lines: string[] = [];
  private readonly kernel: Pick<KernelIr, "nodes">;
  private readonly source: BodySource;
  private readonly width: Width;
  private readonly names = new Map<number, string>();

  constructor(kernel: Pick<KernelIr, "nodes">, source: BodySource, width: Width) {
    this.kernel = kernel;
    this.source = source;
    this.width = width;
  }

  /** The name of a value; what computes it is written if it is not yet. */
  value(id: number): string {
    const known = this.names.get(id);
    if (known !== undefined) return known;
    const { op, index } = this.kernel.nodes[id]!;
    let text: string;
    if (op === Op.load) text = this.source.load(index);
    else if (op === Op.uniform) text = this.source.uniform(index);
    else text = this.operation(id);
    const name = `v${id}`;
    this.lines.push(`let ${name} = ${text};`);
    this.names.set(id, name);
    return name;
  }

  /** A value as all elements at hand have it. */
  elements(id: number): string {
    return this.isNumber(id) ? this.spread(this.value(id)) : this.value(id);
  }

  private isNumber(id: number): boolean {
    return isHost(this.kernel.nodes[id]!.rank);
  }

  private spread(text: string): string {
    return this.width === 4 ? `vec4f(${text})` : text;
  }

  private operation(id: number): string {
    const { op, args } = this.kernel.nodes[id]!;
    const sign = infix[op];
    if (sign) return args.map((arg) => this.value(arg)).join(` ${sign} `);
    // A result that is a number has numbers alone for operands.
    const all = this.isNumber(id)
      ? args.map((arg) => this.value(arg))
      : args.map((arg) =>
          op === Op.where && arg === args[0] ? this.value(arg) : this.elements(arg),
        );
    const relation = comparison[op];
    if (relation) return all.join(` ${relation} `);
    const call = calls[op];
    if (call) return `${call}(${all.join(", ")})`;
    if (op === Op.min || op === Op.max) return this.extreme(id, all[0]!, all[1]!);
    if (op === Op.neg) return `-${all[0]!}`;
    if (op === Op.where) return `select(${all[2]!}, ${all[1]!}, ${all[0]!})`;
    if (op === Op.flush) return this.flush(all[0]!);
    if (op === Op.narrow) return `narrowed(${all[0]!})`;
    if (op === Op.narrowStochastic) {
      const dice = `dice(${this.value(args[1]!)}, ${this.kernel.nodes[id]!.index}u, ${this.source.element!})`;
      return `narrowedBy(${all[0]!}, ${dice})`;
    }
    throw new Error(`no such operation on elements: ${opInfo(op).name}`);
  }

  /** As in IEEE, NaN if either is. */
  private extreme(id: number, a: string, b: string): string {
    const type = this.width === 4 && !this.isNumber(id) ? "vec4f" : "f32";
    const call = this.kernel.nodes[id]!.op === Op.min ? "min" : "max";
    return `select(select(${call}(${a}, ${b}), ${b}, ${isNaN(b, type)}), ${a}, ${isNaN(a, type)})`;
  }

  private flush(x: string): string {
    const exponent = Math.log2(flushThreshold("float32"));
    return `select(${x}, ${this.spread("0f")}, abs(${x}) < ${this.spread(`0x1p${exponent}f`)})`;
  }
}
