/**
 * Moves the parameters of an optimizer into arenas, side by side.
 *
 * One arena for each data type is the rule. What does not fit into a memory with 32-bit addresses goes
 * into as many as it takes; only a parameter that is too large for one by itself gets a memory with
 * 64-bit addresses, where engines check every access.
 */
import type { Parameter } from "./parameter.ts";
import { BackendError, ParameterError, Prose } from "../errors.ts";
import { ALIGNMENT, Arena, limits, MAX_GAP, showBytes, wideLimit } from "./arena.ts";
import { bytesOf, type DType } from "./dtype.ts";

/** Room for what kernels need besides regions of tensors. */
const SLACK = 1 << 16;
/** Kernels that reduce need more: less than this part of a region. */
const KERNEL_SHARE = 1 / 64;

/** How many regions an optimizer needs: for data, gradients, state and temporaries. */
export interface RegionCount {
  /** As many as there may be, whatever becomes of the hyperparameters. */
  readonly most: number;
  /** As many as there are with the hyperparameters that hold for a parameter now. */
  exactly(parameter: Parameter): number;
  /** Bytes besides that one parameter at a time is turned over in. */
  scratch(parameter: Parameter): number;
}

/** Parameters that will share an arena. */
interface Load {
  readonly parameters: Parameter[];
  /** Of one region. */
  bytes: number;
  /** The most that any of them is turned over in. */
  scratch: number;
  readonly wide: boolean;
}

/**
 * Gives every parameter a home. Those that have one keep it: another optimizer may hold them too.
 * The others move into new arenas, those of one data type in the given order.
 *
 * @param regions how many the optimizer may need. Memory is made for all of them at once; what is
 *   never touched takes no physical memory.
 * @throws {BackendError} `OUT_OF_MEMORY`; no parameter has moved then.
 */
export function adopt(parameters: readonly Parameter[], regions: RegionCount): void {
  parameters.forEach(requireValues);
  const moves: (() => void)[] = [];
  for (const dtype of ["float32", "float64"] as const) {
    const homeless = parameters.filter((p) => p.home === null && p.dtype === dtype);
    for (const load of distribute(homeless, regions)) moves.push(prepare(load, dtype, regions));
  }
  for (const move of moves) move();
}

/** @throws {ParameterError} `DETACHED` if the parameter's memory was transferred away. */
export function requireValues(parameter: Parameter): void {
  if (parameter.data.length === parameter.size) return;
  throw new ParameterError("DETACHED", {
    subject: parameter.label,
    got: new Prose("no values: their memory was transferred away"),
    expected: `${parameter.size} elements`,
    advice: "Copy what you send elsewhere: w.data.slice().",
  });
}

/** Fills one arena after another. */
function distribute(parameters: readonly Parameter[], regions: RegionCount): Load[] {
  const loads: Load[] = [];
  let open: Load | undefined;
  for (const parameter of parameters) {
    const bytes = regionBytes(parameter);
    const scratch = regions.scratch(parameter);
    if (roomFor(bytes, regions.most, scratch) > limits.narrow) {
      const wide = needsWide(parameter, bytes, regions);
      loads.push({ parameters: [parameter], bytes, scratch, wide });
      continue;
    }
    const most = Math.max(open?.scratch ?? 0, scratch);
    if (!open || roomFor(open.bytes + bytes, regions.most, most) > limits.narrow) {
      loads.push((open = { parameters: [], bytes: 0, scratch: 0, wide: false }));
    }
    open.parameters.push(parameter);
    open.bytes += bytes;
    open.scratch = Math.max(open.scratch, scratch);
  }
  return loads;
}

/** Bytes of an arena with so many regions of so many bytes. */
function roomFor(bytes: number, regions: number, scratch: number): number {
  return regions * (bytes + MAX_GAP) + KERNEL_SHARE * bytes + scratch + SLACK;
}

/** Whether 32-bit addresses are not enough. @throws {BackendError} if there are no others. */
function needsWide(parameter: Parameter, bytes: number, regions: RegionCount): boolean {
  const count = regions.exactly(parameter);
  const needed = roomFor(bytes, count, regions.scratch(parameter));
  if (needed <= limits.narrow) return false;
  const widest = wideLimit();
  if (needed <= widest) return true;
  throw new BackendError("OUT_OF_MEMORY", {
    subject: parameter.label,
    got: new Prose(
      `${showBytes(needed)} for its data, its gradient and ${count - 2} more of that size ` +
        "(state, temporaries)",
    ),
    expected: `at most ${showBytes(widest || limits.narrow)} in one memory`,
    advice:
      "Split the parameter, or take an optimizer with less state" +
      (widest > 0
        ? "."
        : ", or an engine with memory64, such as Node 24, Chrome 133, Firefox 134."),
  });
}

function regionBytes({ size, dtype }: Parameter): number {
  return Math.ceil((size * bytesOf(dtype)) / ALIGNMENT) * ALIGNMENT;
}

function prepare(load: Load, dtype: DType, regions: RegionCount): () => void {
  const { parameters, bytes, wide } = load;
  const offsets: number[] = [];
  let end = 0;
  for (const parameter of parameters) {
    offsets.push(end / bytesOf(dtype));
    end += regionBytes(parameter);
  }
  const room = Math.min(
    regions.most * bytes + load.scratch + SLACK,
    wide ? limits.wide : limits.narrow,
  );
  const arena = new Arena(dtype, room, wide);
  const dataRegion = arena.allocate(bytes);
  const gradRegion = arena.allocate(bytes);
  return () =>
    parameters.forEach((p, i) => p.moveTo({ arena, offset: offsets[i]!, dataRegion, gradRegion }));
}
