/** Moves the parameters of an optimizer into arenas, side by side. */
import type { Parameter } from "./parameter.ts";
import { ParameterError, Prose } from "../errors.ts";
import { ALIGNMENT, Arena, MAX_BYTES } from "./arena.ts";
import { bytesOf, type DType } from "./dtype.ts";

/** Room for what kernels need besides regions of tensors. */
const SLACK = 1 << 16;

/**
 * Gives every parameter a home. Those that have one keep it: another optimizer may hold them too.
 * The others move, each data type into one new arena, in the given order.
 *
 * @param regions how many regions the optimizer may need: data, gradients and state. The memory is
 *   made that large at once; what is never touched takes no physical memory.
 * @throws {BackendError} `OUT_OF_MEMORY`; no parameter has moved then.
 */
export function adopt(parameters: readonly Parameter[], regions: number): void {
  for (const p of parameters) {
    if (p.data.length === p.size) continue;
    throw new ParameterError("DETACHED", {
      subject: p.label,
      got: new Prose("no values: their memory was transferred away"),
      expected: `${p.size} elements`,
      advice: "Copy what you send elsewhere: w.data.slice().",
    });
  }
  const moves: (() => void)[] = [];
  for (const dtype of ["float32", "float64"] as const) {
    const homeless = parameters.filter((p) => p.home === null && p.dtype === dtype);
    if (homeless.length > 0) moves.push(prepare(homeless, dtype, regions));
  }
  for (const move of moves) move();
}

function prepare(parameters: readonly Parameter[], dtype: DType, regions: number): () => void {
  const perTensor = ALIGNMENT / bytesOf(dtype);
  const offsets: number[] = [];
  let elements = 0;
  for (const { size } of parameters) {
    offsets.push(elements);
    elements += Math.ceil(size / perTensor) * perTensor;
  }
  const bytes = elements * bytesOf(dtype);
  const arena = new Arena(dtype, Math.max(2 * bytes, Math.min(regions * bytes + SLACK, MAX_BYTES)));
  const dataRegion = arena.allocate(bytes);
  const gradRegion = arena.allocate(bytes);
  return () =>
    parameters.forEach((p, i) => p.moveTo({ arena, offset: offsets[i]!, dataRegion, gradRegion }));
}
