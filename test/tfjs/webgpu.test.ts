/** Steps by copies on TensorFlow.js's WebGPU backend in Node, where nothing can be read synchronously. */
import { beforeAll, describe, expect, test } from "vitest";
import { tfOptimizer } from "../../src/adapters/tfjs.ts";
import { Adam, SGD } from "../../src/index.ts";
import { noVulkan } from "../helpers/find-vulkan.ts";
import { tf, useBackend } from "../helpers/tfjs.ts";
import { minimizeNew } from "../helpers/tfjs-model.ts";
import { adoptDevice, globalGpu } from "../helpers/webgpu.ts";

describe.skipIf(noVulkan)("tfjs on WebGPU", () => {
  beforeAll(async () => {
    await globalGpu();
    await useBackend("webgpu");
    adoptDevice((tf.backend() as unknown as { device: GPUDevice }).device);
  });

  test("Adam's losses are those of tf.train.adam", async () => {
    const adam = tf.train.adam(0.01);
    const expected = await minimizeNew((loss) => adam.minimize(loss, true));
    const optimizer = tfOptimizer(tf, Adam, { lr: 0.01, eps: 1e-7, backend: "wasm" });
    const losses = await minimizeNew((loss) => optimizer.minimizeAsync(loss, true));
    expect(losses.at(-1)).toBeLessThan(losses[0]! / 1.2);
    losses.forEach((loss, i) => expect(loss / expected[i]!).toBeCloseTo(1, 4));
  });

  test("a synchronous step by copies says what to call instead", () => {
    const w = tf.variable(tf.tensor1d([0]), true, "v");
    const optimizer = tfOptimizer(tf, SGD, { backend: "wasm" });
    const step = () => void optimizer.minimize(() => tf.sum(w), false, [w]);
    expect(step).toThrow("Use minimizeAsync() or applyGradientsAsync() and await it.");
  });

  test("gradients may be applied asynchronously, several in a row, and state is saved", async () => {
    const w = tf.variable(tf.tensor1d([0]), true, "w");
    const optimizer = tfOptimizer(tf, SGD, { lr: 1, momentum: 0.9, backend: "wasm" });
    const gradients = { w: tf.mul(tf.tensor1d([1]), 2) };
    const steps = [1, 2, 3].map(() => optimizer.applyGradientsAsync(gradients));
    await Promise.all(steps);
    expect((await w.data())[0]).toBeCloseTo(-2 * (1 + 1.9 + 2.71), 5);
    const weights = await optimizer.getWeights();
    const again = tfOptimizer(tf, SGD, { backend: "wasm" });
    await again.setWeights(weights);
    await again.applyGradientsAsync(gradients);
    expect((await w.data())[0]).toBeCloseTo(-2 * (1 + 1.9 + 2.71 + 3.439), 5);
  });
});
