/**
 * Steps in place in a real browser, with the bits of Node: on tfjs's build with threads, whose memory is
 * shared, where the page is cross-origin isolated, and on the other one where it is not.
 */
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundle } from "../helpers/bundle.ts";
import { findChromium, launchChromium } from "../helpers/chromium.ts";
import { takeLargeSteps, type LargeSteps } from "../helpers/large-steps.ts";
import type { takeTfjsSteps } from "../helpers/tfjs-steps.ts";

const isolated = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};
const headers: Readonly<Record<string, Record<string, string>>> = {
  "/isolated": isolated,
  "/plain": {},
};

const { resolve } = createRequire(import.meta.url);
const folderOf = (name: string): string =>
  join(dirname(resolve(`@tensorflow/${name}/package.json`)), "dist");
/** What browsers load of tfjs: the files that its packages have for script elements, and what these fetch. */
const files = {
  "tf-core.min.js": "tfjs-core",
  "tf-backend-wasm.min.js": "tfjs-backend-wasm",
  "tfjs-backend-wasm.wasm": "tfjs-backend-wasm",
  "tfjs-backend-wasm-simd.wasm": "tfjs-backend-wasm",
  "tfjs-backend-wasm-threaded-simd.wasm": "tfjs-backend-wasm",
};
const page = `<script src="/tf-core.min.js"></script><script src="/tf-backend-wasm.min.js"></script>
  <script type="module" src="/script.js"></script>`;

type Global = typeof globalThis & { takeTfjsSteps: typeof takeTfjsSteps };

const required = process.env["DOWNHILL_REQUIRE_ALL"] === "1";
describe.skipIf(findChromium() === null && !required)("Chromium", () => {
  let server: Server;
  let browser: Browser;
  let inNode: LargeSteps;

  beforeAll(async () => {
    const script = await bundle(
      `import * as steps from "./helpers/tfjs-steps.ts"; Object.assign(globalThis, steps);`,
    );
    const served = new Map<string, [type: string, content: Uint8Array | string]>([
      ["/script.js", ["text/javascript", script]],
      ...(Object.keys(headers).map((path) => [path, ["text/html", page]] as const) as never[]),
    ]);
    for (const [name, owner] of Object.entries(files)) {
      const type = name.endsWith(".js") ? "text/javascript" : "application/wasm";
      served.set(`/${name}`, [type, readFileSync(join(folderOf(owner), name))]);
    }
    server = createServer(({ url = "" }, response) => {
      const [type, content] = served.get(url) ?? ["text/plain", ""];
      response.writeHead(served.has(url) ? 200 : 204, {
        "Content-Type": type,
        ...(headers[url] ?? isolated),
      });
      response.end(content);
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    browser = await launchChromium();
    inNode = await takeLargeSteps(1, 0);
  });
  afterAll(async () => {
    await browser?.close();
    server.close();
  });

  test.each([
    ["/isolated", true, 2],
    ["/plain", false, 0],
  ] as const)("%s", async (path, isThreaded, workers) => {
    const opened = await browser.newPage();
    const complaints: string[] = [];
    opened.on("pageerror", (error) => complaints.push(String(error)));
    opened.on("console", (message) => complaints.push(message.text()));
    const { port } = server.address() as AddressInfo;
    await opened.goto(`http://127.0.0.1:${port}${path}`);
    await opened.waitForFunction(() => "takeTfjsSteps" in globalThis);
    expect(await opened.evaluate(() => crossOriginIsolated)).toBe(isThreaded);
    const found = await opened.evaluate(
      (count) => (globalThis as Global).takeTfjsSteps(3, count),
      workers,
    );
    expect({ ...found, jobs: found.jobs > 0 }).toEqual({
      digest: inNode.digest,
      inPlace: "wasm",
      why: undefined,
      isThreaded,
      jobs: isThreaded,
      products: [
        [2, 2],
        [0, 0],
      ],
    });
    expect(complaints).toEqual([]);
    await opened.close();
  });
});
