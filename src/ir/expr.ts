/**
 * The stand-ins with which a rule is written.
 *
 * They hold nothing but the id of a value on a trace's tape; what is done to them is recorded there.
 */
import { Prose, RuleError } from "../errors.ts";
import { Op } from "./op.ts";
import type { Rank } from "./rank.ts";
import type { Trace } from "./trace.ts";

/** A traced value that may stand wherever the rule's mathematics has a number or a tensor. */
export type Operand = Expr | number;

/** How many numbers a traced value has, see {@link Rank}. */
export type Kind = Exclude<Rank, "number">;

type KindsOf<O> = O extends Expr<infer K> ? K : never;

type JoinedKinds<K> = "tensor" extends K
  ? "tensor"
  : "row" extends K
    ? "column" extends K
      ? "tensor"
      : "row"
    : "column" extends K
      ? "column"
      : "matrix" extends K
        ? "matrix"
        : "scalar";

/** What an operation on these operands gives: the kinds broadcast, numbers count for nothing. */
export type Joined<O> = Expr<JoinedKinds<KindsOf<O>>>;

/**
 * A traced value: a tensor (one number per element), a scalar (one number per tensor, the result of a
 * reduction), or the numbers of a matrix's rows or columns. Only the four infix operators are methods;
 * everything that has a name in a paper is a free function (`sqrt`, `lerp`, `norm`, ...). Numbers are
 * not traced: write `1 - b1` as usual.
 */
export class Expr<K extends Kind = Kind> {
  declare readonly kind: K;
  /** @internal */ readonly trace: Trace;
  /** @internal */ readonly id: number;
  /** @internal */ readonly parity: number;
  private mask: Mask<K> | undefined;

  /** @internal */
  constructor(trace: Trace, id: number, parity: number) {
    this.trace = trace;
    this.id = id;
    this.parity = parity;
    this.mask = undefined;
  }

  /** @internal The same as the result of a comparison; stand-ins are used again, and so is this. */
  asMask(): Mask<K> {
    return (this.mask ??= new Mask(this));
  }

  /** this + other */
  add<const O extends Operand>(other: O): Joined<Expr<K> | O> {
    return this.trace.binary(Op.add, this, other) as Joined<Expr<K> | O>;
  }
  /** this - other */
  sub<const O extends Operand>(other: O): Joined<Expr<K> | O> {
    return this.trace.binary(Op.sub, this, other) as Joined<Expr<K> | O>;
  }
  /** this · other */
  mul<const O extends Operand>(other: O): Joined<Expr<K> | O> {
    return this.trace.binary(Op.mul, this, other) as Joined<Expr<K> | O>;
  }
  /** this / other */
  div<const O extends Operand>(other: O): Joined<Expr<K> | O> {
    return this.trace.binary(Op.div, this, other) as Joined<Expr<K> | O>;
  }

  /** A tensor has no value while its rule is traced, so JavaScript's own operators cannot work. */
  [Symbol.toPrimitive](): never {
    throw new RuleError("NOT_A_NUMBER", {
      subject: `${this.trace.subject}: a tensor`,
      got: new Prose("one of JavaScript's operators (such as * or <) on it"),
      expected: "a method or a function of Downhill",
      advice:
        "Write a.mul(b) for a * b, sub(1, a) for 1 - a, where(gt(a, b), x, y) for a > b ? x : y.",
    });
  }
}

/** One number per element. */
export type Tensor = Expr<"tensor">;
/** One number per tensor: the result of a reduction. */
export type Scalar = Expr<"scalar">;
/** One number per row of a matrix. */
export type PerRow = Expr<"row">;
/** One number per column of a matrix. */
export type PerColumn = Expr<"column">;
/** One number per matrix: a tensor of more than two dimensions has several. */
export type PerMatrix = Expr<"matrix">;

/** The result of a comparison, for `where`. */
export class Mask<K extends Kind = Kind> {
  /** @internal */ readonly value: Expr<K>;
  /** @internal */
  constructor(value: Expr<K>) {
    this.value = value;
  }
}

/** A slot of a rule's state; rules see it as a {@link Tensor} or so and ask `isFresh`. */
export class StateTensor extends Expr {
  /** True until the first step that writes it (for the parameter at hand); it then holds zeros. */
  fresh = false;
}
