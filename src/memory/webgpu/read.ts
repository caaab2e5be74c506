/** Reading a buffer back: through a copy of it that the CPU may look at. */
import { BackendError, Prose } from "../../errors.ts";
import { limits } from "./chunk.ts";
import { MAP_READ, Usage } from "./constants.ts";

/** Where the copy of a part is. */
interface Copy {
  readonly staging: number;
  readonly offset: number;
}

/**
 * Copies of parts of buffers. One submit and one wait, however many there are, in as few buffers as the
 * device allows.
 *
 * @throws {BackendError} `DEVICE_LOST` if the device is lost before they are here.
 */
export async function readParts(
  device: GPUDevice,
  subject: string,
  parts: readonly GPUBufferBinding[],
): Promise<ArrayBuffer[]> {
  const sizes = parts.map(({ size = 0 }) => size);
  if (sizes.every((size) => size === 0)) return sizes.map(() => new ArrayBuffer(0));
  const most = Math.min(device.limits.maxBufferSize, limits.buffer);
  const loads: number[] = [];
  const copies = sizes.map((size): Copy => {
    if (loads.length === 0 || loads.at(-1)! + size > most) loads.push(0);
    const staging = loads.length - 1;
    const offset = loads[staging]!;
    loads[staging] = offset + size;
    return { staging, offset };
  });
  const usage = Usage.mapRead | Usage.copyTarget;
  const label = "downhill: reading";
  const stagings = loads.map((size) => device.createBuffer({ label, size, usage }));
  const encoder = device.createCommandEncoder();
  parts.forEach(({ buffer, offset: from = 0 }, i) => {
    if (sizes[i] === 0) return;
    const { staging, offset } = copies[i]!;
    encoder.copyBufferToBuffer(buffer, from, stagings[staging]!, offset, sizes[i]!);
  });
  device.queue.submit([encoder.finish()]);
  try {
    await Promise.all(stagings.map((staging) => staging.mapAsync(MAP_READ)));
  } catch (error) {
    throw lost(subject, error);
  }
  const mapped = stagings.map((staging) => staging.getMappedRange());
  const results = copies.map(({ staging, offset }, i) =>
    mapped[staging]!.slice(offset, offset + sizes[i]!),
  );
  for (const staging of stagings) staging.destroy();
  return results;
}

/** @throws {BackendError} unless a buffer may be copied from (`NOT_READABLE`) or to (`NOT_WRITABLE`). */
export function requireCopies(subject: string, buffer: GPUBuffer, way: "from" | "to"): void {
  const [usage, name, code] =
    way === "from"
      ? ([Usage.copySource, "COPY_SRC", "NOT_READABLE"] as const)
      : ([Usage.copyTarget, "COPY_DST", "NOT_WRITABLE"] as const);
  if (buffer.usage & usage) return;
  throw new BackendError(code, {
    subject,
    got: new Prose(`a buffer without ${name} among its usages`),
    expected: `one that may be copied ${way}`,
    advice: `Add GPUBufferUsage.${name} where you make the buffer.`,
  });
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
