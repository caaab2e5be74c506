/**
 * Work items: what the workgroups of a dispatch do. They lie in one buffer, those of a dispatch side by
 * side; a dispatch begins where a binding may begin.
 */
import { BINDING_ALIGNMENT, Usage } from "../../memory/webgpu/constants.ts";

/** One dispatch: where its items begin, and its grid of workgroups. */
export interface Dispatch {
  /** Bytes from the start of the buffer. */
  readonly offset: number;
  readonly x: number;
  readonly y: number;
}

/** Collects items; what is left of a grid is items of zeros, which are nothing to do. */
export class ItemList {
  private readonly words: number[] = [];
  private readonly most: number;
  private readonly itemWords: number;
  /** Bytes of the largest dispatch. */
  largest = BINDING_ALIGNMENT;
  private begin = 0;

  /**
   * @param most workgroups in one dimension.
   * @param itemWords numbers of an item.
   */
  constructor(most: number, itemWords = 4) {
    this.most = most;
    this.itemWords = itemWords;
  }

  /** Whether items were added since the last dispatch was closed. */
  get isOpen(): boolean {
    return this.words.length > this.begin;
  }

  /** @param more numbers beyond the fourth. */
  add(
    segment: number,
    begin: number,
    end: number,
    last: number,
    more: readonly number[] = [],
  ): void {
    this.words.push(segment, begin, end, last, ...more);
  }

  /** Makes what was added since the last one a dispatch. */
  close(): Dispatch {
    const { words, begin, most, itemWords } = this;
    const count = (words.length - begin) / itemWords;
    const y = Math.max(1, Math.ceil(count / most));
    const x = Math.ceil(count / y);
    const bytes = Math.ceil((4 * x * y * itemWords) / BINDING_ALIGNMENT) * BINDING_ALIGNMENT;
    while (4 * (words.length - begin) < bytes) words.push(0);
    this.largest = Math.max(this.largest, bytes);
    this.begin = words.length;
    return { offset: 4 * begin, x, y };
  }

  /** Bytes of a buffer in which each dispatch can be bound with the size of the largest. */
  get bytes(): number {
    return 4 * this.words.length + this.largest;
  }

  /** A buffer with all of them. It is a new one, as commands with the old one may not have been submitted. */
  upload(device: GPUDevice): GPUBuffer {
    const size = this.bytes;
    const buffer = device.createBuffer({ size, usage: Usage.storage | Usage.copyTarget });
    device.queue.writeBuffer(buffer, 0, new Uint32Array(this.words));
    return buffer;
  }
}
