/** The experiment's network in jax-js's words, on whatever device: its weights, its loss and what it sees. */
import { lax, nn, numpy as np } from "@jax-js/jax";
import { initialWeights, type Activation, type Experiment } from "./experiment.ts";
import { brightness, pixels, type DigitSet } from "./mnist.ts";

const CLASSES = 10;
/** Examples that are classified at a time; it divides MNIST's 10,000. */
const TEST_BATCH = 1000;

type Layer = { readonly weight: np.Array; readonly bias: np.Array };
export type Tree = { readonly layers: readonly Layer[] };

/** New arrays with the initial weights, on the default device. */
export function treeOf(experiment: Experiment): Tree {
  const weights = initialWeights(experiment).map(({ data, shape }) =>
    np.array(data, { shape: [...shape] }),
  );
  const layers = experiment.layers.slice(1);
  return { layers: layers.map((_, i) => ({ weight: weights[2 * i]!, bias: weights[2 * i + 1]! })) };
}

/** Mean loss of a batch, whose images and labels are flat. */
export function lossOf({ batchSize, activation }: Experiment) {
  return (tree: Tree, images: np.Array, labels: np.Array): np.Array =>
    crossEntropy(
      logits(tree, images.reshape([batchSize, pixels]), activation),
      labels.reshape([batchSize, CLASSES]),
      batchSize,
    );
}

/** The scores of as many images as {@link testBatches} gives at a time. */
export function scoresOf({ activation }: Experiment) {
  return (tree: Tree, images: np.Array): np.Array =>
    logits(tree, images.reshape([TEST_BATCH, pixels]), activation);
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

/** The pixels of a batch's images, one after the other. */
export function imagesOf(data: DigitSet, batch: Uint32Array): Float32Array {
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

/** The labels of a batch, ten numbers each. */
export function oneHot({ labels }: DigitSet, batch: Uint32Array): Float32Array {
  const encoded = new Float32Array(batch.length * CLASSES);
  batch.forEach((example, i) => (encoded[i * CLASSES + labels[example]!] = 1));
  return encoded;
}

/** The images in parts of one size, each in the same array; a rest that is smaller is left out. */
export function* testBatches(data: DigitSet): Generator<Float32Array> {
  const images = new Float32Array(TEST_BATCH * pixels);
  for (let start = 0; start + TEST_BATCH <= data.count; start += TEST_BATCH) {
    brighten(data, start, images, 0, TEST_BATCH);
    yield images;
  }
}

/** The class with the highest score of each example. */
export function likeliest(scores: ArrayLike<number>): Uint8Array {
  return Uint8Array.from({ length: scores.length / CLASSES }, (_, i) => {
    let best = 0;
    for (let k = 1; k < CLASSES; k++) {
      if (scores[i * CLASSES + k]! > scores[i * CLASSES + best]!) best = k;
    }
    return best;
  });
}

/** Lists as one. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
