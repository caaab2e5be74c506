/**
 * One training run, a step at a time: whoever drives it decides when the next one comes, so that several can
 * take turns. What it has to tell of each step, it remembers.
 */
import type { CheckpointContent } from "../checkpoint/index.ts";
import { batchOrder, stepsOf, type Experiment } from "./experiment.ts";
import type { DigitSet } from "./mnist.ts";

/** The loss of a step, before the update, and the milliseconds of its two halves. */
export interface Update {
  readonly loss: number;
  readonly gradientMs: number;
  readonly optimizerMs: number;
}

/** What a step tells. */
export interface StepRecord extends Update {
  /** From 1. */
  readonly step: number;
}

/** A network and its optimizer, wherever they compute. */
export interface Learner {
  /** Where the optimizer's steps run: `"wasm"`, `"interp"` or `"webgpu"`. */
  readonly backend: string;
  /** Takes a step on the training examples with these indices. */
  update(batch: Uint32Array): Update | Promise<Update>;
  /** What the network takes each example for. */
  read(examples: DigitSet): Uint8Array | Promise<Uint8Array>;
  /** What there is to save now. */
  state(): LearnerState | Promise<LearnerState>;
  dispose(): void;
}

export type LearnerState = Pick<CheckpointContent, "parameters" | "optimizer">;

/** What a run has to tell of each step so far. */
export interface History {
  readonly losses: Float64Array;
  readonly gradientMs: Float64Array;
  readonly optimizerMs: Float64Array;
}

/** Which examples each step sees: the same for all that run the same experiment. */
export class Batches {
  /** Number of steps; 0 if a batch is larger than the data. */
  readonly steps: number;
  private readonly order: Uint32Array;
  private readonly size: number;

  constructor(experiment: Experiment, examples: number) {
    this.steps = stepsOf(experiment, examples);
    this.size = experiment.batchSize;
    this.order = batchOrder(experiment, examples);
  }

  /** The indices of the examples of a step, which count from 1. */
  of(step: number): Uint32Array {
    return this.order.subarray((step - 1) * this.size, step * this.size);
  }
}

export class TrainingRun {
  readonly learner: Learner;
  readonly batches: Batches;
  private readonly all: History;
  private count = 0;

  constructor(learner: Learner, batches: Batches) {
    this.learner = learner;
    this.batches = batches;
    const create = () => new Float64Array(batches.steps);
    this.all = { losses: create(), gradientMs: create(), optimizerMs: create() };
  }

  /** Steps that have been taken. */
  get done(): number {
    return this.count;
  }

  /** Of the steps that have been taken, without a copy. */
  get history(): History {
    const until = (values: Float64Array) => values.subarray(0, this.count);
    const { losses, gradientMs, optimizerMs } = this.all;
    return {
      losses: until(losses),
      gradientMs: until(gradientMs),
      optimizerMs: until(optimizerMs),
    };
  }

  /** Takes the next step. */
  async step(): Promise<StepRecord> {
    const step = this.count + 1;
    const update = await this.learner.update(this.batches.of(step));
    this.write(step, update);
    return { step, ...update };
  }

  /** Takes over the steps of a run that its learner has been brought back to; returns what they tell. */
  goOnFrom({ losses, gradientMs, optimizerMs }: History): StepRecord[] {
    return Array.from(losses, (loss, i) => {
      const update = { loss, gradientMs: gradientMs[i]!, optimizerMs: optimizerMs[i]! };
      this.write(i + 1, update);
      return { step: i + 1, ...update };
    });
  }

  private write(step: number, { loss, gradientMs, optimizerMs }: Update): void {
    this.all.losses[step - 1] = loss;
    this.all.gradientMs[step - 1] = gradientMs;
    this.all.optimizerMs[step - 1] = optimizerMs;
    this.count = step;
  }
}
