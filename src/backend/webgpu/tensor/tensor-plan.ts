/**
 * A plan that goes tensor by tensor on one chunk of memory, because some of its values belong to a tensor, a
 * row or a column.
 *
 * A dispatch still serves all tensors: each is a segment with numbers of its own, which the GPU computes
 * between kernels. What runs is laid out once; a step then only encodes commands.
 */
import { BackendError, Prose } from "../../../errors.ts";
import type { Plan, Stage } from "../../../ir/plan.ts";
import { showBytes } from "../../../memory/arena.ts";
import { windowStart } from "../../../memory/webgpu/chunk.ts";
import { BoundGroup } from "../bound-group.ts";
import type { Arrangement } from "../chunk.ts";
import { uniformCountOf } from "../element-plan.ts";
import type { Gpu } from "../gpu.ts";
import { bindCall } from "./calls.ts";
import { flatShader } from "./flat.ts";
import { lineShaders } from "./lines.ts";
import { reducedBy, Room, smallStart, type TensorMemory } from "./room.ts";
import { scalarsShader } from "./scalars.ts";
import { segmentsOf, type Segments, type Tensor } from "./segments.ts";
import { SMALLS, type KernelOn, type Shader } from "./shader.ts";
import type { WorkKind } from "./work-list.ts";

const BYTES = Float32Array.BYTES_PER_ELEMENT;

/** A shader of a stage, and the work list that it goes over. */
interface Part {
  readonly shader: Shader;
  readonly work: WorkKind;
  /** Whether it has a workgroup for each segment rather than for each item. */
  readonly perSegment: boolean;
}

export class TensorPlan {
  /** Numbers of a batch in what is uploaded for a step. */
  readonly stride: number;
  private readonly gpu: Gpu;
  private readonly plan: Plan;
  private readonly memory: TensorMemory;
  private readonly tensorByTensor: boolean;
  private readonly control: GPUBuffer | null;
  /** Per stage what runs, in order. */
  private readonly parts: readonly (readonly Part[])[];

  /**
   * Compiles everything.
   *
   * @param tensorByTensor whether a tensor goes through all stages before the next one starts.
   * @param control what the GPU has decided about a step; `null` where it decides nothing.
   * @throws {BackendError} `TOO_MANY_BUFFERS`
   */
  constructor(
    gpu: Gpu,
    plan: Plan,
    memory: TensorMemory,
    tensorByTensor: boolean,
    control: GPUBuffer | null,
  ) {
    this.gpu = gpu;
    this.plan = plan;
    this.memory = memory;
    this.tensorByTensor = tensorByTensor;
    this.control = control;
    this.stride = uniformCountOf(plan);
    this.parts = plan.stages.map((stage, k) => this.partsOf(stage, k));
    for (const { shader } of this.parts.flat()) gpu.pipeline(shader.code, kindsOf(shader));
  }

  /**
   * Lays out work over these tensors, whose segments are batches.
   *
   * @param values where the numbers of all batches are.
   * @throws {BackendError} `OUT_OF_MEMORY` for a tensor that cannot be bound as a whole.
   */
  arrange(tensors: readonly Tensor[], values: GPUBufferBinding): Arrangement {
    const most = this.gpu.device.limits.maxStorageBufferBindingSize;
    const large = tensors.find(({ begin, end }) => BYTES * (end - windowStart(begin)) > most);
    if (large) this.refuseLarge(large.end - large.begin, most);
    const sets = segmentsOf(tensors, most, this.tensorByTensor);
    return new Sequence(sets.flatMap((segments) => this.lay(segments, values)));
  }

  private refuseLarge(elements: number, most: number): never {
    throw new BackendError("OUT_OF_MEMORY", {
      subject: `${this.plan.program.subject}: a parameter of ${elements} elements`,
      got: new Prose(showBytes(BYTES * elements)),
      expected: `at most ${showBytes(most)} bound at once, as the device has been asked for`,
      advice:
        "Use requestDevice(), which asks for what the adapter has, or split the parameter. Rules " +
        "without sums run over larger ones in parts.",
    });
  }

  private partsOf({ kernel, domain, pointers }: Stage, k: number): Part[] {
    const { memory, plan } = this;
    const { factors = NaN } = plan.program;
    const [window] = memory.windows;
    const smalls = pointers.map((slot) => (slot < 0 ? smallStart(plan, ~slot) : null));
    const same = pointers.map((slot, i) => {
      if (smalls[i] !== null) return SMALLS;
      return slot < 0 || slot === factors ? slot : memory.binding(slot, window!).buffer;
    });
    const on: KernelOn = {
      kernel,
      buffers: same.map((buffer) => same.indexOf(buffer)),
      smalls,
      factors: pointers.indexOf(factors),
      gradient: pointers.indexOf(1),
      controlled: this.control !== null,
    };
    const scalars = scalarsShader(plan, k);
    const part = (shader: Shader | null, work: WorkKind, perSegment = false): Part[] =>
      shader ? [{ shader, work, perSegment }] : [];
    const before = part(scalars, reducedBy(plan), true);
    if (!kernel.lines) return [...before, ...part(flatShader(on, this.width), "flat")];
    const { columns, lines, finish } = lineShaders(on, domain);
    return [
      ...before,
      ...part(columns, "blocks"),
      ...part(lines, domain),
      ...part(finish, "finish"),
    ];
  }

  /** Elements of a vector. Memory of somebody else may end within a vector of four. */
  private get width(): 1 | 4 {
    return this.memory.windows.every(({ end }) => end % 4 === 0) ? 4 : 1;
  }

  private lay(segments: Segments, values: GPUBufferBinding): Arrangement[] {
    const { gpu, plan } = this;
    const room = new Room(gpu.device, plan, this.memory, this.control, segments);
    const { maxComputeWorkgroupsPerDimension: most } = gpu.device.limits;
    return plan.stages.flatMap(({ hostCalls }, k) => [
      ...this.parts[k]!.map(({ shader, work, perSegment }) => {
        const resources = () =>
          shader.bindings.map(({ name }) =>
            name === "trace" ? values : room.resource(name, k, work),
          );
        const count = perSegment ? segments.tensors.length : room.list(work).count;
        return new Dispatch(gpu, this.memory, shader, resources, count, most);
      }),
      ...hostCalls.flatMap((call) =>
        bindCall(gpu, call, segments, room.temporary(call.temporary), values, this.stride),
      ),
    ]);
  }
}

const kindsOf = ({ bindings }: Shader) => bindings.map(({ kind }) => kind);

/** Commands one after another. */
class Sequence implements Arrangement {
  private readonly parts: readonly Arrangement[];

  constructor(parts: readonly Arrangement[]) {
    this.parts = parts;
  }

  encode(pass: GPUComputePassEncoder, offset: number, numbers: ArrayLike<number>): void {
    for (let i = 0; i < this.parts.length; i++) this.parts[i]!.encode(pass, offset, numbers);
  }
}

class Dispatch implements Arrangement {
  private readonly pipeline: GPUComputePipeline;
  private readonly group: BoundGroup;
  private readonly x: number;
  private readonly y: number;
  /** Those of dynamic bindings. */
  private readonly offsets: Uint32Array;

  /** @param most workgroups in one dimension. */
  constructor(
    gpu: Gpu,
    memory: TensorMemory,
    shader: Shader,
    resources: () => readonly GPUBufferBinding[],
    count: number,
    most: number,
  ) {
    const kinds = kindsOf(shader);
    const layout = gpu.layout(kinds);
    this.pipeline = gpu.pipeline(shader.code, kinds);
    this.group = new BoundGroup(memory, () => {
      const entries = resources().map((resource, binding) => ({ binding, resource }));
      return gpu.device.createBindGroup({ layout, entries });
    });
    this.y = Math.ceil(count / most);
    this.x = Math.ceil(count / Math.max(1, this.y));
    this.offsets = new Uint32Array(kinds.filter((kind) => kind === "dynamic").length);
  }

  encode(pass: GPUComputePassEncoder, offset: number): void {
    const { offsets } = this;
    offsets.fill(offset);
    pass.setPipeline(this.pipeline);
    pass.setBindGroup(0, this.group.current, offsets, 0, offsets.length);
    pass.dispatchWorkgroups(this.x, this.y);
  }
}
