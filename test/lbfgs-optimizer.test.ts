/**
 * LBFGS as an optimizer: what it refuses, what an error leaves behind, state dicts, threads, and that
 * it neither compiles nor allocates once its history is full.
 */
import { afterEach, describe, expect, test, vi } from "vitest";
import { Pool } from "../src/backend/threads/pool.ts";
import { WasmBackend } from "../src/backend/wasm/backend.ts";
import {
  Adam,
  LBFGS,
  parameter,
  type LBFGSOptions,
  type Parameter,
  type StateDict,
} from "../src/index.ts";
import { Arena, limits } from "../src/memory/arena.ts";
import type { OptimizerLike } from "../src/optim/common.ts";
import { backends } from "./helpers/backends.ts";
import { bits, expectUnchanged, imprint } from "./helpers/bits.ts";
import { createProblem, type LbfgsTask } from "./helpers/lbfgs.ts";
import { refusals, wrong } from "./helpers/refusals.ts";
import { untilReady } from "./helpers/threads.ts";

const wolfe = { lineSearchFn: "strong_wolfe" } as const;
const both = [{}, wolfe] as const;
const logistic = (options: LBFGSOptions = {}) => createProblem("logistic", "float64", options);
const allBits = (all: readonly Parameter[]) => all.map((p) => bits(p.data));

afterEach(() => {
  vi.restoreAllMocks();
});

test("what is refused", () => {
  const w = () => parameter([1, 2], { name: "w" });
  const made = (options: unknown) => () => new LBFGS([w()], wrong(options));
  const of = (params: unknown) => () => new LBFGS(wrong(params));
  const stepping = (closure: unknown, ...rest: unknown[]) => {
    const p = w();
    p.grad = [1, 1];
    const optimizer = new LBFGS([p]);
    return () =>
      (optimizer.step as (...args: unknown[]) => unknown).call(optimizer, closure, ...rest);
  };
  const changed = (change: object) => {
    const { optimizer, closure } = logistic();
    Object.assign(optimizer.paramGroups[0], change);
    return () => optimizer.step(closure);
  };
  expect(
    refusals({
      "two groups": of([{ params: [w()] }, { params: [parameter([1])] }]),
      "no parameters": of([]),
      "an empty group": of([{ params: [] }]),
      "a parameter twice": () => {
        const p = w();
        return new LBFGS([p, p]);
      },
      "lr negative": made({ lr: -1 }),
      "maxIter 0": made({ maxIter: 0 }),
      "maxIter 2.5": made({ maxIter: 2.5 }),
      "maxEval a text": made({ maxEval: "9" }),
      "historySize infinite": made({ historySize: Infinity }),
      "toleranceGrad NaN": made({ toleranceGrad: NaN }),
      "an unknown line search": made({ lineSearchFn: "armijo" }),
      "an unknown option": made({ momentum: 0.9 }),
      "PyTorch's spelling": made({ max_iter: 3 }),
      "a plan": made({ foreach: false }),
      "threads 0": made({ threads: 0 }),
      "no closure": stepping(undefined),
      "options for a closure": stepping({ gradScale: 2 }),
      "no loss": stepping(() => undefined),
      "a promise": stepping(() => Promise.resolve(1)),
      "a loss that is not finite": stepping(() => NaN),
      "lr made negative": changed({ lr: -1 }),
      "a line search that is none": changed({ lineSearchFn: undefined }),
    }),
  ).toMatchInlineSnapshot(`
    {
      "PyTorch's spelling": "OptionError UNKNOWN_OPTION: LBFGS: "max_iter": got an unknown name, expected one of lr, maxIter, maxEval, toleranceGrad, toleranceChange, historySize, lineSearchFn, backend, threads. Did you mean maxIter?",
      "a line search that is none": "OptionError BAD_HYPERPARAMETER: LBFGS: paramGroups[0].lineSearchFn: got undefined, expected "strong_wolfe" or null.",
      "a loss that is not finite": "GradientError NON_FINITE: LBFGS: loss: got NaN, expected a finite number. Take a smaller lr, or lineSearchFn: "strong_wolfe", which turns back before such points.",
      "a parameter twice": "ParameterError DUPLICATE_PARAMETER: LBFGS: parameter "w": got the same parameter twice, expected each parameter once, in one group. It would be updated twice in every step.",
      "a plan": "OptionError UNKNOWN_OPTION: LBFGS: "foreach": got an unknown name, expected one of lr, maxIter, maxEval, toleranceGrad, toleranceChange, historySize, lineSearchFn, backend, threads.",
      "a promise": "OptionError ASYNC_CLOSURE: LBFGS: closure: got a promise, expected a loss. Call stepAsync() instead.",
      "an empty group": "ParameterError NO_PARAMS: LBFGS: params: got [], expected at least one parameter.",
      "an unknown line search": "OptionError BAD_HYPERPARAMETER: LBFGS: lineSearchFn: got "armijo", expected "strong_wolfe" or null.",
      "an unknown option": "OptionError UNKNOWN_OPTION: LBFGS: "momentum": got an unknown name, expected one of lr, maxIter, maxEval, toleranceGrad, toleranceChange, historySize, lineSearchFn, backend, threads.",
      "historySize infinite": "OptionError BAD_HYPERPARAMETER: LBFGS: historySize: got Infinity, expected a finite number in [1, inf).",
      "lr made negative": "OptionError BAD_HYPERPARAMETER: LBFGS: paramGroups[0].lr: got -1, expected a finite number in [0, inf).",
      "lr negative": "OptionError BAD_HYPERPARAMETER: LBFGS: lr: got -1, expected a finite number in [0, inf).",
      "maxEval a text": "OptionError BAD_HYPERPARAMETER: LBFGS: maxEval: got "9", expected a finite number in [1, inf).",
      "maxIter 0": "OptionError BAD_HYPERPARAMETER: LBFGS: maxIter: got 0, expected a finite number in [1, inf).",
      "maxIter 2.5": "OptionError BAD_HYPERPARAMETER: LBFGS: maxIter: got 2.5, expected a whole number.",
      "no closure": "OptionError BAD_OPTION: LBFGS: closure: got undefined, expected a function that returns the loss.",
      "no loss": "OptionError BAD_LOSS: LBFGS: what the closure returned: got undefined, expected the loss, a number.",
      "no parameters": "ParameterError NO_PARAMS: LBFGS: params: got [], expected at least one parameter.",
      "options for a closure": "OptionError BAD_OPTION: LBFGS: closure: got an object {gradScale}, expected a function that returns the loss.",
      "threads 0": "OptionError BAD_OPTION: LBFGS: threads: got 0, expected a whole number from 1 to 64.",
      "toleranceGrad NaN": "OptionError BAD_HYPERPARAMETER: LBFGS: toleranceGrad: got NaN, expected a finite number in [0, inf).",
      "two groups": "ParameterError ONE_GROUP: LBFGS: params: got 2 groups, expected one group. Its direction is one for all parameters; put them into one list.",
    }
  `);
});

describe("an error in the middle takes back the iteration in which it happens", () => {
  const failure = new Error("the GPU is gone");
  /** Fails in evaluation `at`, by throwing or by what it returns or writes. */
  const failing = (task: LbfgsTask, at: number, how: string) => {
    let calls = 0;
    return (): number => {
      const loss = task.closure();
      if (++calls !== at) return loss;
      if (how === "throws") throw failure;
      if (how === "gradient") task.all[0]!.grad![1] = Infinity;
      return how === "NaN" ? NaN : how === "no number" ? wrong(undefined) : loss;
    };
  };

  test.each([
    { options: {}, how: "throws" },
    { options: {}, how: "NaN" },
    { options: {}, how: "gradient" },
    { options: {}, how: "no number" },
    { options: wolfe, how: "throws" },
    { options: wolfe, how: "no number" },
  ])("$options, $how", ({ options, how }) => {
    // One iteration a step gives each place where an iteration ends.
    const iterates: string[][] = [];
    const slow = logistic({ ...options, maxIter: 1 });
    iterates.push(allBits(slow.all));
    for (let step = 0; step < 30; step++) {
      slow.optimizer.step(slow.closure);
      iterates.push(allBits(slow.all));
    }
    for (let at = 1; at < 12; at++) {
      const task = logistic({ ...options, maxIter: 12, maxEval: 40 });
      expect(() => task.optimizer.step(failing(task, at, how))).toThrow();
      expect(iterates).toContainEqual(allBits(task.all));
      const { state } = task.optimizer.stateDict();
      const iterations = (state["weight"]?.["n_iter"] as number | undefined) ?? 0;
      expect(allBits(task.all)).toEqual(iterates[iterations]);
      if (iterations > 0) expect(state["weight"]!["t"]).toBe(0);
      // And from there it goes on as if nothing had been.
      task.optimizer.paramGroups[0].maxIter = 5;
      task.optimizer.step(task.closure);
      expect(allBits(task.all)).toEqual(iterates[iterations + 5]);
    }
  });

  test("what the closure throws is passed on, and is not caught in the search", () => {
    for (const options of both) {
      const task = logistic(options);
      expect(() => task.optimizer.step(failing(task, 2, "throws"))).toThrow(failure);
    }
  });

  test("nothing has changed if it happens in the first evaluation", () => {
    const task = logistic();
    task.optimizer.step(task.closure);
    for (const how of ["throws", "NaN", "gradient", "no number"]) {
      const dict = task.optimizer.stateDict();
      const before = allBits(task.all);
      expect(() => task.optimizer.step(failing(task, 1, how))).toThrow();
      expect(task.optimizer.stateDict()).toEqual(dict);
      expect(allBits(task.all)).toEqual(before);
    }
  });

  test("parameters whose memory is sent away are missed, and come to no harm", () => {
    for (const options of both) {
      const task = logistic(options);
      let calls = 0;
      const closure = () => {
        const loss = task.closure();
        const { data } = task.all[2]!;
        if (++calls === 3) structuredClone(data, { transfer: [data.buffer as ArrayBuffer] });
        return loss;
      };
      const before = task.all[0]!.data.slice();
      expect(() => task.optimizer.step(closure)).toThrow('parameter "bias": got no values');
      expect(task.all[0]!.data).not.toEqual(before);
      expect(task.optimizer.stateDict().state["weight"]).toMatchObject({
        n_iter: 2,
        func_evals: 3,
      });
    }
  });

  test("also in the middle of a line search", () => {
    const task = logistic({ ...wolfe, lr: 100 });
    let calls = 0;
    const closure = () => {
      const loss = task.closure();
      const { data } = task.all[2]!;
      if (++calls === 2) structuredClone(data, { transfer: [data.buffer as ArrayBuffer] });
      return loss;
    };
    expect(() => task.optimizer.step(closure)).toThrow('parameter "bias": got no values');
    expect(calls).toBe(2);
  });

  test("steps within steps are refused", () => {
    const { optimizer, closure } = logistic();
    expect(() => optimizer.step(() => optimizer.step(closure))).toThrow("in the middle of a step");
    optimizer.step(closure);
  });

  test("what a closure sets in the group counts from the next step on", () => {
    const { optimizer, closure, calls } = logistic({ maxIter: 6 });
    const [group] = optimizer.paramGroups;
    optimizer.step(() => {
      Object.assign(group, { maxIter: 1, lr: -1 });
      return closure();
    });
    expect(calls()).toBe(6);
    expect(() => optimizer.step(closure)).toThrow("paramGroups[0].lr: got -1");
  });

  test("a gradient that is not finite is called by its name", () => {
    const task = logistic();
    expect(() => task.optimizer.step(failing(task, 1, "gradient"))).toThrow(
      'LBFGS: gradient of parameter "weight": got Infinity, expected a finite number.',
    );
  });
});

test("a line search turns back from where the loss is not finite", () => {
  // -log(2 - x) - log x has its minimum at 1, and is none from 2 on
  const w = parameter([0.5], { name: "w", dtype: "float64" });
  const seen: number[] = [];
  const closure = (): number => {
    const x = w.data[0]!;
    seen.push(x);
    w.grad = [1 / (2 - x) - 1 / x];
    return -Math.log(2 - x) - Math.log(x);
  };
  const optimizer = new LBFGS([w], { ...wolfe, lr: 1000 });
  for (let step = 0; step < 8; step++) optimizer.step(closure);
  expect(w.data[0]).toBeCloseTo(1, 6);
  expect(Math.max(...seen)).toBeGreaterThan(500);
});

test("parameters are where the last move ended: at x + t·d", () => {
  for (const options of [{}, ...[2, 3, 4, 6].map((maxEval) => ({ ...wolfe, lr: 8, maxEval }))]) {
    const task = createProblem("rosenbrock", "float64", { ...options, maxIter: 1 });
    for (let step = 0; step < 12; step++) {
      const before = task.all[0]!.data.slice();
      task.optimizer.step(task.closure);
      const { t, d } = task.optimizer.stateDict().state["x"] as { t: number; d: Float64Array };
      expect([...task.all[0]!.data]).toEqual([...before].map((x, i) => x + t * d[i]!));
    }
  }
});

describe("a step is done", () => {
  const w = () => parameter([1, 2], { name: "w", dtype: "float64" });

  test("when the loss does not change, though parameters do", () => {
    const p = w();
    let calls = 0;
    new LBFGS([p]).step(() => {
      p.grad = [++calls, 1];
      return 5;
    });
    expect(calls).toBe(2);
  });

  test("when parameters do not change, though the loss does", () => {
    const p = w();
    let calls = 0;
    new LBFGS([p], { lr: 1e-12 }).step(() => {
      p.grad = [1, ++calls];
      return calls;
    });
    expect(calls).toBe(2);
  });
});

describe("state dicts", () => {
  test.each([{ options: {} }, { options: wolfe }, { options: { ...wolfe, historySize: 2 } }])(
    "a run that was saved and loaded goes on bit for bit: $options",
    ({ options }) => {
      const one = logistic({ ...options, maxIter: 4 });
      one.optimizer.step(one.closure);
      one.optimizer.step(one.closure);
      const dict = structuredClone(one.optimizer.stateDict());
      const other = logistic();
      other.all.forEach((p, i) => (p.data = one.all[i]!.data.slice()));
      other.optimizer.loadStateDict(dict);
      expect(imprint(other.optimizer, [])).toEqual(imprint(one.optimizer, []));
      for (let step = 0; step < 3; step++) {
        one.optimizer.step(one.closure);
        other.optimizer.step(other.closure);
        expect(imprint(other.optimizer, other.all)).toEqual(imprint(one.optimizer, one.all));
      }
    },
  );

  test("hold what PyTorch's hold, under its names", () => {
    const { optimizer, closure } = logistic({ maxIter: 3, maxEval: 9 });
    expect(optimizer.stateDict().state).toEqual({});
    optimizer.step(closure);
    const dict = optimizer.stateDict();
    expect(Object.keys(dict.state)).toEqual(["weight"]);
    const state = dict.state["weight"]!;
    const shown = Object.entries(state).map(([name, value]) =>
      typeof value === "number" ? name : `${name}: ${value.length}`,
    );
    expect(shown).toEqual([
      "func_evals",
      "n_iter",
      "d: 17",
      "t",
      "old_dirs: 34",
      "old_stps: 34",
      "ro: 2",
      "H_diag",
      "prev_flat_grad: 17",
      "prev_loss",
    ]);
    expect(state).toMatchObject({ func_evals: 3, n_iter: 3, t: 1 });
    const [s, y] = [state["old_stps"] as Float64Array, state["old_dirs"] as Float64Array];
    const curvature = s.subarray(17).reduce((sum, value, i) => sum + value * y[17 + i]!, 0);
    expect((state["ro"] as Float64Array)[1]! * curvature).toBeCloseTo(1, 12);
    expect(dict.paramGroups[0]).toMatchObject({
      lr: 1,
      maxIter: 3,
      maxEval: 9,
      toleranceGrad: 1e-7,
      toleranceChange: 1e-9,
      historySize: 100,
      lineSearchFn: null,
    });
  });

  test("are copies", () => {
    const { optimizer, closure } = logistic({ maxIter: 3 });
    optimizer.step(closure);
    const dict = optimizer.stateDict();
    const before = structuredClone(dict);
    optimizer.step(closure);
    expect(dict).toEqual(before);
    optimizer.loadStateDict(dict);
    optimizer.step(closure);
    expect(dict).toEqual(before);
  });

  test("one without a step makes it begin anew", () => {
    const { optimizer, closure, all } = logistic({ maxIter: 3 });
    const fresh = optimizer.stateDict();
    optimizer.step(closure);
    const first = allBits(all);
    optimizer.loadStateDict(fresh);
    expect(optimizer.stateDict()).toEqual(fresh);
    all.forEach((p) => p.data.fill(p.name === "unused" ? 1 : 0));
    optimizer.step(closure);
    expect(allBits(all)).toEqual(first);
  });

  const spoil: Record<string, (dict: never) => void> = {
    "another optimizer": (dict: { optimizer: string }) => (dict.optimizer = "Adam"),
    "two groups": (dict: { paramGroups: unknown[] }) => dict.paramGroups.push(dict.paramGroups[0]),
    "parameters in another order": (dict: { paramGroups: [{ params: unknown[] }] }) => {
      dict.paramGroups[0].params = dict.paramGroups[0].params.toReversed();
    },
    "a bad hyperparameter": (dict: { paramGroups: [{ maxIter: number }] }) =>
      (dict.paramGroups[0].maxIter = 0.5),
    "state of another parameter": (dict: { state: object }) =>
      Object.assign(dict.state, { bias: { func_evals: 1, n_iter: 0 } }),
  };
  const wrongState: Record<string, object> = {
    "no count": { n_iter: undefined },
    "a broken count": { func_evals: 1.5 },
    "d too short": { d: new Float64Array(3) },
    "d of another type": { d: new Float32Array(17) },
    "an odd history": { old_dirs: new Float64Array(17) },
    "ro negative": { ro: new Float64Array([1, -1]) },
    "ro a list": { ro: [1, 1] },
    "t infinite": { t: Infinity },
    "H_diag 0": { H_diag: 0 },
    "a stranger": { al: 1 },
  };

  test("that do not fit are refused, and nothing changes", () => {
    const { optimizer, closure, all } = logistic({ maxIter: 3, maxEval: 9 });
    optimizer.step(closure);
    const dict = () => structuredClone(optimizer.stateDict());
    const acts: Record<string, () => void> = {};
    for (const [name, change] of Object.entries(spoil)) {
      acts[name] = () => {
        const bad = dict();
        change(bad as never);
        optimizer.loadStateDict(bad);
      };
    }
    for (const [name, change] of Object.entries(wrongState)) {
      acts[name] = () => {
        const bad = dict();
        Object.assign(bad.state["weight"]!, change);
        optimizer.loadStateDict(bad);
      };
    }
    for (const act of Object.values(acts)) expectUnchanged(optimizer, all, act);
    expect(refusals(acts)).toMatchInlineSnapshot(`
      {
        "H_diag 0": "StateDictError STATE_MISMATCH: LBFGS: state: H_diag: got 0, expected a finite number > 0.",
        "a bad hyperparameter": "OptionError BAD_HYPERPARAMETER: LBFGS: maxIter: got 0.5, expected a finite number in [1, inf).",
        "a broken count": "StateDictError STATE_MISMATCH: LBFGS: state: func_evals: got 1.5, expected a whole number.",
        "a stranger": "StateDictError STATE_MISMATCH: LBFGS: state: got "al", expected only func_evals, n_iter, d, t, old_dirs, old_stps, ro, H_diag, prev_flat_grad, prev_loss.",
        "an odd history": "StateDictError STATE_MISMATCH: LBFGS: state: old_dirs: got Float64Array(17), expected a Float64Array of 34 elements.",
        "another optimizer": "StateDictError STATE_MISMATCH: LBFGS: optimizer of the state dict: got "Adam", expected "LBFGS".",
        "d of another type": "StateDictError STATE_MISMATCH: LBFGS: state: d: got Float32Array(17), expected a Float64Array of 17 elements.",
        "d too short": "StateDictError STATE_MISMATCH: LBFGS: state: d: got Float64Array(3), expected a Float64Array of 17 elements.",
        "no count": "StateDictError STATE_MISMATCH: LBFGS: state: n_iter: got undefined, expected a whole number.",
        "parameters in another order": "StateDictError STATE_MISMATCH: LBFGS: paramGroups[0].params: got ["bias", "unused", "weight"], expected the order ["weight","unused","bias"].",
        "ro a list": "StateDictError STATE_MISMATCH: LBFGS: state: ro: got [1, 1], expected a Float64Array of finite numbers > 0.",
        "ro negative": "StateDictError STATE_MISMATCH: LBFGS: state: ro: got Float64Array(2), expected a Float64Array of finite numbers > 0.",
        "state of another parameter": "StateDictError STATE_MISMATCH: LBFGS: state: got "bias", expected only that under "weight".",
        "t infinite": "StateDictError STATE_MISMATCH: LBFGS: state: t: got Infinity, expected a finite number ≥ 0.",
        "two groups": "StateDictError STATE_MISMATCH: LBFGS: paramGroups: got 2 groups, expected 1.",
      }
    `);
  });
});

describe("the same bits", () => {
  /** Σ cᵢ·(xᵢ - 1)²/2 over all parameters. */
  const bowl = (all: readonly Parameter[]) => (): number => {
    let loss = 0;
    all.forEach((p, k) => {
      const grad = p.ensureGrad({ zero: false });
      const { data } = p;
      for (let i = 0; i < data.length; i++) {
        const scale = 1 + ((7 * i + k) % 13);
        const rest = data[i]! - 1;
        loss += (scale * rest * rest) / 2;
        grad[i] = scale * rest;
      }
    });
    return loss;
  };
  const zerosOf = (sizes: readonly number[], dtype: "float32" | "float64" = "float32") =>
    sizes.map((size, i) => parameter({ shape: [size], name: `w${i}`, dtype }));

  test("from 1, 2 and 3 threads", async () => {
    const results: string[][] = [];
    for (const threads of [1, 2, 3]) {
      const pool = new Pool({ worthWaking: 0 });
      const all = zerosOf([150_001, 3, 40_000]);
      const backend = new WasmBackend(true, pool);
      const optimizer = new LBFGS(all, { ...wolfe, maxIter: 3, backend, threads });
      for (let step = 0; step < 3; step++) {
        optimizer.step(bowl(all));
        if (threads > 1) await untilReady(pool, threads - 1);
      }
      expect(pool.jobs > 0).toBe(threads > 1);
      optimizer.dispose();
      expect(pool.size).toBe(0);
      results.push(allBits(all));
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  test("wherever the parameters lie, and whoever holds them too", () => {
    const run = (prepare: (all: readonly Parameter[]) => unknown): string[] => {
      const task = createProblem("logistic", "float32", { maxIter: 6 }, prepare as never);
      for (let step = 0; step < 2; step++) task.optimizer.step(task.closure);
      return allBits(task.all);
    };
    const alone = run(() => {});
    expect(run((all) => new Adam(all.toReversed()))).toEqual(alone);
    expect(run((all) => all.map((p) => new Adam([p])))).toEqual(alone);
    const narrow = limits.narrow;
    try {
      limits.narrow = 3 * 65_536;
      expect(run((all) => new Adam(all))).toEqual(alone);
    } finally {
      limits.narrow = narrow;
    }
  });

  test("parameters of both types go together, in float64", () => {
    const [a] = zerosOf([3], "float32");
    const [b] = zerosOf([2], "float64");
    Object.assign(b!, { name: "b" });
    const all = [a!, b!];
    const optimizer = new LBFGS(all, wolfe);
    for (let step = 0; step < 5; step++) optimizer.step(bowl(all));
    expect([...a!.data]).toEqual([1, 1, 1].map((x) => expect.closeTo(x, 4)));
    expect([...b!.data]).toEqual([1, 1].map((x) => expect.closeTo(x, 4)));
    expect(optimizer.stateDict().state["w0"]!["d"]).toBeInstanceOf(Float64Array);
  });
});

describe("the history", () => {
  test("takes memory as it fills, then no more; and nothing is compiled", () => {
    const allocate = vi.spyOn(Arena.prototype, "allocate");
    const Module = vi.spyOn(WebAssembly, "Module");
    const task = createProblem("rosenbrock10", "float64", {
      ...wolfe,
      historySize: 3,
      maxIter: 2,
      backend: new WasmBackend(),
    });
    for (let step = 0; step < 8; step++) task.optimizer.step(task.closure);
    const [allocations, modules] = [allocate.mock.calls.length, Module.mock.calls.length];
    for (let step = 0; step < 20; step++) task.optimizer.step(task.closure);
    expect(modules).toBe(7);
    expect(Module).toHaveBeenCalledTimes(modules);
    expect(allocate).toHaveBeenCalledTimes(allocations);
    expect(task.optimizer.stateDict().state["x"]!["ro"]).toHaveLength(3);
  });

  test("forgets the oldest when its size is set to less, and may grow again", () => {
    const { optimizer, closure } = createProblem("rosenbrock10", "float64", {
      ...wolfe,
      maxIter: 6,
    });
    const pairs = () => optimizer.stateDict().state["x"]!["ro"] as Float64Array;
    optimizer.step(closure);
    const before = pairs();
    expect(before).toHaveLength(5);
    optimizer.paramGroups[0].historySize = 2;
    optimizer.paramGroups[0].maxIter = 1;
    optimizer.step(closure);
    expect(pairs()).toHaveLength(2);
    expect(pairs()[0]).toBe(before[4]);
    optimizer.paramGroups[0].historySize = 4;
    for (let step = 0; step < 3; step++) optimizer.step(closure);
    expect(pairs()).toHaveLength(4);
  });

  test("of large parameters wants a smaller size, in words", () => {
    const narrow = limits.narrow;
    const wide = limits.wide;
    try {
      limits.narrow = 10 * 65_536;
      limits.wide = 0;
      const w = parameter({ shape: [5000], name: "w" });
      const closure = () => {
        w.grad = w.data.map((x, i) => (x - 1) * (1 + (i % 7)));
        return w.data.reduce((sum, x, i) => sum + ((x - 1) ** 2 * (1 + (i % 7))) / 2, 0);
      };
      const optimizer = new LBFGS([w], { ...wolfe, maxIter: 1 });
      const loop = () => {
        for (let step = 0; step < 60; step++) optimizer.step(closure);
      };
      expect(Object.values(refusals({ loop }))).toMatchInlineSnapshot(`
        [
          "BackendError OUT_OF_MEMORY: LBFGS: history: got no memory for two more vectors of 5000 elements, expected room for 11 pairs of them. Take a smaller historySize.",
        ]
      `);
      expect(w.data.every((x) => Math.abs(x - 1) < 0.5)).toBe(true);
    } finally {
      limits.narrow = narrow;
      limits.wide = wide;
    }
  });
});

describe("stepAsync", () => {
  test.each(both)("does as step does: %o", async (options) => {
    const [now, later] = [logistic(options), logistic(options)];
    for (let step = 0; step < 2; step++) {
      const loss = now.optimizer.step(now.closure);
      const awaited = later.optimizer.stepAsync(() => Promise.resolve().then(later.closure));
      expect(() => later.optimizer.step(later.closure)).toThrow("in the middle of a step");
      expect(() => later.optimizer.stateDict()).toThrow("in the middle of a step");
      await expect(later.optimizer.stepAsync(later.closure)).rejects.toThrow("one after it");
      expect(await awaited).toBe(loss);
    }
    expect(imprint(later.optimizer, later.all)).toEqual(imprint(now.optimizer, now.all));
  });

  test("takes back an iteration whose closure rejects", async () => {
    const task = logistic(wolfe);
    let calls = 0;
    const start = allBits(task.all);
    const closure = async (): Promise<number> => {
      if (++calls === 2) throw new Error("device lost");
      return task.closure();
    };
    await expect(task.optimizer.stepAsync(closure)).rejects.toThrow("device lost");
    expect(allBits(task.all)).toEqual(start);
    expect(await task.optimizer.stepAsync(closure)).toBeCloseTo(Math.log(3), 12);
  });
});

describe("as all optimizers", () => {
  test("it is one, prints itself, and forgets gradients", () => {
    const { optimizer, closure, all } = logistic(wolfe);
    const any: OptimizerLike = optimizer;
    expect(any.step(closure)).toBeCloseTo(Math.log(3), 12);
    expect(all[0]!.grad).not.toBeNull();
    any.zeroGrad({ setToNull: false });
    expect([...all[2]!.grad!]).toEqual([0, 0, 0]);
    any.zeroGrad();
    expect(all.map((p) => p.grad)).toEqual([null, null, null]);
    expect(String(any)).toMatchInlineSnapshot(`
      "LBFGS (
      Parameter Group 0
          historySize: 100
          lineSearchFn: "strong_wolfe"
          lr: 1
          maxEval: 25
          maxIter: 20
          toleranceChange: 1e-9
          toleranceGrad: 1e-7
      )"
    `);
    any.dispose();
  });

  test("it calls hooks, around awaited steps as well", async () => {
    const { optimizer, closure } = logistic();
    const seen: string[] = [];
    optimizer.registerStepPreHook(() => void seen.push("before"));
    optimizer.registerStepPostHook(() => void seen.push("after"));
    const noted = () => {
      seen.push("closure");
      return closure();
    };
    optimizer.paramGroups[0].maxIter = 1;
    optimizer.step(noted);
    await optimizer.stepAsync(async () => noted());
    expect(seen).toEqual(["before", "closure", "after", "before", "closure", "after"]);
  });

  test("a learning rate that changes counts from the next step on", () => {
    const run = (lr: number): number => {
      const { optimizer, closure, all } = createProblem("quadratic", "float64", { maxIter: 1 });
      optimizer.step(closure);
      const before = all[0]!.data[3]!;
      optimizer.paramGroups[0].lr = lr;
      optimizer.step(closure);
      return all[0]!.data[3]! - before;
    };
    expect(run(0.25)).toBeCloseTo(run(1) / 4, 12);
    expect(run(0)).toBe(0);
  });

  test("a parameter without a gradient counts as one with zeros, and does not move", () => {
    const { optimizer, closure, all } = logistic(wolfe);
    const step = () => {
      const loss = closure();
      all[2]!.grad = null;
      return loss;
    };
    optimizer.step(step);
    expect([...all[2]!.data]).toEqual([0, 0, 0]);
    expect(all[0]!.data.some((x) => x !== 0)).toBe(true);
  });

  test("the interpreter may run it", () => {
    expect(new LBFGS([parameter([1])], { backend: backends.interp }).backend).toBe("interp");
  });

  test("it is done at once where the gradient is small", () => {
    const { optimizer, closure, all, calls } = logistic({ toleranceGrad: 10 });
    const before = allBits(all);
    optimizer.step(closure);
    expect(calls()).toBe(1);
    expect(allBits(all)).toEqual(before);
    const dict: StateDict = optimizer.stateDict();
    expect(dict.state["weight"]).toEqual({ func_evals: 1, n_iter: 0 });
    optimizer.loadStateDict(dict);
    expect(optimizer.stateDict()).toEqual(dict);
  });
});
