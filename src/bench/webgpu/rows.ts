// The rows of a benchmark on a GPU: Downhill's four plans, the same by hand, and what the memory can do.

import { isWritten, NOT_WRITTEN } from "../contender.ts";
import type { BenchedOptimizer, Contender, Family, Runner, Workload } from "../contender.ts";
import { GpuOptimizer, parameter, type GpuPlanOptions } from "../../webgpu/index.ts";
import { subjectOf } from "../subject.ts";
import { gradients, startValues } from "../values.ts";
import type { Adapter } from "./adapter.ts";
import { objection } from "../agreement.ts";
import { disagreement, type ShownSteps } from "./agreement.ts";
import { GpuClock, type GpuSteps, type StepTimes } from "./clock.ts";
import { gpuLabels } from "./labels.ts";
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

/** The rows on one device, for one optimizer; each step is submitted by itself. */
export function gpuRows(
  device: GPUDevice,
  { isSoftware }: Pick<Adapter, "isSoftware">,
  optimizer: BenchedOptimizer,
  workload: Workload,
): GpuRows {
  const clock = new GpuClock(device);
  const make = new RowMaker(device, optimizer, workload, (steps) => runnerOf(clock, steps));
  const working = subjectOf(optimizer).workingSet * workload.parameters;
  const large = streamBytes(isSoftware);
  const rows = [
    ...Object.keys(plans).map((plan) => make.ours(plan, plan, `Downhill, ${plan}`)),
    make.byHand("written", "WGSL by hand, one dispatch"),
    make.stream("triad", "WGSL triad, as much memory", "triad", working),
    make.stream("triad-large", "WGSL triad, beyond caches", "triad", large),
    make.stream("copy-large", "WGSL copy, beyond caches", "copy", large),
  ];
  return { rows, differences: make.differences };
}

/**
 * Rows to stand beside those of the CPU, with many steps in each submission, and last what a copy of as much
 * memory can do. Times are the device's own where it has a clock.
 *
 * @param differences is told how far each row was from the CPU's steps.
 */
export function gpuRowsTogether(
  device: GPUDevice,
  optimizer: BenchedOptimizer,
  workload: Workload,
  differences: Map<string, number>,
): readonly Contender[] {
  const clock = new GpuClock(device);
  const runner = (steps: GpuSteps) => togetherOf(clock, steps);
  const make = new RowMaker(device, optimizer, workload, runner, differences);
  const working = subjectOf(optimizer).workingSet * workload.parameters;
  return [
    ...(["loop", "compile", "foreach", "fused"] as const).map((plan) =>
      make.ours(`gpu-${plan}`, plan, gpuLabels[`gpu-${plan}`]),
    ),
    make.byHand("gpu-written", gpuLabels["gpu-written"]),
    { ...make.stream("gpu-copy", "The GPU's memory", "copy", working), family: "memory" },
  ];
}

class RowMaker {
  readonly differences: Map<string, number>;
  private readonly device: GPUDevice;
  private readonly optimizer: BenchedOptimizer;
  private readonly workload: Workload;
  private readonly runner: (steps: GpuSteps) => Runner;

  constructor(
    device: GPUDevice,
    optimizer: BenchedOptimizer,
    workload: Workload,
    runner: (steps: GpuSteps) => Runner,
    differences = new Map<string, number>(),
  ) {
    this.differences = differences;
    this.device = device;
    this.optimizer = optimizer;
    this.workload = workload;
    this.runner = runner;
  }

  ours(key: string, plan: string, label: string): Contender {
    return this.stepped(key, label, "downhill", () =>
      ours(this.device, this.optimizer, this.workload, plans[plan]!),
    );
  }

  byHand(key: string, label: string): Contender {
    return this.stepped(key, label, "native", () =>
      byHand(this.device, this.optimizer, this.workload),
    );
  }

  stream(key: string, label: string, kind: StreamKind, size: number): Contender {
    const { device } = this;
    const bytes = streamedBytes(device, kind, size);
    const prepare = () => Promise.resolve(this.runner(stream(device, kind, size)));
    return { key, label, family: "native", threads: 0, bytes, prepare };
  }

  private stepped(
    key: string,
    label: string,
    family: Family,
    make: () => ShownSteps | string,
  ): Contender {
    const prepare = async (): Promise<Runner | string> => {
      const steps = attempt(make);
      if (typeof steps === "string") return steps;
      const difference = await disagreement(this.device, this.optimizer, this.workload, steps);
      this.differences.set(key, difference);
      return objection(difference) ?? this.runner(steps);
    };
    return { key, label, family, threads: 0, prepare };
  }
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

/** More steps than one where a blurred clock shows none. */
const ENOUGH = 64;

function togetherOf(clock: GpuClock, steps: GpuSteps): Runner {
  return {
    run: async (count) => {
      const ms = await clock.timeTogether(steps, count);
      const each = ms > 0 ? ms : await clock.timeTogether(steps, ENOUGH);
      return new Float64Array(count).fill(each);
    },
    close: () => Promise.resolve(),
  };
}
