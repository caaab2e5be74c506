/**
 * PyTorch's recorded trajectories on WebGPU. Pages run this too: it does not read files, and results are
 * what may be sent to a page and back.
 */
import {
  Adadelta,
  Adafactor,
  Adagrad,
  Adam,
  Adamax,
  AdamW,
  ASGD,
  Muon,
  NAdam,
  parameter,
  RAdam,
  RMSprop,
  Rprop,
  SGD,
  type GpuOptimizer,
  type GpuParameter,
  type GpuPlanOptions,
} from "../../src/webgpu/index.ts";
import type { StateDict } from "../../src/index.ts";
import { camelCase, type GoldenCase } from "./golden-case.ts";

export const gpuOptimizers = {
  SGD,
  RMSprop,
  Adam,
  AdamW,
  Adagrad,
  Adadelta,
  Adamax,
  NAdam,
  RAdam,
  ASGD,
  Rprop,
  Adafactor,
};
export type GpuOptimizerName = keyof typeof gpuOptimizers;
export const gpuNames = Object.keys(gpuOptimizers) as GpuOptimizerName[];

/** Those, and the one that is only near to what PyTorch does. */
const all = { ...gpuOptimizers, Muon };

export interface GpuRun {
  /** All parameters after each step. */
  readonly trajectory: Record<string, number[]>[];
  /** The state after the last step. */
  readonly state: Record<string, Record<string, number | number[]>>;
}

export async function runGpuCase(
  device: GPUDevice,
  name: keyof typeof all,
  golden: GoldenCase,
  plan: GpuPlanOptions = {},
): Promise<GpuRun> {
  const parameters = Object.entries(golden.shapes).map(([key, shape]) =>
    parameter(device, Float32Array.from(golden.init[key]!), { name: key, shape }),
  );
  const options = { ...camelCase(golden.options), ...plan };
  const optimizer = new (all[name] as unknown as typeof SGD)(
    parameters,
    options as never,
  ) as unknown as GpuOptimizer;
  const history = new History(device, parameters, golden.grads.length);
  golden.grads.forEach((grads, index) => {
    const lr = golden.lr?.[index];
    if (lr !== undefined) (optimizer.paramGroups[0] as unknown as { lr: number }).lr = lr;
    for (const p of parameters) {
      const values = grads[p.name!] as number[] | null;
      p.writeGrad(values && Float32Array.from(values));
    }
    optimizer.step();
    history.note(index);
  });
  const { state } = await optimizer.stateDict();
  return { trajectory: await history.read(), state: listed(state) };
}

/** Copies of all parameters after each step, read back at once. */
class History {
  private readonly device: GPUDevice;
  private readonly parameters: readonly GpuParameter[];
  private readonly buffer: GPUBuffer;
  private readonly steps: number;

  constructor(device: GPUDevice, parameters: readonly GpuParameter[], steps: number) {
    const size = 4 * steps * parameters.reduce((sum, p) => sum + p.size, 0);
    this.device = device;
    this.parameters = parameters;
    this.buffer = device.createBuffer({ size, usage: 1 | 8 }); // MAP_READ | COPY_DST
    this.steps = steps;
  }

  note(step: number): void {
    const encoder = this.device.createCommandEncoder();
    let at = (step * this.buffer.size) / this.steps;
    for (const { data } of this.parameters) {
      encoder.copyBufferToBuffer(data.buffer, data.offset, this.buffer, at, data.size);
      at += data.size;
    }
    this.device.queue.submit([encoder.finish()]);
  }

  async read(): Promise<Record<string, number[]>[]> {
    await this.buffer.mapAsync(1); // READ
    const values = Array.from(new Float32Array(this.buffer.getMappedRange()));
    this.buffer.destroy();
    let at = 0;
    return Array.from({ length: this.steps }, () =>
      Object.fromEntries(this.parameters.map((p) => [p.name!, values.slice(at, (at += p.size))])),
    );
  }
}

/** With lists for typed arrays. */
export function listed(state: StateDict["state"]): GpuRun["state"] {
  return Object.fromEntries(
    Object.entries(state).map(([key, slots]) => [
      key,
      Object.fromEntries(
        Object.entries(slots).map(([slot, value]) => [
          slot,
          typeof value === "number" ? value : Array.from(value),
        ]),
      ),
    ]),
  );
}
