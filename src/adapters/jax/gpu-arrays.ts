/**
 * jax arrays on a GPU: where their numbers are, and copies of them that share nothing.
 *
 * jax-js queues what it is asked for. Asking for the buffer of an array submits all that leads to it, so that
 * what is submitted afterwards finds it there and comes too late to change it.
 */
import { numpy as np } from "@jax-js/jax";
import type { JaxArray } from "./tree.ts";

/** Submits what an array waits for. @returns its buffer; the array stays alive. */
export function bufferOf(array: JaxArray): GPUBuffer {
  return array.ref.gpuBufferSync();
}

/** A new array with the same numbers, in a buffer that no other array has. */
export function copyOf(device: GPUDevice, array: JaxArray): JaxArray {
  const copy = np.zeros([...array.shape], { dtype: array.dtype, device: "webgpu" });
  const [from, to] = [bufferOf(array), bufferOf(copy)];
  if (array.size === 0) return copy;
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(from, 0, to, 0, to.size);
  device.queue.submit([encoder.finish()]);
  return copy;
}
