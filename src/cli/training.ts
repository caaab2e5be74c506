// One training run: the loop of the article, with both halves of a step timed apart.

import { performance } from "node:perf_hooks";
import { setImmediate } from "node:timers/promises";

import {
  Optimizer,
  type HyperDefaults,
  type OptimizerOptions,
  type PlanOptions,
} from "../index.ts";
import { findRule } from "./catalog.ts";
import { batchOrder, stepsOf, type ComparedOptimizer, type Experiment } from "./experiment.ts";
import type { Mnist } from "./mnist.ts";
import type { Network } from "./network.ts";
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
  readonly optimizer: Pick<ComparedOptimizer, "torchClass" | "options">;
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
  const optimizer = createOptimizer(task);
  network.reset();
  const steps = checkedSteps(experiment, mnist);
  const order = batchOrder(experiment, mnist.train.count);
  const losses = new Float64Array(steps);
  const { batchSize } = experiment;
  const started = performance.now();
  let [gradientMs, optimizerMs] = [0, 0];
  let breath = started;
  for (let step = 1; step <= steps; step++) {
    const batch = order.subarray((step - 1) * batchSize, step * batchSize);
    const before = performance.now();
    optimizer.zeroGrad();
    const loss = network.backward(mnist.train, batch);
    const between = performance.now();
    optimizer.step();
    const after = performance.now();
    losses[step - 1] = loss;
    gradientMs += between - before;
    optimizerMs += after - between;
    onStep({ step, loss, gradientMs: between - before, optimizerMs: after - between });
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

function createOptimizer({ optimizer, plan, network }: TrainingTask): Optimizer {
  const rule = findRule(optimizer.torchClass);
  const options = { ...optimizer.options, ...plan } as OptimizerOptions<HyperDefaults>;
  return new Optimizer(rule, network.parameters, options);
}
