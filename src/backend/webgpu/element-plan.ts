/**
 * A plan whose kernels go element by element, on one chunk of memory: its pipelines, what they are bound
 * to, and the work items of what it runs over.
 *
 * What tensors there are, and which numbers they meet, is laid out once; a step then only encodes commands.
 */
import type { Plan, Stage } from "../../ir/plan.ts";
import { Op } from "../../ir/op.ts";
import { BoundGroup } from "./bound-group.ts";
import type { Arrangement, ChunkMemory, GpuPlan, Stretch, Window } from "./chunk.ts";
import { FACTOR_ITEM, FactorTable } from "./factors.ts";
import { Gpu, type BindingKind } from "./gpu.ts";
import { ItemList, type Dispatch } from "./items.ts";
import { FIRST_SLOT, lowerElements, storedSlots, WORKGROUP } from "./lower.ts";

/** Elements of a vector. */
const VECTOR = 4;
/** Vectors of an item: one for each thread. */
const ITEM = WORKGROUP;

/** Commands of one dispatch: a pipeline for each stage, and what is bound. */
interface Work {
  readonly dispatch: Dispatch;
  readonly pipelines: readonly GPUComputePipeline[];
  readonly groups: readonly BoundGroup[];
}

/** What is bound besides the memory. */
interface OwnBindings {
  readonly items: GPUBufferBinding;
  readonly values: GPUBufferBinding;
  readonly factors: GPUBuffer | undefined;
}

export class ElementPlan implements GpuPlan {
  readonly stride: number;
  private readonly gpu: Gpu;
  private readonly plan: Plan;
  private readonly memory: ChunkMemory;
  private readonly tensorByTensor: boolean;
  private readonly control: GPUBuffer | null;

  /**
   * @param tensorByTensor whether a tensor goes through all stages before the next one starts.
   * @param control what the GPU has decided about a step; `null` where it decides nothing.
   */
  constructor(
    gpu: Gpu,
    plan: Plan,
    memory: ChunkMemory,
    tensorByTensor: boolean,
    control: GPUBuffer | null,
  ) {
    this.gpu = gpu;
    this.plan = plan;
    this.memory = memory;
    this.tensorByTensor = tensorByTensor;
    this.control = control;
    this.stride = uniformCountOf(plan);
    for (const stage of plan.stages) this.pipeline(stage, false); // compiled before anything is written
  }

  arrange(stretches: readonly Stretch[], values: GPUBufferBinding): Arrangement {
    const { gpu, memory, plan } = this;
    const factors = plan.program.factors === undefined ? null : new FactorTable();
    const { maxComputeWorkgroupsPerDimension: most } = gpu.device.limits;
    const list = new ItemList(most, factors ? FACTOR_ITEM : undefined);
    const planned: { dispatch: Dispatch; window: Window; tail: boolean }[] = [];
    const parts = this.tensorByTensor ? stretches.map((stretch) => [stretch]) : [stretches];
    for (const part of parts) {
      for (const window of memory.windows) {
        for (const tail of [false, true]) {
          for (const stretch of part) {
            addItems(list, stretch, window, tail, factors?.rowOf(stretch, window));
          }
          if (list.isOpen) planned.push({ dispatch: list.close(), window, tail });
        }
      }
    }
    const items = { buffer: list.upload(gpu.device), size: list.largest };
    const own = { items, values, factors: factors?.upload(gpu.device) };
    const groups = new Map<string, BoundGroup[]>();
    const work = planned.map(({ dispatch, window, tail }) => {
      const key = `${window.begin} ${tail}`;
      let bound = groups.get(key);
      if (!bound) groups.set(key, (bound = this.bind(window, own)));
      const pipelines = plan.stages.map((stage) => this.pipeline(stage, tail));
      return { dispatch, pipelines, groups: bound };
    });
    return new ElementWork(work, plan.stages.length, this.tensorByTensor);
  }

  private bind(window: Window, { items, values, factors }: OwnBindings): BoundGroup[] {
    const { memory, plan } = this;
    return plan.stages.map((stage) => {
      const layout = this.gpu.layout(this.kinds(stage));
      return new BoundGroup(memory, () => {
        const slots = stage.pointers.map((slot) =>
          slot === plan.program.factors ? { buffer: factors! } : memory.binding(slot, window),
        );
        const control = this.control ? [{ buffer: this.control }] : [];
        const resources = [items, values, ...slots, ...control];
        const entries = resources.map((resource, binding) => ({ binding, resource }));
        return this.gpu.device.createBindGroup({ layout, entries });
      });
    });
  }

  private pipeline(stage: Stage, tail: boolean): GPUComputePipeline {
    const kinds = this.kinds(stage);
    const numbers = { stride: this.stride, sources: stage.uniforms };
    const writable = kinds.slice(FIRST_SLOT).map((kind) => kind === "write");
    const { factors } = this.plan.program;
    const code = lowerElements(stage.kernel, {
      numbers,
      writable,
      tail,
      ...(factors !== undefined && { factors: stage.pointers.indexOf(factors) }),
      ...(this.control && { gradient: stage.pointers.indexOf(1) }),
    });
    return this.gpu.pipeline(code, kinds);
  }

  /** A buffer that is written to must not be bound for reading besides. */
  private kinds({ kernel, pointers }: Stage): BindingKind[] {
    const [window] = this.memory.windows;
    const { factors } = this.plan.program;
    const buffers = pointers.map((slot) =>
      slot === factors ? null : this.memory.binding(slot, window!).buffer,
    );
    const stored = storedSlots(kernel);
    const written = new Set(buffers.filter((_, slot) => stored[slot]));
    const slots = buffers.map((buffer): BindingKind => (written.has(buffer) ? "write" : "read"));
    return ["dynamic", "dynamic", ...slots, ...(this.control ? (["uniform"] as const) : [])];
  }
}

/** What a step encodes. */
class ElementWork implements Arrangement {
  private readonly work: readonly Work[];
  private readonly stages: number;
  private readonly tensorByTensor: boolean;
  private readonly offsets = new Uint32Array(2);

  constructor(work: readonly Work[], stages: number, tensorByTensor: boolean) {
    this.work = work;
    this.stages = stages;
    this.tensorByTensor = tensorByTensor;
  }

  encode(pass: GPUComputePassEncoder, offset: number): void {
    const { work, stages } = this;
    if (this.tensorByTensor) {
      for (let w = 0; w < work.length; w++) {
        for (let s = 0; s < stages; s++) this.run(pass, work[w]!, s, offset);
      }
    } else {
      for (let s = 0; s < stages; s++) {
        for (let w = 0; w < work.length; w++) this.run(pass, work[w]!, s, offset);
      }
    }
  }

  private run(pass: GPUComputePassEncoder, work: Work, stage: number, offset: number): void {
    const { dispatch, pipelines, groups } = work;
    this.offsets[0] = dispatch.offset;
    this.offsets[1] = offset;
    pass.setPipeline(pipelines[stage]!);
    pass.setBindGroup(0, groups[stage]!.current, this.offsets, 0, 2);
    pass.dispatchWorkgroups(dispatch.x, dispatch.y);
  }
}

/** How many numbers the host has for each segment. */
export function uniformCountOf({ program }: Plan): number {
  const indices = program.nodes.filter(({ op }) => op === Op.uniform).map(({ index }) => index + 1);
  return Math.max(0, ...indices);
}

/**
 * Adds what of a stretch lies in a window: whole vectors, or the elements behind the last of them.
 *
 * @param more further numbers of its items.
 */
function addItems(
  list: ItemList,
  { segment, group, begin, end }: Stretch,
  window: Window,
  tail: boolean,
  more?: readonly number[],
): void {
  const from = Math.max(begin, window.begin) - window.begin;
  const to = Math.min(end, window.end) - window.begin;
  if (from >= to) return;
  const whole = Math.floor(to / VECTOR);
  if (tail) {
    if (whole * VECTOR < to) list.add(segment, Math.max(from, whole * VECTOR), to, group, more);
    return;
  }
  for (let at = from / VECTOR; at < whole; at += ITEM) {
    list.add(segment, at, Math.min(whole, at + ITEM), group, more);
  }
}
