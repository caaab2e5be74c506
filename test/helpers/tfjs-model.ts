/** A small model of tfjs-layers and what it learns, the same in every process and on every backend. */
import * as tf from "@tensorflow/tfjs-core";
import * as layers from "@tensorflow/tfjs-layers"; // it registers the gradients, too

const features = 6;
const rows = 64;

/** Points of a smooth function. */
function data(): { x: tf.Tensor2D; y: tf.Tensor2D } {
  const x = Array.from({ length: rows * features }, (_, i) => Math.sin(i * 0.7) * Math.cos(i * i));
  const y = Array.from({ length: rows }, (_, i) =>
    Math.sin(x[i * features]! + x[i * features + 1]!),
  );
  return { x: tf.tensor2d(x, [rows, features]), y: tf.tensor2d(y, [rows, 1]) };
}

export function smallModel(): layers.Sequential {
  const kernelInitializer = (seed: number) => layers.initializers.glorotNormal({ seed });
  return layers.sequential({
    layers: [
      layers.layers.dense({
        units: 8,
        activation: "tanh",
        inputShape: [features],
        kernelInitializer: kernelInitializer(1),
      }),
      layers.layers.dense({ units: 1, kernelInitializer: kernelInitializer(2) }),
    ],
  });
}

/** Trains with `fit`: four steps in an epoch, or one with all data. The losses of all epochs. */
export async function fit(
  model: layers.LayersModel,
  epochs: number,
  batchSize = rows / 4,
): Promise<number[]> {
  const { x, y } = data();
  const { history } = await model.fit(x, y, { epochs, batchSize, shuffle: false, verbose: 0 });
  tf.dispose([x, y]);
  return history["loss"] as number[];
}

/** What `fit` learns with an optimizer, five epochs long. */
export function fitNew(optimizer: tf.Optimizer): Promise<number[]> {
  const model = smallModel();
  model.compile({ optimizer, loss: "meanSquaredError" });
  return fit(model, 5);
}

/** Takes steps with all data by `step`, which gets the loss as a function. The losses of all steps. */
export async function minimizeNew(
  step: (loss: () => tf.Scalar) => tf.Scalar | null | Promise<tf.Scalar | null>,
  steps = 12,
): Promise<number[]> {
  const model = smallModel();
  const { x, y } = data();
  const loss = () => tf.losses.meanSquaredError(y, model.apply(x) as tf.Tensor) as tf.Scalar;
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) {
    const cost = (await step(loss))!;
    losses.push((await cost.data())[0]!);
    cost.dispose();
  }
  model.dispose();
  tf.dispose([x, y]);
  return losses;
}

/** What a model is saved as. */
export async function save(made: layers.LayersModel): Promise<tf.io.ModelArtifacts> {
  let saved: tf.io.ModelArtifacts | undefined;
  const handler = tf.io.withSaveHandler(async (artifacts) => {
    saved = JSON.parse(JSON.stringify({ ...artifacts, weightData: null })) as typeof artifacts;
    saved.weightData = (artifacts.weightData as ArrayBuffer).slice(0);
    return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: "JSON" } };
  });
  await made.save(handler, { includeOptimizer: true });
  return saved!;
}

/** All numbers of a model. */
export const weightsOf = (made: layers.LayersModel): number[][] =>
  made.getWeights().map((weight) => [...weight.dataSync()]);
