/** Whether a state dict fits: all of it is looked at before anything changes. */
import { Prose, StateDictError } from "../errors.ts";
import type { RuleInfo } from "../ir/rule.ts";
import { dtypeOf, type TypedArray } from "../memory/dtype.ts";
import type { Member } from "./entry.ts";
import type { GroupState, ParameterInfo, ParameterState, StateDict } from "./state-dict.ts";

/** So that the next step's count is still a whole number that floats can hold. */
const MAX_STEPS = Number.MAX_SAFE_INTEGER - 1;
const CASTING = 'To convert it: loadStateDict(stateDict, { dtype: "cast" }).';
const SAVING = "JSON keeps no typed arrays; structuredClone and v8.serialize do.";

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

/** @param sizeOf how many numbers a state tensor has here, by position; -1 if there is none. */
export function checkParameterState(
  rule: RuleInfo,
  { key, parameter }: Member,
  sizeOf: (slot: number) => number,
  state: ParameterState,
  cast: boolean,
): void {
  const where = `state of ${JSON.stringify(key)}`;
  if (!isObject(state)) throw refusal(rule, where, state, "an object");
  const counts = [...(rule.counted ? ["step"] : []), ...rule.numberNames];
  // A count of steps is nothing to a rule without one, see state-storage.ts.
  const known = [
    ...(rule.counted ? [] : ["step"]),
    ...counts,
    ...rule.stateNames.filter((_, slot) => sizeOf(slot) >= 0),
  ];
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

/** The entries of each group. */
export function byGroup<E extends Member>(entries: readonly E[], groups: number): E[][] {
  const lists = Array.from({ length: groups }, (): E[] => []);
  for (const entry of entries) lists[entry.group]!.push(entry);
  return lists;
}

export function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

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
