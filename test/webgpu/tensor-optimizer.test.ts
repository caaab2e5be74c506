/** Optimizers on a GPU whose rules go tensor by tensor, beside the CPU's: what a step may be told besides. */
import { describe, expect, test } from "vitest";
import * as cpu from "../../src/index.ts";
import { SHARED_USAGE } from "../../src/memory/webgpu/constants.ts";
import * as gpu from "../../src/webgpu/index.ts";
import { plans } from "../helpers/backends.ts";
import { countCalls } from "../helpers/counting-device.ts";
import { noVulkan } from "../helpers/find-vulkan.ts";
import { Balanced, noise } from "../helpers/rules.ts";
import { gpuDevice, sharedDevice } from "../helpers/webgpu.ts";

type Shapes = readonly (readonly number[])[];
/** The last two in memory of the test's. */
const all: Shapes = [[5, 3], [7], [2, 3, 4], [300], [40, 70], [9], [11, 3]];
const matrices: Shapes = [
  [5, 3],
  [40, 30],
  [7, 90],
  [5, 3],
  [3, 5],
  [5, 3],
  [40, 30],
  [1, 9],
];
const count = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
function noisy(shapes: Shapes, seed: number): Float32Array[] {
  const next = noise(seed);
  return shapes.map((shape) => Float32Array.from({ length: count(shape) }, next));
}

/** A device that can bind so many bytes at once. */
async function narrowDevice(bytes: number): Promise<GPUDevice> {
  const device = await gpuDevice();
  const limits = new Proxy(device.limits, {
    get: (target, name) =>
      name === "maxStorageBufferBindingSize" ? bytes : (Reflect.get(target, name) as unknown),
  });
  return Object.defineProperty(device, "limits", { value: limits });
}

type Way = (typeof plans)[keyof typeof plans];
const ways = (["loop", "fused"] as const).map((name) => [name, plans[name]] as const);

/** An optimizer on each, over the same parameters in two groups. */
class Pair {
  readonly onGpu: readonly gpu.GpuParameter[];
  readonly onCpu: readonly cpu.Parameter[];
  readonly gpu: gpu.GpuOptimizer;
  readonly cpu: cpu.Optimizer;
  private readonly shapes: Shapes;

  /** @param other options of the second group. */
  constructor(
    device: GPUDevice,
    rule: cpu.Rule,
    way: Way,
    shapes: Shapes = all,
    other: object = { lr: 0.05 },
  ) {
    this.shapes = shapes;
    const values = noisy(shapes, 1);
    this.onCpu = shapes.map((shape, i) => cpu.parameter(values[i]!, { shape, name: `w${i}` }));
    this.onGpu = shapes.map((shape, i) => {
      const name = `w${i}`;
      if (i < shapes.length - 2) return gpu.parameter(device, values[i]!, { shape, name });
      const half = Math.ceil(count(shape) / 64) * 256;
      const buffer = device.createBuffer({ size: 2 * half, usage: SHARED_USAGE });
      const parts = { data: { buffer, size: half }, grad: { buffer, offset: half } };
      const adopted = gpu.parameter(device, parts, { shape, name });
      adopted.write(values[i]!);
      return adopted;
    });
    const groups = <P>(params: readonly P[]) => [
      { params: params.filter((_, i) => i % 2 === 0) },
      { params: params.filter((_, i) => i % 2 === 1), ...other },
    ];
    const own = { backend: "interp" } as object;
    this.cpu = new cpu.Optimizer(rule, groups(this.onCpu) as never, own);
    this.gpu = new gpu.GpuOptimizer(rule, groups(this.onGpu) as never, way);
  }

  setGradients(seed: number): void {
    noisy(this.shapes, seed).forEach((gradient, i) => {
      this.onCpu[i]!.grad = gradient;
      this.onGpu[i]!.writeGrad(gradient);
    });
  }

  /** Furthest distance between parameters, in units of 2^-24 of the largest number of each. */
  async distance(): Promise<number> {
    const values = await Promise.all(this.onGpu.map((p) => p.read()));
    const distances = values.map((own, i) => {
      const { data } = this.onCpu[i]!;
      const scale = Math.max(0.1, ...data.map(Math.abs));
      const each = own.map((x, k) => Math.abs(x - data[k]!) / (scale * 2 ** -24));
      return Math.max(...each.map((x) => (Number.isNaN(x) ? Infinity : x)));
    });
    return Math.max(...distances);
  }
}

/** Sums that go straight into state. */
const crossed = cpu.rule({
  name: "Crossed",
  hyper: { lr: 0.1 },
  rows: ["r"],
  columns: ["c"],
  step({ p, g, r, c }, { lr }) {
    if (!cpu.isMatrix(p)) return { p: p.sub(g.mul(lr)), r, c };
    return { p: p.sub(g.mul(lr)), r: cpu.rowSum(g.add(c)), c: cpu.columnSum(g.add(r)) };
  },
});

const rules = {
  Adafactor: cpu.Adafactor.rule,
  Balanced: Balanced.rule,
  Crossed: crossed,
} as unknown as Record<string, cpu.Rule>;
const UNITS = 6;

describe.skipIf(noVulkan).each(Object.entries(rules))("%s", (_, rule) => {
  test.each(ways)("%s: gradients clipped, scaled, and set to zero", async (_plan, way) => {
    const pair = new Pair(await sharedDevice(), rule, way);
    for (const step of [1, 2]) {
      pair.setGradients(step);
      for (const [optimizer, clip] of [
        [pair.cpu, cpu],
        [pair.gpu, gpu],
      ] as const) {
        clip.clipGradValue(optimizer as never, 0.7);
        clip.clipGradNorm(optimizer as never, 10 * step, { perGroup: step === 2 } as never);
        optimizer.step({ gradScale: 0.5, zeroGrad: true });
      }
    }
    expect(await pair.distance()).toBeLessThanOrEqual(UNITS);
    const gradients = await Promise.all(pair.onGpu.map((p) => p.readGrad()));
    expect(gradients.flatMap((g) => [...g]).every((x) => x === 0)).toBe(true);
  });

  test.each(ways)("%s: steps without finite gradients are left out", async (_plan, way) => {
    const pair = new Pair(await sharedDevice(), rule, way);
    const skipping = new gpu.GpuOptimizer(rule, pair.onGpu as never, {
      ...way,
      nonFinite: "skip",
    });
    pair.setGradients(1);
    skipping.step();
    const read = async () => {
      const { state } = await skipping.stateDict();
      const values = await Promise.all(pair.onGpu.map((p) => p.read()));
      return { values, state: JSON.parse(JSON.stringify({ ...state, step: 0 })) as object };
    };
    const before = await read();
    pair.onGpu[3]!.writeGrad(noisy(all, 2)[3]!.fill(NaN, 99, 100));
    skipping.step({ zeroGrad: true });
    const after = await read();
    expect(after.values).toEqual(before.values);
    const gradients = await Promise.all(pair.onGpu.map((p) => p.readGrad()));
    expect(gradients.flatMap((g) => [...g]).every((x) => x === 0)).toBe(true);
    const tensorsOf = ({ state }: { state: object }) =>
      Object.values(state).map((slots: object) => ({ ...slots, step: 0 }));
    expect(tensorsOf(after)).toEqual(tensorsOf(before));
    pair.setGradients(3);
    skipping.step();
    expect((await read()).values).not.toEqual(before.values);
  });

  test.each(ways)("%s: learning rates of components", async (_plan, way) => {
    const pair = new Pair(await sharedDevice(), rule, way);
    const factors = all.map((shape) => {
      return Array.from({ length: count(shape.slice(1)) }, (_v, k) => [1, 0.25, 0, 3][k % 4]!);
    });
    pair.onGpu.forEach((p, i) => (p.lrScale = Float32Array.from(factors[i]!)));
    pair.setGradients(1);
    const before = pair.onCpu.map((p) => p.data.slice());
    pair.cpu.step();
    pair.gpu.step();
    pair.onCpu.forEach((p, i) => {
      const own = factors[i]!;
      p.data.forEach((x, k) => {
        const from = before[i]![k]!;
        p.data[k] = from + own[k % own.length]! * (x - from);
      });
    });
    expect(await pair.distance()).toBeLessThanOrEqual(UNITS);
  });

  test("memory of which only parts can be bound at once", async () => {
    const device = await narrowDevice(16_384);
    const pair = new Pair(device, rule, plans.fused);
    for (const step of [1, 2]) {
      pair.setGradients(step);
      pair.cpu.step();
      pair.gpu.step();
    }
    expect(await pair.distance()).toBeLessThanOrEqual(UNITS);
  });
});

describe.skipIf(noVulkan)("Muon", () => {
  test.each(Object.entries(plans))("%s: as on the CPU", async (_, way) => {
    const rule = cpu.Muon.rule as unknown as cpu.Rule;
    const device = await sharedDevice();
    const pair = new Pair(device, rule, way, matrices, { lr: 0.05, nsSteps: 2 });
    const told = countCalls(device);
    for (const step of [1, 2, 3]) {
      pair.setGradients(step);
      pair.cpu.step();
      told();
      pair.gpu.step();
      const { createBuffer, createBindGroup, createComputePipeline, submit } = told();
      if (step === 1) continue;
      const made = { createBuffer, createBindGroup, createComputePipeline, submit };
      expect(made).toEqual({ submit: 1 });
    }
    expect(await pair.distance()).toBeLessThanOrEqual(UNITS);
  });
});

test.skipIf(noVulkan)("a tensor that cannot be bound as a whole is refused", async () => {
  const device = await narrowDevice(1024);
  const w = gpu.parameter(device, new Float32Array(300).fill(1), { name: "w", shape: [300] });
  const optimizer = new gpu.Adafactor([w]);
  w.writeGrad(new Float32Array(300).fill(1));
  expect(() => optimizer.step()).toThrowErrorMatchingInlineSnapshot(
    `[BackendError: Adafactor: a parameter of 300 elements: got 1.2 KiB, expected at most 1.0 KiB bound at once, as the device has been asked for. Use requestDevice(), which asks for what the adapter has, or split the parameter. Rules without sums run over larger ones in parts.]`,
  );
  expect([...(await w.read())]).toEqual(Array.from({ length: 300 }, () => 1));
});
