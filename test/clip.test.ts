/**
 * Clipping: PyTorch's numbers, the same bits on every backend, plan and number of threads, and gradients
 * that stay as they are.
 */
import { afterEach, describe, expect, test, vi } from "vitest";
import { WasmBackend } from "../src/backend/wasm/backend.ts";
import { Pool } from "../src/backend/threads/pool.ts";
import {
  Adam,
  clipGradNorm,
  clipGradsWithNorm,
  clipGradValue,
  getTotalNorm,
  parameter,
  scaleGrads,
  SGD,
  type GradientSource,
  type Parameter,
} from "../src/index.ts";
import { ways } from "./helpers/backends.ts";
import { bits, expectUnchanged } from "./helpers/bits.ts";
import { refusals, wrong } from "./helpers/refusals.ts";
import { noisyParameters, setNoisyGrads } from "./helpers/rules.ts";
import { untilReady } from "./helpers/threads.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const dtypes = ["float32", "float64"] as const;

/** Parameters of zeros with the given gradients; `null` for none. */
function withGrads(
  grads: readonly (readonly number[] | null)[],
  dtype: "float32" | "float64" = "float64",
): Parameter[] {
  return grads.map((grad, i) => {
    const p = parameter({ shape: [grad?.length ?? 2], name: `w${i}`, dtype });
    if (grad) p.grad = [...grad];
    return p;
  });
}

/** What a step of plain descent with rate 1 has taken away from each parameter: its gradient. */
function taken(all: readonly Parameter[], optimizer: { step(): void }): number[][] {
  for (const p of all) p.data.fill(0);
  optimizer.step();
  return all.map((p) => [...p.data].map((x) => 0 - x));
}

/** torch.nn.utils.clip_grad_norm_ on gradients [3, -4], [0, 0], [12], with a largest norm of 2. */
const torch: readonly (readonly [number, number, number[][]])[] = [
  [0, 2, [[2.99999850000075, -3.999998000001], [0, 0], [11.999994000003]]],
  [
    0.5,
    51.78460969082653,
    [[0.11586453813126532, -0.1544860508416871], [0, 0], [0.4634581525250613]],
  ],
  [1, 19, [[0.31578945706371275, -0.4210526094182837], [0, 0], [1.263157828254851]]],
  [2, 13, [[0.46153842603550577, -0.615384568047341], [0, 0], [1.846153704142023]]],
  [3, 12.207054953820634, [[0.4915190052948095, -0.6553586737264127], [0, 0], [1.966076021179238]]],
  [Infinity, 12, [[0.4999999583333369, -0.6666666111111158], [0, 0], [1.9999998333333475]]],
];

describe.each(torch)("a norm of order %d is PyTorch's", (normType, norm, clipped) => {
  test.each(ways)("$name", ({ options }) => {
    for (const dtype of dtypes) {
      const all = withGrads([[3, -4], [0, 0], null, [12]], dtype);
      const optimizer = new SGD([{ params: all.slice(0, 2) }, { params: all.slice(2) }], {
        ...options,
        lr: 1,
      });
      const digits = dtype === "float64" ? 14 : 6;
      expect(getTotalNorm(optimizer, { normType })).toBeCloseTo(norm, digits - 2);
      expect(clipGradNorm(optimizer, 2, { normType })).toBeCloseTo(norm, digits - 2);
      expect(all.map((p) => p.grad && [...p.grad])).toEqual([[3, -4], [0, 0], null, [12]]);
      const expected = clipped.toSpliced(2, 0, [0, 0]).flat();
      taken(all, optimizer)
        .flat()
        .forEach((x, i) => expect(x).toBeCloseTo(expected[i]!, digits));
      expect(taken(all, optimizer)).toEqual([[3, -4], [0, 0], [0, 0], [12]]);
    }
  });
});

test("each group by itself", () => {
  const all = withGrads([[3, -4], [30, 40], [0.5]]);
  const groups = all.map((p) => ({ params: [p] }));
  const optimizer = new SGD(groups, { lr: 1 });
  expect(clipGradNorm(optimizer, 1, { perGroup: true })).toEqual([5, 50, 0.5]);
  const after = taken(all, optimizer).map((x) => Math.hypot(...x));
  expect(after[0]).toBeCloseTo(5 / (5 + 1e-6), 14);
  expect(after[1]).toBeCloseTo(50 / (50 + 1e-6), 14);
  expect(after[2]).toBe(0.5);
});

test("several optimizers of several types have one norm", () => {
  const [single] = withGrads([[3, 4]], "float32");
  const [double] = withGrads([[12]]);
  const parts = [new SGD([single!], { lr: 1 }), new Adam([double!])];
  const sources: GradientSource[] = [parts, { optimizers: parts, step: () => {} }];
  for (const source of sources) {
    expect(clipGradNorm(source, 13)).toBe(13);
    parts.forEach((optimizer) => optimizer.zeroGrad({ setToNull: false }));
    single!.grad = [3, 4];
    double!.grad = [12];
  }
  expect(clipGradNorm(parts, 6.5, { normType: 2 })).toBe(13);
  expect(taken([single!], parts[0]!)[0]![0]).toBeCloseTo(1.5, 6);
  expect(clipGradNorm(parts, 1, { perGroup: true })).toEqual(
    [5, 13 * (6.5 / 13.000001) * (12 / 13)].map((x) => expect.closeTo(x, 12)),
  );
});

/** Sizes with gaps between tensors, an empty one, and one that is longer than a reduction's block. */
const SIZES = [5, 64, 0, 3, 70_001, 7];

/** Both types in two groups, one tensor of each without a gradient. */
function mixed(options: object): { all: Parameter[]; optimizer: Adam } {
  const all = dtypes.flatMap((dtype) => noisyParameters(SIZES, dtype));
  all.forEach((p, i) => Object.assign(p, { name: `w${i}` }));
  setNoisyGrads(all, 3);
  all[3]!.grad = null;
  all[11]!.grad = null;
  const groups = [
    { params: all.filter((_, i) => i % 3 > 0) },
    { params: all.filter((_, i) => i % 3 === 0), lr: 0.1 },
  ];
  return { all, optimizer: new Adam(groups, options) };
}

/** Norms and steps with all there is, one after another. */
function clipInAllWays(options: object): unknown[] {
  const { all, optimizer } = mixed(options);
  const seen: unknown[] = [];
  for (const normType of [1, 2, Infinity, 0, 2.5]) {
    seen.push(clipGradNorm(optimizer, 0.5, { normType }));
    optimizer.step();
    seen.push(...clipGradNorm(optimizer, 30, { normType, perGroup: true }));
    clipGradValue(optimizer, 0.01);
    seen.push(getTotalNorm(optimizer, { normType }));
    scaleGrads(optimizer, -3);
    seen.push(getTotalNorm(optimizer, { normType }));
    optimizer.step({ gradScale: 0.5 });
  }
  return [...seen, ...all.map((p) => bits(p.data)), ...all.map((p) => p.grad && bits(p.grad))];
}

describe("the same bits whatever runs it", () => {
  const oracle = clipInAllWays(ways[0]!.options);
  test.each(ways)("$name", ({ options }) => {
    expect(clipInAllWays(options)).toEqual(oracle);
  });

  test("threads", async () => {
    const pool = new Pool({ worthWaking: 0 });
    const backend = new WasmBackend(true, pool);
    const create = (way: object) => {
      const all = noisyParameters([300_000, 200_000, 9]);
      setNoisyGrads(all, 1);
      return { all, optimizer: new SGD(all, way) };
    };
    const [one, several] = [create({ threads: 1 }), create({ backend, threads: 3 })];
    for (const normType of [2, 1, Infinity]) {
      several.optimizer.step();
      one.optimizer.step();
      clipGradNorm(several.optimizer, 1, { normType });
      several.optimizer.zeroGrad({ setToNull: false });
      setNoisyGrads(several.all, 1);
      await untilReady(pool, 2);
      const { jobs } = pool;
      const norms = [several, one].map(({ optimizer }) => clipGradNorm(optimizer, 1, { normType }));
      expect(pool.jobs).toBeGreaterThan(jobs);
      expect(norms[0]).toBe(norms[1]);
    }
    several.optimizer.step();
    one.optimizer.step();
    expect(several.all.map((p) => bits(p.data))).toEqual(one.all.map((p) => bits(p.data)));
    several.optimizer.dispose();
  });

  test("the norm of 4,000 tensors is that of one, and of those with a gradient only", () => {
    const all = noisyParameters(Array.from({ length: 4000 }, (_, i) => i % 7));
    setNoisyGrads(all, 5);
    for (const p of all.slice(1000, 1003)) p.grad = null;
    const optimizer = new SGD(all);
    const values = all.flatMap((p) => [...(p.grad ?? [])]);
    const whole = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
    expect(clipGradNorm(optimizer, 1) / whole).toBeCloseTo(1, 13);
    expect(getTotalNorm(optimizer)).toBeCloseTo(1, 6);
  });
});

describe("numbers at the edge", () => {
  test.each([
    ["float32", [1e38, -1e38], Math.SQRT2 * Math.fround(1e38)],
    ["float32", [1e-40, 0], Math.fround(1e-40)],
    ["float64", [1e200, 1e200], Math.SQRT2 * 1e200],
    ["float64", [3e-200, 4e-200], 5e-200],
    ["float64", [0, 0], 0],
  ] as const)("the norm of %s %j neither overflows nor underflows", (dtype, grad, norm) => {
    const all = withGrads([[...grad], null], dtype);
    const optimizer = new SGD(all.map((p) => ({ params: [p] })));
    expect(clipGradNorm(optimizer, 1) / (norm || 1)).toBeCloseTo(norm && 1, 12);
  });

  test.each(ways)(
    "an infinite gradient is NaN in the step, others are 0, on $name",
    ({ options }) => {
      const all = withGrads([[Infinity, 1], [2]], "float32");
      const optimizer = new SGD(all, { ...options, lr: 1 });
      expect(clipGradNorm(optimizer, 1)).toBe(Infinity);
      expect(taken(all, optimizer)).toEqual([[NaN, 0], [0]]);
    },
  );

  test.each(ways)("one NaN makes every gradient NaN, on $name", ({ options }) => {
    for (const normType of [1, 2, 3, Infinity]) {
      const all = withGrads([[NaN, 1], [2]]);
      const optimizer = new SGD(all, { ...options, lr: 1 });
      expect(clipGradNorm(optimizer, 1, { normType })).toBe(NaN);
      expect(taken(all, optimizer)).toEqual([[NaN, NaN], [NaN]]);
      expect(taken(all, optimizer)).toEqual([[NaN, 1], [2]]);
    }
  });

  test("a count of tensors is finite all the same", () => {
    const all = withGrads([[NaN, 1], [2], [0]]);
    const optimizer = new SGD(all, { lr: 1 });
    expect(clipGradNorm(optimizer, 1, { normType: 0 })).toBe(2);
    expect(taken(all, optimizer)).toEqual([[NaN, 1 / 2.000001], [2 / 2.000001], [0]]);
  });

  test("a largest norm of 0 leaves nothing, one of Infinity everything", () => {
    const all = withGrads([[3], [Infinity]]);
    const optimizer = new SGD(all, { lr: 1 });
    expect(clipGradNorm(optimizer, Infinity)).toBe(Infinity);
    expect(taken(all, optimizer)).toEqual([[3], [Infinity]]);
    all[1]!.grad = null;
    expect(clipGradNorm(optimizer, 0)).toBe(3);
    expect(taken(all, optimizer)[0]).toEqual([0]);
  });
});

describe("by value", () => {
  test.each(ways)("clamps, NaN stays NaN, on $name", ({ options }) => {
    const all = withGrads(
      [
        [NaN, Infinity, -Infinity],
        [0.2, -0.1, 7],
      ],
      "float32",
    );
    const optimizer = new SGD(all, { ...options, lr: 1 });
    clipGradValue(optimizer, 0.5);
    expect(taken(all, optimizer)).toEqual([[NaN, 0.5, -0.5], [0.2, -0.1, 0.5].map(Math.fround)]);
    expect(taken(all, optimizer)[1]![2]).toBe(7);
  });

  test("in the order of the calls: norm of what is clamped, clamp of what is scaled", () => {
    const all = withGrads([[3, -40]]);
    const optimizer = new SGD(all, { lr: 1 });
    clipGradValue(optimizer, 4);
    expect(clipGradNorm(optimizer, 2.5)).toBe(5);
    expect(taken(all, optimizer)[0]!.map((x) => x * 1.0000002)).toEqual(
      [1.5, -2].map((x) => expect.closeTo(x, 12)),
    );
    scaleGrads(optimizer, 0.1);
    clipGradValue(optimizer, 1);
    clipGradValue(optimizer, 2);
    expect(taken(all, optimizer)).toEqual([[expect.closeTo(0.3, 14), -1]]);
  });

  test("changing it compiles nothing", () => {
    const backend = new WasmBackend();
    const all = noisyParameters([9]);
    const optimizer = new Adam(all, { backend });
    setNoisyGrads(all, 0);
    const round = (value: number) => {
      clipGradValue(optimizer, value);
      clipGradNorm(optimizer, value);
      optimizer.step();
    };
    for (let i = 0; i < 8; i++) round(1);
    const { compiled } = backend;
    for (let i = 0; i < 50; i++) round(1 / (i + 1));
    expect(backend.compiled).toBe(compiled);
  });
});

describe("until when it holds", () => {
  test("one step, or zeroGrad", () => {
    const all = withGrads([[3, 4]]);
    const optimizer = new SGD(all, { lr: 1 });
    clipGradNorm(optimizer, 1);
    optimizer.zeroGrad();
    all[0]!.grad = [3, 4];
    expect(taken(all, optimizer)).toEqual([[3, 4]]);
    clipGradNorm(optimizer, 2.5);
    expect(clipGradNorm(optimizer, 1)).toBeCloseTo(2.5, 5);
    expect(getTotalNorm(optimizer)).toBeCloseTo(1, 5);
    optimizer.step();
    expect(getTotalNorm(optimizer)).toBe(5);
  });

  test("at the end of a closure it is this step's", () => {
    const all = withGrads([null]);
    const optimizer = new SGD(all, { lr: 1 });
    const norm = optimizer.step(() => {
      all[0]!.grad = [30, 40];
      return clipGradNorm(optimizer, 5);
    });
    expect(norm).toBe(50);
    expect([...all[0]!.data].map((x) => 0 - x)).toEqual([3, 4].map((x) => expect.closeTo(x, 6)));
  });

  test("a step that fails keeps it", () => {
    const all = withGrads([[3, 4]]);
    const optimizer = new SGD(all, { lr: 1 });
    clipGradNorm(optimizer, 1);
    optimizer.paramGroups[0].lr = -1;
    expectUnchanged(optimizer, all, () => optimizer.step());
    optimizer.paramGroups[0].lr = 1;
    expect(Math.hypot(...taken(all, optimizer)[0]!)).toBeCloseTo(1, 6);
  });

  test("a group that comes later is not clipped", () => {
    const [a, b] = withGrads([[3, 4], [10]]);
    const optimizer = new SGD([a!], { lr: 1 });
    clipGradNorm(optimizer, 1);
    clipGradValue(optimizer, 0.1);
    optimizer.addParamGroup({ params: [b!] });
    expect(taken([a!, b!], optimizer)).toEqual([[0.1, 0.1], [10]]);
    expect(clipGradNorm(optimizer, 1)).toBe(Math.sqrt(125));
  });

  test("no gradients at all have a norm of 0", () => {
    const optimizer = new SGD(withGrads([null, []]));
    for (const normType of [0, 1, 2, 3, Infinity]) {
      expect(clipGradNorm(optimizer, 1, { normType })).toBe(0);
    }
    optimizer.step();
  });

  test("the same by a norm from elsewhere", () => {
    const all = withGrads([[3, 4]]);
    const optimizer = new SGD(all, { lr: 1 });
    clipGradsWithNorm(optimizer, 1, 10);
    expect(taken(all, optimizer)[0]![0]).toBe(3 * (1 / (10 + 1e-6)));
    clipGradsWithNorm(optimizer, 1, 0.5);
    expect(taken(all, optimizer)).toEqual([[3, 4]]);
  });
});

test("errorIfNonfinite throws before anything changes", () => {
  const all = withGrads([
    [1, 2],
    [3, -Infinity],
  ]);
  const optimizer = new SGD(all, { lr: 1 });
  const clip = () => clipGradNorm(optimizer, 1, { errorIfNonfinite: true });
  expectUnchanged(optimizer, all, clip);
  expect(refusals({ clip, total: () => getTotalNorm(optimizer, { errorIfNonfinite: true }) }))
    .toMatchInlineSnapshot(`
    {
      "clip": "GradientError NON_FINITE: clipGradNorm: got -Infinity at element 1 of the gradient of "w1", expected finite gradients. Look at the loss and at lr, or leave such steps out: { nonFinite: "skip" }.",
      "total": "GradientError NON_FINITE: getTotalNorm: got -Infinity at element 1 of the gradient of "w1", expected finite gradients. Look at the loss and at lr, or leave such steps out: { nonFinite: "skip" }.",
    }
  `);
  expect(taken(all, optimizer)).toEqual([
    [1, 2],
    [3, -Infinity],
  ]);
});

test("what is refused", () => {
  const optimizer = new SGD(withGrads([[1]]));
  expect(
    refusals({
      "a parameter": () => clipGradNorm(wrong(withGrads([[1]])), 1),
      nothing: () => clipGradNorm(wrong(undefined), 1),
      "a norm below 0": () => clipGradNorm(optimizer, -1),
      "a norm NaN": () => clipGradNorm(optimizer, NaN),
      "an order below 0": () => clipGradNorm(optimizer, 1, { normType: -1 }),
      "PyTorch's spelling": () => clipGradNorm(optimizer, 1, wrong({ norm_type: 1 })),
      "options null": () => clipGradNorm(optimizer, 1, wrong(null)),
      "perGroup 1": () => clipGradNorm(optimizer, 1, wrong({ perGroup: 1 })),
      "perGroup of a total": () => getTotalNorm(optimizer, wrong({ perGroup: true })),
      "errorIfNonfinite 1": () => getTotalNorm(optimizer, wrong({ errorIfNonfinite: 1 })),
      "a total norm below 0": () => clipGradsWithNorm(optimizer, 1, -2),
      "a value below 0": () => clipGradValue(optimizer, -1),
      "an infinite value": () => clipGradValue(optimizer, Infinity),
      "a factor NaN": () => scaleGrads(optimizer, NaN),
    }),
  ).toMatchInlineSnapshot(`
    {
      "PyTorch's spelling": "OptionError UNKNOWN_OPTION: clipGradNorm: "norm_type": got an unknown name, expected one of normType, errorIfNonfinite, perGroup. Did you mean normType?",
      "a factor NaN": "OptionError BAD_OPTION: scaleGrads: factor: got NaN, expected a finite number.",
      "a norm NaN": "OptionError BAD_OPTION: clipGradNorm: maxNorm: got NaN, expected a number ≥ 0.",
      "a norm below 0": "OptionError BAD_OPTION: clipGradNorm: maxNorm: got -1, expected a number ≥ 0.",
      "a parameter": "OptionError BAD_OPTION: clipGradNorm: optimizer: got a Parameter, expected an optimizer made of a rule, or several. Gradients are scaled and clipped by the step that uses them, so it needs the optimizer.",
      "a total norm below 0": "OptionError BAD_OPTION: clipGradsWithNorm: totalNorm: got -2, expected a number ≥ 0.",
      "a value below 0": "OptionError BAD_OPTION: clipGradValue: clipValue: got -1, expected a number from 0 to 3.4e38.",
      "an infinite value": "OptionError BAD_OPTION: clipGradValue: clipValue: got Infinity, expected a number from 0 to 3.4e38.",
      "an order below 0": "OptionError BAD_OPTION: clipGradNorm: normType: got -1, expected a number ≥ 0, or Infinity.",
      "errorIfNonfinite 1": "OptionError BAD_OPTION: getTotalNorm: errorIfNonfinite: got 1, expected true or false.",
      "nothing": "OptionError BAD_OPTION: clipGradNorm: optimizer: got undefined, expected an optimizer made of a rule, or several. Gradients are scaled and clipped by the step that uses them, so it needs the optimizer.",
      "options null": "OptionError BAD_OPTION: clipGradNorm: options: got null, expected an object with some of normType, errorIfNonfinite, perGroup.",
      "perGroup 1": "OptionError BAD_OPTION: clipGradNorm: perGroup: got 1, expected true or false.",
      "perGroup of a total": "OptionError UNKNOWN_OPTION: getTotalNorm: "perGroup": got an unknown name, expected one of normType, errorIfNonfinite.",
    }
  `);
  optimizer.step();
  expect(optimizer.paramGroups[0].params[0]!.data[0]).toBe(-1e-3);
});
