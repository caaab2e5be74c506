/**
 * An optimizer's share of a chunk of GPU memory: its state, and the plans that run over it.
 *
 * State reaches from the first of the optimizer's parameters to the last. Each slot has a buffer of its own,
 * as a shader must not have a buffer bound for reading and for writing at once.
 */
import type { ChunkMemory, Window } from "../backend/webgpu/chunk.ts";
import type { SlotStorage } from "../ir/bfloat16.ts";
import type { SlotRank } from "../ir/rank.ts";
import type { Rule } from "../ir/rule.ts";
import { matrixPlace, type MatrixPlace } from "../memory/matrix-place.ts";
import {
  aligned,
  limits,
  windowStart,
  type BufferPart,
  type Chunk,
  type Location,
} from "../memory/webgpu/chunk.ts";
import { SHARED_USAGE } from "../memory/webgpu/constants.ts";
import type { GpuParameter } from "../memory/webgpu/parameter.ts";
import type { GpuEntry } from "./entry.ts";
import type { PlanRunner } from "./run.ts";

const BYTES = Float32Array.BYTES_PER_ELEMENT;

export class ChunkState implements ChunkMemory {
  readonly chunk: Chunk;
  private readonly members: GpuEntry[] = [];
  readonly bound: PlanRunner[] = [];
  readonly slotRanks: readonly SlotRank[];
  windows: readonly Window[] = [];
  private readonly storage: readonly SlotStorage[];
  private readonly buffers: (GPUBuffer | undefined)[];
  private readonly temporaries: GPUBuffer[] = [];
  private readonly extents: Readonly<Record<SlotRank, { first: number; end: number }>> = {
    tensor: { first: Infinity, end: 0 },
    row: { first: 0, end: 0 },
    column: { first: 0, end: 0 },
  };

  constructor(chunk: Chunk, { slotRanks, stateStorage }: Rule) {
    this.chunk = chunk;
    this.slotRanks = slotRanks;
    this.storage = stateStorage?.slots ?? [];
    this.buffers = slotRanks.map(() => undefined);
  }

  get location(): Location {
    return this.chunk.location;
  }

  /** In the order of their offsets. */
  get entries(): readonly GpuEntry[] {
    return this.members;
  }

  add(entry: GpuEntry): void {
    const { offset } = entry.home;
    const before = this.members.findLastIndex(({ home }) => home.offset < offset);
    this.members.splice(before + 1, 0, entry);
  }

  remove(entry: GpuEntry): void {
    this.members.splice(this.members.indexOf(entry), 1);
  }

  /**
   * Lets the state reach to one more parameter; what is there moves along.
   *
   * @returns where its rows and columns are; `null` for fewer than two dimensions.
   */
  cover({ home, room, shape }: GpuParameter): MatrixPlace | null {
    const { offset } = home!;
    const { row, column } = this.extents;
    const place = matrixPlace(shape, { tensor: offset, row: row.end, column: column.end });
    this.extend("tensor", windowStart(offset), offset + room);
    if (place) {
      this.extend("row", 0, row.end + place.sizes.row);
      this.extend("column", 0, column.end + place.sizes.column);
    }
    const { first, end } = this.extents.tensor;
    this.windows = windowsOf(first, Math.min(end, this.chunk.elements), this.chunk.device);
    return place;
  }

  /** Covers all of its parameters as they are now; there must be no state of rows and columns. */
  coverAnew(): void {
    Object.assign(this.extents.row, { first: 0, end: 0 });
    Object.assign(this.extents.column, { first: 0, end: 0 });
    for (const entry of this.members) entry.matrix = this.cover(entry.parameter);
  }

  /** Gives all of the state's memory back. */
  destroy(): void {
    for (const buffer of [...this.buffers, ...this.temporaries]) buffer?.destroy();
  }

  /** Whether there is memory for a slot. */
  has(slot: number): boolean {
    return slot < 2 || this.buffers[slot] !== undefined;
  }

  /** Makes room for a slot, zero all over. */
  require(slot: number): void {
    if (this.has(slot)) return;
    this.buffers[slot] = this.create(`downhill: state ${slot - 2}`, this.bytesOf(slot));
  }

  /** All of a slot's memory, or of temporary ~slot; its first element is the state's first. */
  whole(slot: number): BufferPart {
    if (slot < 0) {
      const size = this.bytesOf(0);
      const label = `downhill: temporary ${~slot}`;
      const buffer = (this.temporaries[~slot] ??= this.create(label, size));
      return { buffer, offset: 0, size };
    }
    if (slot >= 2) return { buffer: this.buffers[slot]!, offset: 0, size: this.bytesOf(slot) };
    const { elements, location } = this.chunk;
    const part = slot === 0 ? location.data : location.grad!;
    const { first, end } = this.extents.tensor;
    const size = (Math.min(end, elements) - first) * BYTES;
    return { buffer: part.buffer, offset: part.offset + first * BYTES, size };
  }

  binding(slot: number, { begin, end }: Window): BufferPart {
    const { buffer, offset } = this.whole(slot);
    const { first } = this.extents.tensor;
    const bytes = this.elementBytes(slot);
    const size = (slot === 0 || slot === 1 ? end - begin : aligned(end - begin)) * bytes;
    return { buffer, offset: offset + (begin - first) * bytes, size };
  }

  /** How many numbers a parameter has in a slot; -1 for rows and columns that it does not have. */
  sizeOf(slot: number, { parameter, matrix }: Pick<GpuEntry, "parameter" | "matrix">): number {
    const rank = this.slotRanks[slot]!;
    return rank === "tensor" ? parameter.size : (matrix?.sizes[rank] ?? -1);
  }

  /** Whether a slot has bfloat16 numbers. */
  isNarrow(slot: number): boolean {
    return this.storage[slot] === "bfloat16";
  }

  /** Bytes of a number in a slot. */
  elementBytes(slot: number): 2 | 4 {
    return this.isNarrow(slot) ? 2 : 4;
  }

  /** Where one parameter's part of a slot is: a whole number of words. */
  partOf(slot: number, entry: GpuEntry): BufferPart {
    const rank = this.slotRanks[slot]!;
    const from = rank === "tensor" ? entry.home.offset : entry.matrix!.offsets[rank];
    const { buffer, offset } = this.whole(slot);
    const { first } = this.extents[rank];
    const bytes = this.elementBytes(slot);
    const size = Math.ceil((this.sizeOf(slot, entry) * bytes) / BYTES) * BYTES;
    return { buffer, offset: offset + (from - first) * bytes, size };
  }

  private extend(rank: SlotRank, begin: number, stop: number): void {
    const extent = this.extents[rank];
    const first = Math.min(extent.first, begin);
    const end = Math.max(extent.end, begin + aligned(stop - begin));
    if (first === extent.first && end === extent.end) return;
    const old = { ...extent };
    Object.assign(extent, { first, end });
    this.bound.length = 0;
    this.temporaries.length = 0;
    for (let slot = 2; slot < this.buffers.length; slot++) {
      const buffer = this.buffers[slot];
      if (!buffer || this.slotRanks[slot] !== rank) continue;
      const larger = this.create(buffer.label, this.bytesOf(slot));
      const encoder = this.chunk.device.createCommandEncoder();
      const to = (old.first - first) * this.elementBytes(slot);
      encoder.copyBufferToBuffer(buffer, 0, larger, to, buffer.size);
      this.chunk.device.queue.submit([encoder.finish()]);
      this.buffers[slot] = larger;
    }
  }

  private bytesOf(slot: number): number {
    const { first, end } = this.extents[this.slotRanks[slot]!];
    return aligned(end - first) * this.elementBytes(slot);
  }

  private create(label: string, size: number): GPUBuffer {
    return this.chunk.device.createBuffer({ label, size, usage: SHARED_USAGE });
  }
}

/** The parts of some elements that can be bound at once. */
function windowsOf(first: number, end: number, device: GPUDevice): Window[] {
  const most = Math.min(device.limits.maxStorageBufferBindingSize, limits.binding) / BYTES;
  const step = windowStart(most);
  const windows: Window[] = [];
  for (let begin = first; begin < end; begin += step) {
    windows.push({ begin, end: Math.min(end, begin + step) });
  }
  return windows;
}
