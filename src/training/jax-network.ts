/** The experiment's network in jax-js's WebAssembly, driven through Downhill's own adapter. */
import { defaultDevice, init } from "@jax-js/jax";
import { trainable } from "../adapters/jax.ts";
import { initialWeights, type Experiment } from "./experiment.ts";
import {
  imagesOf,
  joined,
  likeliest,
  lossOf,
  oneHot,
  scoresOf,
  testBatches,
  treeOf,
} from "./jax-model.ts";
import type { Network } from "./network.ts";

/** Another network may compute on another device. */
const useWasm = (): unknown => defaultDevice("wasm");

export async function createJaxNetwork(experiment: Experiment): Promise<Network> {
  await init("wasm");
  useWasm();
  const model = trainable(treeOf(experiment));
  const backward = model.backward(lossOf(experiment));
  const forward = model.forward(scoresOf(experiment));
  const { parameters } = model;
  return {
    parameters,
    size: parameters.reduce((size, parameter) => size + parameter.size, 0),
    reset: () => initialWeights(experiment).forEach(({ data }, i) => (parameters[i]!.data = data)),
    backward(data, batch) {
      useWasm();
      return backward(imagesOf(data, batch), oneHot(data, batch));
    },
    read(data) {
      useWasm();
      const parts = Array.from(testBatches(data), (images) =>
        likeliest(forward(images).dataSync()),
      );
      return joined(parts);
    },
    dispose() {
      backward.dispose();
      forward.dispose();
    },
  };
}
