// Whether rows take the same steps: each takes some, and parameters are compared with those of a reference,
// Downhill's own steps on the CPU, on one thread.

import { parameter } from "../index.ts";
import type { BenchedOptimizer, Contender, Runner, Workload } from "./contender.ts";
import { makeOptimizer } from "./make.ts";
import { subjectOf } from "./subject.ts";
import { startOf } from "./values.ts";

/** Steps that both take. */
export const STEPS = 3;
/** Of large workloads that many elements at either end are compared. */
const SAMPLE = 65_536;
/** Against the largest parameter: roundings differ, and a GPU's divisions and roots by a few last bits. */
export const TOLERANCE = 1e-5;

/** Some neighbours of a tensor. */
export interface Sample {
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

/** What the reference makes of some values in as many steps; by default of those that all start from. */
export function reference(
  optimizer: BenchedOptimizer,
  workload: Workload,
  parts: readonly Sample[],
  values?: readonly Float32Array[],
): Float32Array[] {
  const starts = parts.map(({ index, count }) => startOf(index, count));
  const shape = subjectOf(optimizer).isElementwise ? undefined : workload.shape;
  const params = starts.map((start, i) =>
    parameter(values?.[i] ?? start.values, { name: `w${i}`, ...(shape && { shape }) }),
  );
  const made = makeOptimizer(optimizer, params, { threads: 1 });
  starts.forEach(({ grads }, i) => (params[i]!.grad = grads));
  for (let t = 0; t < STEPS; t++) made.step();
  const found = params.map(({ data }) => Float32Array.from(data));
  made.dispose();
  return found;
}

/** The largest difference from what is expected, against the largest of that; infinite where one is NaN. */
export function distance(
  found: readonly Float32Array[],
  expected: readonly Float32Array[],
): number {
  let [difference, largest] = [0, 0];
  expected.forEach((values, i) => {
    values.forEach((value, k) => {
      const apart = Math.abs(value - found[i]![k]!);
      difference = Math.max(difference, Number.isNaN(apart) ? Infinity : apart);
      largest = Math.max(largest, Math.abs(value));
    });
  });
  return difference / largest;
}

/** Why a row that is so far from the reference is not measured; `null` for one that is near enough. */
export function objection(difference: number): string | null {
  if (difference <= TOLERANCE) return null;
  return `not measured: its parameters differ from the CPU's by ${difference.toPrecision(2)}`;
}

/**
 * A row that is held against the reference before it is measured, and left out where it takes other steps.
 *
 * @param differences is told how far it was from the reference, by key.
 */
export function checked(row: Contender, differences: Map<string, number>): Contender {
  return {
    ...row,
    prepare: async (optimizer, workload) => {
      const runner = await row.prepare(optimizer, workload);
      if (typeof runner === "string" || !runner.values) return runner;
      const difference = await disagreement(runner, optimizer, workload);
      differences.set(row.key, difference);
      const reason = objection(difference);
      if (reason === null) return runner;
      await runner.close();
      return reason;
    },
  };
}

/** Rows may share parameters, so the reference starts from where they are. */
async function disagreement(
  runner: Runner,
  optimizer: BenchedOptimizer,
  workload: Workload,
): Promise<number> {
  const parts = samples(workload, subjectOf(optimizer).isElementwise);
  const look = async (): Promise<Float32Array[]> => {
    const tensors = (await runner.values?.()) ?? [];
    return parts.map(({ tensor, from, count }) => tensors[tensor]!.slice(from, from + count));
  };
  const before = await look();
  await runner.run(STEPS);
  return distance(await look(), reference(optimizer, workload, parts, before));
}

/** What was found of all rows, in a sentence; none where there was none. */
export function agreementNote(differences: readonly number[]): string[] {
  if (differences.length === 0) return [];
  const near = differences.filter((difference) => objection(difference) === null);
  const others = differences.length - near.length;
  const left = `${others} did not and ${others === 1 ? "was" : "were"} left out`;
  if (near.length === 0) return [`No row agrees with the CPU's steps; ${left}.`];
  const rows = near.length === 1 ? "the row agrees" : `all ${near.length} rows agree`;
  const most = Math.max(...near);
  const how =
    most === 0
      ? ", to the last bit"
      : `: no parameter is off by more than ${most.toPrecision(2)} of the largest`;
  return [`After ${STEPS} steps ${rows} with the CPU's${how}${others === 0 ? "" : `; ${left}`}.`];
}
