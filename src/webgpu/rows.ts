/**
 * Rows of parameters on a GPU that come and go, as Gaussians do that are split and pruned: values, gradients
 * and all state of the optimizer stay together, and nothing leaves the GPU.
 *
 * Rows lie along the first dimension. Parameters that describe the same things (positions, colours, ...) are
 * changed in one call. Each call submits by itself: what was recorded before must have been submitted. It
 * may make buffers, and so does the step after it; later steps do not.
 */
import type { GpuParameter } from "../memory/webgpu/parameter.ts";
import type { NestedNumbers } from "../memory/shape.ts";
import { check, checkNames } from "../optim/gradient-source.ts";
import type { GpuOptimizer } from "./optimizer.ts";
import { readRows, readValues, type GpuRows } from "./row-lists.ts";
import { Surgery } from "./surgery.ts";

/** One parameter, or several that have as many rows as each other. */
export type GpuRowParams = GpuParameter | readonly GpuParameter[];

/** What {@link duplicateRows} takes. */
export interface DuplicateOptions {
  /** Whether the copies take the state of their rows along (`"copy"`, default) or start as new rows do. */
  readonly state?: "copy" | "reset";
}

/**
 * Keeps these rows and no others: row i becomes what row `rows[i]` was. Rows may be sorted that way, and one
 * that is named twice is there twice.
 *
 * The count of steps, `t`, belongs to the parameter: it goes on, whatever rows there are.
 *
 * @throws {ParameterError} `BAD_PARAMS`, `UNKNOWN_PARAMETER`, `BAD_ROWS` or `NO_ROOM`, {RuleError}
 *   `LINE_STATE`, {BackendError} `OUT_OF_MEMORY` or `DEVICE_LOST`; nothing has changed then.
 *
 * @example
 * keepRows(optimizer, [positions, colours], survivors);
 * positions.data.size; // the rows that are left; the place is the same
 */
export function keepRows(optimizer: GpuOptimizer, params: GpuRowParams, rows: GpuRows): void {
  const surgery = new Surgery("keepRows", optimizer, listOf(params));
  const kept = readRows(surgery, rows);
  surgery.replace(0, kept.count, () => kept.list());
}

/**
 * Appends copies of these rows, in this order.
 *
 * @throws as {@link keepRows}, and {OptionError} `BAD_OPTION`.
 *
 * @example
 * const first = positions.shape[0]; // of the new rows
 * duplicateRows(optimizer, [positions, colours], large, { state: "reset" });
 */
export function duplicateRows(
  optimizer: GpuOptimizer,
  params: GpuRowParams,
  rows: GpuRows,
  options: DuplicateOptions = {},
): void {
  const name = "duplicateRows";
  const surgery = new Surgery(name, optimizer, listOf(params));
  checkNames(name, options, ["state"]);
  const { state = "copy" } = options;
  check(`${name}: state`, state, state === "copy" || state === "reset", '"copy" or "reset"');
  const copied = readRows(surgery, rows);
  const isCopied = (slot: number) => slot < 2 || state === "copy";
  surgery.replace(surgery.rows, copied.count, (slot) => (isCopied(slot) ? copied.list() : null));
}

/**
 * Appends rows from the CPU, with gradients of 0 and state as before the first step.
 *
 * @param values for each parameter a Float32Array, or nested arrays of numbers.
 * @throws as {@link keepRows}, and {ParameterError} `BAD_DATA`.
 *
 * @example
 * appendRows(optimizer, [positions, colours], [new Float32Array(30), new Float32Array(40)]);
 */
export function appendRows(
  optimizer: GpuOptimizer,
  params: GpuParameter,
  values: Float32Array | NestedNumbers,
): void;
export function appendRows(
  optimizer: GpuOptimizer,
  params: readonly GpuParameter[],
  values: readonly (Float32Array | NestedNumbers)[],
): void;
export function appendRows(optimizer: GpuOptimizer, params: GpuRowParams, values: unknown): void {
  const surgery = new Surgery("appendRows", optimizer, listOf(params));
  const given = Array.isArray(params) ? values : [values];
  const { count, numbers } = readValues(surgery, given);
  surgery.replace(surgery.rows, count, (slot, i) =>
    slot === 0 ? surgery.upload(numbers[i]!) : null,
  );
}

/**
 * Sets the state of these rows back to what it was before their first step: to 0, or to
 * `initialAccumulatorValue`. Their values and gradients stay, and so does the count of steps.
 *
 * @throws as {@link keepRows}.
 */
export function resetRows(optimizer: GpuOptimizer, params: GpuRowParams, rows: GpuRows): void {
  const surgery = new Surgery("resetRows", optimizer, listOf(params));
  surgery.reset(readRows(surgery, rows).list());
}

function listOf(params: GpuRowParams): readonly GpuParameter[] {
  return Array.isArray(params) ? (params as readonly GpuParameter[]) : [params as GpuParameter];
}
