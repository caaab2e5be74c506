// Whether steps on a GPU are the CPU's: both take some, and parameters are compared.

import { readParts } from "../../memory/webgpu/read.ts";
import { parameter } from "../../index.ts";
import type { BenchedOptimizer, Workload } from "../contender.ts";
import { makeOptimizer } from "../make.ts";
import { subjectOf } from "../subject.ts";
import { startOf } from "../values.ts";
import type { GpuSteps } from "./clock.ts";

/** Steps that both take. */
const STEPS = 3;
/** Of large workloads that many elements at either end are compared. */
const SAMPLE = 65_536;
/** Against the largest parameter: a GPU's divisions and roots are off by a few last bits. */
export const TOLERANCE = 1e-5;

/** Steps whose parameters can be looked at: a part of a buffer for each tensor. */
export interface ShownSteps extends GpuSteps {
  readonly tensors: readonly GPUBufferBinding[];
}

/** Some neighbours of a tensor. */
interface Sample {
  readonly tensor: number;
  /** From the start of the tensor. */
  readonly from: number;
  readonly count: number;
  /** From the start of all tensors. */
  readonly index: number;
}

/** All elements, or of a rule that goes element by element those at either end. */
export function samples(
  { sizes, parameters }: Workload,
  isElementwise: boolean,
  most: number = SAMPLE,
): Sample[] {
  const all = !isElementwise || parameters <= 2 * most;
  const found: Sample[] = [];
  let index = 0;
  sizes.forEach((size, tensor) => {
    const add = (begin: number, end: number): void => {
      const from = Math.max(0, begin - index);
      const count = Math.min(size, end - index) - from;
      if (count > 0) found.push({ tensor, from, count, index: index + from });
    };
    if (all) add(0, parameters);
    else {
      add(0, most);
      add(parameters - most, parameters);
    }
    index += size;
  });
  return found;
}

/** What the CPU's parameters are after as many steps. */
function onCpu(optimizer: BenchedOptimizer, parts: readonly Sample[], workload: Workload) {
  const starts = parts.map(({ index, count }) => startOf(index, count));
  const shape = subjectOf(optimizer).isElementwise ? undefined : workload.shape;
  const params = starts.map(({ values }, i) =>
    parameter(values, { name: `w${i}`, ...(shape && { shape }) }),
  );
  const made = makeOptimizer(optimizer, params, { threads: 1 });
  starts.forEach(({ grads }, i) => (params[i]!.grad = grads));
  for (let t = 0; t < STEPS; t++) made.step();
  const found = params.map(({ data }) => Float32Array.from(data));
  made.dispose();
  return found;
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
  const expected = onCpu(optimizer, parts, workload);
  let [difference, largest] = [0, 0];
  expected.forEach((values, i) => {
    const others = new Float32Array(found[i]!);
    values.forEach((value, k) => {
      const distance = Math.abs(value - others[k]!);
      difference = Math.max(difference, Number.isNaN(distance) ? Infinity : distance);
      largest = Math.max(largest, Math.abs(value));
    });
  });
  return difference / largest;
}
