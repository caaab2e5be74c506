/**
 * A session of training: several networks that begin with the same weights and see the same batches, each with
 * an optimizer of its own. They take turns, step by step, so that one sees them side by side.
 */
import { encodeCheckpoint } from "downhill/checkpoint";
import { parseRule } from "downhill/math";
import type { Experiment } from "../../../../src/training/experiment.ts";
import type { Digits, DigitSet } from "../../../../src/training/mnist.ts";
import { firstOf, pixels, shareRight } from "../../../../src/training/mnist.ts";
import type { OptimizerChoice } from "../../../../src/training/optimizers.ts";
import {
  checkpointOf,
  identityOf,
  meanOf,
  runRecord,
  type RunSetting,
  type RunSummary,
} from "../../../../src/training/run-files.ts";
import { Batches, TrainingRun, type Learner } from "../../../../src/training/run.ts";
import type { Entry, FileKind, Place, Plan, Refusal, Report, Samples } from "./protocol.ts";

/** Makes the network of an entry and its optimizer; says where it is. */
export type Teach = (
  choice: OptimizerChoice,
  experiment: Experiment,
  examples: DigitSet,
) => Promise<{ readonly learner: Learner; readonly place: Omit<Place, "key"> }>;

/** The command line's way of taking steps, which a record states; results are the same for all. */
const usualPlan = { foreach: true, compile: true, backend: "auto" } as const;

/** How often, in milliseconds, the page hears of what is new. */
const BREATH = 80;
/** How often the networks are tried on a part of the test digits on the way, and on how many. */
const TRIALS = 10;
const TRIAL_DIGITS = 1000;
/** Test digits that the page shows: one of each kind that takes a while to be read, then four that stay hard. */
const SAMPLES = [3, 2, 38, 195, 902, 187, 66, 124, 344, 20, 247, 340, 259, 691] as const;

interface Lane {
  readonly key: string;
  readonly place: Place;
  readonly setting: RunSetting;
  readonly run: TrainingRun;
  /** Steps that the page knows of. */
  told: number;
  /** Sums of milliseconds over these. */
  gradientMs: number;
  optimizerMs: number;
  /** Milliseconds of all that it has done. */
  busyMs: number;
  summary?: RunSummary;
  isOut: boolean;
}

export class Session {
  readonly steps: number;
  private readonly lanes: readonly Lane[];
  private readonly digits: Digits;
  private readonly tell: (report: Report) => void;
  /** What is under way: requests wait for the end of a round of steps. */
  private turn: Promise<unknown> = Promise.resolve();
  private stopped = false;
  /** Lets a session that pauses go on. */
  private goOn: (() => void) | null = null;
  private pausing: Promise<void> | null = null;

  private constructor(lanes: readonly Lane[], digits: Digits, tell: Session["tell"]) {
    this.lanes = lanes;
    this.digits = digits;
    this.tell = tell;
    this.steps = lanes[0]?.run.batches.steps ?? 0;
  }

  /** Makes all networks; entries that the library refuses are left out, and told of. */
  static async begin(
    { entries, experiment }: Plan,
    digits: Digits,
    teach: Teach,
    tell: (report: Report) => void,
  ): Promise<Session> {
    const batches = new Batches(experiment, digits.train.count);
    const lanes: Lane[] = [];
    const refusals: Refusal[] = [];
    for (const entry of entries) {
      try {
        const optimizer = choiceOf(entry);
        const { learner, place } = await teach(optimizer, experiment, digits.train);
        lanes.push({
          key: entry.key,
          place: { key: entry.key, ...place },
          setting: { optimizer, plan: usualPlan, experiment },
          run: new TrainingRun(learner, batches),
          told: 0,
          gradientMs: 0,
          optimizerMs: 0,
          busyMs: 0,
          isOut: false,
        });
      } catch (error) {
        refusals.push({ key: entry.key, message: (error as Error).message });
      }
    }
    const places = lanes.map(({ place }) => place);
    const { layers } = experiment;
    const parameters = layers.slice(1).reduce((sum, width, i) => sum + width * (layers[i]! + 1), 0);
    const samples = samplesOf(digits.test);
    tell({ kind: "begun", steps: batches.steps, parameters, places, samples, refusals });
    return new Session(lanes, digits, tell);
  }

  /** Trains to the end, or until it is stopped. */
  async run(): Promise<void> {
    let breath = performance.now();
    const every = Math.max(1, Math.ceil(this.steps / TRIALS));
    const few = firstOf(this.digits.test, TRIAL_DIGITS);
    for (let step = 1; step <= this.steps; step++) {
      await this.exclusive(() => this.round());
      if (step % every === 0 && step < this.steps) await this.exclusive(() => this.try(few));
      if (performance.now() - breath > BREATH || this.pausing) {
        this.tellSteps();
        await breathe();
        await this.paused();
        breath = performance.now();
      }
      if (this.stopped) return this.tell({ kind: "stopped" });
    }
    this.tellSteps();
    for (const lane of this.running) {
      await breathe();
      await this.paused();
      if (this.stopped) return this.tell({ kind: "stopped" });
      await this.exclusive(() => this.finish(lane));
    }
    this.tell({ kind: "done" });
  }

  pause(): void {
    this.pausing ??= new Promise((resolve) => (this.goOn = resolve));
  }

  resume(): void {
    this.goOn?.();
    this.pausing = this.goOn = null;
  }

  stop(): void {
    this.stopped = true;
    this.resume();
  }

  /** A run's record or a checkpoint of it, as it is now. */
  async file(key: string, file: FileKind): Promise<void> {
    const lane = this.lanes.find((known) => known.key === key);
    if (!lane) return;
    const { run, setting, summary } = lane;
    await this.exclusive(async () => {
      const { history } = run;
      if (file === "record") {
        const bytes = new TextEncoder().encode(runRecord(setting, history, summary));
        this.tell({ kind: "file", key, file, name: "run.jsonl", bytes });
        return;
      }
      const content = checkpointOf(await run.learner.state(), history, identityOf(setting));
      const bytes = await encodeCheckpoint(content);
      const name = `step-${String(run.done).padStart(10, "0")}.safetensors`;
      this.tell({ kind: "file", key, file, name, bytes });
    });
  }

  async dispose(): Promise<void> {
    this.stop();
    await this.exclusive(async () => {
      for (const { run } of this.lanes) run.learner.dispose();
    });
  }

  private get running(): Lane[] {
    return this.lanes.filter(({ isOut }) => !isOut);
  }

  /** Does something while nothing else is done with the networks. */
  private exclusive<T>(job: () => Promise<T>): Promise<T> {
    const result = this.turn.then(job);
    this.turn = result.catch(() => {});
    return result;
  }

  /** One step of each. */
  private async round(): Promise<void> {
    for (const lane of this.running) {
      const before = performance.now();
      try {
        const { gradientMs, optimizerMs } = await lane.run.step();
        lane.gradientMs += gradientMs;
        lane.optimizerMs += optimizerMs;
      } catch (error) {
        lane.isOut = true;
        const refusal = { key: lane.key, message: (error as Error).message };
        this.tell({ kind: "refused", refusals: [refusal] });
      }
      lane.busyMs += performance.now() - before;
    }
  }

  private async try(digits: DigitSet): Promise<void> {
    for (const lane of this.running) this.score(lane, digits, await lane.run.learner.read(digits));
  }

  private async finish(lane: Lane): Promise<void> {
    const { test } = this.digits;
    const { run } = lane;
    const before = performance.now();
    const taken = await run.learner.read(test);
    lane.busyMs += performance.now() - before;
    const { history } = run;
    lane.summary = {
      testAccuracy: this.score(lane, test, taken),
      gradientMs: meanOf(history.gradientMs),
      optimizerMs: meanOf(history.optimizerMs),
      steps: run.done,
      seconds: lane.busyMs / 1000,
      backend: run.learner.backend,
    };
  }

  /** Tells how well a network reads; returns the share that is right. */
  private score({ key, run }: Lane, digits: DigitSet, taken: Uint8Array): number {
    const accuracy = shareRight(taken, digits);
    const samples = Uint8Array.from(SAMPLES, (i) => taken[i]!);
    const score = { key, step: run.done, accuracy, digits: digits.count, taken: samples };
    this.tell({ kind: "score", score });
    return accuracy;
  }

  private tellSteps(): void {
    const steps = this.lanes.flatMap((lane) => {
      const { key, run, told, gradientMs, optimizerMs } = lane;
      const { done } = run;
      if (done === told) return [];
      lane.told = done;
      const losses = run.history.losses.slice(told);
      return [{ key, losses, gradientMs: gradientMs / done, optimizerMs: optimizerMs / done }];
    });
    if (steps.length > 0) this.tell({ kind: "steps", steps });
  }

  private async paused(): Promise<void> {
    while (this.pausing && !this.stopped) {
      this.tell({ kind: "paused" });
      await this.pausing;
    }
  }
}

function choiceOf({ choice, rule }: Entry): OptimizerChoice {
  if (rule === undefined) return choice;
  const own = parseRule(rule);
  return { ...choice, torchClass: own.name, rule: own };
}

function samplesOf({ images, labels }: DigitSet): Samples {
  const chosen = new Uint8Array(SAMPLES.length * pixels);
  SAMPLES.forEach((example, i) => {
    chosen.set(images.subarray(example * pixels, (example + 1) * pixels), i * pixels);
  });
  return { images: chosen, labels: Uint8Array.from(SAMPLES, (example) => labels[example]!) };
}

/** Lets messages in. */
const breathe = (): Promise<void> => new Promise((done) => setTimeout(done, 0));
