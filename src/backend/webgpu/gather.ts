/**
 * Moves rows of tensors on the GPU: by a list of row numbers, all of them as they are, or fills them.
 *
 * Parts of buffers are of any size and begin anywhere. What is too large to be bound goes in windows: a
 * thread then leaves alone what another window holds. Values are copied as bits.
 */
import { narrowBits } from "../../ir/bfloat16.ts";
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

/** Elements that lie side by side. */
export interface Elements extends BufferPart {
  /** Of one of them: 4, or 2 of a bfloat16. */
  readonly bytes: 2 | 4;
}

const WORD = 4;
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

/** What a job binds behind its numbers. */
const kinds = {
  gather: { list: "read", source: "read", result: "write" },
  copy: { source: "read", result: "write" },
  fill: { result: "write" },
  fillRows: { list: "read", result: "write" },
} as const satisfies Record<string, Record<string, BindingKind>>;
type Kind = keyof typeof kinds;

/** Finds the element that the list names for element `i`, unless another window has it. */
const named = `let element = job.first + i;
  let row = min(list[job.listStart + element / job.width - job.firstRow], job.lastRow);
  let far = row * job.width + element % job.width;
  if (far < job.farBegin || far >= job.farEnd) { continue; }`;
const farPlace = "job.farStart + far - job.farBegin";

/** A thread has a word of the result; what of it is not to be done stays. @param value of element `i`. */
const perWord = (value: string) => `let firstWord = job.nearStart / PER_WORD;
let words = (job.nearStart + job.count - 1u) / PER_WORD + 1u - firstWord;
for (var w = thread.x; w < words; w += groups.x * ${WORKGROUP}u) {
  var word = result[firstWord + w];
  for (var part = 0u; part < PER_WORD; part++) {
    let place = (firstWord + w) * PER_WORD + part;
    if (place < job.nearStart || place - job.nearStart >= job.count) { continue; }
    let i = place - job.nearStart;
    ${value}
    word = insertBits(word, value, BITS * part, BITS);
  }
  result[firstWord + w] = word;
}`;
const read = (place: string) => `let there = ${place};
    let value = extractBits(source[there / PER_WORD], BITS * (there % PER_WORD), BITS);`;

const bodies: Record<Kind, string> = {
  gather: perWord(`${named}\n${read(farPlace)}`),
  copy: perWord(read("job.farStart + i")),
  fill: perWord("let value = job.value;"),
  // Rows may share a word, and be named twice.
  fillRows: `for (var i = thread.x; i < job.count; i += groups.x * ${WORKGROUP}u) {
  ${named}
  let there = ${farPlace};
  let shift = BITS * (there % PER_WORD);
  atomicAnd(&result[there / PER_WORD], ~insertBits(0u, ~0u, shift, BITS));
  atomicOr(&result[there / PER_WORD], insertBits(0u, job.value, shift, BITS));
}`,
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
  readonly bytes: Elements["bytes"];
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
  gather(from: Elements, to: Elements, list: RowList, width: number): void {
    const lastRow = from.size / from.bytes / width - 1;
    for (const span of this.spansOf(to)) {
      const near = bind(to, span);
      const rows = rowsOf(list, span, width);
      for (const { begin, end } of this.spansOf(from)) {
        const far = bind(from, { begin, end });
        const job = { nearStart: near.start, farStart: far.start, farBegin: begin, farEnd: end };
        const bindings = [rows.binding, far.binding, near.binding];
        this.add("gather", to, span, { ...job, ...rows.job, width, lastRow }, bindings);
      }
    }
  }

  /** @param from must not be in the buffer that `to` is in. */
  copy(from: Elements, to: Elements): void {
    for (const span of this.spansOf(to)) {
      const [source, result] = [bind(from, span), bind(to, span)];
      const job = { nearStart: result.start, farStart: source.start };
      this.add("copy", to, span, job, [source.binding, result.binding]);
    }
  }

  fill(to: Elements, value: number): void {
    for (const span of this.spansOf(to)) {
      const { binding, start } = bind(to, span);
      this.add("fill", to, span, { nearStart: start, value: bitsOf(value, to) }, [binding]);
    }
  }

  /** Fills the rows that the list names. */
  fillRows(to: Elements, list: RowList, width: number, value: number): void {
    const lastRow = to.size / to.bytes / width - 1;
    const all = { ...to, size: list.count * width * to.bytes };
    for (const span of this.spansOf(all)) {
      const rows = rowsOf(list, span, width);
      for (const { begin, end } of this.spansOf(to)) {
        const far = bind(to, { begin, end });
        const job = { farStart: far.start, farBegin: begin, farEnd: end, value: bitsOf(value, to) };
        const bindings = [rows.binding, far.binding];
        this.add("fillRows", to, span, { ...job, ...rows.job, width, lastRow }, bindings);
      }
    }
  }

  /** Encodes and submits all of it. */
  submit(): void {
    const { gpu, work } = this;
    if (work.length === 0) return;
    const { device } = gpu;
    const stride = BINDING_ALIGNMENT;
    const numbers = new Uint32Array((work.length * stride) / WORD);
    work.forEach(({ job }, i) => {
      numbers.set(
        fields.map((field) => job[field] ?? 0),
        (i * stride) / WORD,
      );
    });
    const usage = Usage.uniform | Usage.copyTarget;
    const label = "downhill: rows";
    const buffer = device.createBuffer({ label, size: numbers.byteLength, usage });
    device.queue.writeBuffer(buffer, 0, numbers);
    const encoder = device.createCommandEncoder({ label });
    const pass = encoder.beginComputePass({ label });
    work.forEach(({ kind, bytes, job, bindings }, i) => {
      const layout: BindingKind[] = ["uniform", ...Object.values(kinds[kind])];
      const own = { buffer, offset: i * stride, size: stride };
      const entries = [own, ...bindings].map((resource, binding) => ({ binding, resource }));
      pass.setPipeline(gpu.pipeline(shaderOf(kind, bytes), layout));
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
    { bytes }: Elements,
    { begin, end }: Span,
    job: Job,
    bindings: readonly GPUBufferBinding[],
  ): void {
    this.work.push({ kind, bytes, job: { ...job, first: begin, count: end - begin }, bindings });
  }

  /** What of some elements is bound at once. */
  private spansOf({ size, bytes }: Elements): Span[] {
    const { maxStorageBufferBindingSize: most } = this.gpu.device.limits;
    // Bindings begin up to so much before what is asked for.
    const free = Math.floor(Math.min(most, limits.binding) / BINDING_ALIGNMENT) - 2;
    const step = (Math.max(1, free) * BINDING_ALIGNMENT) / bytes;
    const elements = size / bytes;
    return Array.from({ length: Math.ceil(elements / step) }, (_, i) => ({
      begin: i * step,
      end: Math.min(elements, (i + 1) * step),
    }));
  }
}

/** The part of the list that some of its rows' elements need. */
function rowsOf({ buffer, offset }: RowList, { begin, end }: Span, width: number) {
  const firstRow = Math.floor(begin / width);
  const rows = { begin: firstRow, end: Math.ceil(end / width) };
  const { binding, start } = bind({ buffer, offset, bytes: 4 }, rows);
  return { binding, job: { firstRow, listStart: start } };
}

/** Binds elements, and what lies before them from where a binding may begin. */
function bind({ buffer, offset, bytes }: Omit<Elements, "size">, { begin, end }: Span): Bound {
  const from = offset + begin * bytes;
  const to = Math.ceil((offset + end * bytes) / WORD) * WORD;
  const aligned = Math.floor(from / BINDING_ALIGNMENT) * BINDING_ALIGNMENT;
  const binding = { buffer, offset: aligned, size: to - aligned };
  return { binding, start: (from - aligned) / bytes };
}

function bitsOf(value: number, { bytes }: Elements): number {
  const bits = new Int32Array(Float32Array.of(value).buffer)[0]!;
  return bytes === 2 ? narrowBits(bits) >>> 16 : bits;
}

function shaderOf(kind: Kind, bytes: Elements["bytes"]): string {
  const type = kind === "fillRows" ? "atomic<u32>" : "u32";
  const declared = Object.entries(kinds[kind]).map(([name, access], i) => {
    const isResult = access === "write";
    const declaration = `${name}: array<${isResult ? type : "u32"}>`;
    return `@group(0) @binding(${i + 1}) var<storage, ${isResult ? "read_write" : "read"}> ${declaration};`;
  });
  return `struct Job {
${fields.map((field) => `  ${field}: u32,`).join("\n")}
}
@group(0) @binding(0) var<uniform> job: Job;
${declared.join("\n")}
const PER_WORD = ${WORD / bytes}u;
const BITS = ${8 * bytes}u;

@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(global_invocation_id) thread: vec3u, @builtin(num_workgroups) groups: vec3u) {
${bodies[kind]}
}
`;
}
