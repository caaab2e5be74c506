/**
 * What jax-js's own pool of workers gives in Node, where it has none because there is no `Worker`: a training step
 * of an MLP 784-512-512-10 (batch 64) without one, and with one over node:worker_threads.
 *
 *     npm run build && node scripts/jax-threads.mjs [threads]
 */
import { resolveObjectURL } from "node:buffer";
import { availableParallelism } from "node:os";
import { Worker as NodeWorker } from "node:worker_threads";

/** As much of a browser's Worker as jax-js uses: a script in a blob, messages, and errors. */
class Worker {
  #worker = null;
  #early = [];
  onmessage = null;
  onerror = null;

  constructor(url) {
    void resolveObjectURL(String(url))
      .text()
      .then((source) => {
        this.#worker = new NodeWorker(prelude + source, { eval: true });
        this.#worker.on("message", (data) => this.onmessage?.({ data }));
        this.#worker.on("error", (error) => this.onerror?.(error));
        this.#worker.unref();
        // oxlint-disable-next-line require-post-message-target-origin -- workers have no origin
        for (const message of this.#early) this.#worker.postMessage(message);
      });
  }

  postMessage(message) {
    // oxlint-disable-next-line require-post-message-target-origin -- workers have no origin
    if (this.#worker) this.#worker.postMessage(message);
    else this.#early.push(message);
  }
}
const prelude = `
  const { parentPort } = require("node:worker_threads");
  globalThis.self = globalThis;
  globalThis.postMessage = (message) => parentPort.postMessage(message);
  parentPort.on("message", (data) => self.onmessage({ data }));
`;

const threads = Number(process.argv[2] ?? 1);
if (threads > 1) {
  // Before jax-js is imported: that is when it looks.
  globalThis.Worker = Worker;
  const navigator = { hardwareConcurrency: threads, userAgent: "node" };
  Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true });
}
// A timer keeps Node awake while only workers, which are not waited for, are at work.
const awake = setInterval(() => {}, 1000);
const { init, nn, numpy: np } = await import("@jax-js/jax");
const { AdamW } = await import("downhill");
const { trainable } = await import("downhill/jax");
await init("wasm");

const noise = (n, scale) => Float32Array.from({ length: n }, () => (Math.random() - 0.5) * scale);
const sizes = [784, 512, 512, 10];
const model = trainable(
  sizes.slice(1).map((m, i) => ({
    w: np.array(noise(sizes[i] * m, 2 / Math.sqrt(sizes[i])), { shape: [sizes[i], m] }),
    b: np.zeros([m]),
  })),
);
const loss = (layers, x, y) => {
  let h = x;
  layers.forEach(({ w, b }, i) => {
    h = np.dot(h, w).add(b);
    if (i < layers.length - 1) h = nn.relu(h);
  });
  return nn
    .oneHot(y, 10)
    .mul(nn.logSoftmax(h, -1))
    .sum()
    .mul(-1 / 64);
};
const x = np.array(noise(64 * 784, 1), { shape: [64, 784] });
const y = np.array(Int32Array.from({ length: 64 }, (_, i) => i % 10));
const optimizer = new AdamW(model.parameters);

async function time(label, step) {
  const times = [];
  for (let i = 0; i < 60; i++) {
    const start = performance.now();
    optimizer.zeroGrad();
    await step();
    optimizer.step();
    if (i >= 10) times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  const text = `${label}: ${times[0].toFixed(1)} | ${times[25].toFixed(1)} ms (least | median)`;
  process.stdout.write(`${text}\n`);
}

process.stdout.write(`${threads} threads of jax-js, ${availableParallelism()} cores\n`);
const backward = model.backward(loss);
const backwardAsync = model.backwardAsync(loss);
await time("backwardAsync, which the pool works for", () => backwardAsync(x, y));
await time("backward, which it does not work for", async () => backward(x, y));
clearInterval(awake);
process.exitCode = 0;
