/** Truth on WebGPU in a real browser: every float32 case that was recorded of PyTorch, as in Node. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundle } from "../helpers/bundle.ts";
import { findChromium, launchChromium } from "../helpers/chromium.ts";
import type { GoldenCase } from "../helpers/golden-case.ts";
import { goldenCases } from "../helpers/golden.ts";
import { gpuNames, type GpuRun, type runGpuCase } from "../helpers/gpu-golden.ts";
import { expectGpuRun } from "../helpers/gpu-law.ts";
import { expectNearBfloat16 } from "../helpers/muon.ts";

type Global = typeof globalThis & { device: GPUDevice; runGpuCase: typeof runGpuCase };

const required = process.env["DOWNHILL_REQUIRE_ALL"] === "1";
describe.skipIf(findChromium() === null && !required)("WebGPU in Chromium", () => {
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    const script = await bundle(
      `import { requestDevice } from "downhill/webgpu";
       import { runGpuCase } from "./helpers/gpu-golden.ts";
       Object.assign(globalThis, { runGpuCase, device: await requestDevice() });`,
    );
    browser = await launchChromium();
    page = await browser.newPage();
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => complaints.push(message.text()));
    await page.route("http://localhost/**", (route) =>
      route.request().url().endsWith(".js")
        ? route.fulfill({ contentType: "text/javascript", body: Buffer.from(script) })
        : route.fulfill({
            contentType: "text/html",
            body: `<script type="module" src="/script.js"></script>`,
          }),
    );
    await page.goto("http://localhost/");
    await page.waitForFunction(() => "device" in globalThis || undefined);
  });
  afterAll(async () => {
    await browser?.close();
  });

  test("it runs on the driver that comes with it", async () => {
    const driver = await page.evaluate(
      () => (globalThis as Global).device.adapterInfo.architecture,
    );
    expect(driver).toBe("swiftshader");
  });

  /** All float32 cases of a rule, taken in the page. */
  async function runIn(
    name: Parameters<typeof runGpuCase>[1],
    cases: readonly GoldenCase[],
  ): Promise<GpuRun[]> {
    const recorded: unknown = cases.filter(({ dtype }) => dtype === "float32");
    const runs = await page.evaluate(
      async ([rule, all]) => {
        const { device, runGpuCase: run } = globalThis as Global;
        return Promise.all((all as GoldenCase[]).map((golden) => run(device, rule, golden)));
      },
      [name, recorded] as const,
    );
    expect(complaints).toEqual([]);
    return runs;
  }

  test.each(gpuNames)("%s", async (name) => {
    const cases = goldenCases(name);
    const runs = await runIn(name, cases);
    expect(runs).toHaveLength(cases.length / 2);
    runs.forEach((run, i) => expectGpuRun(name, cases[2 * i]!, cases[2 * i + 1]!, run, true));
  });

  test("Muon", async () => {
    const cases = goldenCases("Muon");
    const runs = await runIn("Muon", cases);
    expect(runs).toHaveLength(cases.length);
    runs.forEach((run, i) => expectNearBfloat16(cases[i]!, run.trajectory, run.state));
  });
});
