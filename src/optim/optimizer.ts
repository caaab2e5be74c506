/**
 * The optimizer: a rule, parameter groups, and the semantics of PyTorch's `torch.optim.Optimizer`.
 *
 * It knows no rule by name. What differs from PyTorch on purpose stands in docs/differences.md.
 */
import { selectBackend } from "../backend/select.ts";
import { ParameterError } from "../errors.ts";
import type { Hyper, HyperDefaults, Rule } from "../ir/rule.ts";
import { adopt } from "../memory/adopt.ts";
import type { MatrixPlace } from "../memory/matrix-place.ts";
import type { Home, Parameter } from "../memory/parameter.ts";
import { describe, evaluate, zeroGrads } from "./common.ts";
import type { StepCall } from "./hooks.ts";
import { GroupWatch } from "./hyper-watch.ts";
import { ArenaState, checkDistinct, checkMatrices, keyOf, type Entry } from "./entry.ts";
import { Gradients } from "./gradients.ts";
import { refuseNonFinite, type NonFinite } from "./non-finite.ts";
import {
  checkOptions,
  checkStepOptions,
  type OptimizerOptions,
  type ParamGroup,
  type ParamGroupInput,
  type ParamGroups,
  type ParamsInput,
  type StepOptions,
} from "./options.ts";
import { readGroup, readGroups } from "./read-groups.ts";
import { countRegions } from "./regions.ts";
import { prepareLoad, type Loading, type LoadOptions, type LoadReport } from "./load.ts";
import { saveState, stateOf, type ParameterState, type StateDict } from "./state-dict.ts";
import { checkStorage, withStorage } from "./state-storage.ts";
import { Stepper } from "./stepper.ts";
import { Stepping } from "./stepping.ts";
import { refuseSwapped, swapped } from "./swapped.ts";
import { refuseTorn } from "./torn.ts";

/**
 * An optimizer: a rule, and parameters in groups with hyperparameters of their own, as `torch.optim.Optimizer`.
 * Every class such as `Adam` is one; `new Optimizer(rule, params, options)` makes one of any rule. A step is one pass
 * over the memory for all parameters that go together. It is all or nothing: what can fail fails before it.
 */
export class Optimizer<H extends HyperDefaults = HyperDefaults> extends Stepping {
  /**
   * The groups, in order. Their numbers may be changed between steps
   * (`optimizer.paramGroups[0].lr = 1e-4`); they are checked again in the next step.
   */
  get paramGroups(): ParamGroups<H> {
    return this.shownGroups;
  }
  /** What holds for groups that do not say otherwise: the constructor's options over the rule's. */
  readonly defaults: Readonly<Hyper<H>>;
  // Inside, hyperparameters go by name: what an optimizer does never depends on which it has.
  /** @internal */ readonly rule: Rule;
  /** @internal */ readonly stepper: Stepper;
  private readonly groups: ParamGroup<HyperDefaults>[] = [];
  private readonly watch: GroupWatch;
  private shownGroups!: ParamGroups<H>;
  private readonly entries: Entry[] = [];
  /** @internal */ readonly arenas: ArenaState[] = [];
  /** @internal */ readonly gradients: Gradients;
  private readonly nonFinite: NonFinite;
  private skipped = 0;

  /**
   * @param rule the equations, see `rule()`.
   * @param params parameters, or groups of them with hyperparameters of their own.
   * @param options hyperparameters for all groups, and how to run, see {@link PlanOptions}.
   * @throws {OptionError} for a wrong or unknown option, also in a group.
   * @throws {ParameterError} for parameters that are missing, double or have equal names.
   */
  constructor(rule: Rule<H>, params: ParamsInput<H>, options: OptimizerOptions<H> = {}) {
    super();
    const given = rule as unknown as Rule;
    const checked = checkOptions(given, options as OptimizerOptions<HyperDefaults>);
    const { defaults, plan, average } = checked;
    const groups = readGroups(given, params as ParamsInput<HyperDefaults>, defaults);
    const all = groups.flatMap((group) => [...group.params]);
    const stored = withStorage(given, options);
    this.rule = average ? average.extend(stored, all) : stored;
    this.watch = new GroupWatch(this.rule);
    this.defaults = Object.freeze(defaults) as Readonly<Hyper<H>>;
    this.nonFinite = plan.nonFinite;
    const { Stepper: Runner, Gradients: Reader } = this.machinery;
    this.stepper = new Runner(this.rule, plan, selectBackend(plan.backend));
    this.gradients = new Reader(this.stepper, this.arenas, this.groups);
    this.admit(groups);
    average?.follow(this, given.name);
  }

  /** Name of the backend that runs the steps. */
  get backend(): "wasm" | "interp" {
    return this.stepper.backend.name;
  }

  /** How many steps were left out because gradients were infinite or NaN, see {@link StepPolicy}. */
  get skippedSteps(): number {
    return this.skipped;
  }

  /**
   * Adds parameters, as `torch.optim.Optimizer.add_param_group` does: e.g. layers unfrozen later.
   *
   * @throws as the constructor does; the optimizer is unchanged then.
   */
  addParamGroup(group: ParamGroupInput<H>): void {
    const input = group as ParamGroupInput<HyperDefaults>;
    this.admit([readGroup(this.rule, input, this.defaults as Hyper<HyperDefaults>)]);
  }

  /** What runs steps and reads gradients; another in subclasses whose parameters lie otherwise. */
  protected get machinery(): { Stepper: typeof Stepper; Gradients: typeof Gradients } {
    return { Stepper, Gradients };
  }

  protected override take(closure: StepCall["closure"], given: StepOptions | undefined): unknown {
    this.requireReady();
    const options = checkStepOptions(this.rule.name, given);
    const loss = closure === undefined ? undefined : evaluate(this.rule.name, closure);
    if (this.prepareStep(options)) this.runStep(options);
    else this.skipStep(options);
    return loss;
  }

  /** @internal Throws where no step may be taken at all. */
  requireReady(): void {
    if (this.stepper.torn) refuseTorn(this.rule.name);
    if (swapped.count > 0) refuseSwapped(`${this.rule.name}: step`, this.entries);
  }

  /** @internal All of a step that can fail; whether it should be taken. Nothing has changed yet. */
  prepareStep(options: StepOptions): boolean {
    this.requireReady(); // again: a closure may have done anything
    const { nonFinite, gradients } = this;
    if (nonFinite !== "propagate" && !gradients.areFinite(options.gradScale)) {
      if (nonFinite === "throw") refuseNonFinite(`${this.rule.name}: step`, [gradients]);
      return false;
    }
    const changed = this.watch.check(this.groups);
    this.stepper.prepare(this.arenas, this.groups, options, gradients.change, changed);
    return true;
  }

  /** @internal Takes the step that was prepared. */
  runStep(options: StepOptions): void {
    this.stepper.run(this.groups, options);
    this.gradients.change.forget();
  }

  /** @internal Leaves a step out: only gradients that were to become zero do. */
  skipStep({ zeroGrad = false }: StepOptions): void {
    this.skipped++;
    this.gradients.change.forget();
    if (zeroGrad) this.zeroGrad({ setToNull: false });
  }

  /**
   * Forgets all gradients: they become `null`, which costs nothing, and parameters that get none
   * before the next step are skipped. With `{ setToNull: false }` existing gradients become zero
   * instead, and those of rows have none any more; the next step then moves parameters by their momentum
   * and decay.
   */
  zeroGrad(options: { setToNull?: boolean } = {}): void {
    zeroGrads(this.rule.name, this.entries, options);
    this.gradients.change.forget();
  }

  /**
   * What is remembered of a parameter, by the names that state dicts have: numbers, and live views of
   * the tensors written so far (copies of those in bfloat16); empty before its first step. It is meant for looking at, as
   * `optimizer.state[p]` is in PyTorch: the next step changes the views, and the numbers are those of
   * now. Copies come from {@link stateDict}.
   *
   * @throws {ParameterError} `UNKNOWN_PARAMETER` if it is not one of this optimizer.
   */
  state(parameter: Parameter): Readonly<ParameterState> {
    this.stepper.settle();
    const entry = this.entries.find((known) => known.parameter === parameter);
    if (entry) return Object.freeze(stateOf(this.rule, entry));
    throw new ParameterError("UNKNOWN_PARAMETER", {
      subject: `${this.rule.name}: state`,
      got: parameter,
      expected: "one of its parameters",
    });
  }

  /** @internal All parameters, each with what {@link state} says of it. */
  states(): readonly (readonly [Parameter, ParameterState])[] {
    if (this.stepper.torn) refuseTorn(this.rule.name);
    this.stepper.settle();
    return this.entries.map((entry) => [entry.parameter, stateOf(this.rule, entry)]);
  }

  /** A copy of the state, keyed by parameter name; see {@link StateDict}. */
  stateDict(): StateDict {
    return this.saveHooked(() => {
      if (this.stepper.torn) refuseTorn(this.rule.name);
      refuseSwapped(`${this.rule.name}: stateDict`, this.entries);
      this.stepper.settle();
      return saveState(this.rule, this.entries, this.groups);
    });
  }

  /**
   * Continues from a copy of the state: counts, slots and hyperparameters. Parameters themselves are
   * not part of it. From here on steps are bit for bit those of the saved optimizer.
   *
   * @param options `{ strict: false }` loads what fits, `{ dtype: "cast" }` converts between types; see
   *   {@link LoadOptions}.
   * @returns what was loaded: with `strict` everything.
   * @throws {StateDictError} if optimizer, groups, names, shapes, dtypes or slots do not fit, and
   *   {OptionError} for hyperparameters out of range; the optimizer is unchanged then.
   */
  loadStateDict(stateDict: StateDict, options?: LoadOptions): LoadReport {
    const loading = this.prepareLoad(this.beforeLoad(stateDict), options);
    this.commitLoad(loading);
    this.afterLoad();
    return loading.report;
  }

  /** @internal All of loading that can fail; nothing has changed before it is committed. */
  prepareLoad(dict: StateDict, options: LoadOptions | undefined): Loading {
    if (this.stepper.torn && options?.strict === false) refuseTorn(this.rule.name);
    refuseSwapped(`${this.rule.name}: loadStateDict`, this.entries);
    this.stepper.startOver();
    return prepareLoad(this.rule, this.entries, this.groups, dict, options);
  }

  /** @internal Loads what was prepared. */
  commitLoad(loading: Loading): void {
    loading.commit();
    this.stepper.torn = false;
  }

  /**
   * Ends the worker threads, unless other optimizers use them. It is never needed for a program to
   * end, and the optimizer stays usable: its next large step starts them again.
   */
  dispose(): void {
    this.stepper.backend.release?.(this.stepper);
  }

  /** The name, and each group's hyperparameters, laid out as PyTorch prints them. */
  override toString(): string {
    return describe(this.rule.name, this.rule.hyperNames, this.groups);
  }

  private admit(groups: readonly ParamGroup<HyperDefaults>[]): void {
    const parameters = groups.flatMap((group) => [...group.params]);
    checkDistinct(this.rule.name, parameters, this.entries);
    if (this.rule.matrices) checkMatrices(this.rule.name, parameters);
    checkStorage(this.rule, parameters);
    adopt(parameters, countRegions(this.rule, groups, this.stepper.fuses));
    this.stepper.startOver();
    const places = parameters.map((p) => this.arenaOf(p.home!).cover(p)).values();
    for (const group of groups) {
      for (const p of group.params) this.enter(p, this.groups.length, places.next().value!);
      this.groups.push(group);
    }
    this.shownGroups = Object.freeze([...this.groups]) as unknown as ParamGroups<H>;
    for (const arena of this.arenas) arena.entries.sort((a, b) => a.home.offset - b.home.offset);
  }

  private enter(parameter: Parameter, group: number, matrix: MatrixPlace | null): void {
    const home = parameter.home!;
    const arena = this.arenaOf(home);
    const key = keyOf(parameter, this.entries.length);
    const entry: Entry = {
      parameter,
      key,
      group,
      home,
      arena,
      matrix,
      batch: 0,
      had: 0,
      steps: 0,
      written: 0,
      numbers: [],
    };
    this.entries.push(entry);
    arena.entries.push(entry);
    arena.bound.clear(); // they know the regions and the largest parameter as they were
  }

  private arenaOf(home: Home): ArenaState {
    let state = this.arenas.find((known) => known.arena === home.arena);
    if (!state) {
      state = new ArenaState(this, home.arena, home, this.rule);
      this.arenas.push(state);
    }
    return state;
  }
}
