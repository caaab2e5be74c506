/**
 * Takes pictures of every room of the lab, light and dark, at the width of a desk and of a phone, into
 * runs/lab: to be looked at. Serves dist/lab itself, so build first.
 */
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { chromium } from "playwright-core";

const root = dirname(import.meta.dirname);
const out = join(root, "runs", "lab");
const train = (page) => page.getByRole("button", { name: "Train", exact: true }).click();
const measure = (page) => page.getByRole("button", { name: "Measure", exact: true }).click();
const write = (rule) => `#/write?${new URLSearchParams({ rule })}`;
/** Addresses, what of the page has to be there before it is worth a picture, and what is done before. */
const scenes = {
  race: ["#/race", "[data-ready=true]"],
  "race-ravine": ["#/race?surface=ravine&racing=sgd,momentum&at=60", "[data-ready=true]"],
  "race-left": ["#/race?surface=ravine&racing=sgd,adam&sgd.lr=0.205&at=150", "[data-ready=true]"],
  "race-all": [
    "#/race?surface=himmelblau&racing=sgd,momentum,nesterov,rmsprop,adam,adamw,nadam,radam,adamax,adagrad,adadelta,rprop,asgd,adafactor,lbfgs&at=40",
    "[data-ready=true]",
  ],
  "race-formula": ["#/race?surface=formula", "[data-ready=true]"],
  "race-wrong": ["#/race?surface=formula&formula=x%5E2%20%2B%20foo(y)", "[role=alert]"],
  "race-saddle": ["#/race?surface=saddle&racing=sgd,momentum,adam&at=45", "[data-ready=true]"],
  "race-noisy": ["#/race?surface=noisy", "[data-ready=true]"],
  "race-beale": ["#/race?surface=beale", "[data-ready=true]"],
  "race-rastrigin": ["#/race?surface=rastrigin", "[data-ready=true]"],
  "race-own": [
    `#/race?surface=himmelblau&racing=adam,yours&${new URLSearchParams({ rule: "rule Lion\np = p - lr * sign(ema(m, g, 0.9))\nm = ema(m, g, 0.99)" })}`,
    "tr[data-racer=yours]",
  ],
  "race-own-wrong": [
    `#/race?racing=adam,yours&${new URLSearchParams({ rule: "m = ema(m, g, b1)\np = p - lr * mm" })}`,
    "[role=alert]",
  ],
  train: ["#/train", "[data-ready=true]"],
  "train-running": ["#/train?epochs=2", "tr[data-optimizer=sgd] abbr", train],
  "train-done": ["#/train", "[data-phase=done]", train],
  "train-own": [
    "#/train?optimizers=adam,muon,yours&batch=512&rule=rule%20Lion%3B%20p%20%3D%20p%20-%20lr%20*%20sign(ema(m%2C%20g%2C%200.9))%3B%20m%20%3D%20ema(m%2C%20g%2C%200.99)&yours.lr=0.0003",
    "[data-phase=done]",
    train,
  ],
  "train-gpu": [
    "#/train?optimizers=adam,lbfgs&batch=512&hidden=16&device=webgpu",
    "[data-phase=done]",
    train,
  ],
  "train-wrong": [
    "#/train?optimizers=sgd,adam,yours&batch=1024&sgd.lr=-1&rule=p%20%3D%20p%20-%20lr%20*%20h",
    "[data-phase=done]",
    train,
  ],
  write: ["#/write", "[data-typeset]"],
  "write-adamw": [
    write(
      "rule AdamW\nweightDecay = 0.01\nm = ema(m, g, b1)\nv = emaSq(v, g, b2)\nif weightDecay != 0: p = (1 - lr * weightDecay) * p\np = p - lr / (1 - b1^t) * m / (sqrt(v / (1 - b2^t)) + eps)\n",
    ) + "&tab=wgsl",
    "[data-typeset]",
  ],
  "write-wrong": [write("m = ema(m, g, b1)\np = p - lr * mm"), "[aria-invalid]"],
  measure: ["#/measure", "[data-ready=true]"],
  "measure-running": ["#/measure?rounds=60", "[data-stage^='1']", measure],
  "measure-done": ["#/measure", "[data-done=true]", measure],
  "measure-large": [
    "#/measure?size=33554432&rows=plain,fused-1,fused&rounds=9",
    "[data-done=true]",
    measure,
  ],
  "measure-missing": [
    "#/measure?optimizer=sgd&size=1000&rows=plain,best,fused-1,fused",
    "[data-done=true]",
    measure,
  ],
  docs: ["#/docs", "[data-ready=true]"],
  "docs-math": ["#/docs/math", "[data-ready=true]"],
  "docs-performance": ["#/docs/performance", "[data-ready=true]"],
  "docs-reference": ["#/docs/api/optimizers?at=Optimizer", "[data-ready=true]"],
  "docs-names": ["#/docs/api", "[data-ready=true]"],
  "docs-checkpoints": ["#/docs/checkpoints?at=in-a-browser", "[data-ready=true]"],
};
const sizes = { desk: { width: 1280, height: 860 }, phone: { width: 390, height: 844 } };

const wanted = process.argv.slice(2);
mkdirSync(out, { recursive: true });
const server = spawn(process.execPath, [join(root, "dist/cli/main.js"), "lab"], {
  stdio: ["ignore", "pipe", "inherit"],
});
const url = await new Promise((found) => {
  server.stdout.once("data", (text) => found(String(text).trim()));
});
const browser = await chromium.launch({
  executablePath: process.env["DOWNHILL_CHROMIUM"] ?? "/usr/bin/chromium",
  args: [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
  ],
});
try {
  for (const [name, [hash, ready, act]] of Object.entries(scenes)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    for (const colorScheme of ["light", "dark"]) {
      for (const [size, viewport] of Object.entries(sizes)) {
        const context = await browser.newContext({
          viewport,
          colorScheme,
          reducedMotion: "reduce",
          deviceScaleFactor: size === "phone" ? 2 : 1,
        });
        const page = await context.newPage();
        await page.goto(`${url}${hash}`);
        await page.waitForSelector("[data-ready=true], [role=alert]", { state: "attached" });
        await act?.(page);
        await page.waitForSelector(ready, { state: "attached" });
        await page.waitForTimeout(200);
        await page.screenshot({
          path: join(out, `${name}-${colorScheme}-${size}.png`),
          fullPage: true,
        });
        await context.close();
      }
    }
  }
} finally {
  await browser.close();
  server.kill("SIGINT");
}
