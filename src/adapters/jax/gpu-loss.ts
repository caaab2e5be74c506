/** A loss that is on the GPU until somebody wants to see it. */
import { BackendError, Prose } from "../../errors.ts";
import { readParts } from "../../memory/webgpu/read.ts";
import { bufferOf } from "./gpu-arrays.ts";
import type { JaxArray } from "./tree.ts";

/** The loss of one call; made by {@link GpuTrainable.backward}. */
export class GpuLoss {
  private readonly device: GPUDevice;
  private array: JaxArray | null;
  private value: Promise<number> | undefined;

  /** @internal @param array float32[], which is its own from now on. */
  constructor(device: GPUDevice, array: JaxArray) {
    this.device = device;
    this.array = array;
  }

  /**
   * The loss as a number. It is on its way from this call on, whatever happens afterwards: await it now, or
   * later, or not at all.
   *
   * @throws {BackendError} `LOSS_GONE` if the function that computed it has been called again before,
   *   `DEVICE_LOST`.
   *
   * @example
   * const losses: Promise<number>[] = [];
   * for (const [x, y] of batches) {
   *   losses.push(backward(x, y).read()); // waits for nothing
   *   optimizer.step();
   *   optimizer.zeroGrad();
   * }
   * console.log(await Promise.all(losses));
   */
  async read(): Promise<number> {
    this.value ??= this.start();
    return this.value;
  }

  /** @internal Gives its memory back. */
  dispose(): void {
    this.array?.dispose();
    this.array = null;
  }

  private async start(): Promise<number> {
    if (!this.array) {
      throw new BackendError("LOSS_GONE", {
        subject: "loss: read",
        got: new Prose("the loss of an earlier call, which has not been kept"),
        expected: "that of the last one",
        advice: "Call read() before the next step; its promise may be awaited later.",
      });
    }
    const part = { buffer: bufferOf(this.array), offset: 0, size: Float32Array.BYTES_PER_ELEMENT };
    const copy = readParts(this.device, "loss: read", [part]); // submitted by now
    this.dispose();
    const [bytes] = await copy;
    return new Float32Array(bytes!)[0]!;
  }
}
