/**
 * Where the numbers of steps are on the GPU: a ring, so that several steps may be recorded before the first
 * of them is submitted. A step's numbers go there in one write.
 */
import { BINDING_ALIGNMENT, Usage } from "../memory/webgpu/constants.ts";

/** So many steps may be recorded and not yet submitted. */
export const MAX_RECORDED = 64;

export class ValuesRing {
  private readonly device: GPUDevice;
  private buffer: GPUBuffer | undefined;
  private slotBytes = 0;
  private turn = 0;
  /** The numbers of the step at hand. */
  staging = new Float32Array(0);
  private bits = new Uint32Array(0);
  /** Those that were sent last, as bits, and where they are. */
  private sent = new Uint32Array(0);
  private offset = -1;

  constructor(device: GPUDevice) {
    this.device = device;
  }

  /** Makes room for the numbers of a step, in bytes. Says whether the buffer is another one now. */
  reserve(bytes: number): boolean {
    if (this.buffer && bytes <= this.slotBytes) return false;
    this.slotBytes = Math.ceil(bytes / BINDING_ALIGNMENT) * BINDING_ALIGNMENT;
    this.staging = new Float32Array(this.slotBytes / Float32Array.BYTES_PER_ELEMENT);
    const size = this.slotBytes * MAX_RECORDED;
    const usage = Usage.storage | Usage.copyTarget;
    this.buffer = this.device.createBuffer({ label: "downhill: numbers", size, usage });
    this.turn = 0;
    this.bits = new Uint32Array(this.staging.buffer);
    this.sent = new Uint32Array(this.bits.length);
    this.offset = -1;
    return true;
  }

  /** So many bytes of a step's numbers, to be bound with a dynamic offset. */
  binding(size: number): GPUBufferBinding {
    return { buffer: this.buffer!, size };
  }

  /** Sends the numbers of a step, unless they are those of the step before; the offset at which they begin. */
  send(): number {
    const same = this.isRepetition();
    if (same && this.offset >= 0) return this.offset;
    this.offset = this.turn * this.slotBytes;
    this.turn = (this.turn + 1) % MAX_RECORDED;
    this.device.queue.writeBuffer(this.buffer!, this.offset, this.staging);
    return this.offset;
  }

  /** Remembers the numbers at hand; whether they are the same, to the bit, as when it was last asked. */
  private isRepetition(): boolean {
    const { sent } = this;
    const bits = this.bits;
    let same = true;
    for (let i = 0; i < bits.length; i++) {
      same &&= bits[i] === sent[i];
      sent[i] = bits[i]!;
    }
    return same;
  }
}
