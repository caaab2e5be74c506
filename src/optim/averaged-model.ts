/**
 * Averages of parameters along their way, as `torch.optim.swa_utils.AveragedModel` has them.
 *
 * An average is one more state tensor of a rule. Handed to an optimizer, it joins that optimizer's
 * rule, and its steps update it in their own pass over memory. By itself it is an optimizer whose rule
 * moves nothing. So both give the same bits, and all that optimizers have (threads, plans, checked
 * state dicts) holds for averages too.
 */
import { AverageError, OptionError, Prose } from "../errors.ts";
import type { Rule } from "../ir/rule.ts";
import type { TypedArray } from "../memory/dtype.ts";
import type { Parameter } from "../memory/parameter.ts";
import { checkDecay, getEmaAvgFn, getSwaAvgFn } from "../rules/average.ts";
import { Average, StateAverage, viewsOf } from "./average.ts";
import { checkAverageOptions, type AverageOptions } from "./average-options.ts";
import { checkDistinct } from "./entry.ts";
import type { LoadOptions, LoadReport } from "./load.ts";
import { Optimizer } from "./optimizer.ts";
import type { PlanOptions } from "./options.ts";
import { readGroups } from "./read-groups.ts";
import type { StateDict } from "./state-dict.ts";
import { AVERAGE, N_AVERAGED, still, withAverage, type AveragePlan } from "./with-average.ts";

/** The optimizer of an average by itself. Its steps are none to hooks. */
class Averager extends Optimizer {
  constructor(plan: AveragePlan, parameters: readonly Parameter[], run: PlanOptions) {
    super(withAverage(still, plan), parameters, run as object);
  }

  update(): void {
    this.take(undefined, undefined);
  }
}

/**
 * A running average of parameters: exponential (`{ ema: 0.999 }`), of equal weights (SWA, the
 * default), or by a formula of your own.
 *
 * Hand it to the optimizer where every step counts: `new Adam(params, { average })`. The step then
 * updates it in its own pass, for 8 bytes per float32 parameter; there is nothing to call, and the
 * optimizer's state dict holds it. A parameter without a gradient is skipped whole, its average too.
 *
 * Without that it is yours to update: {@link updateParameters} takes in all parameters as they are,
 * for 12 bytes each, whenever you want and whoever moves them. On the same schedule the bits are the
 * same.
 *
 * @example
 * const average = new AveragedModel(params, { ema: 0.999 });
 * const optimizer = new Adam(params, { average });
 * for (const batch of batches) {
 *   backward(batch);
 *   optimizer.step();
 * }
 * {
 *   using _ = average.swapIn(); // here the parameters are their averages
 *   evaluate();
 * }
 */
export class AveragedModel extends Average {
  protected override readonly subject = "AveragedModel";
  private readonly given: readonly Parameter[];
  private readonly plan: AveragePlan;
  private readonly run: PlanOptions;
  private ema: number | undefined;
  /** The optimizer whose steps update it, and its name. */
  private host: Optimizer | undefined;
  private hostName = "";
  private alone: Averager | undefined;

  /**
   * @param parameters whose average it is; those of the optimizer that it is handed to.
   * @throws {OptionError} for a wrong or unknown option, {ParameterError} for parameters that are
   *   missing, double or have equal names.
   */
  constructor(parameters: readonly Parameter[], options: AverageOptions = {}) {
    super();
    const { ema, warmup, avgFn, start, every, run } = checkAverageOptions(options);
    this.given = readGroups(still, parameters, {}).flatMap(({ params }) => [...params]);
    checkDistinct(this.subject, this.given, []);
    this.run = run;
    this.ema = ema;
    const usual = ema === undefined ? getSwaAvgFn() : getEmaAvgFn(() => this.ema!, { warmup });
    this.plan = { avgFn: avgFn ?? usual, start, every };
  }

  override get parameters(): readonly Parameter[] {
    return this.host ? this.host.states().map(([parameter]) => parameter) : this.given;
  }

  /** How many values are in the average; if parameters joined later, in that of the first. */
  get nAveraged(): number {
    const states = (this.host ?? this.alone)?.states() ?? [];
    return states.reduce((most, [, state]) => Math.max(most, Number(state[N_AVERAGED] ?? 0)), 0);
  }

  /**
   * The share of the old average that stays in an update; `undefined` unless the average was made
   * with `ema`. It may be changed at any time.
   *
   * @throws {OptionError} on assigning anything but a number from 0 to 1, or where there is none.
   */
  get decay(): number | undefined {
    return this.ema;
  }

  set decay(decay: number) {
    if (this.ema === undefined) {
      throw new OptionError("BAD_OPTION", {
        subject: `${this.subject}: decay`,
        got: decay,
        expected: "an average made with { ema }",
      });
    }
    this.ema = checkDecay(decay);
  }

  /**
   * Takes the parameters as they are now into the average; the first time it copies them. To be called
   * after `optimizer.step()`; each call is a step for `start` and `every`.
   *
   * @throws {AverageError} `IN_OPTIMIZER` if it was handed to an optimizer, whose steps do this;
   *   `SWAPPED_IN` while a parameter holds its average.
   */
  updateParameters(): void {
    this.own("updateParameters", "updates by the optimizer's step() alone").update();
  }

  /** A copy of the averages and their counts, by parameter name. */
  stateDict(): StateDict {
    return this.own(
      "stateDict",
      "a call of the optimizer's stateDict(), which holds it",
    ).stateDict();
  }

  /**
   * Continues from a copy of the averages.
   *
   * @throws {StateDictError} if names, shapes or types do not fit; nothing has changed then.
   */
  loadStateDict(dict: StateDict, options?: LoadOptions): LoadReport {
    const expected = "a call of the optimizer's loadStateDict(), which holds it";
    return this.own("loadStateDict", expected).loadStateDict(dict, options);
  }

  /** Ends the worker threads that updates have used, as `optimizer.dispose()` does. */
  dispose(): void {
    this.alone?.dispose();
  }

  /**
   * An average that an optimizer's rule keeps, to be swapped in: `AveragedModel.ofState(asgd, "ax")`.
   *
   * @param slot its name in state dicts.
   */
  static ofState(optimizer: Optimizer, slot: string): Average {
    return new StateAverage(optimizer, slot);
  }

  /** @internal */
  extend(rule: Rule, parameters: readonly Parameter[]): Rule {
    const subject = `${rule.name}: average`;
    if (this.host ?? this.alone) {
      throw new AverageError("IN_USE", {
        subject,
        got: new Prose(
          this.host
            ? `one that is part of an optimizer (${this.hostName})`
            : "one that has been updated or loaded by itself",
        ),
        expected: "a new one",
      });
    }
    const mine = new Set(this.given);
    const foreign = parameters.find((parameter) => !mine.delete(parameter));
    if (!foreign && mine.size === 0) return withAverage(rule, this.plan);
    throw new AverageError("OTHER_PARAMETERS", {
      subject,
      got: new Prose(
        `one ${foreign ? `without ${foreign.label}` : `of ${[...mine][0]!.label} too`}`,
      ),
      expected: "an average of just the optimizer's parameters",
      advice:
        "For other parameters leave it out here, and call updateParameters() after each step.",
    });
  }

  /** @internal */
  follow(optimizer: Optimizer, name: string): void {
    this.host = optimizer;
    this.hostName = name;
  }

  protected override views(): ReadonlyMap<Parameter, TypedArray> {
    const keeper = this.host ?? this.alone;
    return keeper ? viewsOf(keeper, AVERAGE) : new Map();
  }

  /** The optimizer of the average by itself, made when it is first needed. */
  private own(what: string, expected: string): Averager {
    if (!this.host) return (this.alone ??= new Averager(this.plan, this.given, this.run));
    throw new AverageError("IN_OPTIMIZER", {
      subject: `${this.subject}: ${what}`,
      got: new Prose(`an average that is part of an optimizer (${this.hostName})`),
      expected,
    });
  }
}
