// Drives a training run from its beginning, or from where it was saved, to its end.

import { setImmediate } from "node:timers/promises";

import type { PlanOptions } from "../index.ts";
import { stepsOf, type Experiment } from "../training/experiment.ts";
import { NetworkLearner } from "../training/learner.ts";
import { shareRight } from "../training/mnist.ts";
import type { Network } from "../training/network.ts";
import type { OptimizerChoice } from "../training/optimizers.ts";
import { meanOf, type RunSummary } from "../training/run-files.ts";
import { Batches, TrainingRun, type History, type StepRecord } from "../training/run.ts";
import { UsageError } from "./errors.ts";
import type { Mnist } from "./mnist.ts";
import type { Keeper } from "./train-checkpoints.ts";

/** A finished run. */
export interface TrainedRun extends RunSummary {
  readonly history: History;
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
  const learner = new NetworkLearner(network, task.optimizer, mnist.train, task.plan);
  const steps = checkedSteps(experiment, mnist);
  const run = new TrainingRun(learner, new Batches(experiment, mnist.train.count));
  resume(run, keeper?.restore(learner.state()) ?? null, onStep);
  const started = performance.now();
  let breath = started;
  while (run.done < steps) {
    onStep(await run.step());
    const now = performance.now();
    if (now - breath > BREATH) {
      await setImmediate();
      breath = now;
    }
    if (keeper?.isDue(run.done, steps)) await keeper.save(learner.state(), run.history);
  }
  const { history } = run;
  return {
    testAccuracy: shareRight(learner.read(mnist.test), mnist.test),
    gradientMs: meanOf(history.gradientMs),
    optimizerMs: meanOf(history.optimizerMs),
    steps,
    seconds: (performance.now() - started) / 1000,
    backend: learner.backend,
    history,
  };
}

/** Tells again what was told before the run was saved. */
function resume(run: TrainingRun, saved: History | null, onStep: TrainingTask["onStep"]): void {
  if (saved === null) return;
  const [count, { steps }] = [saved.losses.length, run.batches];
  if (count > steps) {
    throw new UsageError(
      `--epochs: got ${steps} steps, expected at least ${count}, after which the run was saved.`,
    );
  }
  for (const record of run.goOnFrom(saved)) onStep(record);
}

/** @throws {UsageError} if a batch is larger than the data. */
export function checkedSteps(experiment: Experiment, { train: { count } }: Mnist): number {
  const steps = stepsOf(experiment, count);
  if (steps > 0) return steps;
  throw new UsageError(
    `--batch-size: got ${experiment.batchSize}, expected at most ${count}, the number of training examples.`,
  );
}
