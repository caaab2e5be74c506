/** What the Measure room knows without a browser: addresses, memory, names, and what it says of a result. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { browserName } from "../../site/src/rooms/measure/browser.ts";
import {
  findings,
  headlineOf,
  markdownOf,
  method,
  settingLine,
  type Result,
} from "../../site/src/rooms/measure/report.ts";
import {
  chosenRows,
  readState,
  usual,
  writeState,
  type MeasureState,
} from "../../site/src/rooms/measure/state.ts";
import {
  MOST_ELEMENTS,
  needOf,
  optimizers,
  rowsFor,
  usualRows,
  type Task,
} from "../../site/src/rooms/measure/tasks.ts";
import { readHash, writeHash } from "../../site/src/router.ts";
import type { Measured } from "../../src/bench/measure.ts";

describe("addresses", () => {
  const states = fc.record({
    optimizer: fc.constantFrom(...optimizers.map(({ key }) => key)),
    task: fc.oneof(
      fc.constant("mlp" as Task),
      fc.integer({ min: 1, max: MOST_ELEMENTS }).map((size): Task => size),
    ),
    rows: fc.option(fc.subarray(rowsFor("sgd", 2).map(({ key }) => key))),
    rounds: fc.integer({ min: 1, max: 200 }),
  });

  test("a state comes back from its address", () => {
    fc.assert(
      fc.property(states, (state: MeasureState) => {
        const { room, params } = readHash(writeHash("measure", writeState(state)));
        expect(room).toBe("measure");
        expect(readState(params)).toEqual(state);
      }),
    );
  });

  test.each([
    ["", usual],
    ["optimizer=lion&size=0&rounds=1e9", usual],
    ["size=2.5&rounds=-1&rows=plain,what", { ...usual, rows: ["plain"] }],
    ["size=&rounds=", usual],
  ])("%s", (query, expected) => {
    expect(readState(new URLSearchParams(query))).toEqual(expected);
  });
});

describe("rows", () => {
  test("the article's best is SGD's alone; several threads are named where there are", () => {
    expect(chosenRows({ ...usual, optimizer: "sgd" }, 4)).toContain("best");
    expect(chosenRows(usual, 4)).not.toContain("best");
    const label = (threads: number) =>
      rowsFor("adam", threads).find(({ key }) => key === "fused")?.label;
    expect([1, 4].map(label)).toEqual([
      "Downhill, fused, several threads",
      "Downhill, fused, 4 threads",
    ]);
  });

  test("of large tensors those are left out that no one would take", () => {
    expect(usualRows(33_554_432)).toEqual([
      "plain",
      "fused-1",
      "fused",
      "gpu-fused",
      "gpu-written",
    ]);
    expect(usualRows("mlp")).toContain("temporaries");
  });

  test("the memory that they need", () => {
    const one = 4e6;
    const need = (...keys: string[]) => needOf("adam", 1_000_000, keys);
    expect(need()).toEqual({ cpu: 0, gpu: 0 });
    // Parameters, gradients and two of state, and as much for the memory's bandwidth.
    expect(need("plain").cpu).toBe(8 * one);
    expect(need("fused-1").cpu).toBe(8 * one);
    expect(need("fused-1", "fused").cpu).toBe(10 * one);
    expect(needOf("sgd", 1_000_000, ["fused-1", "fused"]).cpu).toBe(4 * one);
    expect(need("gpu-fused", "gpu-written")).toEqual({ cpu: 2 * one, gpu: 12 * one });
  });
});

test.each([
  [
    "Chromium 156 on Linux",
    "",
    [
      ["Not;A=Brand", "8"],
      ["Chromium", "156"],
    ],
  ],
  [
    "Google Chrome 156 on Linux",
    "",
    [
      ["Chromium", "156"],
      ["Google Chrome", "156"],
      ["Not/A)Brand", "99"],
    ],
  ],
  ["Firefox 145 on X11", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"],
  [
    "Safari 26.1 on Macintosh",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15",
  ],
  ["an unknown browser on ?", "Lynx"],
] as [string, string, [string, string][]?][])("%s", (name, userAgent, brands) => {
  const userAgentData = brands && {
    brands: brands.map(([brand, version]) => ({ brand, version })),
    platform: "Linux",
  };
  expect(browserName({ userAgent, ...(userAgentData && { userAgentData }) })).toBe(name);
});

describe("what a result says", () => {
  const row = (
    key: string,
    label: string,
    family: Measured["family"],
    threads: number,
    ms: number,
  ) =>
    ({
      key,
      label,
      family,
      threads,
      ms: { median: ms, lower: ms, upper: ms },
      nanosecondsPerParameter: ms,
      gigabytesPerSecond: 28 / ms,
      steady: true,
    }) as Measured;
  const result: Result = {
    order: {
      kind: "measure",
      optimizer: "adam",
      task: 1_000_000,
      rows: ["plain", "fused-1", "fused", "gpu-fused"],
      rounds: 15,
      threads: 1,
    },
    setting: {
      browser: "Chromium 156 on Linux",
      userAgent: "",
      cores: 1,
      isolated: false,
      date: "2026-11-26",
      address: "http://localhost/#/measure",
    },
    ground: {
      backend: "wasm",
      resolution: 0.1,
      gpu: { adapter: "swiftshader", isSoftware: true, hasClock: false },
    },
    comparison: {
      optimizer: "adam",
      rows: [
        row("plain", "TypeScript, plain loop", "typescript", 1, 8),
        row("fused-1", "Downhill, fused, 1 thread", "downhill", 1, 1),
        row("gpu-fused", "WebGPU, fused", "downhill", 0, 0.5),
        row("copy-1", "The memory, 1 thread", "memory", 1, 0.8),
      ],
      missing: [{ key: "fused", label: "Downhill, fused, several threads", reason: "no threads" }],
    },
    differences: { plain: 0, "fused-1": 1e-7, "gpu-fused": 0 },
    stoppedAt: null,
    hidden: false,
  };
  const card: Result = {
    ...result,
    ground: { ...result.ground, gpu: { adapter: "H100", isSoftware: false, hasClock: true } },
  };

  test("the fastest row of Downhill, but not of a processor that plays a GPU", () => {
    expect(headlineOf(result)).toMatchObject({ row: { key: "fused-1" }, speedUp: 8, share: 80 });
    expect(headlineOf(card)).toMatchObject({ row: { key: "gpu-fused" }, speedUp: 16 });
    const { rows } = result.comparison;
    const only = { ...result, comparison: { ...result.comparison, rows: rows.slice(0, 1) } };
    expect(headlineOf(only)).toBeUndefined();
  });

  test("what one should know of it", () => {
    expect(findings(result)).toEqual([
      "After 3 steps all 3 rows agree with the CPU's: no parameter is off by more than 1.0e-7 of the largest.",
      "NO GPU: a processor plays one here. Its times mean nothing for a GPU; that the rows agree does.",
    ]);
    expect(findings(card)).toHaveLength(1);
    const troubled: Result = {
      ...card,
      stoppedAt: 4,
      hidden: true,
      ground: { ...card.ground, backend: "interp" },
    };
    expect(findings(troubled).slice(1)).toEqual([
      "Stopped after 4 of 15 rounds.",
      "The page was out of sight for a while; browsers may slow such pages down.",
      "A policy of this page's host forbids WebAssembly: Downhill's rows ran on the interpreter.",
    ]);
  });

  test("how it was measured", () => {
    expect(method(result)[0]).toContain("has no clock for pages, so by the wall");
    expect(method(card)[0]).toContain("by the GPU's own clock");
    expect(method(result)).toContain("Speed-up: against TypeScript, plain loop.");
    expect(method(result).at(-1)).toBe(
      "The clock can be read every 0.1 ms; what is timed takes a hundred times as long.",
    );
    expect(settingLine(result)).toBe(
      "Chromium 156 on Linux, 1 core, not cross-origin isolated; WebGPU on swiftshader; 2026-11-26.",
    );
  });

  test("as Markdown", () => {
    const text = markdownOf(result);
    expect(text.split("\n\n")[0]).toBe("**One step of Adam: one tensor of 1,000,000 elements**");
    expect(text).toContain(
      "| Downhill, fused, 1 thread | 1 | 1 to 1 | 1 | 28 | 80 % | 8x |\n| WebGPU, fused |",
    );
    expect(text).toContain("- without Downhill, fused, several threads: `no threads`\n");
    expect(text).toContain("- Adam, fused against the plain loop: 8 times as fast\n");
    expect(text).toContain(
      "- Adam, Downhill, fused, 1 thread: 80 % of the 35 GB/s of the memory\n",
    );
    expect(text.endsWith("Downhill lab, `http://localhost/#/measure`\n")).toBe(true);
  });
});
