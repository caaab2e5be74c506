/** The large steps on TensorFlow.js's heap, in a page that has loaded it as `tf`. */
import type * as Core from "@tensorflow/tfjs-core";
import { tfOptimizer } from "../../src/adapters/tfjs.ts";
import { sharedPool } from "../../src/backend/threads/pool.ts";
import { Adam } from "../../src/index.ts";
import { digestOf, SIZES, STEPS, wave } from "./large-steps.ts";
import { untilReady } from "./threads.ts";

export interface TfjsSteps {
  /** As {@link LargeSteps} has it. */
  readonly digest: number;
  readonly inPlace: string | undefined;
  readonly why: string | undefined;
  /** Whether tfjs runs its build with threads, in shared memory. */
  readonly isThreaded: boolean;
  /** Jobs that workers were called to. */
  readonly jobs: number;
  /** A product of matrices before a step of one of them, and after it. */
  readonly products: readonly number[][];
}

/** @param workers ready from the second step on; 0 where there can be none. */
export async function takeTfjsSteps(threads: number, workers: number): Promise<TfjsSteps> {
  const { tf } = globalThis as unknown as { tf: typeof Core };
  tf.enableProdMode();
  if (!(await tf.setBackend("wasm"))) throw new Error("the backend did not start");
  const variables = SIZES.map((size) => tf.tidy(() => tf.variable(tf.tensor1d(wave(size, 0.1)))));
  const optimizer = tfOptimizer(tf, Adam, { threads });
  for (let step = 1; step <= STEPS; step++) {
    const gradients = variables.map(({ name, size }) => ({
      name,
      tensor: tf.tensor1d(wave(size, 0.7 * step)),
    }));
    optimizer.applyGradients(gradients);
    for (const { tensor } of gradients) tensor.dispose();
    await new Promise((resolve) => setTimeout(resolve, 5)); // a page hears of its workers then
    await untilReady(sharedPool(), workers);
  }
  const { wasm } = tf.engine().backend as unknown as { wasm: { HEAPU8: Uint8Array } };
  const found = {
    digest: digestOf(variables.map((variable) => variable.dataSync<"float32">())),
    inPlace: optimizer.inPlace,
    why: optimizer.why,
    isThreaded: !(wasm.HEAPU8.buffer instanceof ArrayBuffer) && "PThread" in wasm,
    jobs: sharedPool().jobs,
    products: products(tf),
  };
  optimizer.dispose();
  return found;
}

function products(tf: typeof Core): number[][] {
  const w = tf.tidy(() => tf.variable(tf.ones([2, 2]), true, "w"));
  const optimizer = tfOptimizer(tf, Adam, { lr: 1, eps: 0 });
  const product = () => [...tf.matMul(tf.ones([1, 2]), w).dataSync()];
  const before = product();
  optimizer.applyGradients({ w: tf.ones([2, 2]) });
  return [before, product()];
}
