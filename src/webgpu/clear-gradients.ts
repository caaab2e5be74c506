/** Sets gradients to zero, and lets go of those that are lent. */
import type { GpuEntry } from "./entry.ts";

type Entries = readonly Pick<GpuEntry, "parameter">[];

/** @throws {BackendError} `NOT_WRITABLE`; nothing has changed then. */
export function clearGradients(device: GPUDevice, entries: Entries): void {
  const lent = entries.filter(({ parameter }) => parameter.borrowsGrad);
  const own = entries.filter(({ parameter }) => !parameter.borrowsGrad);
  for (const { parameter } of own) parameter.requireWritable("grad", "zeroGrad");
  for (const { parameter } of lent) {
    parameter.home!.chunk.letGoOfGrad();
    parameter.hasGrad = false;
  }
  if (own.length === 0) return;
  const encoder = device.createCommandEncoder();
  for (const { parameter } of own) {
    const { buffer, offset, size } = parameter.grad;
    encoder.clearBuffer(buffer, offset, size);
  }
  device.queue.submit([encoder.finish()]);
}

/** @throws {BackendError} `NOT_WRITABLE` where a step would write zeros into a gradient that is lent. */
export function requireOwnGradients(entries: Entries): void {
  for (const { parameter } of entries) {
    if (parameter.hasGrad) parameter.requireOwnGrad("step({ zeroGrad: true })");
  }
}
