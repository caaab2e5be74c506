/** The words of the language: what each takes, what it gives and what it does. */
import type { Expr, Mask, Operand, Tensor } from "../ir/expr.ts";
import * as ir from "../ir/words.ts";
import * as on from "./arithmetic.ts";
import {
  ANY_MASK,
  BOOLEAN,
  joined,
  MASK,
  NUMBER,
  OPERAND,
  SCALAR,
  SCALAR_MASK,
  TENSOR,
  type Kind,
  type Value,
} from "./kind.ts";

export interface Word {
  /** What it is called with, e.g. `m, g, 1 - b1`. */
  readonly example: string;
  /** The kinds that each argument may have. */
  readonly takes: readonly Kind[];
  /** The kind of the result. */
  readonly gives: (kinds: readonly Kind[]) => Kind;
  readonly run: (...values: never[]) => Value;
}

const all = (kinds: readonly Kind[]): Kind => kinds.reduce(joined);
const always = (kind: Kind) => () => kind;

function word(
  example: string,
  takes: readonly Kind[],
  gives: Word["gives"],
  run: (...values: never[]) => Value,
): Word {
  return { example, takes, gives, run };
}

const one = (run: (x: Operand) => Operand) => word("x", [OPERAND], all, run);
const two = (run: (a: Operand, b: Operand) => Operand) =>
  word("a, b", [OPERAND, OPERAND], all, run);
const average = (example: string, run: (a: Operand, x: Operand, b: number) => Operand) =>
  word(example, [OPERAND, OPERAND, NUMBER], all, run);
const host = (run: (x: number) => number) => word("x", [NUMBER], always(NUMBER), run);
const whole = (run: (x: Tensor) => Expr) => word("x", [TENSOR], always(SCALAR), run);
/** The four signs as words keep the order of their operands, numbers too. */
const exact = (run: (a: Operand, b: Operand) => Operand, onHost: typeof run) =>
  two((a, b) => (typeof a === "number" && typeof b === "number" ? onHost(a, b) : run(a, b)));

/** What a mask of this kind chooses by. */
export const chosenBy = (mask: Kind): Kind =>
  (mask & MASK ? TENSOR : 0) | (mask & SCALAR_MASK ? SCALAR : 0);

export const words: ReadonlyMap<string, Word> = /* @__PURE__ */ new Map<string, Word>([
  ["sqrt", one(on.sqrt)],
  ["abs", one(on.abs)],
  ["sign", one(on.sign)],
  ["sq", one(on.sq)],
  ["min", two(on.min)],
  ["max", two(on.max)],
  ["add", exact(ir.add, on.add)],
  ["sub", two(on.sub)],
  ["mul", exact(ir.mul, on.mul)],
  ["div", two(on.div)],
  ["clamp", word("x, low, high", [OPERAND, OPERAND, OPERAND], all, on.clamp)],
  ["fma", word("a, b, c", [OPERAND, OPERAND, OPERAND], all, on.fma)],
  ["lerp", average("m, g, 1 - b1", on.lerp)],
  ["ema", average("m, g, b1", on.ema)],
  ["emaSq", average("v, g, b2", on.emaSq)],
  [
    "where",
    word(
      "a > b, x, y",
      [ANY_MASK, OPERAND, OPERAND],
      ([mask]) => chosenBy(mask!),
      (mask: Mask, a: Operand, b: Operand) => ir.where(mask, a, b),
    ),
  ],
  ["sum", whole(ir.sum)],
  ["mean", whole(ir.mean)],
  ["norm", whole(ir.norm)],
  ["maxAbs", whole(ir.maxAbs)],
  ["sizeOf", whole(ir.sizeOf)],
  ["dot", word("a, b", [TENSOR, TENSOR], always(SCALAR), ir.dot)],
  ["machineEpsilon", word("p", [TENSOR], always(NUMBER), ir.machineEpsilon)],
  ["isFresh", word("m", [TENSOR], always(BOOLEAN), ir.isFresh)],
  ["pow", word("b2, t", [NUMBER, NUMBER], always(NUMBER), ir.pow)],
  ["float32", host(Math.fround)],
  ["floor", host(Math.floor)],
  ["exp", host(Math.exp)],
  ["log", host(Math.log)],
  ["cos", host(Math.cos)],
]);
