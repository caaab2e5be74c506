/**
 * From PyTorch's state dicts to ours.
 *
 * Slots have PyTorch's names already, so what differs is where things stand. What cannot be the state of the
 * optimizer at hand, such as Adam's for SGD, is refused here or by `loadStateDict`; shapes and types are
 * the latter's business, which can load in part or convert.
 */
import { Prose } from "../../errors.ts";
import type { HyperDefaults, Rule } from "../../ir/rule.ts";
import type { Parameter } from "../../memory/parameter.ts";
import { keyOf } from "../entry.ts";
import type { Optimizer } from "../optimizer.ts";
import { isObject, refusal } from "../state-check.ts";
import type { GroupState, ParameterInfo, ParameterState, StateDict } from "../state-dict.ts";
import { camelCase, FIXED, snakeCase, type TorchGroup, type TorchStateDict } from "./layout.ts";
import { scalarOf, SlotReader } from "./slots.ts";

/** What a group of PyTorch's holds besides hyperparameters: how to run, and notes of schedulers. */
export const BESIDES: ReadonlySet<string> = /* @__PURE__ */ new Set(
  (
    "params param_names foreach fused capturable differentiable " +
    "initial_lr max_lr min_lr swa_lr max_momentum base_momentum"
  ).split(" "),
);

/**
 * What `torch.optim`'s state dict is for this optimizer: to be passed to its `loadStateDict`, which
 * checks it. Parameters are matched by `param_names` if all of them have a name, here and there, else by
 * position, as PyTorch does. Switches that an older PyTorch did not have are off. Options of how to run
 * (`foreach`, `fused`, ...) and the notes that schedulers leave in groups (`initial_lr`, ...) do not count.
 *
 * @throws {StateDictError} if groups, hyperparameters or tensors cannot be this optimizer's.
 *
 * @example
 * // Python: json.dump(optimizer.state_dict(), file, default=lambda tensor: tensor.tolist())
 * const saved = JSON.parse(readFileSync("adam.json", "utf8"));
 * optimizer.loadStateDict(fromTorchStateDict(saved, optimizer));
 */
export function fromTorchStateDict<H extends HyperDefaults>(
  torch: TorchStateDict,
  optimizer: Optimizer<H>,
): StateDict {
  const { rule } = optimizer;
  if (!isObject(rule)) {
    const owner = { name: "fromTorchStateDict" };
    throw refusal(owner, "optimizer", optimizer, "an optimizer made of a rule, such as Adam");
  }
  const groups = optimizer.paramGroups.map(({ params }) => params as readonly Parameter[]);
  const { state: saved, param_groups: given } = checkLayout(rule, torch);
  const isNamed =
    groups.flat().every(({ name }) => name !== undefined) &&
    given.every((group) => group.param_names !== undefined);
  if (!isNamed) checkCounts(rule, given, groups);
  const byName = new Map(groups.flat().map((p, i) => [keyOf(p, i), p]));
  const positions = [...byName];
  const state = Object.create(null) as Record<string, ParameterState>;
  const ids = new Set<string>();
  let position = 0;
  const paramGroups = given.map((group, index): GroupState => {
    const params = group.params.map((id, i): ParameterInfo => {
      const [key, parameter] = isNamed
        ? [group.param_names![i]!, byName.get(group.param_names![i]!)]
        : positions[position++]!;
      ids.add(String(id));
      const slots = Object.hasOwn(saved, id) ? saved[id] : undefined;
      const read = new SlotReader(rule, key, parameter);
      if (slots) state[key] = read.all(slots);
      return read.info();
    });
    return { ...hyperOf(rule, group, index), params };
  });
  const stranger = Object.keys(saved).find((id) => !ids.has(id));
  if (stranger !== undefined) {
    throw refusal(
      rule,
      `state of ${JSON.stringify(stranger)}`,
      new Prose("a parameter of no group"),
      "those in param_groups",
    );
  }
  return { optimizer: rule.name, version: 1, state, paramGroups };
}

function checkLayout(rule: Rule, torch: TorchStateDict): TorchStateDict {
  const what = "PyTorch's state dict";
  if (!isObject(torch) || !isObject(torch.state) || !Array.isArray(torch.param_groups)) {
    throw refusal(rule, what, torch, "{ state, param_groups }, as state_dict() returns it");
  }
  torch.param_groups.forEach((group: TorchGroup, index) => {
    const where = `${what}: param_groups[${index}]`;
    if (!isObject(group) || !Array.isArray(group.params)) {
      throw refusal(rule, where, group, "a group with params");
    }
    const { params, param_names: names } = group;
    const fits =
      names === undefined ||
      (Array.isArray(names) &&
        names.length === params.length &&
        names.every((name) => typeof name === "string"));
    if (!fits) throw refusal(rule, `${where}.param_names`, names, "a name for each of params");
  });
  return torch;
}

function checkCounts(
  rule: Rule,
  given: readonly TorchGroup[],
  groups: readonly (readonly Parameter[])[],
): void {
  const counts = (lists: readonly { readonly length: number }[]) =>
    new Prose(`groups of [${lists.map(({ length }) => length).join(", ")}] parameters`);
  const theirs = counts(given.map(({ params }) => params));
  const mine = counts(groups);
  if (theirs.text === mine.text) return;
  throw refusal(
    rule,
    "param_groups",
    theirs,
    mine.text,
    "Only parameters with names, here and as param_names there, can be matched otherwise.",
  );
}

/** Hyperparameters by our names. */
function hyperOf(rule: Rule, group: TorchGroup, index: number): Record<string, unknown> {
  const where = `param_groups[${index}]`;
  const fixed = FIXED[rule.name] ?? {};
  const hyper: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(group)) {
    if (BESIDES.has(name)) continue;
    if (Object.hasOwn(fixed, name)) {
      if (value === fixed[name]) continue;
      throw refusal(rule, `${where}.${name}`, value, String(fixed[name]));
    }
    const mine = camelCase(name);
    if (!rule.hyperNames.includes(mine)) {
      const known = rule.hyperNames.map(snakeCase).join(", ");
      throw refusal(rule, where, name, `only ${known}`, "Is it the state of another optimizer?");
    }
    const isList = Array.isArray(rule.hyper[mine]) && Array.isArray(value);
    hyper[mine] = isList ? (value as unknown[]).map(scalarOf) : scalarOf(value);
  }
  for (const name of rule.hyperNames) {
    if (Object.hasOwn(hyper, name)) continue;
    if (rule.hyper[name] !== false) {
      throw refusal(rule, where, Object.keys(group), `${snakeCase(name)} among them`);
    }
    hyper[name] = false;
  }
  return hyper;
}
