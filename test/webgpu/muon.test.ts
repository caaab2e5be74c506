/**
 * Muon on a GPU: PyTorch's recorded trajectories, to what bfloat16 allows, and a plain iteration in float64,
 * to what float32 allows; on all plans. And rules of one's own for matrices.
 */
import { describe, expect, test } from "vitest";
import {
  columnsOf,
  defineOptimizer,
  orthogonalize,
  parameter as onCpu,
  rowsOf,
  type RuleSpec,
  type StateDict,
} from "../../src/index.ts";
import {
  defineOptimizer as defineGpuOptimizer,
  Muon,
  parameter,
  type GpuParameter,
} from "../../src/webgpu/index.ts";
import { plans } from "../helpers/backends.ts";
import { bits } from "../helpers/bits.ts";
import { noVulkan } from "../helpers/find-vulkan.ts";
import { goldenCases } from "../helpers/golden.ts";
import { runGpuCase } from "../helpers/gpu-golden.ts";
import { countCalls } from "../helpers/counting-device.ts";
import {
  expectNearBfloat16,
  plainStep,
  variants,
  type MatrixShape,
  type MuonOptions,
} from "../helpers/muon.ts";
import { map, type Matrix } from "../helpers/newton-schulz.ts";
import { noise } from "../helpers/rules.ts";
import { sharedDevice } from "../helpers/webgpu.ts";

const ways = Object.entries(plans);

const shapes: readonly MatrixShape[] = [
  [1, 1],
  [1, 7],
  [9, 1],
  [3, 6],
  [6, 3],
  [17, 40],
  [40, 17],
  [32, 32],
  [3, 6],
];

const noisy = ([rows, columns]: MatrixShape, next: () => number): Float32Array =>
  Float32Array.from({ length: rows * columns }, next);

const matrixOf = (values: Float32Array, [rows, columns]: MatrixShape): Matrix =>
  Array.from({ length: rows }, (_, i) => [...values.subarray(i * columns, (i + 1) * columns)]);

const zeros = (matrix: Matrix): Matrix => map(matrix, matrix, () => 0);

function filled(
  device: GPUDevice,
  all: readonly MatrixShape[],
  next: () => number,
): GpuParameter[] {
  return all.map((shape, i) => parameter(device, noisy(shape, next), { shape, name: `w${i}` }));
}

function setGradients(all: readonly GpuParameter[], next: () => number): Float32Array[] {
  return all.map((p) => {
    const gradient = noisy(p.shape as MatrixShape, next);
    p.writeGrad(gradient);
    return gradient;
  });
}

const readAll = (all: readonly GpuParameter[]): Promise<Float32Array[]> =>
  Promise.all(all.map((p) => p.read() as Promise<Float32Array>));

describe.skipIf(noVulkan)("Muon on a GPU", () => {
  describe.each(goldenCases("Muon"))("as PyTorch: $options", (golden) => {
    test.each(ways)("%s", async (_, way) => {
      const { trajectory, state } = await runGpuCase(await sharedDevice(), "Muon", golden, way);
      expectNearBfloat16(golden, trajectory, state);
    });
  });

  describe.each(variants)("as a plain iteration in float64: %o", (options) => {
    test.each(ways)("%s", async (_, way) => {
      const next = noise(5);
      const all = filled(await sharedDevice(), shapes, next);
      const before = await readAll(all);
      let plain = before.map((values, i) => matrixOf(values, shapes[i]!));
      let means = plain.map(zeros);
      const optimizer = new Muon(all, { ...(options as MuonOptions), ...way } as never);
      for (let step = 0; step < 2; step++) {
        const gradients = setGradients(all, next);
        optimizer.step();
        const steps = gradients.map((gradient, i) =>
          plainStep(plain[i]!, matrixOf(gradient, shapes[i]!), means[i]!, options),
        );
        plain = steps.map(([p]) => p);
        means = steps.map(([, mean]) => mean);
      }
      const after = await readAll(all);
      const off = after.map((values, i) =>
        Math.max(...plain[i]!.flat().map((x, k) => Math.abs(values[k]! - x))),
      );
      expect(Math.max(...off)).toBeLessThan(1e-5);
    });
  });

  test("numbers changed between steps that are recorded together hold from the next one on", async () => {
    const device = await sharedDevice();
    const changes: readonly MuonOptions[] = [
      {},
      { nsSteps: 2 },
      { nsSteps: 0, lr: 0.3 },
      { nsSteps: 3, nsCoefficients: [2, -1.5, 0.5], adjustLrFn: "match_rms_adamw" },
    ];
    const run = async (together: boolean): Promise<string[]> => {
      const next = noise(7);
      const all = filled(device, shapes, next);
      const groups = [{ params: all.slice(0, 4) }, { params: all.slice(4), nsSteps: 1 }];
      const optimizer = new Muon(groups, { lr: 0.1 });
      setGradients(all, next);
      optimizer.step();
      const told = countCalls(device);
      const encoder = device.createCommandEncoder();
      for (const change of changes) {
        Object.assign(optimizer.paramGroups[0]!, change);
        if (together) optimizer.encode(encoder);
        else optimizer.step();
      }
      device.queue.submit([encoder.finish()]);
      const { createBuffer = 0, createBindGroup = 0, createComputePipeline = 0 } = told();
      expect(createBuffer + createBindGroup + createComputePipeline).toBe(0);
      return (await readAll(all)).map(bits);
    };
    expect(await run(true)).toEqual(await run(false));
  });

  test.each(ways)("%s: zeros only decay, and there may be no elements at all", async (_, way) => {
    const device = await sharedDevice();
    const all = [
      [2, 3],
      [0, 3],
      [3, 0],
    ].map((shape, i) => parameter(device, { shape, name: `w${i}` }));
    all[0]!.write(new Float32Array(6).fill(1));
    new Muon(all, { lr: 0.5, ...way }).step();
    expect([...(await all[0]!.read())]).toEqual(Array(6).fill(Math.fround(0.95)));
  });

  test.each(ways)("%s: a step that is left out changes nothing", async (_, way) => {
    const next = noise(11);
    const all = filled(await sharedDevice(), shapes, next);
    const optimizer = new Muon(all, { lr: 0.1, nonFinite: "skip", ...way });
    setGradients(all, next);
    optimizer.step();
    const read = async (): Promise<unknown[]> => {
      const { state } = await optimizer.stateDict();
      return [...(await readAll(all)), ...Object.values(state).map((s) => s["momentum_buffer"])];
    };
    const before = await read();
    all[2]!.writeGrad(new Float32Array(9).fill(NaN, 4, 5));
    optimizer.step();
    expect(await read()).toEqual(before);
    setGradients(all, next);
    optimizer.step();
    expect(await read()).not.toEqual(before);
  });
});

describe.skipIf(noVulkan)("rules of one's own for matrices", () => {
  const options = { coefficients: [1.5, -0.5, 0], steps: 4, eps: 1e-7 } as const;
  const specs: readonly RuleSpec<{ lr: number }, "m">[] = [
    {
      name: "Twice",
      hyper: { lr: 0.1 },
      state: ["m"],
      matrices: true,
      step({ p, g, m }, { lr }) {
        const once = orthogonalize(g, options);
        const again = orthogonalize(once.add(m), options);
        return { p: orthogonalize(p, options).sub(again.mul(lr * rowsOf(p))), m: once };
      },
    },
    {
      name: "Sided",
      hyper: { lr: 0.1 },
      state: ["m"],
      matrices: true,
      step: ({ p, g, m }, { lr }) => ({
        p: p.sub(g.add(m).mul((lr * rowsOf(p)) / columnsOf(p))),
        m: g,
      }),
    },
  ];

  describe.each(specs)("$name", (spec) => {
    test.each(ways)("%s", async (_, way) => {
      const next = noise(9);
      const all = filled(await sharedDevice(), shapes, next);
      const values = await readAll(all);
      const twins = values.map((data, i) => onCpu(data, { shape: shapes[i]!, name: `w${i}` }));
      const optimizer = new (defineGpuOptimizer(spec))(all, way);
      const twin = new (defineOptimizer(spec))(twins, { backend: "interp" });
      for (let step = 0; step < 3; step++) {
        setGradients(all, next).forEach((gradient, i) => (twins[i]!.grad = gradient));
        optimizer.step();
        twin.step();
      }
      const means = async (each: { stateDict(): StateDict | Promise<StateDict> }) =>
        Object.values((await each.stateDict()).state).map(({ m }) => m as Float32Array);
      const ours = [...(await readAll(all)), ...(await means(optimizer))];
      const theirs = [...twins.map(({ data }) => data), ...(await means(twin))];
      const off = ours.map((own, i) =>
        Math.max(...own.map((x, k) => Math.abs(x - theirs[i]![k]!))),
      );
      expect(off).toHaveLength(2 * shapes.length);
      expect(Math.max(...off)).toBeLessThan(1e-5);
    });
  });
});
