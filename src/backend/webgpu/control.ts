/**
 * What the GPU itself has decided about a step: whether it is left out, and what gradients are multiplied
 * by. It is written by one dispatch and read by all those after it, so nothing comes back to the CPU.
 */
import { isNaN } from "./nan.ts";

/** Parameter groups that may have a factor of their own. */
export const MAX_GROUPS = 256;
/** Bytes of the buffer. */
export const CONTROL_BYTES = 16 + 8 * MAX_GROUPS;

/** Its type in WGSL. */
export const controlType = `struct Control {
  // 1 where the step at hand is left out.
  skip: u32,
  // Steps left out so far.
  skipped: u32,
  // Norm of all gradients before clipping.
  norm: f32,
  unused: u32,
  // What the gradients of a group are clamped to (below 0: nothing) and then multiplied by, group by group.
  changes: array<vec4f, ${MAX_GROUPS / 2}>,
}`;

export function declareControl(binding: number): string {
  return `${controlType}
@group(0) @binding(${binding}) var<uniform> control: Control;`;
}

/** Reads what becomes of the gradients of a group, whose number is given in WGSL. */
export const readChange = (group: string): string => `let change = control.changes[${group} / 2u];
  let limit = select(change.x, change.z, (${group} & 1u) != 0u);
  let factor = select(change.y, change.w, (${group} & 1u) != 0u);`;

/** A gradient as the step is to see it. */
export function changedGradient(gradient: string, type: "f32" | "vec4f"): string {
  const clamped = `clamp(${gradient}, ${type}(-limit), ${type}(limit))`;
  const limited = `select(${clamped}, ${gradient}, ${isNaN(gradient, type)})`;
  return `select(${gradient}, ${limited}, limit >= 0f) * factor`;
}
