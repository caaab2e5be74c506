/** TensorFlow.js's optimizers for the benchmark: `applyGradients` on one variable per tensor. */
import * as tf from "@tensorflow/tfjs-core";
import { serve } from "./bench-peer.mjs";

const optimizers = {
  sgd: ({ lr }) => tf.train.sgd(lr),
  momentum: ({ lr, momentum }) => tf.train.momentum(lr, momentum),
  // Its eps stands inside the root.
  rmsprop: ({ lr, alpha, eps }) => tf.train.rmsprop(lr, alpha, 0, eps ** 2),
  adam: ({ lr, beta1, beta2, eps }) => tf.train.adam(lr, beta1, beta2, eps),
};

serve(async (backend, { optimizer, hyper, values, gradients }) => {
  if (!(optimizer in optimizers)) throw new Error(`TensorFlow.js has no ${optimizer}`);
  await import(`@tensorflow/tfjs-backend-${backend}`); // it registers itself
  tf.enableProdMode();
  if (!(await tf.setBackend(backend))) throw new Error(`its backend ${backend} did not start`);
  const variables = values.map((value) => tf.variable(tf.tensor1d(value)));
  const named = variables.map(({ name }, i) => ({ name, tensor: tf.tensor1d(gradients[i]) }));
  const made = optimizers[optimizer](hyper);
  return {
    step: () => made.applyGradients(named),
    values: () => variables.map((variable) => variable.dataSync()),
  };
});
