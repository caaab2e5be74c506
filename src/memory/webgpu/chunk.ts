/**
 * Memory on a GPU: one buffer for parameters and one for their gradients, element by element side by side.
 *
 * Every tensor starts where a binding may start, so that its part can be bound in anybody's shader.
 */
import { BINDING_ALIGNMENT, SHARED_USAGE } from "./constants.ts";

/** Elements on a multiple of which every tensor starts. */
export const TENSOR_ALIGNMENT = BINDING_ALIGNMENT / Float32Array.BYTES_PER_ELEMENT;

/** Elements on a multiple of which bindings may start, also those of slots with 2 bytes for each. */
export const WINDOW_ALIGNMENT = 2 * TENSOR_ALIGNMENT;

/** Bytes of a buffer and of a binding, where a device allows more. Tests set less. */
export const limits = { buffer: Infinity, binding: Infinity };

/** A part of a buffer, in bytes. */
export interface BufferPart {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

/** Where a chunk is: another object whenever it is somewhere else. */
export interface Location {
  readonly data: BufferPart;
  /** `null` until somebody lends a gradient. */
  readonly grad: BufferPart | null;
}

export class Chunk {
  readonly device: GPUDevice;
  location: Location;
  /** Whether the gradient is somebody else's, who lends it for some steps: it is only read. */
  isGradLent = false;
  readonly elements: number;
  /** Whether the buffers were made here, so that also what lies between tensors may be written. */
  readonly isOwn: boolean;
  private tenants = 0;

  constructor(device: GPUDevice, location: Location, elements: number, isOwn: boolean) {
    this.device = device;
    this.location = location;
    this.elements = elements;
    this.isOwn = isOwn;
  }

  /** There is no gradient that is lent any more. */
  letGoOfGrad(): void {
    this.location = { data: this.location.data, grad: null };
    this.isGradLent = false;
  }

  /** A parameter has its place here. */
  enter(): void {
    this.tenants++;
  }

  /** A parameter has another place now; what the last one leaves is given back. */
  leave(): void {
    if (--this.tenants > 0 || !this.isOwn) return;
    const { data, grad } = this.location;
    data.buffer.destroy();
    grad?.buffer.destroy();
  }

  /** New memory, zero all over, for a number of elements that is aligned. */
  static create(device: GPUDevice, elements: number): Chunk {
    const size = elements * Float32Array.BYTES_PER_ELEMENT;
    const part = (label: string): BufferPart => {
      const buffer = device.createBuffer({ label, size, usage: SHARED_USAGE });
      return { buffer, offset: 0, size };
    };
    const location = { data: part("downhill: parameters"), grad: part("downhill: gradients") };
    return new Chunk(device, location, elements, true);
  }
}

/** The last place up to an element where bindings of all slots may start. */
export function windowStart(element: number): number {
  return element - (element % WINDOW_ALIGNMENT);
}

/** A number of elements, up to where the next tensor may start. */
export function aligned(elements: number): number {
  return Math.max(1, Math.ceil(elements / TENSOR_ALIGNMENT)) * TENSOR_ALIGNMENT;
}
