/** Operations on whole matrices between two kernels, over tensors that lie in a temporary. */
import type { HostCall } from "../../../ir/plan.ts";
import type { Shape } from "../../../ir/trace.ts";
import type { Arrangement } from "../chunk.ts";
import type { Gpu } from "../gpu.ts";
import { GpuNewtonSchulz } from "../matrix/newton-schulz.ts";
import { Scratch } from "../matrix/scratch.ts";
import type { Segments } from "./segments.ts";

/** One for all that runs on a device, which is one after another. */
const scratches = new WeakMap<Gpu, Scratch>();

function scratchOf(gpu: Gpu): Scratch {
  let scratch = scratches.get(gpu);
  if (!scratch) scratches.set(gpu, (scratch = new Scratch(gpu.device)));
  return scratch;
}

/**
 * Makes an operation ready. Tensors of a batch have the same shape and numbers, and go together.
 *
 * @param memory the temporary, as the tensors lie in it.
 * @param stride numbers of a batch among the values.
 */
export function bindCall(
  gpu: Gpu,
  { operation, uniforms }: HostCall,
  { tensors, starts }: Segments,
  memory: GPUBufferBinding,
  values: GPUBufferBinding,
  stride: number,
): Arrangement[] {
  if (operation.name !== "newtonSchulz") throw new Error(`nothing to run for ${operation.name}`);
  const batches = new Map<number, { readonly shape: Shape; readonly offsets: number[] }>();
  tensors.forEach(({ segment, place }, s) => {
    const { rows, columns } = place!;
    const batch = batches.get(segment) ?? { shape: [rows, columns], offsets: [] };
    batch.offsets.push(starts[s]!.tensor);
    batches.set(segment, batch);
  });
  const scratch = scratchOf(gpu);
  return [...batches].map(([batch, { shape, offsets }]) => {
    const numbers = uniforms.map((index) => batch * stride + index);
    return new GpuNewtonSchulz(gpu, { shape, memory, offsets, values, numbers, scratch });
  });
}
