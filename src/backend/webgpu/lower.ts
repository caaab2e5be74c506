/**
 * From a kernel's IR to a shader that runs it element by element.
 *
 * A workgroup works off one item: (segment, begin, end), begin and end counting vectors of four elements
 * from the start of what is bound. So one dispatch serves any number of tensors and groups: a segment
 * stands for the numbers that its elements meet. The last elements of memory that is not a multiple of four
 * long are done one by one by a shader of their own.
 */
import { Op } from "../../ir/op.ts";
import type { KernelIr } from "../../ir/plan.ts";
import { BodyWriter, type Width } from "./body.ts";

/** Threads of a workgroup. */
export const WORKGROUP = 256;
/** Bindings before those of the slots. */
export const FIRST_SLOT = 2;

/** Where a kernel finds its numbers. */
export interface NumbersLayout {
  /** Numbers of one segment. */
  readonly stride: number;
  /** Which of them each uniform of the kernel is. */
  readonly sources: readonly number[];
}

export interface ElementShader {
  readonly numbers: NumbersLayout;
  /** Which slots are bound for writing: those that are stored to, and those in the same buffer as one. */
  readonly writable: readonly boolean[];
  /** Whether items are of single elements. */
  readonly tail?: boolean;
}

/** The slots that a kernel stores to. */
export function storedSlots(kernel: Pick<KernelIr, "slots" | "outputs">): boolean[] {
  return kernel.slots.map((_, slot) => (kernel.outputs[slot] ?? -1) >= 0);
}

export function lowerElements(kernel: KernelIr, shader: ElementShader): string {
  const width: Width = shader.tail ? 1 : 4;
  const type = width === 4 ? "vec4f" : "f32";
  const threads = shader.tail ? 1 : WORKGROUP;
  const { stride, sources } = shader.numbers;
  const body = new BodyWriter(
    kernel,
    { load: (slot) => `s${slot}[i]`, uniform: (index) => `u${index}` },
    width,
  );
  const stores = kernel.outputs.flatMap((id, slot) =>
    id < 0 ? [] : [`s${slot}[i] = ${body.elements(id)};`],
  );
  const used = kernel.nodes.filter(({ op }) => op === Op.uniform).map(({ index }) => index);
  const uniforms = [...new Set(used)].toSorted((a, b) => a - b);
  return `${kernel.slots.map((name, slot) => `// s${slot}: ${name}`).join("\n")}
${declareItems()}
${kernel.slots.map((_, slot) => declareSlot(slot, type, shader.writable[slot]!)).join("\n")}

@compute @workgroup_size(${threads})
fn main(${builtins}) {
  ${readItem}
  let numbers = item.x * ${stride}u;
${uniforms.map((u) => `  let u${u} = values[numbers + ${sources[u]!}u];`).join("\n")}
  for (var i = item.y + thread; i < item.z; i += ${threads}u) {
${[...body.lines, ...stores].map((line) => `    ${line}`).join("\n")}
  }
}
`;
}

/** The parameters of every entry point. */
export const builtins = `@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32`;
/** The item of a workgroup. */
export const readItem = "let item = items[group.y * groups.x + group.x];";

export function declareItems(): string {
  return `@group(0) @binding(0) var<storage, read> items: array<vec4u>;
@group(0) @binding(1) var<storage, read> values: array<f32>;`;
}

export function declareSlot(slot: number, type: string, writable: boolean): string {
  const access = writable ? "read_write" : "read";
  return `@group(0) @binding(${FIRST_SLOT + slot}) var<storage, ${access}> s${slot}: array<${type}>;`;
}
