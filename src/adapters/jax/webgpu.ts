/**
 * Training jax-js models on its WebGPU backend: parameters stay on the GPU, where jax-js computes loss and
 * gradients, and the optimizers of `downhill/webgpu` take their steps in the same memory. Nothing is copied,
 * and nothing comes back but the losses that somebody reads.
 *
 * It rests on what jax-js exports: the device, and the buffer of an array.
 */
import { getWebGPUDevice } from "@jax-js/jax";
import { BackendError, ParameterError, Prose } from "../../errors.ts";
import { parameter } from "../../memory/webgpu/create.ts";
import type { GpuParameter } from "../../memory/webgpu/parameter.ts";
import type { Forward } from "../jax.ts";
import {
  CompiledFunction,
  DifferentiatedLoss,
  owned,
  type Leaves,
  type TreeFunction,
} from "./compile.ts";
import { bufferOf, copyOf } from "./gpu-arrays.ts";
import { Holdings } from "./gpu-holdings.ts";
import type { GpuLoss } from "./gpu-loss.ts";
import {
  arrayLeaves,
  checkFunction,
  fill,
  leavesOf,
  skeletonOf,
  type ArrayLeaf,
  type ArrayTree,
  type Inputs,
  type JaxArray,
  type ParameterTree,
} from "./tree.ts";

export type { Forward } from "../jax.ts";
export type { GpuLoss } from "./gpu-loss.ts";
export type { ArrayInput, ArrayTree, Input, Inputs, ParameterTree } from "./tree.ts";

/** Computes the loss and adds its gradients to the parameters'; made by {@link GpuTrainable.backward}. */
export interface GpuBackward<Args extends readonly unknown[]> {
  /** @returns the loss, on the GPU. */
  (...args: Inputs<Args>): GpuLoss;
  /** Frees what jax-js keeps for the compiled function. It must not be called afterwards. */
  dispose(): void;
}

/** Parameters on jax-js's GPU, in the nesting of a jax pytree; made by {@link trainable}. */
export class GpuTrainable<T extends ArrayTree> {
  /** All parameters, in the order of the tree: `new Adam(model.parameters)`, of `downhill/webgpu`. */
  readonly parameters: readonly GpuParameter[];
  /** The same parameters in the original nesting: `model.tree.w1.requiresGrad = false`. */
  readonly tree: ParameterTree<T, GpuParameter>;
  private readonly leaves: Leaves<GpuParameter>;
  private readonly holdings: Holdings;
  private isDisposed = false;

  /** @internal */
  constructor(holdings: Holdings, parameters: readonly GpuParameter[], skeleton: unknown) {
    this.holdings = holdings;
    this.parameters = parameters;
    this.tree = fill(skeleton, parameters.values()) as ParameterTree<T, GpuParameter>;
    const lend: Leaves<GpuParameter>["lend"] = (one, loan) => loan.lend(holdings.valuesOf(one));
    this.leaves = { parameters, skeleton, lend };
  }

  /**
   * Makes the function that computes a loss and its gradients, as `backward` of "downhill/jax" does, with the
   * same rules for arguments, losses and frozen parameters.
   *
   * Each call submits its work to the GPU and waits for nothing. It returns the loss, which stays there until
   * it is read, at the latest until the next call. It lends a gradient to every trained parameter that has
   * none and adds to the others; `optimizer.zeroGrad()` lets go of them.
   *
   * @throws as `backward` of "downhill/jax", but for `ASYNC_ONLY`.
   *
   * @example
   * const backward = model.backward(({ w, b }, x, y) =>
   *   np.square(np.dot(x, w).add(b).sub(y)).mean(),
   * );
   * const loss = backward(x, y);
   * optimizer.step();
   * console.log(await loss.read());
   */
  backward<Args extends readonly ArrayTree[] = JaxArray[]>(
    loss: (tree: T, ...args: Args) => JaxArray,
  ): GpuBackward<Args> {
    checkFunction(loss, "backward: loss", "a function of the parameters and the arguments");
    const call = loss as unknown as TreeFunction;
    const differentiated = new DifferentiatedLoss(this.leaves, call, "backward");
    let last: GpuLoss | undefined;
    const run = (...args: readonly unknown[]): GpuLoss => {
      this.refuseDisposed("backward");
      last?.dispose();
      this.holdings.dropGradients();
      return (last = this.holdings.receive(differentiated.run(args)));
    };
    const dispose = (): void => {
      last?.dispose();
      differentiated.dispose();
    };
    return owned(run, { dispose });
  }

  /**
   * Makes a compiled function of the parameters, as `forward` of "downhill/jax" does. Its results are computed
   * with the values of the moment of the call; they belong to the caller.
   */
  forward<Result extends ArrayTree, Args extends readonly ArrayTree[] = JaxArray[]>(
    fn: (tree: T, ...args: Args) => Result,
  ): Forward<Args, Result> {
    checkFunction(fn, "forward: fn", "a function of the parameters and the arguments");
    const compiled = new CompiledFunction(this.leaves, fn as unknown as TreeFunction);
    const run = (...args: readonly unknown[]): ArrayTree => {
      this.refuseDisposed("forward");
      const result = compiled.run(args);
      const arrays = leavesOf(result).map(({ value }) => this.holdings.settle(value as JaxArray));
      return fill(result, arrays.values()) as ArrayTree;
    };
    return owned(run, compiled);
  }

  /** New jax arrays with the current values, in the original nesting. They belong to the caller. */
  arrays(): T {
    this.refuseDisposed("arrays");
    const copies = this.parameters.map((each) => this.holdings.copyOf(each));
    return fill(this.leaves.skeleton, copies.values()) as T;
  }

  /**
   * Gives all memory back to jax-js, values and gradients. Take what you need before: the parameters must not
   * be used afterwards.
   */
  dispose(): void {
    if (!this.isDisposed) this.holdings.dispose();
    this.isDisposed = true;
  }

  private refuseDisposed(subject: string): void {
    if (!this.isDisposed) return;
    throw new BackendError("DISPOSED", {
      subject,
      got: new Prose("a call after the model's dispose()"),
      expected: "calls before it",
    });
  }
}

/**
 * Makes parameters of a jax pytree whose arrays are on the GPU: each becomes a {@link GpuParameter} with a copy
 * of its values, named by its path (`"w1"`, `"layers.0.weight"`). They live in jax-js's memory until
 * `dispose()`, and are for the optimizers of "downhill/webgpu".
 *
 * The arrays are used up, as by every jax-js function; pass `array.ref` to keep one. Computation takes place on
 * the GPU, wherever the arguments are.
 *
 * @throws {ParameterError} `BAD_VALUES`, `BAD_DTYPE` or `BAD_DEVICE` for a leaf that is no live float32 array
 *   on WebGPU, `DUPLICATE_PARAMETER` for an array that stands in two places, `NO_PARAMS` for an empty tree. No
 *   array is used up then.
 *
 * @example
 * await init("webgpu");
 * defaultDevice("webgpu");
 * const model = trainable({ w: np.zeros([3]), b: np.zeros([]) });
 * const optimizer = new Adam(model.parameters, { lr: 0.01 });
 * const backward = model.backward(({ w, b }, x, y) =>
 *   np.square(np.dot(x, w).add(b).sub(y)).mean(),
 * );
 * for (const [x, y] of batches) {
 *   const loss = backward(x, y);
 *   optimizer.step();
 *   optimizer.zeroGrad();
 * }
 */
export function trainable<T extends ArrayTree>(tree: T): GpuTrainable<T> {
  const leaves = arrayLeaves(tree, ["float32"]);
  for (const leaf of leaves) checkLeaf(leaf);
  const device = getWebGPUDevice();
  const values = new Map(
    leaves.map(({ name, array }): [GpuParameter, JaxArray] => {
      const copy = copyOf(device, array);
      return [adopt(device, copy, name), copy];
    }),
  );
  for (const { array } of leaves) array.dispose();
  return new GpuTrainable<T>(new Holdings(device, values), [...values.keys()], skeletonOf(tree));
}

function adopt(device: GPUDevice, array: JaxArray, name: string | undefined): GpuParameter {
  const options = { shape: [...array.shape], ...(name !== undefined && { name }) };
  if (array.size === 0) return parameter(device, options);
  return parameter(device, { data: bufferOf(array) }, options);
}

function checkLeaf({ array, label }: ArrayLeaf): void {
  if (array.device === "webgpu") return;
  throw new ParameterError("BAD_DEVICE", {
    subject: label,
    got: new Prose(`an array on ${array.device}`),
    expected: "one on webgpu",
    advice: 'Call defaultDevice("webgpu") before you make the arrays, or devicePut() them.',
  });
}
