/**
 * The jax arrays behind parameters on a GPU: their values, which steps change in place, and the gradients
 * that wait for a step.
 *
 * jax-js takes its arrays for constants, so nobody else may have the buffer of one that changes: values are
 * copied where they come in and where they go out, and so is a result or a gradient of which jax-js finds that
 * it is a parameter. Everything else is read where it is.
 */
import { numpy as np } from "@jax-js/jax";
import type { GpuParameter } from "../../memory/webgpu/parameter.ts";
import { rebind } from "../../memory/webgpu/rebind.ts";
import { checkShapes, type Outcome } from "./gradients.ts";
import { bufferOf, copyOf } from "./gpu-arrays.ts";
import { GpuLoss } from "./gpu-loss.ts";
import { Loan } from "./loan.ts";
import type { JaxArray } from "./tree.ts";

interface Held {
  readonly values: JaxArray;
  gradient: JaxArray | null;
}

export class Holdings {
  private readonly device: GPUDevice;
  private readonly held: ReadonlyMap<GpuParameter, Held>;
  private readonly buffers: ReadonlySet<GPUBuffer>;

  /** @param values of each parameter, in buffers that are nobody else's. */
  constructor(device: GPUDevice, values: ReadonlyMap<GpuParameter, JaxArray>) {
    this.device = device;
    this.held = new Map([...values].map(([p, array]) => [p, { values: array, gradient: null }]));
    this.buffers = new Set([...values.values()].filter(({ size }) => size > 0).map(bufferOf));
  }

  valuesOf(parameter: GpuParameter): JaxArray {
    return this.held.get(parameter)!.values;
  }

  copyOf(parameter: GpuParameter): JaxArray {
    return copyOf(this.device, this.valuesOf(parameter));
  }

  /** Submits what a new array waits for; if it is a parameter, a copy takes its place. */
  settle(array: JaxArray): JaxArray {
    if (!this.buffers.has(bufferOf(array))) return array;
    const copy = copyOf(this.device, array);
    array.dispose();
    return copy;
  }

  /** Gives back gradients that do not count any more. */
  dropGradients(): void {
    for (const [parameter, held] of this.held) {
      if (!held.gradient || parameter.hasGrad) continue;
      // One that was frozen must not find it again.
      if (parameter.size > 0) rebind(parameter, { grad: null });
      held.gradient.dispose();
      held.gradient = null;
    }
  }

  /**
   * Lends new gradients to the parameters; each is set where there was none and added where there was one.
   *
   * @returns the loss. @throws {GradientError} `BAD_GRADIENT`; all gradients are as they were then.
   */
  receive({ loss, gradients, trained }: Outcome<GpuParameter>): GpuLoss {
    const loan = new Loan();
    const own = (array: JaxArray) => loan.own(array);
    [loss, ...gradients].forEach(own);
    try {
      checkShapes(trained, gradients);
      const single = own(loss.dtype === np.float32 ? loss : loss.astype(np.float32));
      // The first buffer submits everything that was queued.
      const result = own(this.settle(single));
      const sums = trained.map((parameter, i) => {
        const { gradient: before } = this.held.get(parameter)!;
        return own(before ? before.ref.add(gradients[i]!) : own(this.settle(gradients[i]!)));
      });
      const buffers = sums.map(bufferOf);
      trained.forEach((parameter, i) => this.lend(parameter, sums[i]!, buffers[i]!));
      return new GpuLoss(this.device, result);
    } catch (error) {
      loan.release();
      throw error;
    }
  }

  dispose(): void {
    for (const [parameter, { values, gradient }] of this.held) {
      if (parameter.size > 0) rebind(parameter, { grad: null });
      gradient?.dispose();
      values.dispose();
    }
  }

  private lend(parameter: GpuParameter, gradient: JaxArray, grad: GPUBuffer): void {
    const held = this.held.get(parameter)!;
    if (parameter.size > 0) rebind(parameter, { grad });
    held.gradient?.dispose();
    held.gradient = gradient;
  }
}
