/**
 * In-place operations over lists of tensors, as `torch._foreach_*` has them.
 *
 * Each takes parameters (their data) or live views (`w.grad`); the lists of one call must fit
 * together tensor by tensor, in length and type. Numbers may be one for all tensors or one for each.
 * Tensors of one optimizer lie side by side, so a call is one kernel over all of them.
 *
 *     foreach.mul(grads, -lr);       // the fastest hand-made SGD step of eager PyTorch
 *     foreach.add(params, grads);
 */
import * as words from "../ir/words.ts";
import type { Tensor } from "../ir/expr.ts";
import type { TensorList } from "./lists.ts";
import { readTensors, run, sumOver, type Operation, type Summation } from "./run.ts";

export type { TensorList };

type NumberOrList = number | readonly number[];
type OtherOperand = TensorList | number;

/** With a list of tensors on the right, or with numbers. */
function infix(name: string, apply: (a: Tensor, b: Tensor | number) => Tensor) {
  const withTensors: Operation = { name, result: (p, g) => apply(p, g) };
  const withNumber: Operation = { name, result: (p, _g, _h, x) => apply(p, x) };
  return (targets: TensorList, other: OtherOperand | NumberOrList): void => {
    if (isNumbers(other)) run(withNumber, targets, [], other);
    else run(withTensors, targets, [other]);
  };
}

function isNumbers(other: OtherOperand | NumberOrList): other is NumberOrList {
  return typeof other === "number" || (Array.isArray(other) && typeof other[0] === "number");
}

function unary(name: string, apply: (a: Tensor) => Tensor) {
  const operation: Operation = { name, result: (p) => apply(p) };
  return (targets: TensorList): void => run(operation, targets, []);
}

/** a ← a + b */
export const add = /* @__PURE__ */ infix("add", (a, b) => a.add(b));
/** a ← a - b */
export const sub = /* @__PURE__ */ infix("sub", (a, b) => a.sub(b));
/** a ← a · b */
export const mul = /* @__PURE__ */ infix("mul", (a, b) => a.mul(b));
/** a ← a / b */
export const div = /* @__PURE__ */ infix("div", (a, b) => a.div(b));
/** a ← max(a, b) */
export const maximum = /* @__PURE__ */ infix("maximum", (a, b) => words.max(a, b));
/** a ← min(a, b) */
export const minimum = /* @__PURE__ */ infix("minimum", (a, b) => words.min(a, b));

/** a ← -a */
export const neg = /* @__PURE__ */ unary("neg", words.neg);
/** a ← |a| */
export const abs = /* @__PURE__ */ unary("abs", words.abs);
/** a ← √a */
export const sqrt = /* @__PURE__ */ unary("sqrt", words.sqrt);
/** a ← -1, 0 or 1 */
export const sign = /* @__PURE__ */ unary("sign", words.sign);

const addcmulOperation: Operation = {
  name: "addcmul",
  result: (p, g, h, x) => p.add(g.mul(x).mul(h)),
};
const addcdivOperation: Operation = {
  name: "addcdiv",
  result: (p, g, h, x) => p.add(g.mul(x).div(h)),
};
const lerpOperation: Operation = { name: "lerp", result: (p, g, _h, x) => words.lerp(p, g, x) };
const copyOperation: Operation = { name: "copy", result: (_p, g) => g };
const squares: Summation = { name: "norm", sum: (p) => words.dot(p, p) };

/** a ← a + value · b · c */
export function addcmul(
  a: TensorList,
  b: TensorList,
  c: TensorList,
  value: NumberOrList = 1,
): void {
  run(addcmulOperation, a, [b, c], value);
}

/** a ← a + value · b / c */
export function addcdiv(
  a: TensorList,
  b: TensorList,
  c: TensorList,
  value: NumberOrList = 1,
): void {
  run(addcdivOperation, a, [b, c], value);
}

/** a ← a + weight · (b - a) */
export function lerp(a: TensorList, b: TensorList, weight: NumberOrList): void {
  run(lerpOperation, a, [b], weight);
}

/** a ← b */
export function copy(a: TensorList, b: TensorList): void {
  run(copyOperation, a, [b]);
}

/** a ← 0 */
export function zero(tensors: TensorList): void {
  for (const view of readTensors("zero", tensors)) view.fill(0);
}

/** The Euclidean norm of each tensor, summed in float64. */
export function norm(tensors: TensorList): number[] {
  return sumOver(squares, tensors).map(Math.sqrt);
}
