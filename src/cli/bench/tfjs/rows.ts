// Two optimizers on one heap, that of TensorFlow.js's WASM backend: its own, and Downhill's in place. Both
// are asked for a step in the same way, with gradients that are there already.

import type { Optimizer, Tensor, Variable } from "@tensorflow/tfjs-core";
import { tfOptimizer, type NamedTensor } from "../../../adapters/tfjs.ts";
import {
  hyperparameters,
  type BenchedOptimizer,
  type Contender,
} from "../../../bench/contender.ts";
import { subjectOf } from "../../../bench/subject.ts";
import { gradients, startValues, timed } from "../../../bench/values.ts";
import type { Tfjs } from "./open.ts";

/** TensorFlow.js's optimizers, with the hyperparameters of all others. */
const makers: Readonly<Record<string, (tf: Tfjs) => Optimizer>> = {
  sgd: (tf) => tf.train.sgd(hyperparameters.sgd.lr),
  momentum: (tf) =>
    tf.train.momentum(hyperparameters.momentum.lr, hyperparameters.momentum.momentum),
  adam(tf) {
    const { lr, beta1, beta2, eps } = hyperparameters.adam;
    return tf.train.adam(lr, beta1, beta2, eps);
  },
};

export const tfjsOptimizers: readonly BenchedOptimizer[] = Object.keys(makers);

/** What an optimizer of either kind has. */
interface Stepping {
  applyGradients(gradients: NamedTensor[]): void;
  dispose(): void;
}

export function tfjsRows(tf: Tfjs): Contender[] {
  const row = (
    key: string,
    label: string,
    family: Contender["family"],
    make: (optimizer: BenchedOptimizer) => Stepping & { why?: string | undefined },
  ): Contender => ({
    key,
    label,
    family,
    threads: 1,
    prepare(optimizer, workload) {
      const made = make(optimizer);
      const tensors = (values: readonly Float32Array[]): Tensor[] =>
        values.map((value) => tf.tensor(value, workload.shape && [...workload.shape]));
      const variables = tensors(startValues(workload)).map(variableOf(tf));
      const slopes = tensors(gradients(workload));
      const named = variables.map(({ name }, i) => ({ name, tensor: slopes[i]! }));
      const step = () => made.applyGradients(named);
      return Promise.resolve({
        run(steps) {
          const ms = timed(step, steps);
          if (made.why !== undefined) throw new Error(made.why);
          return Promise.resolve(ms);
        },
        values: () => variables.map((variable) => variable.dataSync<"float32">()),
        close() {
          made.dispose();
          tf.dispose([variables, slopes]);
          return Promise.resolve();
        },
      });
    },
  });
  return [
    row("tfjs", "TensorFlow.js", "tfjs", (optimizer) => makers[optimizer]!(tf)),
    row("in-place", "Downhill in place", "downhill", (optimizer) => {
      const { rule, options } = subjectOf(optimizer);
      return tfOptimizer(tf, { rule }, options as object);
    }),
  ];
}

/** A variable that has the memory of the tensor that it is made of for itself. */
function variableOf(tf: Tfjs): (tensor: Tensor) => Variable {
  return (tensor) => {
    const variable = tf.variable(tensor);
    tensor.dispose();
    return variable;
  };
}
