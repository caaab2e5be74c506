/**
 * Learning rates for the components of a row: on every plan, and for memory of any kind, an element gets its
 * share of the update that the CPU's optimizer makes, and all else stays as it is.
 */
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import * as cpu from "../../src/index.ts";
import { limits } from "../../src/memory/webgpu/chunk.ts";
import { SHARED_USAGE } from "../../src/memory/webgpu/constants.ts";
import * as gpu from "../../src/webgpu/index.ts";
import { plans } from "../helpers/backends.ts";
import { countCalls } from "../helpers/counting-device.ts";
import { noVulkan, onSwiftShader } from "../helpers/find-vulkan.ts";
import { refusals } from "../helpers/refusals.ts";
import { sharedDevice } from "../helpers/webgpu.ts";

const { SGD, AdamW, ASGD, Adafactor } = gpu;
const onGpu = { SGD, AdamW, ASGD, Adafactor };
const onCpu = { SGD: cpu.SGD, AdamW: cpu.AdamW, ASGD: cpu.ASGD, Adafactor: cpu.Adafactor };

const rules: readonly (readonly [keyof typeof onGpu, object])[] = [
  ["SGD", { momentum: 0.9, weightDecay: 0.1 }],
  ["AdamW", { weightDecay: 0.3, amsgrad: true }],
  ["ASGD", { weightDecay: 0.01 }],
  ["Adafactor", {}],
];

/** Rows that fit vectors of four and some that do not, with memory of ours and of the user's. */
const tensors = [
  { shape: [7, 3], lrScale: [1, 0.25, 0], own: true, group: 0 },
  { shape: [130, 4], lrScale: [0.5, 1, 2, 0], own: true, group: 0 },
  { shape: [50, 9], lrScale: null, own: true, group: 0 },
  { shape: [11, 2, 5], lrScale: [0, 1, 2, 3, 4, 5, 0.1, 0.2, 0.3, 0.4], own: true, group: 1 },
  { shape: [9], lrScale: [0.5], own: true, group: 1 },
  { shape: [31, 7], lrScale: [1, 0.1, 1, 0.1, 1, 0.1, 0.7], own: false, group: 0 },
  { shape: [33, 3], lrScale: [1, 0.25, 0], own: false, group: 1 },
];
type Tensor = (typeof tensors)[number];

const sizeOf = ({ shape }: Tensor) => shape.reduce((a, b) => a * b, 1);
const valuesOf = (tensor: Tensor) =>
  Float32Array.from({ length: sizeOf(tensor) }, (_, i) => Math.cos(i + tensor.shape[0]!));
const gradientOf = (tensor: Tensor, step: number) =>
  Float32Array.from({ length: sizeOf(tensor) }, (_, i) => Math.sin(1 + 3 * i + 5 * step));
const factorOf = ({ lrScale }: Tensor, i: number) => lrScale?.[i % lrScale.length] ?? 1;

/** In groups with learning rates of their own. */
const grouped = <P>(params: readonly P[]) =>
  [0, 1].map((group) => ({
    params: params.filter((_, k) => tensors[k]!.group === group),
    lr: 0.05 / (1 + group),
  }));

const STEPS = 3;

/** What the CPU makes of it: after each of its steps elements go back by what they were not to move. */
function expected(name: keyof typeof onGpu, options: object): Float32Array[] {
  const params = tensors.map((tensor, k) =>
    cpu.parameter(valuesOf(tensor), { name: `w${k}`, shape: tensor.shape }),
  );
  const optimizer = new onCpu[name](grouped(params), options);
  for (let step = 0; step < STEPS; step++) {
    const before = params.map((p) => p.data.slice());
    params.forEach((p, k) => (p.grad = gradientOf(tensors[k]!, step)));
    optimizer.step();
    params.forEach((p, k) => {
      p.data.set(p.data.map((x, i) => blend(before[k]![i]!, x, factorOf(tensors[k]!, i))));
    });
  }
  return params.map((p) => p.data.slice() as Float32Array);
}

function blend(p: number, updated: number, s: number): number {
  if (s === 0 || s === 1) return s === 0 ? p : updated;
  const { fround } = Math;
  return fround(p + fround(fround(s) * fround(updated - p)));
}

describe.skipIf(noVulkan)("lrScale", () => {
  let device: GPUDevice;
  beforeAll(async () => {
    device = await sharedDevice();
  });
  afterEach(() => {
    limits.binding = Infinity;
  });

  function create(tensor: Tensor, k: number): gpu.GpuParameter {
    const { shape, lrScale, own } = tensor;
    const options = { name: `w${k}`, shape, lrScale };
    if (own) return gpu.parameter(device, valuesOf(tensor), options);
    const buffer = () => device.createBuffer({ size: 4 * sizeOf(tensor), usage: SHARED_USAGE });
    const adopted = gpu.parameter(device, { data: buffer(), grad: buffer() }, options);
    adopted.write(valuesOf(tensor));
    return adopted;
  }

  async function run(name: keyof typeof onGpu, options: object) {
    const params = tensors.map((tensor, k) => create(tensor, k));
    const optimizer = new onGpu[name](grouped(params), options);
    for (let step = 0; step < STEPS; step++) {
      params.forEach((p, k) => p.writeGrad(gradientOf(tensors[k]!, step)));
      optimizer.step();
    }
    const { state } = await optimizer.stateDict();
    return { values: await Promise.all(params.map((p) => p.read())), state };
  }

  function expectClose(values: readonly Float32Array[], truth: readonly Float32Array[]): void {
    values.forEach((all, k) => {
      all.forEach((x, i) => {
        const y = truth[k]![i]!;
        const close = Math.abs(x - y) <= 2e-6 * Math.max(1, Math.abs(y));
        if (!close || factorOf(tensors[k]!, i) === 0) expect(x, `w${k}[${i}]`).toBe(y);
      });
    });
  }

  test.each(rules)("%s %j, on all plans and in windows", async (name, options) => {
    const truth = expected(name, options);
    const first = await run(name, options);
    expectClose(first.values, truth);
    const expectSame = async (plan: object) => {
      const other = await run(name, { ...options, ...plan });
      if (onSwiftShader) expect(other).toEqual(first);
      else expectClose(other.values, truth);
    };
    for (const plan of Object.values(plans)) await expectSame(plan);
    limits.binding = 1024;
    await expectSame({});
  });

  test("0 leaves an element as it is and 1 leaves the update as it is, also where it is NaN", async () => {
    const make = (lrScale: number[] | null) => {
      const p = gpu.parameter(device, Float32Array.of(1, 0.1, -0, 7, 0.3, -0), {
        shape: [2, 3],
        lrScale,
      });
      const optimizer = new gpu.AdamW([p], { lr: 0.37 });
      p.writeGrad(Float32Array.of(NaN, 0.7, 0, Infinity, -0.1, NaN));
      optimizer.step();
      return p.read();
    };
    const plain = await make(null);
    expect(await make([1, 1, 1])).toEqual(plain);
    expect(await make([0, 1, 0])).toEqual(Float32Array.of(1, plain[1]!, -0, 7, plain[4]!, -0));
  });

  test("what is made of the new parameter is made of the scaled one", async () => {
    const p = gpu.parameter(device, Float32Array.of(1, 2), { shape: [1, 2], lrScale: [0.5, 0] });
    const optimizer = new gpu.ASGD([p], { lr: 1, lambd: 0 });
    p.writeGrad([1, 1]);
    optimizer.step();
    expect(await optimizer.state(p)).toMatchObject({ ax: Float32Array.of(0.5, 2) });
    expect(await p.read()).toEqual(Float32Array.of(0.5, 2));
  });

  test("factors change, come and go between steps, and nothing is compiled twice", async () => {
    const told = countCalls(device);
    const p = gpu.parameter(device, { shape: [2, 2] });
    const optimizer = new gpu.SGD([p], { lr: 1 });
    p.writeGrad([1, 1, 1, 1]);
    const step = async () => {
      told();
      optimizer.step();
      const { createShaderModule = 0, createBindGroup = 0 } = told();
      return [createShaderModule > 0, createBindGroup > 0, ...(await p.read())];
    };
    expect(await step()).toEqual([true, true, -1, -1, -1, -1]);
    p.lrScale = [0.5, 0];
    expect(p.lrScale).toEqual([0.5, 0]);
    expect(await step()).toEqual([true, true, -1.5, -1, -1.5, -1]);
    p.lrScale = Float32Array.of(0, 2);
    expect(await step()).toEqual([false, true, -1.5, -3, -1.5, -3]);
    expect(await step()).toEqual([false, false, -1.5, -5, -1.5, -5]);
    p.lrScale = null;
    expect(await step()).toEqual([false, true, -2.5, -6, -2.5, -6]);
  });

  test("what is clipped or left out on the GPU stays so", async () => {
    const p = gpu.parameter(device, { shape: [1, 3], lrScale: [1, 0.5, 0] });
    const optimizer = new gpu.SGD([p], { lr: 1, nonFinite: "skip" });
    p.writeGrad([0, 3, 4]);
    gpu.clipGradNorm(optimizer, 1);
    optimizer.step();
    const [x, y, z] = await p.read();
    expect([x, z]).toEqual([0, 0]);
    expect(y).toBeCloseTo(-0.3, 6);
    p.writeGrad([1, NaN, 1]);
    optimizer.step();
    expect(await p.read()).toEqual(Float32Array.of(x!, y!, z!));
  });

  test("what is no factor for each element of a row is refused", () => {
    const cases: Record<string, unknown> = {
      "too few": [1, 2],
      "too many": new Float32Array(12),
      negative: [1, -0.5, 1],
      infinite: [1, Infinity, 1],
      "beyond float32": [1, 1e39, 1],
      NaN: [NaN, 1, 1],
      "no numbers": "half",
    };
    const entries = Object.entries(cases) as [string, number[]][];
    const given = { name: "w", shape: [4, 3] };
    const p = gpu.parameter(device, { ...given, lrScale: [1, 1, 0] });
    const set = refusals(
      Object.fromEntries(entries.map(([key, lrScale]) => [key, () => (p.lrScale = lrScale)])),
    );
    expect(p.lrScale).toEqual([1, 1, 0]);
    expect(set).toMatchInlineSnapshot(`
      {
        "NaN": "ParameterError BAD_OPTION: parameter "w": lrScale: got NaN, expected finite numbers ≥ 0.",
        "beyond float32": "ParameterError BAD_OPTION: parameter "w": lrScale: got 1e+39, expected finite numbers ≥ 0.",
        "infinite": "ParameterError BAD_OPTION: parameter "w": lrScale: got Infinity, expected finite numbers ≥ 0.",
        "negative": "ParameterError BAD_OPTION: parameter "w": lrScale: got -0.5, expected finite numbers ≥ 0.",
        "no numbers": "ParameterError BAD_OPTION: parameter "w": lrScale: got "half", expected a factor for each element of a row: a Float32Array, or nested arrays of numbers.",
        "too few": "ParameterError BAD_OPTION: parameter "w": lrScale: got shape [2], expected a factor for each element of a row: shape [3].",
        "too many": "ParameterError BAD_OPTION: parameter "w": lrScale: got Float32Array(12), expected a factor for each element of a row: 3 elements, shape [3].",
      }
    `);
    expect(
      refusals(
        Object.fromEntries(
          entries.map(([key, lrScale]) => [
            key,
            () => gpu.parameter(device, { ...given, lrScale }),
          ]),
        ),
      ),
    ).toEqual(set);
  });
});
