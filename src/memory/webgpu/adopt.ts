/** Lays the parameters of an optimizer side by side on their device, in as few buffers as it allows. */
import { BackendError, Prose } from "../../errors.ts";
import { showBytes } from "../arena.ts";
import { aligned, Chunk, limits, TENSOR_ALIGNMENT } from "./chunk.ts";
import type { GpuHome, GpuParameter } from "./parameter.ts";

const BYTES = Float32Array.BYTES_PER_ELEMENT;

/**
 * Gives a home to every parameter that has none.
 *
 * @throws {BackendError} `OUT_OF_MEMORY` if one of them is too large for a buffer; none has moved then.
 */
export function place(device: GPUDevice, parameters: readonly GpuParameter[]): void {
  const homeless = parameters.filter(({ home }) => home === null);
  const homes = homesFor(device, homeless);
  homeless.forEach((parameter, i) => parameter.moveTo(homes[i]!));
}

/** How much room somebody needs. */
export interface RoomWanted {
  readonly label: string;
  /** Elements. */
  readonly room: number;
}

/**
 * New places, side by side, that are zero all over.
 *
 * @throws {BackendError} `OUT_OF_MEMORY` if one is too large for a buffer; nothing has been made then.
 */
export function homesFor(device: GPUDevice, wanted: readonly RoomWanted[]): GpuHome[] {
  const most = mostElements(device);
  const loads: number[] = [];
  const places = wanted.map((one) => {
    const elements = aligned(one.room);
    if (elements > most) refuse(one, most * BYTES);
    if (loads.length === 0 || loads.at(-1)! + elements > most) loads.push(0);
    const load = loads.length - 1;
    const offset = loads[load]!;
    loads[load]! += elements;
    return { load, offset };
  });
  const chunks = loads.map((elements) => Chunk.create(device, elements));
  return places.map(({ load, offset }) => ({ chunk: chunks[load]!, offset }));
}

/** The largest number of elements that a buffer may have, aligned. */
export function mostElements(device: GPUDevice): number {
  const unit = TENSOR_ALIGNMENT * BYTES;
  const bytes = Math.min(device.limits.maxBufferSize, limits.buffer);
  return (Math.floor(bytes / unit) * unit) / BYTES;
}

function refuse({ label, room }: RoomWanted, most: number): never {
  throw new BackendError("OUT_OF_MEMORY", {
    subject: label,
    got: new Prose(showBytes(room * BYTES)),
    expected: `at most ${showBytes(most)} in one buffer, as the device has been asked for`,
    advice: "Use requestDevice(), which asks for what the adapter has, or split the parameter.",
  });
}
