/** The benchmark measures right steps, fairly, and says what came out. Nothing here looks at times. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DOMParser } from "linkedom";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { benchCommand, type BenchOptions } from "../../src/cli/bench/bench-command.ts";
import { sayings } from "../../src/bench/report.ts";
import { isMet } from "../../src/cli/bench/check.ts";
import { levelSizes, runChecks } from "../../src/cli/bench/checks.ts";
import { benchedOptimizers, type Contender, type Workload } from "../../src/bench/contender.ts";
import { adamBeside, plans } from "../../src/bench/downhill.ts";
import { compare, patience, type Comparison, type Measured } from "../../src/bench/measure.ts";
import { findNative } from "../../src/cli/bench/native/index.ts";
import { findNodePeers } from "../../src/cli/bench/node-peers.ts";
import { findPyTorch } from "../../src/cli/bench/pytorch.ts";
import { agrees, summarize } from "../../src/bench/statistics.ts";
import { ruleCells } from "../../src/bench/rules-report.ts";
import { checkOptimizers } from "../../src/cli/bench/check-optimizers.ts";
import { subjectOf } from "../../src/bench/subject.ts";
import { handWritten } from "../../src/bench/typescript.ts";
import { gradients, startValues, timed } from "../../src/bench/values.ts";
import { evenly, flat, matrices, perceptron } from "../../src/bench/workload.ts";

const small = perceptron(3, 5);

const usualPatience = { ...patience };
beforeAll(() => void Object.assign(patience, { turn: 1, warmUp: 50 }));
afterAll(() => void Object.assign(patience, usualPatience));

describe("statistics", () => {
  test("median and quartiles", () => {
    expect(summarize([5, 1, 3])).toEqual({ median: 3, lower: 2, upper: 4 });
    expect(summarize([2])).toEqual({ median: 2, lower: 2, upper: 2 });
    expect(summarize([1, 2, 3, 10])).toEqual({ median: 2.5, lower: 1.75, upper: 4.75 });
  });

  test("halves that agree and halves that do not", () => {
    expect(agrees([1, 2, 3, 1, 2, 3])).toBe(true);
    expect(agrees([1, 1.1, 1.05, 2, 2.1, 2.05])).toBe(false);
    expect(agrees([100, 100, 101, 101])).toBe(true);
    expect(agrees([1])).toBe(false);
  });
});

test("workloads", () => {
  expect(perceptron(2, 3)).toEqual({
    title: "2 layers of width 3",
    sizes: [9, 3, 9, 3],
    parameters: 24,
  });
  const article = perceptron(2000, 32);
  expect([article.sizes.length, article.parameters]).toEqual([4000, 2_112_000]);
  expect(flat(7).sizes).toEqual([7]);
  expect(evenly(10, 4)).toMatchObject({ sizes: [2, 3, 2, 3], parameters: 10 });
});

/** The largest difference of two rows' parameters after some steps, against the largest value. */
async function difference(
  a: Contender,
  b: Contender,
  optimizer: (typeof benchedOptimizers)[number],
) {
  const values = await Promise.all(
    [a, b].map(async (contender) => {
      const runner = await contender.prepare(optimizer, small);
      if (typeof runner === "string") throw new Error(runner);
      const times = await runner.run(5);
      expect(times).toHaveLength(5);
      const all = (await runner.values!()).flatMap((tensor) => [...tensor]);
      await runner.close();
      return all;
    }),
  );
  return Math.max(...values[0]!.map((value, i) => Math.abs(value - values[1]![i]!)));
}

describe("all rows take the same step", async () => {
  const native = await findNative(2);
  const rows = [handWritten[0]!, ...plans(2), ...native.contenders].filter(
    ({ key }) => key !== "best",
  );

  test("the C compiler and koffi are there", () => {
    if (process.env["DOWNHILL_REQUIRE_ALL"]) expect(native.versions[0]!.found).toBe(true);
    const keys = native.contenders.map(({ key }) => key);
    const usual = native.versions[0]!.found ? ["native-1", "native"] : [];
    expect(keys.slice(0, 2)).toEqual(usual);
    // Compilers for other processors do not know the flag.
    if (process.arch === "x64" && native.versions[0]!.found) {
      expect(keys.slice(2)).toEqual(["native-128-1", "native-128"]);
    }
  });

  test.each(benchedOptimizers)("%s", async (optimizer) => {
    for (const row of rows) {
      expect(await difference(handWritten[1]!, row, optimizer), row.key).toBeLessThan(1e-6);
    }
  });

  test("the article's best is SGD, and nothing else", async () => {
    const best = plans(1).find(({ key }) => key === "best")!;
    expect(await difference(handWritten[1]!, best, "sgd")).toBeLessThan(1e-6);
    expect(await best.prepare("adam", small)).toBe("the article has it for SGD only");
  });
});

describe("rows take turns", () => {
  beforeAll(() => void (patience.turn = usualPatience.turn));
  afterAll(() => void (patience.turn = 1));

  const fake = (key: string, log: string[], fails = false): Contender => ({
    key,
    label: key,
    family: "typescript",
    threads: 1,
    prepare: () =>
      Promise.resolve({
        run: (steps) => {
          log.push(key);
          if (fails && log.length > 20) return Promise.reject(new Error("it broke"));
          return Promise.resolve(new Float64Array(steps).fill(key === "slow" ? 4 : 2));
        },
        close: () => Promise.resolve(void log.push(`${key} closed`)),
      }),
  });

  test("in an order that rotates", async () => {
    const log: string[] = [];
    const rows = [fake("fast", log), fake("slow", log)];
    const result = await compare(rows, "sgd", flat(1000), 4);
    expect(log.slice(-10).join(" ")).toBe(
      "fast slow slow fast fast slow slow fast fast closed slow closed",
    );
    expect(
      result.rows.map(({ ms, steady, gigabytesPerSecond }) => [
        ms.median,
        steady,
        gigabytesPerSecond,
      ]),
    ).toEqual([
      [2, true, 0.006],
      [4, true, 0.003],
    ]);
  });

  test("a slow one sits rounds out", async () => {
    const log: string[] = [];
    const slow: Contender = {
      ...fake("heavy", log),
      prepare: () =>
        Promise.resolve({
          run: async (steps) => {
            await new Promise((settle) => setTimeout(settle, 100));
            log.push("heavy");
            return new Float64Array(steps).fill(750);
          },
          close: () => Promise.resolve(),
        }),
    };
    const { rows } = await compare([fake("fast", log), slow], "sgd", flat(10), 15);
    expect(rows.map(({ steps }) => steps)).toEqual([150, 5]);
    expect(log.slice(-9).join(" ")).toBe("heavy fast fast fast fast heavy fast fast fast closed");
  });

  test("one that would never end is left out", async () => {
    const log: string[] = [];
    const endless: Contender = {
      ...fake("endless", log),
      prepare: () =>
        Promise.resolve({
          run: (steps) => Promise.resolve(new Float64Array(steps).fill(33333)),
          close: () => Promise.resolve(void log.push("closed")),
        }),
    };
    const { missing } = await compare([endless], "sgd", flat(10), 2);
    expect(missing.map(({ reason }) => reason)).toEqual(["not measured: a step takes 33.3 s"]);
    expect(log).toEqual(["closed"]);
  });

  test("one that fails is left out with its reason", async () => {
    const log: string[] = [];
    const refusing: Contender = { ...fake("no", log), prepare: () => Promise.resolve("not here") };
    const rows = [fake("fast", log), fake("broken", log, true), refusing];
    const result = await compare(rows, "sgd", flat(10), 20);
    expect(result.rows.map(({ key }) => key)).toEqual(["fast"]);
    expect(result.missing.map(({ key, reason }) => [key, reason])).toEqual([
      ["no", "not here"],
      ["broken", "it broke"],
    ]);
  });
});

test("what the figures say", () => {
  const row = (key: string, family: Measured["family"], median: number, threads = 1) =>
    ({
      key,
      label: key,
      family,
      threads,
      ms: { median, lower: median, upper: median },
    }) as Measured;
  const rows = [
    row("plain", "typescript", 12),
    row("fused-1", "downhill", 2),
    row("fused", "downhill", 1, 2),
    row("native-1", "native", 1.9),
    row("native", "native", 0.9, 2),
    row("pytorch-foreach", "pytorch", 30),
    row("pytorch-article", "pytorch", 60),
    row("tfjs-wasm", "tfjs", 700),
    row("tfjs-cpu", "tfjs", 800),
    row("jaxjs-jit", "jaxjs", 900),
  ];
  expect(sayings({ optimizer: "adam", rows, missing: [] })).toMatchInlineSnapshot(`
    [
      "adam, fused against PyTorch's fastest (pytorch-foreach): 30 times as fast",
      "adam, fused against TensorFlow.js's fastest (tfjs-wasm): 700 times as fast",
      "adam, fused against jax-js's fastest (jaxjs-jit): 900 times as fast",
      "adam, fused against the plain loop: 12 times as fast",
      "adam, fused-1: 0.95 of the speed of native-1",
      "adam, fused: 0.9 of the speed of native",
    ]
  `);
});

describe("checks", () => {
  test("a figure is held against its limit from the right side", () => {
    const check = { title: "", measured: 2, limit: 3, atLeast: false, unit: "times" };
    expect([check, { ...check, atLeast: true }].map(isMet)).toEqual([true, false]);
    expect([check, { ...check, atLeast: true }].map((c) => isMet({ ...c, limit: 2 }))).toEqual([
      true,
      true,
    ]);
  });

  test("sizes lie well within one level of memory", () => {
    const [l1, l2, l3] = [48 << 10, 2 << 20, 64 << 20];
    const levels = levelSizes([l1, l2, l3], 16, 1e9);
    expect(levels.map(({ level }) => level)).toEqual([
      "level 1 cache",
      "level 2 cache",
      "level 3 cache",
      "main memory",
    ]);
    const bytes = levels.map(({ sizes }) => [16 * sizes[0]!, 16 * sizes.at(-1)!]);
    expect(bytes[0]![1]).toBeLessThanOrEqual(l1 / 2);
    expect(bytes[1]![0]).toBeGreaterThanOrEqual(2 * l1 - 16);
    expect(bytes[3]![0]).toBeGreaterThanOrEqual(2 * l3 - 16);
    expect(bytes[3]![1]).toBeLessThanOrEqual(1e9);
    expect(levelSizes([l1, l2, l3], 16, l3).map(({ level }) => level)).not.toContain("main memory");
    expect(levelSizes([], 16, 1e9).map(({ level }) => level)).toEqual(["main memory"]);
  });

  test("each is measured, small as it may be", async () => {
    const rules = ["sgd", "asgd"];
    const sizes = { layers: 2, mostBytes: 1, rounds: 2, still: 64, large: 64, rules };
    const checks = await runChecks(1, [], null, () => {}, sizes);
    expect(checks.every(({ measured }) => Number.isFinite(measured))).toBe(true);
    const titles = checks.map(({ title }) => title.split(": ")[1]);
    expect(
      titles.filter((title) => title === "4 tensors against one of the same size"),
    ).toHaveLength(benchedOptimizers.length);
    expect(checks.find(({ unit }) => unit === "jobs")?.measured).toBe(0);
    expect(titles.filter((title) => title === "a step")).toHaveLength(2);
    expect(titles.filter((title) => title === "bytes per second against Adam's")).toHaveLength(2);
    expect(titles.filter((title) => title?.includes("zero gradient"))).toHaveLength(
      benchedOptimizers.length,
    );
  });
});

describe("the command", () => {
  const options: BenchOptions = {
    optimizers: ["sgd", "adam"],
    layers: 3,
    width: 4,
    size: undefined,
    matrices: undefined,
    rows: ["plain", "fused-1"],
    sweep: undefined,
    checks: false,
    backend: "wasm",
    hostCost: false,
    rounds: 2,
    threads: 1,
    out: "",
    json: true,
  };

  /** Runs the command; the files that it wrote, and what it printed. */
  async function run(changed: BenchOptions): Promise<Record<string, string>> {
    const out = mkdtempSync(join(tmpdir(), "downhill-"));
    const said: string[] = [];
    const spies = [process.stdout, process.stderr].map((stream) =>
      vi.spyOn(stream, "write").mockImplementation((text) => said.push(String(text)) > 0),
    );
    try {
      await benchCommand({ ...changed, out });
      const files = readdirSync(out).map((name) => [name, readFileSync(join(out, name), "utf8")]);
      return { ...(Object.fromEntries(files) as Record<string, string>), said: said.join("") };
    } finally {
      for (const spy of spies) spy.mockRestore();
      rmSync(out, { recursive: true });
    }
  }

  test("writes JSON and Markdown", async () => {
    const found = await run(options);
    expect(Object.keys(found)).toEqual(["bench.json", "bench.md", "bench.svg", "said"]);
    const bench = JSON.parse(found["bench.json"]!) as {
      comparisons: { rows: { key: string }[] }[];
    };
    expect(bench.comparisons.map(({ rows }) => rows.map(({ key }) => key))).toEqual([
      ["plain", "fused-1"],
      ["plain", "fused-1"],
    ]);
    expect(found["said"]).toContain(found["bench.json"]);
    expect(found["bench.md"]).toContain("3 layers of width 4: 6 tensors, 60 parameters.");
  });

  test("draws what it measured, with the limit as a line", async () => {
    const found = await run({ ...options, rows: ["plain", "fused-1", "native-1"] });
    const svg = new DOMParser().parseFromString(found["bench.svg"]!, "image/svg+xml");
    const text = svg.documentElement.textContent!;
    expect(text).toContain("One optimizer step: 3 layers of width 4");
    for (const label of ["TypeScript, plain loop", "Downhill, fused, 1 thread"]) {
      expect(text.split(label)).toHaveLength(3);
    }
    if ((await findNative(1)).bandwidth) expect(text).toContain("the memory's bandwidth");
  });

  test("sweeps the size and the number of tensors", async () => {
    const rows = ["plain", "fused-1"];
    const sizes = await run({ ...options, rows, sweep: "size", size: 1000 });
    expect(sizes["sweep-size.md"]!.match(/^\| (10|31|100|316|1,000) /gm)).toHaveLength(10);
    expect(sizes["sweep-size.svg"]).toContain("The cost of a parameter against how many there are");
    const tensors = await run({
      ...options,
      rows,
      sweep: "tensors",
      size: 100,
      optimizers: undefined,
    });
    const record = JSON.parse(tensors["sweep-tensors.json"]!) as {
      sweeps: { optimizer: string; points: { x: number }[] }[];
    };
    expect(
      record.sweeps.map(({ optimizer, points }) => [optimizer, points.map(({ x }) => x)]),
    ).toEqual([
      ["sgd", [1, 10, 100]],
      ["adam", [1, 10, 100]],
    ]);
  });

  test("measures every rule, and matrices", async () => {
    const rows = ["fused-1"];
    const found = await run({ ...options, optimizers: ["all"], rows });
    expect(found["bench.md"]!.match(/^\| (sgd|rprop|nadam) \|/gm)).toHaveLength(6);
    const some = await run({ ...options, optimizers: ["muon"], rows, matrices: [2, 3, 4] });
    expect(some["bench.md"]).toContain("2 matrices of 3 x 4: 2 tensors, 24 parameters.");
  });

  test("refuses what there is not", async () => {
    await expect(benchCommand({ ...options, optimizers: ["lion"] })).rejects.toThrow(
      /^--optimizers: got "lion", expected all, or some of sgd, momentum, rmsprop, adam, adamw, adagrad, /,
    );
    await expect(benchCommand({ ...options, rows: ["fused-9"] })).rejects.toThrow(
      '--rows: got "fused-9", expected some of temporaries, plain, loop,',
    );
    await expect(benchCommand({ ...options, sweep: "threads" })).rejects.toThrow(
      '--sweep: got "threads", expected size or tensors.',
    );
  });
});

describe("every rule", () => {
  test("what it moves is read off its plan", () => {
    const found = ["sgd", "momentum", "adam", "radam", "asgd"].map((name) => subjectOf(name));
    expect(found.map(({ bytes, traffic, workingSet }) => [bytes, traffic, workingSet])).toEqual([
      [12, 12, 8],
      [20, 20, 12],
      [28, 28, 16],
      [28, 28, 16],
      [16, 20, 12], // ax is only written, so its lines are read for that
    ]);
    const all = checkOptimizers(["all"]);
    expect(all.slice(0, 6)).toEqual([...benchedOptimizers, "adagrad"]);
    expect(all).not.toContain("muon");
  });

  test("is measured beside Adam", async () => {
    const found = await compareAll(["adam", "asgd"], small);
    const { head, rows } = ruleCells(found);
    expect(head).toEqual([
      "fused",
      "bytes per parameter",
      "GB/s, 1 thread",
      "against Adam's",
      "PyTorch's fastest takes",
    ]);
    expect(rows.map(([name, bytes]) => [name, bytes])).toEqual([
      ["adam", "28"],
      ["asgd", "20"],
    ]);
    const nanoseconds = found[1]!.rows.map((row) => row.nanosecondsPerParameter);
    const ratio = 20 / nanoseconds[0]! / (28 / nanoseconds[1]!);
    expect(Number(rows[1]![3]) / ratio).toBeCloseTo(1, 2);
    expect(sayings(found[1]!)).toEqual([
      expect.stringMatching(/^asgd, .*: [\d.]+ of Adam's bytes per second$/),
    ]);
    expect(sayings(found[0]!)).toEqual([]);
  });

  async function compareAll(names: readonly string[], workload: Workload) {
    const found: Comparison[] = [];
    const fused = plans(1).find(({ key }) => key === "fused-1");
    for (const name of names) {
      const beside = name === "adam" ? [] : adamBeside([fused!]);
      found.push(await compare([fused!, ...beside], name, workload, 2));
    }
    return found;
  }

  test("rows that have only some say so", async () => {
    const native = await findNative(1);
    for (const row of [...handWritten, ...native.contenders, ...findNodePeers().rows]) {
      expect(await row.prepare("nadam", small), row.key).toMatch(
        /^it is written for sgd, .* only$/,
      );
    }
  });

  test("matrices are stepped by Muon", async () => {
    const fused = plans(1).find(({ key }) => key === "fused-1");
    const workload = matrices(3, 4, 6);
    expect([workload.sizes, workload.parameters]).toEqual([[24, 24, 24], 72]);
    const runner = await fused!.prepare("muon", workload);
    if (typeof runner === "string") throw new Error(runner);
    const before = (await runner.values!()).map((values) => values.slice());
    await runner.run(1);
    expect(await runner.values!()).not.toEqual(before);
    await runner.close();
  });
});

describe("peers in Node processes", () => {
  const { rows, versions } = findNodePeers();

  test("are there", () => {
    expect(versions.map(({ name, found }) => [name, found])).toEqual([
      ["TensorFlow.js", true],
      ["jax-js", true],
    ]);
    for (const { version } of versions) expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  });

  /** RMSprop as TensorFlow.js has it. */
  const epsInsideRoot: Contender = {
    ...handWritten[1]!,
    prepare: (_, workload) => {
      const p = startValues(workload);
      const g = gradients(workload);
      const square = p.map(({ length }) => new Float32Array(length));
      const step = () =>
        p.forEach((values, k) => {
          for (let i = 0; i < values.length; i++) {
            const gi = g[k]![i]!;
            square[k]![i] = 0.99 * square[k]![i]! + 0.01 * gi * gi;
            values[i]! -= (0.01 * gi) / Math.sqrt(square[k]![i]! + 1e-16);
          }
        });
      return Promise.resolve({
        run: (steps) => Promise.resolve(timed(step, steps)),
        close: () => Promise.resolve(),
        values: () => p,
      });
    },
  };

  test.each(rows.map((row) => [row.key, row] as const))("%s takes our steps", async (key, row) => {
    const lacking = key.startsWith("tfjs") ? "adamw" : "rmsprop";
    for (const optimizer of benchedOptimizers) {
      if (optimizer === lacking) continue;
      const isRooted = optimizer === "rmsprop" && key.startsWith("tfjs");
      const known = isRooted ? epsInsideRoot : handWritten[1]!;
      expect(await difference(known, row, optimizer), optimizer).toBeLessThan(1e-6);
    }
    expect(await row.prepare(lacking, small)).toContain(` has no ${lacking}`);
  });

  test("one that takes too long is ended and named, and what takes longer is not tried", async () => {
    const hasty = findNodePeers(1).rows.find(({ key }) => key === "tfjs-cpu")!;
    const reasons = [await hasty.prepare("sgd", small), await hasty.prepare("adam", small)];
    expect(reasons).toEqual([
      "not measured: a step was not done after 0.001 s",
      "not measured: a step of sgd already took too long",
    ]);
  });
});

test("PyTorch's rows, where it is", async () => {
  const { rows, version } = findPyTorch();
  if (process.env["DOWNHILL_REQUIRE_ALL"]) expect(version.found).toBe(true);
  for (const row of rows.filter(({ key }) => key !== "pytorch-fused")) {
    const runner = await row.prepare("sgd", small);
    if (row.key === "pytorch-compile" && version.version.startsWith("1.")) {
      expect(runner).toBe(`PyTorch ${version.version} has no torch.compile`);
      continue;
    }
    if (typeof runner === "string") throw new Error(`${row.key}: ${runner}`);
    expect(await runner.run(3), row.key).toHaveLength(3);
    await runner.close();
    await expect(runner.run(1)).rejects.toThrow("Python ended");
  }
});

test("PyTorch's rows of rules that only the catalog has", async () => {
  const loop = findPyTorch().rows.find(({ key }) => key === "pytorch-for-loop");
  for (const optimizer of loop ? ["nadam", "asgd", "muon"] : []) {
    const runner = await loop!.prepare(optimizer, matrices(2, 3, 4));
    if (typeof runner === "string") throw new Error(`${optimizer}: ${runner}`);
    expect(await runner.run(2), optimizer).toHaveLength(2);
    await runner.close();
  }
});
