/**
 * A model of TensorFlow.js that is trained with AdamW in several runs of this program: each goes on exactly
 * where the one before stopped, in the middle of the schedule too.
 *
 *     node examples/tfjs/train.mjs [folder] [epochs]
 */
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-wasm";
import * as layers from "@tensorflow/tfjs-layers";
import { AdamW, WarmupCosineLR } from "downhill";
import { isVector, registerOptimizer, tfOptimizer } from "downhill/tfjs";

const [folder = "runs/tfjs", epochs = "5"] = process.argv.slice(2);
await tf.setBackend("wasm");

const options = {
  lr: 0.02,
  weightDecay: 0.01,
  groups: [{ match: isVector, weightDecay: 0 }], // none for biases
  clipGradNorm: 1,
  schedule: (optimizer) => new WarmupCosineLR(optimizer, { warmupSteps: 10, totalSteps: 200 }),
};
// Files hold no functions, so `schedule` is given to whoever loads one.
registerOptimizer(tf, AdamW, options);

const file = join(folder, "model.json");
const model = existsSync(file) ? await load() : create();
const { x, y } = moons(200);
const { history } = await model.fit(x, y, {
  epochs: Number(epochs),
  batchSize: 25,
  shuffle: false,
  verbose: 0,
});
const { iterations, paramGroups, inPlace } = model.optimizer;
history.loss.forEach((loss, i) =>
  print(`loss ${loss.toFixed(6)}, accuracy ${history.acc[i].toFixed(3)}`),
);
print(`step ${iterations}, learning rate ${paramGroups[0].lr.toFixed(6)}, in place: ${inPlace}`);
await save();

function create() {
  const dense = (units, activation, seed, rest) => {
    const kernelInitializer = layers.initializers.glorotUniform({ seed });
    return layers.layers.dense({ units, activation, kernelInitializer, ...rest });
  };
  const made = layers.sequential({
    layers: [
      dense(16, "tanh", 1, { inputShape: [2] }),
      dense(16, "tanh", 2),
      dense(1, "sigmoid", 3),
    ],
  });
  const optimizer = tfOptimizer(tf, AdamW, options);
  made.compile({ optimizer, loss: "binaryCrossentropy", metrics: ["accuracy"] });
  return made;
}

/** Two half circles that reach into each other. */
function moons(count) {
  const points = Array.from({ length: count }, (_, i) => {
    const angle = (Math.PI * i) / count;
    const noise = Math.sin(i * i) * 0.15;
    return i % 2 === 0
      ? [Math.cos(angle) + noise, Math.sin(angle)]
      : [1 - Math.cos(angle) + noise, 0.5 - Math.sin(angle)];
  });
  const labels = points.map((_, i) => [i % 2]);
  return { x: tf.tensor2d(points), y: tf.tensor2d(labels) };
}

/** Without the package tfjs-node, TensorFlow.js in Node leaves files to its user. */
async function save() {
  const handler = tf.io.withSaveHandler(async ({ weightData, ...rest }) => {
    await mkdir(folder, { recursive: true });
    await writeFile(file, JSON.stringify(rest));
    await writeFile(join(folder, "weights.bin"), new Uint8Array(weightData));
    return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: "JSON" } };
  });
  await model.save(handler, { includeOptimizer: true });
}

async function load() {
  const weights = await readFile(join(folder, "weights.bin"));
  const artifacts = {
    ...JSON.parse(await readFile(file, "utf8")),
    weightData: new Uint8Array(weights).buffer,
  };
  return layers.loadLayersModel(tf.io.fromMemory(artifacts));
}

function print(line) {
  process.stdout.write(`${line}\n`);
}
