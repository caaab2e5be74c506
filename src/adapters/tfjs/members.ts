/**
 * The variables of an optimizer, and what was loaded for variables that have not turned up yet.
 *
 * A model that is loaded gets its optimizer's state before the optimizer sees a variable, and layers rename
 * variables then. So state waits for the variables of each group: for those of the same names, if all
 * names are there, apart from what layers append; otherwise for the next ones, in order.
 */
import type { Variable } from "@tensorflow/tfjs-core";
import { Prose, StateDictError } from "../../errors.ts";
import type { ParameterInfo, ParameterState } from "../../optim/state-dict.ts";
import { plainName, type GroupKey, type Groups } from "./groups.ts";
import { HabitMap } from "./habit-map.ts";
import type { Member, Move } from "./path.ts";

/** State without its variable. */
export interface Waiting {
  readonly info: ParameterInfo;
  readonly state: ParameterState | undefined;
}

export class Members {
  private readonly subject: string;
  private readonly groups: Groups;
  private readonly known = new HabitMap<Variable, Member>();
  private waiting = new Map<GroupKey, readonly Waiting[]>();

  constructor(subject: string, groups: Groups) {
    this.subject = subject;
    this.groups = groups;
  }

  get list(): Member[] {
    return [...this.known.values()];
  }

  /** Those that are not known yet. */
  freshOf(moves: readonly Move[]): Member[] {
    const fresh: Member[] = [];
    for (let i = 0; i < moves.length; i++) {
      const [member] = moves[i]!;
      if (this.known.at(i, member.variable) === undefined) fresh.push(member);
    }
    return fresh;
  }

  /** Those of these variables; the ones that are new do not count before {@link admit}. */
  of(variables: readonly Variable[]): Member[] {
    let taken: Set<string> | undefined;
    return variables.map((variable, i) => {
      const known = this.known.at(i, variable);
      if (known) return known;
      taken ??= new Set(this.list.map(({ key }) => key));
      const key = freeName(variable.name, taken);
      return { variable, key, group: this.groups.get(this.groups.keyFor(variable)) };
    });
  }

  /** Replaces what waits. */
  expect(waiting: ReadonlyMap<GroupKey, readonly Waiting[]>): void {
    this.waiting = new Map(waiting);
  }

  /** What waits for the variables of a group. */
  waitingIn(key: GroupKey): readonly Waiting[] {
    return this.waiting.get(key) ?? [];
  }

  /**
   * What waits for each of the new ones.
   *
   * @throws {StateDictError} `STATE_MISMATCH` if it has another shape; everything still waits then.
   */
  claim(fresh: readonly Member[]): (Waiting | undefined)[] {
    const claims = new Map<Member, Waiting>();
    for (const key of this.groups.keys()) {
      const waiting = this.waitingIn(key);
      const own = fresh.filter(({ group }) => group === this.groups.get(key));
      const named = byName(own, waiting);
      own.forEach((member, i) => {
        const found = named ? named[i] : waiting[i];
        if (found) claims.set(member, found);
      });
    }
    for (const [member, { info }] of claims) this.checkShape(member, info);
    return fresh.map((member) => claims.get(member));
  }

  /** Takes new ones in, with what they claimed; variables that are disposed go. */
  admit(fresh: readonly Member[], claims: readonly (Waiting | undefined)[]): void {
    for (const [key, list] of this.waiting) {
      this.waiting.set(
        key,
        list.filter((each) => !claims.includes(each)),
      );
    }
    for (const [variable] of this.known) if (variable.isDisposed) this.known.delete(variable);
    for (const member of fresh) this.known.set(member.variable, member);
    this.showParams();
  }

  clear(): void {
    this.known.clear();
    this.waiting.clear();
    this.showParams();
  }

  private showParams(): void {
    for (const group of this.groups.list) {
      const own = this.list.filter((member) => member.group === group);
      (group.params as Variable[]).splice(0, Infinity, ...own.map(({ variable }) => variable));
    }
  }

  private checkShape({ key, variable }: Member, info: ParameterInfo): void {
    const { shape } = variable;
    if (shape.length === info.shape.length && shape.every((n, i) => n === info.shape[i])) return;
    throw new StateDictError("STATE_MISMATCH", {
      subject: `${this.subject}: variable ${JSON.stringify(key)}`,
      got: new Prose(`shape [${shape.join(", ")}]`),
      expected: `[${info.shape.join(", ")}], that of ${JSON.stringify(info.name)}, whose state is next`,
      advice:
        "State goes to variables of equal names, otherwise in the order in which it was saved.",
    });
  }
}

/** Automatic names are numbers, which differ from one process to the next. */
const AUTOMATIC = /^\d+$/;

/** What waits by the names of all, if there is something for each; several of one name in order. */
function byName(fresh: readonly Member[], waiting: readonly Waiting[]): Waiting[] | null {
  const left = [...waiting];
  const found: Waiting[] = [];
  for (const { variable } of fresh) {
    const name = plainName(variable.name);
    const at = AUTOMATIC.test(name)
      ? -1
      : left.findIndex(({ info }) => plainName(info.name) === name);
    if (at < 0) return null;
    found.push(...left.splice(at, 1));
  }
  return found;
}

/** A name that nothing else has, taken from then on: those of equal names are numbered. */
export function freeName(name: string, taken: Set<string>): string {
  let free = name;
  for (let n = 2; taken.has(free); n++) free = `${name}#${n}`;
  taken.add(free);
  return free;
}
