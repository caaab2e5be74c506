// Whether steps on a GPU are the CPU's.

import { readParts } from "../../memory/webgpu/read.ts";
import { distance, reference, samples, STEPS } from "../agreement.ts";
import type { BenchedOptimizer, Workload } from "../contender.ts";
import { subjectOf } from "../subject.ts";
import type { GpuSteps } from "./clock.ts";

/** Steps whose parameters can be looked at: a part of a buffer for each tensor. */
export interface ShownSteps extends GpuSteps {
  readonly tensors: readonly GPUBufferBinding[];
}

/**
 * Takes some steps from the start.
 *
 * @returns the largest difference from the CPU's parameters, against the largest of those.
 */
export async function disagreement(
  device: GPUDevice,
  optimizer: BenchedOptimizer,
  workload: Workload,
  steps: ShownSteps,
): Promise<number> {
  const parts = samples(workload, subjectOf(optimizer).isElementwise);
  for (let t = 0; t < STEPS; t++) steps.step();
  const bytes = Float32Array.BYTES_PER_ELEMENT;
  const bindings = parts.map(({ tensor, from, count }) => {
    const { buffer, offset = 0 } = steps.tensors[tensor]!;
    return { buffer, offset: offset + bytes * from, size: bytes * count };
  });
  const found = await readParts(device, "bench", bindings);
  const values = found.map((part) => new Float32Array(part));
  return distance(values, reference(optimizer, workload, parts));
}
