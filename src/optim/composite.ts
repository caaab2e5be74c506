/**
 * Several optimizers that behave as one: Muon for matrices, AdamW for the rest.
 *
 * A step is taken by all members or by none: whatever can fail is checked in each of them before the
 * first one writes. State dicts, groups and gradients are those of all members together.
 */
import { OptionError, ParameterError } from "../errors.ts";
import type { Parameter } from "../memory/parameter.ts";
import { evaluate } from "./common.ts";
import { checkDistinct } from "./entry.ts";
import type { StepCall } from "./hooks.ts";
import type { LoadOptions, LoadReport } from "./load.ts";
import {
  joinDicts,
  joinReports,
  NAME,
  partsOf,
  requireWhole,
  splitDict,
} from "./composite-state.ts";
import { Optimizer } from "./optimizer.ts";
import { checkStepOptions, type ParamGroupInput, type StepOptions } from "./options.ts";
import type { ParameterState, StateDict } from "./state-dict.ts";
import { Stepping } from "./stepping.ts";

/** Optimizers by names of your choice. */
export type Members = Readonly<Record<string, Optimizer>>;

/** The groups of any member. */
type AnyGroup<M extends Members> =
  M extends Readonly<Record<string, infer O extends Optimizer>> ? O["paramGroups"][number] : never;
type HyperOf<O> = O extends Optimizer<infer H> ? H : never;

/**
 * One optimizer made of several. Members stay usable by themselves, as `composite.members.adamw`.
 *
 * Learning-rate schedulers, clipping and hooks take it as they take any optimizer: the gradients of all
 * members count as one vector. Hooks of members run too, inside the composite's own.
 *
 * @example
 * const [matrices, rest] = partition(params, (p) => p.shape.length === 2);
 * const optimizer = new CompositeOptimizer({
 *   muon: new Muon(matrices, { lr: 0.02 }),
 *   adamw: new AdamW(withoutDecay(rest), { lr: 3e-4 }),
 * });
 */
export class CompositeOptimizer<M extends Members = Members> extends Stepping {
  readonly members: M;
  /** The members, in order. */
  readonly optimizers: readonly Optimizer[];
  /** The groups of each member as they were last looked at, and all of them. */
  private seen: readonly unknown[] = [];
  private all: readonly AnyGroup<M>[] = [];

  /**
   * @param members optimizers by name; names stand in state dicts.
   * @throws {OptionError} `BAD_OPTION` unless all are optimizers that can take a step without a closure.
   * @throws {ParameterError} for a parameter, or a name of one, that two members have.
   */
  constructor(members: M) {
    super();
    if (typeof members !== "object" || members === null || Object.keys(members).length === 0) {
      throw new OptionError("BAD_OPTION", {
        subject: `${NAME}: members`,
        got: members,
        expected: "optimizers by name such as { muon, adamw }",
      });
    }
    for (const [name, member] of Object.entries(members)) {
      if ((member as unknown) instanceof Optimizer) continue;
      throw new OptionError("BAD_OPTION", {
        subject: `${NAME}: ${name}`,
        got: member,
        expected: "an optimizer that goes by a rule, such as Adam",
      });
    }
    this.members = Object.freeze({ ...members });
    this.optimizers = Object.freeze(Object.values(members) as unknown as Optimizer[]);
    this.look();
  }

  /** The groups of all members, in order; also those that members were given later. */
  get paramGroups(): readonly AnyGroup<M>[] {
    this.look();
    return this.all;
  }

  /**
   * Adds parameters to a member, as its own `addParamGroup` does.
   *
   * @throws as that does, and {ParameterError} for parameters of other members; nothing has changed then.
   */
  addParamGroup<K extends keyof M & string>(
    member: K,
    group: ParamGroupInput<HyperOf<M[K]>>,
  ): void {
    if (!Object.hasOwn(this.members, member)) {
      throw new OptionError("BAD_OPTION", {
        subject: `${NAME}: addParamGroup`,
        got: member,
        expected: `the name of a member: ${Object.keys(this.members).join(", ")}`,
      });
    }
    const params: unknown = (group as { readonly params?: unknown } | null)?.params;
    if (Array.isArray(params)) this.checkAll(params as Parameter[]);
    this.members[member]!.addParamGroup(group as never);
  }

  protected override take(closure: StepCall["closure"], given: StepOptions | undefined): unknown {
    const { optimizers } = this;
    this.look();
    for (const each of optimizers) each.requireReady();
    const options = checkStepOptions(NAME, given);
    const loss = closure === undefined ? undefined : evaluate(NAME, closure);
    const hooked = optimizers.some((each) => each.isHooked);
    const calls = hooked ? optimizers.map((each) => each.beforeStep({ options })) : undefined;
    const optionsOf = (i: number) => checkStepOptions(NAME, calls ? calls[i]!.options : options);
    // One whose gradients are not finite may want to leave the step out: then all do.
    let isTaken = true;
    for (let i = 0; i < optimizers.length; i++) {
      isTaken = optimizers[i]!.prepareStep(optionsOf(i)) && isTaken;
    }
    for (let i = 0; i < optimizers.length; i++) {
      if (isTaken) optimizers[i]!.runStep(optionsOf(i));
      else optimizers[i]!.skipStep(optionsOf(i));
    }
    calls?.forEach((call, i) => optimizers[i]!.afterStep(call));
    return loss;
  }

  /** Forgets all gradients, see {@link Optimizer.zeroGrad}. */
  zeroGrad(options?: { setToNull?: boolean }): void {
    for (const each of this.optimizers) each.zeroGrad(options);
  }

  /** How many steps were left out because gradients of any member were infinite or NaN. */
  get skippedSteps(): number {
    return Math.max(...this.optimizers.map(({ skippedSteps }) => skippedSteps));
  }

  /**
   * What is remembered of a parameter, by the member that has it; see {@link Optimizer.state}.
   *
   * @throws {ParameterError} `UNKNOWN_PARAMETER` if no member has it.
   */
  state(parameter: Parameter): Readonly<ParameterState> {
    const holder = this.optimizers.find(({ paramGroups }) =>
      paramGroups.some(({ params }) => params.includes(parameter)),
    );
    if (holder) return holder.state(parameter);
    throw new ParameterError("UNKNOWN_PARAMETER", {
      subject: `${NAME}: state`,
      got: parameter,
      expected: "a parameter of one of its members",
    });
  }

  /**
   * A copy of the state of all members as one dict, keyed by parameter name; each group says which
   * `member` it is of, and the member's `optimizer`.
   */
  stateDict(): StateDict {
    return this.saveHooked(() => {
      this.look();
      return joinDicts(partsOf(this.members));
    });
  }

  /**
   * Continues from a copy of the state of all members.
   *
   * @param options as for {@link Optimizer.loadStateDict}; with `{ strict: false }` members may be absent.
   * @returns what was loaded.
   * @throws as the members' own `loadStateDict`; none of them has changed then.
   */
  loadStateDict(stateDict: StateDict, options?: LoadOptions): LoadReport {
    this.look();
    const parts = partsOf(this.members);
    const dict = this.beforeLoad(stateDict);
    const split = splitDict(parts, dict);
    if (options?.strict !== false) requireWhole(parts, dict, split);
    const loadings = parts.map(({ optimizer }, i) => {
      const own = split.dicts[i];
      return own && optimizer.prepareLoad(optimizer.beforeLoad(own), options);
    });
    parts.forEach(({ optimizer }, i) => loadings[i] && optimizer.commitLoad(loadings[i]));
    parts.forEach(({ optimizer }, i) => loadings[i] && optimizer.afterLoad());
    this.afterLoad();
    return joinReports(
      parts,
      loadings.map((loading) => loading?.report),
      split.strays,
    );
  }

  /** Ends the worker threads, unless other optimizers use them; see {@link Optimizer.dispose}. */
  dispose(): void {
    for (const each of this.optimizers) each.dispose();
  }

  /** Each member by name, as it prints itself. */
  override toString(): string {
    const lines = Object.entries(this.members).map(([name, member]) => `${name}: ${member}`);
    return `${NAME} (\n${lines.join("\n")}\n)`;
  }

  /** Takes in the groups that members have got since it last looked. @throws {ParameterError} */
  private look(): void {
    const { optimizers, seen } = this;
    let same = seen.length > 0;
    for (let i = 0; i < optimizers.length; i++) same &&= optimizers[i]!.paramGroups === seen[i];
    if (same) return;
    this.checkAll([]);
    this.seen = optimizers.map(({ paramGroups }) => paramGroups);
    this.all = Object.freeze(optimizers.flatMap(({ paramGroups }) => [...paramGroups])) as never;
  }

  /** @throws {ParameterError} for parameters and names that there would be twice with `more`. */
  private checkAll(more: readonly Parameter[]): void {
    const groups = this.optimizers.flatMap(({ paramGroups }) => [...paramGroups]);
    checkDistinct(NAME, [...groups.flatMap(({ params }) => [...params]), ...more], []);
  }
}
