/**
 * From the second step on an optimizer makes nothing on the device: no buffer, no bind group, no pipeline.
 * It sends its numbers in one upload, if they have changed, and submits once, or not at all where the user does.
 */
import { beforeAll, describe, expect, test } from "vitest";
import type { GpuOptimizer, GpuParameter } from "../../src/webgpu/index.ts";
import { clipGradNorm, clipGradValue, parameter, scaleGrads, SGD } from "../../src/webgpu/index.ts";
import * as cpu from "../../src/index.ts";
import { plans } from "../helpers/backends.ts";
import { countCalls, type Calls } from "../helpers/counting-device.ts";
import { noVulkan } from "../helpers/find-vulkan.ts";
import { gpuNames, gpuOptimizers, type GpuOptimizerName } from "../helpers/gpu-golden.ts";
import { gpuDevice } from "../helpers/webgpu.ts";

const ways = Object.keys(plans) as (keyof typeof plans)[];
const STEPS = 10;

/** How a step gets to the device: `take` may submit; what the user has made for it is not counted. */
const routes: Record<string, (device: GPUDevice, take: (into?: Into) => Calls) => Calls> = {
  "step()": (_, take) => take(),
  "encode() into an encoder": (device, take) => {
    const encoder = device.createCommandEncoder();
    const calls = take(encoder);
    device.queue.submit([encoder.finish()]);
    return calls;
  },
  "encode() into a pass": (device, take) => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    const calls = take(pass);
    pass.end();
    device.queue.submit([encoder.finish()]);
    return calls;
  },
};
type Into = GPUCommandEncoder | GPUComputePassEncoder;

/** Optimizers change all of these freely. */
function changeHyper(optimizer: GpuOptimizer, step: number): void {
  for (const group of optimizer.paramGroups as unknown as Record<string, unknown>[]) {
    group["lr"] = 0.1 / (step + 1);
    if ("betas" in group) group["betas"] = [0.8 + step / 100, 0.99];
    if ("alpha" in group) group["alpha"] = 0.9 + step / 200;
  }
}

describe.skipIf(noVulkan)("WebGPU", () => {
  let device: GPUDevice;
  let told: () => Calls;
  beforeAll(async () => {
    device = await gpuDevice();
    told = countCalls(device);
  });

  function create(name: GpuOptimizerName, plan: object): [GpuOptimizer, GpuParameter[]] {
    const all = [[4, 3], [3], [], [130]].map((shape, i) => {
      const size = shape.reduce((a, b) => a * b, 1);
      const values = Float32Array.from({ length: size }, (_, k) => Math.sin(k + i));
      const p = parameter(device, values, { name: `w${i}`, shape });
      return [p, values.map((x) => Math.cos(7 * x))] as const;
    });
    const [first, ...more] = all.map(([p]) => p) as [GpuParameter, ...GpuParameter[]];
    const optimizer = new (gpuOptimizers[name] as unknown as typeof SGD)(
      [{ params: [first] }, { params: more, lr: 0.05 }],
      plan,
    ) as unknown as GpuOptimizer;
    for (const [p, grad] of all) p.writeGrad(grad);
    return [optimizer, all.map(([p]) => p)];
  }

  function takeSteps(
    name: GpuOptimizerName,
    plan: object,
    route: string,
  ): [Calls[], GpuParameter[]] {
    const [optimizer, all] = create(name, plan);
    const calls = Array.from({ length: STEPS }, (_, step) => {
      changeHyper(optimizer, step);
      return routes[route]!(device, (into) => {
        told();
        if (into) optimizer.encode(into);
        else optimizer.step();
        return told();
      });
    });
    return [calls, all];
  }

  /** What is left of a later step's calls when those are taken off that any step makes. */
  function others(calls: Calls): object {
    const { setPipeline, setBindGroup, dispatchWorkgroups, ...uploads } = calls;
    const { bytes = 0, writeBuffer = 0, ...rest } = uploads;
    expect(setPipeline).toBeGreaterThan(0);
    expect(setBindGroup).toBeGreaterThan(0);
    expect(dispatchWorkgroups).toBeGreaterThan(0);
    expect(bytes).toBeLessThan(4096);
    expect(writeBuffer).toBeLessThanOrEqual(1); // Rprop's numbers stay the same
    return rest;
  }

  describe.each(gpuNames)("%s", (name) => {
    test.each(ways)("%s: makes nothing after its first step", (plan) => {
      const [[first, ...later]] = takeSteps(name, plans[plan], "step()");
      expect(first).toMatchObject({ createBuffer: expect.any(Number) as number });
      for (const calls of later) {
        expect(others(calls)).toEqual({
          createCommandEncoder: 1,
          beginComputePass: 1,
          submit: 1,
        });
      }
    });

    test("the same in the user's own encoder and pass, with the same bits", async () => {
      const read = (all: readonly GpuParameter[]) => Promise.all(all.map((p) => p.read()));
      const expected = await read(takeSteps(name, {}, "step()")[1]);
      expect(expected.flatMap((values) => [...values]).every(Number.isFinite)).toBe(true);
      for (const [route, passes] of [
        ["encode() into an encoder", { beginComputePass: 1 }],
        ["encode() into a pass", {}],
      ] as const) {
        const [[, ...later], all] = takeSteps(name, {}, route);
        for (const calls of later) expect(others(calls)).toEqual(passes);
        expect(await read(all)).toEqual(expected);
      }
    });
  });

  test("sends its numbers when they have changed, and not again", async () => {
    const start = Float32Array.of(1, 2, 3);
    const grad = Float32Array.of(1, -1, 0.5);
    const onGpu = parameter(device, start);
    const optimizer = new SGD([onGpu], { lr: 0.5 });
    onGpu.writeGrad(grad);
    const onCpu = cpu.parameter(start);
    const expected = new cpu.SGD([onCpu], { lr: 0.5, backend: "interp" });
    onCpu.grad = grad;
    // More steps than there is room for numbers, so that places are used again.
    const rates = Array.from({ length: 200 }, (_, t) => (t % 100 < 70 ? 1 / (t + 2) : 0.25));
    const sends = rates.map((lr) => {
      for (const { paramGroups } of [optimizer, expected]) paramGroups[0].lr = lr;
      expected.step();
      told();
      optimizer.step();
      return told()["writeBuffer"] ?? 0;
    });
    expect(await onGpu.read()).toEqual(onCpu.data);
    // The first step also writes the parameter and the list of work.
    const changed = rates.map((lr, t) => (lr === rates[t - 1] ? 0 : 1));
    expect(sends.slice(1)).toEqual(changed.slice(1));
  });

  test.each<[string, object, (optimizer: GpuOptimizer) => void]>([
    ["gradients set to zero", {}, (optimizer) => optimizer.step({ zeroGrad: true })],
    ["steps left out", { nonFinite: "skip" }, (optimizer) => optimizer.step()],
    [
      "state in bfloat16",
      { stateDtype: "bfloat16", stateRounding: "stochastic" },
      (optimizer) => optimizer.step(),
    ],
    [
      "gradients clipped by their norm",
      {},
      (optimizer) => {
        clipGradNorm(optimizer, 1);
        optimizer.step();
      },
    ],
    [
      "gradients scaled and clamped",
      {},
      (optimizer) => {
        scaleGrads(optimizer, 0.5);
        clipGradValue(optimizer, 1);
        optimizer.step();
      },
    ],
  ])("%s: makes nothing after its first step", (_, options, step) => {
    const [optimizer] = create("AdamW", options);
    const [, ...later] = Array.from({ length: STEPS }, () => {
      told();
      step(optimizer);
      return told();
    });
    for (const calls of later) {
      expect(others(calls)).toMatchObject({ createCommandEncoder: 1, submit: 1 });
      expect(Object.keys(calls).filter((call) => call.startsWith("create"))).toHaveLength(1);
    }
  });
});
