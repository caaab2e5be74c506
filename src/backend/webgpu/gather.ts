/**
 * Moves rows of tensors on the GPU: by a list of row numbers, all of them as they are, or fills them.
 *
 * Parts of buffers are of any size and begin anywhere. What is too large to be bound goes in windows: a
 * thread then leaves alone what another window holds. Values are copied as bits.
 */
import { limits, type BufferPart } from "../../memory/webgpu/chunk.ts";
import { BINDING_ALIGNMENT, Usage } from "../../memory/webgpu/constants.ts";
import type { BindingKind, Gpu } from "./gpu.ts";
import { WORKGROUP } from "./lower.ts";

/** Numbers of rows, as u32 in a buffer. Those that are too large stand for the last row. */
export interface RowList {
  readonly buffer: GPUBuffer;
  /** In bytes. */
  readonly offset: number;
  readonly count: number;
}

/** Bytes of an element, and of a row's number. */
const BYTES = 4;
/** In every dimension of a dispatch, on every device. */
const MOST_WORKGROUPS = 65_535;

/** The numbers of a job, in order. */
const fields = [
  // Elements to do, and how many come before them in all rows of the list.
  "count",
  "first",
  // Elements of a row, and the last row that there is.
  "width",
  "lastRow",
  // Where the list's rows begin: the number of the first that is bound, and where it stands.
  "firstRow",
  "listStart",
  // Where elements begin in what is bound: of the list's rows, and of those that they name.
  "nearStart",
  "farStart",
  // Which of the named rows' elements are bound.
  "farBegin",
  "farEnd",
  // What is filled in, as bits.
  "value",
] as const;
type Job = Partial<Record<(typeof fields)[number], number>>;

/** What a job binds behind its numbers, and what it does with element `i` of those it is to do. */
const kinds = {
  gather: { list: "read", source: "read", result: "write" },
  copy: { source: "read", result: "write" },
  fill: { result: "write" },
  fillRows: { list: "read", result: "write" },
} as const satisfies Record<string, Record<string, BindingKind>>;
type Kind = keyof typeof kinds;

const named = `let element = job.first + i;
    let row = min(list[job.listStart + element / job.width - job.firstRow], job.lastRow);
    let far = row * job.width + element % job.width;
    if (far < job.farBegin || far >= job.farEnd) { continue; }`;
const bodies: Record<Kind, string> = {
  gather: `${named}
    result[job.nearStart + i] = source[job.farStart + far - job.farBegin];`,
  copy: "result[job.nearStart + i] = source[job.farStart + i];",
  fill: "result[job.nearStart + i] = job.value;",
  fillRows: `${named}
    result[job.farStart + far - job.farBegin] = job.value;`,
};

/** Elements of a part from one to another. */
interface Span {
  readonly begin: number;
  readonly end: number;
}

interface Bound {
  readonly binding: GPUBufferBinding;
  /** Elements in it before those that were asked for. */
  readonly start: number;
}

interface Work {
  readonly kind: Kind;
  readonly job: Job;
  readonly bindings: readonly GPUBufferBinding[];
}

/** Collects what is to be moved, which then happens in this order. */
export class RowMover {
  private readonly gpu: Gpu;
  private readonly work: Work[] = [];

  constructor(gpu: Gpu) {
    this.gpu = gpu;
  }

  /**
   * Row i of `to` becomes the row of `from` that the list names.
   *
   * @param from must not be in the buffer that `to` is in.
   * @param width elements of a row.
   */
  gather(from: BufferPart, to: BufferPart, list: RowList, width: number): void {
    const lastRow = from.size / BYTES / width - 1;
    for (const span of this.spansOf(to)) {
      const near = bind(to, span);
      const rows = this.rowsOf(list, span, width);
      for (const { begin, end } of this.spansOf(from)) {
        const far = bind(from, { begin, end });
        const job = { nearStart: near.start, farStart: far.start, farBegin: begin, farEnd: end };
        const bindings = [rows.binding, far.binding, near.binding];
        this.add("gather", span, { ...job, ...rows.job, width, lastRow }, bindings);
      }
    }
  }

  /** @param from must not be in the buffer that `to` is in. */
  copy(from: BufferPart, to: BufferPart): void {
    for (const span of this.spansOf(to)) {
      const [source, result] = [bind(from, span), bind(to, span)];
      const job = { nearStart: result.start, farStart: source.start };
      this.add("copy", span, job, [source.binding, result.binding]);
    }
  }

  fill(part: BufferPart, value: number): void {
    for (const span of this.spansOf(part)) {
      const { binding, start } = bind(part, span);
      this.add("fill", span, { nearStart: start, value: bitsOf(value) }, [binding]);
    }
  }

  /** Fills the rows that the list names. */
  fillRows(part: BufferPart, list: RowList, width: number, value: number): void {
    const lastRow = part.size / BYTES / width - 1;
    for (const span of this.spansOf({ ...list, size: list.count * width * BYTES })) {
      const rows = this.rowsOf(list, span, width);
      for (const { begin, end } of this.spansOf(part)) {
        const far = bind(part, { begin, end });
        const job = { farStart: far.start, farBegin: begin, farEnd: end, value: bitsOf(value) };
        const bindings = [rows.binding, far.binding];
        this.add("fillRows", span, { ...job, ...rows.job, width, lastRow }, bindings);
      }
    }
  }

  /** Encodes and submits all of it. */
  submit(): void {
    const { gpu, work } = this;
    if (work.length === 0) return;
    const { device } = gpu;
    const stride = BINDING_ALIGNMENT;
    const numbers = new Uint32Array((work.length * stride) / BYTES);
    work.forEach(({ job }, i) => {
      numbers.set(
        fields.map((field) => job[field] ?? 0),
        (i * stride) / BYTES,
      );
    });
    const usage = Usage.uniform | Usage.copyTarget;
    const label = "downhill: rows";
    const buffer = device.createBuffer({ label, size: numbers.byteLength, usage });
    device.queue.writeBuffer(buffer, 0, numbers);
    const encoder = device.createCommandEncoder({ label });
    const pass = encoder.beginComputePass({ label });
    work.forEach(({ kind, job, bindings }, i) => {
      const layout: BindingKind[] = ["uniform", ...Object.values(kinds[kind])];
      const own = { buffer, offset: i * stride, size: stride };
      const entries = [own, ...bindings].map((resource, binding) => ({ binding, resource }));
      pass.setPipeline(gpu.pipeline(shaderOf(kind), layout));
      pass.setBindGroup(0, device.createBindGroup({ layout: gpu.layout(layout), entries }));
      pass.dispatchWorkgroups(Math.min(MOST_WORKGROUPS, Math.ceil(job.count! / WORKGROUP)));
    });
    pass.end();
    device.queue.submit([encoder.finish()]);
    buffer.destroy();
    this.work.length = 0;
  }

  private add(
    kind: Kind,
    { begin, end }: Span,
    job: Job,
    bindings: readonly GPUBufferBinding[],
  ): void {
    this.work.push({ kind, job: { ...job, first: begin, count: end - begin }, bindings });
  }

  /** What of a part is bound at once. */
  private spansOf({ size }: BufferPart): Span[] {
    const { maxStorageBufferBindingSize: most } = this.gpu.device.limits;
    const unit = BINDING_ALIGNMENT / BYTES;
    // Bindings begin up to so much before what is asked for.
    const free = Math.floor(Math.min(most, limits.binding) / BINDING_ALIGNMENT) - 2;
    const step = Math.max(1, free) * unit;
    const elements = size / BYTES;
    return Array.from({ length: Math.ceil(elements / step) }, (_, i) => ({
      begin: i * step,
      end: Math.min(elements, (i + 1) * step),
    }));
  }

  /** The part of the list that some of its rows' elements need. */
  private rowsOf(list: RowList, { begin, end }: Span, width: number) {
    const firstRow = Math.floor(begin / width);
    const rows = { begin: firstRow, end: Math.ceil(end / width) };
    const { binding, start } = bind({ ...list, size: list.count * BYTES }, rows);
    return { binding, job: { firstRow, listStart: start } };
  }
}

/** Binds elements of a part, and what lies before them from where a binding may begin. */
function bind({ buffer, offset }: BufferPart, { begin, end }: Span): Bound {
  const from = offset + begin * BYTES;
  const aligned = Math.floor(from / BINDING_ALIGNMENT) * BINDING_ALIGNMENT;
  const binding = { buffer, offset: aligned, size: offset + end * BYTES - aligned };
  return { binding, start: (from - aligned) / BYTES };
}

function bitsOf(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0]!;
}

function shaderOf(kind: Kind): string {
  const declared = Object.entries(kinds[kind]).map(([name, access], i) => {
    const mode = access === "write" ? "read_write" : "read";
    return `@group(0) @binding(${i + 1}) var<storage, ${mode}> ${name}: array<u32>;`;
  });
  return `struct Job {
${fields.map((field) => `  ${field}: u32,`).join("\n")}
}
@group(0) @binding(0) var<uniform> job: Job;
${declared.join("\n")}

@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(global_invocation_id) thread: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = thread.x; i < job.count; i += groups.x * ${WORKGROUP}u) {
    ${bodies[kind]}
  }
}
`;
}
