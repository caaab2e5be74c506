// One training run: the loop of the article, with both halves of a step timed apart.

import { performance } from "node:perf_hooks";
import { setImmediate } from "node:timers/promises";

import type { PlanOptions } from "../index.ts";
import { createOptimizer } from "./create-optimizer.ts";
import { batchOrder, stepsOf, type Experiment } from "./experiment.ts";
import type { Mnist } from "./mnist.ts";
import type { Network } from "./network.ts";
import type { OptimizerChoice } from "./optimizers.ts";
import { UsageError } from "./errors.ts";

/** What a step tells: its loss, before the update, and the milliseconds of its two halves. */
export interface StepRecord {
  /** From 1. */
  readonly step: number;
  readonly loss: number;
  readonly gradientMs: number;
  readonly optimizerMs: number;
}

/** A finished run. */
export interface TrainedRun {
  readonly losses: Float64Array;
  /** Share of the test digits recognized, from 0 to 1. */
  readonly testAccuracy: number;
  /** Means per step. */
  readonly gradientMs: number;
  readonly optimizerMs: number;
  readonly steps: number;
  readonly seconds: number;
  /** `"wasm"` or `"interp"`. */
  readonly backend: string;
}

export interface TrainingTask {
  readonly experiment: Experiment;
  readonly optimizer: OptimizerChoice;
  readonly plan: PlanOptions;
  readonly mnist: Mnist;
  readonly network: Network;
  readonly onStep: (record: StepRecord) => void;
}

/** How often, in milliseconds, training lets Node see to signals, such as Ctrl-C. */
const BREATH = 50;

/** Trains from the experiment's initial weights, which the network is set back to. */
export async function train(task: TrainingTask): Promise<TrainedRun> {
  const { experiment, mnist, network, onStep } = task;
  const optimizer = createOptimizer(task.optimizer, network.parameters, task.plan);
  network.reset();
  const steps = checkedSteps(experiment, mnist);
  const order = batchOrder(experiment, mnist.train.count);
  const losses = new Float64Array(steps);
  const { batchSize } = experiment;
  const started = performance.now();
  let [gradientMs, optimizerMs] = [0, 0];
  let breath = started;
  let batch: Uint32Array;
  let evaluating = 0;
  const evaluate = (): number => {
    const before = performance.now();
    optimizer.zeroGrad();
    const loss = network.backward(mnist.train, batch);
    evaluating += performance.now() - before;
    return loss;
  };
  for (let step = 1; step <= steps; step++) {
    batch = order.subarray((step - 1) * batchSize, step * batchSize);
    evaluating = 0;
    const before = performance.now();
    const loss = optimizer.step(evaluate);
    const after = performance.now();
    const updating = after - before - evaluating;
    losses[step - 1] = loss;
    gradientMs += evaluating;
    optimizerMs += updating;
    onStep({ step, loss, gradientMs: evaluating, optimizerMs: updating });
    if (after - breath > BREATH) {
      await setImmediate();
      breath = after;
    }
  }
  return {
    losses,
    testAccuracy: network.accuracy(mnist.test),
    gradientMs: gradientMs / steps,
    optimizerMs: optimizerMs / steps,
    steps,
    seconds: (performance.now() - started) / 1000,
    backend: optimizer.backend,
  };
}

/** @throws {UsageError} if a batch is larger than the data. */
export function checkedSteps(experiment: Experiment, { train: { count } }: Mnist): number {
  const steps = stepsOf(experiment, count);
  if (steps > 0) return steps;
  throw new UsageError(
    `--batch-size: got ${experiment.batchSize}, expected at most ${count}, the number of training examples.`,
  );
}
