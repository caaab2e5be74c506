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
  /** The first error that the device reported and nobody has been told of. */
  private failure = "";
  /** Why the device is gone: it then is done at once with whatever it is given. */
  private loss = "";
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
    void device.lost.then(({ reason, message }) => {
      if (reason !== "destroyed") this.loss = message || "nobody says why";
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
    if (!this.stamps) return times;
    const some = Math.min(count, MOST_IN_PASS);
    this.submit(steps, some);
    return { ...times, device: (await this.elapsed(this.stamps)) / some };
  }

  /** The CPU's share of `count` calls, and the time until the GPU is done with all that they submitted. */
  async timeCalls(step: () => void, count: number): Promise<{ wall: number; host: number }> {
    const { queue } = this.device;
    const start = performance.now();
    for (let i = 0; i < count; i++) step();
    const host = (performance.now() - start) / count;
    await queue.onSubmittedWorkDone();
    const wall = (performance.now() - start) / count;
    this.check();
    return { host, wall };
  }

  /** Whether the device has a clock of its own. */
  get isPrecise(): boolean {
    return this.stamps !== undefined;
  }

  /**
   * Takes `count` steps, many of them in each submission; milliseconds of a step by the device's clock, or
   * without one until the device is done with all.
   *
   * @throws {Error} if the device has reported an error.
   */
  async timeTogether(steps: GpuSteps, count: number): Promise<number> {
    const start = performance.now();
    this.submit(steps, count);
    if (this.stamps) return (await this.elapsed(this.stamps)) / count;
    await this.device.queue.onSubmittedWorkDone();
    this.check();
    return (performance.now() - start) / count;
  }

  /** Submits steps in passes of many; the first one's beginning is stamped, and the last one's end. */
  private submit(steps: GpuSteps, count: number): void {
    const { stamps, device } = this;
    for (let done = 0; done < count; done += MOST_IN_PASS) {
      const encoder = device.createCommandEncoder();
      const [isFirst, isLast] = [done === 0, done + MOST_IN_PASS >= count];
      const timestampWrites = stamps && {
        querySet: stamps.query,
        ...(isFirst && { beginningOfPassWriteIndex: 0 }),
        ...(isLast && { endOfPassWriteIndex: 1 }),
      };
      const isStamped = timestampWrites && (isFirst || isLast);
      const pass = encoder.beginComputePass(isStamped ? { timestampWrites } : {});
      for (let i = done; i < Math.min(done + MOST_IN_PASS, count); i++) steps.encode(pass);
      pass.end();
      if (stamps && isLast) {
        encoder.resolveQuerySet(stamps.query, 0, 2, stamps.resolved, 0);
        encoder.copyBufferToBuffer(stamps.resolved, 0, stamps.here, 0, STAMP_BYTES);
      }
      device.queue.submit([encoder.finish()]);
    }
  }

  /** Milliseconds between the two stamps. */
  private async elapsed({ here }: NonNullable<GpuClock["stamps"]>): Promise<number> {
    await here.mapAsync(MAP_READ);
    const [begin, end] = new BigUint64Array(here.getMappedRange());
    here.unmap();
    this.check();
    return Number(end! - begin!) / 1e6;
  }

  /**
   * Whoever is told of an error is whom it belongs to: the next one begins without.
   *
   * @throws {Error} if the device has reported an error since it was last asked, or is lost.
   */
  check(): void {
    const { failure, loss } = this;
    this.failure = "";
    if (loss !== "") throw new Error(`the device is lost: ${loss}`);
    if (failure !== "") throw new Error(`the device says: ${failure.split("\n")[0]}`);
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
