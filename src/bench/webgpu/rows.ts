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
  const place = { device, clock: new GpuClock(device), close: () => Promise.resolve() };
  const open = () => Promise.resolve(place);
  const make = new RowMaker(open, device, optimizer, workload, runnerOf);
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
 * memory can do. Times are the device's own where it has a clock. Each row has a device of its own, so that
 * what goes wrong there is its own as well, and its memory is free again when it is done.
 *
 * @param open makes a device.
 * @param limited has the limits of all of them.
 * @param differences is told how far each row was from the CPU's steps.
 */
export function gpuRowsTogether(
  open: () => Promise<GPUDevice>,
  limited: Pick<GPUDevice, "limits">,
  optimizer: BenchedOptimizer,
  workload: Workload,
  differences: Map<string, number>,
): readonly Contender[] {
  const openPlace = async (): Promise<Place> => {
    const device = await open();
    const close = async (): Promise<void> => {
      await device.queue.onSubmittedWorkDone().catch(() => {}); // of a lost one nothing is under way
      device.destroy();
    };
    return { device, clock: new GpuClock(device), close };
  };
  const make = new RowMaker(openPlace, limited, optimizer, workload, togetherOf, differences);
  const working = subjectOf(optimizer).workingSet * workload.parameters;
  return [
    ...(["loop", "compile", "foreach", "fused"] as const).map((plan) =>
      make.ours(`gpu-${plan}`, plan, gpuLabels[`gpu-${plan}`]),
    ),
    make.byHand("gpu-written", gpuLabels["gpu-written"]),
    { ...make.stream("gpu-copy", "The GPU's memory", "copy", working), family: "memory" },
  ];
}

/** Where a row runs, and what gives it back. */
interface Place {
  readonly device: GPUDevice;
  readonly clock: GpuClock;
  close(): Promise<void>;
}

class RowMaker {
  readonly differences: Map<string, number>;
  private readonly open: () => Promise<Place>;
  private readonly limited: Pick<GPUDevice, "limits">;
  private readonly optimizer: BenchedOptimizer;
  private readonly workload: Workload;
  private readonly runner: (clock: GpuClock, steps: GpuSteps) => Runner;

  constructor(
    open: () => Promise<Place>,
    limited: Pick<GPUDevice, "limits">,
    optimizer: BenchedOptimizer,
    workload: Workload,
    runner: (clock: GpuClock, steps: GpuSteps) => Runner,
    differences = new Map<string, number>(),
  ) {
    this.open = open;
    this.limited = limited;
    this.optimizer = optimizer;
    this.workload = workload;
    this.runner = runner;
    this.differences = differences;
  }

  ours(key: string, plan: string, label: string): Contender {
    return this.stepped(key, label, "downhill", (device) =>
      ours(device, this.optimizer, this.workload, plans[plan]!),
    );
  }

  byHand(key: string, label: string): Contender {
    return this.stepped(key, label, "native", (device) =>
      byHand(device, this.optimizer, this.workload),
    );
  }

  stream(key: string, label: string, kind: StreamKind, size: number): Contender {
    const bytes = streamedBytes(this.limited, kind, size);
    const prepare = () =>
      this.opened(({ device, clock }) =>
        Promise.resolve(this.runner(clock, stream(device, kind, size))),
      );
    return { key, label, family: "native", threads: 0, bytes, prepare };
  }

  private stepped(
    key: string,
    label: string,
    family: Family,
    make: (device: GPUDevice) => ShownSteps | string,
  ): Contender {
    const prepare = () =>
      this.opened(async ({ device, clock }) => {
        const steps = make(device);
        if (typeof steps === "string") return steps;
        const difference = await disagreement(device, this.optimizer, this.workload, steps);
        clock.check();
        this.differences.set(key, difference);
        return objection(difference) ?? this.runner(clock, steps);
      });
    return { key, label, family, threads: 0, prepare };
  }

  /** What is made of a place gives it back; or it is given back at once. */
  private async opened(make: (place: Place) => Promise<Runner | string>): Promise<Runner | string> {
    const place = await this.open();
    let runner: Runner | string;
    try {
      runner = await make(place);
    } catch (error) {
      runner = (error as Error).message;
    }
    if (typeof runner !== "string") return { ...runner, close: () => place.close() };
    await place.close();
    return runner;
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
