/**
 * Clipping on a GPU: the factor that it finds is the CPU's, and steps that it leaves out change nothing.
 */
import { describe, expect, test } from "vitest";
import * as cpu from "../../src/index.ts";
import { SHARED_USAGE } from "../../src/memory/webgpu/constants.ts";
import {
  Adam,
  clipGradNorm,
  clipGradValue,
  parameter,
  scaleGrads,
  SGD,
  type GpuOptimizer,
  type GpuParameter,
} from "../../src/webgpu/index.ts";
import { noVulkan } from "../helpers/find-vulkan.ts";
import { sharedDevice } from "../helpers/webgpu.ts";

const sizes = [5, 300, 9000];
/** Element i of gradient k. */
const gradient = (k: number, scale = 1): Float32Array =>
  Float32Array.from({ length: sizes[k]! }, (_, i) => scale * Math.sin(1 + i * (k + 1)));

interface Pair {
  readonly onGpu: readonly GpuParameter[];
  readonly onCpu: readonly cpu.Parameter[];
}

/** The same parameters on both; the second one in buffers of the test's. */
async function pair(): Promise<Pair> {
  const device = await sharedDevice();
  const usage = SHARED_USAGE;
  const buffer = (size: number) => device.createBuffer({ size: 4 * size, usage });
  const onGpu = sizes.map((size, k) => {
    const name = `p${k}`;
    if (k !== 1) return parameter(device, { name, shape: [size] });
    return parameter(device, { data: buffer(size), grad: buffer(size) }, { name });
  });
  const onCpu = sizes.map((size, k) => cpu.parameter({ name: `p${k}`, shape: [size] }));
  return { onGpu, onCpu };
}

function setGradients({ onGpu, onCpu }: Pair, scale: number): void {
  onGpu.forEach((p, k) => p.writeGrad(gradient(k, scale)));
  onCpu.forEach((p, k) => (p.grad = gradient(k, scale)));
}

/** Largest |a - b| / max |b|. */
async function distance({ onGpu, onCpu }: Pair): Promise<number> {
  let largest = 0;
  for (const [k, p] of onGpu.entries()) {
    const values = await p.read();
    const truth = onCpu[k]!.data;
    const size = Math.max(...truth.map(Math.abs), 1e-30);
    values.forEach((x, i) => (largest = Math.max(largest, Math.abs(x - truth[i]!) / size)));
  }
  return largest;
}

const inGroups = <P>(params: readonly P[]) => [
  { params: params.slice(0, 2), lr: 0.1 },
  { params: params.slice(2) },
];

describe.skipIf(noVulkan)("clipping", () => {
  test.each([
    [2, false, 1],
    [2, true, 1],
    [1, false, 1],
    [1, true, 1],
    [Infinity, false, 1],
    [Infinity, true, 1],
    [2, false, 1e25], // whose squares overflow
    [2, false, 1e-25], // whose squares vanish
    [2, false, 2 ** 52.5], // some on this side of where sums change their scale, some on that
    [2, false, 2 ** -62.5],
  ] as const)(
    "norm %s, each group by itself: %s, gradients of %s",
    async (normType, perGroup, scale) => {
      const both = await pair();
      const gpu = new SGD(inGroups(both.onGpu), { lr: 1 });
      const own = new cpu.SGD(inGroups(both.onCpu), { lr: 1 });
      for (const share of [0.1, 10]) {
        setGradients(both, scale);
        const options = { normType };
        const norm = cpu.getTotalNorm(own, options);
        clipGradNorm(gpu, share * norm, { normType, perGroup });
        if (perGroup) cpu.clipGradNorm(own, share * norm, { normType, perGroup: true });
        else cpu.clipGradNorm(own, share * norm, options);
        gpu.step();
        own.step();
        expect((await gpu.gradientReport()).norm! / norm).toBeCloseTo(1, 6);
        expect(await distance(both)).toBeLessThan(1e-6);
      }
    },
  );

  test("values are clamped and scaled before the norm", async () => {
    const both = await pair();
    const gpu = new Adam(both.onGpu);
    const own = new cpu.Adam(both.onCpu);
    setGradients(both, 1);
    for (const [optimizer, clip] of [
      [gpu, { clipGradNorm, clipGradValue, scaleGrads }],
      [own, cpu],
    ] as const) {
      clip.scaleGrads(optimizer as never, 3);
      clip.clipGradValue(optimizer as never, 1.5);
      clip.clipGradNorm(optimizer as never, 0.01);
      optimizer.step({ gradScale: 0.5 });
    }
    expect(await distance(both)).toBeLessThan(1e-6);
    gpu.step();
    own.step(); // what was asked for held for one step
    expect(await distance(both)).toBeLessThan(1e-6);
  });

  test.each([
    ["fused", {}],
    ["all operations one by one", { compile: false }],
    ["tensor by tensor", { foreach: false }],
    ["loop", { foreach: false, compile: false }],
  ])("a step without finite gradients is left out: %s", async (_, way) => {
    const both = await pair();
    const gpu = new Adam(both.onGpu, { nonFinite: "skip", ...way });
    const own = new cpu.Adam(both.onCpu);
    setGradients(both, 1);
    gpu.step();
    own.step();
    for (const bad of [Infinity, -Infinity, NaN]) {
      const values = gradient(2);
      values[8999] = bad;
      both.onGpu[2]!.writeGrad(values);
      gpu.step({ zeroGrad: true });
      expect((await both.onGpu[2]!.readGrad()).every((g) => g === 0)).toBe(true);
    }
    expect(await gpu.gradientReport()).toMatchObject({ skippedSteps: 3 });
    expect(await distance(both)).toBeLessThan(1e-6);
    const { state } = await gpu.stateDict();
    const expected = own.stateDict().state["p2"]!["exp_avg"] as Float32Array;
    (state["p2"]!["exp_avg"] as Float32Array).forEach((x, i) =>
      expect(x).toBeCloseTo(expected[i]!, 6),
    );
  });

  test("infinite gradients are clipped to nothing where steps are not left out", async () => {
    const [p] = (await pair()).onGpu as [GpuParameter];
    const gpu = new SGD([p], { lr: 1 });
    p.write([1, 2, 3, 4, 5]);
    p.writeGrad([1, 1, 1e38, 1e38, -1e38]);
    scaleGrads(gpu, 1e10);
    clipGradNorm(gpu, 1, { normType: 1 });
    gpu.step();
    expect([...(await p.read())].slice(0, 2)).toEqual([1, 2]);
    expect((await gpu.gradientReport()).norm).toBe(Infinity);
  });

  test("clamping keeps NaN", async () => {
    const [p] = (await pair()).onGpu as [GpuParameter];
    const gpu = new SGD([p], { lr: 1 });
    p.writeGrad([NaN, 1, -3, Infinity, -NaN]);
    clipGradValue(gpu, 2);
    gpu.step();
    expect([...(await p.read())]).toEqual([NaN, -1, 2, -2, NaN]);
  });

  test("a norm is clipped once, and last", async () => {
    const { onGpu } = await pair();
    const gpu = new SGD(onGpu) as unknown as GpuOptimizer;
    expect(() => clipGradNorm(gpu, -1)).toThrow(
      "clipGradNorm: maxNorm: got -1, expected a number ≥ 0.",
    );
    expect(() => clipGradNorm(gpu, 1, { normType: 3 })).toThrow("expected 1, 2 or Infinity");
    clipGradNorm(gpu, 1);
    for (const again of [
      () => clipGradNorm(gpu, 1),
      () => clipGradValue(gpu, 1),
      () => scaleGrads(gpu, 2),
    ]) {
      expect(again).toThrow(expect.objectContaining({ code: "CLIPPED_TWICE" }) as Error);
    }
    gpu.step();
    clipGradValue(gpu, 1);
    expect(() => clipGradNorm({} as never, 1)).toThrow(
      expect.objectContaining({ code: "BAD_OPTION" }) as Error,
    );
  });
});
