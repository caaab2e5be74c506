// The experiment behind the learning curves: a small network learns MNIST's digits, with softmax
// cross-entropy averaged over the batch, once per optimizer.
//
// Two programs can only draw the same curve when they start from the same weights and see the same
// examples in the same order. So both come from one seed, and only integer operations, + - * / and
// the square root make them: every JavaScript engine computes the same bits.
//
// The activation is tanh by default, because it is smooth: with ReLU a value within 1e-7 of zero now
// and then falls on the other side of the kink, and from there on even PyTorch's float32 and float64
// curves part, by 1e-2 in the end. With tanh they stay within 1e-5, so that equal means equal.

import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** The nonlinearity between two layers. */
export type Activation = "tanh" | "relu";

/** A training run: everything that fixes its start, its batches and its length. */
export interface Experiment {
  /** Width of each layer, the input first and the classes last. */
  readonly layers: readonly number[];
  /** Between the layers. */
  readonly activation: Activation;
  readonly batchSize: number;
  readonly epochs: number;
  readonly seed: number;
}

/** One parameter of the network before training, named and laid out as by PyTorch's `nn.Linear`. */
export interface NamedWeights {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** The value of an optimizer's option. */
export type OptionValue = number | boolean | string | null | readonly (number | null)[];

/** The run that is recorded and compared: 3 passes over MNIST, 2,811 steps. */
export const defaultExperiment: Experiment = {
  layers: [784, 128, 64, 10],
  activation: "tanh",
  batchSize: 64,
  epochs: 3,
  seed: 1,
};

/**
 * The weights training starts from: `layers.0.weight` [out, in], `layers.0.bias` [out], and so on,
 * all drawn from U(-1/sqrt(in), 1/sqrt(in)), which is the default of `nn.Linear`.
 */
export function initialWeights(experiment: Experiment): NamedWeights[] {
  const random = xoroshiro128plus(experiment.seed);
  const uniform = (length: number, bound: number): Float32Array => {
    const data = new Float32Array(length);
    for (let i = 0; i < length; i++) data[i] = (random.next() / 2 ** 31) * bound;
    return data;
  };
  const weights: NamedWeights[] = [];
  for (let i = 0; i + 1 < experiment.layers.length; i++) {
    const [inputs, outputs] = [experiment.layers[i]!, experiment.layers[i + 1]!];
    const bound = 1 / Math.sqrt(inputs);
    weights.push(
      {
        name: `layers.${i}.weight`,
        shape: [outputs, inputs],
        data: uniform(outputs * inputs, bound),
      },
      { name: `layers.${i}.bias`, shape: [outputs], data: uniform(outputs, bound) },
    );
  }
  return weights;
}

/** Number of optimizer steps in a run over `examples` examples; a partial last batch is dropped. */
export function stepsOf(experiment: Experiment, examples: number): number {
  return experiment.epochs * Math.floor(examples / experiment.batchSize);
}

/**
 * Which example stands where: `batchSize` indices per step, for all steps in a row. Every epoch is
 * a fresh permutation of the `examples` examples.
 */
export function batchOrder(experiment: Experiment, examples: number): Uint32Array {
  const random = xoroshiro128plus(experiment.seed);
  // The weights come from the same seed; a jump makes this a stream of its own.
  random.jump();
  const perEpoch = Math.floor(examples / experiment.batchSize) * experiment.batchSize;
  const order = new Uint32Array(experiment.epochs * perEpoch);
  const deck = Uint32Array.from({ length: examples }, (_, i) => i);
  for (let epoch = 0; epoch < experiment.epochs; epoch++) {
    for (let i = examples - 1; i > 0; i--) {
      const j = uniformInt(random, 0, i);
      const card = deck[i]!;
      deck[i] = deck[j]!;
      deck[j] = card;
    }
    order.set(deck.subarray(0, perEpoch), epoch * perEpoch);
  }
  return order;
}
