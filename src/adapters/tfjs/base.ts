/**
 * What all optimizers for TensorFlow.js have: `minimize`, `computeGradients` and `applyGradients`, by which
 * tfjs tells an optimizer, their asynchronous twins, and the weights that layers save.
 */
import type { NamedTensorMap, Scalar, Tensor, Variable } from "@tensorflow/tfjs-core";
import { BackendError, CallError, Prose } from "../../errors.ts";
import type { NamedTensor, VariableGradients } from "./moves.ts";
import { Queue } from "./queue.ts";
import type { PreparedStep } from "./runner.ts";
import type { Tf } from "./tf.ts";
import { disposeWeights } from "./weights.ts";

export abstract class TfOptimizerBase {
  /** @internal */ readonly tf: Tf;
  /** @internal What messages call it. */ readonly name: string;
  private readonly queue = new Queue();
  private given: readonly NamedTensor[] = [];
  private disposed = false;

  constructor(tf: Tf, name: string) {
    this.tf = tf;
    this.name = name;
  }

  /** How many steps have been taken. */
  abstract get iterations(): number;
  /** @internal All of a step that can fail. */
  abstract prepare(call: string, gradients: VariableGradients): PreparedStep;
  /** @internal The same on every backend. */
  abstract prepareAsync(call: string, gradients: VariableGradients): Promise<PreparedStep>;
  /** @internal New tensors. */
  abstract makeWeights(): Promise<NamedTensor[]>;
  /** @internal Checks what {@link makeWeights} made. @returns what goes on from there. */
  abstract readWeights(weights: readonly NamedTensor[]): Promise<() => void>;
  protected abstract release(): void;

  /** The name under which `registerOptimizer` makes the class known to tfjs-layers. */
  abstract getClassName(): string;

  /**
   * Computes a loss and its gradients, and takes a step.
   *
   * @param f returns the loss, a scalar.
   * @param returnCost whether to return the loss, which is then the caller's to dispose.
   * @param varList the variables to train, by default all that are trainable.
   * @throws {DownhillError} as {@link applyGradients} does.
   */
  minimize(f: () => Scalar, returnCost = false, varList?: Variable[]): Scalar | null {
    this.requireFree("minimize");
    const { value, grads } = this.computeGradients(f, varList);
    try {
      finish(this.prepare("minimize", grads));
    } catch (error) {
      value.dispose();
      throw error;
    } finally {
      disposeAll(grads);
    }
    return costOf(value, returnCost);
  }

  /** As {@link minimize}, on every backend: WebGPU in Node can only be read asynchronously. */
  minimizeAsync(f: () => Scalar, returnCost = false, varList?: Variable[]): Promise<Scalar | null> {
    return this.enqueue("minimizeAsync", async () => {
      const { value, grads } = this.computeGradients(f, varList);
      try {
        finish(await this.prepareAsync("minimizeAsync", grads));
      } catch (error) {
        value.dispose();
        throw error;
      } finally {
        disposeAll(grads);
      }
      return costOf(value, returnCost);
    });
  }

  /** The loss and its gradients, which are the caller's to dispose: what `tf.variableGrads` gives. */
  computeGradients(
    f: () => Scalar,
    varList?: Variable[],
  ): { value: Scalar; grads: NamedTensorMap } {
    return this.tf.variableGrads(f, varList);
  }

  /**
   * Takes a step with these gradients, which stay the caller's. Variables without one are left alone.
   *
   * @param gradients by the names of their variables, or a list of `{ name, tensor }`.
   * @throws {ParameterError} `UNKNOWN_PARAMETER` for a variable that is not registered, `BAD_DTYPE`,
   *   `NOTHING_MATCHED`; {GradientError} `BAD_GRADIENT`; {OptionError} for a hyperparameter that was changed;
   *   {StateDictError} for state that was loaded and does not fit; {BackendError} `ASYNC_ONLY`, `DISPOSED`;
   *   {CallError} `BUSY`. Nothing has changed then.
   */
  applyGradients(gradients: VariableGradients): void {
    this.requireFree("applyGradients");
    finish(this.prepare("applyGradients", gradients));
  }

  /** As {@link applyGradients}, on every backend. The gradients must live until the promise resolves. */
  applyGradientsAsync(gradients: VariableGradients): Promise<void> {
    const call = "applyGradientsAsync";
    return this.enqueue(call, async () => finish(await this.prepareAsync(call, gradients)));
  }

  /**
   * All that is remembered, as the weights that tfjs-layers saves with a model: `iter` first. The tensors
   * stay the optimizer's: the next call disposes them, and so does {@link dispose}.
   */
  getWeights(): Promise<NamedTensor[]> {
    return this.enqueue("getWeights", async () => {
      const weights = await this.makeWeights();
      disposeWeights(this.given);
      this.given = weights;
      return weights;
    });
  }

  /**
   * Goes on from what {@link getWeights} gave, with the next step: state waits for the variables of each group,
   * for those of the same names if all names are there, otherwise in order.
   *
   * @throws {StateDictError} `STATE_MISMATCH`, {OptionError}; nothing has changed then.
   */
  setWeights(weights: readonly NamedTensor[]): Promise<void> {
    return this.enqueue("setWeights", async () => {
      const commit = await this.readWeights(weights);
      commit();
    });
  }

  /** Lets go of memory and threads. It must not be used afterwards. */
  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    disposeWeights(this.given);
    this.release();
  }

  /** @internal Runs an asynchronous call after those before. */
  protected enqueue<T>(call: string, work: () => Promise<T>): Promise<T> {
    return this.queue.add(async () => {
      this.requireAlive(call);
      return work();
    });
  }

  /**
   * @internal Lets no other asynchronous call begin once those before have ended, and until it is released.
   *
   * @returns a promise of what releases it; rejected if this is disposed by then.
   */
  hold(call: string): Promise<() => void> {
    return new Promise((begin, fail) => {
      const held = () => new Promise<void>((release) => begin(release));
      this.enqueue(call, held).catch(fail);
    });
  }

  /** @internal @throws {BackendError} `DISPOSED`; {CallError} `BUSY`. */
  requireFree(call: string): void {
    this.requireAlive(call);
    if (!this.queue.isBusy) return;
    throw new CallError("BUSY", {
      subject: `${this.name}: ${call}`,
      got: new Prose("a call while an asynchronous one is under way"),
      expected: "a call after it",
      advice: "Await minimizeAsync() and applyGradientsAsync().",
    });
  }

  private requireAlive(call: string): void {
    if (!this.disposed) return;
    throw new BackendError("DISPOSED", {
      subject: `${this.name}: ${call}`,
      got: new Prose("a call after dispose()"),
      expected: "calls before it",
    });
  }
}

const finish = (step: PreparedStep): void => step.end(step.isTaken);

function costOf(value: Scalar, returnCost: boolean): Scalar | null {
  if (returnCost) return value;
  value.dispose();
  return null;
}

function disposeAll(gradients: NamedTensorMap): void {
  for (const gradient of Object.values(gradients) as (Tensor | null)[]) gradient?.dispose();
}
