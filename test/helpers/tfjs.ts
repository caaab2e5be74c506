/** TensorFlow.js for tests in Node, on a backend of it. */
import * as tf from "@tensorflow/tfjs-core";
import * as layers from "@tensorflow/tfjs-layers"; // it registers the gradients, too

tf.enableProdMode(); // it advertises other packages otherwise

export { layers, tf };

const modules = {
  cpu: () => import("@tensorflow/tfjs-backend-cpu"),
  wasm: () => import("@tensorflow/tfjs-backend-wasm"),
  webgpu: () => import("@tensorflow/tfjs-backend-webgpu"), // after globalGpu()
};

/** What runs in every Node. */
export const backends = ["cpu", "wasm"] as const;

export async function useBackend(name: keyof typeof modules): Promise<void> {
  await modules[name](); // it registers itself
  if (!(await tf.setBackend(name))) throw new Error(`the backend ${name} did not start`);
}
