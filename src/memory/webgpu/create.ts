/** Makes parameters on a GPU: of numbers, of a shape alone, or of buffers that somebody else has. */
import { ParameterError, Prose } from "../../errors.ts";
import { parameter as onCpu } from "../create.ts";
import type { TypedArray } from "../dtype.ts";
import type { ParameterOptions } from "../parameter.ts";
import { sizeOfShape, type NestedNumbers } from "../shape.ts";
import { Chunk } from "./chunk.ts";
import { partOf, refuseBuffer, wholeOf, type GivenBuffer } from "./given.ts";
import { readCapacity, type GpuParameterOptions } from "./options.ts";
import { GpuParameter } from "./parameter.ts";

/** Buffers, or parts of them, that hold a parameter and its gradient as float32. */
export interface AdoptedBuffers {
  /** Needs `STORAGE`, and `COPY_SRC` and `COPY_DST` to be read and written from the CPU. */
  readonly data: GivenBuffer;
  /**
   * Needs `STORAGE`. Steps only read it, unless they are told to set it to zero; its rows move with others.
   * Without one the parameter takes no steps until `rebind` lends it a gradient.
   */
  readonly grad?: GivenBuffer;
}

/**
 * A parameter on a GPU.
 *
 * @param values numbers, flat or nested, of which a copy is made; or nothing but `{ shape }` for zeros; or
 *   buffers of your own, which the optimizer then updates in place: `{ data, grad }`, whole or as
 *   `{ buffer, offset, size }` with offsets that are multiples of 256.
 * @throws {ParameterError} `BAD_SHAPE`, `BAD_VALUES`, `BAD_OPTION` or `BAD_BUFFER`.
 *
 * @example
 * parameter(device, new Float32Array(1000), { name: "w", shape: [10, 100] });
 * parameter(device, { name: "b", shape: [100] });
 * parameter(device, { data: positions, grad: gradients }, { name: "positions", shape: [5000, 3] });
 * parameter(device, { name: "splats", shape: [5000, 14], capacity: 20_000 }); // rows may come and go
 */
export function parameter(
  device: GPUDevice,
  values: TypedArray | NestedNumbers,
  options?: GpuParameterOptions,
): GpuParameter;
export function parameter(
  device: GPUDevice,
  buffers: AdoptedBuffers,
  options?: GpuParameterOptions,
): GpuParameter;
export function parameter(
  device: GPUDevice,
  options: GpuParameterOptions & { readonly shape: readonly number[] },
): GpuParameter;
export function parameter(
  device: GPUDevice,
  first: TypedArray | NestedNumbers | AdoptedBuffers | GpuParameterOptions,
  options: GpuParameterOptions = {},
): GpuParameter {
  requireDevice(device);
  if (isBuffers(first)) return adopt(device, first, options);
  if (isShapeAlone(first)) {
    checkOptions(first);
    sizeOfShape(first.shape, labelOf(first));
    return new GpuParameter(device, first.shape, null, null, first);
  }
  // The CPU's function checks and reads all forms that values may have.
  const { shape, data } = onCpu(first as number[], onCpuToo(options));
  return new GpuParameter(device, shape, null, data, options);
}

/** As the CPU's function does, but for the shape. */
function checkOptions(options: GpuParameterOptions): void {
  onCpu({ ...onCpuToo(options), shape: [0] });
}

/** Options without what parameters on the CPU do not have. */
function onCpuToo(options: GpuParameterOptions): ParameterOptions & { readonly dtype: "float32" } {
  const { lrScale: _, capacity: __, ...others } = { ...options };
  return { ...others, dtype: "float32" };
}

function requireDevice(device: unknown): void {
  const is = typeof device === "object" && device !== null && "createComputePipeline" in device;
  if (is) return;
  throw new ParameterError("BAD_OPTION", {
    subject: "parameter: device",
    got: device,
    expected: "a GPUDevice",
    advice: 'Get one with await requestDevice(). Parameters on the CPU come from "downhill".',
  });
}

function isBuffers(first: object | number): first is AdoptedBuffers {
  return typeof first === "object" && !ArrayBuffer.isView(first) && "data" in first;
}

function isShapeAlone(first: unknown): first is GpuParameterOptions & { shape: number[] } {
  const isObject = typeof first === "object" && first !== null && "shape" in first;
  return isObject && !Array.isArray(first) && !ArrayBuffer.isView(first);
}

function adopt(
  device: GPUDevice,
  buffers: AdoptedBuffers,
  options: GpuParameterOptions,
): GpuParameter {
  const label = labelOf(options);
  const whole = wholeOf(`${label}: data`, buffers.data);
  checkOptions(options);
  const { shape = [whole.size / Float32Array.BYTES_PER_ELEMENT] } = options;
  sizeOfShape(shape, label);
  const room = sizeOfShape(
    [readCapacity(label, shape, options.capacity), ...shape.slice(1)],
    label,
  );
  const data = partOf(`${label}: data`, whole, room);
  const grad = buffers.grad
    ? partOf(`${label}: grad`, wholeOf(`${label}: grad`, buffers.grad), room)
    : null;
  if (grad && data.buffer === grad.buffer && Math.abs(data.offset - grad.offset) < data.size) {
    const overlap = new Prose("a gradient that overlaps its parameter");
    refuseBuffer(label, overlap, "parts of a buffer apart");
  }
  const chunk = new Chunk(device, { data, grad }, room, false);
  return new GpuParameter(device, shape, { chunk, offset: 0 }, null, options);
}

function labelOf({ name }: GpuParameterOptions): string {
  return name === undefined ? "parameter" : `parameter ${JSON.stringify(name)}`;
}
