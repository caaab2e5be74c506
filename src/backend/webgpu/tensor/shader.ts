/** Shaders of plans that go tensor by tensor, with the bindings that they expect. */
import { isNarrow } from "../../../ir/bfloat16.ts";
import type { KernelIr } from "../../../ir/plan.ts";
import type { Width } from "../body.ts";
import { changedGradient, declareControl, readChange } from "../control.ts";
import { builtins, WORKGROUP } from "../lower.ts";
import { factorCode } from "./work-list.ts";
import type { BindingKind } from "../gpu.ts";
import { loadNarrow, narrowType, storeNarrow } from "../narrow.ts";

/** A storage buffer of a shader; they are bound in order, from 0. */
export interface Binding {
  readonly name: string;
  readonly type: "vec4u" | "f32" | "vec4f" | ReturnType<typeof narrowType>;
  readonly kind: BindingKind;
}

export interface Shader {
  readonly bindings: readonly Binding[];
  readonly code: string;
}

/**
 * @param functions WGSL before the entry point.
 * @param body of the entry point, which knows `group`, `groups` and `thread`.
 */
export function shaderOf(
  bindings: readonly Binding[],
  functions: readonly string[],
  threads: number,
  body: readonly string[],
): Shader {
  const declared = bindings.map(({ name, type, kind }, i) => {
    if (kind === "uniform") return declareControl(i);
    const access = kind === "write" ? "read_write" : "read";
    return `@group(0) @binding(${i}) var<storage, ${access}> ${name}: array<${type}>;`;
  });
  const code = `${[...declared, ...functions].join("\n")}

@compute @workgroup_size(${threads})
fn main(${builtins}) {
${indent(body).join("\n")}
}
`;
  return { bindings, code };
}

/** Statements further to the right. */
export const indent = (lines: readonly string[], by = 1): string[] =>
  lines.map((line) => "  ".repeat(by) + line);

/** A kernel, and what is known of the memory that it runs over. */
export interface KernelOn {
  readonly kernel: KernelIr;
  /** Per slot the first that is in the same buffer: such must not be bound for reading beside one for writing. */
  readonly buffers: readonly number[];
  /**
   * Per slot, if it is a temporary of rows, columns or matrices, where it begins among these, as WGSL: all
   * of them are in one buffer, as there are never enough bindings.
   */
  readonly smalls: readonly (string | null)[];
  /** The slot of what updates are multiplied by, see factors.ts; -1 if there is none. */
  readonly factors: number;
  /** Whether the GPU decides about the step, see control.ts. */
  readonly controlled: boolean;
  /** The slot of the gradient, or -1. */
  readonly gradient: number;
}

/** What the buffer of temporaries of rows, columns and matrices is called. */
export const SMALLS = "smalls";

/**
 * What a slot has for an element, or four.
 *
 * @param at where, in WGSL.
 * @param element the number of the first of them in its tensor.
 * @param isStored whether the shader stores the slot as well.
 */
export function loadCode(
  on: KernelOn,
  slot: number,
  at: string,
  width: Width,
  element: string,
  isStored = storedSlots(on.kernel).includes(slot),
): string {
  if (slot === on.factors) {
    const factor = (k: number) => `factorOf(more, ${element} + ${k}u)`;
    return width === 1 ? factor(0) : `vec4f(${[0, 1, 2, 3].map(factor).join(", ")})`;
  }
  if (isNarrow(on.kernel, slot)) {
    return loadNarrow(`s${slot}`, at, width, isStored);
  }
  const value = elementCode(on, slot, at);
  const changes = on.controlled && slot === on.gradient;
  return changes ? changedGradient(value, width === 4 ? "vec4f" : "f32") : value;
}

/** What {@link loadCode} calls. */
export const factorFunctions = ({ factors }: KernelOn): string[] =>
  factors >= 0 ? [factorCode] : [];

/** Stores a value in a slot. */
export function storeCode(
  on: KernelOn,
  slot: number,
  at: string,
  value: string,
  width: Width,
): string {
  if (isNarrow(on.kernel, slot)) return storeNarrow(`s${slot}`, at, value, width);
  return `${elementCode(on, slot, at)} = ${value};`;
}

/** An element of a slot that is not in bfloat16, to be read or written. */
export function elementCode({ smalls }: KernelOn, slot: number, at: string): string {
  return smalls[slot] === null ? `s${slot}[${at}]` : `${SMALLS}[t${slot} + ${at}]`;
}

/** Says where these slots begin, before {@link elementCode} is used. */
export function slotsCode({ smalls }: KernelOn, used: Iterable<number>): string[] {
  return [...used].flatMap((slot) =>
    smalls[slot] === null ? [] : [`let t${slot} = ${smalls[slot]};`],
  );
}

/** The slot whose binding is called so. */
export const slotOf = (name: string) => Number(name.slice(1));

/** How a kernel binds these slots, of which it stores some. */
export function slotBindings(
  { kernel, buffers, smalls, factors }: KernelOn,
  used: ReadonlySet<number>,
  stored: ReadonlySet<number>,
  type: Binding["type"],
): Binding[] {
  const written = new Set([...stored].map((slot) => buffers[slot]));
  const kind = (slot: number): BindingKind => (written.has(buffers[slot]) ? "write" : "read");
  const slots = [...used].filter((slot) => slot !== factors).toSorted((a, b) => a - b);
  const small = slots.find((slot) => smalls[slot] !== null);
  return [
    ...slots
      .filter((slot) => smalls[slot] === null)
      .map((slot): Binding => {
        const narrow = narrowType(type === "vec4f" ? 4 : 1, stored.has(slot));
        return {
          name: `s${slot}`,
          type: isNarrow(kernel, slot) ? narrow : type,
          kind: kind(slot),
        };
      }),
    ...(small === undefined ? [] : [{ name: SMALLS, type, kind: kind(small) }]),
  ];
}

/** The numbers of a stage: uniforms by segment, then what its reductions leave, by item. */
export function numbersBinding({ kernel }: KernelOn): Binding {
  return { name: "numbers", type: "f32", kind: kernel.reductions.length > 0 ? "write" : "read" };
}

/** Reads the uniforms of the segment at hand. */
export function uniformsCode({ uniformCount }: KernelIr): string[] {
  return Array.from(
    { length: uniformCount },
    (_, i) => `let u${i} = numbers[item.x * ${uniformCount}u + ${i}u];`,
  );
}

/** Leaves the results of a workgroup's reductions behind the uniforms of all segments. */
export function partialsCode({ uniformCount }: KernelIr, results: readonly string[]): string[] {
  if (results.length === 0) return [];
  return [
    ...results.map((result, r) => `let result${r} = ${result};`),
    "if (thread == 0u) {",
    `  let at = work[0].z * ${uniformCount}u + index * ${results.length}u;`,
    ...results.map((_, r) => `  numbers[at + ${r}u] = result${r};`),
    "}",
  ];
}

/** What the GPU has decided about the step, where it decides. */
export const controlBindings = ({ controlled }: KernelOn): Binding[] =>
  controlled ? [{ name: "control", type: "f32", kind: "uniform" }] : [];

/**
 * Heeds the control. A step that is left out sets gradients to zero all the same, if it was to.
 *
 * @param elements begin and end of those of the item at hand in what is bound, if the shader may store them,
 *   and the type that is bound.
 */
export function controlCode(
  on: KernelOn,
  elements?: readonly [begin: string, end: string, type: string],
): string[] {
  const { controlled, gradient, kernel } = on;
  if (!controlled) return [];
  const clears = elements && (kernel.outputs[gradient] ?? -1) >= 0;
  return [
    "if (control.skip != 0u) {",
    ...(clears ? indent(clearCode(elementCode(on, gradient, "i"), ...elements)) : []),
    "  return;",
    "}",
    ...(gradient < 0 ? [] : [readChange("more.x")]),
  ];
}

const clearCode = (element: string, begin: string, end: string, type: string): string[] => [
  `for (var i = ${begin} + thread; i < ${end}; i += ${WORKGROUP}u) { ${element} = ${type}(); }`,
];

/** The slots that a kernel stores elements to. */
export const storedSlots = ({ outputs }: KernelIr): number[] =>
  outputs.flatMap((id, slot) => (id < 0 ? [] : [slot]));
