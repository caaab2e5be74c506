/** A network whose gradients are in main memory, and the optimizer that takes steps there. */
import type { Parameter, PlanOptions } from "../index.ts";
import { createOptimizer, type Trainer } from "./create-optimizer.ts";
import type { DigitSet } from "./mnist.ts";
import type { Network } from "./network.ts";
import type { OptimizerChoice } from "./optimizers.ts";
import type { Learner, LearnerState, Update } from "./run.ts";

/** What a run is brought back to as well. */
export interface NetworkState extends LearnerState {
  readonly parameters: readonly Parameter[];
  readonly optimizer: Trainer;
}

export class NetworkLearner implements Learner {
  readonly optimizer: Trainer;
  private readonly network: Network;
  private readonly examples: DigitSet;

  /** Begins with the experiment's initial weights, which the network is set back to. */
  constructor(
    network: Network,
    choice: OptimizerChoice,
    examples: DigitSet,
    plan: PlanOptions = {},
  ) {
    this.optimizer = createOptimizer(choice, network.parameters, plan);
    this.network = network;
    this.examples = examples;
    network.reset();
  }

  get backend(): string {
    return this.optimizer.backend;
  }

  /** An optimizer may ask for several gradients within a step: the rest of the time is its own. */
  update(batch: Uint32Array): Update {
    const { optimizer, network, examples } = this;
    let gradientMs = 0;
    const evaluate = (): number => {
      const before = performance.now();
      optimizer.zeroGrad();
      const loss = network.backward(examples, batch);
      gradientMs += performance.now() - before;
      return loss;
    };
    const before = performance.now();
    const loss = optimizer.step(evaluate);
    const optimizerMs = performance.now() - before - gradientMs;
    return { loss, gradientMs, optimizerMs };
  }

  read(examples: DigitSet): Uint8Array {
    return this.network.read(examples);
  }

  state(): NetworkState {
    const { parameters } = this.network;
    return { parameters, optimizer: this.optimizer };
  }

  dispose(): void {
    this.optimizer.dispose?.();
    this.network.dispose();
  }
}
