/**
 * State in bfloat16: as a plain reference has it, on every way to run alike, saved, loaded and counted; what
 * stochastic rounding does on average; and what it costs in precision.
 */
import { describe, expect, test, vi } from "vitest";
import { diceKey, diceOf, narrowBits, narrowBitsBy } from "../src/ir/bfloat16.ts";
import { Pool } from "../src/backend/threads/pool.ts";
import { WasmBackend } from "../src/backend/wasm/backend.ts";
import {
  Adam,
  Adafactor,
  AveragedModel,
  LBFGS,
  parameter,
  SGD,
  type Optimizer,
  type Parameter,
} from "../src/index.ts";
import { explain } from "../src/cli/explain.ts";
import { Arena } from "../src/memory/arena.ts";
import { ways } from "./helpers/backends.ts";
import { bits, expectUnchanged, imprint } from "./helpers/bits.ts";
import { createTask, goldenCases, takeStep } from "./helpers/golden.ts";
import { noise, noisyParameters, ruleCases, setNoisyGrads } from "./helpers/rules.ts";
import { untilReady } from "./helpers/threads.ts";

const word = new Uint32Array(1);
const number = new Float32Array(word.buffer);
/** A float32 from its bits. */
const ofBits = (hex: number): number => ((word[0] = hex), number[0]!);
const bitsOf = (x: number): number => ((number[0] = x), word[0]!);

/** The nearest bfloat16 by arithmetic on numbers, not on bits. */
function nearest(x: number): number {
  if (x === 0 || !Number.isFinite(x)) return x;
  const exponent = Math.max(-126, Math.floor(Math.log2(Math.abs(x))));
  const unit = 2 ** (exponent - 7);
  const below = Math.floor(x / unit);
  const rest = x / unit - below;
  const up = rest > 0.5 || (rest === 0.5 && below % 2 !== 0);
  const rounded = (below + Number(up)) * unit;
  return Math.abs(rounded) >= 2 ** 128 ? Math.sign(x) * Infinity : rounded;
}

describe("rounding", () => {
  const cases = [
    ["what is exact", 0x3f800000, 0x3f800000],
    ["a tie, to the even one below", 0x3f808000, 0x3f800000],
    ["a tie, to the even one above", 0x3f818000, 0x3f820000],
    ["just above a tie", 0x3f808001, 0x3f810000],
    ["just below a tie", 0xbf817fff, 0xbf810000],
    ["into the next exponent", 0x3fffffff, 0x40000000],
    ["beyond the largest", 0x7f7fffff, 0x7f800000],
    ["infinity", 0xff800000, 0xff800000],
    ["NaN of any bits", 0x7f800001, 0x7fc00000],
    ["NaN below zero", 0xffffffff, 0x7fc00000],
    ["a subnormal", 0x00018000, 0x00020000],
    ["minus zero", 0x80000000, 0x80000000],
  ] as const;
  test.each(cases)("%s", (_, from, to) => {
    expect(narrowBits(from | 0) >>> 0).toBe(to);
  });

  test("as by arithmetic", () => {
    const next = noise(7);
    for (let i = 0; i < 20_000; i++) {
      const x = Math.fround(next() * 2 ** (i % 250) * 2 ** -125);
      expect(ofBits(narrowBits(bitsOf(x) | 0))).toBe(nearest(x));
    }
  });

  test("by dice to either neighbour, on average to the number itself", () => {
    const key = diceKey(bitsOf(1), 2);
    for (const x of [1.001, -0.3337, 7.7e-12, 1 + 2 ** -7]) {
      const from = bitsOf(x);
      const unit = Math.abs(
        ofBits(((from & 0xffff0000) + 0x10000) >>> 0) - ofBits((from & 0xffff0000) >>> 0),
      );
      let sum = 0;
      const seen = new Set<number>();
      const n = 1 << 16;
      for (let i = 0; i < n; i++) {
        const y = ofBits(narrowBitsBy(from | 0, diceOf(i, key)));
        seen.add(y);
        sum += (y - Math.fround(x)) / unit;
      }
      expect([...seen].every((y) => Math.abs(y - x) <= unit)).toBe(true);
      expect(seen.size).toBe(x === 1 + 2 ** -7 ? 1 : 2);
      // Four standard deviations of the mean of n throws of a coin.
      expect(Math.abs(sum / n)).toBeLessThan(4 * 0.5 * n ** -0.5);
    }
    expect(narrowBitsBy(0x7f800001, 0) >>> 0).toBe(0x7fc00000);
    expect(narrowBitsBy(0xff800000 | 0, 0xffff) >>> 0).toBe(0xff800000);
  });
});

const roundings = ["nearest", "stochastic"] as const;
const inBfloat16 = (stateRounding: (typeof roundings)[number]) =>
  ({ stateDtype: "bfloat16", stateRounding }) as const;

describe.each(roundings)("%s, bit for bit on every way to run", (rounding) => {
  test.each(ruleCases)("$title", ({ create }) => {
    const run = (options: object): Record<string, unknown> => {
      const all = noisyParameters([5, 130, 70, 1, 611]);
      const optimizer = create(all, { ...options, ...inBfloat16(rounding) });
      for (let step = 0; step < 8; step++) {
        setNoisyGrads(all, step);
        if (step === 2) all[1]!.grad = null;
        optimizer.step({ zeroGrad: step % 2 === 0 });
      }
      return imprint(optimizer, all);
    };
    const oracle = run(ways[0]!.options);
    for (const { name, options } of ways.slice(1)) expect(run(options), name).toEqual(oracle);
  });

  test.each(["SparseAdam", "SGD-sparse", "Adagrad-sparse"] as const)("%s", (name) => {
    for (const golden of goldenCases(name).filter(({ dtype }) => dtype === "float32")) {
      const run = (options: object): Record<string, unknown> => {
        const task = createTask(name, golden, { ...options, ...inBfloat16(rounding) } as object);
        golden.grads.forEach((_, index) => takeStep(task, golden, index));
        return imprint(task.optimizer, Object.values(task.parameters));
      };
      const oracle = run(ways[0]!.options);
      for (const way of ways.slice(1)) expect(run(way.options), way.name).toEqual(oracle);
    }
  });

  const shared = ["Adam", "SGD", "Muon", "Balanced", "Normed"].map((name) =>
    ruleCases.filter((each) => each.name === name).at(name === "SGD" ? 1 : 0)!,
  );
  test.each(shared)("on several threads, $title", async ({ create }) => {
    const run = async (threads: number): Promise<Record<string, unknown>> => {
      const pool = new Pool({ worthWaking: 0 });
      const all = noisyParameters([70_001, 5, 131_073]);
      const backend = new WasmBackend(true, pool);
      const optimizer = create(all, { backend, threads, ...inBfloat16(rounding) });
      for (let step = 0; step < 4; step++) {
        setNoisyGrads(all, step);
        const held = pool.jobs;
        optimizer.step();
        if (threads > 1) await untilReady(pool, threads - 1);
        if (threads > 1 && step === 3) expect(pool.jobs).toBeGreaterThan(held);
      }
      pool.end();
      return imprint(optimizer, all);
    };
    expect(await run(3)).toEqual(await run(1));
  });
});

/** A step of a reference over one element, in float32; what it remembers is rounded at its end. */
type Reference = (g: number, t: number) => number;
const f = Math.fround;

const references = {
  Adam: (): Reference => {
    let [p, m, v] = [f(0.5), 0, 0];
    const [lr, b1, b2, eps] = [1e-2, 0.9, 0.999, 1e-8];
    const power = (base: number, t: number) => Array<number>(t).fill(base);
    const product = (factors: number[]) => factors.reduce((a, b) => a * b, 1);
    return (g, t) => {
      const mean = f(m + f(f(g - m) * f(1 - b1)));
      const square = f(f(v * f(b2)) + f(f(g * f(1 - b2)) * g));
      const root = f(f(Math.sqrt(square)) * f(1 / Math.sqrt(1 - product(power(b2, t)))));
      const rate = f(lr / (1 - product(power(b1, t))));
      p = f(p - f(f(mean / f(root + f(eps))) * rate));
      [m, v] = [nearest(mean), nearest(square)];
      return p;
    };
  },
  SGD: (): Reference => {
    let [p, m] = [f(0.5), 0];
    return (g, t) => {
      const moved = t === 1 ? g : f(f(m * f(0.9)) + g);
      p = f(p - f(moved * f(1e-2)));
      m = nearest(moved);
      return p;
    };
  },
};

const create = {
  Adam: (p: Parameter, options: object) => new Adam([p], { lr: 1e-2, ...options }),
  SGD: (p: Parameter, options: object) => new SGD([p], { lr: 1e-2, momentum: 0.9, ...options }),
};
const names = ["Adam", "SGD"] as const;
const halves = (size: number): Parameter =>
  parameter(new Float32Array(size).fill(0.5), { name: "w" });

function train(optimizer: Optimizer, w: Parameter, from: number, to: number): void {
  for (let t = from; t <= to; t++) {
    setNoisyGrads([w], t);
    optimizer.step();
  }
}

describe.each(names)("%s", (name) => {
  test("is what a plain reference computes, to the bit", () => {
    const w = halves(37);
    const optimizer = create[name](w, { stateDtype: "bfloat16" });
    const expected = Array.from({ length: 37 }, references[name]);
    for (let t = 1; t <= 30; t++) {
      train(optimizer, w, t, t);
      const wanted = Float32Array.from(expected, (take, i) => take(w.grad![i]!, t));
      expect(w.data).toEqual(wanted);
    }
  });

  test.each(roundings)("%s: continues from a state dict bit for bit", (rounding) => {
    const [w, other] = [halves(301), halves(301)];
    const whole = create[name](w, inBfloat16(rounding));
    train(whole, w, 1, 5);
    const saved = structuredClone(whole.stateDict());
    other.data.set(w.data);
    const resumed = create[name](other, inBfloat16(rounding));
    resumed.loadStateDict(saved);
    expect(imprint(resumed, [])).toEqual(imprint(whole, []));
    train(whole, w, 6, 12);
    train(resumed, other, 6, 12);
    expect(imprint(resumed, [other])).toEqual(imprint(whole, [w]));
  });

  test.each(roundings)("%s: state goes to float32 and back", (rounding) => {
    const w = halves(70);
    const [narrow, wide] = [create[name](w, inBfloat16(rounding)), create[name](w, {})];
    train(narrow, w, 1, 3);
    wide.loadStateDict(narrow.stateDict());
    const slots = (optimizer: Optimizer) =>
      Object.values(optimizer.stateDict().state["w"]!).filter((value) => typeof value !== "number");
    expect(slots(wide)).toEqual(slots(narrow));
    train(wide, w, 4, 6);
    narrow.loadStateDict(wide.stateDict());
    slots(narrow).forEach((values, i) => {
      expect(values).toEqual(slots(wide)[i]!.map(nearest));
      expect(values).not.toEqual(slots(wide)[i]);
    });
  });
});

describe("precision", () => {
  // How far apart two runs of 200 steps are, of ways of up to 2 (Adam) and 20 (SGD) altogether.
  const bounds = { Adam: { most: 0.04, mean: 1e-3 }, SGD: { most: 0.05, mean: 4e-3 } };
  test.each(names.flatMap((name) => roundings.map((rounding) => [name, rounding] as const)))(
    "%s, %s: close to float32",
    (name, rounding) => {
      const [w, exact] = [halves(500), halves(500)];
      train(create[name](w, inBfloat16(rounding)), w, 1, 200);
      train(create[name](exact, {}), exact, 1, 200);
      const apart = [...w.data].map((x, i) => Math.abs(x - exact.data[i]!));
      const { most, mean } = bounds[name];
      expect(Math.max(...apart)).toBeLessThan(most);
      expect(apart.reduce((sum, x) => sum + x, 0) / apart.length).toBeLessThan(mean);
      expect(Math.max(...apart)).toBeGreaterThan(1e-4);
    },
  );

  test("an average that changes by less than 1/512 of itself stands still, unless dice are thrown", () => {
    const size = 4096;
    const meanAfter = (options: object): number => {
      const w = halves(size);
      const optimizer = new Adam([w], { betas: [0.9, 0.999], ...options });
      w.ensureGrad().fill(1);
      optimizer.step();
      const { state, ...rest } = optimizer.stateDict();
      const ones = new Float32Array(size).fill(1);
      optimizer.loadStateDict({ ...rest, state: { w: { ...state["w"], exp_avg_sq: ones } } });
      w.grad!.fill(0.5);
      for (let step = 0; step < 500; step++) optimizer.step();
      const { exp_avg_sq: v } = optimizer.state(w) as Record<string, Float32Array>;
      return v!.reduce((sum, x) => sum + x, 0) / size;
    };
    expect(meanAfter(inBfloat16("nearest"))).toBe(1);
    const truth = 0.25 + 0.75 * 0.999 ** 500;
    expect(meanAfter({})).toBeCloseTo(truth, 4);
    // An element strays by about a hundredth, the mean of 4,096 by a 64th of that.
    expect(Math.abs(meanAfter(inBfloat16("stochastic")) - truth)).toBeLessThan(1e-3);
  });
});

describe("what it takes", () => {
  const bytesOf = (name: string, options: object) =>
    explain(name, { hyper: {}, dtype: "float32", t: 2, ...options }).bytes;

  test.each([
    ["adam", {}, 20, 28],
    ["adam", { hyper: { amsgrad: true } }, 24, 36],
    ["sgd", { hyper: { momentum: 0.9 } }, 16, 20],
    ["sgd", {}, 12, 12],
    ["muon", {}, 16, 20],
    ["adafactor", { vector: true }, 16, 20],
  ])("%s %o: %i instead of %i bytes for each parameter and step", (name, options, few, many) => {
    expect(bytesOf(name, { ...options, stateDtype: "bfloat16" })).toBe(few);
    expect(bytesOf(name, options)).toBe(many);
  });

  test("memory for state is half as much", () => {
    const allocate = vi.spyOn(Arena.prototype, "allocate");
    const w = halves(1 << 14);
    train(new Adam([w], inBfloat16("nearest")), w, 1, 1);
    const large = allocate.mock.calls.map(([bytes]) => bytes).filter((bytes) => bytes >= 1 << 14);
    allocate.mockRestore();
    expect(large).toEqual([1 << 16, 1 << 16, 1 << 15, 1 << 15]);
  });

  test("state that grows when parameters are added moves along", () => {
    const all = noisyParameters([70, 33, 5]);
    new SGD(all);
    const optimizer = new Adam([all[1]!], inBfloat16("stochastic"));
    train(optimizer, all[1]!, 1, 2);
    const before = optimizer.stateDict().state;
    optimizer.addParamGroup({ params: [all[0]!, all[2]!] });
    expect(optimizer.stateDict().state).toEqual(before);
  });
});

describe("what stays in float32", () => {
  test("rows, columns and averages of parameters", () => {
    const w = noisyParameters([[12, 9]])[0]!;
    const average = new AveragedModel([w], { ema: 0.9 });
    const optimizer = new Adafactor([w], { average, ...inBfloat16("nearest") });
    train(optimizer, w, 1, 3);
    const state = optimizer.state(w) as Record<string, Float32Array>;
    for (const name of ["row_var", "col_var", "param_average"]) {
      expect(state[name]!.map(nearest), name).not.toEqual(state[name]);
    }
    const mean = state["param_average"]!.slice();
    average.swapIn();
    expect(w.data).toEqual(mean);
    average.swapOut();
  });

  test("state() copies what lies in bfloat16, and nothing else", () => {
    const w = halves(5);
    const average = new AveragedModel([w]);
    const optimizer = new Adam([w], { average, ...inBfloat16("nearest") });
    train(optimizer, w, 1, 1);
    const state = optimizer.state(w) as Record<string, Float32Array>;
    const [m, mean] = [state["exp_avg"]!.slice(), state["param_average"]!.slice()];
    train(optimizer, w, 2, 2);
    expect(state["exp_avg"]).toEqual(m);
    expect(state["param_average"]).not.toEqual(mean);
    expect(optimizer.state(w)["exp_avg"]).not.toEqual(m);
  });
});

test("NaN and infinite gradients give the same bits on every way", () => {
  const run = (options: object): string[] => {
    const w = halves(70);
    const optimizer = new Adam([w], { ...options, ...inBfloat16("stochastic") });
    for (let step = 0; step < 3; step++) {
      const g = w.ensureGrad();
      setNoisyGrads([w], step);
      [g[3], g[40], g[69], g[8]] = [NaN, Infinity, -Infinity, 1e30];
      optimizer.step();
    }
    const { exp_avg: m, exp_avg_sq: v } = optimizer.state(w) as Record<string, Float32Array>;
    expect([m![3], v![40], v![8], Number.isFinite(m![8]!)]).toEqual([
      NaN,
      Infinity,
      Infinity,
      true,
    ]);
    return [bits(w.data), bits(m!), bits(v!)];
  };
  const oracle = run(ways[0]!.options);
  for (const { name, options } of ways.slice(1)) expect(run(options), name).toEqual(oracle);
});

describe("refusals", () => {
  const w = parameter([1, 2], { name: "w" });
  const wide = parameter([1, 2], { name: "wide", dtype: "float64" });
  test.each([
    [
      () => new Adam([w], { stateDtype: "float16" } as never),
      "BAD_OPTION",
      'Adam: stateDtype: got "float16", expected "same" or "bfloat16".',
    ],
    [
      () => new Adam([w], { stateDtype: "bfloat16", stateRounding: "up" } as never),
      "BAD_OPTION",
      'Adam: stateRounding: got "up", expected "nearest" or "stochastic".',
    ],
    [
      () => new Adam([w], { stateRounding: "stochastic" }),
      "BAD_OPTION",
      'Adam: stateRounding: got "stochastic", expected it beside stateDtype: "bfloat16".',
    ],
    [
      () => new Adam([w, wide], { stateDtype: "bfloat16" }),
      "DTYPE_MISMATCH",
      'Adam: parameter "wide": got "float64", expected "float32", as stateDtype is "bfloat16". ' +
        'Leave stateDtype out, or make the parameter with { dtype: "float32" }.',
    ],
    [() => new LBFGS([w], { stateDtype: "bfloat16" } as never), "UNKNOWN_OPTION", "LBFGS"],
    [
      () => new AveragedModel([w], { stateDtype: "bfloat16" } as never),
      "UNKNOWN_OPTION",
      "AveragedModel",
    ],
  ])("%s", (act, code, message) => {
    let thrown: unknown;
    try {
      act();
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code });
    expect((thrown as Error).message).toContain(message);
    expect(w.home).toBeNull();
  });

  test("a float64 parameter that is added later changes nothing", () => {
    const p = parameter([1, 2], { name: "p" });
    const optimizer = new Adam([p], inBfloat16("nearest"));
    train(optimizer, p, 1, 2);
    expectUnchanged(optimizer, [p], () => optimizer.addParamGroup({ params: [wide] }));
    expect(optimizer.paramGroups).toHaveLength(1);
    expect(wide.home).toBeNull();
  });
});
