/** Steps in the memory of other libraries in a real browser: of jax-js and of TensorFlow.js. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundle } from "../helpers/bundle.ts";
import { findChromium, launchChromium } from "../helpers/chromium.ts";

const scripts = {
  "jax-js": `
    import { defaultDevice, init, numpy as np } from "@jax-js/jax";
    import { trainableAsync } from "downhill/jax";
    import { trainable } from "downhill/jax/webgpu";
    import { SGD as OnCpu } from "downhill";
    import { SGD } from "downhill/webgpu";
    const start = () => ({ w: np.array([1, 2, 3]), b: np.zeros([]) });
    const loss = ({ w, b }, x) => np.square(np.dot(x, w).add(b).sub(1)).mean();
    const x = () => np.array([[1, 2, 3], [0, 1, 0], [2, 0, 1]]);
    globalThis.find = async () => {
      await init("webgpu");
      defaultDevice("webgpu");
      const model = trainable(start());
      const twin = await trainableAsync(start());
      const optimizer = new SGD(model.parameters, { lr: 0.02 });
      const reference = new OnCpu(twin.parameters, { lr: 0.02 });
      const [backward, backwardTwin] = [model.backward(loss), twin.backwardAsync(loss)];
      const [ours, theirs] = [[], []];
      const batch = x();
      for (let i = 0; i < 10; i++) {
        ours.push(backward(batch).read());
        optimizer.step();
        optimizer.zeroGrad();
        theirs.push(await backwardTwin(batch));
        reference.step();
        reference.zeroGrad();
      }
      return { ours: await Promise.all(ours), theirs, inPlace: "webgpu" };
    };`,
  "TensorFlow.js": `
    import * as tf from "@tensorflow/tfjs-core";
    import "@tensorflow/tfjs-backend-cpu";
    import "@tensorflow/tfjs-backend-webgpu";
    import { Adam } from "downhill";
    import { tfOptimizer } from "downhill/tfjs";
    import { fit, smallModel } from "./helpers/tfjs-model.ts";
    const learn = (optimizer) => {
      const model = smallModel();
      model.compile({ optimizer, loss: "meanSquaredError" });
      return fit(model, 3);
    };
    globalThis.find = async () => {
      await tf.setBackend("cpu");
      const theirs = await learn(tf.train.adam(0.05));
      await tf.setBackend("webgpu");
      const optimizer = tfOptimizer(tf, Adam, { lr: 0.05, eps: 1e-7 });
      const ours = await learn(optimizer);
      return { ours, theirs, inPlace: optimizer.inPlace };
    };`,
};

interface Found {
  readonly ours: readonly number[];
  readonly theirs: readonly number[];
  readonly inPlace: string;
}
type Global = typeof globalThis & { find: () => Promise<Found> };

const required = process.env["DOWNHILL_REQUIRE_ALL"] === "1";
describe.skipIf(findChromium() === null && !required)("in Chromium", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
  });

  async function open(code: string, complaints: string[]): Promise<Page> {
    const script = await bundle(code, []);
    const page = await browser.newPage();
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
    await page.waitForFunction(() => "find" in globalThis);
    return page;
  }

  test.each(Object.entries(scripts))("%s: the losses of a reference", async (_, code) => {
    const complaints: string[] = [];
    const page = await open(code, complaints);
    const found = await page.evaluate(() => (globalThis as Global).find());
    expect([found.inPlace, complaints]).toEqual(["webgpu", []]);
    expect(found.ours.at(-1)).toBeLessThan(found.ours[0]! / 2);
    found.ours.forEach((loss, i) => expect(loss / found.theirs[i]!).toBeCloseTo(1, 4));
    await page.close();
  });
});
