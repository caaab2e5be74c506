/** Reading a buffer back: through a copy of it that the CPU may look at. */
import { BackendError, Prose } from "../../errors.ts";
import { MAP_READ, Usage } from "./constants.ts";

/**
 * Copies of parts of buffers. One submit and one wait, however many there are.
 *
 * @throws {BackendError} `DEVICE_LOST` if the device is lost before they are here.
 */
export async function readParts(
  device: GPUDevice,
  subject: string,
  parts: readonly GPUBufferBinding[],
): Promise<ArrayBuffer[]> {
  const sizes = parts.map(({ size = 0 }) => size);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total === 0) return sizes.map(() => new ArrayBuffer(0));
  const usage = Usage.mapRead | Usage.copyTarget;
  const staging = device.createBuffer({ label: "downhill: reading", size: total, usage });
  const encoder = device.createCommandEncoder();
  let at = 0;
  parts.forEach(({ buffer, offset = 0 }, i) => {
    if (sizes[i]! > 0) encoder.copyBufferToBuffer(buffer, offset, staging, at, sizes[i]!);
    at += sizes[i]!;
  });
  device.queue.submit([encoder.finish()]);
  try {
    await staging.mapAsync(MAP_READ);
  } catch (error) {
    throw lost(subject, error);
  }
  const all = staging.getMappedRange();
  at = 0;
  const copies = sizes.map((size) => all.slice(at, (at += size)));
  staging.destroy();
  return copies;
}

function lost(subject: string, cause: unknown): BackendError {
  const error = new BackendError("DEVICE_LOST", {
    subject,
    got: new Prose("a GPU device that did not deliver"),
    expected: "a device that is there",
    advice: "What was on it is gone. Make a new device, and load the last state dict.",
  });
  error.cause = cause;
  return error;
}

/** Writes numbers into a buffer. Those in shared memory are copied first: Node's queue cannot take them. */
export function writeNumbers(device: GPUDevice, to: GPUBufferBinding, numbers: Float32Array): void {
  const isShared = !(numbers.buffer instanceof ArrayBuffer);
  const own = (isShared ? new Float32Array(numbers) : numbers) as Float32Array<ArrayBuffer>;
  if (own.length > 0) device.queue.writeBuffer(to.buffer, to.offset ?? 0, own);
}
