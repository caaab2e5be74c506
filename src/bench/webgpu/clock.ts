// What a step on a GPU costs, three ways: until the GPU is done with it, as the GPU's own clock says, and
// until the CPU is done with it.

import { MAP_READ, Usage } from "../../memory/webgpu/constants.ts";

/** Something that takes steps on a device. */
export interface GpuSteps {
  /** Records a step and submits it, as its user would. */
  step(): void;
  /** Records a step. */
  encode(pass: GPUComputePassEncoder): void;
}

/** Milliseconds of a step, the mean of several. */
export interface StepTimes {
  /** From the first call until the GPU is done with the last step. */
  readonly wall: number;
  /** Recording and submitting alone. */
  readonly host: number;
  /** From the beginning of a pass with some steps to its end; only where the device has a clock. */
  readonly device?: number;
}

/** More steps are not recorded in one pass. */
const MOST_IN_PASS = 64;
const QUERY_RESOLVE = 0x0200;
/** Two numbers of 64 bits: when the pass began and when it ended, in nanoseconds. */
const STAMP_BYTES = 16;

export class GpuClock {
  private readonly device: GPUDevice;
  /** The first error that the device reported and nobody caught. */
  private failure = "";
  private readonly stamps:
    | { readonly query: GPUQuerySet; readonly resolved: GPUBuffer; readonly here: GPUBuffer }
    | undefined;

  /** @param hasClock whether the device's timestamps mean anything, if it has any. */
  constructor(device: GPUDevice, hasClock = true) {
    this.device = device;
    device.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      this.failure ||= event.error.message;
    });
    if (!hasClock || !device.features.has("timestamp-query")) return;
    const usage = QUERY_RESOLVE | Usage.copySource;
    this.stamps = {
      query: device.createQuerySet({ type: "timestamp", count: 2 }),
      resolved: device.createBuffer({ size: STAMP_BYTES, usage }),
      here: device.createBuffer({ size: STAMP_BYTES, usage: Usage.mapRead | Usage.copyTarget }),
    };
  }

  /**
   * Takes `count` steps that are submitted one by one, then some in one pass.
   *
   * @throws {Error} if the device has reported an error.
   */
  async time(steps: GpuSteps, count: number): Promise<StepTimes> {
    const times = await this.timeCalls(() => steps.step(), count);
    const device = await this.timePass(steps, Math.min(count, MOST_IN_PASS));
    return device === undefined ? times : { ...times, device };
  }

  /** The CPU's share of `count` calls, and the time until the GPU is done with all that they submitted. */
  async timeCalls(step: () => void, count: number): Promise<{ wall: number; host: number }> {
    const { queue } = this.device;
    const start = performance.now();
    for (let i = 0; i < count; i++) step();
    const host = (performance.now() - start) / count;
    await queue.onSubmittedWorkDone();
    const wall = (performance.now() - start) / count;
    if (this.failure !== "") throw new Error(`the device says: ${this.failure.split("\n")[0]}`);
    return { host, wall };
  }

  private async timePass(steps: GpuSteps, count: number): Promise<number | undefined> {
    if (!this.stamps) return undefined;
    const { query, resolved, here } = this.stamps;
    const encoder = this.device.createCommandEncoder();
    const timestampWrites = {
      querySet: query,
      beginningOfPassWriteIndex: 0,
      endOfPassWriteIndex: 1,
    };
    const pass = encoder.beginComputePass({ timestampWrites });
    for (let i = 0; i < count; i++) steps.encode(pass);
    pass.end();
    encoder.resolveQuerySet(query, 0, 2, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, here, 0, STAMP_BYTES);
    this.device.queue.submit([encoder.finish()]);
    await here.mapAsync(MAP_READ);
    const [begin, end] = new BigUint64Array(here.getMappedRange());
    const nanoseconds = Number(end! - begin!);
    here.unmap();
    return nanoseconds / (1e6 * count);
  }
}

/** A step of whoever records passes by himself. */
export function submitted(device: GPUDevice, encode: GpuSteps["encode"]): GpuSteps {
  return {
    encode,
    step: () => {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      encode(pass);
      pass.end();
      device.queue.submit([encoder.finish()]);
    },
  };
}
