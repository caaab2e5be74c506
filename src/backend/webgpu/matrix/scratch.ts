/**
 * Memory in which matrices are worked on between their places, shared by all that runs one after another.
 *
 * Matrices are worked off so many at a time that those of a shape need no more than {@link SCRATCH_BYTES}, or
 * one at a time where one needs more: at most three times the bytes of the largest.
 */
import { Usage } from "../../../memory/webgpu/constants.ts";

const SCRATCH_BYTES = 64 * 2 ** 20;

export class Scratch {
  /** What users should not ask for more than together, if they can help it. */
  readonly bytes: number;
  private readonly device: GPUDevice;
  private readonly buffers = new Map<string, GPUBuffer>();

  constructor(device: GPUDevice, bytes = SCRATCH_BYTES) {
    this.device = device;
    this.bytes = bytes;
  }

  /** So much memory of a name; other calls with the name get the same. */
  binding(name: string, bytes: number): GPUBufferBinding {
    let buffer = this.buffers.get(name);
    if (!buffer || buffer.size < bytes) {
      // What was bound before keeps its smaller buffer: twice the size keeps these few.
      const twice = Math.min(2 * (buffer?.size ?? 0), this.bytes);
      const size = Math.max(bytes, twice);
      const label = `downhill: ${name}`;
      buffer = this.device.createBuffer({ label, size, usage: Usage.storage });
      this.buffers.set(name, buffer);
    }
    return { buffer, offset: 0, size: bytes };
  }
}
