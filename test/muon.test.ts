/**
 * Muon: PyTorch's recorded trajectories, to what bfloat16 allows, and a plain Newton-Schulz iteration in
 * float64, to what the type of the parameters allows; on every backend and plan.
 */
import { describe, expect, test } from "vitest";
import { Pool } from "../src/backend/threads/pool.ts";
import { WasmBackend } from "../src/backend/wasm/backend.ts";
import {
  defineOptimizer,
  Muon,
  orthogonalize,
  parameter,
  rowsOf,
  type DType,
  type Parameter,
  type PlanOptions,
} from "../src/index.ts";
import { ways } from "./helpers/backends.ts";
import { goldenCases, runCase } from "./helpers/golden.ts";
import { bits, expectUnchanged } from "./helpers/bits.ts";
import {
  expectNearBfloat16,
  plainStep,
  variants,
  type MatrixShape,
  type MuonOptions,
} from "./helpers/muon.ts";
import type { Matrix } from "./helpers/newton-schulz.ts";
import { noise } from "./helpers/rules.ts";
import { untilReady } from "./helpers/threads.ts";
import { refusals } from "./helpers/refusals.ts";

describe("PyTorch's trajectories", () => {
  const cases = goldenCases("Muon");
  test("there are some", () => expect(cases).toHaveLength(5));

  describe.each(cases)("$options", (golden) => {
    test.each(ways)("$name", ({ options }) => {
      const { trajectory, optimizer } = runCase("Muon", golden, options);
      const { state } = optimizer.stateDict();
      expectNearBfloat16(golden, trajectory, state);
    });
  });
});

/** Sides around the widths of tiles and panels, and beyond what one call of a kernel takes. */
const shapes: readonly MatrixShape[] = [
  [1, 1],
  [1, 7],
  [9, 1],
  [4, 4],
  [3, 6],
  [6, 3],
  [17, 40],
  [40, 17],
  [32, 32],
  [66, 70],
  [69, 67],
];

function filled(shape: MatrixShape, next: () => number, dtype: DType, name: string): Parameter {
  const values = Array.from({ length: shape[0] * shape[1] }, () => Math.fround(next()));
  return parameter(values, { shape, dtype, name });
}

const matrixOf = ({ data, shape }: Parameter): Matrix =>
  Array.from({ length: shape[0]! }, (_, i) => [
    ...data.subarray(i * shape[1]!, (i + 1) * shape[1]!),
  ]);

function setGrads(all: readonly Parameter[], next: () => number): void {
  for (const p of all) p.ensureGrad().forEach((_, i, g) => (g[i] = Math.fround(next())));
}

describe("a plain iteration in float64", () => {
  const tolerance = { float32: 1e-5, float64: 1e-12 };

  describe.each(["float32", "float64"] as const)("%s", (dtype) => {
    test.each(variants)("%o", (options) => {
      const results = ways.map(({ options: way }) => {
        const next = noise(5);
        const all = shapes.map((shape, i) => filled(shape, next, dtype, `w${i}`));
        const plain = all.map(matrixOf);
        const buffers = plain.map((rows) => rows.map((row) => row.map(() => 0)));
        const optimizer = new Muon(all, { ...options, ...way });
        for (let step = 0; step < 2; step++) {
          setGrads(all, next);
          optimizer.step();
          // The first way is the oracle, and all others have its bits.
          if (way !== ways[0]!.options) continue;
          all.forEach((p, i) => {
            const gradient = matrixOf({ ...p, data: p.grad!, shape: p.shape } as Parameter);
            [plain[i], buffers[i]] = plainStep(plain[i]!, gradient, buffers[i]!, options);
            plain[i]!.flat().forEach((x, at) =>
              expect(Math.abs(p.data[at]! - x)).toBeLessThan(tolerance[dtype]),
            );
          });
        }
        return all.map((p) => bits(p.data));
      });
      for (const result of results) expect(result).toEqual(results[0]);
    });
  });
});

describe("the same bits from 1, 2, 3 and 7 threads", () => {
  const many = (count: number, shape: MatrixShape): MatrixShape[] =>
    Array.from({ length: count }, () => shape);
  const sets: Record<string, readonly MatrixShape[]> = {
    "many small matrices, more than are under way at once": many(600, [9, 14]),
    "a few, of two shapes": [...many(5, [70, 40]), ...many(6, [33, 90])],
    "large ones": [
      [300, 200],
      [150, 400],
    ],
  };
  test.each(Object.entries(sets))("%s", async (_, all) => {
    const run = async (threads: number): Promise<string[]> => {
      const pool = new Pool({ worthWaking: 0 });
      const next = noise(all.length);
      const params = all.map((shape, i) => filled(shape, next, "float32", `w${i}`));
      const optimizer = new Muon(params, { backend: new WasmBackend(true, pool), threads });
      for (let step = 0; step < 3; step++) {
        setGrads(params, next);
        optimizer.step();
        if (threads > 1) await untilReady(pool, threads - 1);
      }
      if (threads > 1) expect(pool.jobs).toBeGreaterThan(0);
      pool.end();
      return params.map((p) => bits(p.data));
    };
    const alone = await run(1);
    for (const threads of [2, 3, 7]) expect(await run(threads)).toEqual(alone);
  });
});

describe("numbers that are none, and nothing at all", () => {
  const step = (values: readonly number[], shape: MatrixShape, way: PlanOptions): Parameter => {
    const w = parameter({ shape, name: "w" });
    w.ensureGrad().set(values);
    w.data.fill(1);
    new Muon([w], { lr: 0.5, ...way }).step();
    return w;
  };

  test.each(ways)("on $name", ({ options }) => {
    expect([...step([0, 0, 0, 0, 0, 0], [2, 3], options).data]).toEqual(
      Array.from({ length: 6 }, () => Math.fround(0.95)),
    );
    for (const bad of [NaN, Infinity]) {
      const { data } = step([1, bad, 1, 1, 1, 1], [3, 2], options);
      for (const x of data) expect(x).toBeNaN();
    }
    for (const shape of [
      [0, 3],
      [3, 0],
      [0, 0],
    ] as MatrixShape[]) {
      expect(step([], shape, options).data).toHaveLength(0);
    }
    // Squares of these overflow and underflow float32; the norm is a float64 number.
    for (const size of [1e30, 1e-30]) {
      const { data } = step([size, 0, 0, size], [2, 2], { ...options, eps: 0 } as PlanOptions);
      expect(data[0]).toBeCloseTo(0.95 - 0.5, 0);
      expect(data[1]).toBeCloseTo(0.95, 6);
    }
  });
});

describe("options", () => {
  test("what they may not be", () => {
    const w = parameter({ shape: [2, 2], name: "w" });
    const muon = (options: object) => () => new Muon([w], options);
    expect(
      refusals({
        "a negative lr": muon({ lr: -1 }),
        "a negative momentum": muon({ momentum: -0.1 }),
        "a negative decay": muon({ weightDecay: -1 }),
        "an unknown adjustment": muon({ adjustLrFn: "adamw" }),
        "an adjustment that is no name": muon({ adjustLrFn: 0 }),
        "two coefficients": muon({ nsCoefficients: [1, 2] }),
        "half a step": muon({ nsSteps: 2.5 }),
        "100 steps": muon({ nsSteps: 100 }),
        "a switch": muon({ nesterov: 1 }),
        "a vector": () => new Muon([w, parameter({ shape: [3], name: "b" })]),
        "a scalar": () => new Muon([parameter({ shape: [] })]),
        "a convolution": () => new Muon([parameter({ shape: [2, 3, 5, 5], name: "k" })]),
      }),
    ).toMatchInlineSnapshot(`
      {
        "100 steps": "OptionError BAD_HYPERPARAMETER: Muon: nsSteps: got 100, expected a finite number in [0, 100).",
        "a convolution": "ParameterError NOT_A_MATRIX: Muon: parameter "k": got shape [2, 3, 5, 5], expected a matrix, shape [rows, columns]. Give vectors, scalars and kernels of convolutions to another optimizer, such as AdamW.",
        "a negative decay": "OptionError BAD_HYPERPARAMETER: Muon: weightDecay: got -1, expected a finite number in [0, inf).",
        "a negative lr": "OptionError BAD_HYPERPARAMETER: Muon: lr: got -1, expected a finite number in [0, inf).",
        "a negative momentum": "OptionError BAD_HYPERPARAMETER: Muon: momentum: got -0.1, expected a finite number in [0, inf).",
        "a scalar": "ParameterError NOT_A_MATRIX: Muon: parameter: got shape [], expected a matrix, shape [rows, columns]. Give vectors, scalars and kernels of convolutions to another optimizer, such as AdamW.",
        "a switch": "OptionError BAD_HYPERPARAMETER: Muon: nesterov: got 1, expected true or false.",
        "a vector": "ParameterError NOT_A_MATRIX: Muon: parameter "b": got shape [3], expected a matrix, shape [rows, columns]. Give vectors, scalars and kernels of convolutions to another optimizer, such as AdamW.",
        "an adjustment that is no name": "OptionError BAD_HYPERPARAMETER: Muon: adjustLrFn: got 0, expected null, "original" or "match_rms_adamw".",
        "an unknown adjustment": "OptionError BAD_HYPERPARAMETER: Muon: adjustLrFn: got "adamw", expected null, "original" or "match_rms_adamw".",
        "half a step": "OptionError BAD_HYPERPARAMETER: Muon: nsSteps: got 2.5, expected a whole number.",
        "two coefficients": "OptionError BAD_HYPERPARAMETER: Muon: nsCoefficients: got [1, 2], expected an array of 3 numbers.",
      }
    `);
  });

  test("a group of vectors is refused later as well, and nothing has changed", () => {
    const w = parameter({ shape: [2, 2], name: "w" });
    const optimizer = new Muon([w]);
    const b = parameter({ shape: [2], name: "b" });
    expectUnchanged(optimizer, [w], () => optimizer.addParamGroup({ params: [b] }));
    expect(() => optimizer.addParamGroup({ params: [b] })).toThrow("a matrix");
    expect(optimizer.paramGroups).toHaveLength(1);
    expect(b.home).toBeNull();
    optimizer.addParamGroup({ params: [parameter({ shape: [3, 1] })], lr: 1 });
    expect(optimizer.paramGroups[1]).toMatchObject({ lr: 1, nsSteps: 5, adjustLrFn: null });
  });

  test("changed between steps, they hold for the next one and compile nothing", () => {
    const backend = new WasmBackend();
    const next = noise(7);
    const [w, twin] = [filled([5, 3], next, "float32", "w"), parameter({ shape: [5, 3] })];
    const optimizer = new Muon([w], { lr: 0.1, backend });
    setGrads([w], next);
    optimizer.step();
    const { compiled } = backend;
    const changes: MuonOptions = {
      nsSteps: 2,
      nsCoefficients: [2, -1.5, 0.5],
      adjustLrFn: "match_rms_adamw",
    };
    Object.assign(optimizer.paramGroups[0], changes);
    twin.data.set(w.data);
    const other = new Muon([twin], { lr: 0.1, ...changes });
    const { state, paramGroups } = optimizer.stateDict();
    const groups = [{ ...paramGroups[0], params: [{ ...paramGroups[0]!.params[0]!, name: "0" }] }];
    const dict = { ...other.stateDict(), state: { 0: state["w"]! }, paramGroups: groups };
    other.loadStateDict(dict as never);
    twin.ensureGrad().set(w.grad!);
    optimizer.step();
    other.step();
    expect(bits(w.data)).toBe(bits(twin.data));
    expect(backend.compiled).toBe(compiled);
  });
});

describe("rules of one's own", () => {
  test("may use its parts, also twice and on what comes of them", () => {
    const Twice = defineOptimizer({
      name: "Twice",
      hyper: { lr: 0.1 },
      state: ["m"],
      matrices: true,
      step({ p, g, m }, { lr }) {
        const options = { coefficients: [1.5, -0.5, 0], steps: 4, eps: 1e-7 } as const;
        const once = orthogonalize(g, options);
        const again = orthogonalize(once.add(m), options);
        return { p: orthogonalize(p, options).sub(again.mul(lr * rowsOf(p))), m: once };
      },
    });
    const results = ways.map(({ options }) => {
      const next = noise(9);
      const all = [filled([5, 3], next, "float32", "a"), filled([9, 20], next, "float32", "b")];
      const optimizer = new Twice(all, options);
      for (let step = 0; step < 3; step++) {
        setGrads(all, next);
        optimizer.step();
      }
      const { state } = optimizer.stateDict();
      return all.map((p) => bits(p.data) + bits(state[p.name!]!["m"] as Float32Array));
    });
    for (const result of results) expect(result).toEqual(results[0]);
  });

  test("have to say that they are for matrices", () => {
    const step = (use: (p: never) => unknown) => () => {
      const Any = defineOptimizer({
        name: "Any",
        hyper: {},
        step: ({ p }) => ({ p: use(p as never) }) as never,
      });
      const w = parameter({ shape: [2, 2] });
      w.ensureGrad();
      new Any([w]).step();
    };
    expect(
      refusals({
        orthogonalize: step((p) => orthogonalize(p, { coefficients: [1, 0, 0], steps: 1, eps: 0 })),
        rowsOf: step((p) => rowsOf(p)),
      }),
    ).toMatchInlineSnapshot(`
      {
        "orthogonalize": "RuleError NOT_A_MATRIX: Any: newtonSchulz: got a rule for parameters of any shape, expected one for matrices alone. Say so in the rule: { matrices: true, ... }.",
        "rowsOf": "RuleError NOT_A_MATRIX: Any: rowsOf: got a rule for parameters of any shape, expected one for matrices alone. Say so in the rule: { matrices: true, ... }.",
      }
    `);
  });
});
