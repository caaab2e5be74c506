/**
 * Fits the Gaussians to a picture. An iteration is one submit: forward, loss, backward, and the optimizer's step
 * are dispatches of one compute pass, and nothing waits for the CPU.
 */
import { Adam, parameter, type GpuParameter } from "downhill/webgpu";
import { backward } from "./backward.wgsl.ts";
import { forward, HISTORY, loss, prepare, PREPARE_GROUP, TILE } from "./forward.wgsl.ts";
import { createKernel, MAP_READ, Usage, type Kernel, type KernelOptions } from "./gpu.ts";
import { initialRows, lrScale, WIDTH } from "./model.ts";

export interface TrainerOptions {
  /** Pixels along a side of the picture, a multiple of 16. */
  readonly size: number;
  /** The picture: red, green, blue and alpha (ignored) of each pixel, from 0 to 255. */
  readonly target: Uint8ClampedArray<ArrayBuffer>;
  /** How many Gaussians. */
  readonly count: number;
  /** For the places where they start. */
  readonly seed: number;
  readonly lr: number;
  /** Iterations between two readings of the losses (default 16). */
  readonly readEvery?: number;
}

/** A row, ready to be drawn: `Splat` in the shaders. */
const DRAWN_BYTES = 48;
const HISTORY_BYTES = 4 + 4 * HISTORY;

export class Trainer {
  readonly device: GPUDevice;
  readonly size: number;
  readonly count: number;
  readonly splats: GpuParameter;
  readonly optimizer: Adam;
  /** The picture to fit, a u32 per pixel. */
  readonly goal: GPUBuffer;
  /** What the last forward pass drew, minus that, a vec4f per pixel. */
  readonly errors: GPUBuffer;
  /** The Gaussians as it drew them. */
  readonly drawn: GPUBuffer;
  /** Iterations submitted. */
  iterations = 0;
  /** Mean squared errors before each iteration, those that have been read back. */
  readonly losses: number[] = [];
  private readonly readEvery: number;
  private readonly kernels: readonly Kernel[];
  private readonly history: GPUBuffer;
  private readonly buffers: GPUBuffer[] = [];
  /** Buffers to read losses through that no reading holds. */
  private readonly free: GPUBuffer[] = [];
  private reading: Promise<void> | null = null;

  constructor(device: GPUDevice, options: TrainerOptions) {
    const { size, target, count, seed, lr, readEvery = 16 } = options;
    this.device = device;
    this.size = size;
    this.count = count;
    this.readEvery = readEvery;
    const rows = initialRows(count, seed);
    this.splats = parameter(device, rows, { name: "splats", shape: [count, WIDTH], lrScale });
    this.optimizer = new Adam([this.splats], { lr });

    const tiles = size / TILE;
    const { STORAGE, COPY_SRC, COPY_DST } = Usage;
    this.goal = this.buffer("goal", 4 * size * size, STORAGE | COPY_DST);
    this.errors = this.buffer("errors", 16 * size * size, STORAGE | COPY_SRC);
    this.drawn = this.buffer("drawn", DRAWN_BYTES * count, STORAGE);
    this.history = this.buffer("history", HISTORY_BYTES, STORAGE | COPY_SRC);
    const tileLosses = this.buffer("tile losses", 4 * tiles * tiles, STORAGE);
    device.queue.writeBuffer(this.goal, 0, target);

    const { goal, errors, drawn, history } = this;
    const { data, grad } = this.splats; // parts of the optimizer's buffers, bound like any others
    const kernel = (label: string, what: Omit<KernelOptions, "constants">): Kernel =>
      createKernel(device, label, { ...what, constants: { SIZE: size } });
    this.kernels = [
      kernel("prepare", {
        code: prepare,
        workgroups: [Math.ceil(count / PREPARE_GROUP)],
        buffers: [data, drawn],
      }),
      kernel("forward", {
        code: forward,
        workgroups: [tiles, tiles],
        buffers: [drawn, goal, errors, tileLosses],
      }),
      kernel("loss", { code: loss, workgroups: [1], buffers: [tileLosses, history] }),
      kernel("backward", {
        code: backward,
        workgroups: [count],
        buffers: [data, drawn, errors, grad],
      }),
    ];
  }

  /**
   * One iteration.
   *
   * @param present records what shows the picture, if this iteration is to be shown.
   */
  step(present?: (encoder: GPUCommandEncoder) => void): void {
    const encoder = this.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (const dispatch of this.kernels) dispatch(pass);
    this.optimizer.encode(pass);
    pass.end();
    present?.(encoder);
    this.iterations++;
    const copy = this.iterations % this.readEvery === 0 ? this.copyLosses(encoder) : null;
    this.device.queue.submit([encoder.finish()]);
    if (copy) this.reading = this.readLosses(copy);
  }

  /** Resolves when the losses that are under way have arrived. */
  async settled(): Promise<void> {
    await this.reading;
  }

  /** Frees the memory. */
  destroy(): void {
    for (const buffer of [...this.buffers, this.splats.data.buffer, this.splats.grad.buffer]) {
      buffer.destroy();
    }
  }

  private copyLosses(encoder: GPUCommandEncoder): GPUBuffer {
    const usage = Usage.MAP_READ | Usage.COPY_DST;
    const copy = this.free.pop() ?? this.buffer("losses to read", HISTORY_BYTES, usage);
    encoder.copyBufferToBuffer(this.history, 0, copy, 0, HISTORY_BYTES);
    return copy;
  }

  private async readLosses(copy: GPUBuffer): Promise<void> {
    const { losses } = this;
    try {
      await copy.mapAsync(MAP_READ);
    } catch {
      return; // destroyed meanwhile
    }
    const bytes = copy.getMappedRange();
    const [count] = new Uint32Array(bytes, 0, 1) as unknown as [number];
    const ring = new Float32Array(bytes, 4);
    while (losses.length < count) losses.push(ring[losses.length % HISTORY]!);
    copy.unmap();
    this.free.push(copy);
  }

  private buffer(label: string, size: number, usage: number): GPUBuffer {
    const buffer = this.device.createBuffer({ label, size, usage });
    this.buffers.push(buffer);
    return buffer;
  }
}
