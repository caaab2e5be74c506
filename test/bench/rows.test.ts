/** Rows of the bench are held against one reference, followed, and timed as finely as the clock allows. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { sharedPool } from "../../src/backend/threads/pool.ts";
import { agreementNote, checked, distance } from "../../src/bench/agreement.ts";
import { measureResolution } from "../../src/bench/clock.ts";
import { benchedOptimizers, type Contender, type Runner } from "../../src/bench/contender.ts";
import { copies } from "../../src/bench/copy.ts";
import { plans } from "../../src/bench/downhill.ts";
import { compare, inWords, patience, type Measured, type Stage } from "../../src/bench/measure.ts";
import { limitOf, starNote, tableOf } from "../../src/bench/report.ts";
import { summarize } from "../../src/bench/statistics.ts";
import { onceThreadsAreReady } from "../../src/bench/threads.ts";
import { handWritten } from "../../src/bench/typescript.ts";
import { timed } from "../../src/bench/values.ts";
import { flat, perceptron } from "../../src/bench/workload.ts";

const usualPatience = { ...patience };
beforeAll(() => void Object.assign(patience, { turn: 1, warmUp: 20 }));
afterAll(() => void Object.assign(patience, usualPatience));
afterEach(() => void vi.restoreAllMocks());

const small = perceptron(3, 5);

/** A row of which one number is known: what a step takes. */
function fake(key: string, runner: Partial<Runner> = {}): Contender {
  const run = (steps: number) => Promise.resolve(new Float64Array(steps).fill(2));
  const close = () => Promise.resolve();
  const prepare = () => Promise.resolve({ run, close, ...runner });
  return { key, label: key.toUpperCase(), family: "downhill", threads: 1, prepare };
}

describe("agreement", () => {
  test.each(benchedOptimizers)("%s: all rows of this process take the same steps", async (name) => {
    const differences = new Map<string, number>();
    const rows = [...handWritten, ...plans(2)].map((row) => checked(row, differences));
    const { missing } = await compare(rows, name, small, 1);
    expect(missing.map(({ key }) => key)).toEqual(name === "sgd" ? [] : ["best"]);
    expect(differences.size).toBe(name === "sgd" ? 8 : 7);
    expect(Math.max(...differences.values())).toBeLessThan(1e-6);
  });

  test("a row that takes other steps is left out, and closed", async () => {
    const values = [new Float32Array(3).fill(0.5)];
    const close = vi.fn<() => Promise<void>>(() => Promise.resolve());
    const run = () => Promise.resolve(new Float64Array(3));
    const differences = new Map<string, number>();
    const idle = checked(fake("idle", { run, close, values: () => values }), differences);
    expect(await idle.prepare("adam", flat(3))).toBe(
      "not measured: its parameters differ from the CPU's by 0.0060",
    );
    expect(close).toHaveBeenCalledOnce();
    expect(differences.get("idle")).toBeCloseTo(0.006, 3);
  });

  test("what is not a number is no agreement", () => {
    const [one, nan] = [[Float32Array.of(1, 2)], [Float32Array.of(1, NaN)]];
    expect(distance(nan, one)).toBe(Infinity);
    expect(distance(one, [Float32Array.of(1, 4)])).toBe(0.5);
  });

  test("is told in a sentence", () => {
    expect(agreementNote([1e-7, 2e-8])).toEqual([
      "After 3 steps all 2 rows agree with the CPU's: no parameter is off by more than 1.0e-7 of the largest.",
    ]);
    expect(agreementNote([0])).toEqual([
      "After 3 steps the row agrees with the CPU's, to the last bit.",
    ]);
    expect(agreementNote([1e-7, 1])[0]).toMatch(/the row agrees .*; 1 did not and was left out\.$/);
    expect(agreementNote([NaN, 1])).toEqual([
      "No row agrees with the CPU's steps; 2 did not and were left out.",
    ]);
    expect(agreementNote([])).toEqual([]);
  });
});

describe("following", () => {
  test("it is told of each row before its turn, and waited for", async () => {
    const log: string[] = [];
    const run = (steps: number) => {
      log.push("run");
      return Promise.resolve(new Float64Array(steps).fill(2));
    };
    const stages: Stage[] = [];
    const counts: number[] = [];
    await compare([fake("a", { run })], "adam", flat(4), 2, async (stage, soFar) => {
      stages.push(stage);
      counts.push(soFar().rows.length);
      log.push("asked");
      await new Promise((done) => setTimeout(done, 2));
      log.push("answered");
    });
    expect(stages.map(({ label, round }) => [label, round])).toEqual([
      ["A", 0],
      ["A", 0],
      ["A", 1],
      ["A", 2],
    ]);
    expect(counts).toEqual([0, 0, 0, 1]);
    expect(log.join(" ")).not.toMatch(/asked run/);
    expect(log.slice(-6).join(" ")).toBe("asked answered run asked answered run");
  });

  test("in words", () => {
    const said: string[] = [];
    const follow = inWords((what) => said.push(what));
    const soFar = () => ({ optimizer: "adam", rows: [], missing: [] });
    void follow({ optimizer: "adam", label: "A", round: 0, rounds: 2 }, soFar);
    void follow({ optimizer: "adam", label: "A", round: 2, rounds: 2 }, soFar);
    expect(said).toEqual(["adam: A, warming up", "adam: round 2 of 2"]);
  });

  test("a row that cannot be set up is left out with its reason", async () => {
    const broken = { ...fake("b"), prepare: () => Promise.reject(new Error("no memory")) };
    const { rows, missing } = await compare([broken, fake("a")], "adam", flat(4), 1);
    expect(rows.map(({ key }) => key)).toEqual(["a"]);
    expect(missing).toEqual([{ key: "b", label: "B", reason: "no memory" }]);
  });
});

describe("the clock", () => {
  test("its resolution is the least distance of two readings", () => {
    let time = 0;
    expect(measureResolution(() => Math.floor(++time / 7) / 8)).toBe(0.125);
  });

  test.each([
    ["one after the other", undefined],
    ["with something in between", () => {}],
  ])("steps of 0.63 ms are told on a clock of 0.1 ms: %s", (_, before) => {
    let time = 0.037;
    vi.spyOn(performance, "now").mockImplementation(() => Math.floor(10 * time) / 10);
    const each = (): void => {
      time += 0.0137;
      before?.();
    };
    const times = timed(() => void (time += 0.63), 64, before && each, 0.1);
    expect(times).toHaveLength(64);
    expect(Math.abs(summarize(times).median / 0.63 - 1)).toBeLessThan(0.02);
  });
});

describe("threads", () => {
  test("a row of several is measured once they are ready", async () => {
    const workload = flat(1_000_000);
    const fused = plans(2).find(({ key }) => key === "fused")!;
    const runner = await onceThreadsAreReady(fused).prepare("sgd", workload);
    if (typeof runner === "string") throw new Error(runner);
    const { jobs, ready } = sharedPool();
    expect(ready).toBeGreaterThanOrEqual(1);
    await runner.run(3);
    expect(sharedPool().jobs).toBeGreaterThan(jobs);
    await runner.close();
  });

  test("one whose steps call no other thread says so, and is closed", async () => {
    const close = vi.fn<() => Promise<void>>(() => Promise.resolve());
    sharedPool().end();
    const two = { ...fake("two", { close }), threads: 2 };
    expect(await onceThreadsAreReady(two).prepare("sgd", small)).toBe(
      "so small a step calls no other thread: it is the row on one thread",
    );
    expect(close).toHaveBeenCalledOnce();
    const one = fake("one");
    expect(onceThreadsAreReady(one)).toBe(one);
  });
});

test("the memory is read and written over as much as a step uses", async () => {
  const rows = copies("adam", flat(2000), 2);
  expect(rows.map(({ key, threads, bytes }) => [key, threads, bytes])).toEqual([
    ["copy-1", 1, 2 * 16 * 2000],
    ["copy", 2, 2 * 16 * 2000],
  ]);
  const found = await compare(rows, "adam", flat(2000), 2);
  for (const { ms, gigabytesPerSecond } of found.rows) {
    expect(gigabytesPerSecond).toBeCloseTo((2 * 16 * 2000) / (1e6 * ms.median), 6);
  }
  expect(found.rows).toHaveLength(2);
});

describe("the report", () => {
  const row = (key: string, family: Measured["family"], threads: number, rate: number) =>
    ({
      key,
      label: key,
      family,
      threads,
      ms: { median: 10 / rate, lower: 9 / rate, upper: 11 / rate },
      nanosecondsPerParameter: 1,
      gigabytesPerSecond: rate,
      steady: rate !== 8,
    }) as Measured;
  const rows = [
    row("temporaries", "typescript", 1, 0.5),
    row("plain", "typescript", 1, 1),
    row("fused-1", "downhill", 1, 8),
    row("fused", "downhill", 4, 12),
    row("gpu-fused", "downhill", 0, 50),
    row("copy-1", "memory", 1, 10),
    row("copy", "memory", 4, 16),
    row("gpu-copy", "memory", 0, 40),
  ];
  const comparison = { optimizer: "Adam", rows, missing: [] };

  test("each row has the limit of its threads or its GPU", () => {
    expect(rows.slice(1, 5).map((each) => limitOf(each, rows))).toEqual([10, 10, 16, 40]);
    // One thread alone may be faster than all together.
    const busy = [...rows.slice(0, 6), row("copy", "memory", 4, 7)];
    expect(limitOf(busy[3]!, busy)).toBe(10);
    expect(limitOf(busy[4]!, busy)).toBeUndefined();
  });

  test("shares and speed-ups", () => {
    const { head, rows: lines } = tableOf(comparison, { against: "plain", shares: true });
    expect(head).toEqual([
      "Adam",
      "ms per step",
      "quartiles",
      "ns per parameter",
      "GB/s",
      "of the memory's",
      "speed-up",
    ]);
    expect(lines.map((cells) => [cells[0], ...cells.slice(4)])).toEqual([
      ["temporaries", "0.5", "5 %", "0.5x"],
      ["plain", "1", "10 %", "1x"],
      ["fused-1 *", "8", "80 %", "8x"],
      ["fused", "12", "75 %", "12x"],
      ["gpu-fused", "50", "125 %", "50x"],
      ["copy-1", "10", "", ""],
      ["copy", "16", "", ""],
      ["gpu-copy", "40", "", ""],
    ]);
    expect(tableOf(comparison).rows[1]).toHaveLength(6);
    expect(tableOf(comparison).rows[1]!.at(-1)).toBe("2x");
    expect(starNote([comparison])).toHaveLength(1);
    expect(starNote([{ ...comparison, rows: rows.slice(0, 2) }])).toEqual([]);
  });
});
