/**
 * Large steps in a real browser: shared by Web Workers where the page is cross-origin isolated, taken
 * alone where it is not, interpreted where a policy forbids WebAssembly; with the bits of Node always.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundle } from "./helpers/bundle.ts";
import { findChromium, launchChromium } from "./helpers/chromium.ts";
import { takeLargeSteps, type LargeSteps } from "./helpers/large-steps.ts";

const isolated = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};
/** What a page is served with, by its address. */
const headers: Readonly<Record<string, Record<string, string>>> = {
  "/isolated": isolated,
  "/plain": {},
  "/no-wasm": { ...isolated, "Content-Security-Policy": "script-src 'self'" },
  "/no-workers": {
    ...isolated,
    "Content-Security-Policy": "script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'",
  },
};

type Global = typeof globalThis & {
  takeLargeSteps: typeof takeLargeSteps;
  disposeLargeSteps: () => number;
};

const required = process.env["DOWNHILL_REQUIRE_ALL"] === "1";
describe.skipIf(findChromium() === null && !required)("Chromium", () => {
  let server: Server;
  let browser: Browser;
  let inNode: LargeSteps;

  beforeAll(async () => {
    const script = await bundle(
      `import * as steps from "./helpers/large-steps.ts";
       Object.assign(globalThis, steps);
       if (typeof document === "undefined") postMessage(await steps.takeLargeSteps(3, 2));`,
    );
    server = createServer(({ url = "" }, response) => {
      const isScript = url === "/script.js";
      response.writeHead(isScript || headers[url] ? 200 : 204, {
        "Content-Type": isScript ? "text/javascript" : "text/html",
        ...(isScript ? isolated : headers[url]), // a script is what a worker starts from
      });
      response.end(isScript ? script : `<script type="module" src="/script.js"></script>`);
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    browser = await launchChromium();
    inNode = await takeLargeSteps(1, 0);
  });
  afterAll(async () => {
    await browser?.close();
    server.close();
  });

  /** A page, and what it complained about. */
  async function open(path: string): Promise<{ page: Page; complaints: string[] }> {
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => complaints.push(message.text()));
    const { port } = server.address() as AddressInfo;
    await page.goto(`http://127.0.0.1:${port}${path}`);
    await page.waitForFunction(() => "takeLargeSteps" in globalThis);
    return { page, complaints };
  }

  const steps = (page: Page, threads: number, workers: number): Promise<LargeSteps> =>
    page.evaluate(([count, helpers]) => (globalThis as Global).takeLargeSteps(count, helpers), [
      threads,
      workers,
    ] as const);

  test("Node on one thread is what they are held to", () => {
    expect(inNode).toMatchObject({ backend: "wasm", jobs: 0, workers: 0 });
  });

  test("an isolated page shares steps among Web Workers, until dispose", async () => {
    const { page, complaints } = await open("/isolated");
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
    const found = await steps(page, 3, 2);
    expect(found).toMatchObject({ digest: inNode.digest, backend: "wasm", workers: 2 });
    expect(found.jobs).toBeGreaterThan(5);
    expect(found.mine).toBeLessThan(inNode.mine);
    expect(page.workers()).toHaveLength(2);
    expect(await page.evaluate(() => (globalThis as Global).disposeLargeSteps())).toBe(0);
    await expect.poll(() => page.workers().length).toBe(0); // within a second: also those asleep
    expect(complaints).toEqual([]);
  });

  test("so does a page's worker", async () => {
    const { page, complaints } = await open("/isolated");
    const found = await page.evaluate(
      () =>
        new Promise<LargeSteps>((resolve) => {
          const worker = new Worker("/script.js", { type: "module" });
          worker.addEventListener("message", ({ data }) => resolve(data as LargeSteps));
        }),
    );
    expect(found).toMatchObject({ digest: inNode.digest, backend: "wasm", workers: 2 });
    expect(found.mine).toBeLessThan(inNode.mine);
    expect(complaints).toEqual([]);
  });

  test.each([
    ["/plain", "wasm", []],
    ["/no-wasm", "interp", []],
    // The browser itself says so, of both workers that are wanted, until the pool wants no more.
    ["/no-workers", "wasm", Array.from({ length: 4 }, () => "worker-src 'self'")],
  ] as const)("%s: on one thread, %s", async (path, backend, expected) => {
    const { page, complaints } = await open(path);
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(path !== "/plain");
    const found = await steps(page, 3, 0);
    expect(found).toMatchObject({ digest: inNode.digest, backend, jobs: 0, workers: 0 });
    expect(page.workers()).toHaveLength(0);
    expect(complaints).toEqual(expected.map((part) => expect.stringContaining(part) as string));
  });
});
