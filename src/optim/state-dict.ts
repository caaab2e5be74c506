/**
 * State dicts: everything that an optimizer remembers, as plain data.
 *
 * Keyed by parameter name, with PyTorch's names for the slots; a slot that was never written is absent.
 * Loading checks all of it before it changes anything, so a state dict that does not fit leaves the
 * optimizer as it was.
 */
import { Prose } from "../errors.ts";
import type { HyperDefaults, Rule, RuleInfo } from "../ir/rule.ts";
import type { DType, TypedArray } from "../memory/dtype.ts";
import type { Entry, Member } from "./entry.ts";
import type { ParamGroup } from "./options.ts";
import { byGroup, checkGroups, checkHead, checkParameterState, refusal } from "./state-check.ts";

/** State of one parameter: its count of steps, and a flat array for each slot written so far. */
export type ParameterState = Record<string, number | TypedArray>;

/** What a state dict says of a parameter itself. */
export interface ParameterInfo {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** One group: its parameters in order, and its hyperparameters. */
export type GroupState = { readonly params: readonly ParameterInfo[] } & Record<string, unknown>;

/** A copy of an optimizer's state; plain data that `structuredClone` and workers take. */
export interface StateDict {
  /** Name of the rule, e.g. `"Adam"`. */
  readonly optimizer: string;
  /** Version of this layout. */
  readonly version: 1;
  /** By parameter name; parameters that have taken no step are absent. */
  readonly state: Readonly<Record<string, ParameterState>>;
  readonly paramGroups: readonly GroupState[];
}

export function saveState(
  rule: Rule,
  entries: readonly Entry[],
  groups: readonly ParamGroup<HyperDefaults>[],
): StateDict {
  const state = Object.create(null) as Record<string, ParameterState>;
  for (const entry of entries) {
    const saved = stateOf(rule, entry);
    for (const [name, value] of Object.entries(saved)) {
      if (typeof value !== "number") saved[name] = value.slice();
    }
    if (entry.steps > 0 || entry.written !== 0) state[entry.key] = saved;
  }
  return dictOf(rule, entries, groups, state);
}

/** A state dict with this state. */
export function dictOf(
  rule: Rule,
  members: readonly Member[],
  groups: readonly object[],
  state: StateDict["state"],
): StateDict {
  const lists = byGroup(members, groups.length);
  const paramGroups = groups.map((group, index): GroupState => {
    const params = lists[index]!.map(infoOf);
    const saved: Record<string, unknown> = {};
    for (const name of rule.hyperNames) {
      saved[name] = copyOf((group as Record<string, unknown>)[name]);
    }
    return { params, ...saved };
  });
  return { optimizer: rule.name, version: 1, state, paramGroups };
}

/** State of one parameter, with live views of its slots (copies of those in bfloat16); empty before its first step. */
export function stateOf(rule: RuleInfo, entry: Entry): ParameterState {
  if (entry.steps === 0 && entry.written === 0) return {};
  const state: ParameterState = rule.counted ? { step: entry.steps } : {};
  rule.numberNames.forEach((name, i) => (state[name] = entry.numbers[i]!));
  rule.stateNames.forEach((name, slot) => {
    if (!((entry.written >> slot) & 1)) return;
    state[name] = entry.arena.view(slot + 2, entry);
  });
  return state;
}

export function infoOf({ key, parameter }: Member): ParameterInfo {
  return { name: key, shape: [...parameter.shape], dtype: parameter.dtype };
}

/**
 * @param cast whether state of another type is converted.
 * @returns what loads it, and cannot fail. @throws {StateDictError} | {OptionError} if it does not fit.
 */
export function checkState(
  rule: Rule,
  entries: readonly Entry[],
  groups: readonly ParamGroup<HyperDefaults>[],
  dict: StateDict,
  cast: boolean,
): () => void {
  const sizeOf = (entry: Entry, slot: number): number => entry.arena.sizeOf(slot + 2, entry);
  const loadHyper = checkDict(rule, entries, sizeOf, groups, dict, cast);
  reserve(rule, entries, dict);
  return () => {
    for (const entry of entries) restore(rule, entry, own(dict.state, entry.key));
    loadHyper();
  };
}

/**
 * Checks all of a state dict.
 *
 * @param sizeOf how many numbers a state tensor has, by position; -1 if there is none.
 * @returns what loads the hyperparameters, and cannot fail.
 */
export function checkDict<M extends Member>(
  rule: Rule,
  members: readonly M[],
  sizeOf: (member: M, slot: number) => number,
  groups: readonly object[],
  dict: StateDict,
  cast: boolean,
): () => void {
  checkHead(rule, dict);
  checkGroups(rule, members, groups, dict.paramGroups, cast);
  const byKey = new Map(members.map((member) => [member.key, member]));
  for (const key of Object.keys(dict.state)) {
    const member = byKey.get(key);
    const where = `state of ${JSON.stringify(key)}`;
    const stranger = new Prose("state of an unknown parameter");
    if (!member) throw refusal(rule, where, stranger, "state of this optimizer's parameters only");
    checkParameterState(rule, member, (slot) => sizeOf(member, slot), dict.state[key]!, cast);
  }
  const hyper = dict.paramGroups.map((saved) =>
    Object.fromEntries(rule.hyperNames.map((name) => [name, copyOf(saved[name])])),
  );
  return () => groups.forEach((group, index) => Object.assign(group, hyper[index]));
}

/** Hyperparameters are numbers, switches and pairs. */
function copyOf(value: unknown): unknown {
  return Array.isArray(value) ? [...(value as unknown[])] : value;
}

/** Makes room for all slots that the state dict holds. */
function reserve(rule: RuleInfo, entries: readonly Entry[], dict: StateDict): void {
  for (const entry of entries) {
    const saved = own(dict.state, entry.key);
    rule.stateNames.forEach((name, slot) => {
      if (saved && Object.hasOwn(saved, name)) entry.arena.require(slot + 2);
    });
  }
}

function restore(rule: RuleInfo, entry: Entry, saved: ParameterState | undefined): void {
  entry.steps = rule.counted ? ((saved?.["step"] as number | undefined) ?? 0) : 0;
  entry.numbers = saved ? rule.numberNames.map((name) => (saved[name] as number) ?? 0) : [];
  entry.written = 0;
  rule.stateNames.forEach((name, slot) => {
    const region = slot + 2;
    if (!entry.arena.has(region) || entry.arena.sizeOf(region, entry) < 0) return;
    const has = saved !== undefined && Object.hasOwn(saved, name);
    entry.arena.write(region, entry, has ? (saved[name] as TypedArray) : 0);
    if (has) entry.written |= 1 << slot;
  });
}

/** What a state dict holds of a parameter. */
export function own(state: StateDict["state"], key: string): ParameterState | undefined {
  return Object.hasOwn(state, key) ? state[key] : undefined;
}
