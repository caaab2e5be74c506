/**
 * From a kernel's IR to a shader that runs it element by element.
 *
 * A workgroup works off one item: (segment, begin, end, group), begin and end counting vectors of four
 * elements from the start of what is bound. So one dispatch serves any number of tensors and groups: a segment
 * stands for the numbers that its elements meet. Each thread has one vector and goes round no loop: 2.5 % faster
 * on an H200 than four. The last elements of memory that is not a multiple of four long are done one by one by a
 * shader of their own.
 */
import { isNarrow } from "../../ir/bfloat16.ts";
import { Op } from "../../ir/op.ts";
import type { KernelIr } from "../../ir/plan.ts";
import { declareFactors, loadFactors, readFactorItem } from "./factors.ts";
import { BodyWriter, type Width } from "./body.ts";
import { changedGradient, declareControl, readChange } from "./control.ts";
import { loadNarrow, narrowFunctions, narrowType, storeNarrow } from "./narrow.ts";

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
  /**
   * Given where the GPU decides about the step, see control.ts: the slot that is the gradient, or -1. The
   * control is bound behind the slots, and an item's fourth number is its parameter group.
   */
  readonly gradient?: number;
  /** Given where updates are multiplied by factors, see factors.ts: the slot that they are, or -1. */
  readonly factors?: number;
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
  const { gradient, factors } = shader;
  const load = (slot: number): string => {
    if (slot === factors) return loadFactors(width);
    if (isNarrow(kernel, slot)) return loadNarrow(`s${slot}`, "i", width, shader.writable[slot]!);
    return slot === gradient ? changedGradient(`s${slot}[i]`, type) : `s${slot}[i]`;
  };
  const element = width === 4 ? "4u * i + vec4u(0u, 1u, 2u, 3u)" : "i";
  const source = { load, uniform: (index: number) => `u${index}`, element };
  const body = new BodyWriter(kernel, source, width);
  const stores = kernel.outputs.flatMap((id, slot) => {
    if (id < 0) return [];
    const value = body.elements(id);
    if (isNarrow(kernel, slot)) return [storeNarrow(`s${slot}`, "i", value, width)];
    return [`s${slot}[i] = ${value};`];
  });
  const used = kernel.nodes.filter(({ op }) => op === Op.uniform).map(({ index }) => index);
  const uniforms = [...new Set(used)].toSorted((a, b) => a - b);
  const loop = shader.tail ? "for (var i = item.y; i < item.z; i++)" : "if (i < item.z)";
  const lines = [
    factors === undefined ? readItem : readFactorItem,
    ...(shader.tail ? [] : ["let i = item.y + thread;"]),
    ...(gradient === undefined ? [] : controlled(kernel, gradient, loop, type)),
    `let numbers = item.x * ${stride}u;`,
    ...uniforms.map((u) => `let u${u} = values[numbers + ${sources[u]!}u];`),
    `${loop} {`,
    ...[...body.lines, ...stores].map((line) => `  ${line}`),
    "}",
  ];
  const slots = kernel.slots.map((_, slot) => {
    if (slot === factors) return declareFactors(FIRST_SLOT + slot, slot);
    const writable = shader.writable[slot]!;
    const slotType = isNarrow(kernel, slot) ? narrowType(width, writable) : type;
    return declareSlot(slot, slotType, writable);
  });
  return `${kernel.slots.map((name, slot) => `// s${slot}: ${name}`).join("\n")}
${declareItems()}
${slots.join("\n")}
${gradient === undefined ? "" : `${declareControl(FIRST_SLOT + slots.length)}\n`}${narrowFunctions(
    kernel,
    width,
  ).join("\n")}
@compute @workgroup_size(${threads})
fn main(${builtins}) {
${lines.map((line) => `  ${line}`).join("\n")}
}
`;
}

/** Heeds the control. A step that is left out sets gradients to zero all the same, if it was to. */
function controlled(
  kernel: KernelIr,
  gradient: number,
  loop: string,
  type: string,
): readonly string[] {
  const clears = (kernel.outputs[gradient] ?? -1) >= 0;
  return [
    "if (control.skip != 0u) {",
    ...(clears ? [`  ${loop} { s${gradient}[i] = ${type}(); }`] : []),
    "  return;",
    "}",
    ...(gradient < 0 ? [] : [readChange("item.w")]),
  ];
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
