/** Measures all gradients of an optimizer on the GPU, and lets it decide there what becomes of the step. */
import { Usage } from "../../memory/webgpu/constants.ts";
import { BoundGroup } from "./bound-group.ts";
import type { ChunkMemory, Window } from "./chunk.ts";
import { CONTROL_BYTES } from "./control.ts";
import type { BindingKind, Gpu } from "./gpu.ts";
import { ItemList, type Dispatch } from "./items.ts";
import {
  decideShader,
  GROUP_NUMBERS,
  HEAD_NUMBERS,
  measureShader,
  type NormType,
} from "./measure.ts";

/** Elements of an item. */
const ITEM = 8192;
const kinds: readonly BindingKind[] = ["dynamic", "dynamic", "read", "write"];
const decideKinds: readonly BindingKind[] = ["read", "dynamic", "read", "write"];

/** Gradients of a group that lie side by side: elements of a chunk. */
export interface GradientStretch {
  readonly memory: ChunkMemory;
  readonly group: number;
  readonly begin: number;
  readonly end: number;
}

interface Measuring {
  readonly pipeline: GPUComputePipeline;
  readonly group: BoundGroup;
  readonly dispatch: Dispatch;
}

/** What is to be decided about a step. */
export interface Decision {
  /** Infinity clips nothing. */
  readonly maxNorm: number;
  readonly perGroup: boolean;
  readonly skip: boolean;
  /** What gradients are multiplied by once they are clipped. */
  readonly gradScale: number;
}

export class GradientCheck {
  /** Where the decision is: see control.ts. */
  readonly control: GPUBuffer;
  private readonly gpu: Gpu;
  /** By type of norm. */
  private readonly laidOut = new Map<NormType, GradientWork>();

  constructor(gpu: Gpu) {
    this.gpu = gpu;
    const usage = Usage.storage | Usage.uniform | Usage.copySource;
    const label = "downhill: decision";
    this.control = gpu.device.createBuffer({ label, size: CONTROL_BYTES, usage });
  }

  /** How many numbers the host has for so many groups. */
  static numbers(groups: number): number {
    return HEAD_NUMBERS + GROUP_NUMBERS * groups;
  }

  /** Forgets what was laid out: other parameters have gradients now. */
  forget(): void {
    this.laidOut.clear();
  }

  /** @param values where the numbers of a step are. */
  arrange(
    type: NormType,
    stretches: () => readonly GradientStretch[],
    groups: number,
    values: GPUBufferBinding,
  ): GradientWork {
    let work = this.laidOut.get(type);
    if (!work) {
      work = layOut(this.gpu, this.control, type, stretches(), groups, values);
      this.laidOut.set(type, work);
    }
    return work;
  }
}

/** Commands that measure and decide. */
export class GradientWork {
  private readonly measuring: readonly Measuring[];
  private readonly pipeline: GPUComputePipeline;
  private readonly group: GPUBindGroup;
  private readonly offsets = new Uint32Array(2);

  constructor(measuring: readonly Measuring[], pipeline: GPUComputePipeline, group: GPUBindGroup) {
    this.measuring = measuring;
    this.pipeline = pipeline;
    this.group = group;
  }

  /** @param offset bytes from the start of the values to those of this step. */
  encode(pass: GPUComputePassEncoder, offset: number): void {
    const { offsets } = this;
    for (const { pipeline, group, dispatch } of this.measuring) {
      offsets[0] = dispatch.offset;
      offsets[1] = offset;
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group.current, offsets, 0, 2);
      pass.dispatchWorkgroups(dispatch.x, dispatch.y);
    }
    offsets[0] = offset;
    pass.setPipeline(this.pipeline);
    pass.setBindGroup(0, this.group, offsets, 0, 1);
    pass.dispatchWorkgroups(1);
  }
}

/** Writes the numbers of a decision in front of those of the groups. */
export function writeDecision(into: Float32Array, at: number, decision: Decision): void {
  into[at] = decision.maxNorm === Infinity ? -1 : decision.maxNorm;
  into[at + 1] = Number(decision.perGroup);
  into[at + 2] = Number(decision.skip);
  into[at + 3] = decision.gradScale;
}

/** Writes what happens to the gradients of a group: they are scaled, then clamped if there is a limit. */
export function writeGroup(
  into: Float32Array,
  at: number,
  group: number,
  scale: number,
  limit: number | undefined,
): void {
  const place = at + HEAD_NUMBERS + GROUP_NUMBERS * group;
  into[place] = scale;
  into[place + 1] = limit ?? -1;
}

function layOut(
  gpu: Gpu,
  control: GPUBuffer,
  type: NormType,
  stretches: readonly GradientStretch[],
  groups: number,
  values: GPUBufferBinding,
): GradientWork {
  const { device } = gpu;
  const pieces = stretches.flatMap(piecesOf).toSorted((a, b) => a.group - b.group);
  const spans = new Uint32Array(2 * groups);
  pieces.forEach(({ group }, index) => {
    if (spans[2 * group + 1] === 0) spans[2 * group] = index;
    spans[2 * group + 1] = index + 1;
  });
  const storage = (label: string, size: number): GPUBuffer =>
    device.createBuffer({ label, size, usage: Usage.storage | Usage.copyTarget });
  const spanBuffer = storage("downhill: groups", spans.byteLength);
  device.queue.writeBuffer(spanBuffer, 0, spans);
  const partials = storage("downhill: parts of norms", Math.max(1, pieces.length) * 16);
  const list = new ItemList(device.limits.maxComputeWorkgroupsPerDimension);
  const windows = new Set(pieces.map(({ window }) => window));
  const planned = [...windows].map((window) => {
    let memory!: ChunkMemory;
    pieces.forEach((piece, index) => {
      if (piece.window !== window) return;
      memory = piece.memory;
      list.add(index, piece.begin, piece.end, piece.group);
    });
    return { memory, window, dispatch: list.close() };
  });
  const items = { buffer: list.upload(device), size: list.largest };
  const bind = (of: readonly BindingKind[], resources: readonly GPUBufferBinding[]) =>
    device.createBindGroup({
      layout: gpu.layout(of),
      entries: resources.map((resource, binding) => ({ binding, resource })),
    });
  const pipeline = gpu.pipeline(measureShader(type), kinds);
  const measuring = planned.map(({ memory, window, dispatch }) => {
    const group = new BoundGroup(memory, () =>
      bind(kinds, [items, values, memory.binding(1, window), { buffer: partials }]),
    );
    return { pipeline, dispatch, group };
  });
  const decide = [{ buffer: spanBuffer }, values, { buffer: partials }, { buffer: control }];
  return new GradientWork(
    measuring,
    gpu.pipeline(decideShader(type), decideKinds),
    bind(decideKinds, decide),
  );
}

interface Piece {
  readonly memory: ChunkMemory;
  readonly window: Window;
  readonly group: number;
  readonly begin: number;
  readonly end: number;
}

/** A stretch in parts as large as an item, counted from the start of the window that they are in. */
function piecesOf({ memory, group, begin, end }: GradientStretch): Piece[] {
  const pieces: Piece[] = [];
  for (const window of memory.windows) {
    const to = Math.min(end, window.end) - window.begin;
    for (let at = Math.max(begin, window.begin) - window.begin; at < to; at += ITEM) {
      pieces.push({ memory, window, group, begin: at, end: Math.min(to, at + ITEM) });
    }
  }
  return pieces;
}
