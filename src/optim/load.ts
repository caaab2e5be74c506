/**
 * Loading state dicts: whole, or what fits of one that was made for a model that differs.
 *
 * A partial load fills what the state dict lacks with what the optimizer has, and leaves out what the
 * optimizer lacks. The result is a state dict that fits, which is then checked and loaded as any other.
 */
import { OptionError } from "../errors.ts";
import type { HyperDefaults, Rule } from "../ir/rule.ts";
import type { DType } from "../memory/dtype.ts";
import type { Entry } from "./entry.ts";
import type { ParamGroup } from "./options.ts";
import { byGroup, checkHead, isObject, refusal } from "./state-check.ts";
import {
  checkState,
  infoOf,
  stateOf,
  type GroupState,
  type ParameterInfo,
  type ParameterState,
  type StateDict,
} from "./state-dict.ts";

/** How strictly a state dict has to fit. */
export interface LoadOptions {
  /**
   * Whether all parameters must be there, each in its group, with their shapes, and no others (default
   * true). With false whatever fits is loaded, by name, and the {@link LoadReport} says what did not.
   */
  readonly strict?: boolean;
  /**
   * Whether state of another type is refused (`"exact"`, the default) or converted to the parameter's
   * (`"cast"`): float64 is rounded to float32. Numbers that float32 cannot hold are refused even then.
   */
  readonly dtype?: "exact" | "cast";
}

/** A parameter that has the same name here and there, but not the same shape or type. */
export interface StateMismatch {
  readonly name: string;
  readonly saved: { readonly shape: readonly number[]; readonly dtype: DType };
  readonly expected: { readonly shape: readonly number[]; readonly dtype: DType };
}

/** What became of a state dict. */
export interface LoadReport {
  /** Parameters that are now as they were saved: also those without state, if they had none then. */
  readonly loaded: readonly string[];
  /** Parameters of which the state dict knows nothing. They keep what they had. */
  readonly missing: readonly string[];
  /** Names of parameters, or `name.slot`, that the optimizer does not have. They were left out. */
  readonly unexpected: readonly string[];
  /** Parameters of another shape or type. They keep what they had. */
  readonly mismatched: readonly StateMismatch[];
  /**
   * For each group whether it took the saved hyperparameters: that is so where the group of the same
   * number had the same parameters. Otherwise it keeps those that it had.
   */
  readonly groups: readonly boolean[];
}

type Groups = readonly ParamGroup<HyperDefaults>[];

/** A state dict that fits: what will have been loaded, and how to load it, which cannot fail. */
export interface Loading {
  readonly report: LoadReport;
  readonly commit: () => void;
}

/** @throws {OptionError} | {StateDictError} if it does not fit. Nothing changes in any case. */
export function prepareLoad(
  rule: Rule,
  entries: readonly Entry[],
  groups: Groups,
  dict: StateDict,
  options: LoadOptions | undefined,
): Loading {
  const { strict, cast } = readOptions(rule.name, options ?? {});
  checkHead(rule, dict);
  const fitted = strict ? null : fit(rule, entries, groups, dict, cast);
  const commit = checkState(rule, entries, groups, fitted?.dict ?? dict, cast);
  const report = fitted?.report ?? {
    loaded: entries.map(({ key }) => key),
    missing: [],
    unexpected: [],
    mismatched: [],
    groups: groups.map(() => true),
  };
  return { report, commit };
}

function readOptions(owner: string, options: LoadOptions): { strict: boolean; cast: boolean } {
  const bad = (what: string, got: unknown, expected: string): never => {
    throw new OptionError("BAD_OPTION", {
      subject: `${owner}: loadStateDict${what}`,
      got,
      expected,
    });
  };
  if (!isObject(options)) bad("", options, "options such as { strict: false }");
  const stranger = Object.keys(options).find((key) => key !== "strict" && key !== "dtype");
  if (stranger !== undefined) bad("", stranger, "only strict and dtype");
  const { strict = true, dtype = "exact" } = options;
  if (typeof strict !== "boolean") bad(": strict", strict, "true or false");
  if (dtype !== "exact" && dtype !== "cast") bad(": dtype", dtype, '"exact" or "cast"');
  return { strict, cast: dtype === "cast" };
}

/** The part of a state dict that fits, made whole with what the optimizer has. */
function fit(
  rule: Rule,
  entries: readonly Entry[],
  groups: Groups,
  dict: StateDict,
  cast: boolean,
): { dict: StateDict; report: LoadReport } {
  const infos = readInfos(rule, dict.paramGroups);
  const known = new Set(entries.map(({ key }) => key));
  const strangers = new Set([...infos.keys(), ...Object.keys(dict.state)]);
  const unexpected = [...strangers].filter((name) => !known.has(name));
  const [loaded, missing]: [string[], string[]] = [[], []];
  const mismatched: StateMismatch[] = [];
  const state = Object.create(null) as Record<string, ParameterState>;
  for (const entry of entries) {
    const { key } = entry;
    const info = infos.get(key);
    const mine = infoOf(entry);
    if (info && sameShape(info, mine) && (cast || info.dtype === mine.dtype)) {
      loaded.push(key);
      if (!Object.hasOwn(dict.state, key)) continue;
      state[key] = knownSlots(rule, key, dict.state[key]!, unexpected);
      continue;
    }
    if (info) mismatched.push({ name: key, saved: typeOf(info), expected: typeOf(mine) });
    else missing.push(key);
    const kept = stateOf(rule, entry);
    if (Object.keys(kept).length > 0) state[key] = kept;
  }
  const lists = byGroup(entries, groups.length);
  const taken = lists.map((list, index) => namesAre(list, dict.paramGroups[index]));
  const paramGroups = groups.map((group, index): GroupState => {
    const params = lists[index]!.map((entry) =>
      loaded.includes(entry.key) ? infos.get(entry.key)! : infoOf(entry),
    );
    return { ...(taken[index] ? dict.paramGroups[index] : group), params };
  });
  const report = { loaded, missing, unexpected, mismatched, groups: taken };
  return { dict: { ...dict, state, paramGroups }, report };
}

/** What the state dict says of its parameters, by name. */
function readInfos(rule: Rule, groups: readonly GroupState[]): Map<string, ParameterInfo> {
  const infos = new Map<string, ParameterInfo>();
  groups.forEach((group, index) => {
    const where = `paramGroups[${index}]`;
    if (!isObject(group) || !Array.isArray(group.params)) {
      throw refusal(rule, where, group, "an object with params");
    }
    for (const info of group.params as readonly ParameterInfo[]) {
      const fits = isObject(info) && typeof info.name === "string" && Array.isArray(info.shape);
      if (!fits) throw refusal(rule, `${where}.params`, info, "{ name, shape, dtype }");
      if (infos.has(info.name)) {
        throw refusal(rule, `${where}.params`, info.name, "each parameter once");
      }
      infos.set(info.name, info);
    }
  });
  return infos;
}

function namesAre(list: readonly Entry[], saved: GroupState | undefined): boolean {
  const names = new Set(saved?.params.map(({ name }) => name));
  return names.size === list.length && list.every(({ key }) => names.has(key));
}

function sameShape({ shape }: ParameterInfo, mine: ParameterInfo): boolean {
  return shape.length === mine.shape.length && shape.every((n, i) => n === mine.shape[i]);
}

function typeOf({ shape, dtype }: ParameterInfo): StateMismatch["saved"] {
  return { shape: [...shape], dtype };
}

/** State without slots that the rule does not have. */
function knownSlots(
  rule: Rule,
  key: string,
  saved: ParameterState,
  unexpected: string[],
): ParameterState {
  if (!isObject(saved)) return saved; // refused when it is loaded
  const known = new Set(["step", ...rule.numberNames, ...rule.stateNames]);
  const slots = Object.entries(saved);
  for (const [slot] of slots) if (!known.has(slot)) unexpected.push(`${key}.${slot}`);
  return Object.fromEntries(slots.filter(([slot]) => known.has(slot)));
}
