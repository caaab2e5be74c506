/** Checks buffers that users hand in, and makes parts of a buffer of them. */
import { ParameterError, Prose } from "../../errors.ts";
import type { BufferPart } from "./chunk.ts";
import { BINDING_ALIGNMENT, Usage } from "./constants.ts";

/** A buffer, or a part of it. */
export type GivenBuffer = GPUBuffer | GPUBufferBinding;

/** All that was given, as a part of a buffer. */
export function wholeOf(subject: string, given: GPUBuffer | GPUBufferBinding): BufferPart {
  const isPart = typeof given === "object" && given !== null && "buffer" in given;
  const buffer = isPart ? given.buffer : given;
  if (typeof buffer !== "object" || buffer === null || !("usage" in buffer)) {
    refuseBuffer(subject, given, "a GPUBuffer, or { buffer, offset, size }");
  }
  const offset = (isPart ? given.offset : undefined) ?? 0;
  const size = (isPart ? given.size : undefined) ?? buffer.size - offset;
  return { buffer, offset, size };
}

export function partOf(subject: string, whole: BufferPart, elements: number): BufferPart {
  const { buffer, offset } = whole;
  if (!(buffer.usage & Usage.storage)) {
    refuseBuffer(
      subject,
      new Prose("a buffer without STORAGE among its usages"),
      "a storage buffer",
    );
  }
  if (offset % BINDING_ALIGNMENT !== 0) {
    refuseBuffer(subject, new Prose(`offset ${offset}`), `a multiple of ${BINDING_ALIGNMENT}`);
  }
  const size = elements * Float32Array.BYTES_PER_ELEMENT;
  if (elements === 0 || whole.size < size || offset + size > buffer.size) {
    refuseBuffer(
      subject,
      new Prose(`${whole.size} bytes from ${offset} on, of a buffer of ${buffer.size}`),
      elements === 0 ? "at least one element" : `${size} bytes for ${elements} elements`,
    );
  }
  return { buffer, offset, size };
}

export function refuseBuffer(subject: string, got: unknown, expected: string): never {
  throw new ParameterError("BAD_BUFFER", { subject, got, expected });
}
