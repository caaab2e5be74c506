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
import type { History, Keeper } from "./train-checkpoints.ts";

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
  /** Saves the run on its way, and brings it back. */
  readonly keeper?: Keeper | undefined;
}

/** How often, in milliseconds, training lets Node see to signals, such as Ctrl-C. */
const BREATH = 50;

/** Trains from the experiment's initial weights, which the network is set back to. */
export async function train(task: TrainingTask): Promise<TrainedRun> {
  const { experiment, mnist, network, onStep, keeper } = task;
  const optimizer = createOptimizer(task.optimizer, network.parameters, task.plan);
  network.reset();
  const steps = checkedSteps(experiment, mnist);
  const order = batchOrder(experiment, mnist.train.count);
  const { parameters } = network;
  const history = newHistory(steps);
  const done = replay(keeper?.restore({ parameters, optimizer }) ?? null, history, onStep);
  const { batchSize } = experiment;
  const started = performance.now();
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
  for (let step = done + 1; step <= steps; step++) {
    batch = order.subarray((step - 1) * batchSize, step * batchSize);
    evaluating = 0;
    const before = performance.now();
    const loss = optimizer.step(evaluate);
    const after = performance.now();
    const updating = after - before - evaluating;
    history.losses[step - 1] = loss;
    history.gradientMs[step - 1] = evaluating;
    history.optimizerMs[step - 1] = updating;
    onStep({ step, loss, gradientMs: evaluating, optimizerMs: updating });
    if (after - breath > BREATH) {
      await setImmediate();
      breath = after;
    }
    if (keeper?.isDue(step, steps)) await keeper.save({ step, parameters, optimizer, history });
  }
  return {
    losses: history.losses,
    testAccuracy: network.accuracy(mnist.test),
    gradientMs: mean(history.gradientMs),
    optimizerMs: mean(history.optimizerMs),
    steps,
    seconds: (performance.now() - started) / 1000,
    backend: optimizer.backend,
  };
}

function newHistory(steps: number): History {
  const create = () => new Float64Array(steps);
  return { losses: create(), gradientMs: create(), optimizerMs: create() };
}

/** Tells again what was told before the run was saved; how many steps that is. */
function replay(saved: History | null, history: History, onStep: TrainingTask["onStep"]): number {
  if (saved === null) return 0;
  const count = saved.losses.length;
  const { losses, gradientMs, optimizerMs } = history;
  if (count > losses.length) {
    throw new UsageError(
      `--epochs: got ${losses.length} steps, expected at least ${count}, after which the run was saved.`,
    );
  }
  losses.set(saved.losses);
  gradientMs.set(saved.gradientMs);
  optimizerMs.set(saved.optimizerMs);
  for (let i = 0; i < count; i++) {
    onStep({
      step: i + 1,
      loss: losses[i]!,
      gradientMs: gradientMs[i]!,
      optimizerMs: optimizerMs[i]!,
    });
  }
  return count;
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** @throws {UsageError} if a batch is larger than the data. */
export function checkedSteps(experiment: Experiment, { train: { count } }: Mnist): number {
  const steps = stepsOf(experiment, count);
  if (steps > 0) return steps;
  throw new UsageError(
    `--batch-size: got ${experiment.batchSize}, expected at most ${count}, the number of training examples.`,
  );
}
