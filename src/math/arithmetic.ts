/**
 * The words of ../ir/words.ts for values that may be numbers as well as tensors: numbers stay the host's,
 * in float64, and meet tensors as uniforms.
 *
 * A number stands behind the tensor that it is added to or multiplied by, wherever it is written: 2 * g
 * is recorded as g.mul(2), as rules in code have it.
 */
import type { Operand, Tensor } from "../ir/expr.ts";
import * as words from "../ir/words.ts";

type Two = (a: Operand, b: Operand) => Operand;

const isNumber = (x: Operand): x is number => typeof x === "number";

export const add: Two = (a, b) => {
  if (!isNumber(a)) return a.add(b);
  return isNumber(b) ? a + b : b.add(a);
};
export const mul: Two = (a, b) => {
  if (!isNumber(a)) return a.mul(b);
  return isNumber(b) ? a * b : b.mul(a);
};
export const sub: Two = (a, b) => (isNumber(a) && isNumber(b) ? a - b : words.sub(a, b));
export const div: Two = (a, b) => (isNumber(a) && isNumber(b) ? a / b : words.div(a, b));
export const min: Two = (a, b) => (isNumber(a) && isNumber(b) ? Math.min(a, b) : words.min(a, b));
export const max: Two = (a, b) => (isNumber(a) && isNumber(b) ? Math.max(a, b) : words.max(a, b));

export const neg = (x: Operand): Operand => (isNumber(x) ? -x : words.neg(x));
export const abs = (x: Operand): Operand => (isNumber(x) ? Math.abs(x) : words.abs(x));
export const sqrt = (x: Operand): Operand => (isNumber(x) ? Math.sqrt(x) : words.sqrt(x));
export const sign = (x: Operand): Operand => (isNumber(x) ? Math.sign(x) : words.sign(x));
export const sq = (x: Operand): Operand => mul(x, x);

/** {@link words.clamp} */
export const clamp = (x: Operand, low: Operand, high: Operand): Operand => min(max(x, low), high);

/** {@link words.fma}; of numbers alone the host's a·b + c. */
export function fma(a: Operand, b: Operand, c: Operand): Operand {
  if (!isNumber(a)) return words.fma(a, b, c);
  return isNumber(b) ? add(c, a * b) : words.fma(b, a, c);
}

/** {@link words.lerp} */
export function lerp(a: Operand, b: Operand, w: number): Operand {
  const difference = sub(b, a);
  return w < 0.5 ? add(a, mul(difference, w)) : sub(b, mul(difference, 1 - w));
}

/** {@link words.ema} */
export const ema = (average: Operand, x: Operand, b: number): Operand =>
  add(mul(average, b), mul(x, 1 - b));

/** {@link words.emaSq} */
export const emaSq = (average: Operand, x: Operand, b: number): Operand =>
  add(mul(average, b), mul(mul(x, 1 - b), x));

/** base^exponent for a whole exponent, by repeated squaring. */
export function wholePower(base: Operand, exponent: number): Operand {
  if (isNumber(base)) {
    return exponent < 0 ? 1 / words.pow(base, -exponent) : words.pow(base, exponent);
  }
  let result: Operand | undefined;
  let square: Operand = base;
  for (let rest = exponent; ; square = mul(square, square)) {
    if (rest % 2 === 1) result = result === undefined ? square : mul(result, square);
    rest = Math.floor(rest / 2);
    if (rest === 0) return result ?? square;
  }
}

/** A tensor of the shape of `like` that holds x, whatever `like` holds. */
export const spread = (x: Operand, like: Tensor): Tensor =>
  words.where(words.eq(like, like), x, x) as Tensor;
