// The experiment's network in jax-js, driven through Downhill's own adapter.

import { defaultDevice, init, lax, nn, numpy as np } from "@jax-js/jax";

import { trainable } from "../adapters/jax.ts";
import type { Parameter } from "../index.ts";
import { initialWeights, type Activation, type Experiment } from "./experiment.ts";
import { brightness, pixels, type DigitSet } from "./mnist.ts";
import type { Network } from "./network.ts";

const CLASSES = 10;
/** Examples that are classified at a time; it divides MNIST's 10,000. */
const TEST_BATCH = 1000;

type Layer = { readonly weight: np.Array; readonly bias: np.Array };
type Tree = { readonly layers: readonly Layer[] };

export async function createJaxNetwork(experiment: Experiment): Promise<Network> {
  await init("wasm");
  defaultDevice("wasm");
  const { batchSize, activation, layers } = experiment;
  const weights = initialWeights(experiment);
  const model = trainable<Tree>({
    layers: layers.slice(1).map((_, i) => ({
      weight: np.array(weights[2 * i]!.data, { shape: [...weights[2 * i]!.shape] }),
      bias: np.array(weights[2 * i + 1]!.data, { shape: [...weights[2 * i + 1]!.shape] }),
    })),
  });
  const backward = model.backward((tree, images, labels) =>
    crossEntropy(
      logits(tree, images.reshape([batchSize, pixels]), activation),
      labels.reshape([batchSize, CLASSES]),
      batchSize,
    ),
  );
  const forward = model.forward((tree, images) =>
    logits(tree, images.reshape([TEST_BATCH, pixels]), activation),
  );
  const testImages = new Float32Array(TEST_BATCH * pixels);
  return {
    parameters: model.parameters,
    size: model.parameters.reduce((size, parameter) => size + parameter.size, 0),
    reset: () => model.parameters.forEach((p: Parameter, i) => (p.data = weights[i]!.data)),
    backward: (data, batch) => backward(imagesOf(data, batch), oneHot(data, batch)),
    accuracy(data) {
      let right = 0;
      for (let start = 0; start + TEST_BATCH <= data.count; start += TEST_BATCH) {
        brighten(data, start, testImages, 0, TEST_BATCH);
        const scores = forward(testImages).dataSync();
        for (let i = 0; i < TEST_BATCH; i++) {
          const row = scores.subarray(i * CLASSES, (i + 1) * CLASSES);
          if (indexOfLargest(row) === data.labels[start + i]) right++;
        }
      }
      return right / data.count;
    },
    dispose() {
      backward.dispose();
      forward.dispose();
    },
  };
}

function logits({ layers }: Tree, images: np.Array, activation: Activation): np.Array {
  return layers.reduce((input, { weight, bias }, i) => {
    const output = np.matmul(input, np.transpose(weight)).add(bias);
    if (i === layers.length - 1) return output;
    return activation === "tanh" ? np.tanh(output) : nn.relu(output);
  }, images);
}

/**
 * Mean of log Σ exp z - z[label], to float32 accuracy.
 *
 * jax-js's `log` is good to 1e-5 only, which its gradient, 1/x, does not feel; one step of Newton's
 * method, kept out of the gradient, mends the value. The mean is summed in eight parts, because one
 * long float32 sum would lose more than all the rest.
 */
function crossEntropy(scores: np.Array, labels: np.Array, batchSize: number): np.Array {
  const shifted = scores.ref.sub(lax.stopGradient(np.max(scores, 1, { keepdims: true })));
  const total = np.exp(shifted.ref).sum(1);
  const rough = np.log(total.ref);
  const missing = lax.stopGradient(total.mul(np.exp(rough.ref.neg())).sub(1));
  const each = rough.add(missing).sub(shifted.mul(labels).sum(1));
  const parts = batchSize % 8 === 0 ? 8 : 1;
  return each
    .reshape([parts, batchSize / parts])
    .sum(1)
    .sum()
    .mul(1 / batchSize);
}

function imagesOf(data: DigitSet, batch: Uint32Array): Float32Array {
  const gathered = new Float32Array(batch.length * pixels);
  batch.forEach((example, i) => brighten(data, example, gathered, i, 1));
  return gathered;
}

/** Writes the pixels of `count` examples, from number `first` on, into rows from `row` on. */
function brighten(
  { images }: DigitSet,
  first: number,
  into: Float32Array,
  row: number,
  count: number,
): void {
  const from = first * pixels;
  const to = row * pixels;
  for (let i = 0; i < count * pixels; i++) into[to + i] = brightness[images[from + i]!]!;
}

function oneHot({ labels }: DigitSet, batch: Uint32Array): Float32Array {
  const encoded = new Float32Array(batch.length * CLASSES);
  batch.forEach((example, i) => (encoded[i * CLASSES + labels[example]!] = 1));
  return encoded;
}

function indexOfLargest(row: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < row.length; i++) if (row[i]! > row[best]!) best = i;
  return best;
}
