/**
 * Losses, and arithmetic over whole trees, as optax has them beside its transformations: jax-js's own
 * operations, so they may be compiled and differentiated, and use their arguments up.
 */
import { numpy as np, tree, type DType, type JsTree } from "@jax-js/jax";
import { OptionError } from "../../../errors.ts";

type Arrays = JsTree<np.Array>;

/** (predictions - targets)², element by element; predictions² without targets. */
export function squaredError(predictions: np.Array, targets?: np.Array): np.Array {
  return np.square(targets === undefined ? predictions : predictions.sub(targets));
}

/** Half of {@link squaredError}. */
export function l2Loss(predictions: np.Array, targets?: np.Array): np.Array {
  return squaredError(predictions, targets).mul(0.5);
}

/** A tree of zeros of the same shapes. */
export function treeZerosLike(arrays: Arrays, dtype?: DType): Arrays {
  return tree.map((x: np.Array) => np.zerosLike(x, { ...(dtype && { dtype }) }), arrays);
}

/** A tree of ones of the same shapes. */
export function treeOnesLike(arrays: Arrays, dtype?: DType): Arrays {
  return tree.map((x: np.Array) => np.onesLike(x, { ...(dtype && { dtype }) }), arrays);
}

/** The sum of all elements of all arrays; 0 if there are none. */
export function treeSum(arrays: Arrays): np.Array {
  const sums = tree.leaves(arrays).map((x) => np.sum(x));
  return sums.length === 0 ? np.array(0) : sums.reduce((a, b) => a.add(b));
}

/** The largest element of all arrays; -Infinity if there are none. */
export function treeMax(arrays: Arrays): np.Array {
  const largest = tree.leaves(arrays).map((x) => np.max(x));
  return largest.length === 0 ? np.array(-Infinity) : largest.reduce((a, b) => np.maximum(a, b));
}

/** The order of a norm: that of {@link treeNorm}. */
export type NormOrd = 1 | 2 | "inf" | "infinity" | number;

/**
 * The norm of all elements as one vector: of order 2 (default), 1 or Infinity; its square with `squared`.
 *
 * @throws {OptionError} `BAD_OPTION` for another order; the arrays are used up then too.
 */
export function treeNorm(arrays: Arrays, ord: NormOrd = 2, squared = false): np.Array {
  if (ord === 2) {
    const sum = treeSum(tree.map((x: np.Array) => np.square(x), arrays));
    return squared ? sum : np.sqrt(sum);
  }
  const isMax = ord === "inf" || ord === "infinity" || ord === Infinity;
  if (ord !== 1 && !isMax) {
    tree.dispose(arrays);
    throw new OptionError("BAD_OPTION", {
      subject: "treeNorm: ord",
      got: ord,
      expected: "1, 2 or Infinity",
    });
  }
  const sizes = tree.map((x: np.Array) => np.abs(x), arrays);
  const norm = isMax ? treeMax(sizes) : treeSum(sizes);
  return squared ? np.square(norm) : norm;
}

/** decay·moments + (1 - decay)·updatesᵒʳᵈᵉʳ, for a whole order from 1 on. */
export function treeUpdateMoment(
  updates: Arrays,
  moments: Arrays,
  decay: number,
  order: number,
): Arrays {
  const next = (g: np.Array, moment: np.Array) => {
    let power = g.ref;
    for (let i = 1; i < order; i++) power = power.mul(g.ref);
    g.dispose();
    return power.mul(1 - decay).add(moment.mul(decay));
  };
  return tree.map(next, updates, moments);
}

/** moments / (1 - decayᶜᵒᵘⁿᵗ). `count` may be a number or a jax array, also one inside `jit`. */
export function treeBiasCorrection(
  moments: Arrays,
  decay: number,
  count: np.Array | number,
): Arrays {
  if (typeof count === "number") {
    const factor = 1 / (1 - decay ** count);
    return tree.map((x: np.Array) => x.mul(factor), moments);
  }
  const rest = np.exp(count.mul(Math.log(decay)));
  const factor = np.reciprocal(np.array(1).sub(rest));
  const corrected = tree.map((x: np.Array) => x.mul(factor.ref), moments);
  factor.dispose();
  return corrected;
}
