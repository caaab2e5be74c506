/**
 * The words in which rules are written: everything that has a name in a paper.
 *
 * Each is a free function over traced tensors and scalars; the four infix operators are methods
 * (`a.add(b)`), with free forms for a number on the left (`sub(1, a)`). Where a word stands for
 * several operations its formula is given, because the order of roundings is part of its meaning.
 */
import { Prose, RuleError } from "../errors.ts";
import { Op, type OpCode } from "./op.ts";
import {
  Expr,
  type Joined,
  type Kind,
  Mask,
  type Operand,
  type Scalar,
  StateTensor,
  type Tensor,
} from "./expr.ts";

/** @internal The trace that a word's operands belong to. */
export function traceOf(word: string, a: unknown, b?: unknown) {
  if (a instanceof Expr) return a.trace;
  if (b instanceof Expr) return b.trace;
  throw new RuleError("NOT_AN_OPERAND", {
    subject: word,
    got: b === undefined ? a : [a, b],
    expected: "at least one tensor or scalar of a rule",
    advice: "Between plain numbers use JavaScript's own operators and Math.",
  });
}

function unary<O extends Expr>(word: string, op: OpCode, x: O): O {
  return traceOf(word, x).unary(op, x) as O;
}

function binary<A extends Operand, B extends Operand>(word: string, op: OpCode, a: A, b: B) {
  return traceOf(word, a, b).binary(op, a, b) as Joined<A | B>;
}

/** a + b, with a number on either side. */
export const add = <A extends Operand, B extends Operand>(a: A, b: B) =>
  binary("add", Op.add, a, b);
/** a - b, with a number on either side. */
export const sub = <A extends Operand, B extends Operand>(a: A, b: B) =>
  binary("sub", Op.sub, a, b);
/** a · b, with a number on either side. */
export const mul = <A extends Operand, B extends Operand>(a: A, b: B) =>
  binary("mul", Op.mul, a, b);
/** a / b, with a number on either side. */
export const div = <A extends Operand, B extends Operand>(a: A, b: B) =>
  binary("div", Op.div, a, b);
/** The smaller one; NaN if either is NaN. */
export const min = <A extends Operand, B extends Operand>(a: A, b: B) =>
  binary("min", Op.min, a, b);
/** The larger one; NaN if either is NaN. */
export const max = <A extends Operand, B extends Operand>(a: A, b: B) =>
  binary("max", Op.max, a, b);

/** -x */
export const neg = <O extends Expr>(x: O): O => unary("neg", Op.neg, x);
/** |x| */
export const abs = <O extends Expr>(x: O): O => unary("abs", Op.abs, x);
/** √x, correctly rounded; NaN below zero. */
export const sqrt = <O extends Expr>(x: O): O => unary("sqrt", Op.sqrt, x);
/** -1, 0 or 1; 0 for NaN, as `torch.sign` has it. */
export const sign = <O extends Expr>(x: O): O => unary("sign", Op.sign, x);

/** x · x */
export const sq = <O extends Expr>(x: O): O => traceOf("sq", x).binary(Op.mul, x, x) as O;

/**
 * a·b + c. In float32 the product is exact and the sum is rounded once (through float64: one time in
 * 2^29 it differs from a true fused multiply-add); in float64 product and sum are rounded each.
 */
export const fma = <A extends Expr, B extends Operand, C extends Operand>(a: A, b: B, c: C) =>
  traceOf("fma", a).fma(a, b, c) as Joined<A | B | C>;

/** min(max(x, low), high) */
export const clamp = <O extends Expr>(x: O, low: number, high: number): O =>
  min(max(x, low), high) as Expr as O;

/**
 * From a to b by the share w: a + w·(b - a), or b - (b - a)·(1 - w) from w = 1/2 on, so that both
 * ends are exact. It is `torch.lerp`; `lerp(m, g, 1 - b1)` is PyTorch's form of a moving average.
 */
export function lerp<A extends Expr, B extends Expr>(a: A, b: B, w: number): Joined<A | B> {
  const difference = b.sub(a);
  return (w < 0.5 ? a.add(difference.mul(w)) : b.sub(difference.mul(1 - w))) as Joined<A | B>;
}

/** An exponential moving average: b·average + (1 - b)·x. */
export function ema<A extends Expr, B extends Expr>(average: A, x: B, b: number): Joined<A | B> {
  return average.mul(b).add(x.mul(1 - b)) as Joined<A | B>;
}

/** The same of squares, b·average + ((1 - b)·x)·x: its order keeps large x from overflowing. */
export function emaSq<A extends Expr, B extends Expr>(average: A, x: B, b: number): Joined<A | B> {
  return average.mul(b).add(x.mul(1 - b).mul(x)) as Joined<A | B>;
}

function compare<A extends Operand, B extends Operand>(word: string, op: OpCode, a: A, b: B) {
  return binary(word, op, a, b).asMask();
}

/** a > b */
export const gt = <A extends Operand, B extends Operand>(a: A, b: B) => compare("gt", Op.gt, a, b);
/** a ≥ b */
export const ge = <A extends Operand, B extends Operand>(a: A, b: B) => compare("ge", Op.ge, a, b);
/** a < b */
export const lt = <A extends Operand, B extends Operand>(a: A, b: B) => compare("lt", Op.gt, b, a);
/** a ≤ b */
export const le = <A extends Operand, B extends Operand>(a: A, b: B) => compare("le", Op.ge, b, a);
/** a = b */
export const eq = <A extends Operand, B extends Operand>(a: A, b: B) => compare("eq", Op.eq, a, b);

/** a where the condition holds, b elsewhere. */
export function where<K extends Kind, A extends Operand, B extends Operand>(
  condition: Mask<K>,
  a: A,
  b: B,
) {
  if (!(condition instanceof Mask)) {
    throw new RuleError("NOT_A_CONDITION", {
      subject: "where",
      got: (condition as unknown) instanceof Expr ? new Prose("a tensor") : condition,
      expected: "a comparison such as gt(a, b)",
      advice: "A condition over plain numbers is an ordinary if.",
    });
  }
  return condition.value.trace.select(condition, a, b) as Joined<A | B | Expr<K>>;
}

/** Sum of all elements of the tensor, in float64 and a fixed order. */
export const sum = (x: Tensor): Scalar => traceOf("sum", x).unary(Op.sum, x) as Scalar;
/** Sum of a·b over all elements, in float64 and a fixed order. */
export const dot = (a: Tensor, b: Tensor): Scalar =>
  traceOf("dot", a, b).binary(Op.dot, a, b) as Scalar;
/** The largest |x| of all elements; NaN if any is NaN. */
export const maxAbs = (x: Tensor): Scalar => traceOf("maxAbs", x).unary(Op.maxAbs, x) as Scalar;
/** The Euclidean norm √(Σ x²). */
export const norm = (x: Tensor): Scalar => sqrt(dot(x, x));
/** The arithmetic mean Σ x / n. */
export const mean = (x: Tensor): Scalar => sum(x).div(sizeOf(x));
/** Number of elements of the tensor at hand. */
export const sizeOf = (x: Tensor): Scalar => traceOf("sizeOf", x).leaf(Op.size) as Scalar;

/** The distance from 1 to the next larger number in the type of the tensor at hand. */
export const machineEpsilon = (x: Expr): number =>
  traceOf("machineEpsilon", x).dtype === "float32" ? 2 ** -23 : 2 ** -52;

/**
 * Whether a state tensor has never been written for the parameter at hand; it then holds zeros. For
 * rules whose first step differs, such as momentum buffers that begin as a copy of the gradient.
 */
export const isFresh = (state: Expr): boolean => state instanceof StateTensor && state.fresh;

/**
 * base^exponent for a whole exponent ≥ 0, by repeated squaring. Unlike `**` its bits do not depend on
 * the JavaScript engine, so a run gives the same bits everywhere: use it for `1 - pow(b1, t)`.
 *
 * @throws {RuleError} `BAD_EXPONENT` for an exponent that is not whole or below 0.
 */
export function pow(base: number, exponent: number): number {
  if (!Number.isSafeInteger(exponent) || exponent < 0) {
    throw new RuleError("BAD_EXPONENT", {
      subject: "pow",
      got: exponent,
      expected: "a whole exponent ≥ 0",
      advice: "For other exponents use **, whose last bit depends on the engine.",
    });
  }
  let result = 1;
  for (let square = base, rest = exponent; rest > 0; square *= square) {
    if (rest % 2 === 1) result *= square;
    rest = Math.floor(rest / 2);
  }
  return result;
}
