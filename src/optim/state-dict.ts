/**
 * State dicts: everything that an optimizer remembers, as plain data.
 *
 * Keyed by parameter name, with PyTorch's names for the slots; a slot that was never written is absent.
 * Loading checks all of it before it changes anything, so a state dict that does not fit leaves the
 * optimizer as it was.
 */
import { Prose, StateDictError } from "../errors.ts";
import type { HyperDefaults, Rule, RuleInfo } from "../ir/rule.ts";
import { dtypeOf, type DType, type TypedArray } from "../memory/dtype.ts";
import type { Entry, Member } from "./entry.ts";
import type { ParamGroup } from "./options.ts";

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
  const lists = byGroup(entries, groups.length);
  const paramGroups = groups.map((group, index): GroupState => {
    const params = lists[index]!.map(infoOf);
    const saved: Record<string, unknown> = {};
    for (const name of rule.hyperNames) saved[name] = copyOf(group[name]);
    return { params, ...saved };
  });
  return { optimizer: rule.name, version: 1, state, paramGroups };
}

/** State of one parameter, with live views of its slots; empty before its first step. */
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
  checkHead(rule, dict);
  checkGroups(rule, entries, groups, dict.paramGroups, cast);
  const byKey = new Map(entries.map((entry) => [entry.key, entry]));
  for (const key of Object.keys(dict.state)) {
    const entry = byKey.get(key);
    const where = `state of ${JSON.stringify(key)}`;
    const stranger = new Prose("state of an unknown parameter");
    if (!entry) throw refusal(rule, where, stranger, "state of this optimizer's parameters only");
    checkParameterState(rule, entry, dict.state[key]!, cast);
  }
  const hyper = dict.paramGroups.map((saved) =>
    Object.fromEntries(rule.hyperNames.map((name) => [name, copyOf(saved[name])])),
  );
  reserve(rule, entries, dict);
  return () => {
    for (const entry of entries) restore(rule, entry, own(dict.state, entry.key));
    groups.forEach((group, index) => Object.assign(group, hyper[index]));
  };
}

/** Hyperparameters are numbers, switches and pairs. */
function copyOf(value: unknown): unknown {
  return Array.isArray(value) ? [...(value as unknown[])] : value;
}

/** The entries of each group. */
export function byGroup<E extends Member>(entries: readonly E[], groups: number): E[][] {
  const lists = Array.from({ length: groups }, (): E[] => []);
  for (const entry of entries) lists[entry.group]!.push(entry);
  return lists;
}

export function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function checkHead(rule: RuleInfo, dict: StateDict): void {
  if (!isObject(dict) || !isObject(dict.state) || !Array.isArray(dict.paramGroups)) {
    throw refusal(rule, "state dict", dict, "what stateDict() returned");
  }
  if (dict.version !== 1) throw refusal(rule, "version of the state dict", dict.version, "1");
  if (dict.optimizer === rule.name) return;
  throw refusal(rule, "optimizer of the state dict", dict.optimizer, JSON.stringify(rule.name));
}

export function checkGroups(
  rule: RuleInfo,
  entries: readonly Member[],
  groups: readonly object[],
  saved: readonly GroupState[],
  cast = false,
): void {
  if (saved.length !== groups.length) {
    throw refusal(rule, "paramGroups", new Prose(`${saved.length} groups`), `${groups.length}`);
  }
  const lists = byGroup(entries, groups.length);
  saved.forEach((group, index) => {
    if (!isObject(group) || !Array.isArray(group.params)) {
      throw refusal(rule, `paramGroups[${index}]`, group, "an object with params");
    }
    checkParameters(rule, index, lists[index]!, group.params, cast);
    const known = new Set<string>(["params", ...rule.hyperNames]);
    const stranger = Object.keys(group).find((key) => !known.has(key));
    if (stranger !== undefined) {
      throw refusal(rule, `paramGroups[${index}]`, stranger, `only ${[...known].join(", ")}`);
    }
    rule.validate(group);
  });
}

function checkParameters(
  rule: RuleInfo,
  index: number,
  mine: readonly Member[],
  saved: readonly ParameterInfo[],
  cast: boolean,
): void {
  const where = `paramGroups[${index}].params`;
  const names = new Set(saved.map((info) => info?.name));
  const byKey = new Map(mine.map((entry) => [entry.key, entry]));
  const same = names.size === mine.length && mine.every((entry) => names.has(entry.key));
  if (!same || names.size !== saved.length) {
    throw refusal(
      rule,
      where,
      saved.map((info) => info?.name),
      `the names ${JSON.stringify(mine.map((entry) => entry.key))}`,
    );
  }
  for (const info of saved) {
    const { parameter } = byKey.get(info.name)!;
    const fits = Array.isArray(info.shape) && info.shape.length === parameter.shape.length;
    if (!fits || info.shape.some((n, i) => n !== parameter.shape[i])) {
      throw refusal(
        rule,
        `${where}: shape of ${JSON.stringify(info.name)}`,
        info.shape,
        `[${parameter.shape.join(", ")}]`,
      );
    }
    const isKnown = info.dtype === "float32" || info.dtype === "float64";
    if (info.dtype !== parameter.dtype && !(cast && isKnown)) {
      throw refusal(
        rule,
        `${where}: dtype of ${JSON.stringify(info.name)}`,
        info.dtype,
        JSON.stringify(parameter.dtype),
        isKnown ? CASTING : "",
      );
    }
  }
}

function checkParameterState(
  rule: RuleInfo,
  entry: Entry,
  state: ParameterState,
  cast: boolean,
): void {
  const { key, parameter } = entry;
  const where = `state of ${JSON.stringify(key)}`;
  if (!isObject(state)) throw refusal(rule, where, state, "an object");
  const counts = [...(rule.counted ? ["step"] : []), ...rule.numberNames];
  const sizeOf = (slot: number) => entry.arena.sizeOf(slot + 2, entry);
  const known = [...counts, ...rule.stateNames.filter((_, slot) => sizeOf(slot) >= 0)];
  for (const [slot, value] of Object.entries(state)) {
    if (!known.includes(slot)) throw refusal(rule, where, slot, `only ${known.join(", ")}`);
    if (slot === "step") {
      const fits = Number.isSafeInteger(value) && (value as number) >= 0;
      if (fits && (value as number) < MAX_STEPS) continue;
      throw refusal(rule, `${where}: step`, value, "a whole number from 0 to 2^53 - 3");
    }
    if (rule.numberNames.includes(slot)) {
      if (Number.isFinite(value)) continue;
      throw refusal(rule, `${where}: ${slot}`, value, "a finite number");
    }
    const dtype = dtypeOf(value);
    const isType = cast ? dtype !== null : dtype === parameter.dtype;
    const size = sizeOf(rule.stateNames.indexOf(slot));
    if (!isType || (value as TypedArray).length !== size) {
      const wanted = parameter.dtype === "float32" ? "Float32Array" : "Float64Array";
      const expected = `a ${wanted} of ${size} elements`;
      throw refusal(
        rule,
        `${where}: ${slot}`,
        value,
        expected,
        ArrayBuffer.isView(value) ? "" : SAVING,
      );
    }
    if (dtype !== parameter.dtype) checkOverflow(rule, `${where}: ${slot}`, value as TypedArray);
  }
  const missing = counts.find(
    (name) => !Object.hasOwn(state, name) && !rule.optionalNumbers?.includes(name),
  );
  if (missing !== undefined) {
    throw refusal(rule, where, Object.keys(state), `a ${missing} among them`);
  }
}

/** Float64 numbers must be such that float32 can hold them. */
function checkOverflow(rule: RuleInfo, where: string, values: TypedArray): void {
  const at = values.findIndex((x) => Number.isFinite(x) && !Number.isFinite(Math.fround(x)));
  if (at < 0) return;
  throw refusal(
    rule,
    `${where}[${at}]`,
    values[at],
    "a number that float32 can hold, up to 3.4e38",
  );
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
  entry.steps = rule.counted && saved ? (saved["step"] as number) : 0;
  entry.numbers = saved ? rule.numberNames.map((name) => (saved[name] as number) ?? 0) : [];
  entry.written = 0;
  rule.stateNames.forEach((name, slot) => {
    const region = slot + 2;
    if (!entry.arena.has(region) || entry.arena.sizeOf(region, entry) < 0) return;
    const view = entry.arena.view(region, entry);
    const has = saved !== undefined && Object.hasOwn(saved, name);
    if (has) view.set(saved[name] as TypedArray);
    else view.fill(0);
    if (has) entry.written |= 1 << slot;
  });
}

function own(state: StateDict["state"], key: string): ParameterState | undefined {
  return Object.hasOwn(state, key) ? state[key] : undefined;
}

/** So that the next step's count is still a whole number that floats can hold. */
const MAX_STEPS = Number.MAX_SAFE_INTEGER - 1;
const CASTING = 'To convert it: loadStateDict(stateDict, { dtype: "cast" }).';
const SAVING = "JSON keeps no typed arrays; structuredClone and v8.serialize do.";

export function refusal(
  rule: { readonly name: string },
  what: string,
  got: unknown,
  expected: string,
  advice = "",
): StateDictError {
  const subject = `${rule.name}: ${what}`;
  return new StateDictError("STATE_MISMATCH", { subject, got, expected, advice });
}
