/**
 * Rules over rows and columns: what the words mean, what they refuse, and that parameters of all shapes
 * give the same bits on every way to run and from any number of threads.
 */
import { afterEach, describe, expect, test } from "vitest";
import { Pool } from "../src/backend/threads/pool.ts";
import { WasmBackend } from "../src/backend/wasm/backend.ts";
import {
  Adafactor,
  columnMean,
  columnSum,
  defineOptimizer,
  isMatrix,
  machineEpsilon,
  orthogonalize,
  parameter,
  rowMean,
  rowSum,
  sq,
  sqrt,
  type Optimizer,
  type Parameter,
  type PerColumn,
  type PerRow,
  type Tensor,
} from "../src/index.ts";
import { ways } from "./helpers/backends.ts";
import { imprint } from "./helpers/bits.ts";
import { refusals } from "./helpers/refusals.ts";
import { noisyParameters, ruleCases, setNoisyGrads } from "./helpers/rules.ts";
import { untilReady } from "./helpers/threads.ts";

const cases = ruleCases.filter(({ name }) => ["Adafactor", "Balanced"].includes(name));
const dtypes = ["float32", "float64"] as const;

/** Adagrad with Adafactor's way to keep a matrix: the sums of its rows and columns. */
const FactoredAdagrad = defineOptimizer({
  name: "FactoredAdagrad",
  hyper: { lr: 0.5 },
  rows: ["r"],
  columns: ["c"],
  step({ p, g, r, c }, { lr }) {
    r = r.add(rowSum(sq(g)));
    c = c.add(columnSum(sq(g)));
    return { p: p.sub(g.div(sqrt(r.div(columnSum(r)).mul(c))).mul(lr)), r, c };
  },
});

/** What a rule of one line makes of p = [[1, 2, 3], [4, 5, 6]] and its gradient, ten times as large. */
function stepOnce(
  step: (p: Tensor, g: Tensor, r: PerRow, c: PerColumn) => Tensor,
  shape: readonly number[] = [2, 3],
): number[] {
  const Once = defineOptimizer({
    name: "Once",
    hyper: {},
    rows: ["r"],
    columns: ["c"],
    step: ({ p, g, r, c }) => ({ p: step(p, g, r, c), r, c }),
  });
  const values = Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i + 1);
  const w = parameter(Float64Array.from(values), { name: "w", shape });
  const optimizer = new Once([w]);
  w.grad = values.map((value) => 10 * value);
  optimizer.step();
  return [...w.data];
}

describe("words", () => {
  test.each([
    ["rowSum", (p: Tensor) => p.mul(0).add(rowSum(p)), [6, 6, 6, 15, 15, 15]],
    ["rowMean", (p: Tensor) => p.mul(0).add(rowMean(p)), [2, 2, 2, 5, 5, 5]],
    ["columnSum", (p: Tensor) => p.mul(0).add(columnSum(p)), [5, 7, 9, 5, 7, 9]],
    ["columnMean", (p: Tensor) => p.mul(0).add(columnMean(p)), [2.5, 3.5, 4.5, 2.5, 3.5, 4.5]],
    [
      "an outer product",
      (p: Tensor) => rowSum(p).mul(columnMean(p)),
      [15, 21, 27, 37.5, 52.5, 67.5],
    ],
    [
      "a mean of means",
      (p: Tensor) => p.mul(0).add(columnMean(rowMean(p))),
      [3.5, 3.5, 3.5, 3.5, 3.5, 3.5],
    ],
    ["a sum of sums", (p: Tensor) => p.mul(0).add(rowSum(columnSum(p))), [21, 21, 21, 21, 21, 21]],
    [
      "two sums in a row",
      (p: Tensor) => p.sub(rowMean(p.sub(columnMean(p)))),
      [2.5, 3.5, 4.5, 2.5, 3.5, 4.5],
    ],
  ] as const)("%s", (_, step, expected) => {
    expect(stepOnce(step)).toEqual(expected);
  });

  test("dimensions before the last two count matrices, each with sums of its own", () => {
    expect(stepOnce((p) => p.mul(0).add(columnSum(p)), [2, 2, 2])).toEqual([
      4, 6, 4, 6, 12, 14, 12, 14,
    ]);
    expect(stepOnce((p) => p.mul(0).add(columnMean(rowSum(p))), [2, 2, 2])).toEqual([
      5, 5, 5, 5, 13, 13, 13, 13,
    ]);
  });

  test("a vector is none, nor is a scalar", () => {
    const asked: boolean[] = [];
    const ask = (p: Tensor): Tensor => (asked.push(isMatrix(p)), p.add(0));
    for (const shape of [[], [6], [2, 3], [1, 2, 3]]) stepOnce(ask, shape);
    expect(asked.filter((_, i) => i % 2 === 0)).toEqual([false, false, true, true]);
  });

  test("are refused where they make no sense", () => {
    const bad =
      (step: (p: Tensor, g: Tensor, r: PerRow, c: PerColumn) => unknown, shape?: number[]) => () =>
        stepOnce(step as never, shape);
    expect(
      refusals({
        "rows of a vector": bad((p) => p.sub(rowMean(p)), [6]),
        "state of a vector's rows": bad((p, _g, r) => p.sub(r), [6]),
        "rows of rows": bad((p) => p.sub(rowSum(rowSum(p) as never))),
        "columns of columns": bad((p) => p.sub(columnMean(columnMean(p) as never))),
        "rows for a tensor": bad((p) => rowMean(p)),
        "rows of a number": () => rowSum(1 as never),
        "rows beside an operation of the host": () => {
          const Both = defineOptimizer({
            name: "Both",
            hyper: {},
            matrices: true,
            step: ({ p }) => ({
              p: orthogonalize(p, { coefficients: [3, -4, 2], steps: 5, eps: 1e-7 }).sub(
                rowMean(p),
              ),
            }),
          });
          const w = parameter([[1, 2]]);
          w.grad = [[1, 2]];
          new Both([w]).step();
        },
      }),
    ).toMatchInlineSnapshot(`
      {
        "columns of columns": "RuleError BAD_PROGRAM: Once: columnSum: got one number per column, expected a tensor or one number per row.",
        "rows beside an operation of the host": "RuleError BAD_PROGRAM: Both: newtonSchulz: got it beside numbers of rows or columns, expected a rule with one or the other.",
        "rows for a tensor": "RuleError BAD_PROGRAM: Once: p: got one number per row, expected a tensor.",
        "rows of a number": "RuleError NOT_AN_OPERAND: rowSum: got 1, expected at least one tensor or scalar of a rule. Between plain numbers use JavaScript's own operators and Math.",
        "rows of a vector": "RuleError NOT_A_MATRIX: Once: rowSum: got a parameter of fewer than two dimensions, expected one with rows and columns. Ask first: if (isMatrix(p)).",
        "rows of rows": "RuleError BAD_PROGRAM: Once: rowSum: got one number per row, expected a tensor or one number per column.",
        "state of a vector's rows": "RuleError NOT_A_MATRIX: Once: state "r": got a parameter of fewer than two dimensions, expected one with rows and columns. Ask first: if (isMatrix(p)).",
      }
    `);
  });
});

describe.each(cases)("$title", ({ create }) => {
  const shapes = [
    [4, 5],
    [7],
    [2, 3, 4],
    [1, 33],
    [33, 1],
    [],
    [0, 3],
    [3, 0],
    [2, 0, 2, 3],
    [70, 9],
  ];

  /** Some steps, in two groups; one parameter sits out the second, and the state goes to another optimizer. */
  function run(way: object, dtype: (typeof dtypes)[number]): Record<string, unknown> {
    const all = noisyParameters(shapes, dtype);
    const make = (): Optimizer =>
      create([{ params: all.slice(0, 4) }, { params: all.slice(4), lr: 0.05 }], way);
    let optimizer = make();
    for (let step = 0; step < 5; step++) {
      setNoisyGrads(all, step);
      if (step === 1) all[2]!.grad = null;
      optimizer.step({ zeroGrad: step === 3, gradScale: 0.5 });
      if (step !== 2) continue;
      const saved = structuredClone(optimizer.stateDict());
      optimizer = make();
      optimizer.loadStateDict(saved);
    }
    return imprint(optimizer, all);
  }

  test.each(dtypes)("%s: all ways agree on all shapes", (dtype) => {
    const [oracle, ...others] = ways.map(({ name, options }) => ({
      name,
      seen: run(options, dtype),
    }));
    expect(Object.keys(oracle!.seen).length).toBeGreaterThan(20);
    for (const { name, seen } of others) expect(seen, name).toEqual(oracle!.seen);
  });

  test("without flushing, and with parameters that come later", () => {
    const later = (way: object): Record<string, unknown> => {
      const all = noisyParameters(shapes);
      const optimizer = create(all.slice(3), { ...way, flushSubnormals: false });
      for (let step = 0; step < 4; step++) {
        if (step === 2) optimizer.addParamGroup({ params: all.slice(0, 3) });
        setNoisyGrads(all, step);
        optimizer.step();
      }
      return imprint(optimizer, all);
    };
    for (const { name, options } of ways) expect(later(options), name).toEqual(later({}));
  });
});

const pools: Pool[] = [];
afterEach(() => {
  for (const pool of pools.splice(0)) pool.end();
});

test.each(cases)("the same bits from 1, 2 and 5 threads: $title", async ({ create }) => {
  const results: unknown[] = [];
  for (const threads of [1, 2, 5]) {
    const pool = new Pool({ worthWaking: 0 });
    pools.push(pool);
    const all = noisyParameters([
      [700, 301],
      [9, 150, 151],
      [1, 70_001],
      [70_001, 1],
      [4000, 5, 6],
    ]);
    const optimizer = create(all, { backend: new WasmBackend(true, pool), threads });
    for (let step = 0; step < 4; step++) {
      setNoisyGrads(all, step);
      optimizer.step();
      if (threads > 1) await untilReady(pool, threads - 1);
    }
    expect(pool.jobs > 0).toBe(threads > 1);
    results.push(imprint(optimizer, all));
  }
  expect(results[1]).toEqual(results[0]);
  expect(results[2]).toEqual(results[0]);
});

describe("Adafactor", () => {
  test("takes epsilon from each parameter's own type, whatever comes first", () => {
    const stepped = (all: readonly Parameter[]): unknown[] => {
      const optimizer = new Adafactor(all);
      for (const p of all) p.grad = [[1e-9, 2e-9]];
      optimizer.step();
      return all.map(({ data }) => [...data]);
    };
    const [wide, narrow] = [
      () => parameter([[1, 2]], { name: "wide", dtype: "float64" as const }),
      () => parameter([[1, 2]], { name: "narrow" }),
    ];
    expect(stepped([wide(), narrow()])).toEqual([...stepped([wide()]), ...stepped([narrow()])]);
    const sizes = dtypes.map((dtype) => {
      const seen: number[] = [];
      const Epsilon = defineOptimizer({
        name: "Epsilon",
        hyper: {},
        step: ({ p }) => (seen.push(machineEpsilon(p)), { p: p.add(1) }),
      });
      const w = parameter([1], { dtype });
      w.grad = [1];
      new Epsilon([w]).step();
      return seen[0];
    });
    expect(sizes).toEqual([1.1920928955078125e-7, Number.EPSILON]);
  });

  test("keeps a number per row and per column", () => {
    const [w, b] = noisyParameters([[2, 3, 4], [5]]) as [Parameter, Parameter];
    const optimizer = new Adafactor([w, b]);
    setNoisyGrads([w, b], 0);
    optimizer.step();
    const { state } = optimizer.stateDict();
    const lengths = Object.values(state).map((slots) =>
      Object.entries(slots).map(([name, value]) => [name, (value as Float32Array).length ?? value]),
    );
    expect(lengths).toEqual([
      [
        ["step", 1],
        ["row_var", 6],
        ["col_var", 8],
      ],
      [
        ["step", 1],
        ["variance", 5],
      ],
    ]);
    const wrong = (key: "w0" | "w1", slots: object) => () =>
      optimizer.loadStateDict({
        ...optimizer.stateDict(),
        state: { [key]: { step: 1, ...slots } },
      });
    expect(
      refusals({
        "as many as elements": wrong("w0", { row_var: new Float32Array(24) }),
        "rows of a vector": wrong("w1", { row_var: new Float32Array(5) }),
      }),
    ).toMatchInlineSnapshot(`
      {
        "as many as elements": "StateDictError STATE_MISMATCH: Adafactor: state of "w0": row_var: got Float32Array(24), expected a Float32Array of 6 elements.",
        "rows of a vector": "StateDictError STATE_MISMATCH: Adafactor: state of "w1": got "row_var", expected only step, variance.",
      }
    `);
  });

  test("moves by no gradient, and by an epsilon of zero", () => {
    const w = parameter(
      [
        [1, 2],
        [3, 4],
      ],
      { name: "w" },
    );
    const optimizer = new Adafactor([w], { eps: [null, 1e-3] });
    w.grad = [
      [0, 0],
      [0, 0],
    ];
    optimizer.step();
    expect([...w.data]).toEqual([1, 2, 3, 4]);
    optimizer.paramGroups[0].eps = [0, 1e-3];
    w.grad = [
      [1, 1],
      [1, 1],
    ];
    optimizer.step();
    expect([...w.data].every((x, i) => x < i + 1)).toBe(true);
  });
});

/** CAME (Luo et al. 2023, https://arxiv.org/abs/2307.02047): Adafactor with a measure of confidence. */
const CAME = defineOptimizer({
  name: "CAME",
  hyper: { lr: 0.02, b1: 0.9, b2: 0.999, b3: 0.9999 },
  state: { m: "exp_avg" },
  rows: { r: "row_var", ur: "row_confidence" },
  columns: { c: "col_var", uc: "col_confidence" },
  step({ p, g, m, r, c, ur, uc }, { lr, b1, b2, b3 }) {
    r = r.mul(b2).add(rowMean(sq(g).add(1e-30)).mul(1 - b2));
    c = c.mul(b2).add(columnMean(sq(g).add(1e-30)).mul(1 - b2));
    const u = g.div(sqrt(r.div(columnMean(r)).mul(c)));
    m = m.mul(b1).add(u.mul(1 - b1));
    const instability = sq(u.sub(m)).add(1e-16);
    ur = ur.mul(b3).add(rowMean(instability).mul(1 - b3));
    uc = uc.mul(b3).add(columnMean(instability).mul(1 - b3));
    return { p: p.sub(m.div(sqrt(ur.div(columnMean(ur)).mul(uc))).mul(lr)), m, r, c, ur, uc };
  },
});

test.each([
  ["FactoredAdagrad", FactoredAdagrad],
  ["CAME", CAME],
])("%s in a dozen lines descends, with the same bits on all ways", (_, cls) => {
  const run = (way: object): Record<string, unknown> => {
    const w = noisyParameters([[6, 9]])[0]!;
    const optimizer = new cls([w], way);
    const loss = () => [...w.data].reduce((sum, x) => sum + x * x, 0);
    const before = loss();
    for (let step = 0; step < 40; step++) {
      w.grad = w.data.slice();
      optimizer.step();
    }
    expect(loss()).toBeLessThan(before / 2);
    return imprint(optimizer as Optimizer, [w]);
  };
  for (const { name, options } of ways) expect(run(options), name).toEqual(run({}));
});
