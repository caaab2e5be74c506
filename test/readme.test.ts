/** The TypeScript in the README and in the guides runs: every block is type-checked and executed as a program. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { programsIn } from "../site/docs/blocks.ts";
import { readGuides } from "../site/docs/guides.ts";
import { summaryTable, type Bench } from "../src/cli/bench/bench-report.ts";
import { explain } from "../src/cli/explain.ts";
import { bundle } from "./helpers/bundle.ts";
import { findVulkan } from "./helpers/find-vulkan.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const readme = readFileSync(join(root, "README.md"), "utf8");
const blocks = readGuides(root)
  .filter(({ hasPrograms }) => hasPrograms)
  .flatMap(({ text }) => programsIn(text).map(({ code }) => code));
/**
 * Runs a program with a `navigator.gpu`, as browsers have it. What the program leaves on the GPU is done and
 * let go before Node exits: Dawn crashes otherwise now and then.
 */
const withGpu = `
  import { create } from "webgpu";
  let gpu = create([]);
  const devices = [];
  const adapterOf = (adapter) => ({
    limits: adapter.limits,
    features: adapter.features,
    requestDevice: async (options) => {
      devices.push(await adapter.requestDevice(options));
      return devices.at(-1);
    },
  });
  const requestAdapter = async (options) => adapterOf(await gpu.requestAdapter(options));
  Object.defineProperty(globalThis, "navigator", { value: { gpu: { requestAdapter } } });
  await import(process.argv[2]);
  for (const device of devices) {
    await device.queue.onSubmittedWorkDone();
    device.destroy();
  }
  gpu = null;`;
const gpuRequired = process.env["DOWNHILL_REQUIRE_ALL"] === "1";
let folder: string;

beforeAll(() => {
  const cache = join(root, "node_modules", ".cache");
  mkdirSync(cache, { recursive: true });
  folder = mkdtempSync(join(cache, "readme-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("there are blocks to check", () => {
  expect(blocks.length).toBeGreaterThanOrEqual(10);
});

test("all blocks pass the type checker", () => {
  blocks.forEach((code, i) => writeFileSync(join(folder, `block${i}.ts`), `${code}\nexport {};\n`));
  const config = {
    extends: join(root, "tsconfig.json"),
    compilerOptions: {
      noUnusedLocals: false,
      paths: {
        downhill: [join(root, "src/index.ts")],
        "downhill/checkpoint": [join(root, "src/checkpoint/index.ts")],
        "downhill/checkpoint/node": [join(root, "src/checkpoint/node.ts")],
        "downhill/jax/webgpu": [join(root, "src/adapters/jax/webgpu.ts")],
        "downhill/jax": [join(root, "src/adapters/jax.ts")],
        "downhill/tfjs": [join(root, "src/adapters/tfjs.ts")],
        "downhill/math": [join(root, "src/math/index.ts")],
        "downhill/webgpu": [join(root, "src/webgpu/index.ts")],
      },
    },
    include: [`${folder}/*.ts`],
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  const require = createRequire(import.meta.url);
  const tsc = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");
  const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", folder], { encoding: "utf8" });
  expect(stdout).toBe("");
  expect(status).toBe(0);
});

test("its Adam is the library's, bit for bit", async () => {
  const rule = blocks.find((code) => code.includes('name: "Adam"'))!;
  const file = join(folder, "adam.mjs");
  const comparison = `
    import { Adam as Library } from "downhill";
    const [a, b] = [parameter({ shape: [99] }), parameter({ shape: [99] })];
    const [ours, theirs] = [new Adam([a]), new Library([b])];
    for (let step = 1; step <= 30; step++) {
      a.grad = b.grad = Float32Array.from({ length: 99 }, (_, i) => Math.sin(i * step) * 10 ** (i % 20));
      ours.step();
      theirs.step();
    }
    console.log(a.data.some((x) => x !== 0) && a.data.every((x, i) => Object.is(x, b.data[i])));`;
  writeFileSync(file, await bundle(rule + comparison));
  const { stdout } = spawnSync(process.execPath, [file], { encoding: "utf8" });
  expect(stdout).toBe("true\n");
});

test("its listings are what explain prints", () => {
  const { ir, wasm } = explain("adam", { hyper: {}, dtype: "float32", t: 2 });
  const [program] = /(?<=^```text\n).*?(?=\n```)/ms.exec(readme)!;
  expect(program).toBe(ir);
  const [excerpt] = /(?<=^```wasm\n).*?(?=\n```)/ms.exec(readme)!;
  expect(wasm[0]!.replaceAll(/^ {6}/gm, "")).toContain(excerpt);
});

describe("each block runs", () => {
  blocks.forEach((code, i) => {
    const onGpu = code.includes("downhill/webgpu");
    const isMissing = onGpu && findVulkan() === null && !gpuRequired;
    test.skipIf(isMissing)(`${i}: ${code.split("\n")[0]}`, async () => {
      const file = join(folder, `block${i}.mjs`);
      writeFileSync(file, await bundle(code));
      const starter = join(folder, "with-gpu.mjs");
      writeFileSync(starter, withGpu);
      const run = spawnSync(process.execPath, onGpu ? [starter, file] : [file], {
        encoding: "utf8",
        timeout: 60_000,
        env: onGpu ? { ...process.env, VK_DRIVER_FILES: findVulkan()! } : process.env,
      });
      expect(run.stderr).toBe("");
      expect(run).toMatchObject({ status: 0, signal: null });
      const numbers = run.stdout.match(/-?\d+\.\d+(?:e-?\d+)?/g)?.map(Number) ?? [];
      if (code.includes("close to 1")) expect(numbers.length).toBeGreaterThan(0);
      for (const x of numbers) if (code.includes("close to 1")) expect(x).toBeCloseTo(1, 2);
    });
  });
});

test("the table of figures is what was measured last", () => {
  const bench = JSON.parse(
    readFileSync(join(root, "docs/performance/bench.json"), "utf8"),
  ) as Bench;
  const [, table] = /<!-- measured -->\n(.*)<!-- end -->/s.exec(readme)!;
  const plain = (text: string) => text.replaceAll(/-+:?/g, "-").replaceAll(/\s+/g, " ").trim();
  expect(plain(table!)).toBe(plain(summaryTable(bench)));
});
