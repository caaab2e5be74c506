// A line x·w + b under the mean squared error: small enough to differentiate by hand.

import { numpy as np } from "@jax-js/jax";
import { trainable, type Trainable } from "../../src/adapters/jax.ts";

export type LineTree = { readonly w: np.Array; readonly b: np.Array };

export const line = ({ w, b }: LineTree, x: np.Array) => np.dot(x, w).add(b);

export const meanSquare = (tree: LineTree, x: np.Array, y: np.Array) =>
  np.square(line(tree, x).sub(y)).mean();

export const makeLine = (w: Float32Array, b: number): Trainable<LineTree> =>
  trainable({ w: np.array(w), b: np.array(new Float32Array([b]), { shape: [] }) });

/** The loss and its gradients, in float64. */
export function byHand(
  w: ArrayLike<number>,
  b: number,
  x: ArrayLike<number>,
  y: ArrayLike<number>,
) {
  const [n, k] = [y.length, w.length];
  const grad = { loss: 0, w: Array.from({ length: k }, () => 0), b: 0 };
  for (let i = 0; i < n; i++) {
    let error = b - y[i]!;
    for (let j = 0; j < k; j++) error += x[i * k + j]! * w[j]!;
    grad.loss += error ** 2 / n;
    grad.b += (2 * error) / n;
    for (let j = 0; j < k; j++) grad.w[j]! += (2 * error * x[i * k + j]!) / n;
  }
  return grad;
}

/** The float32 bound of these tests: sums of some tens of terms of order 1. */
export const rounding = 2e-6;

/** The largest difference between two lists of equal length. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return NaN;
  return Math.max(0, ...Array.from(a, (value, i) => Math.abs(value - b[i]!)));
}

let state = 1;

/** Numbers between -0.5 and 0.5, other ones each time. */
export function noise(n: number): Float32Array {
  return Float32Array.from({ length: n }, () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647 - 0.5;
  });
}

/** What `run` throws: its class and message. */
export function complaint(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return String(error);
  }
  return "nothing thrown";
}
