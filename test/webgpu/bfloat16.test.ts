/** State in bfloat16 on a GPU: the interpreter's bits on SwiftShader, and half the memory. */
import { beforeAll, describe, expect, test } from "vitest";
import * as cpu from "../../src/index.ts";
import {
  defineOptimizer,
  keepRows,
  parameter,
  type GpuOptimizer,
  type GpuParameter,
} from "../../src/webgpu/index.ts";
import { plans } from "../helpers/backends.ts";
import { noVulkan, onSwiftShader } from "../helpers/find-vulkan.ts";
import { gpuNames, gpuOptimizers } from "../helpers/gpu-golden.ts";
import { gpuDevice } from "../helpers/webgpu.ts";

const ways = Object.keys(plans) as (keyof typeof plans)[];
const roundings = ["nearest", "stochastic"] as const;
const gradient = (step: number, size: number): Float32Array =>
  Float32Array.from({ length: size }, (_, i) => Math.sin(1 + step * 5 + i * 3));

type Hyper = { readonly lr: number; readonly b1: number; readonly b2: number };
/** Adam whose update is scaled by norms: with reductions. */
const lamb: Parameters<typeof defineOptimizer<Hyper, "m" | "v">>[0] = {
  name: "Lamb",
  hyper: { lr: 0.01, b1: 0.9, b2: 0.99 },
  state: ["m", "v"],
  step({ p, g, m, v }, { lr, b1, b2 }) {
    m = cpu.lerp(m, g, 1 - b1);
    v = cpu.emaSq(v, g, b2);
    const update = m.div(cpu.sqrt(v).add(1e-6));
    return { p: p.sub(update.mul(cpu.norm(p).div(cpu.norm(update)).mul(lr))), m, v };
  },
};

describe.skipIf(noVulkan)("bfloat16 state on a GPU", () => {
  let device: GPUDevice;
  beforeAll(async () => {
    device = await gpuDevice();
  });

  /** Steps on both, from the same start. The parameter's length is not a multiple of four. */
  async function run(
    Gpu: new (params: readonly GpuParameter[], options: never) => GpuOptimizer,
    Cpu: new (params: readonly cpu.Parameter[], options: never) => cpu.Optimizer,
    options: object,
    way: keyof typeof plans,
    isAdopted: boolean,
  ) {
    const size = 75;
    const values = gradient(99, size);
    const buffer = () => device.createBuffer({ size: 4 * size, usage: 0x8c });
    const mine = isAdopted
      ? parameter(device, { data: buffer(), grad: buffer() }, { name: "w" })
      : parameter(device, { name: "w", shape: [size] });
    mine.write(values);
    const theirs = cpu.parameter(values, { name: "w" });
    const gpu = new Gpu([mine], { ...options, ...plans[way] } as never);
    const own = new Cpu([theirs], { ...options, backend: "interp" } as never);
    for (let step = 0; step < 6; step++) {
      mine.writeGrad(gradient(step, size));
      theirs.grad = gradient(step, size);
      gpu.step();
      own.step();
    }
    return { mine: await mine.read(), theirs: theirs.data, gpu: await gpu.stateDict(), own };
  }

  /** Whether all numbers are bfloat16 ones. */
  const areNarrow = (values: Float32Array) =>
    new Uint32Array(values.buffer).every((bits) => (bits & 0xffff) === 0);

  describe.each(gpuNames)("%s", (name) => {
    test.each(ways.flatMap((way) => roundings.map((rounding) => [way, rounding] as const)))(
      "%s, %s",
      async (way, stateRounding) => {
        const more = name === "SGD" ? { momentum: 0.9 } : {};
        const options = { stateDtype: "bfloat16", stateRounding, ...more };
        const Cpu = (cpu as unknown as Record<string, never>)[name]!;
        const { mine, theirs, gpu, own } = await run(
          gpuOptimizers[name] as never,
          Cpu,
          options,
          way,
          way === "foreach",
        );
        const state = own.stateDict().state["w"]!;
        expect(Object.keys(gpu.state["w"]!)).toEqual(Object.keys(state));
        for (const [slot, values] of Object.entries(gpu.state["w"]!)) {
          if (typeof values === "number") continue;
          expect(areNarrow(values as Float32Array), slot).toBe(true);
        }
        if (onSwiftShader && name !== "Adagrad" && name !== "Adafactor") {
          expect(mine).toEqual(theirs);
          expect(gpu.state["w"]).toEqual(state);
        }
      },
    );
  });

  test.each(roundings)("a rule with reductions, %s", async (stateRounding) => {
    const options = { stateDtype: "bfloat16", stateRounding };
    const [Gpu, Cpu] = [defineOptimizer(lamb), cpu.defineOptimizer(lamb)];
    for (const isAdopted of [false, true]) {
      const { mine, theirs, gpu } = await run(
        Gpu as never,
        Cpu as never,
        options,
        "fused",
        isAdopted,
      );
      mine.forEach((x, i) => expect(x).toBeCloseTo(theirs[i]!, 5));
      expect(areNarrow(gpu.state["w"]!["m"] as Float32Array)).toBe(true);
    }
  });

  test("state dicts come and go, and rows take their state along", async () => {
    const w = parameter(device, gradient(7, 12), { name: "w", shape: [6, 2] });
    const odd = parameter(device, { name: "odd", shape: [6, 3] });
    const Adam = gpuOptimizers.Adam;
    const gpu = new Adam([w, odd], { stateDtype: "bfloat16" } as never);
    w.writeGrad(gradient(1, 12));
    gpu.step();
    const saved = await gpu.stateDict();
    const again = new Adam([w, odd], { stateDtype: "bfloat16" } as never);
    again.loadStateDict(saved);
    expect(await again.stateDict()).toEqual(saved);
    odd.writeGrad(gradient(2, 18));
    gpu.step();
    for (const [tensor, width] of [
      [w, 2],
      [odd, 3],
    ] as const) {
      const before = (await gpu.state(tensor))["exp_avg"] as Float32Array;
      keepRows(gpu as never, tensor, [4, 1]);
      const after = (await gpu.state(tensor))["exp_avg"] as Float32Array;
      const rows = [4, 1].flatMap((row) =>
        Array.from(before.subarray(row * width, (row + 1) * width)),
      );
      expect([...after]).toEqual(rows);
    }
    expect(() => new Adam([w], { stateRounding: "stochastic" } as never)).toThrow("stateRounding");
  });
});
