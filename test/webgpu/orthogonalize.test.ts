/** Newton-Schulz iteration on a GPU against a plain one in float64. */
import { describe, expect, test, vi } from "vitest";
import { Gpu } from "../../src/backend/webgpu/gpu.ts";
import {
  GpuNewtonSchulz,
  type NewtonSchulzOptions,
} from "../../src/backend/webgpu/matrix/newton-schulz.ts";
import { largeTile, smallTile } from "../../src/backend/webgpu/matrix/product.ts";
import { Scratch } from "../../src/backend/webgpu/matrix/scratch.ts";
import { SHARED_USAGE } from "../../src/memory/webgpu/constants.ts";
import { bits } from "../helpers/bits.ts";
import { noVulkan } from "../helpers/find-vulkan.ts";
import { iterate, type Matrix } from "../helpers/newton-schulz.ts";
import { noise } from "../helpers/rules.ts";
import { gpuDevice, readBuffer } from "../helpers/webgpu.ts";

type Shape = readonly [rows: number, columns: number];
type Options = Partial<Pick<NewtonSchulzOptions, "scratch" | "tile">> & { sideBySide?: number };

const muonNumbers = [3.4445, -4.775, 2.0315, 5];
/** Where the numbers of a step lie among others, and those of steps from one another. */
const NUMBERS = [3, 1, 2, 6];
const STEP = 64;

/** What a device has, or pretends to have for want of one that takes so few workgroups in a dimension. */
function gpuOf(device: GPUDevice, most?: number): Gpu {
  const gpu = Gpu.of(device);
  if (most === undefined) return gpu;
  const pretending = new Proxy(device, {
    get(target, name) {
      if (name === "limits") return { maxComputeWorkgroupsPerDimension: most };
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
  return Object.create(gpu, { device: { value: pretending } }) as Gpu;
}

/** Matrices of one shape, with other things before, between and behind them. */
class Bench {
  readonly device: GPUDevice;
  readonly before: Float32Array<ArrayBuffer>;
  readonly offsets: readonly number[];
  /** Workgroups of all dispatches so far. */
  readonly grids: (readonly number[])[] = [];
  private readonly shape: Shape;
  private readonly memory: GPUBuffer;
  private readonly values: GPUBuffer;
  private readonly iteration: GpuNewtonSchulz;

  constructor(device: GPUDevice, shape: Shape, count: number, options: Options = {}) {
    const { sideBySide, ...given } = options;
    const size = shape[0] * shape[1];
    // In another order than they lie in memory, and not as close as they could be.
    const apart = 64 * Math.ceil(size / 64 + 1);
    this.device = device;
    this.shape = shape;
    this.offsets = Array.from({ length: count }, (_, i) => ((i + 1) % count) * apart + 64);
    const next = noise(size);
    this.before = Float32Array.from({ length: count * apart + 64 }, next);
    for (const from of this.offsets) {
      const part = this.before.subarray(from, from + size);
      const length = Math.sqrt(part.reduce((sum, x) => sum + x * x, 0));
      part.forEach((x, i) => (part[i] = x / length));
    }
    const bytes = 4 * this.before.length;
    this.memory = device.createBuffer({ size: bytes + 256, usage: SHARED_USAGE });
    this.write();
    this.values = device.createBuffer({ size: 4 * STEP * 6, usage: SHARED_USAGE });
    this.iteration = new GpuNewtonSchulz(gpuOf(device, sideBySide), {
      shape,
      memory: { buffer: this.memory, offset: 256, size: bytes },
      offsets: this.offsets,
      values: { buffer: this.values, size: 4 * STEP },
      numbers: NUMBERS,
      scratch: new Scratch(device),
      ...given,
    });
  }

  /** Puts what was before into memory. */
  write(): void {
    this.device.queue.writeBuffer(this.memory, 256, this.before);
  }

  /** Steps with numbers of their own, in one submission. */
  run(...steps: readonly (readonly number[])[]): void {
    const encoder = this.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    const dispatch = pass.dispatchWorkgroups.bind(pass);
    pass.dispatchWorkgroups = (x, y = 1, z = 1) => {
      this.grids.push([x, y, z]);
      dispatch(x, y, z);
    };
    steps.forEach((numbers, s) => {
      const all = new Float32Array(STEP).fill(NaN);
      NUMBERS.forEach((at, i) => (all[at] = numbers[i]!));
      this.device.queue.writeBuffer(this.values, 4 * STEP * (s + 1), all);
      this.iteration.encode(pass, 4 * STEP * (s + 1), all);
    });
    pass.end();
    this.device.queue.submit([encoder.finish()]);
  }

  async read(): Promise<Float32Array> {
    return new Float32Array(await readBuffer(this.device, this.memory, 256));
  }

  matrix(all: Float32Array, i: number): Matrix {
    const [rows, columns] = this.shape;
    const from = this.offsets[i]!;
    return Array.from({ length: rows }, (_, r) => [
      ...all.subarray(from + r * columns, from + (r + 1) * columns),
    ]);
  }

  /**
   * The largest error of a matrix after these steps from the start, relative to its largest element; infinite
   * if anything but the matrices has changed.
   */
  async error(...steps: readonly (readonly number[])[]): Promise<number> {
    this.write();
    this.run(...steps);
    const after = await this.read();
    const between = after.slice();
    let error = 0;
    this.offsets.forEach((from, i) => {
      const truth = steps.reduce(
        (x, [a, b, c, times]) => iterate(x, [a!, b!, c!], times!),
        this.matrix(this.before, i),
      );
      const ours = this.matrix(after, i).flat();
      const size = truth.flat().reduce((most, x) => Math.max(most, Math.abs(x)), 1e-30);
      truth.flat().forEach((x, at) => {
        const off = Math.abs(ours[at]! - x) / size;
        error = Number.isNaN(off) ? Infinity : Math.max(error, off);
      });
      between.set(this.before.subarray(from, from + ours.length), from);
    });
    return between.every((x, i) => x === this.before[i]) ? error : Infinity;
  }
}

const shapes: readonly Shape[] = [
  [1, 1],
  [1, 9],
  [70, 1],
  [3, 5],
  [16, 16],
  [17, 33],
  [64, 64],
  [65, 130],
  [130, 65],
  [100, 20],
];

describe.skipIf(noVulkan)("Newton-Schulz iteration on a GPU", () => {
  let made: Promise<GPUDevice> | undefined;
  const device = () => (made ??= gpuDevice());

  describe.each([
    ["small", smallTile, shapes],
    ["large", largeTile, shapes.filter(([rows, columns]) => rows * columns > 500)],
  ])("in %s tiles", (_, tile, those) => {
    test.each(those)("%d x %d is as near to float64 as float32 can be", async (...shape) => {
      const error = async (...steps: number[][]): Promise<number> =>
        new Bench(await device(), shape, 2, { tile }).error(...steps);
      // These polynomials magnify small singular values, and errors with them, 480 times and 4 times.
      expect(await error(muonNumbers)).toBeLessThan(6e-6);
      expect(await error([2, -1.5, 0.5, 2])).toBeLessThan(5e-7);
    });
  });

  test("the size of the tiles makes no difference to the bits", async () => {
    for (const shape of [
      [70, 90],
      [90, 70],
    ] as const) {
      const results = [smallTile, largeTile].map(async (tile) => {
        const bench = new Bench(await device(), shape, 1, { tile });
        bench.run(muonNumbers);
        return bits(await bench.read());
      });
      const [small, large] = await Promise.all(results);
      expect(large).toBe(small);
    }
  });

  test("many matrices are worked off as scratch memory allows", async () => {
    for (const [shape, bytes] of [
      [[9, 14], 10_000],
      [[14, 9], 10_000],
      [[20, 20], 0],
      [[3, 4], 1e6],
    ] as const) {
      const scratch = new Scratch(await device(), bytes);
      const bench = new Bench(await device(), shape, 33, { scratch });
      expect(await bench.error(muonNumbers)).toBeLessThan(6e-6);
      expect(await bench.error([2, -1.5, 0.5, 2])).toBeLessThan(5e-7);
    }
  });

  test("more tiles and more matrices than a device takes side by side", async () => {
    for (const shape of [
      [70, 50],
      [50, 70],
    ] as const) {
      const bench = new Bench(await device(), shape, 8, { sideBySide: 5 });
      expect(await bench.error([2, -1.5, 0.5, 1])).toBeLessThan(5e-7);
      expect(Math.max(...bench.grids.flat())).toBe(5);
    }
  });

  test("scratch memory is shared, and grows", async () => {
    const sharing = { scratch: new Scratch(await device()) };
    const [small, large, again] = [
      new Bench(await device(), [5, 9], 2, sharing),
      new Bench(await device(), [9, 30], 2, sharing),
      new Bench(await device(), [5, 9], 2, sharing),
    ];
    for (const bench of [large, small, again]) {
      expect(await bench.error([2, -1.5, 0.5, 3])).toBeLessThan(5e-7);
    }
    const bytes = (name: string): number => sharing.scratch.binding(name, 4).buffer.size;
    expect([bytes("X"), bytes("A"), bytes("P")]).toEqual([2160, 648, 648]);
    const larger = new Bench(await device(), [9, 31], 2, sharing);
    expect(await larger.error([2, -1.5, 0.5, 3])).toBeLessThan(5e-7);
    expect([bytes("X"), bytes("A"), bytes("P")]).toEqual([4320, 648, 648]);
  });

  test("numbers may differ from step to step, also how often, and nothing is made for that", async () => {
    const bench = new Bench(await device(), [12, 20], 3);
    const things = spyOnMaking(bench.device);
    const several = [
      [1.5, -0.5, 0, 1],
      [3, -3, 1, 0],
      [2, -1.5, 0.5, 4],
      [1.5, -0.5, 0, 3],
    ];
    bench.run(...several);
    expect(things()).toBe(0);
    bench.device.createBuffer({ size: 4, usage: SHARED_USAGE });
    expect(things()).toBe(1);
    expect(await new Bench(bench.device, [12, 20], 3).error(...several)).toBeLessThan(1e-6);
  });

  test("nothing to do, and zeros", async () => {
    const bench = new Bench(await device(), [5, 7], 2);
    bench.run([2, -1.5, 0.5, 0]);
    expect(bits(await bench.read())).toBe(bits(bench.before));
    expect(await new Bench(bench.device, [5, 7], 0).error(muonNumbers)).toBe(0);
    const zeros = new Bench(bench.device, [5, 7], 2);
    zeros.before.fill(0);
    expect(await zeros.error(muonNumbers)).toBe(0);
  });

  test("what is no number spreads over its matrix and no further", async () => {
    for (const bad of [NaN, Infinity]) {
      const bench = new Bench(await device(), [20, 18], 2);
      bench.before[bench.offsets[0]! + 7] = bad;
      bench.write();
      bench.run(muonNumbers);
      const after = await bench.read();
      for (const x of bench.matrix(after, 0).flat()) expect(x).toBeNaN();
      for (const x of bench.matrix(after, 1).flat()) expect(x).not.toBeNaN();
    }
  });
});

/** How many things a device has made since. */
function spyOnMaking(device: GPUDevice): () => number {
  const names = [
    "createBuffer",
    "createBindGroup",
    "createBindGroupLayout",
    "createPipelineLayout",
    "createShaderModule",
    "createComputePipeline",
  ] as const;
  const spies = names.map((name) => vi.spyOn(device, name));
  return () => spies.reduce((sum, { mock }) => sum + mock.calls.length, 0);
}
