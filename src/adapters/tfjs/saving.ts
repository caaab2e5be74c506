/** From what an optimizer remembers to a state dict and back, with all that can fail before anything changes. */
import { OptionError, Prose } from "../../errors.ts";
import type { Rule } from "../../ir/rule.ts";
import { matrixPlace } from "../../memory/matrix-place.ts";
import { sizeOfShape } from "../../memory/shape.ts";
import type { Member as DictMember, ParameterFacts } from "../../optim/entry.ts";
import {
  checkDict,
  dictOf,
  own,
  type ParameterInfo,
  type ParameterState,
  type StateDict,
} from "../../optim/state-dict.ts";
import { checkHead, refusal } from "../../optim/state-check.ts";
import type { GroupKey, Groups } from "./groups.ts";
import { freeName, type Members, type Waiting } from "./members.ts";
import type { Member } from "./path.ts";

/** A state dict of all variables, and of what waits for its variable. */
export function saveDict(
  rule: Rule,
  groups: Groups,
  members: Members,
  states: ReadonlyMap<Member, ParameterState>,
): StateDict {
  const state = Object.create(null) as Record<string, ParameterState>;
  const taken = new Set<string>();
  const all = groups.keys().flatMap((groupKey, group) => {
    const here = members.list.filter((member) => member.group === groups.get(groupKey));
    const live = here.map((member) => {
      const { shape } = member.variable;
      return { name: member.key, shape, state: states.get(member) };
    });
    const waiting = members.waitingIn(groupKey).map(({ info, state: kept }) => {
      return { name: info.name, shape: info.shape, state: kept };
    });
    return [...live, ...waiting].map((each): DictMember<ParameterFacts> => {
      const name = freeName(each.name, taken);
      if (each.state && Object.keys(each.state).length > 0) state[name] = each.state;
      return memberOf({ name, shape: each.shape, dtype: "float32" }, group);
    });
  });
  return dictOf(rule, all, groups.list, state);
}

/**
 * Checks a state dict that any optimizer with these groups saved.
 *
 * @param keys of each group the rules that it is for.
 * @returns what takes it over, and cannot fail.
 * @throws {StateDictError} | {OptionError}
 */
export function prepareDict(
  rule: Rule,
  groups: Groups,
  dict: StateDict,
  keys: readonly GroupKey[],
): () => Map<GroupKey, Waiting[]> {
  if (new Set(keys).size < keys.length) {
    const expected = "one group for each set of rules that a variable matches";
    throw refusal(rule, "paramGroups", new Prose(`${keys.length} groups`), expected);
  }
  for (const key of keys) requireRules(rule, groups, key);
  for (const key of keys) groups.get(key); // groups of several rules: schedulers want all of them
  const infos = dict.paramGroups.map(({ params }) => params);
  const all = infos.flatMap((list, group) => list.map((info) => memberOf(info, group)));
  const sizeOf = ({ parameter: { shape, size } }: DictMember<ParameterFacts>, slot: number) => {
    const rank = rule.slotRanks[slot + 2]!;
    if (rank === "tensor") return size;
    return matrixPlace(shape, { tensor: 0, row: 0, column: 0 })?.sizes[rank] ?? -1;
  };
  const targets: Record<string, unknown>[] = dict.paramGroups.map(() => ({}));
  const loadHyper = checkDict(rule, all, sizeOf, targets, dict, false);
  return () => {
    loadHyper();
    keys.forEach((key, i) => Object.assign(groups.get(key), targets[i]));
    const waiting = infos.map((list, i): [GroupKey, Waiting[]] => [
      keys[i]!,
      list.map((info) => ({ info, state: own(dict.state, info.name) })),
    ]);
    return new Map(waiting);
  };
}

/** Enough of a check for groups to be looked through. @throws {StateDictError} */
export function checkParams(rule: Rule, dict: StateDict, groups: Groups): void {
  checkHead(rule, dict);
  dict.paramGroups.forEach((group, index) => {
    const params: unknown = group?.params;
    const isInfo = (info: unknown) => typeof (info as ParameterInfo | null)?.name === "string";
    const fits = Array.isArray(params) && params.every(isInfo);
    const isNeeded = index > groups.ruleCount;
    if (fits && (params.length > 0 || !isNeeded)) return;
    const expected = `a list of { name, shape, dtype }${isNeeded ? ", with one at least" : ""}`;
    throw refusal(rule, `paramGroups[${index}].params`, params, expected);
  });
}

function memberOf(info: ParameterInfo, group: number): DictMember<ParameterFacts> {
  const { name, shape, dtype } = info;
  const label = `parameter ${JSON.stringify(name)}`;
  const size = sizeOfShape(shape, label);
  return { parameter: { name, shape, size, dtype, label }, key: name, group };
}

function requireRules(rule: Rule, groups: Groups, key: GroupKey): void {
  const most = key === "" ? -1 : Math.max(...key.split(",").map(Number));
  if (most < groups.ruleCount) return;
  throw new OptionError("BAD_OPTION", {
    subject: `${rule.name}: groups`,
    got: new Prose(`${groups.ruleCount} rules`),
    expected: `at least ${most + 1}, as there were when the state was saved`,
  });
}

/**
 * Which rules the groups of a plain state dict are for: it does not say, so the first ones are those that are
 * there from the start, and the others those of their first variable.
 */
export function keysOf(dict: StateDict, groups: Groups): GroupKey[] {
  return dict.paramGroups.map(({ params }, index) =>
    index <= groups.ruleCount ? groups.keys()[index]! : groups.keyFor(params[0] as never),
  );
}
