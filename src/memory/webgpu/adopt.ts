/** Lays the parameters of an optimizer side by side on their device, in as few buffers as it allows. */
import { BackendError, Prose } from "../../errors.ts";
import { showBytes } from "../arena.ts";
import { aligned, Chunk, limits, TENSOR_ALIGNMENT } from "./chunk.ts";
import type { GpuParameter } from "./parameter.ts";

const BYTES = Float32Array.BYTES_PER_ELEMENT;

/**
 * Gives a home to every parameter that has none.
 *
 * @throws {BackendError} `OUT_OF_MEMORY` if one of them is too large for a buffer; none has moved then.
 */
export function place(device: GPUDevice, parameters: readonly GpuParameter[]): void {
  const homeless = parameters.filter(({ home }) => home === null);
  if (homeless.length === 0) return;
  const unit = TENSOR_ALIGNMENT * BYTES;
  const bytes = Math.min(device.limits.maxBufferSize, limits.buffer);
  const most = (Math.floor(bytes / unit) * unit) / BYTES;
  const loads: { elements: number; readonly moves: [GpuParameter, number][] }[] = [];
  for (const parameter of homeless) {
    const elements = aligned(parameter.size);
    if (elements > most) refuse(parameter, most * BYTES);
    let load = loads.at(-1);
    if (!load || load.elements + elements > most) loads.push((load = { elements: 0, moves: [] }));
    load.moves.push([parameter, load.elements]);
    load.elements += elements;
  }
  for (const { elements, moves } of loads) {
    const chunk = Chunk.create(device, elements);
    for (const [parameter, offset] of moves) parameter.moveTo({ chunk, offset });
  }
}

function refuse(parameter: GpuParameter, most: number): never {
  throw new BackendError("OUT_OF_MEMORY", {
    subject: parameter.label,
    got: new Prose(showBytes(parameter.size * BYTES)),
    expected: `at most ${showBytes(most)} in one buffer, as the device has been asked for`,
    advice: "Use requestDevice(), which asks for what the adapter has, or split the parameter.",
  });
}
