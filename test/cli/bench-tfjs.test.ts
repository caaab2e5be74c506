/** The benchmark on TensorFlow.js's heap: both rows take right steps, and it says what came out. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { benchCommand, type BenchOptions } from "../../src/cli/bench/bench-command.ts";
import { patience } from "../../src/bench/measure.ts";
import { markdownTfjs, terminalTfjs, type TfjsBench } from "../../src/cli/bench/tfjs/report.ts";
import { tfjsOptimizers, tfjsRows } from "../../src/cli/bench/tfjs/rows.ts";
import { usualTasks } from "../../src/cli/bench/tfjs/tfjs-bench.ts";
import { perceptron } from "../../src/bench/workload.ts";
import { tf, useBackend } from "../helpers/tfjs.ts";

const usualPatience = { ...patience };
beforeAll(() => void Object.assign(patience, { turn: 1, warmUp: 20 }));
afterAll(() => void Object.assign(patience, usualPatience));

const small = perceptron(3, 5);

test("what is promised is of three workloads", () => {
  expect(
    usualTasks.map(({ workload: { sizes, parameters }, promise }) => [
      sizes.length,
      sizes.reduce((sum, size) => sum + size, 0) - parameters,
      parameters,
      promise,
    ]),
  ).toEqual([
    [6, 0, 669_706, 8],
    [4000, 0, 2_112_000, 100],
    [1, 0, 16_777_216, 7],
  ]);
});

describe("rows", () => {
  test.each(tfjsOptimizers)("agree after some steps, %s", async (optimizer) => {
    await useBackend("wasm");
    const { numTensors } = tf.memory();
    const [theirs, ours] = await Promise.all(
      tfjsRows(tf).map(async (row) => {
        const runner = await row.prepare(optimizer, small);
        if (typeof runner === "string") throw new Error(runner);
        expect(await runner.run(10)).toHaveLength(10);
        const values = await runner.values!();
        await runner.close();
        return values.flatMap((each) => [...each]);
      }),
    );
    const differences = theirs!.map((value, i) => Math.abs(value - ours![i]!));
    expect(differences).toHaveLength(small.parameters);
    expect(Math.max(...differences)).toBeLessThan(1e-5);
    // tf.train.momentum keeps its momentum, a scalar.
    expect(tf.memory().numTensors).toBe(numTensors + Number(optimizer === "momentum"));
  });

  test("are left out where steps would go by copies", async () => {
    await useBackend("cpu");
    const [, ours] = tfjsRows(tf);
    const runner = await ours!.prepare("adam", small);
    if (typeof runner === "string") throw new Error(runner);
    expect(() => runner.run(1)).toThrow("tfjs is on its backend cpu");
    await runner.close();
  });
});

describe("the command", () => {
  const base: BenchOptions = {
    optimizers: undefined,
    layers: 2000,
    width: 32,
    size: 50,
    matrices: undefined,
    rows: undefined,
    sweep: undefined,
    checks: false,
    backend: "tfjs",
    hostCost: false,
    rounds: 2,
    threads: undefined,
    out: "",
    json: false,
  };

  test("writes a table and its record", async () => {
    const out = mkdtempSync(join(tmpdir(), "downhill-"));
    const write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
    const note = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    try {
      await benchCommand({ ...base, out, optimizers: ["sgd", "adam"] });
      const printed = write.mock.calls.map(([text]) => String(text)).join("");
      expect(printed).toContain("adam, one tensor of 50 elements");
      expect(readdirSync(out).toSorted()).toEqual(["bench-tfjs.json", "bench-tfjs.md"]);
      const record = JSON.parse(readFileSync(join(out, "bench-tfjs.json"), "utf8")) as TfjsBench;
      expect(record.comparisons.map(({ rows }) => rows.map(({ key }) => key))).toEqual([
        ["tfjs", "in-place"],
        ["tfjs", "in-place"],
      ]);
      expect(readFileSync(join(out, "bench-tfjs.md"), "utf8")).toBe(markdownTfjs(record));
    } finally {
      write.mockRestore();
      note.mockRestore();
      rmSync(out, { recursive: true });
    }
  });

  test.each([
    [{ sweep: "size" }, "--sweep: got it with --backend tfjs, expected it without."],
    [{ threads: 2 }, "--threads: got it with --backend tfjs, expected it without."],
    [
      { optimizers: ["lion"] },
      '--optimizers: got "lion" with --backend tfjs, expected some of sgd, momentum, adam.',
    ],
  ])("refuses what it cannot do", async (more, message) => {
    const out = mkdtempSync(join(tmpdir(), "downhill-"));
    await expect(benchCommand({ ...base, out, ...more })).rejects.toThrow(message);
    rmSync(out, { recursive: true });
  });
});

test("reports say what is kept and what is not, and what is missing", () => {
  const row = (key: string, median: number) => ({
    key,
    label: key,
    family: "tfjs" as const,
    threads: 1,
    ms: { median, lower: median, upper: 2 * median },
    nanosecondsPerParameter: 1,
    gigabytesPerSecond: 1,
    steps: 9,
    steady: key === "tfjs",
  });
  const of = (promise: number | null, ...rows: ReturnType<typeof row>[]) => ({
    optimizer: "adam",
    workload: small,
    promise,
    rows,
    missing:
      rows.length > 1 ? [] : [{ key: "in-place", label: "Downhill in place", reason: "why" }],
  });
  const bench: TfjsBench = {
    setting: {
      command: "downhill bench --backend tfjs",
      date: "2026-01-01",
      processor: "one",
      cores: 2,
      node: "20",
      load: [0, 0],
      peers: [],
    },
    comparisons: [
      of(8, row("tfjs", 9), row("in-place", 1)),
      of(10, row("tfjs", 9), row("in-place", 1)),
      of(null, row("tfjs", 9)),
    ],
  };
  const text = markdownTfjs(bench);
  expect(text.split("\n").filter((line) => line.startsWith("| adam"))).toMatchInlineSnapshot(`
    [
      "| adam, 3 layers of width 5 | 6 | 90 | 9 (9 to 18) | 1 (1 to 2) * | 9 | at least 8 | kept |",
      "| adam, 3 layers of width 5 | 6 | 90 | 9 (9 to 18) | 1 (1 to 2) * | 9 | at least 10 | NOT KEPT |",
      "| adam, 3 layers of width 5 | 6 | 90 | 9 (9 to 18) |  |  |  |  |",
    ]
  `);
  expect(text).toContain("Without Downhill in place: `why`");
  expect(text).toContain("A star");
  expect(terminalTfjs(bench)).toContain("NOT KEPT");
});
