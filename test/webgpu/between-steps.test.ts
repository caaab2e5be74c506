/** What happens around steps on a GPU: gradients that go and come, hooks, many groups, memory in parts. */
import { afterEach, describe, expect, test } from "vitest";
import * as cpu from "../../src/index.ts";
import { limits } from "../../src/memory/webgpu/chunk.ts";
import {
  Adafactor,
  Adagrad,
  Adam,
  ASGD,
  clipGradNorm,
  defineOptimizer,
  Muon,
  parameter,
  RAdam,
  SGD,
  type GpuParameter,
} from "../../src/webgpu/index.ts";
import { noVulkan } from "../helpers/find-vulkan.ts";
import { gpuDevice, sharedDevice } from "../helpers/webgpu.ts";

const STORAGE = 0x80;
const READABLE = 0x84;

afterEach(() => Object.assign(limits, { buffer: Infinity, binding: Infinity }));

describe.skipIf(noVulkan)("around steps on a GPU", () => {
  test("without any gradient a step changes nothing", async () => {
    const device = await sharedDevice();
    const w = parameter(device, [1, 2], { name: "w" });
    const optimizer = new SGD([w], { lr: 0.5, momentum: 0.9 });
    w.writeGrad([1, 1]);
    optimizer.step();
    w.hasGrad = false;
    optimizer.step();
    expect([...(await w.read())]).toEqual([0.5, 1.5]);
    w.hasGrad = true;
    w.requiresGrad = false;
    optimizer.step();
    expect([...(await w.read())]).toEqual([0.5, 1.5]);
    w.requiresGrad = true;
    optimizer.step();
    expect([...(await w.read())][0]).toBeCloseTo(-0.45);
  });

  test("hooks behind a step come after it on the GPU, too", async () => {
    const device = await sharedDevice();
    const w = parameter(device, [1], { name: "w" });
    const optimizer = new SGD([w], { lr: 0.5 });
    optimizer.registerStepPostHook(() => optimizer.zeroGrad());
    w.writeGrad([1]);
    optimizer.step();
    expect([...(await w.read())]).toEqual([0.5]);
    const failing = optimizer.registerStepPostHook(() => {
      throw new Error("no");
    });
    w.writeGrad([1]);
    expect(() => optimizer.step()).toThrow("no");
    failing.remove();
    expect([...(await w.read())]).toEqual([0]);
  });

  test.each([true, false])(
    "state of bfloat16 of matrices one by one, foreach %s",
    async (foreach) => {
      const device = await sharedDevice();
      const a = parameter(device, { name: "a", shape: [8, 8] });
      const b = parameter(device, { name: "b", shape: [8, 8] });
      const g = Float32Array.from({ length: 64 }, (_, i) => Math.sin(i * i));
      const optimizer = new Muon([a, b], { lr: 0.5, foreach, stateDtype: "bfloat16" });
      a.writeGrad(g);
      b.writeGrad(g);
      optimizer.step();
      optimizer.step();
      expect(await a.read()).toEqual(await b.read());
      expect((await a.read())[1]).not.toBe(0);
      a.hasGrad = false;
      optimizer.step();
      const { state } = await optimizer.stateDict();
      expect(state["b"]).not.toEqual(state["a"]);
    },
  );

  test("state dicts may be larger than a buffer", async () => {
    const device = await sharedDevice();
    limits.buffer = 512;
    const all = [100, 120, 3].map((n, i) =>
      parameter(device, new Float32Array(n).fill(i + 1), { name: `p${i}` }),
    );
    const optimizer = new Adam(all, { lr: 0.1 });
    all.forEach((p, i) => p.writeGrad(new Float32Array(p.size).fill(i + 1)));
    optimizer.step();
    const made: number[] = [];
    const { createBuffer } = device;
    device.createBuffer = (descriptor) => {
      made.push(descriptor.size);
      return createBuffer.call(device, descriptor);
    };
    const { state } = await optimizer
      .stateDict()
      .finally(() => (device.createBuffer = createBuffer));
    expect(Math.max(...made)).toBeLessThanOrEqual(512);
    for (const [i, p] of all.entries()) {
      const m = state[p.name!]!["exp_avg"] as Float32Array;
      expect(m).toHaveLength(p.size);
      expect(m.at(-1)).toBeCloseTo(0.1 * (i + 1));
    }
  });

  test.each(["loaded", "spread"])(
    "memory for state that is refused when it is %s is told",
    async (when) => {
      const device = await gpuDevice();
      const [a, b] = ["a", "b"].map((name) => parameter(device, [1], { name })) as [
        GpuParameter,
        GpuParameter,
      ];
      const whole = new SGD([a, b], { lr: 1, momentum: 0.9 });
      whole.step();
      const dict = await whole.stateDict();
      const other = new SGD(when === "loaded" ? [a, b] : [a], { lr: 1, momentum: 0.9 });
      if (when === "spread") other.step();
      const { createBuffer } = device;
      device.createBuffer = (descriptor) =>
        createBuffer.call(device, { ...descriptor, size: 2 ** 40 });
      if (when === "loaded") other.loadStateDict(dict);
      else other.addParamGroup({ params: [b] });
      device.createBuffer = createBuffer;
      await device.queue.onSubmittedWorkDone();
      expect(() => other.step()).toThrow(expect.objectContaining({ code: "GPU_FAILED" }));
    },
  );

  test("groups beyond those that the GPU decides for are refused", async () => {
    const device = await sharedDevice();
    const groups = Array.from({ length: 257 }, (_, i) => ({
      params: [parameter(device, [1], { name: `p${i}` })],
    }));
    const refused = expect.objectContaining({ code: "BAD_OPTION" });
    expect(() => new SGD(groups, { lr: 0.1, nonFinite: "skip" })).toThrow(refused);
    const optimizer = new SGD(groups.slice(1), { lr: 0.1 });
    clipGradNorm(optimizer, 1);
    expect(() => optimizer.addParamGroup(groups[0]!)).toThrow(refused);
    expect(optimizer.paramGroups).toHaveLength(256);
    groups[256]!.params[0]!.writeGrad([4]);
    optimizer.step();
    expect((await groups[256]!.params[0]!.read())[0]).toBeCloseTo(0.9);
    optimizer.addParamGroup(groups[0]!);
    expect(() => clipGradNorm(optimizer, 1)).toThrow(refused);
  });

  test("gradients that cannot be written are not set to zero by a copy", async () => {
    const device = await sharedDevice();
    const buffer = (usage: number) => device.createBuffer({ size: 256, usage });
    const own = parameter(
      device,
      { data: buffer(READABLE), grad: buffer(STORAGE) },
      { name: "own", shape: [4] },
    );
    const w = parameter(device, [1], { name: "w" });
    const optimizer = new SGD([w, own], { lr: 1 });
    w.writeGrad([1]);
    const refused = expect.objectContaining({ code: "NOT_WRITABLE" });
    expect(() => optimizer.zeroGrad()).toThrow(refused);
    expect(() => own.write([1, 2, 3, 4])).toThrow(refused);
    expect(() => own.writeGrad([1, 2, 3, 4])).toThrow(refused);
    optimizer.step({ zeroGrad: true });
    optimizer.step();
    expect([...(await w.read())]).toEqual([0]);
  });

  test("what nothing can be recorded into is refused", async () => {
    const device = await sharedDevice();
    const optimizer = new SGD([parameter(device, [1])], { lr: 1 });
    const bundle = device.createRenderBundleEncoder({ colorFormats: ["rgba8unorm"] });
    expect(() => optimizer.encode(bundle as unknown as GPUCommandEncoder)).toThrow(
      expect.objectContaining({ code: "BAD_OPTION" }),
    );
  });

  test("a rule with sums, factors of components and clipping together", async () => {
    const device = await sharedDevice();
    const read = (lrScale: number[] | null) => {
      const w = parameter(device, new Float32Array(12).fill(1), { shape: [4, 3], lrScale });
      const optimizer = new Adafactor([w], { lr: 0.1, nonFinite: "skip" });
      w.writeGrad(Float32Array.from({ length: 12 }, (_, i) => Math.sin(i + 1)));
      clipGradNorm(optimizer, 1);
      optimizer.step();
      return w.read();
    };
    const plain = await read(null);
    const scaled = await read([1, 0, 1]);
    plain.forEach((x, i) => expect(scaled[i]).toBe(i % 3 === 1 ? 1 : x));
    expect(plain).not.toContain(1);
  });

  test("rules that look at no gradient, or have no numbers", async () => {
    const device = await sharedDevice();
    const Blind = defineOptimizer({
      name: "Blind",
      hyper: { lr: 1 },
      step: ({ p }, { lr }) => ({ p: p.sub(lr) }),
    });
    const Bare = defineOptimizer({
      name: "Bare",
      hyper: { lr: 1 },
      step: ({ p, g }) => ({ p: p.sub(g) }),
    });
    for (const [Rule, expected] of [
      [Blind, -3],
      [Bare, -1 - 2 - 2 * 0.5],
    ] as const) {
      const w = parameter(device, [0], { name: "w" });
      const optimizer = new Rule([w]);
      w.writeGrad([2]);
      clipGradNorm(optimizer, 1);
      optimizer.step();
      optimizer.step();
      optimizer.step({ gradScale: 0.5 });
      expect((await w.read())[0]).toBeCloseTo(expected);
    }
  });

  test("two optimizers over the same parameters, one of which reaches further later on", async () => {
    const device = await sharedDevice();
    const names = ["a", "b", "c"];
    const ones = (i: number) => new Float32Array(5 + 60 * i).fill(1);
    const onGpu = names.map((name, i) => parameter(device, ones(i), { name }));
    const onCpu = names.map((name, i) => cpu.parameter(ones(i), { name }));
    const options = { lr: 0.1, momentum: 0.9, stateDtype: "bfloat16" } as const;
    const gpu = [new Adam(onGpu, { lr: 0.1 }), new SGD([onGpu[1]!], options)] as const;
    const host = [new cpu.Adam(onCpu, { lr: 0.1 }), new cpu.SGD([onCpu[1]!], options)] as const;
    onGpu.forEach((p, i) => p.writeGrad(new Float32Array(p.size).fill(i - 0.7)));
    for (let step = 0; step < 6; step++) {
      if (step === 3) gpu[1].addParamGroup({ params: [onGpu[0]!, onGpu[2]!], lr: 0.2 });
      if (step === 3) host[1].addParamGroup({ params: [onCpu[0]!, onCpu[2]!], lr: 0.2 });
      if (step === 4) gpu[1].loadStateDict(host[1].stateDict());
      clipGradNorm(gpu[0], 0.5);
      gpu.forEach((optimizer) => optimizer.step());
      for (const optimizer of host) {
        onCpu.forEach((p, i) => (p.grad = new Float32Array(p.size).fill(i - 0.7)));
        if (optimizer === host[0]) cpu.clipGradNorm(host[0], 0.5);
        optimizer.step();
      }
    }
    for (const [i, p] of onGpu.entries()) {
      const values = await p.read();
      values.forEach((x, k) => expect(x, p.name).toBeCloseTo(onCpu[i]!.data[k]!, 4));
    }
  });

  test.each([
    ["RAdam", RAdam, cpu.RAdam],
    ["ASGD", ASGD, cpu.ASGD],
    ["Adagrad", Adagrad, cpu.Adagrad],
  ] as const)("%s: all sorts of steps in one submit", async (name, Gpu, Cpu) => {
    const device = await sharedDevice();
    const shapes = [[5], [], [3, 2], [0], [70]];
    const value = (i: number, k: number) => Math.cos(3 * i + k);
    const make = <P>(one: (values: Float32Array, options: object) => P) =>
      shapes.map((shape, i) => {
        const size = shape.reduce((a, b) => a * b, 1);
        const values = Float32Array.from({ length: size }, (_, k) => value(i, k));
        return one(values, { name: `p${i}`, shape });
      });
    const onGpu = make((values, options) => parameter(device, values, options));
    const onCpu = make((values, options) => cpu.parameter(values, options));
    const gradient = (i: number, n: number) =>
      Float32Array.from({ length: n }, (_, k) => 2 * value(k, i));
    const gpu = new Gpu([{ params: onGpu.slice(0, 2) }, { params: onGpu.slice(2, 4), lr: 0.2 }], {
      lr: 0.1,
    });
    const host = new Cpu([{ params: onCpu.slice(0, 2) }, { params: onCpu.slice(2, 4), lr: 0.2 }], {
      lr: 0.1,
    });
    onGpu.forEach((p, i) => p.writeGrad(gradient(i, p.size)));
    const encoder = device.createCommandEncoder();
    for (let step = 0; step < 14; step++) {
      if (step === 3) onGpu[0]!.requiresGrad = false;
      if (step === 3) onCpu[0]!.requiresGrad = false;
      if (step === 5) gpu.addParamGroup({ params: [onGpu[4]!], lr: 0.3 });
      if (step === 5) host.addParamGroup({ params: [onCpu[4]!], lr: 0.3 });
      if (step === 9) onGpu[0]!.requiresGrad = true;
      if (step === 9) onCpu[0]!.requiresGrad = true;
      for (const [i, p] of onCpu.entries()) if (p.requiresGrad) p.grad = gradient(i, p.size);
      if (step % 3 === 1) clipGradNorm(gpu, 0.7);
      if (step % 3 === 1) cpu.clipGradNorm(host, 0.7);
      if (step % 4 === 2) gpu.paramGroups[1]!.lr = host.paramGroups[1]!.lr = 0.05 * step;
      const options = step % 5 === 4 ? { gradScale: 0.5 } : {};
      gpu.encode(encoder, options);
      host.step(options);
    }
    device.queue.submit([encoder.finish()]);
    for (const [i, p] of onGpu.entries()) {
      const values = await p.read();
      values.forEach((x, k) => expect(x, `${name} ${i}`).toBeCloseTo(onCpu[i]!.data[k]!, 5));
    }
  });
});
