/**
 * Optimizers on a GPU as their users see them: parameters in our buffers or theirs, steps submitted or
 * recorded, groups, schedules, hooks, state dicts that the CPU shares, lost devices.
 */
import { afterEach, describe, expect, test } from "vitest";
import * as cpu from "../../src/index.ts";
import { limits } from "../../src/memory/webgpu/chunk.ts";
import { SHARED_USAGE } from "../../src/memory/webgpu/constants.ts";
import {
  Adam,
  AdamW,
  clipGradNorm,
  defineOptimizer,
  parameter,
  RAdam,
  RMSprop,
  SGD,
  type GpuParameter,
} from "../../src/webgpu/index.ts";
import { noVulkan } from "../helpers/find-vulkan.ts";
import { gpuDevice, readBuffer } from "../helpers/webgpu.ts";

/** A gradient that depends on the step, the parameter and the element. */
const gradient = (step: number, k: number, size: number): Float32Array =>
  Float32Array.from({ length: size }, (_, i) => Math.sin(7 * step + 3 * k + i));

const start = (k: number, size: number): Float32Array =>
  Float32Array.from({ length: size }, (_, i) => Math.cos(k + 2 * i));

interface Pair {
  readonly device: GPUDevice;
  readonly onGpu: GpuParameter[];
  readonly onCpu: cpu.Parameter[];
}

async function pairOf(sizes: readonly number[]): Promise<Pair> {
  const device = await gpuDevice();
  const names = sizes.map((_, k) => ({ name: `p${k}` }));
  const onGpu = sizes.map((size, k) => parameter(device, start(k, size), names[k]));
  const onCpu = sizes.map((size, k) => cpu.parameter(start(k, size), names[k]));
  return { device, onGpu, onCpu };
}

function setGradients({ onGpu, onCpu }: Pair, step: number): void {
  onGpu.forEach((p, k) => p.hasGrad && p.writeGrad(gradient(step, k, p.size)));
  onCpu.forEach((p, k) => {
    if (onGpu[k]!.hasGrad) p.grad = gradient(step, k, p.size);
  });
}

/** Largest distance of an element from the CPU's. */
async function distance({ onGpu, onCpu }: Pair): Promise<number> {
  let largest = 0;
  for (const [k, p] of onGpu.entries()) {
    const values = await p.read();
    values.forEach((x, i) => (largest = Math.max(largest, Math.abs(x - onCpu[k]!.data[i]!))));
  }
  expect(largest).not.toBeNaN();
  return largest;
}

/** What may be wrong with a buffer. */
interface Fault {
  readonly data?: number;
  readonly offset?: number;
  readonly size?: number;
  readonly usage?: number;
  readonly overlap?: boolean;
}

/** A few units in the last place of numbers around 1. */
const CLOSE = 1e-6;

afterEach(() => Object.assign(limits, { buffer: Infinity, binding: Infinity }));

describe.skipIf(noVulkan)("optimizers on a GPU", () => {
  test("groups, frozen parameters and late ones keep step with the CPU", async () => {
    const pair = await pairOf([3, 70, 64, 1]);
    const late = { onGpu: pair.onGpu.pop()!, onCpu: pair.onCpu.pop()! };
    const groups = <P>([a, b, c]: readonly P[]) => [
      { params: [a!, b!], lr: 0.01 },
      { params: [c!], betas: [0.5, 0.9] as const },
    ];
    const gpu = new Adam(groups(pair.onGpu), { lr: 0.1, weightDecay: 0.01 });
    const own = new cpu.Adam(groups(pair.onCpu), { lr: 0.1, weightDecay: 0.01 });
    for (let step = 0; step < 12; step++) {
      if (step === 3) pair.onGpu[1]!.requiresGrad = pair.onCpu[1]!.requiresGrad = false;
      if (step === 6) {
        pair.onGpu.push(late.onGpu);
        pair.onCpu.push(late.onCpu);
        gpu.addParamGroup({ params: [late.onGpu], lr: 0.3 });
        own.addParamGroup({ params: [late.onCpu], lr: 0.3 });
      }
      if (step === 8) pair.onGpu[1]!.requiresGrad = pair.onCpu[1]!.requiresGrad = true;
      if (step === 9) gpu.paramGroups[0].lr = own.paramGroups[0].lr = 0.5;
      setGradients(pair, step);
      gpu.step();
      own.step();
    }
    expect(await distance(pair)).toBeLessThan(CLOSE);
    const [mine, theirs] = [(await gpu.stateDict()).state, own.stateDict().state];
    expect(Object.values(mine).map(({ step }) => step)).toEqual([12, 7, 12, 6]);
    expect(Object.keys(mine)).toEqual(Object.keys(theirs));
  });

  test("frozen parameters stay, also if none is left, and a step that was refused is laid out anew", async () => {
    const pair = await pairOf([5, 70]);
    const gpu = new SGD(pair.onGpu, { lr: 0.1 });
    const own = new cpu.SGD(pair.onCpu, { lr: 0.1 });
    setGradients(pair, 0);
    gpu.step();
    own.step();
    for (const p of [...pair.onGpu, ...pair.onCpu]) p.requiresGrad = false;
    for (let step = 0; step < 2; step++) {
      gpu.step();
      own.step();
    }
    expect(await distance(pair)).toBeLessThan(CLOSE);
    for (const p of [...pair.onGpu, ...pair.onCpu]) p.requiresGrad = true;
    setGradients(pair, 1);
    gpu.step();
    own.step();
    const { createBindGroup } = pair.device;
    pair.device.createBindGroup = () => {
      throw new Error("no more groups");
    };
    for (let attempt = 0; attempt < 2; attempt++) {
      clipGradNorm(gpu, 1e-3);
      expect(() => gpu.step()).toThrow("no more groups");
      gpu.gradients.forget();
    }
    pair.device.createBindGroup = createBindGroup;
    clipGradNorm(gpu, 1e-3);
    cpu.clipGradNorm(own, 1e-3);
    gpu.step();
    own.step();
    expect(await distance(pair)).toBeLessThan(CLOSE);
  });

  test("one submit for a user's own pass and several steps", async () => {
    const pair = await pairOf([5, 200]);
    const gpu = new RAdam(pair.onGpu);
    const own = new cpu.RAdam(pair.onCpu);
    setGradients(pair, 0);
    const encoder = pair.device.createCommandEncoder();
    for (let k = 0; k < 4; k++) gpu.encode(encoder);
    const pass = encoder.beginComputePass();
    for (let k = 0; k < 4; k++) gpu.encode(pass);
    pass.end();
    pair.device.queue.submit([encoder.finish()]);
    for (let k = 0; k < 8; k++) own.step();
    expect(await distance(pair)).toBeLessThan(CLOSE);
    expect(() => gpu.encode({} as GPUCommandEncoder)).toThrow("expected a GPUCommandEncoder");
  });

  test("buffers of a user's own are updated in place, whatever lies around them", async () => {
    const device = await gpuDevice();
    const buffer = device.createBuffer({ size: 4096, usage: SHARED_USAGE });
    const numbers = Float32Array.from({ length: 1024 }, (_, i) => i);
    device.queue.writeBuffer(buffer, 0, numbers);
    const part = (offset: number, size: number) => ({ buffer, offset, size });
    const shape = [3, 7];
    const w = parameter(device, { data: part(256, 84), grad: part(1024, 84) }, { shape });
    const v = parameter(device, { data: part(512, 4), grad: part(2048, 4) });
    new SGD([w, v], { lr: 1 }).step();
    const expected = numbers.map((x, i) => {
      if (i >= 64 && i < 85) return x - numbers[i + 192]!;
      return i === 128 ? x - numbers[512]! : x;
    });
    expect(new Float32Array(await readBuffer(device, buffer))).toEqual(expected);
    expect(await w.readGrad()).toEqual(numbers.slice(256, 277));
  });

  test.each([
    [{ data: 3 }, "data: got 3, expected a GPUBuffer, or { buffer, offset, size }."],
    [{ offset: 4 }, "data: got offset 4, expected a multiple of 256."],
    [{ size: 8 }, "data: got 8 bytes from 0 on, of a buffer of 4096, expected 12 bytes"],
    [{ usage: SHARED_USAGE & ~0x80 }, "got a buffer without STORAGE among its usages"],
    [{ overlap: true }, "got a gradient that overlaps its parameter, expected parts of a buffer"],
  ])("a buffer that cannot serve is refused: %o", async (fault, message) => {
    const { data, offset = 0, size, usage = SHARED_USAGE, overlap } = fault as Fault;
    const device = await gpuDevice();
    const make = (usages: number) => device.createBuffer({ size: 4096, usage: usages });
    const buffer = make(usage);
    const whole = { buffer, offset, ...(size ? { size } : {}) };
    const given = { data: (data as never) ?? whole, grad: overlap ? buffer : make(SHARED_USAGE) };
    const adopt = () => parameter(device, given, { name: "w", shape: [3] });
    expect(adopt).toThrow(message);
    expect(adopt).toThrow('parameter "w"');
  });

  test("what is too large for a buffer or for a binding is divided", async () => {
    limits.buffer = 16_384;
    limits.binding = 2048;
    const pair = await pairOf([700, 10, 3000, 64, 1500]);
    const gpu = new AdamW(pair.onGpu);
    const own = new cpu.AdamW(pair.onCpu);
    for (let step = 0; step < 3; step++) {
      setGradients(pair, step);
      gpu.step();
      own.step();
    }
    expect(new Set(pair.onGpu.map(({ data }) => data.buffer)).size).toBe(2);
    expect(await distance(pair)).toBeLessThan(CLOSE);
    const huge = parameter(pair.device, { shape: [4097] });
    expect(() => new SGD([huge])).toThrow(
      expect.objectContaining({ code: "OUT_OF_MEMORY" }) as Error,
    );
  });

  test("state goes from CPU to GPU and back, and steps go on as if it had not", async () => {
    const pair = await pairOf([9, 130]);
    const options = { momentum: 0.9, centered: true };
    const own = new cpu.RMSprop(pair.onCpu, options);
    for (let step = 0; step < 3; step++) {
      setGradients(pair, step);
      own.step();
    }
    const gpu = new RMSprop(pair.onGpu, { lr: 3, ...options });
    pair.onGpu.forEach((p, k) => p.write(pair.onCpu[k]!.data as Float32Array));
    gpu.loadStateDict(own.stateDict());
    expect(await gpu.stateDict()).toEqual(own.stateDict());
    for (let step = 3; step < 6; step++) {
      setGradients(pair, step);
      gpu.step();
      own.step();
    }
    expect(await distance(pair)).toBeLessThan(CLOSE);
    const saved = gpu.stateDict(); // as it is now, whatever comes while it is read
    gpu.step();
    own.loadStateDict(await saved);
    expect(own.state(pair.onCpu[0]!)["step"]).toBe(6);
    await expect(gpu.state(pair.onCpu[0] as never)).rejects.toMatchObject({
      code: "UNKNOWN_PARAMETER",
    });
  });

  test("a state dict that does not fit changes nothing", async () => {
    const { onGpu } = await pairOf([9]);
    const gpu = new Adam(onGpu);
    gpu.step();
    const before = await gpu.stateDict();
    const bad = {
      ...before,
      state: { p0: { ...before.state["p0"], exp_avg: new Float32Array(8) } },
    };
    expect(() => gpu.loadStateDict(bad)).toThrow("expected a Float32Array of 9 elements");
    expect(() => gpu.loadStateDict(before, { strict: false } as never)).toThrow("loadStateDict");
    expect(await gpu.stateDict()).toEqual(before);
  });

  test("schedules write into groups, hooks run around steps, zeroGrad is merged or by itself", async () => {
    const { onGpu } = await pairOf([4]);
    const gpu = new SGD(onGpu, { lr: 1 });
    const schedule = new cpu.StepLR(gpu, { stepSize: 1, gamma: 0.5 });
    const seen: string[] = [];
    gpu.registerStepPreHook(() => void seen.push("before"));
    gpu.registerStepPostHook(() => void seen.push("after"));
    onGpu[0]!.write([0, 0, 0, 0]);
    onGpu[0]!.writeGrad([1, 2, 3, 4]);
    gpu.step();
    schedule.step();
    gpu.step({ zeroGrad: true });
    gpu.step();
    expect([...(await onGpu[0]!.read())]).toEqual([-1.5, -3, -4.5, -6]);
    expect(seen).toEqual(["before", "after", "before", "after", "before", "after"]);
    onGpu[0]!.writeGrad([1, 2, 3, 4]);
    gpu.zeroGrad();
    expect([...(await onGpu[0]!.readGrad())]).toEqual([0, 0, 0, 0]);
    expect(String(gpu)).toContain("lr: 0.5");
  });

  test("a rule of one's own", async () => {
    const Lion = defineOptimizer({
      name: "Lion",
      hyper: { lr: 0.1, b1: 0.9, b2: 0.99 },
      state: ["m"],
      step: ({ p, g, m }, { lr, b1, b2 }) => ({
        p: p.sub(cpu.sign(cpu.lerp(m, g, 1 - b1)).mul(lr)),
        m: cpu.lerp(m, g, 1 - b2),
      }),
    });
    const { onGpu } = await pairOf([3]);
    onGpu[0]!.write([0, 0, 0]);
    onGpu[0]!.writeGrad([5, -5, 0]);
    new Lion(onGpu).step();
    expect([...(await onGpu[0]!.read())]).toEqual([-0.1, 0.1, 0].map(Math.fround));
  });

  test("what is wrong is refused before anything is submitted", async () => {
    const { onGpu, onCpu, device } = await pairOf([3]);
    const other = await gpuDevice();
    const elsewhere = parameter(other, [1, 2]);
    const error = (make: () => unknown, code: string) =>
      expect(make).toThrow(expect.objectContaining({ code }) as Error);
    error(() => new Adam(onCpu as never), "BAD_PARAMS");
    error(() => new Adam([]), "NO_PARAMS");
    error(() => new Adam([{ params: [] }]), "NO_PARAMS");
    error(() => new Adam([...onGpu, elsewhere]), "BAD_PARAMS");
    error(() => new Adam([...onGpu, ...onGpu]), "DUPLICATE_PARAMETER");
    error(() => new Adam(onGpu, { lr: -1 }), "BAD_HYPERPARAMETER");
    error(() => new Adam(onGpu, { backend: "wasm" } as never), "UNKNOWN_OPTION");
    error(() => new Adam(onGpu, { foreach: 1 } as never), "BAD_OPTION");
    error(() => new Adam(onGpu, { nonFinite: "throw" as never }), "BAD_OPTION");
    error(() => parameter({} as GPUDevice, [1]), "BAD_OPTION");
    error(() => onGpu[0]!.write([1, 2]), "BAD_DATA");
    error(() => onGpu[0]!.writeGrad([1, 2]), "BAD_GRADIENT");
    const gpu = new Adam(onGpu);
    gpu.paramGroups[0].lr = NaN;
    error(() => gpu.step(), "BAD_HYPERPARAMETER");
    gpu.paramGroups[0].lr = 0.1;
    gpu.step();
    expect((await gpu.state(onGpu[0]!))["step"]).toBe(1);
    expect(String(onGpu[0])).toBe('GpuParameter { name: "p0", shape: [3], requiresGrad: true }');
    const silent = () => device.createBuffer({ size: 4, usage: 0x80 });
    const unread = parameter(device, { data: silent(), grad: silent() });
    await expect(unread.read()).rejects.toMatchObject({ code: "NOT_READABLE" });
  });

  test("after the device is lost every call says so", async () => {
    const { onGpu, device } = await pairOf([3]);
    const gpu = new Adam(onGpu);
    gpu.step();
    const reading = gpu.stateDict();
    reading.catch(() => {});
    device.destroy();
    await device.lost;
    const lost = expect.objectContaining({ code: "DEVICE_LOST" }) as Error;
    expect(() => gpu.step()).toThrow(lost);
    expect(() => gpu.step()).toThrow("Adam: step: got a GPU device that was lost (destroyed");
    expect(() => gpu.loadStateDict({} as never)).toThrow(lost);
    expect(() => gpu.zeroGrad()).toThrow(lost);
    await expect(gpu.stateDict()).rejects.toEqual(lost);
    await expect(onGpu[0]!.read()).rejects.toEqual(lost);
  });
});
