/**
 * Training jax-js models with Downhill: jax-js computes loss and gradients, Downhill takes the steps.
 *
 * The values live in Downhill's arena, so that one fused pass updates them all. Each call uploads
 * them into jax-js and downloads the gradients, one copy each way: memory-speed copies are cheap
 * next to a backward pass, and jax-js offers no other way into its WebAssembly memory. jax-js arrays
 * are counted by hand and lost when forgotten; inside this file's functions nobody has to count.
 */
import { parameter } from "../memory/create.ts";
import type { Parameter } from "../memory/parameter.ts";
import {
  CompiledFunction,
  DifferentiatedLoss,
  owned,
  type Leaves,
  type TreeFunction,
} from "./jax/compile.ts";
import { receive, receiveAsync } from "./jax/gradients.ts";
import { checkSyncRead, Loan } from "./jax/loan.ts";
import { placesOf } from "./jax/pack.ts";
import {
  arrayLeaves,
  checkFunction,
  fill,
  skeletonOf,
  type ArrayLeaf,
  type ArrayTree,
  type Inputs,
  type JaxArray,
  type ParameterTree,
} from "./jax/tree.ts";

export * from "./jax/optax/index.ts";
export type { ArrayInput, ArrayTree, Input, Inputs, ParameterTree } from "./jax/tree.ts";

/** Computes the loss and adds its gradients to the parameters'; made by {@link Trainable.backward}. */
export interface Backward<Args extends readonly unknown[]> {
  /** @returns the loss. */
  (...args: Inputs<Args>): number;
  /** Frees what jax-js keeps for the compiled function. It must not be called afterwards. */
  dispose(): void;
}

/** As {@link Backward}; made by {@link Trainable.backwardAsync}. */
export interface BackwardAsync<Args extends readonly unknown[]> {
  /** @returns the loss. The gradients are complete when the promise resolves. */
  (...args: Inputs<Args>): Promise<number>;
  /** Frees what jax-js keeps for the compiled function. Await calls that are under way first. */
  dispose(): void;
}

/** Computes a function of the parameters; made by {@link Trainable.forward}. */
export interface Forward<Args extends readonly unknown[], Result> {
  /** @returns new jax arrays, which belong to the caller. */
  (...args: Inputs<Args>): Result;
  /** Frees what jax-js keeps for the compiled function. It must not be called afterwards. */
  dispose(): void;
}

/** Parameters in the nesting of a jax pytree; made by {@link trainable}. */
export class Trainable<T extends ArrayTree> {
  /** All parameters, in the order of the tree: `new Adam(model.parameters)`. */
  readonly parameters: readonly Parameter[];
  /** The same parameters in the original nesting: `model.tree.w1.requiresGrad = false`. */
  readonly tree: ParameterTree<T>;
  private readonly leaves: Leaves<Parameter>;

  /** @internal */
  constructor(parameters: readonly Parameter[], skeleton: unknown) {
    this.parameters = parameters;
    this.leaves = { parameters, skeleton, placesOf, lend: (one, loan) => loan.upload(one) };
    this.tree = fill(skeleton, parameters.values()) as ParameterTree<T>;
  }

  /**
   * Makes the function that computes a loss and its gradients.
   *
   * Each call returns the loss as a number, sets `grad` of every trained parameter that has none,
   * and adds to the others, as PyTorch's `loss.backward()` does. A parameter that the loss does not
   * use gets a gradient of zeros. A frozen parameter (`requiresGrad` false) gets none, and costs no
   * backward pass.
   *
   * **Arguments** stay the caller's: jax arrays are alive after the call as before it. Typed arrays
   * are uploaded for the call, with shape [length]; reshape them in the loss. Numbers may change
   * from call to call.
   *
   * **In the loss** jax-js's rules hold: each use of an array uses it up, so write `w.ref` for every
   * use but the last. jax-js runs the loss only to trace it, at the first call and for arguments of
   * new shapes: keep shapes constant, and randomness and numbers that change in the arguments. A jax
   * array from outside must enter as `array.ref`; it is kept until `dispose()`. Make the function
   * once, not in every step: jax-js remembers each compilation for good.
   *
   * **Errors** leave all gradients untouched and nothing in jax-js's memory, except for arrays that
   * the loss itself made from plain values before it threw; what the loss throws passes through.
   *
   * @param loss pure; gets the parameters as jax arrays in the original nesting, then the arguments,
   *   and returns a jax array of shape [].
   * @throws {OptionError} `BAD_OPTION` unless `loss` is a function; from the function made:
   *   `BAD_ARGUMENT` for an argument that is no array or is used up, `BAD_LOSS` for a loss that is
   *   not one number.
   * @throws {GradientError} from the function made: `FROZEN` if no parameter is to be trained,
   *   `BAD_GRADIENT` if a gradient does not fit its parameter.
   * @throws {BackendError} from the function made: `ASYNC_ONLY` where the device cannot be read
   *   synchronously (WebGPU outside browsers), `OLD_ENGINE` where a function of jax-js needs a newer
   *   engine than Node 20's, `DISPOSED` after `dispose()`.
   *
   * @example
   * const backward = model.backward(({ w, b }, x, y) => {
   *   const error = np.dot(x, w).add(b).sub(y);
   *   return np.square(error).mean();
   * });
   */
  backward<Args extends readonly ArrayTree[] = JaxArray[]>(
    loss: (tree: T, ...args: Args) => JaxArray,
  ): Backward<Args> {
    const differentiated = this.differentiate(loss, "backward");
    return owned((...args) => receive(differentiated.run(args)), differentiated);
  }

  /**
   * As {@link backward}, for every device: it reads loss and gradients without blocking, as WebGPU
   * wants. Arguments may be disposed or changed as soon as the call has returned its promise, and
   * parameters as well. Gradients are written all at once, before the promise resolves.
   */
  backwardAsync<Args extends readonly ArrayTree[] = JaxArray[]>(
    loss: (tree: T, ...args: Args) => JaxArray,
  ): BackwardAsync<Args> {
    const differentiated = this.differentiate(loss, "backwardAsync");
    return owned(async (...args) => receiveAsync(differentiated.run(args)), differentiated);
  }

  /**
   * Makes a compiled function of the parameters, say a prediction, or a loss without gradients.
   *
   * Arguments and the rules inside `fn` are those of {@link backward}. The result is a new jax array
   * (or a tree of them) and belongs to the caller: read it (`.js()`, `await .data()`) or dispose it.
   *
   * @throws as {@link backward} does for options and arguments.
   *
   * @example
   * const predict = model.forward(({ w, b }, x) => np.dot(x, w).add(b));
   * const values = predict(x).js();
   */
  forward<Result extends ArrayTree, Args extends readonly ArrayTree[] = JaxArray[]>(
    fn: (tree: T, ...args: Args) => Result,
  ): Forward<Args, Result> {
    checkFunction(fn, "forward: fn", "a function of the parameters and the arguments");
    const call = fn as unknown as TreeFunction;
    const compiled = new CompiledFunction(this.leaves, call);
    return owned((...args) => compiled.run(args), compiled);
  }

  /** New jax arrays with the current values, in the original nesting. They belong to the caller. */
  arrays(): T {
    const loan = new Loan();
    try {
      const leaves = this.parameters.map((each) => loan.upload(each));
      return fill(this.leaves.skeleton, leaves.values()) as T;
    } catch (error) {
      loan.release();
      throw error;
    }
  }

  private differentiate(loss: unknown, subject: string): DifferentiatedLoss<Parameter> {
    checkFunction(loss, `${subject}: loss`, "a function of the parameters and the arguments");
    return new DifferentiatedLoss(this.leaves, loss as TreeFunction, subject);
  }
}

/**
 * Makes parameters of a jax pytree: each jax array becomes a {@link Parameter} with a copy of its
 * values, named by its path (`"w1"`, `"layers.0.weight"`).
 *
 * The arrays are used up, as by every jax-js function; pass `array.ref` to keep one. They must be
 * float32 or float64. Computation takes place on jax-js's default device, or on the device that the
 * arguments are committed to.
 *
 * On Node, start jax-js with `init("wasm")`; `init()` alone needs a browser. float64 works as far as
 * jax-js takes it: `exp`, `log`, `sin` and the like have float32 accuracy in its WebAssembly. Where
 * the engine has no `Float16Array` (Node 22 and older), jax-js's own `np.array(Float64Array)`
 * throws; there start from `np.zeros(shape, { dtype: np.float64 })`, and then set `model.tree.w.data`.
 *
 * @throws {ParameterError} `BAD_VALUES` or `BAD_DTYPE` for a leaf that is no live float array,
 *   `DUPLICATE_PARAMETER` for an array that stands in two places, `NO_PARAMS` for an empty tree. No
 *   array is used up then.
 * @throws {BackendError} `ASYNC_ONLY` where the arrays cannot be read synchronously.
 *
 * @example
 * await init("wasm");
 * const model = trainable({ w: np.zeros([3]), b: np.zeros([]) });
 * const optimizer = new Adam(model.parameters, { lr: 0.01 });
 * const backward = model.backward(({ w, b }, x, y) =>
 *   np.square(np.dot(x, w).add(b).sub(y)).mean(),
 * );
 * for (const [x, y] of batches) {
 *   optimizer.zeroGrad();
 *   const loss = backward(x, y);
 *   optimizer.step();
 * }
 */
export function trainable<T extends ArrayTree>(tree: T): Trainable<T> {
  const leaves = arrayLeaves(tree);
  for (const { array } of leaves) checkSyncRead(array, "trainableAsync");
  return make(
    tree,
    leaves,
    leaves.map(({ array }) => [[...array.shape], array.dataSync()]),
  );
}

/** As {@link trainable}, for arrays on every device: it reads them without blocking. */
export async function trainableAsync<T extends ArrayTree>(tree: T): Promise<Trainable<T>> {
  const leaves = arrayLeaves(tree);
  const values = leaves.map(async ({ array }): Promise<Read> => [
    [...array.shape],
    await array.data(),
  ]);
  return make(tree, leaves, await Promise.all(values));
}

type Read = [shape: number[], values: Awaited<ReturnType<JaxArray["data"]>>];

function make<T extends ArrayTree>(
  tree: T,
  leaves: readonly ArrayLeaf[],
  read: readonly Read[],
): Trainable<T> {
  const parameters = leaves.map(({ name }, i): Parameter => {
    const [shape, values] = read[i]!;
    const options = name === undefined ? { shape } : { shape, name };
    return values instanceof Float64Array
      ? parameter(values, options)
      : parameter(values as Float32Array, options);
  });
  return new Trainable<T>(parameters, skeletonOf(tree));
}
