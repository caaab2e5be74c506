// The rows of a benchmark on a GPU: Downhill's four plans, the same by hand, and what the memory can do.

import { isWritten, NOT_WRITTEN } from "../contender.ts";
import type { BenchedOptimizer, Contender, Family, Runner, Workload } from "../contender.ts";
import { GpuOptimizer, parameter, type GpuPlanOptions } from "../../webgpu/index.ts";
import { subjectOf } from "../subject.ts";
import { gradients, startValues } from "../values.ts";
import type { Adapter } from "./adapter.ts";
import { disagreement, TOLERANCE, type ShownSteps } from "./agreement.ts";
import { GpuClock, type GpuSteps, type StepTimes } from "./clock.ts";
import { stream, streamBytes, streamedBytes, type StreamKind } from "./stream.ts";
import { writtenSteps } from "./written.ts";

/** Downhill's ways, by key. */
export const plans: Readonly<Record<string, GpuPlanOptions>> = {
  loop: { foreach: false, compile: false },
  compile: { foreach: false },
  foreach: { compile: false },
  fused: {},
};

export interface GpuRows {
  readonly rows: readonly Contender[];
  /** Of each row that has been set up, how far its parameters were from the CPU's after some steps. */
  readonly differences: ReadonlyMap<string, number>;
}

/** The rows on one device, for one optimizer. */
export function gpuRows(
  device: GPUDevice,
  { isSoftware }: Pick<Adapter, "isSoftware">,
  optimizer: BenchedOptimizer,
  workload: Workload,
): GpuRows {
  const clock = new GpuClock(device);
  const differences = new Map<string, number>();
  const stepped = (key: string, label: string, family: Family, make: () => ShownSteps | string) => {
    const prepare = async (): Promise<Runner | string> => {
      const steps = attempt(make);
      if (typeof steps === "string") return steps;
      const difference = await disagreement(device, optimizer, workload, steps);
      differences.set(key, difference);
      if (!(difference <= TOLERANCE)) {
        return `not measured: its parameters differ from the CPU's by ${difference.toPrecision(2)}`;
      }
      return runnerOf(clock, steps);
    };
    return { key, label, family, threads: 0, prepare };
  };
  const streamed = (key: string, label: string, kind: StreamKind, size: number): Contender => {
    const bytes = streamedBytes(device, kind, size);
    const prepare = () => Promise.resolve(runnerOf(clock, stream(device, kind, size)));
    return { key, label, family: "native", threads: 0, bytes, prepare };
  };
  const working = subjectOf(optimizer).workingSet * workload.parameters;
  const large = streamBytes(isSoftware);
  const rows = [
    ...Object.entries(plans).map(([key, plan]) =>
      stepped(key, `Downhill, ${key}`, "downhill", () => ours(device, optimizer, workload, plan)),
    ),
    stepped("written", "WGSL by hand, one dispatch", "native", () =>
      byHand(device, optimizer, workload),
    ),
    streamed("triad", "WGSL triad, as much memory", "triad", working),
    streamed("triad-large", "WGSL triad, beyond caches", "triad", large),
    streamed("copy-large", "WGSL copy, beyond caches", "copy", large),
  ];
  return { rows, differences };
}

/** Downhill's step. */
export function ours(
  device: GPUDevice,
  optimizer: BenchedOptimizer,
  workload: Workload,
  plan: GpuPlanOptions,
): ShownSteps {
  const { rule, options } = subjectOf(optimizer);
  const shape = workload.shape ? { shape: workload.shape } : {};
  const params = startValues(workload).map((values, i) =>
    parameter(device, values, { name: `w${i}`, ...shape }),
  );
  const made = new GpuOptimizer(rule, params, { ...options, ...plan } as never);
  gradients(workload).forEach((values, i) => params[i]!.writeGrad(values));
  return {
    step: () => made.step(),
    encode: (pass) => made.encode(pass),
    tensors: params.map(({ data }) => data),
  };
}

/** The step by hand, or why there is none. */
export function byHand(
  device: GPUDevice,
  optimizer: BenchedOptimizer,
  workload: Workload,
): ShownSteps | string {
  if (!isWritten(optimizer)) return NOT_WRITTEN;
  const { parameters, ...steps } = writtenSteps(device, optimizer, workload);
  const bytes = Float32Array.BYTES_PER_ELEMENT;
  let offset = 0;
  const tensors = workload.sizes.map((elements) => {
    const size = bytes * elements;
    offset += size;
    return { buffer: parameters, offset: offset - size, size };
  });
  return { ...steps, tensors };
}

function attempt<T>(make: () => T): T | string {
  try {
    return make();
  } catch (error) {
    return (error as Error).message;
  }
}

function runnerOf(clock: GpuClock, steps: GpuSteps): Runner {
  let last: StepTimes = { wall: NaN, host: NaN };
  return {
    run: async (count) => {
      last = await clock.time(steps, count);
      return new Float64Array(count).fill(last.wall);
    },
    others: () => {
      const { wall: _, ...others } = last;
      return others;
    },
    close: () => Promise.resolve(),
  };
}
