// What a training step costs with jax-js, and which part of it is copying: an MLP 784-128-64-10 with
// 109,386 parameters in 6 tensors, batches of 64. Run: npx vitest bench --run test/adapters

import { init, jit, nn, numpy as np, valueAndGrad } from "@jax-js/jax";
import { bench, describe } from "vitest";
import { trainable } from "../../src/adapters/jax.ts";
import { Adam } from "../../src/index.ts";
import { noise } from "./line.ts";

type Layer = { readonly w: np.Array; readonly b: np.Array };

await init("wasm");

const sizes = [784, 128, 64, 10];
const model = trainable(
  sizes.slice(1).map((outputs, i): Layer => {
    const inputs = sizes[i]!;
    const w = noise(inputs * outputs).map((value) => (2 * value) / Math.sqrt(inputs));
    return { w: np.array(w, { shape: [inputs, outputs] }), b: np.zeros([outputs]) };
  }),
);
const x = np.array(noise(64 * 784), { shape: [64, 784] });
const labels = np.array(Int32Array.from({ length: 64 }, (_, i) => i % 10));

function crossEntropy(layers: Layer[], images: np.Array, digits: np.Array): np.Array {
  let hidden = images;
  for (const [i, { w, b }] of layers.entries()) {
    hidden = np.dot(hidden, w).add(b);
    if (i < layers.length - 1) hidden = nn.relu(hidden);
  }
  return nn
    .oneHot(digits, 10)
    .mul(nn.logSoftmax(hidden, -1))
    .sum()
    .mul(-1 / 64);
}

const optimizer = new Adam(model.parameters, { lr: 1e-3 });
const backward = model.backward(crossEntropy);
const resident = jit(valueAndGrad(crossEntropy));
const weights = model.arrays();
const take = (layers: readonly Layer[]) => layers.map(({ w, b }) => ({ w: w.ref, b: b.ref }));
const flat = (layers: readonly Layer[]) => layers.flatMap(({ w, b }) => [w, b]);

describe("MLP 784-128-64-10, batch 64", () => {
  bench("the step: zeroGrad, backward, Adam", () => {
    optimizer.zeroGrad();
    backward(x, labels);
    optimizer.step();
  });

  bench("backward", () => {
    optimizer.zeroGrad();
    backward(x, labels);
  });

  bench("of it, computing (weights and gradients stay in jax-js)", () => {
    const [loss, gradients] = resident(take(weights), x.ref, labels.ref) as [np.Array, Layer[]];
    loss.dataSync();
    for (const gradient of flat(gradients)) gradient.dispose();
  });

  bench("of it, uploading 6 tensors", () => {
    for (const array of flat(model.arrays())) array.dispose();
  });

  bench("of it, downloading 6 gradients", () => {
    for (const array of flat(weights)) array.ref.dataSync();
  });

  bench("Adam alone", () => optimizer.step());
});
