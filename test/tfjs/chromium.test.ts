/** TensorFlow.js on its WebAssembly backend in a real browser: with its threads where the page is isolated. */
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundle } from "../helpers/bundle.ts";
import { findChromium, launchChromium } from "../helpers/chromium.ts";

const isolated = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};
const binaries = dirname(
  createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm/package.json"),
);
const types: Readonly<Record<string, string>> = {
  js: "text/javascript",
  wasm: "application/wasm",
};

/** What the page finds out. */
interface Found {
  readonly theirs: number[];
  readonly ours: number[];
  readonly threads: boolean;
  readonly inPlace: string;
  /** Of a model that goes on, and of one that was loaded from the browser's database. */
  readonly losses: number[][];
  readonly weights: number[][][];
}
type Global = typeof globalThis & { find: () => Promise<Found> };

const required = process.env["DOWNHILL_REQUIRE_ALL"] === "1";
describe.skipIf(findChromium() === null && !required)("tfjs in Chromium", () => {
  let server: Server;
  let browser: Browser;

  beforeAll(async () => {
    const code = `
      import * as tf from "@tensorflow/tfjs-core";
      import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
      import { Adam } from "downhill";
      import { tfOptimizer } from "downhill/tfjs";
      import * as layers from "@tensorflow/tfjs-layers";
      import { fit, fitNew, smallModel, weightsOf } from "./helpers/tfjs-model.ts";
      globalThis.find = async () => {
        setWasmPaths("/dist/");
        if (!(await tf.setBackend("wasm"))) throw new Error("no WebAssembly backend");
        const theirs = await fitNew(tf.train.adam(0.01));
        const ours = await fitNew(tfOptimizer(tf, Adam, { lr: 0.01, eps: 1e-7 }));
        const threads = await tf.env().getAsync("WASM_HAS_MULTITHREAD_SUPPORT");
        const optimizer = tfOptimizer(tf, Adam, { lr: 0.01, eps: 1e-7 });
        const model = smallModel();
        model.compile({ optimizer, loss: "meanSquaredError" });
        await fit(model, 2);
        await model.save("indexeddb://model", { includeOptimizer: true });
        const loaded = await layers.loadLayersModel("indexeddb://model");
        const losses = [await fit(model, 2), await fit(loaded, 2)];
        const weights = [weightsOf(model), weightsOf(loaded)];
        return { theirs, ours, threads, inPlace: optimizer.inPlace, losses, weights };
      };
    `;
    const script = await bundle(code, []);
    const html = `<script type="module" src="/script.js"></script>`;
    server = createServer(({ url = "" }, response) => {
      const type = types[url.split(".").at(-1)!] ?? "text/html";
      response.writeHead(200, { "Content-Type": type, ...(url === "/plain" ? {} : isolated) });
      if (type.endsWith("wasm")) response.end(readFileSync(join(binaries, url)));
      else response.end(type === "text/html" ? html : script);
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    server.close();
  });

  test.each([
    { path: "/plain", threads: false },
    { path: "/isolated", threads: true },
  ])(
    "$path: Adam's losses are those of tf.train.adam, and a model that is loaded goes on exactly",
    async ({ path, threads }) => {
      const page = await browser.newPage();
      const { port } = server.address() as AddressInfo;
      await page.goto(`http://127.0.0.1:${port}${path}`);
      await page.waitForFunction(() => "find" in globalThis);
      const found = await page.evaluate(() => (globalThis as Global).find());
      expect(found.threads).toBe(threads);
      expect(found.ours.at(-1)).toBeLessThan(found.ours[0]! / 2);
      found.ours.forEach((loss, i) => expect(loss / found.theirs[i]!).toBeCloseTo(1, 4));
      expect(found.inPlace).toBe("wasm");
      expect(found.losses[1]).toEqual(found.losses[0]);
      expect(found.weights[1]).toEqual(found.weights[0]);
      await page.close();
    },
  );
});
