/**
 * Plans that go tensor by tensor on a GPU: reductions, the scalars between kernels, and kernels along rows
 * and columns, against sums in float64 and against the interpreter.
 */
import { describe, expect, test, vi } from "vitest";
import {
  columnMean,
  columnSum,
  dot,
  gt,
  max,
  maxAbs,
  mean,
  min,
  norm,
  parameter,
  rowMean,
  rowSum,
  rule,
  sizeOf,
  sq,
  sqrt,
  sum as sumOf,
  where,
  type Rule,
  type TypedArray,
} from "../../src/index.ts";
import type { Expr, PerColumn, PerRow, Tensor } from "../../src/ir/expr.ts";
import { bits } from "../helpers/bits.ts";
import { noVulkan, onSwiftShader } from "../helpers/find-vulkan.ts";
import { noise, ruleCases } from "../helpers/rules.ts";
import { OFFSET, TensorBench, type TensorOptions } from "../helpers/webgpu-tensors.ts";
import { gpuDevice, sharedDevice } from "../helpers/webgpu.ts";

/** Bounds are in units of half the distance from 1 to the next float32. */
const UNIT = 2 ** -24;

type Numbers = ArrayLike<number>;
type Shape = readonly number[];

const count = (shape: Shape) => shape.reduce((product, n) => product * n, 1);
const total = (x: Numbers) => Array.from(x).reduce((a, b) => a + b, 0);
const sizeOfAll = (x: Numbers) => total(Array.from(x, Math.abs));
const squares = (x: Numbers) => total(Array.from(x, (v) => v * v));

/** A rule that puts one expression, of whatever rank, where the parameter is. */
function puts(word: (g: Tensor) => Expr): Rule {
  return rule({
    name: "Puts",
    hyper: {},
    step: ({ p, g }) => ({ p: p.mul(0).add(word(g)) as Tensor }),
  }) as unknown as Rule;
}

/** What a rule without options makes of zeros in one step with these gradients. */
async function stepOnce(
  made: Rule,
  shapes: readonly Shape[],
  gradients: readonly Float32Array[],
  options: TensorOptions = {},
  device?: GPUDevice,
): Promise<Float32Array[]> {
  const tensors = shapes.map((shape) => {
    return { shape, group: 0, data: new Float32Array(count(shape)) };
  });
  device ??= await sharedDevice();
  const bench = new TensorBench(device, { rule: made, groups: [{}], tensors }, options);
  bench.run(gradients);
  return (await bench.read(0)) as Float32Array[];
}

/** A device's limits, which are no properties of its own. */
function allLimits({ limits }: GPUDevice): Record<string, number> {
  const names = Object.getOwnPropertyNames(
    Object.getPrototypeOf(limits),
  ) as (keyof typeof limits)[];
  return Object.fromEntries(names.map((name) => [name, Number(limits[name])]));
}

function noisy(shapes: readonly Shape[], seed = 5): Float32Array[] {
  const next = noise(seed);
  return shapes.map((shape) => Float32Array.from({ length: count(shape) }, next));
}

describe.skipIf(noVulkan)("reductions to one number", () => {
  // Around a vector, a workgroup and a work item, each with padding behind it that is NaN.
  const sizes = [1, 2, 3, 4, 5, 255, 256, 257, 1023, 4096, 4097, 9000, 70_000].map((n) => [n]);
  const all = noisy(sizes);

  test.each<[string, (g: Tensor) => Expr, (g: Numbers) => number, (g: Numbers) => number]>([
    ["sum", sumOf, total, (g) => 2 * sizeOfAll(g)],
    ["mean", mean, (g) => total(g) / g.length, (g) => (2 * sizeOfAll(g)) / g.length],
    ["dot", (g) => dot(g, g.mul(3)), (g) => 3 * squares(g), (g) => 9 * squares(g)],
    ["norm", norm, (g) => Math.sqrt(squares(g)), (g) => 3 * Math.sqrt(squares(g))],
    ["maxAbs", maxAbs, (g) => Math.max(...Array.from(g, Math.abs)), () => 0],
    ["sizeOf", sizeOf, (g) => g.length, () => 0],
    [
      "one that needs another",
      (g) => sumOf(sq(g.sub(mean(g)))),
      (g) => squares(g) - total(g) ** 2 / g.length,
      (g) => 4 * squares(g),
    ],
  ])("%s", async (_, word, exact, bound) => {
    const got = await stepOnce(puts(word), sizes, all);
    got.forEach((values, i) => {
      const g = all[i]!;
      expect(Math.abs(values[0]! - exact(g)), `${g.length}`).toBeLessThanOrEqual(bound(g) * UNIT);
      expect(new Set(values).size).toBe(1);
    });
  });

  test("the largest |x| may be infinite, or NaN", async () => {
    const cases = [[NaN], [Infinity], [-Infinity], [Infinity, NaN], [-NaN, 3e38], [-1e-45]];
    const places = [0, 5, 4099];
    const given = cases.flatMap((values) =>
      places.map((at) => {
        const g = new Float32Array(5000);
        g.set(values, at);
        return g;
      }),
    );
    const shapes = given.map(({ length }) => [length]);
    // A number that is added to would take the rest with it.
    const made = rule({
      name: "Largest",
      hyper: {},
      step: ({ p, g }) => ({ p: where(gt(p, 1), p, maxAbs(g)) }),
    }) as unknown as Rule;
    const got = await stepOnce(made, shapes, given);
    const expected = cases.flatMap((values) => {
      const largest = Math.fround(Math.max(...values.map(Math.abs)));
      return places.map(() => largest);
    });
    expect(got.map(([first]) => first)).toEqual(expected);
  });

  test("more workgroups than one dimension has", async () => {
    const device = await gpuDevice();
    const limits = { ...allLimits(device), maxComputeWorkgroupsPerDimension: 3 };
    Object.defineProperty(device, "limits", { value: limits });
    const shapes = Array.from({ length: 11 }, () => [1]);
    const gradients = noisy(shapes);
    const got = await stepOnce(puts(maxAbs), shapes, gradients, {}, device);
    expect(got.map(([value]) => value)).toEqual(gradients.map(([g]) => Math.abs(g!)));
  });
});

describe.skipIf(noVulkan)("sums of rows and columns", () => {
  const shapes = [
    [1, 1],
    [3, 5],
    [2, 3, 4],
    [130, 33],
    [33, 130],
    [1, 9000],
    [9000, 1],
    [300, 2],
    [2, 300],
    [7, 3, 3],
    [40, 2, 1],
    [600, 70],
    [0, 3],
    [2, 0],
  ];
  const all = noisy(shapes);
  /** Which sum an element belongs to. */
  const keys = {
    row: (m: number, row: number) => `${m} row ${row}`,
    column: (m: number, _: number, column: number) => `${m} column ${column}`,
    matrix: (m: number) => `${m}`,
  };

  /** Per element the sum that it belongs to, and how large it would be without signs. */
  function sumsOf(values: Float32Array, shape: Shape, keyOf: (typeof keys)[keyof typeof keys]) {
    const [rows, columns] = shape.slice(-2) as [number, number];
    const sums = new Map<string, { sum: number; size: number }>();
    return Array.from(values, (value, i) => {
      const row = Math.floor(i / columns);
      const key = keyOf(Math.floor(row / rows), row % rows, i % columns);
      let known = sums.get(key);
      if (!known) sums.set(key, (known = { sum: 0, size: 0 }));
      known.sum += value;
      known.size += Math.abs(value);
      return known;
    });
  }

  test.each<
    [string, keyof typeof keys, (g: Tensor) => Expr, (rows: number, columns: number) => number]
  >([
    ["rowSum", "row", rowSum, () => 1],
    ["columnSum", "column", columnSum, () => 1],
    ["rowMean", "row", rowMean, (_, columns) => columns],
    ["columnMean", "column", columnMean, (rows) => rows],
    ["rows of columns", "matrix", (g) => rowSum(columnSum(g)), () => 1],
    ["columns of rows", "matrix", (g) => columnSum(rowSum(g)), () => 1],
    ["means of rows", "matrix", (g) => columnMean(rowMean(g)), (rows, columns) => rows * columns],
  ])("%s", async (_, of, word, divisor) => {
    for (const fuse of [true, false]) {
      const got = await stepOnce(puts(word), shapes, all, { fuse });
      got.forEach((values, t) => {
        const shape = shapes[t]!;
        const parts = divisor(...(shape.slice(-2) as [number, number]));
        const sums = sumsOf(all[t]!, shape, keys[of]);
        let worst = 0;
        values.forEach((value, i) => {
          const { sum, size } = sums[i]!;
          const error = Math.abs(value - sum / parts) / ((size / parts) * UNIT);
          worst = Math.max(worst, Number.isNaN(error) ? Infinity : error);
        });
        expect(worst, shape.join(" x ")).toBeLessThanOrEqual(2);
      });
    }
  });

  test.each<[string, (g: Tensor, r: PerRow, c: PerColumn) => Expr[], number[][]]>([
    // r = (6, 15), c = (5, 7, 9) after the first step.
    [
      "others",
      (g, r, c) => [rowSum(g.add(r).add(c)), columnSum(g.add(r).add(c)), r.add(c)],
      [
        [45, 81],
        [36, 42, 48],
        [11, 13, 15, 20, 22, 24],
      ],
    ],
    [
      "each other's",
      (g, r, c) => [rowSum(g.add(c)), columnSum(g.add(r)), g],
      [
        [27, 36],
        [26, 28, 30],
        [2, 4, 6, 8, 10, 12],
      ],
    ],
  ])(
    "a kernel that sums up and stores reads what slots held before: %s",
    async (_, word, wanted) => {
      const made = rule({
        name: "Old",
        hyper: {},
        rows: ["r"],
        columns: ["c"],
        step({ p, g, r, c }) {
          const [rows, columns, more] = word(g, r, c);
          return { p: p.add(more!) as Tensor, r: rows as PerRow, c: columns as PerColumn };
        },
      }) as unknown as Rule;
      const tensors = [{ shape: [2, 3], group: 0, data: new Float32Array(6) }];
      for (const fuse of [true, false]) {
        const bench = new TensorBench(
          await sharedDevice(),
          { rule: made, groups: [{}], tensors },
          { fuse },
        );
        const g = Float32Array.of(1, 2, 3, 4, 5, 6);
        bench.run([g]);
        bench.run([g]);
        const slots = await Promise.all([2, 3, 0].map((slot) => bench.read(slot)));
        expect(slots.map(([values]) => [...values!])).toEqual(wanted);
      }
    },
  );
});

describe.skipIf(noVulkan)("steps", () => {
  const shapes = [
    [7],
    [3, 5],
    [],
    [2, 3, 4],
    [0, 3],
    [1],
    [130, 33],
    [1, 300],
    [300, 1],
    [5, 1, 1],
    [5000],
    [2, 2, 2, 3],
  ];
  const STEPS = 3;
  const names = new Set(["Normed", "Balanced", "Adafactor"]);
  const ways = [
    { fuse: true, alone: false },
    { fuse: false, alone: false },
    { fuse: true, alone: true },
    { fuse: false, alone: true },
  ];

  /** Furthest distance between numbers, in units of the largest of them, or of a tenth: what gradients add. */
  function distance(got: Numbers, wanted: Numbers): number {
    const scale = Array.from(wanted).reduce((most, x) => Math.max(most, Math.abs(x)), 0.1);
    return Array.from(got).reduce(
      (most, x, i) => Math.max(most, Math.abs(x - wanted[i]!) / scale / UNIT),
      0,
    );
  }

  test.each(ruleCases.filter(({ name }) => names.has(name)))(
    "$title as the interpreter takes them",
    async ({ rule: made, options, create }) => {
      const groups = [options, { ...options, lr: 0.05 }];
      const tensors = shapes.map((shape, i) => {
        return { shape, group: i % 2, data: noisy([shape], 100 + i)[0]! };
      });
      const params = tensors.map(({ shape, data }, i) => {
        return parameter(data, { shape, name: `${i}`, dtype: "float32" });
      });
      const inGroups = groups.map((group, g) => {
        return { params: params.filter((_, i) => i % 2 === g), ...group };
      });
      const reference = create(inGroups, { backend: "interp" });
      const steps = Array.from({ length: STEPS }, (_, s) => noisy(shapes, s));
      for (const gradients of steps) {
        params.forEach((p, i) => (p.grad = gradients[i]!));
        reference.step();
      }
      const { state } = reference.stateDict();
      const device = await sharedDevice();
      const seen: string[] = [];
      for (const way of ways) {
        const bench = new TensorBench(device, { rule: made, groups, tensors }, way);
        for (const gradients of steps) bench.run(gradients);
        const slots = made.slots.map((_, slot) => bench.read(slot));
        const values = await Promise.all(slots);
        values.forEach((of, slot) => {
          if (slot === 1) return;
          of.forEach((got, i) => {
            const saved = state[`${i}`]?.[made.stateNames[slot - 2]!] as TypedArray | undefined;
            const wanted = slot === 0 ? params[i]!.data : saved;
            if (!got || !wanted) return;
            const what = `${made.slots[slot]} of ${shapes[i]!.join(" x ")}`;
            expect(distance(got, wanted), what).toBeLessThanOrEqual(6);
          });
        });
        seen.push(values.flatMap((of) => of.map((got) => (got ? bits(got) : ""))).join());
      }
      // Other drivers contract and reorder, and what they may depends on how the kernels are cut.
      if (onSwiftShader) expect(new Set(seen).size, "the same bits whatever the plan").toBe(1);
    },
  );

  /** The updates of Adam, no longer than the parameter, and masks and numbers that outlive stages. */
  const lamb = rule({
    name: "Lamb",
    hyper: { lr: 0.1, b: 0.9 },
    state: ["m", "v"],
    step({ p, g, m, v }, { lr, b, t }) {
      m = m.mul(b).add(g.mul(1 - b));
      v = v.mul(b).add(sq(g).mul(1 - b));
      const update = m.div(1 - b ** t).div(sqrt(v.div(1 - b ** t)).add(1e-6));
      const [length, most] = [norm(p), max(norm(update), 1e-3)];
      const near = gt(dot(update, p), 0.5);
      const again = norm(update.div(most));
      const ratio = min(where(near, 1, length.div(most.mul(again))), 10);
      return { p: p.sub(update.mul(ratio.mul(lr))), m, v };
    },
  }) as unknown as Rule;

  test("memory of somebody else, that ends within a vector and has both in one buffer", async () => {
    const data = noisy([[101]])[0]!;
    const read = async (adopted: boolean) => {
      const tensors = [{ shape: [101], group: 0, data }];
      const bench = new TensorBench(
        await sharedDevice(),
        { rule: lamb, groups: [{}], tensors },
        { adopted },
      );
      for (let s = 0; s < 3; s++) bench.run(noisy([[101]], s));
      return (await bench.read(0))[0]!;
    };
    expect(distance(await read(true), await read(false))).toBeLessThanOrEqual(2);
  });

  test("NaN reaches all of a tensor by its norm, and none of its neighbours", async () => {
    const tensors = [[6], [5000], [9]].map((shape) => {
      return { shape, group: 0, data: noisy([shape])[0]! };
    });
    const bench = new TensorBench(await sharedDevice(), { rule: lamb, groups: [{}], tensors });
    const gradients = tensors.map(({ data }) => data.slice());
    gradients[1]![4500] = NaN;
    bench.run(gradients);
    const [before, hit, after] = (await bench.read(0)) as Float32Array[];
    expect(hit!.every(Number.isNaN)).toBe(true);
    expect([...before!, ...after!].some(Number.isNaN)).toBe(false);
  });

  test("encoding makes nothing", async () => {
    const device = await sharedDevice();
    const tensors = [{ shape: [4, 4], group: 0, data: noisy([[4, 4]])[0]! }];
    const { rule: balanced } = ruleCases.find(({ name }) => name === "Balanced")!;
    const bench = new TensorBench(device, { rule: balanced, groups: [{}], tensors });
    bench.run(noisy([[4, 4]]));
    const [work] = bench.arrange(true);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    const made = (Object.getOwnPropertyNames(Object.getPrototypeOf(device)) as (keyof GPUDevice)[])
      .filter((name) => name.startsWith("create"))
      .map((name) => vi.spyOn(device, name as "createBuffer"));
    work!.encode(pass, OFFSET, []);
    pass.end();
    encoder.finish();
    expect(made.map((spy) => spy.mock.calls.length)).toEqual(made.map(() => 0));
    expect(made.length).toBeGreaterThan(5);
  });

  test("a kernel with too many buffers is refused", async () => {
    const made = rule({
      name: "Crowded",
      hyper: {},
      state: ["a", "b", "c", "d", "e", "f"],
      step({ p, g, a, b, c, d, e, f }) {
        const all = g.add(a).add(b).add(c).add(d).add(e).add(f);
        return { p: p.sub(all.div(norm(all))), a, b, c, d, e, f };
      },
    }) as unknown as Rule;
    const gradients = noisy([[3]]);
    await expect(stepOnce(made, [[3]], gradients)).rejects.toMatchObject({
      code: "TOO_MANY_BUFFERS",
      got: "9 buffers at once",
    });
  });
});
