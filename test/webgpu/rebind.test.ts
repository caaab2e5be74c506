/**
 * Parameters in buffers of somebody who moves them: values in another buffer in each step, gradients in
 * buffers that others use as well. Every step gives the bits of parameters that stay where they are.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { SHARED_USAGE } from "../../src/memory/webgpu/constants.ts";
import {
  clipGradNorm,
  keepRows,
  parameter,
  rebind,
  type Adam,
  type GpuOptimizer,
  type GpuParameter,
} from "../../src/webgpu/index.ts";
import { plans } from "../helpers/backends.ts";
import { countCalls } from "../helpers/counting-device.ts";
import { noVulkan } from "../helpers/find-vulkan.ts";
import { gpuOptimizers, type GpuOptimizerName } from "../helpers/gpu-golden.ts";
import { readBuffer, sharedDevice } from "../helpers/webgpu.ts";

const shapes = [[4, 3], [5], [], [130]];
const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
const sizes = shapes.map(sizeOf);
const start = (k: number) =>
  Float32Array.from({ length: sizes[k]! }, (_, i) => Math.cos(k + 2 * i));
const gradient = (step: number, k: number) =>
  Float32Array.from({ length: sizes[k]! }, (_, i) => Math.sin(7 * step + 3 * k + i));

const complaint = (run: () => unknown): string => {
  try {
    run();
    return "nothing";
  } catch (error) {
    return `${(error as { code?: string }).code}: ${(error as Error).message}`;
  }
};

describe.skipIf(noVulkan)("rebind", () => {
  let device: GPUDevice;
  beforeAll(async () => {
    device = await sharedDevice();
  });

  function bufferOf(values: Float32Array, usage = SHARED_USAGE): GPUBuffer {
    const buffer = device.createBuffer({ size: values.byteLength, usage });
    device.queue.writeBuffer(buffer, 0, values as Float32Array<ArrayBuffer>);
    return buffer;
  }

  function create(name: GpuOptimizerName, options: object, given: GpuParameter[]): GpuOptimizer {
    const [first, ...more] = given as [GpuParameter, ...GpuParameter[]];
    return new (gpuOptimizers[name] as unknown as typeof Adam)(
      [{ params: [first] }, { params: more, lr: 0.05 }],
      options,
    ) as unknown as GpuOptimizer;
  }

  const adopted = (extra: object = {}) =>
    shapes.map((shape, k) =>
      parameter(device, { data: bufferOf(start(k)) }, { name: `w${k}`, shape, ...extra }),
    );

  /** Steps of which each has its values and gradients in other buffers than the one before. */
  async function moving(
    name: GpuOptimizerName,
    options: object,
    before: (optimizer: GpuOptimizer) => void,
  ): Promise<Float32Array[]> {
    const all = adopted();
    const optimizer = create(name, options, all);
    for (let step = 0; step < 5; step++) {
      for (const [k, p] of all.entries()) {
        const data = bufferOf(new Float32Array(await readBuffer(device, p.data.buffer)));
        rebind(p, { data, grad: bufferOf(gradient(step, k)) });
      }
      before(optimizer);
      optimizer.step();
      for (const [k, p] of all.entries()) {
        expect(await p.readGrad()).toEqual(gradient(step, k)); // only read
      }
      if (step % 2) optimizer.zeroGrad();
    }
    return Promise.all(all.map((p) => p.read()));
  }

  async function staying(
    name: GpuOptimizerName,
    options: object,
    before: (optimizer: GpuOptimizer) => void,
  ): Promise<Float32Array[]> {
    const all = shapes.map((shape, k) => {
      const grad = bufferOf(new Float32Array(sizes[k]!));
      return parameter(device, { data: bufferOf(start(k)), grad }, { name: `w${k}`, shape });
    });
    const optimizer = create(name, options, all);
    for (let step = 0; step < 5; step++) {
      for (const [k, p] of all.entries()) p.writeGrad(gradient(step, k));
      before(optimizer);
      optimizer.step();
    }
    return Promise.all(all.map((p) => p.read()));
  }

  test.each<[GpuOptimizerName, string, object, ((optimizer: GpuOptimizer) => void)?]>([
    ...Object.entries(plans).map(([plan, way]): ["AdamW", string, object] => ["AdamW", plan, way]),
    ["Adafactor", "sums of rows and columns", {}],
    ["SGD", "momentum", { momentum: 0.9 }],
    ["Adam", "state in bfloat16", { stateDtype: "bfloat16", stateRounding: "stochastic" }],
    ["Adam", "clipped", {}, (optimizer) => clipGradNorm(optimizer, 0.5)],
    ["Adam", "where the GPU looks at gradients", { nonFinite: "skip" }],
  ])("%s, %s: the bits of parameters that stay", async (name, _, options, before = () => {}) => {
    expect(await moving(name, options, before)).toEqual(await staying(name, options, before));
  });

  test("makes nothing where buffers come again, whichever meet", async () => {
    const watched = countCalls(device);
    const [w] = adopted().slice(3);
    const optimizer = create("Adam", {}, [w!]);
    const data = [0, 1].map(() => bufferOf(start(3)));
    const grad = [0, 1, 2].map((step) => bufferOf(gradient(step, 3)));
    const take = (step: number) => {
      rebind(w!, { data: data[step % 2]!, grad: grad[step % 3]! });
      watched();
      optimizer.step();
      return Object.keys(watched()).filter((call) => call.startsWith("create"));
    };
    for (let step = 0; step < 6; step++) take(step);
    for (let step = 6; step < 20; step++) expect(take(step)).toEqual(["createCommandEncoder"]);
    const generation = w!.generation;
    rebind(w!, { data: w!.data });
    expect(w!.generation).toBe(generation);
  });

  test("keeps no buffer from being collected, and knows only so many", async () => {
    const [w] = adopted().slice(3);
    const optimizer = create("Adam", {}, [w!]);
    const watched = countCalls(device);
    const seen: WeakRef<GPUBuffer>[] = [];
    const take = (grad: GPUBuffer) => {
      rebind(w!, { grad });
      optimizer.step();
    };
    const kept = bufferOf(gradient(0, 3));
    take(kept);
    for (let step = 0; step < 100; step++) {
      const grad = bufferOf(gradient(step, 3));
      seen.push(new WeakRef(grad));
      take(grad);
    }
    // That many pairs are more than it knows: what comes again is made anew, once.
    const again = [0, 1].map(() => {
      watched();
      take(kept);
      return watched()["createBindGroup"] ?? 0;
    });
    expect(again).toEqual([2, 0]); // of whole vectors, and of what is left
    await device.queue.onSubmittedWorkDone();
    for (let i = 0; i < 5; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      globalThis.gc!();
    }
    expect(seen.filter((ref) => ref.deref() !== undefined).length).toBeLessThanOrEqual(2);
  });

  test("gradients that share a buffer, parts of buffers, and parameters without a gradient", async () => {
    const buffer = device.createBuffer({ size: 1024, usage: SHARED_USAGE });
    device.queue.writeBuffer(buffer, 256, Float32Array.of(1, 2, 3));
    device.queue.writeBuffer(buffer, 768, Float32Array.of(10, 20, 30));
    const shared = bufferOf(Float32Array.of(1, -1, 2));
    const options = { shape: [3] };
    const [a, b, c] = [256, 768, 512].map((offset) =>
      parameter(device, { data: { buffer, offset } }, options),
    ) as [GpuParameter, GpuParameter, GpuParameter];
    const optimizer = create("SGD", { lr: 0.5 }, [a, b, c]);
    optimizer.paramGroups[1]!["lr"] = 0.5;
    expect([a.hasGrad, complaint(() => a.grad), complaint(() => (a.hasGrad = true))]).toEqual([
      false,
      ...Array<string>(2).fill(
        "NO_GRADIENT: parameter: got no buffer with its gradient, expected one. Lend it one: rebind(parameter, { grad }).",
      ),
    ]);
    optimizer.step(); // nothing has a gradient
    for (const p of [a, b]) rebind(p, { grad: shared });
    optimizer.step();
    expect([...(await a.read()), ...(await b.read())]).toEqual([0.5, 2.5, 2, 9.5, 20.5, 29]);
    expect([...(await c.read())]).toEqual([0, 0, 0]);
    rebind(a, { data: { buffer, offset: 512 } });
    optimizer.step();
    expect([...(await c.read())]).toEqual([-0.5, 0.5, -1]);
    optimizer.zeroGrad();
    expect([a.hasGrad, b.hasGrad, c.hasGrad]).toEqual([false, false, false]);
    expect([...new Float32Array(await readBuffer(device, shared))]).toEqual([1, -1, 2]);
  });

  test("refuses what cannot be, and changes nothing then", () => {
    const [w] = adopted() as [GpuParameter];
    const optimizer = create("Adam", {}, [w]);
    const own = parameter(device, { shape: [3] });
    const { data } = w;
    const lent = bufferOf(new Float32Array(24));
    const both = parameter(device, {
      data: { buffer: bufferOf(new Float32Array(80)), size: 4 },
      grad: lent,
    });
    rebind(w, { grad: lent });
    const refused = {
      ours: () => rebind(own, { grad: lent }),
      "no buffer": () => rebind(w, { data: 3 as never }),
      "too small": () => rebind(w, { grad: bufferOf(new Float32Array(11)) }),
      "no storage": () => rebind(w, { data: bufferOf(new Float32Array(24), 8) }),
      offset: () => rebind(w, { data: { buffer: lent, offset: 16 } }),
      "one buffer": () => rebind(both, { grad: both.data.buffer }),
      "a write": () => w.writeGrad(new Float32Array(12)),
      zeros: () => optimizer.step({ zeroGrad: true }),
      rows: () => keepRows(optimizer, w, [0]),
    };
    const said = Object.fromEntries(
      Object.entries(refused).map(([name, run]) => [name, complaint(run)]),
    );
    expect(said).toMatchInlineSnapshot(`
      {
        "a write": "NOT_WRITABLE: parameter "w0": writeGrad: got a gradient that is lent, to be written into, expected one of its own. optimizer.zeroGrad() lets go of lent gradients, and writes nothing.",
        "no buffer": "BAD_BUFFER: parameter "w0": data: got 3, expected a GPUBuffer, or { buffer, offset, size }.",
        "no storage": "BAD_BUFFER: parameter "w0": data: got a buffer without STORAGE among its usages, expected a storage buffer.",
        "offset": "BAD_BUFFER: parameter "w0": data: got offset 16, expected a multiple of 256.",
        "one buffer": "BAD_BUFFER: parameter: rebind: got values and a gradient in one buffer, expected each in a buffer of its own.",
        "ours": "NOT_ADOPTED: parameter: rebind: got a parameter whose memory is Downhill's, expected one in buffers of yours. Make it of buffers: parameter(device, { data }).",
        "rows": "BAD_PARAMS: keepRows: parameter "w0": got a gradient that is lent, for the rows that there are, expected none. Let go of it first: optimizer.zeroGrad().",
        "too small": "BAD_BUFFER: parameter "w0": grad: got 44 bytes from 0 on, of a buffer of 44, expected 48 bytes for 12 elements.",
        "zeros": "NOT_WRITABLE: parameter "w0": step({ zeroGrad: true }): got a gradient that is lent, to be written into, expected one of its own. optimizer.zeroGrad() lets go of lent gradients, and writes nothing.",
      }
    `);
    w.requiresGrad = false;
    expect(complaint(() => rebind(w, { data: lent, grad: lent }))).toMatch("FROZEN");
    expect([w.data, w.generation]).toEqual([data, 0]);
  });
});
