/**
 * Averages: those that a step updates are those that are updated by themselves, bit for bit, for every
 * rule on every way to run; both are PyTorch's; and parameters and averages change places safely.
 */
import { describe, expect, test } from "vitest";
import { Pool } from "../src/backend/threads/pool.ts";
import { WasmBackend } from "../src/backend/wasm/backend.ts";
import {
  Adam,
  ASGD,
  AveragedModel,
  AverageError,
  CompositeOptimizer,
  defineOptimizer,
  getEmaAvgFn,
  getSwaAvgFn,
  LBFGS,
  max,
  parameter,
  registerOptimizerStepPreHook,
  SGD,
  SparseAdam,
  type AverageOptions,
  type Optimizer,
  type Parameter,
} from "../src/index.ts";
import { ways } from "./helpers/backends.ts";
import { bits, expectUnchanged, imprint } from "./helpers/bits.ts";
import { refusals, wrong } from "./helpers/refusals.ts";
import { noisyParameters, ruleCases, setNoisyGrads } from "./helpers/rules.ts";
import { untilReady } from "./helpers/threads.ts";

const kinds: Readonly<Record<string, AverageOptions>> = {
  ema: { ema: 0.9 },
  "ema that warms up": { ema: 0.999, warmup: true },
  swa: {},
  "swa from the second step on, every other": { start: 1, every: 2 },
  "a formula of one's own": { avgFn: (average, p, n) => max(average, p).add(p.mul(1 / n)) },
};
const STEPS = 8; // one flushes

/** The bits of all averages. */
const seen = (average: AveragedModel): string[] =>
  average.parameters.map((p) => bits(average.of(p)));

describe.each(ruleCases)("$title", ({ create }) => {
  test.each(Object.entries(kinds))("%s: merged into the step as by itself", (kind, options) => {
    const oracles: string[][] = [];
    // All ways for one kind, for the others some that differ in everything.
    for (const { options: way } of kind === "ema" ? ways : [0, 5, 10, 11].map((i) => ways[i]!)) {
      const [one, two] = [noisyParameters([5, 70, 3]), noisyParameters([5, 70, 3])];
      const merged = new AveragedModel(one, options);
      const alone = new AveragedModel(two, { ...options, ...way });
      const a = create(one, { ...way, average: merged });
      const b = create(two, way);
      for (let step = 0; step < STEPS; step++) {
        setNoisyGrads(one, step);
        setNoisyGrads(two, step);
        a.step();
        b.step();
        alone.updateParameters();
        expect(merged.nAveraged).toBe(alone.nAveraged);
      }
      expect(one.map((p) => bits(p.data))).toEqual(two.map((p) => bits(p.data)));
      expect(seen(merged)).toEqual(seen(alone));
      expect(seen(merged)).not.toEqual(one.map((p) => bits(p.data)));
      oracles.push(seen(merged));
    }
    expect(new Set(oracles.map(String)).size).toBe(1);
  });
});

describe("as PyTorch's AveragedModel, in float64", () => {
  // Seven steps of Adam(lr=.3) on a Linear(2, 1), recorded with torch.optim.swa_utils.
  const recorded: readonly (readonly [string, AverageOptions, readonly number[], number])[] = [
    ["default", {}, [0.8172337531152797, -1.6942813566616648, -0.46542503688221115], 7],
    [
      "get_swa_avg_fn",
      { avgFn: getSwaAvgFn() },
      [0.8172337531152797, -1.6942813566616648, -0.46542503688221115],
      7,
    ],
    ["ema", { ema: 0.9 }, [0.7639709616677122, -1.7002794373320829, -0.19215110279748804], 7],
    [
      "get_ema_avg_fn",
      { avgFn: getEmaAvgFn(0.9) },
      [0.7639709616677122, -1.7002794373320829, -0.19215110279748804],
      7,
    ],
    [
      "ema with warm-up",
      { ema: 0.9, warmup: true },
      [0.8337220270302382, -1.7384052105524488, -0.9321630761997493],
      7,
    ],
    [
      "every other step from the second on",
      { start: 1, every: 2 },
      [0.8415229775877298, -1.7086468456811537, -0.6758285676564176],
      3,
    ],
    [
      "avg_fn",
      { avgFn: (average, p) => max(average, p) },
      [0.8603376292924496, -1.6200989081560273, 0.20000000999999973],
      7,
    ],
  ];
  const grads = [
    [0.1, -0.2, 0.3],
    [-0.3, 0.1, 0.2],
    [0.2, 0.2, -0.1],
  ];

  test.each(recorded)("%s", (_, options, expected, count) => {
    const w = parameter([1, -2, 0.5], { name: "w", dtype: "float64" });
    const average = new AveragedModel([w], options);
    const optimizer = new Adam([w], { lr: 0.3 });
    for (let step = 0; step < 7; step++) {
      w.grad = grads[step % 3]!;
      optimizer.step();
      average.updateParameters();
    }
    expect(average.nAveraged).toBe(count);
    average.of(w).forEach((value, i) => {
      expect(Math.abs(value / expected[i]! - 1)).toBeLessThan(1e-12);
    });
  });
});

const setUp = (options: AverageOptions = { ema: 0.5 }) => {
  const [w, b] = [parameter([4, 8], { name: "w" }), parameter([2], { name: "b" })];
  const average = new AveragedModel([w, b], options);
  const optimizer = new SGD([w, b], { lr: 1, average });
  const step = (grad = 1): void => {
    w.grad = [grad, grad];
    b.grad = [grad];
    optimizer.step();
  };
  return { w, b, average, optimizer, step };
};

describe("an average that steps update", () => {
  test("begins as a copy, and follows", () => {
    const { w, b, average, step } = setUp();
    expect([...average.of(w)]).toEqual([4, 8]); // none so far: the parameter itself
    expect(average.nAveraged).toBe(0);
    step();
    expect([...average.of(w)]).toEqual([3, 7]);
    step();
    expect([[...average.of(w)], [...average.of(b)]]).toEqual([[2.5, 6.5], [0.5]]);
    expect(average.nAveraged).toBe(2);
  });

  test("a decay that is changed counts in the next step, and compiles nothing", () => {
    const backend = new WasmBackend();
    const w = parameter([0], { name: "w" });
    const average = new AveragedModel([w], { ema: 0.75 });
    const optimizer = new SGD([w], { lr: 1, maximize: true, average, backend });
    w.grad = [4];
    optimizer.step();
    optimizer.step();
    expect(average.of(w)[0]).toBe(5);
    const { compiled } = backend;
    average.decay = 0.875;
    optimizer.step();
    expect(average.of(w)[0]).toBe(5 + 7 / 8);
    expect([average.decay, backend.compiled]).toEqual([0.875, compiled]);
  });

  test("stays as it is in a step that is left out", () => {
    const w = parameter([4], { name: "w" });
    const average = new AveragedModel([w]);
    const optimizer = new Adam([w], { average, nonFinite: "skip" });
    for (const gradient of [1, NaN, 1]) {
      w.grad = [gradient];
      optimizer.step();
    }
    expect([average.nAveraged, Number.isFinite(average.of(w)[0])]).toEqual([2, true]);
  });

  test("skips a parameter without a gradient; by itself it takes all", () => {
    const { w, b, average, optimizer, step } = setUp();
    const alone = new AveragedModel([w, b], { ema: 0.5 });
    step();
    alone.updateParameters();
    step();
    alone.updateParameters();
    b.grad = null;
    optimizer.step();
    alone.updateParameters();
    expect([...average.of(w), ...average.of(b)]).toEqual([1.75, 5.75, 0.5]);
    expect([...alone.of(w), ...alone.of(b)]).toEqual([1.75, 5.75, 0.25]);
    expect(optimizer.state(b)["n_averaged"]).toBe(2);
  });

  test("parameters that join later have averages of their own length", () => {
    const { average, optimizer, step } = setUp({});
    step();
    step();
    const late = parameter([8], { name: "late" });
    optimizer.addParamGroup({ params: [late] });
    expect(average.parameters).toHaveLength(3);
    const seenLate: number[] = [];
    for (let i = 0; i < 3; i++) {
      late.grad = [2];
      step();
      seenLate.push(average.of(late)[0]!);
    }
    expect(seenLate).toEqual([6, 5, 4]);
    expect([average.nAveraged, optimizer.state(late)["n_averaged"]]).toEqual([5, 3]);
  });

  test("counts steps for each parameter, also where the rule counts none", () => {
    const { w, b, average, optimizer } = setUp({ start: 1 });
    w.grad = [1, 1];
    optimizer.step(); // w alone
    b.grad = [1];
    optimizer.step();
    expect([average.of(w)[0], average.of(b)[0]]).toEqual([2, 1]);
    optimizer.step();
    w.grad = null;
    optimizer.step();
    expect([average.of(w)[0], average.of(b)[0]]).toEqual([1.5, -0.5]);
    expect(optimizer.state(w)).toMatchObject({ n_averaged: 2, average_step: 3 });
    expect(optimizer.state(b)).toMatchObject({ n_averaged: 2, average_step: 3 });
  });

  test("is part of the optimizer's state dict", () => {
    const [first, second] = [setUp(), setUp()];
    first.step();
    first.step(2);
    second.optimizer.loadStateDict(structuredClone(first.optimizer.stateDict()));
    for (const [p, q] of [
      [first.w, second.w],
      [first.b, second.b],
    ] as const)
      q.data = p.data;
    first.step();
    second.step();
    expect(seen(second.average)).toEqual(seen(first.average));
    expect(imprint(second.optimizer, [second.w])).toEqual(imprint(first.optimizer, [first.w]));
    expect(Object.keys(first.optimizer.stateDict().state["w"]!)).toEqual([
      "n_averaged",
      "average_step",
      "param_average",
    ]);
  });

  test.each([Adam, SGD])("%o: begins anew where a state dict has none", (Class) => {
    const make = (withAverage: boolean) => {
      const w = parameter([4, 8], { name: "w" });
      const average = new AveragedModel([w]);
      const options = { lr: 0.5, ...(withAverage ? { average } : {}) };
      const optimizer = new Class([w], options as never) as unknown as Optimizer;
      const step = () => {
        w.grad = [1, 1];
        optimizer.step();
      };
      return { w, average, optimizer, step };
    };
    const [plain, averaged] = [make(false), make(true)];
    plain.step();
    averaged.step();
    averaged.step();
    averaged.optimizer.loadStateDict(plain.optimizer.stateDict());
    expect(averaged.average.nAveraged).toBe(0);
    averaged.step();
    expect(averaged.average.nAveraged).toBe(1);
    expect(averaged.average.of(averaged.w)).toEqual(averaged.w.data);
    const half = averaged.optimizer.stateDict();
    delete half.state["w"]!["param_average"];
    averaged.optimizer.loadStateDict(half);
    averaged.step();
    expect(averaged.average.of(averaged.w)).toEqual(averaged.w.data);
    const dict = averaged.optimizer.stateDict();
    expect(() => plain.optimizer.loadStateDict(dict)).toThrow("n_averaged");
    const { unexpected } = plain.optimizer.loadStateDict(dict, { strict: false });
    expect(unexpected).toContain("w.param_average");
  });

  test("costs 8 bytes a parameter in the same pass, and 12 in one of its own", () => {
    const count = (make: (backend: WasmBackend) => void): number => {
      const backend = new WasmBackend();
      const seenBytes: number[] = [];
      backend.threadsFor = (bytes) => (seenBytes.push(bytes), 1);
      make(backend);
      return seenBytes.at(-1)! / 64;
    };
    const step = (average: boolean) => (backend: WasmBackend) => {
      const [w] = noisyParameters([64]) as [Parameter];
      const option = average ? { average: new AveragedModel([w], { ema: 0.9 }) } : {};
      const optimizer = new Adam([w], { backend, ...option });
      setNoisyGrads([w], 0);
      optimizer.step();
      optimizer.step();
    };
    expect(count(step(true)) - count(step(false))).toBe(8);
    const update = (backend: WasmBackend): void => {
      const average = new AveragedModel(noisyParameters([64]), { ema: 0.9, backend });
      average.updateParameters();
      average.updateParameters();
    };
    expect(count(update)).toBe(12);
  });
});

describe("an average by itself", () => {
  test("takes parameters of several optimizers and of none, also of two types", () => {
    const all = noisyParameters([3, 70]).concat(noisyParameters([4, 5], "float64"));
    const named = all.map((p, i) =>
      parameter(p.data as Float32Array, { name: `w${i}`, requiresGrad: i !== 3 }),
    );
    const average = new AveragedModel(named);
    const optimizers = [new SGD([named[0]!]), new Adam([named[1]!, named[2]!])] as const;
    const sums = named.map((p) => new Float64Array(p.size));
    for (let step = 0; step < 4; step++) {
      setNoisyGrads(named.slice(0, 3), step);
      for (const optimizer of optimizers) optimizer.step();
      average.updateParameters();
      named.forEach((p, i) => p.data.forEach((value, k) => (sums[i]![k]! += value / 4)));
    }
    named.forEach((p, i) => {
      average.of(p).forEach((value, k) => expect(value).toBeCloseTo(sums[i]![k]!, 6));
    });
  });

  test("saves and loads by name; what does not fit changes nothing", () => {
    const make = (names: readonly string[]) => {
      const all = names.map((name, i) => parameter([i + 1, 2], { name }));
      return { all, average: new AveragedModel(all) };
    };
    const [first, second] = [make(["a", "b"]), make(["b", "a"])];
    first.average.updateParameters();
    first.all[0]!.data.fill(9);
    first.average.updateParameters();
    const dict = first.average.stateDict();
    expect(dict).toMatchInlineSnapshot(`
      {
        "optimizer": "AveragedModel",
        "paramGroups": [
          {
            "params": [
              {
                "dtype": "float32",
                "name": "a",
                "shape": [
                  2,
                ],
              },
              {
                "dtype": "float32",
                "name": "b",
                "shape": [
                  2,
                ],
              },
            ],
          },
        ],
        "state": {
          "a": {
            "n_averaged": 2,
            "param_average": Float32Array [
              5,
              5.5,
            ],
            "step": 2,
          },
          "b": {
            "n_averaged": 2,
            "param_average": Float32Array [
              2,
              2,
            ],
            "step": 2,
          },
        },
        "version": 1,
      }
    `);
    second.average.loadStateDict(structuredClone(dict));
    expect(second.average.nAveraged).toBe(2);
    expect([...second.average.of(second.all[1]!)]).toEqual([5, 5.5]);
    const other = make(["a", "c"]);
    other.average.updateParameters();
    const held = seen(other.average);
    expect(() => other.average.loadStateDict(dict)).toThrow("names");
    expect(seen(other.average)).toEqual(held);
  });

  test("takes in all of a parameter, also where only some rows move", () => {
    const w = parameter([4, 8], { name: "w" });
    const average = new AveragedModel([w], { ema: 0.5 });
    const optimizer = new SGD([w], { lr: 1 });
    for (const row of [0, 1]) {
      w.sparseGrad = { indices: [row], values: [2] };
      optimizer.step();
      average.updateParameters();
    }
    expect([...average.of(w)]).toEqual([2, 7]);
  });

  test("its updates are no steps to hooks", () => {
    const handle = registerOptimizerStepPreHook(() => {
      throw new Error("a step");
    });
    const average = new AveragedModel([parameter([1])]);
    average.updateParameters();
    handle.remove();
    expect(average.nAveraged).toBe(1);
  });

  test("does not decay into subnormal numbers", () => {
    const w = parameter([1], { name: "w" });
    const average = new AveragedModel([w], { ema: 0.125 });
    average.updateParameters();
    w.data[0] = 0;
    for (let i = 0; i < 60; i++) average.updateParameters();
    expect(average.of(w)[0]).toBe(0);
  });
});

describe("swapped in", () => {
  test("parameters and averages change places, in place, and back", () => {
    const { w, average, step } = setUp();
    step();
    step();
    const view = w.data;
    const swap = average.swapIn();
    expect([[...view], average.isSwappedIn]).toEqual([[2.5, 6.5], true]);
    expect([...average.of(w)]).toEqual([2.5, 6.5]);
    swap.swapOut();
    expect([[...view], average.isSwappedIn]).toEqual([[2, 6], false]);
    expect([...average.of(w)]).toEqual([2.5, 6.5]);
    swap.swapOut(); // is no more than it says
    average.swapIn();
    swap.swapOut(); // of a swap that is over
    expect([...view]).toEqual([2.5, 6.5]);
    average.swapOut();
    expect([...view]).toEqual([2, 6]);
  });

  test("for a block, also one that throws", () => {
    const { w, average, step } = setUp();
    step();
    step();
    const evaluate = (): void => {
      using _ = average.swapIn();
      expect([...w.data]).toEqual([2.5, 6.5]);
      throw new RangeError("out of test data");
    };
    expect(evaluate).toThrow(RangeError);
    expect([...w.data]).toEqual([2, 6]);
  });

  test("large parameters whole, of both types, to the bit", () => {
    const all = [...noisyParameters([4096, 10_001, 0]), ...noisyParameters([4097], "float64")];
    const named = all.map((p, i) => parameter(p.data as Float32Array, { name: `w${i}` }));
    const average = new AveragedModel(named);
    average.updateParameters();
    for (const p of named) p.data.forEach((value, i) => (p.data[i] = value - 1));
    average.updateParameters();
    const [before, averages] = [named.map((p) => bits(p.data)), seen(average)];
    average.swapIn();
    expect(named.map((p) => bits(p.data))).toEqual(averages);
    average.swapOut();
    expect(named.map((p) => bits(p.data))).toEqual(before);
    expect(seen(average)).toEqual(averages);
  });

  test("parameters without an average so far stay as they are", () => {
    const { w, average, optimizer } = setUp();
    w.grad = [1, 1];
    average.swapIn();
    expect([...w.data]).toEqual([4, 8]);
    average.swapOut();
    optimizer.step();
    expect(average.nAveraged).toBe(1);
  });

  test("nothing trains, saves or averages them, and nothing changes", () => {
    const { w, b, average, optimizer, step } = setUp();
    const alone = new AveragedModel([w]);
    const dict = optimizer.stateDict();
    step();
    step();
    alone.updateParameters();
    w.grad = [1, 1];
    average.swapIn();
    const before = [...w.data, ...b.data];
    const refused: Record<string, () => unknown> = {
      step: () => optimizer.step(),
      stateDict: () => optimizer.stateDict(),
      loadStateDict: () => optimizer.loadStateDict(dict),
      "swapIn again": () => average.swapIn(),
      "swapIn of another": () => alone.swapIn(),
      "an update of another": () => alone.updateParameters(),
      "copyTo itself": () => average.copyTo(),
    };
    for (const [name, act] of Object.entries(refused)) {
      expect(act, name).toThrow(AverageError);
      expect(act, name).toThrow('parameter "w" with its average swapped in');
    }
    expect([...w.data, ...b.data]).toEqual(before);
    expect(alone.isSwappedIn).toBe(false);
    average.swapOut();
    expectUnchanged(optimizer, [w, b], () => average.swapOut());
    optimizer.step();
    expect(alone.of(w)[0]).toBe(2);
  });

  test("L-BFGS neither steps nor saves meanwhile, and may be averaged by itself", () => {
    const w = parameter([3, -2], { name: "w" });
    const average = new AveragedModel([w]);
    const optimizer = new LBFGS([w], { maxIter: 1 });
    const closure = (): number => {
      w.grad = w.data;
      return (w.data[0]! ** 2 + w.data[1]! ** 2) / 2;
    };
    const places: number[] = [];
    for (let step = 0; step < 3; step++) {
      optimizer.step(closure);
      average.updateParameters();
      places.push(w.data[0]!);
    }
    expect(average.of(w)[0]).toBeCloseTo((places[0]! + places[1]! + places[2]!) / 3, 6);
    average.swapIn();
    expect(() => optimizer.step(closure)).toThrow(AverageError);
    expect(() => optimizer.stateDict()).toThrow(AverageError);
    average.swapOut();
    expect(w.data[0]).toBe(places[2]);
    optimizer.step(closure);
  });

  test("a composite of optimizers takes no part of a step", () => {
    const { w, b, average, optimizer } = setUp();
    const other = parameter([1], { name: "other" });
    const first = new SGD([other], { lr: 1 });
    const composite = new CompositeOptimizer({ first, second: optimizer });
    for (const p of [w, b, other]) p.ensureGrad().fill(1);
    composite.step();
    average.swapIn();
    expectUnchanged(first, [w, b, other], () => composite.step());
    expect(() => composite.step()).toThrow(AverageError);
    average.swapOut();
    composite.step();
    expect(average.nAveraged).toBe(2);
  });

  test("nor does a step whose closure leaves them so", () => {
    const { w, b, average, optimizer, step } = setUp();
    step();
    step();
    const averages = seen(average);
    expect(() => optimizer.step(() => void average.swapIn())).toThrow(AverageError);
    expect([w, b].map((p) => bits(p.data))).toEqual(averages);
    average.swapOut();
    expect(
      optimizer.step(() => {
        using _ = average.swapIn();
        return w.data[0];
      }),
    ).toBe(2.5);
  });

  test("optimizers of other parameters are not held up", () => {
    const { average, step } = setUp();
    step();
    const other = setUp();
    average.swapIn();
    other.step();
    expect(other.average.nAveraged).toBe(1);
    average.swapOut();
  });
});

describe("copyTo", () => {
  test("for good, and into another model", () => {
    const { w, b, average, step } = setUp();
    step();
    step();
    const other = [parameter([0, 0]), parameter([0])];
    average.copyTo(other);
    expect(other.map((p) => [...p.data])).toEqual([[2.5, 6.5], [0.5]]);
    average.swapIn();
    other[0]!.data.fill(0);
    average.copyTo(other);
    expect([...other[0]!.data]).toEqual([2.5, 6.5]);
    average.swapOut();
    average.copyTo();
    expect([...w.data, ...b.data]).toEqual([2.5, 6.5, 0.5]);
  });

  test("what does not fit is left as it was", () => {
    const { average, step } = setUp();
    step();
    const other = [parameter([0, 0]), parameter([0], { dtype: "float64" })];
    expect(() => average.copyTo(other)).toThrow("AveragedModel: copyTo");
    expect(() => average.copyTo(other.slice(1))).toThrow("2 parameters");
    expect([...other[0]!.data]).toEqual([0, 0]);
  });
});

test("the average that a rule keeps can be swapped in: ASGD's ax", () => {
  const w = parameter([4], { name: "w" });
  const optimizer = new ASGD([w], { lr: 1, lambd: 0, t0: 1, alpha: 0 });
  for (let step = 0; step < 4; step++) {
    w.grad = [1];
    optimizer.step();
  }
  const average = AveragedModel.ofState(optimizer, "ax");
  expect([w.data[0], average.of(w)[0]]).toEqual([0, 0.5]);
  {
    using _ = average.swapIn();
    expect(w.data[0]).toBe(0.5);
    expect(() => optimizer.step()).toThrow(AverageError);
  }
  expect([w.data[0], average.of(w)[0]]).toEqual([0, 0.5]);
});

test("what is refused", () => {
  const w = () => parameter([1], { name: "w" });
  const of = (options: unknown) => () => new AveragedModel([w()], wrong(options));
  const inAdam = (make: (w: Parameter) => unknown) => () => {
    const mine = w();
    return new Adam([mine], { average: wrong<AveragedModel>(make(mine)) });
  };
  const used = (mine: Parameter) => {
    const average = new AveragedModel([mine]);
    average.updateParameters();
    return average;
  };
  const hosted = () => {
    const mine = w();
    const average = new AveragedModel([mine], { ema: 0.9 });
    return [mine, average, new Adam([mine], { average })] as const;
  };
  const taken = inAdam((mine) => {
    const average = new AveragedModel([mine]);
    new SGD([mine], { average });
    return average;
  });
  expect(
    refusals({
      "a decay above 1": of({ ema: 1.5 }),
      "a decay of NaN": of({ ema: NaN }),
      "a decay that is set": () => (hosted()[1].decay = -1),
      "a decay where there is none": () => (new AveragedModel([w()]).decay = 0.5),
      "a decay of getEmaAvgFn": () => getEmaAvgFn(2),
      "an unknown name": of({ decay: 0.9 }),
      "an average of an average": of({ average: new AveragedModel([w()]) }),
      "threads of none": of({ threads: 0 }),
      "a formula and ema": of({ ema: 0.9, avgFn: getSwaAvgFn() }),
      "a formula that is none": of({ avgFn: 3 }),
      "warmup without ema": of({ warmup: true }),
      "start below 0": of({ start: -1 }),
      "every of 0": of({ every: 0 }),
      "no options": of(3),
      "no parameters": () => new AveragedModel([]),
      "a parameter twice": () => {
        const mine = w();
        return new AveragedModel([mine, mine]);
      },
      "of another": () => hosted()[1].of(w()),
      "options in place of an average": inAdam(() => ({ ema: 0.9 })),
      "other parameters": inAdam(() => new AveragedModel([w()])),
      "more parameters": inAdam((mine) => new AveragedModel([mine, parameter([1], { name: "b" })])),
      "updated by itself before": inAdam(used),
      "in two optimizers": taken,
      "updateParameters beside an optimizer": () => hosted()[1].updateParameters(),
      "stateDict beside an optimizer": () => hosted()[1].stateDict(),
      "loadStateDict beside an optimizer": () => hosted()[1].loadStateDict(wrong({})),
      "a step of rows with an average in it": () => {
        const mine = parameter([1, 2], { name: "w" });
        const optimizer = new SGD([mine], { average: new AveragedModel([mine]) });
        mine.sparseGrad = { indices: [1], values: [1] };
        optimizer.step();
      },
      "an average in SparseAdam": () => {
        const mine = w();
        return new SparseAdam([mine], { average: new AveragedModel([mine]) });
      },
      "swapOut before swapIn": () => hosted()[1].swapOut(),
      "swapIn twice": () => {
        const [, average] = hosted();
        average.swapIn();
        average.swapIn();
      },
      "a step while swapped in": () => {
        const [, average, optimizer] = hosted();
        average.swapIn();
        optimizer.step();
      },
    }),
  ).toMatchInlineSnapshot(`
    {
      "a decay above 1": "OptionError BAD_OPTION: average: decay: got 1.5, expected a number from 0 to 1, such as 0.999.",
      "a decay of NaN": "OptionError BAD_OPTION: average: decay: got NaN, expected a number from 0 to 1, such as 0.999.",
      "a decay of getEmaAvgFn": "OptionError BAD_OPTION: average: decay: got 2, expected a number from 0 to 1, such as 0.999.",
      "a decay that is set": "OptionError BAD_OPTION: average: decay: got -1, expected a number from 0 to 1, such as 0.999.",
      "a decay where there is none": "OptionError BAD_OPTION: AveragedModel: decay: got 0.5, expected an average made with { ema }.",
      "a formula and ema": "OptionError BAD_OPTION: AveragedModel: avgFn: got a formula, and ema as well, expected one of them.",
      "a formula that is none": "OptionError BAD_OPTION: AveragedModel: avgFn: got 3, expected a function (average, p, n) => tensor.",
      "a parameter twice": "ParameterError DUPLICATE_PARAMETER: AveragedModel: parameter "w": got the same parameter twice, expected each parameter once, in one group. It would be updated twice in every step.",
      "a step of rows with an average in it": "GradientError SPARSE_GRADIENT: SGD: parameter "w": got a sparse gradient, expected a dense one. Set grad instead, or leave the average out and call updateParameters() after each step.",
      "a step while swapped in": "AverageError SWAPPED_IN: Adam: step: got parameter "w" with its average swapped in, expected the parameters themselves. Call swapOut() first, or let the block of \`using\` end.",
      "an average in SparseAdam": "AverageError SPARSE_ONLY: SparseAdam: average: got an average in a step that moves some rows alone, expected none. Leave it out, and call updateParameters() after each step.",
      "an average of an average": "OptionError UNKNOWN_OPTION: AveragedModel: "average": got an unknown name, expected one of ema, warmup, avgFn, start, every, foreach, compile, flushSubnormals, backend, threads.",
      "an unknown name": "OptionError UNKNOWN_OPTION: AveragedModel: "decay": got an unknown name, expected one of ema, warmup, avgFn, start, every, foreach, compile, flushSubnormals, backend, threads.",
      "every of 0": "OptionError BAD_OPTION: AveragedModel: every: got 0, expected a whole number from 1 on.",
      "in two optimizers": "AverageError IN_USE: Adam: average: got one that is part of an optimizer (SGD), expected a new one.",
      "loadStateDict beside an optimizer": "AverageError IN_OPTIMIZER: AveragedModel: loadStateDict: got an average that is part of an optimizer (Adam), expected a call of the optimizer's loadStateDict(), which holds it.",
      "more parameters": "AverageError OTHER_PARAMETERS: Adam: average: got one of parameter "b" too, expected an average of just the optimizer's parameters. For other parameters leave it out here, and call updateParameters() after each step.",
      "no options": "OptionError BAD_OPTION: AveragedModel: options: got 3, expected an object such as { ema: 0.999 }.",
      "no parameters": "ParameterError NO_PARAMS: AveragedModel: params: got [], expected at least one parameter.",
      "of another": "ParameterError UNKNOWN_PARAMETER: AveragedModel: of: got a Parameter, expected one of its parameters.",
      "options in place of an average": "OptionError BAD_OPTION: Adam: average: got an object {ema}, expected an average such as new AveragedModel(params, { ema: 0.999 }).",
      "other parameters": "AverageError OTHER_PARAMETERS: Adam: average: got one without parameter "w", expected an average of just the optimizer's parameters. For other parameters leave it out here, and call updateParameters() after each step.",
      "start below 0": "OptionError BAD_OPTION: AveragedModel: start: got -1, expected a whole number from 0 on.",
      "stateDict beside an optimizer": "AverageError IN_OPTIMIZER: AveragedModel: stateDict: got an average that is part of an optimizer (Adam), expected a call of the optimizer's stateDict(), which holds it.",
      "swapIn twice": "AverageError SWAPPED_IN: AveragedModel: swapIn: got parameter "w" with its average swapped in, expected the parameters themselves. Call swapOut() first, or let the block of \`using\` end.",
      "swapOut before swapIn": "AverageError NOT_SWAPPED_IN: AveragedModel: swapOut: got averages that are not swapped in, expected a call of swapIn() before.",
      "threads of none": "OptionError BAD_OPTION: AveragedModel: threads: got 0, expected a whole number from 1 to 64.",
      "updateParameters beside an optimizer": "AverageError IN_OPTIMIZER: AveragedModel: updateParameters: got an average that is part of an optimizer (Adam), expected updates by the optimizer's step() alone.",
      "updated by itself before": "AverageError IN_USE: Adam: average: got one that has been updated or loaded by itself, expected a new one.",
      "warmup without ema": "OptionError BAD_OPTION: AveragedModel: warmup: got true, expected ema beside it: it is the decay that grows.",
    }
  `);
});

test("a formula that is not pure, or returns no tensor, is refused and changes nothing", () => {
  const w = parameter([1], { name: "w" });
  let calls = 0;
  const formulas: AverageOptions["avgFn"][] = [
    (average) => average.mul(calls++),
    () => wrong(undefined),
    (average) => average.mul(NaN),
  ];
  for (const avgFn of formulas) {
    const average = new AveragedModel([w], { avgFn: avgFn! });
    const optimizer = new SGD([w], { average });
    w.grad = [1];
    optimizer.step(); // copies
    expectUnchanged(optimizer, [w], () => optimizer.step());
  }
});

test("a rule may return an object that cannot be extended", () => {
  const Frozen = defineOptimizer({
    name: "Frozen",
    hyper: { lr: 0.5 },
    step: ({ p, g }, { lr }) => Object.freeze({ p: p.sub(g.mul(lr)) }),
  });
  const w = parameter([1]);
  const average = new AveragedModel([w]);
  const optimizer = new Frozen([w], { average });
  w.grad = [1];
  optimizer.step();
  optimizer.step();
  expect(average.of(w)[0]).toBe(0.25);
});

test("a rule may have names of its own, but not those of averages", () => {
  const Clash = defineOptimizer({
    name: "Clash",
    hyper: { lr: 1 },
    state: { a: "param_average" },
    step: ({ p, a }) => ({ p, a }),
  });
  const w = parameter([1]);
  expect(() => new Clash([w], { average: new AveragedModel([w]) })).toThrow("param_average");
});

test("threads share in updates and give the same bits", async () => {
  const run = async (threads: number): Promise<string[]> => {
    const pool = new Pool({ worthWaking: 0 });
    const backend = new WasmBackend(true, pool);
    const all = noisyParameters([70_001, 5, 131_073]);
    const merged = new AveragedModel(all, { ema: 0.9 });
    const alone = new AveragedModel(all, { ema: 0.9, backend, threads });
    const optimizer = new Adam(all, { average: merged, backend, threads });
    for (let step = 0; step < 4; step++) {
      setNoisyGrads(all, step);
      optimizer.step();
      alone.updateParameters();
      if (threads > 1) await untilReady(pool, threads - 1);
    }
    if (threads > 1) expect(pool.jobs).toBeGreaterThan(2);
    pool.end();
    return [...seen(merged), ...seen(alone)];
  };
  const [one, three] = [await run(1), await run(3)];
  expect(three).toEqual(one);
  expect(one.slice(0, 3)).toEqual(one.slice(3));
});
