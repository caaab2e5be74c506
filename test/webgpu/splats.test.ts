/**
 * The example in examples/splats: its reference against finite differences, its shaders against the reference,
 * and its page, in a browser, against the reference and Adam on the CPU.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fit, type Fit } from "../../examples/splats/cpu.ts";
import {
  columns,
  initialRows,
  lrScale,
  randomNumbers,
  WIDTH,
} from "../../examples/splats/model.ts";
import { landscape } from "../../examples/splats/scene.ts";
import { Trainer } from "../../examples/splats/trainer.ts";
import { Adam, parameter } from "../../src/index.ts";
import { findChromium, launchChromium } from "../helpers/chromium.ts";
import { noVulkan } from "../helpers/find-vulkan.ts";
import { gpuDevice, readBuffer } from "../helpers/webgpu.ts";

const SIZE = 32;
const lr = 0.02;

/** Of the largest value. WGSL's sine and cosine may be wrong by 2⁻¹¹, and a Gaussian's angle needs both. */
const BOUND = 2 ** -10;

const rgbOf = (rgba: Uint8ClampedArray): Float64Array =>
  Float64Array.from({ length: (3 * rgba.length) / 4 }, (_, i) => {
    return rgba[4 * Math.floor(i / 3) + (i % 3)]! / 255;
  });
const target = landscape(SIZE);
const goal = rgbOf(target);

/** Of all sorts: some outside of the picture, some larger than it, some thinner than a pixel. */
function sundryRows(count: number, seed: number): Float32Array<ArrayBuffer> {
  const random = randomNumbers(seed);
  const between = (low: number, high: number): number => low + (high - low) * random();
  const rows = new Float32Array(count * WIDTH);
  for (let i = 0; i < count; i++) {
    const place = [between(-0.2, 1.2), between(-0.2, 1.2)];
    const shape = [between(-6, -0.5), between(-6, -0.5), between(-4, 4)];
    const color = [between(0, 1), between(0, 1), between(0, 1), between(-0.3, 1)];
    rows.set([...place, ...shape, ...color], i * WIDTH);
  }
  return rows;
}

test("the reference's gradients are those of its loss", () => {
  const rows = Float64Array.from(sundryRows(25, 1));
  const { gradient } = fit(rows, goal, SIZE);
  const largest = Math.max(...gradient.map(Math.abs));
  const h = 1e-6;
  rows.forEach((value, i) => {
    const lossAt = (at: number): number => fit(rows.with(i, at), goal, SIZE).loss;
    const slope = (lossAt(value + h) - lossAt(value - h)) / (2 * h);
    expect(Math.abs(slope - gradient[i]!), columns[i % WIDTH]).toBeLessThan(2e-6 * largest);
  });
});

describe.skipIf(noVulkan)("on a GPU", () => {
  let device: GPUDevice;
  beforeAll(async () => {
    device = await gpuDevice();
  });

  test.each([
    ["Gaussians of all sorts", sundryRows(300, 2)],
    ["more than are looked at at once", initialRows(700, 3)],
    ["a single one", initialRows(1, 4)],
  ])("picture, loss and gradients are the reference's: %s", async (_, rows) => {
    const count = rows.length / WIDTH;
    const trainer = new Trainer(device, { size: SIZE, target, count, seed: 1, lr, readEvery: 1 });
    trainer.splats.write(rows);
    const expected = fit(rows, goal, SIZE);
    trainer.step();
    const errors = new Float32Array(await readBuffer(device, trainer.errors));
    const picture = goal.map((value, i) => value + errors[4 * Math.floor(i / 3) + (i % 3)]!);
    expectClose(picture, expected.picture);
    expectGradient(await trainer.splats.readGrad(), expected);
    await trainer.settled();
    expect(trainer.losses).toHaveLength(1);
    expect(Math.abs(trainer.losses[0]! / expected.loss - 1)).toBeLessThan(BOUND);
    trainer.destroy();
  });
});

const required = process.env["DOWNHILL_REQUIRE_ALL"] === "1";
describe.skipIf(findChromium() === null && !required)("the page", () => {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const site = join(root, "node_modules/.cache/splats");
  const shots = join(root, "runs/splats");
  const settings = { size: 48, gaussians: 90, seed: 7, lr: 0.05, iterations: 64 };
  const complaints: string[] = [];
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    execFileSync(process.execPath, [join(root, "examples/splats/build.mjs"), site]);
    mkdirSync(shots, { recursive: true });
    browser = await launchChromium({ canvas: true });
    page = await browser.newPage({
      viewport: { width: 1000, height: 900 },
      reducedMotion: "reduce",
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => complaints.push(message.text()));
    await page.route("http://localhost/**", (route) => {
      const { pathname } = new URL(route.request().url());
      return route.fulfill({ path: join(site, pathname === "/" ? "index.html" : pathname) });
    });
    await page.addInitScript(() => {
      const { prototype } = GPUQueue;
      const { submit } = prototype;
      Object.assign(globalThis, { submits: 0 });
      prototype.submit = function (buffers) {
        (globalThis as Counting).submits += 1;
        submit.call(this, buffers);
      };
    });
    const address = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
    await page.goto(`http://localhost/?${address.join("&")}`);
  });
  afterAll(async () => {
    await browser?.close();
  });

  const iterations = () => page.locator("#iterations").textContent();

  test("it trains when told to, as the CPU does, in one submit per iteration", async () => {
    await expect.poll(iterations, { timeout: 20_000 }).toBe("1");
    expect(await page.locator("#pause").textContent()).toBe("Run"); // who wants less motion starts it
    const before = await shot("before");
    await page.getByRole("button", { name: "Run" }).click();
    await expect.poll(iterations, { timeout: 20_000 }).toBe("64");
    const after = await shot("after");
    expect(after.equals(before)).toBe(false);

    const found = await page.evaluate(() => {
      const { submits, trainer } = globalThis as Counting;
      return { submits, losses: trainer.losses };
    });
    expect(found.submits).toBe(64);
    const expected = lossesOnCpu(settings);
    expect(found.losses).toHaveLength(64);
    expect(expected.at(-1)).toBeLessThan(0.02 * expected[0]!);
    const off = found.losses.map((loss, i) => Math.abs(loss / expected[i]! - 1));
    expect(Math.max(...off)).toBeLessThan(0.01);
    expect(complaints).toEqual([]);
  });

  test("it shows errors and ellipses, starts over, and takes pictures", async () => {
    const fitted = page.locator("#fit");
    const seen = [await fitted.screenshot()];
    for (const view of ["error", "ellipses"]) {
      await page.locator("#view").selectOption(view);
      seen.push(await shot(view));
    }
    await page.getByRole("button", { name: "Reset" }).click();
    await expect.poll(iterations).toBe("1");
    seen.push(await fitted.screenshot());
    seen.forEach((one, i) => {
      expect(
        seen.findIndex((other) => other.equals(one)),
        "all differ",
      ).toBe(i);
    });

    const ownTarget = () => page.locator("#target").screenshot();
    const landscapeShown = await ownTarget();
    await page.locator("#file").setInputFiles(join(shots, "after.png"));
    await expect.poll(async () => (await ownTarget()).equals(landscapeShown)).toBe(false);
    await page.locator("#file").setInputFiles(fileURLToPath(import.meta.url));
    await expect.poll(() => page.getByRole("alert").textContent()).toContain("is not a picture");
    expect(complaints).toEqual([]);
  });

  /** A picture of the whole page for people, and one of the fit. */
  async function shot(name: string): Promise<Buffer> {
    await page.screenshot({ path: join(shots, `${name}.png`) });
    return page.locator("#fit").screenshot();
  }
});

type Counting = typeof globalThis & { submits: number };

/** The same training with Downhill's Adam on the CPU: one parameter per column, as each has a rate of its own. */
function lossesOnCpu(settings: {
  readonly size: number;
  readonly gaussians: number;
  readonly seed: number;
  readonly lr: number;
  readonly iterations: number;
}): number[] {
  const wanted = rgbOf(landscape(settings.size));
  const rows = initialRows(settings.gaussians, settings.seed);
  const params = columns.map((name, k) =>
    parameter(
      rows.filter((_, i) => i % WIDTH === k),
      { name },
    ),
  );
  const optimizer = new Adam(
    params.map((p, k) => ({ params: [p], lr: settings.lr * lrScale[k]! })),
  );
  return Array.from({ length: settings.iterations }, () => {
    params.forEach((p, k) => p.data.forEach((value, i) => (rows[i * WIDTH + k] = value)));
    const { loss, gradient } = fit(rows, wanted, settings.size);
    params.forEach(
      (p, k) => (p.grad = Float32Array.from(gradient.filter((_, i) => i % WIDTH === k))),
    );
    optimizer.step();
    return loss;
  });
}

/** Within BOUND of the largest expected value. */
function expectClose(got: ArrayLike<number>, expected: Float64Array): void {
  const largest = Math.max(...expected.map(Math.abs));
  const worst = Math.max(...expected.map((value, i) => Math.abs(value - got[i]!)));
  expect(worst / largest).toBeLessThan(BOUND);
}

/** Column by column, as these differ in scale. */
function expectGradient(got: Float32Array, { gradient }: Fit): void {
  columns.forEach((_, k) => {
    const mine = (__: number, i: number): boolean => i % WIDTH === k;
    expectClose(got.filter(mine), gradient.filter(mine));
  });
}
