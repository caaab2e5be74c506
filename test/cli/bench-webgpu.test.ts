/** The benchmark on a GPU measures right steps, and says what came out. Nothing here looks at times. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { benchCommand, type BenchOptions } from "../../src/cli/bench/bench-command.ts";
import { benchedOptimizers } from "../../src/bench/contender.ts";
import { compare, patience, type Measured } from "../../src/bench/measure.ts";
import { samples, TOLERANCE } from "../../src/bench/agreement.ts";
import { disagreement } from "../../src/bench/webgpu/agreement.ts";
import { GpuClock } from "../../src/bench/webgpu/clock.ts";
import type { HostCost } from "../../src/cli/bench/webgpu/host-cost.ts";
import { describeAdapter } from "../../src/bench/webgpu/adapter.ts";
import { dawn, openGpu } from "../../src/cli/bench/webgpu/open.ts";
import {
  gpuSayings,
  markdownGpu,
  type GpuBench,
  type GpuComparison,
} from "../../src/cli/bench/webgpu/report.ts";
import { gpuLabels } from "../../src/bench/webgpu/labels.ts";
import { byHand, gpuRows, gpuRowsTogether, ours, plans } from "../../src/bench/webgpu/rows.ts";
import { stream, streamedBytes } from "../../src/bench/webgpu/stream.ts";
import { TorchRows } from "../../src/cli/bench/webgpu/torch.ts";
import { flat, perceptron } from "../../src/bench/workload.ts";
import { findVulkan, noVulkan } from "../helpers/find-vulkan.ts";
import { gpuDevice, readBuffer, uncapturedErrors } from "../helpers/webgpu.ts";

const small = perceptron(3, 5);

describe("what is compared with the CPU", () => {
  test("all elements of a small workload", () => {
    expect(samples(perceptron(1, 3), true)).toEqual([
      { tensor: 0, from: 0, count: 9, index: 0 },
      { tensor: 1, from: 0, count: 3, index: 9 },
    ]);
  });

  test("both ends of a large one", () => {
    const workload = { title: "", sizes: [3, 4, 5], parameters: 12 };
    expect(samples(workload, true, 4)).toEqual([
      { tensor: 0, from: 0, count: 3, index: 0 },
      { tensor: 1, from: 0, count: 1, index: 3 },
      { tensor: 2, from: 1, count: 4, index: 8 },
    ]);
    expect(samples(workload, false, 4)).toHaveLength(3);
  });
});

test("adapters by name", () => {
  const nobody = { vendor: "", architecture: "", device: "", description: "" };
  expect(describeAdapter(nobody).adapter).toBe("an adapter that does not say what it is");
  const card = { ...nobody, vendor: "nvidia", device: "NVIDIA H100", description: "580.1" };
  expect(describeAdapter(card)).toEqual({
    adapter: "NVIDIA H100, nvidia, 580.1",
    isSoftware: false,
  });
  expect(describeAdapter({ ...nobody, device: "SwiftShader Device" }).isSoftware).toBe(true);
});

test("without the package it says how to get it", async () => {
  const error = await dawn("no-such-package").catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: "NO_WEBGPU",
    message:
      "WebGPU in Node: got no package no-such-package, expected Dawn, which it brings. npm install no-such-package",
  });
});

test("a lost device is done at once, and that is no time", async () => {
  const device = {
    features: new Set(),
    lost: Promise.resolve({ reason: "unknown", message: "it was pulled out" }),
    queue: { onSubmittedWorkDone: () => Promise.resolve() },
    addEventListener: () => {},
  };
  const clock = new GpuClock(device as unknown as GPUDevice);
  await expect(clock.timeCalls(() => {}, 1)).rejects.toThrow(
    "the device is lost: it was pulled out",
  );
});

test("a row may have several times, and bytes of its own", async () => {
  let turn = 0;
  const row = {
    key: "one",
    label: "one",
    family: "native" as const,
    threads: 0,
    bytes: 3e6,
    prepare: () =>
      Promise.resolve({
        run: (steps: number) => Promise.resolve(new Float64Array(steps).fill(2)),
        others: () => ({ host: ++turn, ...(turn > 1 && { device: 7 }) }),
        close: () => Promise.resolve(),
      }),
  };
  const { rows } = await compare([row], "sgd", flat(10), 3);
  expect(rows[0]).toMatchObject({
    gigabytesPerSecond: 1.5,
    others: { host: { median: 2 }, device: { median: 7, lower: 7 } },
  });
});

describe("the report", () => {
  const row = (key: string, family: Measured["family"], wall: number, device?: number) => {
    const times = (ms: number) => ({ median: ms, lower: ms, upper: ms });
    return {
      key,
      label: key,
      family,
      threads: 0,
      ms: times(wall),
      others: { host: times(wall / 2), ...(device !== undefined && { device: times(device) }) },
      gigabytesPerSecond: 12 / wall,
      steady: true,
    } as unknown as Measured;
  };
  const comparison: GpuComparison = {
    optimizer: "adam",
    rows: [
      row("pytorch-foreach", "pytorch", 30, 20),
      row("pytorch-fused", "pytorch", 9, 5),
      row("fused", "downhill", 3, 2),
      row("written", "native", 2.5, 1.9),
      row("triad", "native", 2, 1),
    ],
    missing: [{ key: "x", label: "X", reason: "it is not here" }],
    difference: 1.25e-7,
  };

  test("what the figures say", () => {
    expect(gpuSayings(comparison)).toMatchInlineSnapshot(`
      [
        "adam, fused against WGSL by hand: 0.95 times as fast on the device, 0.833 times as fast by the wall",
        "adam, fused: 50 % of the triad's bytes per second",
        "adam, fused against PyTorch's fastest (pytorch-fused): 2.5 times as fast on the device, 3 times as fast by the wall",
        "adam: after 3 steps no row is further from the CPU's than 1.25e-7 of the largest parameter",
      ]
    `);
    const noClock = comparison.rows.map(({ others: _, ...rest }) => rest as Measured);
    expect(gpuSayings({ ...comparison, rows: noClock })).toMatchInlineSnapshot(`
      [
        "adam, fused against WGSL by hand: 0.833 times as fast by the wall",
        "adam, fused: 66.7 % of the triad's bytes per second",
        "adam, fused against PyTorch's fastest (pytorch-fused): 3 times as fast by the wall",
        "adam: after 3 steps no row is further from the CPU's than 1.25e-7 of the largest parameter",
      ]
    `);
  });

  const bench: GpuBench = {
    setting: {
      command: "downhill bench --backend webgpu",
      date: "2026-01-01",
      processor: "P",
      cores: 2,
      node: "20",
      load: [0, 0],
      peers: [{ name: "WebGPU", version: "on X", found: true }],
    },
    isSoftware: true,
    workload: small,
    comparisons: [comparison],
  };

  test("in Markdown", () => {
    const text = markdownGpu(bench);
    expect(text).toContain("| fused | 2 | 3 | 3 to 3 | 1.5 | 6 | 50 % |");
    expect(text).toContain("- without X: `it is not here`");
    expect(text).toContain("NO GPU: a processor plays one here.");
    expect(markdownGpu({ ...bench, isSoftware: false })).not.toContain("NO GPU");
  });

  test("of several sizes, in one table", () => {
    const folder = mkdtempSync(join(tmpdir(), "downhill-"));
    const one = { ...bench, workload: flat(1234), comparisons: [{ ...comparison, difference: 1 }] };
    for (const [name, record] of Object.entries({ one, many: bench })) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, "bench-webgpu.json"), JSON.stringify(record));
    }
    const script = fileURLToPath(new URL("../../bench/gpu/table.mjs", import.meta.url));
    const { stdout } = spawnSync(process.execPath, [script, folder], { encoding: "utf8" });
    rmSync(folder, { recursive: true });
    const cells = stdout
      .split("\n")
      .filter((line) => line.startsWith("|"))
      .map((line) => line.split("|").map((cell) => cell.trim()));
    const labels = [...comparison.rows.map(({ label }) => label), "X"];
    expect(cells.map(([, label]) => label).slice(2)).toEqual(
      ["**90 in 6 tensors**", labels, "**1,234 in 1 tensor**", labels].flat(),
    );
    expect(cells.slice(5, 9).map(([, , cell]) => cell)).toEqual([
      "2 / 3 / 1.5 (50 %)",
      "1.9 / 2.5 / 1.25 (52.6 %)",
      "12 GB/s",
      "missing",
    ]);
    expect(stdout).toContain("NO GPU");
    expect(stdout).toContain("- adam, without X: it is not here\n");
    expect(stdout).toContain("- adam (1,234 in 1 tensor), 1 from the CPU's step\n");
  });
});

describe.skipIf(noVulkan)("on a device", () => {
  test.each(benchedOptimizers)("%s: all rows take the CPU's steps", async (optimizer) => {
    const device = await gpuDevice();
    for (const plan of Object.values(plans)) {
      const steps = ours(device, optimizer, small, plan);
      expect(await disagreement(device, optimizer, small, steps)).toBeLessThan(TOLERANCE / 10);
    }
    const written = byHand(device, optimizer, small);
    if (typeof written === "string") throw new Error(written);
    expect(await disagreement(device, optimizer, small, written)).toBeLessThan(TOLERANCE / 10);
  });

  test("a row whose steps are others is left out", async () => {
    const device = await gpuDevice();
    const steps = ours(device, "momentum", small, {});
    expect(await disagreement(device, "sgd", small, steps)).toBeGreaterThan(TOLERANCE);
    const { rows } = gpuRows(device, { isSoftware: true }, "sgd", small);
    expect(rows.map(({ key }) => key)).toEqual([
      "loop",
      "compile",
      "foreach",
      "fused",
      "written",
      "triad",
      "triad-large",
      "copy-large",
    ]);
    const submit = vi.spyOn(device.queue, "submit").mockImplementation(() => {});
    for (const { prepare } of rows.slice(0, 5)) {
      expect(await prepare("sgd", small)).toBe(
        "not measured: its parameters differ from the CPU's by 1.0",
      );
    }
    submit.mockRestore();
    expect(byHand(device, "nadam", small)).toMatch(/^it is written for sgd/);
  });

  test("streams move what they say", async () => {
    const device = await gpuDevice();
    expect(streamedBytes(device, "triad", 960)).toBe(960);
    expect(streamedBytes(device, "copy", 960)).toBe(960);
    const buffers: GPUBuffer[] = [];
    const create = device.createBuffer.bind(device);
    vi.spyOn(device, "createBuffer").mockImplementation((descriptor) => {
      const buffer = create(descriptor);
      buffers.push(buffer);
      return buffer;
    });
    for (const [kind, expected] of [
      ["triad", [2 + 3 * 3, 3 + 3 * 4, 4 + 3 * 5, 5 + 3 * 6]],
      ["copy", [2, 3, 4, 5]],
    ] as const) {
      buffers.length = 0;
      stream(device, kind, 96).step();
      const a = buffers.find(({ usage }) => usage & 0x80);
      expect([...new Float32Array(await readBuffer(device, a!)).slice(0, 4)]).toEqual(expected);
    }
    vi.restoreAllMocks();
  });

  test("rows beside the CPU's take the same steps, many in a submission", async () => {
    const open = () => gpuDevice(() => ({ requiredFeatures: ["timestamp-query"] }));
    const device = await open();
    const differences = new Map<string, number>();
    const opened: GPUDevice[] = [];
    const own = async () => {
      opened.push(await open());
      return opened.at(-1)!;
    };
    const rows = gpuRowsTogether(own, device, "adam", small, differences);
    const usual = { ...patience };
    Object.assign(patience, { turn: 1, warmUp: 20 });
    const { rows: found, missing } = await compare(rows, "adam", small, 1);
    Object.assign(patience, usual);
    expect(missing).toEqual([]);
    expect(found.map(({ key, threads }) => [key, threads])).toEqual(
      [...Object.keys(gpuLabels), "gpu-copy"].map((key) => [key, 0]),
    );
    expect([...differences.keys()]).toEqual(Object.keys(gpuLabels));
    expect(Math.max(...differences.values())).toBeLessThan(TOLERANCE);
    const losses = await Promise.all(opened.map(({ lost }) => lost)); // all are given back
    expect(losses.map(({ reason }) => reason)).toEqual(rows.map(() => "destroyed"));

    const submit = vi.spyOn(device.queue, "submit");
    const steps = ours(device, "adam", small, {});
    const encode = vi.spyOn(steps, "encode");
    for (const hasClock of [true, false]) {
      expect(await new GpuClock(device, hasClock).timeTogether(steps, 130)).toBeGreaterThan(0);
      expect(encode).toHaveBeenCalledTimes(130);
      expect(submit).toHaveBeenCalledTimes(3);
      encode.mockClear();
      submit.mockClear();
    }
    vi.restoreAllMocks();
  });

  test("times come from the device's clock, and errors of the device are told", async () => {
    const device = await gpuDevice(() => ({ requiredFeatures: ["timestamp-query"] }));
    const clock = new GpuClock(device);
    const steps = ours(device, "sgd", flat(4096), {});
    const times = await clock.time(steps, 3);
    expect(times.device).toBeGreaterThan(0);
    expect(times.wall).toBeGreaterThan(times.host);
    expect(await new GpuClock(device, false).time(steps, 1)).not.toHaveProperty("device");
    device.createBuffer({ size: 16, usage: 0 });
    await expect(clock.time(steps, 1)).rejects.toThrow(/^the device says: .*usage/);
    expect(await uncapturedErrors()).toHaveLength(1);
    // Another row has nothing to do with it.
    expect((await clock.time(steps, 1)).wall).toBeGreaterThan(0);
  });
});

const options: BenchOptions = {
  optimizers: ["adam"],
  layers: 3,
  width: 4,
  size: undefined,
  matrices: undefined,
  rows: ["fused", "written", "triad"],
  sweep: undefined,
  checks: false,
  backend: "webgpu",
  hostCost: false,
  rounds: 2,
  threads: undefined,
  out: "",
  json: true,
};

/** Runs the command; the files that it wrote, and what it printed. */
async function run(changed: Partial<BenchOptions>): Promise<Record<string, string>> {
  const out = mkdtempSync(join(tmpdir(), "downhill-"));
  const said: string[] = [];
  const spies = [process.stdout, process.stderr].map((output) =>
    vi.spyOn(output, "write").mockImplementation((text) => said.push(String(text)) > 0),
  );
  try {
    await benchCommand({ ...options, ...changed, out });
    const files = readdirSync(out).map((name) => [name, readFileSync(join(out, name), "utf8")]);
    return { ...(Object.fromEntries(files) as Record<string, string>), said: said.join("") };
  } finally {
    for (const spy of spies) spy.mockRestore();
    rmSync(out, { recursive: true });
  }
}

describe("the command", () => {
  beforeAll(() => {
    const driver = findVulkan();
    if (driver !== null) process.env["VK_DRIVER_FILES"] = driver;
  });

  test.skipIf(noVulkan)("measures on a device", async () => {
    const found = await run({});
    expect(Object.keys(found)).toEqual(["bench-webgpu.json", "bench-webgpu.md", "said"]);
    const bench = JSON.parse(found["bench-webgpu.json"]!) as GpuBench;
    expect(bench.comparisons[0]!.rows.map(({ key }) => key)).toEqual(options.rows);
    expect(bench.comparisons[0]!.missing).toEqual([]);
    for (const { others } of bench.comparisons[0]!.rows) {
      expect(Object.keys(others!)).toEqual(["host", "device"]);
    }
    expect(bench.comparisons[0]!.difference).toBeLessThan(1e-6);
    expect(found["bench-webgpu.md"]).toContain("3 layers of width 4: 6 tensors, 60 parameters.");
  });

  test("measures what a step costs the CPU, without a driver", async () => {
    const found = await run({ hostCost: true });
    const { comparisons, checks } = JSON.parse(found["host-cost.json"]!) as HostCost;
    expect(comparisons[0]!.rows.map(({ key, label }) => [key, label])).toEqual([
      ["one", "one tensor"],
      ["many", "6 tensors"],
      ["written", "WGSL by hand"],
    ]);
    const [one, many] = comparisons[0]!.rows.map(({ ms }) => ms.median);
    expect(checks[0]).toMatchObject({ measured: many! / one!, limit: 1.2, atLeast: false });
    expect(found["host-cost.md"]).toMatch(/^\| adam \| [\d.]+ \([\d.]+ to [\d.]+\) \|/m);
  });

  test("refuses what there is not", async () => {
    await expect(run({ sweep: "size" })).rejects.toThrow(
      "--sweep: got it with --backend webgpu, expected it without.",
    );
    await expect(run({ threads: 2 })).rejects.toThrow("--threads: got it with --backend webgpu");
    await expect(run({ backend: "wasm", hostCost: true })).rejects.toThrow(
      "--host-cost: got it alone, expected it with --backend webgpu.",
    );
    if (noVulkan) return;
    await expect(run({ rows: ["plain"] })).rejects.toThrow('--rows: got "plain", expected some of');
  });

  test("what is under way is done before a device goes", async () => {
    const gpu = await openGpu("null");
    const over: string[] = [];
    const begin = async (name: string): Promise<GPUDevice> => {
      const device = await gpu.device();
      device.queue.submit([device.createCommandEncoder().finish()]);
      void device.queue.onSubmittedWorkDone().then(() => over.push(name));
      return device;
    };
    await gpu.free(await begin("one"));
    expect(over).toEqual(["one"]);
    await begin("two");
    await gpu.close();
    expect(over).toEqual(["one", "two"]);
  });

  test("says so where no driver is", async () => {
    const driver = process.env["VK_DRIVER_FILES"];
    process.env["VK_DRIVER_FILES"] = "/nowhere.json";
    try {
      await expect(openGpu()).rejects.toMatchObject({ code: "NO_WEBGPU" });
    } finally {
      if (driver === undefined) delete process.env["VK_DRIVER_FILES"];
      else process.env["VK_DRIVER_FILES"] = driver;
    }
  });
});

test("PyTorch's rows, where it is", async () => {
  const torch = new TorchRows();
  if (process.env["DOWNHILL_REQUIRE_ALL"]) expect(torch.version.found).toBe(true);
  try {
    if (!torch.version.found) return;
    const isOld = torch.version.version.startsWith("1."); // others compile for minutes on a processor
    const skipped = isOld ? "pytorch-for-loop" : "pytorch-compile";
    const rows = torch.rows.filter(({ key }) => key !== skipped);
    await torch.begin(rows, ["sgd"], small);
    const prepare = (key: string, optimizer: string) =>
      torch.rows.find((row) => row.key === `pytorch-${key}`)!.prepare(optimizer, small);
    for (const [key, optimizer] of [
      ["foreach", "sgd"],
      ["foreach", "adam"],
      ["triad", "adam"],
    ] as const) {
      const runner = await prepare(key, optimizer);
      if (typeof runner === "string") throw new Error(runner);
      expect(await runner.run(3)).toHaveLength(3);
      expect(Object.keys(runner.others!())).toContain("host");
      await runner.close();
      await expect(runner.run(1)).rejects.toThrow("step");
    }
    expect(await prepare("fused", "rmsprop")).toContain("unexpected keyword argument 'fused'");
    if (isOld) expect(await prepare("compile", "sgd")).toMatch(/has no torch.compile$/);
  } finally {
    torch.close();
  }
});
