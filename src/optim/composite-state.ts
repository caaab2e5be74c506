/**
 * State dicts of several optimizers in one: each group says whose it is, and parameters go by their
 * names as everywhere; nameless ones by their position among those of all members.
 */
import { Prose, StateDictError } from "../errors.ts";
import { keyOf } from "./entry.ts";
import type { LoadReport } from "./load.ts";
import type { Optimizer } from "./optimizer.ts";
import { isObject } from "./state-check.ts";
import type { GroupState, ParameterState, StateDict } from "./state-dict.ts";

export const NAME = "CompositeOptimizer";

/** A member, and what its parameters are called by itself and in the whole. */
export interface Part {
  readonly name: string;
  readonly optimizer: Optimizer;
  readonly outer: ReadonlyMap<string, string>;
  readonly inner: ReadonlyMap<string, string>;
}

export function partsOf(members: Readonly<Record<string, Optimizer>>): Part[] {
  let position = 0;
  return Object.entries(members).map(([name, optimizer]) => {
    const params = optimizer.paramGroups.flatMap((group) => [...group.params]);
    const keys = params.map((p, i) => [keyOf(p, i), keyOf(p, position++)] as const);
    const inner = new Map(keys.map(([own, whole]) => [whole, own]));
    return { name, optimizer, outer: new Map(keys), inner };
  });
}

const rename = (names: ReadonlyMap<string, string>, name: string) => names.get(name) ?? name;

function renameAll(names: ReadonlyMap<string, string>, group: GroupState): GroupState["params"] {
  return group.params.map((info) => ({ ...info, name: rename(names, info?.name) }));
}

/** The state dicts of all members as one. */
export function joinDicts(parts: readonly Part[]): StateDict {
  const state = Object.create(null) as Record<string, ParameterState>;
  const paramGroups: GroupState[] = [];
  for (const { name, optimizer, outer } of parts) {
    const dict = optimizer.stateDict();
    for (const [key, value] of Object.entries(dict.state)) state[rename(outer, key)] = value;
    for (const group of dict.paramGroups) {
      const params = renameAll(outer, group);
      paramGroups.push({ ...group, params, member: name, optimizer: dict.optimizer });
    }
  }
  return { optimizer: NAME, version: 1, state, paramGroups };
}

/** What a state dict holds for each member, and what it holds for none. */
export interface SplitDict {
  readonly dicts: readonly (StateDict | undefined)[];
  readonly strays: readonly string[];
}

/** @throws {StateDictError} if it is none of this kind. */
export function splitDict(parts: readonly Part[], dict: StateDict): SplitDict {
  if (!isObject(dict) || !isObject(dict.state) || !Array.isArray(dict.paramGroups)) {
    throw refusal("state dict", dict, "what stateDict() returned");
  }
  if (dict.optimizer !== NAME) {
    throw refusal("optimizer of the state dict", dict.optimizer, JSON.stringify(NAME));
  }
  dict.paramGroups.forEach((group: GroupState, index) => {
    const where = `paramGroups[${index}]`;
    if (!isObject(group) || !Array.isArray(group.params)) {
      throw refusal(where, group, "an object with params");
    }
    if (typeof group["member"] === "string") return;
    throw refusal(`${where}.member`, group["member"], "the name of a member");
  });
  const strays = new Set(Object.keys(dict.state));
  for (const { params } of dict.paramGroups) for (const info of params) strays.add(info?.name);
  const dicts = parts.map((part) => pick(part, dict, strays));
  return { dicts, strays: [...strays] };
}

/** The part of a state dict that is one member's; what is in it is no stray. */
function pick(part: Part, dict: StateDict, strays: Set<string>): StateDict | undefined {
  const groups = dict.paramGroups.filter((group) => group["member"] === part.name);
  if (groups.length === 0) return undefined;
  const state = Object.create(null) as Record<string, ParameterState>;
  for (const name of groups.flatMap(({ params }) => params.map((info) => info?.name))) {
    strays.delete(name);
    if (Object.hasOwn(dict.state, name)) state[rename(part.inner, name)] = dict.state[name]!;
  }
  const paramGroups = groups.map(({ member: _, optimizer: __, ...group }) => {
    return { ...group, params: renameAll(part.inner, group as GroupState) };
  });
  return { ...dict, optimizer: groups[0]!["optimizer"] as string, state, paramGroups };
}

/** What became of the members' state dicts, under the names that hold in the whole. */
export function joinReports(
  parts: readonly Part[],
  reports: readonly (LoadReport | undefined)[],
  strays: readonly string[],
): LoadReport {
  const joined = {
    loaded: [],
    missing: [],
    unexpected: [...strays],
    mismatched: [],
    groups: [],
  } as {
    -readonly [K in keyof LoadReport]: LoadReport[K][number][];
  };
  parts.forEach(({ outer, optimizer }, i) => {
    const report = reports[i];
    if (!report) {
      joined.missing.push(...outer.values());
      joined.groups.push(...optimizer.paramGroups.map(() => false));
      return;
    }
    joined.loaded.push(...report.loaded.map((name) => rename(outer, name)));
    joined.missing.push(...report.missing.map((name) => rename(outer, name)));
    joined.unexpected.push(...report.unexpected.map((name) => rename(outer, name)));
    for (const each of report.mismatched) {
      joined.mismatched.push({ ...each, name: rename(outer, each.name) });
    }
    joined.groups.push(...report.groups);
  });
  return joined;
}

/** @throws {StateDictError} where all members must find their own, and nothing may be left. */
export function requireWhole(
  parts: readonly Part[],
  dict: StateDict,
  { dicts, strays }: SplitDict,
): void {
  const names = parts.map(({ name }) => name);
  const index = dict.paramGroups.findIndex((group) => !names.includes(group["member"] as string));
  if (index >= 0) {
    const { member } = dict.paramGroups[index]!;
    throw refusal(`paramGroups[${index}].member`, member, `one of ${names.join(", ")}`);
  }
  const without = parts.find((_, i) => !dicts[i]);
  if (without) {
    throw refusal(
      "paramGroups",
      new Prose(`none of member ${without.name}`),
      "groups of all members",
    );
  }
  if (strays.length === 0) return;
  const got = new Prose("state of a parameter that is in no group");
  throw refusal(`state of ${JSON.stringify(strays[0])}`, got, "state of parameters in groups");
}

function refusal(what: string, got: unknown, expected: string): StateDictError {
  return new StateDictError("STATE_MISMATCH", { subject: `${NAME}: ${what}`, got, expected });
}
