/** The buffers that a plan needs over one set of tensors, by the names that shaders have for them. */
import type { Plan } from "../../../ir/plan.ts";
import { Usage } from "../../../memory/webgpu/constants.ts";
import type { ChunkMemory } from "../chunk.ts";
import { keptScalars } from "./scalars.ts";
import type { Segments } from "./segments.ts";
import { slotOf, SMALLS } from "./shader.ts";
import {
  columnLists,
  extentCode,
  flatList,
  linesList,
  type WorkKind,
  type WorkList,
} from "./work-list.ts";

/** What such a plan knows of its memory. */
export interface TensorMemory extends ChunkMemory {
  /** All of a slot with a number for each row or column. */
  whole(slot: number): GPUBufferBinding;
}

/** How many of the plan's temporaries before this one are of its rank. */
function rankIndex({ temporaryRanks }: Plan, k: number): number {
  return temporaryRanks.slice(0, k).filter((rank) => rank === temporaryRanks[k]).length;
}

/** Where temporary k begins among those of rows, columns and matrices, as WGSL; `null` for one of a tensor. */
export function smallStart({ temporaryRanks }: Plan, k: number): string | null {
  if (temporaryRanks[k] === "tensor") return null;
  const before = temporaryRanks.slice(0, k).filter((rank) => rank !== "tensor");
  return before.map(extentCode).join(" + ") || "0u";
}

/** What items the reductions of a plan to one number have. */
export const reducedBy = ({ lines }: Plan): WorkKind => (lines ? "tensor" : "flat");

const BYTES = Float32Array.BYTES_PER_ELEMENT;

export class Room {
  private readonly device: GPUDevice;
  private readonly plan: Plan;
  private readonly memory: TensorMemory;
  private readonly control: GPUBuffer | null;
  private readonly segments: Segments;
  private readonly lists = new Map<WorkKind, WorkList>();
  private readonly buffers = new Map<string, GPUBuffer>();

  constructor(
    device: GPUDevice,
    plan: Plan,
    memory: TensorMemory,
    control: GPUBuffer | null,
    segments: Segments,
  ) {
    this.device = device;
    this.control = control;
    this.plan = plan;
    this.memory = memory;
    this.segments = segments;
  }

  /** What a shader of stage k with this work calls so. */
  resource(name: string, k: number, work: WorkKind): GPUBufferBinding {
    if (name === "work") return this.workBuffer(work);
    if (name === "numbers") return this.numbers(k);
    if (name === "before") return this.numbers(k - 1);
    const count = this.segments.tensors.length;
    if (name === "scalars") return this.buffer(name, count * keptScalars(this.plan).length);
    if (name === "scratch") return this.buffer(name, this.list("blocks").scratch * this.mostSums);
    if (name === "control") return { buffer: this.control! };
    if (name === SMALLS) return this.buffer(name, this.smalls);
    return this.slot(this.plan.stages[k]!.pointers[slotOf(name)]!);
  }

  list(kind: WorkKind): WorkList {
    let list = this.lists.get(kind);
    if (!list) {
      const { segments } = this;
      if (kind === "flat") list = flatList(segments);
      else if (kind === "blocks" || kind === "finish") list = columnLists(segments)[kind];
      else list = linesList(segments, kind);
      this.lists.set(kind, list);
    }
    return list;
  }

  /** A temporary with a number for each element, where the tensors lie in it. */
  temporary(k: number): GPUBufferBinding {
    return this.memory.binding(~rankIndex(this.plan, k), this.window);
  }

  private slot(target: number): GPUBufferBinding {
    if (target < 0) return this.temporary(~target);
    const isTensor = this.plan.program.slotRanks[target] === "tensor";
    return isTensor ? this.memory.binding(target, this.window) : this.memory.whole(target);
  }

  /** How many numbers all temporaries of rows, columns and matrices have. */
  private get smalls(): number {
    const ranks = this.plan.temporaryRanks.filter((rank) => rank !== "tensor");
    return ranks.reduce((sum, rank) => sum + this.segments.extent(rank), 0);
  }

  /** Whole vectors, as far as there is memory. */
  private get window() {
    const { begin, end } = this.segments.window;
    const most = this.memory.windows.at(-1)!.end;
    return { begin, end: Math.min(most, begin + Math.ceil((end - begin) / 4) * 4) };
  }

  /** Uniforms of all segments, and what reductions leave for each item. */
  private numbers(k: number): GPUBufferBinding {
    const { uniforms, reductions } = this.plan.stages[k]!;
    const { length } = this.segments.tensors;
    const items = reductions.length === 0 ? 0 : this.list(reducedBy(this.plan)).count;
    return this.buffer(`numbers ${k}`, length * uniforms.length + items * reductions.length);
  }

  private get mostSums(): number {
    const counts = this.plan.stages.map(({ kernel }) => kernel.lines?.sums.length ?? 0);
    return Math.max(...counts);
  }

  private workBuffer(kind: WorkKind): GPUBufferBinding {
    const name = `work ${kind}`;
    const isNew = !this.buffers.has(name);
    const { words } = this.list(kind);
    const binding = this.buffer(name, words.length);
    if (isNew) this.device.queue.writeBuffer(binding.buffer, 0, words);
    return binding;
  }

  private buffer(name: string, length: number): { readonly buffer: GPUBuffer } {
    let buffer = this.buffers.get(name);
    if (!buffer) {
      const size = Math.max(4, length) * BYTES;
      const label = `downhill: ${name}`;
      buffer = this.device.createBuffer({ label, size, usage: Usage.storage | Usage.copyTarget });
      this.buffers.set(name, buffer);
    }
    return { buffer };
  }
}
