/**
 * What the paths have in common on which one of Downhill's optimizers runs here, on the CPU: its groups, its
 * state, and a step of it.
 *
 * Where variables come later, an optimizer with all of them takes the place of the one before: so it is all
 * or nothing, and variables that were disposed do not pile up.
 */
import type { Rule } from "../../ir/rule.ts";
import type { Parameter } from "../../memory/parameter.ts";
import { clipGradNorm, clipGradValue } from "../../optim/clip.ts";
import type { Optimizer } from "../../optim/optimizer.ts";
import type { StepOptions } from "../../optim/options.ts";
import type { ParameterState } from "../../optim/state-dict.ts";
import { HabitMap } from "./habit-map.ts";
import { copyHyper } from "./path.ts";
import type { Clipping, HyperGroup, InPlace, Member, Move, Path, PathSpec } from "./path.ts";

/** One optimizer with all variables so far. */
interface Inner<P extends object> {
  readonly optimizer: Optimizer;
  readonly parameters: HabitMap<Member, P>;
  /** The groups that the user sees, in the order of the optimizer's own. */
  readonly groups: readonly HyperGroup[];
}

/** What a parameter is made of. */
export interface NamedShape {
  readonly name: string;
  readonly shape: readonly number[];
}

const noOptions: StepOptions = {};

export abstract class LocalPath<P extends Parameter> implements Path {
  abstract readonly inPlace: InPlace;
  protected readonly spec: PathSpec;
  /** tfjs's own object, which another one may replace. */
  private readonly identity: object;
  private inner: Inner<P> | undefined;

  constructor(spec: PathSpec) {
    this.spec = spec;
    this.identity = spec.tf.engine().backend;
  }

  /** Another backend may have a better path, or need another. */
  unfit(): string | null {
    const { tf } = this.spec;
    if (tf.engine().backend === this.identity) return null;
    return `tfjs has gone on to its backend ${tf.getBackend()}`;
  }

  abstract prepare(moves: readonly Move[]): boolean;

  /** Parameters in the order in which they are to lie in memory. */
  protected abstract makeParameters(all: readonly NamedShape[]): readonly P[];
  protected abstract makeOptimizer(rule: Rule, groups: object[], options: object): Optimizer;

  add(members: readonly Member[], states: readonly (ParameterState | undefined)[]): void {
    const old = [...(this.inner?.parameters.keys() ?? [])].filter(
      ({ variable }) => !variable.isDisposed,
    );
    const all = [...old, ...members];
    const inner = this.makeInner(all);
    try {
      loadStates(inner.optimizer, all, [...this.states(old), ...states]);
    } catch (error) {
      inner.optimizer.dispose();
      throw error;
    }
    this.dispose();
    this.inner = inner;
  }

  states(members: readonly Member[]): readonly ParameterState[] {
    if (!this.inner) return members.map(() => ({}));
    const { optimizer, parameters } = this.inner;
    return members.map((member) => copyOf(optimizer.state(parameters.get(member)!)));
  }

  dispose(): void {
    this.inner?.optimizer.dispose();
    this.inner = undefined;
  }

  run(_moves: readonly Move[]): void {
    this.inner!.optimizer.runStep(noOptions);
  }

  skip(): void {
    this.inner!.optimizer.skipStep(noOptions);
  }

  /**
   * See {@link prepare}.
   *
   * @param bring lets a parameter have the values and the gradient of a move, by its number.
   */
  protected prepareWith(moves: readonly Move[], bring: (parameter: P, i: number) => void): boolean {
    const { optimizer, parameters, groups } = this.inner!;
    const { rule, clip } = this.spec;
    if (moves.length < parameters.size) optimizer.zeroGrad();
    optimizer.gradients.change.forget(); // what a step that failed has left
    for (let i = 0; i < moves.length; i++) bring(parameters.at(i, moves[i]![0])!, i);
    optimizer.paramGroups.forEach((group, i) => copyHyper(rule, groups[i]!, group));
    clipAll(optimizer, clip);
    return optimizer.prepareStep(noOptions);
  }

  protected parameterOf(member: Member): P {
    return this.inner!.parameters.get(member)!;
  }

  private makeInner(members: readonly Member[]): Inner<P> {
    const { rule, options } = this.spec;
    const byGroup = new Map<HyperGroup, Member[]>();
    for (const member of members) {
      const list = byGroup.get(member.group);
      if (list) list.push(member);
      else byGroup.set(member.group, [member]);
    }
    const sorted = [...byGroup.values()].flat();
    const made = this.makeParameters(
      sorted.map(({ key, variable }) => ({ name: key, shape: variable.shape })),
    );
    const parameters = new HabitMap(sorted.map((member, i) => [member, made[i]!]));
    const groups = [...byGroup].map(([group, list]) => ({
      params: list.map((member) => parameters.get(member)!),
      ...Object.fromEntries(rule.hyperNames.map((name) => [name, group[name]])),
    }));
    const optimizer = this.makeOptimizer(rule, groups, options);
    return { optimizer, parameters, groups: [...byGroup.keys()] };
  }
}

function loadStates(
  optimizer: Optimizer,
  members: readonly Member[],
  states: readonly (ParameterState | undefined)[],
): void {
  const state: Record<string, ParameterState> = {};
  members.forEach(({ key }, i) => {
    const given = states[i];
    if (given && Object.keys(given).length > 0) state[key] = given;
  });
  if (Object.keys(state).length > 0) optimizer.loadStateDict({ ...optimizer.stateDict(), state });
}

function clipAll(optimizer: Optimizer, { value, norm }: Clipping): void {
  if (value !== undefined) clipGradValue(optimizer, value);
  if (norm !== undefined) clipGradNorm(optimizer, norm);
}

function copyOf(state: Readonly<ParameterState>): ParameterState {
  return Object.fromEntries(
    Object.entries(state).map(([name, value]) => [
      name,
      typeof value === "number" ? value : value.slice(),
    ]),
  );
}
