/** An optimizer of TensorFlow.js that goes by a rule of Downhill. */
import type { Variable } from "@tensorflow/tfjs-core";
import { Prose, StateDictError } from "../../errors.ts";
import type { HyperDefaults, Rule } from "../../ir/rule.ts";
import type { ParamGroups } from "../../optim/options.ts";
import type { StateDict } from "../../optim/state-dict.ts";
import { TfOptimizerBase } from "./base.ts";
import { classNameOf, toConfig, type Config } from "./config.ts";
import { readGradients, type NamedTensor, type VariableGradients } from "./moves.ts";
import { readOptions, type StepScheduler, type TfOptions } from "./options.ts";
import type { InPlace } from "./path.ts";
import { Runner, type Pairs, type PreparedStep } from "./runner.ts";
import type { Tf } from "./tf.ts";
import { fromWeights, toWeights } from "./weights.ts";

/** An optimizer of TensorFlow.js that goes by a rule of Downhill; made by {@link tfOptimizer}. */
export class TfOptimizer<H extends HyperDefaults = HyperDefaults> extends TfOptimizerBase {
  /** What the option `schedule` made. */
  readonly scheduler: StepScheduler | undefined;
  private readonly options: TfOptions;
  private readonly runner: Runner;
  private taken = 0;
  private skipped = 0;

  /** @internal Made by `tfOptimizer`. */
  constructor(tf: Tf, rule: Rule, options: TfOptions) {
    super(tf, rule.name);
    const read = readOptions(rule, options);
    this.options = { ...options };
    this.runner = new Runner(tf, rule, read);
    this.scheduler = read.schedule?.(this);
  }

  /**
   * The groups: first that of variables that match no rule, then one for each rule of the option `groups`,
   * then those of variables that match several. Their numbers may be changed between steps; they are checked
   * again in the next.
   */
  get paramGroups(): ParamGroups<H, Variable> {
    return this.runner.groups.list as unknown as ParamGroups<H, Variable>;
  }

  /** How many steps have been taken; those that were left out do not count. */
  get iterations(): number {
    return this.taken;
  }

  /** How many steps were left out because gradients were infinite or NaN, see `nonFinite`. */
  get skippedSteps(): number {
    return this.skipped;
  }

  /** Where steps update variables: in the memory of that backend, or in copies. Known after the first step. */
  get inPlace(): InPlace | undefined {
    return this.runner.inPlace;
  }

  /** Why steps go by copies, if they do and could do better elsewhere. */
  get why(): string | undefined {
    return this.runner.why;
  }

  /** @internal */ prepare(call: string, gradients: VariableGradients): PreparedStep {
    const pairs = this.read(call, gradients);
    return pairs.length === 0 ? nothing : this.counted(this.runner.prepare(pairs));
  }

  /** @internal */ async prepareAsync(
    call: string,
    gradients: VariableGradients,
  ): Promise<PreparedStep> {
    const pairs = this.read(call, gradients);
    return pairs.length === 0 ? nothing : this.counted(await this.runner.prepareAsync(pairs));
  }

  getClassName(): string {
    return classNameOf(this.name);
  }

  /** The options, apart from functions, as tfjs-layers saves them with a model. */
  getConfig(): Config {
    return toConfig(this.options);
  }

  /**
   * A copy of the state as Downhill's optimizers have it, keyed by the names of the variables: for
   * checkpoints, or to go on elsewhere.
   */
  stateDict(): Promise<StateDict> {
    return this.enqueue("stateDict", () => this.runner.stateDict());
  }

  /**
   * Goes on from a state dict with the next step, see {@link setWeights}. It does not hold the scheduler,
   * which has a state dict of its own.
   *
   * @throws {StateDictError} `STATE_MISMATCH`, {OptionError}; nothing has changed then.
   */
  loadStateDict(dict: StateDict): void {
    this.requireFree("loadStateDict");
    this.runner.prepareLoad(dict)();
    const steps = Object.values(dict.state).map(({ step }) => Number(step ?? 0));
    this.taken = steps.reduce((most, each) => Math.max(most, each), 0);
  }

  /** @internal */ async makeWeights(): Promise<NamedTensor[]> {
    const { groups } = this.runner;
    const dict = await this.runner.stateDict();
    const schedule = this.scheduler?.stateDict() ?? null;
    return toWeights(this.tf, { dict, keys: groups.keys(), iterations: this.taken, schedule });
  }

  /** @internal */ async readWeights(weights: readonly NamedTensor[]): Promise<() => void> {
    const { dict, keys, iterations, schedule } = await fromWeights(weights, this.name);
    const commit = this.runner.prepareLoad(dict, keys);
    const scheduler = schedule === null ? undefined : this.scheduled();
    return () => {
      scheduler?.loadStateDict(schedule as never);
      commit();
      this.taken = iterations;
    };
  }

  protected release(): void {
    this.runner.dispose();
  }

  private scheduled(): StepScheduler {
    if (this.scheduler) return this.scheduler;
    throw new StateDictError("STATE_MISMATCH", {
      subject: `${this.name}: schedule`,
      got: new Prose("the state of a scheduler"),
      expected: "an optimizer with the option schedule",
    });
  }

  private read(call: string, gradients: VariableGradients): Pairs {
    return readGradients(this.tf, `${this.name}: ${call}`, gradients);
  }

  private counted({ isTaken, end }: PreparedStep): PreparedStep {
    return {
      isTaken,
      end: (taken) => {
        end(taken);
        if (!taken) {
          this.skipped++;
          return;
        }
        this.taken++;
        this.scheduler?.step();
      },
    };
  }
}

/** A step without gradients. */
const nothing: PreparedStep = { isTaken: true, end: () => {} };
