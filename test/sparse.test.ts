/**
 * Gradients of some rows: how they are set, read and refused, and that a step touches these rows and
 * nothing else. Trajectories are held to PyTorch's in golden.test.ts.
 */
import { afterEach, describe, expect, test } from "vitest";
import { Pool } from "../src/backend/threads/pool.ts";
import { WasmBackend } from "../src/backend/wasm/backend.ts";
import {
  Adagrad,
  Adam,
  clipGradNorm,
  defineOptimizer,
  LBFGS,
  norm,
  parameter,
  rule,
  SGD,
  SparseAdam,
  type HyperDefaults,
  type Optimizer,
  type Parameter,
  type RuleSpec,
  type SparseGradient,
} from "../src/index.ts";
import { ways } from "./helpers/backends.ts";
import { bits, expectUnchanged, imprint } from "./helpers/bits.ts";
import { refusals, wrong } from "./helpers/refusals.ts";
import { noise } from "./helpers/rules.ts";
import { untilReady } from "./helpers/threads.ts";

const pools: Pool[] = [];
afterEach(() => {
  for (const pool of pools.splice(0)) pool.end();
});

const filled = (shape: readonly number[], name = "w"): Parameter => {
  const size = shape.reduce((product, n) => product * n, 1);
  const next = noise(size);
  return parameter(Float32Array.from({ length: size }, next), { name, shape });
};

/** Rows at random, some of them twice. */
function noisyRows(rows: number, width: number, count: number, seed: number): SparseGradient {
  const next = noise(seed);
  const indices = Array.from({ length: count }, () => Math.floor(((next() + 1) / 2) * rows));
  return { indices, values: Float32Array.from({ length: count * width }, next) as never };
}

/** The same as a whole tensor. */
function dense(w: Parameter, { indices, values }: SparseGradient): Float32Array {
  const width = w.size / w.shape[0]!;
  const all = new Float32Array(w.size);
  (indices as number[]).forEach((row, i) => {
    for (let k = 0; k < width; k++) {
      all[row * width + k]! += (values as unknown as number[])[i * width + k]!;
    }
  });
  return all;
}

describe("a gradient of rows", () => {
  test("is read as it was added up: every row once, in ascending order", () => {
    const w = filled([8, 2]);
    w.sparseGrad = { indices: [7, 3, 7, 2], values: [1, 2, 3, 4, 10, 20, 5, 6] };
    expect(w.grad).toBeNull();
    expect(w.sparseGrad).toEqual({
      indices: Uint32Array.of(2, 3, 7),
      values: Float32Array.of(5, 6, 3, 4, 11, 22),
    });
  });

  test.each<[string, readonly number[], SparseGradient]>([
    ["nested", [3, 2], { indices: [1], values: [[1, 2]] }],
    ["flat", [3, 2], { indices: Int32Array.of(1), values: [1, 2] }],
    ["a typed array", [3, 2], { indices: Uint32Array.of(1), values: Float32Array.of(1, 2) }],
    ["of more dimensions", [3, 1, 2], { indices: [1], values: [[[1, 2]]] }],
    ["flat, of more dimensions", [3, 2, 1], { indices: [1], values: [1, 2] }],
  ])("may be %s", (_, shape, gradient) => {
    const w = filled(shape);
    w.sparseGrad = gradient;
    expect(w.sparseGrad).toEqual({ indices: Uint32Array.of(1), values: Float32Array.of(1, 2) });
  });

  test("of a parameter with one dimension has numbers for rows", () => {
    const w = parameter([1, 2, 3]);
    w.sparseGrad = { indices: [2, 0], values: [5, 7] };
    expect(w.sparseGrad).toEqual({ indices: Uint32Array.of(0, 2), values: Float32Array.of(7, 5) });
  });

  test("adds up in the order in which rows come in, each sum rounded to the parameter's type", () => {
    const w = parameter([0, 0]);
    w.sparseGrad = { indices: [1, 1, 1], values: [1, 2 ** -24, 2 ** -24] };
    expect(w.sparseGrad!.values[0]).toBe(1);
    w.sparseGrad = { indices: [1, 1, 1], values: [2 ** -24, 2 ** -24, 1] };
    expect(w.sparseGrad!.values[0]).toBe(1 + 2 ** -23);
  });

  test("is a copy, both ways, also of the parameter's own memory", () => {
    const w = parameter([0, 0, 0]);
    const own = w.ensureGrad();
    own.set([4, 5, 6]);
    w.sparseGrad = { indices: [2, 1, 2], values: own };
    const read = w.sparseGrad!;
    expect([...read.values]).toEqual([5, 10]);
    read.values.fill(9);
    expect([...w.sparseGrad!.values]).toEqual([5, 10]);
  });

  test("takes the place of any gradient before, and gives it to any after", () => {
    const w = filled([4, 1]);
    w.grad = [1, 2, 3, 4];
    w.sparseGrad = { indices: [1], values: [7] };
    w.sparseGrad = { indices: [2, 0], values: [8, 9] };
    expect([...w.sparseGrad!.indices]).toEqual([0, 2]);
    expect([...w.ensureGrad()]).toEqual([9, 0, 8, 0]); // made dense, so that more can be added
    expect(w.sparseGrad).toBeNull();
    w.sparseGrad = { indices: [3], values: [5] };
    w.grad = [1, 2, 3, 4];
    expect([w.sparseGrad, [...w.grad!]]).toEqual([null, [1, 2, 3, 4]]);
    w.sparseGrad = { indices: [3], values: [5] };
    w.sparseGrad = null;
    expect([w.sparseGrad, w.grad]).toEqual([null, null]);
  });

  test("moves into the optimizer's memory", () => {
    const w = parameter([1, 2, 3]);
    w.sparseGrad = { indices: [2], values: [1] };
    new SGD([w], { lr: 0.5 }).step();
    expect([...w.data]).toEqual([1, 2, 2.5]);
  });

  test("that does not fit is refused, and the one before is kept", () => {
    const w = filled([4, 2]);
    w.sparseGrad = { indices: [3, 1], values: [1, 2, 3, 4] };
    const before = structuredClone(w.sparseGrad);
    const setTo = (given: unknown) => () => {
      try {
        w.sparseGrad = wrong(given);
      } finally {
        expect(w.sparseGrad).toEqual(before);
      }
    };
    const rows = (...indices: unknown[]) =>
      setTo({ indices, values: new Float32Array(2 * indices.length) });
    const values = (given: unknown) => setTo({ indices: [0, 2], values: given });
    expect(
      refusals({
        "a number": setTo(1),
        "no indices": setTo({ values: [1, 2] }),
        "indices of floats": setTo({ indices: Float32Array.of(1), values: [1, 2] }),
        "a row too many": rows(0, 4),
        "a negative row": setTo({ indices: Int32Array.of(-1), values: [1, 2] }),
        "a broken row": rows(0.5),
        "a row that is NaN": rows(0, NaN),
        "a row that is a text": rows("1"),
        "no values": values(undefined),
        "values of another type": values(new Float64Array(4)),
        "too few values": values(new Float32Array(3)),
        "too many values": values([1, 2, 3, 4, 5]),
        "values of another shape": values([
          [1, 2, 3],
          [4, 5, 6],
        ]),
        "uneven values": values([[1, 2], [3]]),
        "one number": values(3),
        "of a frozen parameter": () => {
          const frozen = parameter([1], { requiresGrad: false, name: "f" });
          frozen.sparseGrad = { indices: [0], values: [1] };
        },
        "of a number": () => (parameter(1).sparseGrad = { indices: [0], values: [1] }),
      }),
    ).toMatchInlineSnapshot(`
      {
        "a broken row": "GradientError BAD_GRADIENT: parameter "w": sparseGrad: indices[0]: got 0.5, expected a row from 0 to 3.",
        "a negative row": "GradientError BAD_GRADIENT: parameter "w": sparseGrad: indices[0]: got -1, expected a row from 0 to 3.",
        "a number": "GradientError BAD_GRADIENT: parameter "w": sparseGrad: got 1, expected { indices, values } or null.",
        "a row that is NaN": "GradientError BAD_GRADIENT: parameter "w": sparseGrad: indices[1]: got NaN, expected a row from 0 to 3.",
        "a row that is a text": "GradientError BAD_GRADIENT: parameter "w": sparseGrad: indices[0]: got "1", expected a row from 0 to 3.",
        "a row too many": "GradientError BAD_GRADIENT: parameter "w": sparseGrad: indices[1]: got 4, expected a row from 0 to 3.",
        "indices of floats": "GradientError BAD_GRADIENT: parameter "w": sparseGrad: indices: got Float32Array(1), expected an Int32Array, a Uint32Array or an array of whole numbers.",
        "no indices": "GradientError BAD_GRADIENT: parameter "w": sparseGrad: indices: got undefined, expected an Int32Array, a Uint32Array or an array of whole numbers.",
        "no values": "GradientError BAD_GRADIENT: parameter "w": sparseGrad: values: got undefined, expected a Float32Array, or nested arrays of numbers.",
        "of a frozen parameter": "GradientError FROZEN: parameter "f": got a gradient although requiresGrad is false, expected no gradient. Set requiresGrad to true first.",
        "of a number": "GradientError BAD_GRADIENT: parameter: sparseGrad: got rows of a single number, expected a parameter with a dimension at least.",
        "one number": "GradientError BAD_GRADIENT: parameter "w": sparseGrad: values: got shape [], expected shape [2, 2].",
        "too few values": "GradientError BAD_GRADIENT: parameter "w": sparseGrad: values: got Float32Array(3), expected 4 elements, shape [2, 2].",
        "too many values": "GradientError BAD_GRADIENT: parameter "w": sparseGrad: values: got shape [5], expected shape [2, 2].",
        "uneven values": "GradientError BAD_GRADIENT: parameter "w": sparseGrad: values: got [[1, 2], [3]], expected a Float32Array, or nested arrays of numbers.",
        "values of another shape": "GradientError BAD_GRADIENT: parameter "w": sparseGrad: values: got shape [2, 3], expected shape [2, 2].",
        "values of another type": "GradientError BAD_GRADIENT: parameter "w": sparseGrad: values: got Float64Array(4), expected a Float32Array. Convert it: new Float32Array(values).",
      }
    `);
  });
});

type Create = (params: Parameter[], more?: object) => Optimizer;
const takers: Record<string, Create> = {
  SparseAdam: (params, more) =>
    new SparseAdam(params, { lr: 0.1, ...more }) as unknown as Optimizer,
  SGD: (params, more) => new SGD(params, { lr: 0.1, ...more }) as unknown as Optimizer,
  Adagrad: (params, more) =>
    new Adagrad(params, {
      lr: 0.1,
      lrDecay: 0.1,
      initialAccumulatorValue: 0.5,
      ...more,
    }) as unknown as Optimizer,
};

describe.each(Object.entries(takers))("%s", (name, create) => {
  test("touches the rows of the gradient and nothing else, whatever lies between them", () => {
    for (const { options } of ways) {
      const w = filled([50, 3]);
      const optimizer = create([w], options);
      w.ensureGrad().fill(NaN);
      const before = w.data.slice();
      w.sparseGrad = { indices: [7, 8, 9, 31], values: new Float32Array(12).fill(0.5) };
      optimizer.step();
      const moved = [...w.data].flatMap((x, i) => (x === before[i] ? [] : [i]));
      expect(moved).toEqual([21, 22, 23, 24, 25, 26, 27, 28, 29, 93, 94, 95]);
      for (const [slot, value] of Object.entries(optimizer.stateDict().state["w"] ?? {})) {
        if (slot === "step") continue;
        const others = new Set((value as Float32Array).filter((_x, i) => !moved.includes(i)));
        expect([...others]).toEqual([slot === "sum" ? 0.5 : 0]);
      }
    }
  });

  test("counts a step without rows, as PyTorch does, and moves nothing", () => {
    const w = filled([5, 2]);
    const optimizer = create([w]);
    const before = bits(w.data);
    w.sparseGrad = { indices: [], values: [] };
    optimizer.step();
    expect(bits(w.data)).toBe(before);
    const { step } = optimizer.stateDict().state["w"] ?? {};
    expect(step).toBe(name === "SGD" ? undefined : 1);
  });

  test("zeroGrad forgets the rows, in a step and outside, whatever it sets gradients to", () => {
    for (const forget of [
      (optimizer: Optimizer) => optimizer.zeroGrad(),
      (optimizer: Optimizer) => optimizer.zeroGrad({ setToNull: false }),
      (optimizer: Optimizer) => optimizer.step({ zeroGrad: true }),
    ]) {
      const w = filled([5, 2]);
      const optimizer = create([w]);
      w.sparseGrad = { indices: [1], values: [1, 1] };
      forget(optimizer);
      expect(w.sparseGrad).toBeNull();
      const before = imprint(optimizer, [w]);
      optimizer.step();
      expect(imprint(optimizer, [w])).toEqual(before);
    }
  });

  test("a scale of the gradients applies", () => {
    const run = (factor: number, gradScale: number) => {
      const w = filled([9, 2]);
      const optimizer = create([w]);
      w.sparseGrad = { indices: [4, 2], values: [1, 2, 3, 4].map((g) => g * factor) };
      optimizer.step({ gradScale });
      return bits(w.data);
    };
    expect(run(0.5, 1)).toBe(run(1, 0.5));
    expect(run(0.5, 1)).not.toBe(run(-0.5, 1));
  });

  test("is clipped by the norm of its rows", () => {
    const run = (clip: boolean, factor: number) => {
      const w = filled([9, 2]);
      const optimizer = create([w]);
      w.ensureGrad().fill(1e9);
      w.sparseGrad = { indices: [4, 2], values: [3, 0, 0, 4].map((g) => g * factor) };
      if (clip) expect(clipGradNorm(optimizer, 2.5 * (1 + 1e-6 / 5))).toBe(5);
      optimizer.step();
      return bits(w.data);
    };
    expect(run(true, 1)).toBe(run(false, 0.5));
  });

  test("gives the same bits on every backend and plan, over several parameters", () => {
    const results = ways.map(({ options }) => {
      const all = [filled([40, 5], "a"), filled([7], "b"), filled([30, 2, 2], "c")];
      const optimizer = create(all, options);
      for (let step = 0; step < 9; step++) {
        all.forEach((w, i) => {
          const width = w.size / w.shape[0]!;
          w.sparseGrad = noisyRows(w.shape[0]!, width, 1 + ((step * 5 + i) % 12), step + i);
        });
        if (step % 3 === 1) all[1]!.sparseGrad = null;
        optimizer.step();
      }
      return imprint(optimizer, all);
    });
    for (const result of results) expect(result).toEqual(results[0]);
  });

  test("gives the same bits from several threads, and from more ranges than fit into one job", async () => {
    const run = async (threads: number): Promise<string> => {
      const pool = new Pool({ worthWaking: 0 });
      pools.push(pool);
      const w = filled([40_000, 4]);
      const optimizer = create([w], { backend: new WasmBackend(true, pool), threads });
      const rows = Uint32Array.from({ length: 20_000 }, (_, i) => 2 * i);
      for (let step = 0; step < 3; step++) {
        const next = noise(step);
        w.sparseGrad = { indices: rows, values: Float32Array.from({ length: 80_000 }, next) };
        optimizer.step();
        if (threads > 1) await untilReady(pool, threads - 1);
      }
      expect(pool.jobs).toBe(threads > 1 ? 10 : 0); // five in each step but the first
      return bits(w.data);
    };
    expect(await run(3)).toBe(await run(1));
  });

  test("continues from a state dict bit for bit", () => {
    const steps = (w: Parameter, optimizer: Optimizer, from: number, to: number) => {
      for (let step = from; step < to; step++) {
        w.sparseGrad = noisyRows(20, 3, 6, step);
        optimizer.step();
      }
    };
    const [whole, half, rest] = [filled([20, 3]), filled([20, 3]), filled([20, 3])];
    const [one, two, three] = [create([whole]), create([half]), create([rest])];
    steps(whole, one, 0, 8);
    steps(half, two, 0, 3);
    steps(rest, three, 5, 6);
    three.loadStateDict(structuredClone(two.stateDict()));
    rest.data.set(half.data);
    steps(rest, three, 3, 8);
    expect(imprint(three, [rest])).toEqual(imprint(one, [whole]));
  });

  /** PyTorch's test_rosenbrock_sparse: one coordinate at a time, and each gradient in two pieces. */
  test("goes down Rosenbrock's valley by coordinates", () => {
    const w = parameter(Float64Array.of(1.5, 1.5));
    const options = {
      SparseAdam: { lr: 4e-2 },
      SGD: { lr: 4.8e-4 },
      Adagrad: { lr: 0.1, lrDecay: 0, initialAccumulatorValue: 0 },
    }[name];
    const optimizer = create([w], options);
    const twin = parameter(Float64Array.of(1.5, 1.5));
    const denseTwin = name === "SparseAdam" ? null : create([twin], options);
    const slope = (of: Parameter, i: number): number => {
      const [x, y] = of.data as unknown as [number, number];
      return i === 0 ? 400 * x * (x * x - y) + 2 * (x - 1) : 200 * (y - x * x);
    };
    const distance = () => Math.hypot(w.data[0]! - 1, w.data[1]! - 1);
    const before = distance();
    for (let step = 0; step < 1800; step++) {
      const i = step % 2;
      const g = slope(w, i);
      w.sparseGrad = { indices: [i, i], values: [g / 4, g - g / 4] };
      optimizer.step();
      if (!denseTwin) continue;
      const whole = slope(twin, i);
      twin.grad = i === 0 ? [whole, 0] : [0, whole];
      denseTwin.step();
    }
    expect(distance()).toBeLessThan(before);
    if (denseTwin) for (const i of [0, 1]) expect(w.data[i]).toBeCloseTo(twin.data[i]!, 6);
  });
});

describe.each(["SGD", "Adagrad"])("%s", (name) => {
  test("over rows is bit for bit the same over a tensor of zeros with these rows", () => {
    const [w, x] = [filled([12, 3]), filled([12, 3])];
    const [a, b] = [takers[name]!([w]), takers[name]!([x])];
    for (let step = 0; step < 9; step++) {
      const gradient = noisyRows(12, 3, 5, step);
      w.sparseGrad = gradient;
      x.grad = dense(x, gradient) as never;
      a.step();
      b.step();
    }
    expect(bits(w.data)).toBe(bits(x.data));
    expect(a.stateDict()).toEqual(b.stateDict());
  });

  test("takes turns between both kinds, and has both in one step", () => {
    const [w, v, x, y] = [filled([6, 2]), filled([6, 2], "v"), filled([6, 2]), filled([6, 2], "v")];
    const [mixed, plain] = [takers[name]!([w, v]), takers[name]!([x, y])];
    for (let step = 0; step < 6; step++) {
      const gradient = noisyRows(6, 2, 3, step);
      const all = dense(w, gradient);
      for (const p of [w, v, x, y]) p.grad = all as never;
      (step % 2 === 0 ? w : v).sparseGrad = gradient;
      mixed.step();
      plain.step();
    }
    expect(bits(w.data)).toBe(bits(x.data));
    expect(mixed.stateDict()).toEqual(plain.stateDict());
  });
});

test("L-BFGS takes them as whole gradients, zero elsewhere", () => {
  const run = (sparse: boolean) => {
    const w = parameter(Float64Array.of(3, -2, 1), { name: "w" });
    const optimizer = new LBFGS([w]);
    for (let step = 0; step < 2; step++) {
      optimizer.step(() => {
        const slope = Float64Array.of(2 * (w.data[0]! - 1), 0, w.data[2]! ** 3);
        if (sparse) w.sparseGrad = { indices: [2, 0], values: [slope[2]!, slope[0]!] };
        else w.grad = slope;
        return (w.data[0]! - 1) ** 2 + w.data[2]! ** 4 / 4;
      });
    }
    return bits(w.data);
  };
  expect(run(true)).toBe(run(false));
});

test("what does not go with gradients of rows is refused, and nothing has changed", () => {
  const stepWith = (make: (w: Parameter) => Optimizer, sparse = true) => {
    const w = filled([4, 2]);
    const optimizer = make(w);
    if (sparse) w.sparseGrad = { indices: [1], values: [1, 1] };
    else w.grad = new Float32Array(8) as never;
    expectUnchanged(optimizer, [w], () => optimizer.step());
    return () => optimizer.step();
  };
  const Lengthy = defineOptimizer({
    name: "Lengthy",
    hyper: { lr: 1 },
    sparse: true,
    step: ({ p, g }, { lr }) => ({ p: p.sub(g.div(norm(g)).mul(lr)) }),
  });
  const ofRule = (sparse: unknown) => () =>
    rule(wrong<RuleSpec<HyperDefaults, never>>({ name: "R", hyper: {}, step: () => ({}), sparse }));
  const of = (optimizer: unknown) => optimizer as Optimizer;
  expect(
    refusals({
      "a rule that takes none": stepWith((w) => of(new Adam([w]))),
      momentum: stepWith((w) => of(new SGD([{ params: [w], momentum: 0.9 }]))),
      "weight decay": stepWith((w) => of(new SGD([w], { weightDecay: 0.1 }))),
      "weight decay of Adagrad": stepWith((w) => of(new Adagrad([w], { weightDecay: 0.1 }))),
      "a reduction": stepWith((w) => of(new Lengthy([w]))),
      "a dense gradient for SparseAdam": stepWith((w) => of(new SparseAdam([w])), false),
      "an lr of 0": () => new SparseAdam([filled([1])], { lr: 0 }),
      "an eps of 0": () => new SparseAdam([filled([1])], { eps: 0 }),
      "a rule with another word for it": ofRule("yes"),
      "a rule with a word too many": ofRule({ all: 1 }),
    }),
  ).toMatchInlineSnapshot(`
    {
      "a dense gradient for SparseAdam": "GradientError DENSE_GRADIENT: SparseAdam: parameter "w": got a dense gradient, expected one of rows: sparseGrad = { indices, values }. For dense gradients there is Adam.",
      "a reduction": "RuleError NOT_ELEMENTWISE: Lengthy: step() with a sparse gradient: got a reduction such as a norm or a mean, expected a rule that works element by element. Leave sparse out of the rule.",
      "a rule that takes none": "GradientError SPARSE_GRADIENT: Adam: parameter "w": got a sparse gradient, expected a dense one. Set grad instead, or take SparseAdam, Adagrad or SGD without momentum.",
      "a rule with a word too many": "RuleError BAD_RULE: R: sparse: got "all", expected nothing but only, check, start.",
      "a rule with another word for it": "RuleError BAD_RULE: R: sparse: got "yes", expected true or an object.",
      "an eps of 0": "OptionError BAD_HYPERPARAMETER: SparseAdam: eps: got 0, expected a finite number in (0, inf).",
      "an lr of 0": "OptionError BAD_HYPERPARAMETER: SparseAdam: lr: got 0, expected a finite number in (0, inf).",
      "momentum": "OptionError BAD_HYPERPARAMETER: SGD: paramGroups[0].momentum: got 0.9, expected 0 where gradients are sparse, as that of parameter "w" is. Set grad, a dense gradient, or change the option.",
      "weight decay": "OptionError BAD_HYPERPARAMETER: SGD: paramGroups[0].weightDecay: got 0.1, expected 0 where gradients are sparse, as that of parameter "w" is. Set grad, a dense gradient, or change the option.",
      "weight decay of Adagrad": "OptionError BAD_HYPERPARAMETER: Adagrad: paramGroups[0].weightDecay: got 0.1, expected 0 where gradients are sparse, as that of parameter "w" is. Set grad, a dense gradient, or change the option.",
    }
  `);
});

test("of two parameters one of which is refused, none has changed", () => {
  const [a, b] = [filled([3, 2], "a"), filled([3, 2], "b")];
  const optimizer = new SparseAdam([a, b]) as unknown as Optimizer;
  a.sparseGrad = { indices: [1], values: [1, 1] };
  b.grad = new Float32Array(6) as never;
  expectUnchanged(optimizer, [a, b], () => optimizer.step());
  b.grad = null;
  optimizer.step();
  expect(Object.keys(optimizer.stateDict().state)).toEqual(["a"]);
});

test("steps over new rows keep nothing and allocate next to nothing", () => {
  const w = filled([10_000, 4]);
  const optimizer = new SparseAdam([w]);
  const indices = new Int32Array(50);
  const values = new Float32Array(200).fill(1);
  const gradient = { indices, values };
  const steps = (count: number) => {
    for (let step = 0; step < count; step++) {
      for (let i = 0; i < 50; i++) indices[i] = (step * 7919 + i * 104_729) % 10_000;
      w.sparseGrad = gradient;
      optimizer.step();
    }
  };
  const tries = Array.from({ length: 5 }, () => {
    steps(2000);
    globalThis.gc!();
    const before = process.memoryUsage().heapUsed;
    steps(2000);
    const garbage = (process.memoryUsage().heapUsed - before) / 2000;
    globalThis.gc!();
    return { garbage, kept: (process.memoryUsage().heapUsed - before) / 2000 };
  });
  expect(Math.min(...tries.map(({ kept }) => kept))).toBeLessThan(1);
  expect(Math.min(...tries.map(({ garbage }) => garbage))).toBeLessThan(1024);
});
