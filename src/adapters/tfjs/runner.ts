/**
 * Steps of one optimizer over tfjs's variables: which path they take, which variables there are, and what is
 * remembered of them. What is remembered belongs to a variable, the object: not to its name, which another
 * one may have once it is disposed, nor to its position, which is whatever a call lists.
 */
import type { Tensor, Variable } from "@tensorflow/tfjs-core";
import { BackendError, Prose } from "../../errors.ts";
import type { Rule } from "../../ir/rule.ts";
import { GroupWatch } from "../../optim/hyper-watch.ts";
import type { ParameterState, StateDict } from "../../optim/state-dict.ts";
import { withStorage } from "../../optim/state-storage.ts";
import { choosePath } from "./choose.ts";
import { Groups, type GroupKey } from "./groups.ts";
import { Members } from "./members.ts";
import type { ReadOptions } from "./options.ts";
import type { InPlace, Move, Path, PathSpec } from "./path.ts";
import { checkParams, keysOf, prepareDict, saveDict } from "./saving.ts";
import type { Tf } from "./tf.ts";

/** Variables with their gradients; each variable once. */
export type Pairs = readonly (readonly [Variable, Tensor])[];

/** A step of which nothing can fail any more. */
export interface PreparedStep {
  /** Whether it is to be taken: false because of `nonFinite: "skip"`. */
  readonly isTaken: boolean;
  /** Takes it, or leaves it out. */
  end(isTaken: boolean): void;
}

const prepared = (path: Path, moves: readonly Move[], isTaken: boolean): PreparedStep => ({
  isTaken,
  end: (taken) => (taken ? path.run(moves) : path.skip()),
});

export class Runner {
  readonly groups: Groups;
  private readonly spec: PathSpec;
  private readonly watch: GroupWatch;
  private readonly members: Members;
  private path: Path | undefined;
  private reasons: readonly string[] = [];

  constructor(tf: Tf, rule: Rule, { defaults, groups, options, clip }: ReadOptions) {
    this.spec = { tf, rule, options, clip };
    this.groups = new Groups(rule, groups, defaults);
    this.watch = new GroupWatch(rule);
    this.members = new Members(rule.name, this.groups);
  }

  get inPlace(): InPlace | undefined {
    return this.path?.inPlace;
  }

  get why(): string | undefined {
    return this.reasons.length > 0 ? this.reasons.join("; ") : undefined;
  }

  /** All of a step that can fail. */
  prepare(pairs: Pairs): PreparedStep {
    const moves = this.movesOf(pairs);
    const leaving = this.leavingStates(moves);
    if (leaving instanceof Promise) {
      leaving.catch(() => {}); // nobody waits for it
      this.refuseSync();
    }
    const path = this.ready(moves, leaving);
    return prepared(path, moves, path.prepare(moves));
  }

  /** The same on every backend. */
  async prepareAsync(pairs: Pairs): Promise<PreparedStep> {
    const moves = this.movesOf(pairs);
    const path = this.ready(moves, await this.leavingStates(moves));
    return prepared(path, moves, await (path.prepareAsync?.(moves) ?? path.prepare(moves)));
  }

  /** Copies; see {@link Path.states}. */
  async stateDict(): Promise<StateDict> {
    const list = this.members.list.filter(({ variable }) => !variable.isDisposed);
    const states = (await this.path?.states(list)) ?? [];
    const byMember = new Map(list.map((member, i) => [member, states[i] ?? {}]));
    return saveDict(this.stored, this.groups, this.members, byMember);
  }

  /**
   * Checks a state dict.
   *
   * @param keys of each of its groups the rules that it is for, if that is known.
   * @returns what goes on from there: state waits for the variables of the next steps.
   */
  prepareLoad(dict: StateDict, keys?: readonly GroupKey[]): () => void {
    checkParams(this.stored, dict, this.groups);
    const take = prepareDict(this.stored, this.groups, dict, keys ?? keysOf(dict, this.groups));
    return () => {
      this.dispose();
      this.members.expect(take());
    };
  }

  dispose(): void {
    this.path?.dispose();
    this.path = undefined;
    this.members.clear();
  }

  /** The rule with what its state dicts hold where state is bfloat16. */
  private get stored(): Rule {
    return withStorage(this.spec.rule, this.spec.options);
  }

  private movesOf(pairs: Pairs): Move[] {
    this.groups.requireMatches(this.spec.tf.engine().registeredVariables);
    const members = this.members.of(pairs.map(([variable]) => variable));
    this.watch.check(this.groups.list);
    return members.map((member, i) => [member, pairs[i]![1]]);
  }

  /** The state of all variables, if the path that has it cannot go on. */
  private leavingStates(
    moves: readonly Move[],
  ): readonly ParameterState[] | Promise<readonly ParameterState[]> | null {
    if (!this.path || this.path.unfit(moves) === null) return null;
    return this.path.states(this.members.list);
  }

  /** The path, with all variables of this step. All or nothing. */
  private ready(moves: readonly Move[], leaving: readonly ParameterState[] | null): Path {
    const fresh = this.members.freshOf(moves);
    const claims = this.members.claim(fresh);
    const states = claims.map((claim) => claim?.state);
    if (this.path && leaving === null) {
      if (fresh.length === 0) return this.path;
      this.path.add(fresh, states);
    } else {
      const { path, why } = choosePath(this.spec, moves);
      path.add([...this.members.list, ...fresh], [...(leaving ?? []), ...states]);
      this.path?.dispose();
      this.path = path;
      this.reasons = why;
    }
    this.members.admit(fresh, claims);
    return this.path;
  }

  private refuseSync(): never {
    throw new BackendError("ASYNC_ONLY", {
      subject: `${this.spec.rule.name}: step`,
      got: new Prose("variables that have left the device on which their state is"),
      expected: "a step that can wait for the state",
      advice:
        "Await minimizeAsync() or applyGradientsAsync() for the first step after tf.setBackend().",
    });
  }
}
