/**
 * Groups of variables by rules, as `groupParams` makes them of parameters. Variables turn up in the course
 * of training, so groups are there from the start: one for variables that match no rule, one for each rule,
 * and one more for each set of several rules once a variable matches all of them.
 */
import type { Variable } from "@tensorflow/tfjs-core";
import { OptionError } from "../../errors.ts";
import type { HyperDefaults, Rule } from "../../ir/rule.ts";
import type { ParamGroup } from "../../optim/options.ts";
import { fillIn, refuseUnknown } from "../../optim/read-groups.ts";
import { checkSelector, matches, nothingMatched, type Selector } from "../../optim/select.ts";

/** Which variables: by name, by what they are, or any of several such. */
export type VariableSelector = Selector<Variable>;

/** Hyperparameters for the variables that match. */
export type VariableRule<O extends object = object> = O & { readonly match: VariableSelector };

/** The variables of a group, and its hyperparameters, which may be changed between steps. */
export type VariableGroup = ParamGroup<HyperDefaults, Variable>;

/** What has one dimension or none: biases, and the scales of norms. */
export const isVector = ({ shape }: Variable): boolean => shape.length <= 1;

/** What has two dimensions, as Muon needs it. */
export const isMatrix = ({ shape }: Variable): boolean => shape.length === 2;

/** Of which rules a group is, such as "0,2"; "" for those that match none. */
export type GroupKey = string;

export class Groups {
  private readonly rule: Rule;
  private readonly rules: readonly VariableRule[];
  private readonly defaults: Record<string, unknown>;
  private readonly made = new Map<GroupKey, VariableGroup>();
  private checked = false;

  /** @throws {OptionError} `BAD_OPTION`, `BAD_HYPERPARAMETER`. */
  constructor(rule: Rule, rules: unknown, defaults: Record<string, unknown>) {
    this.rule = rule;
    this.rules = checkRules(rule, rules);
    this.defaults = defaults;
    this.get("");
    this.rules.forEach((_, index) => this.get(String(index)));
  }

  /** All of them, in the order in which they were made. */
  get list(): readonly [VariableGroup, ...VariableGroup[]] {
    return [...this.made.values()] as [VariableGroup, ...VariableGroup[]];
  }

  get ruleCount(): number {
    return this.rules.length;
  }

  keys(): GroupKey[] {
    return [...this.made.keys()];
  }

  /** The group of these rules; a new one has the options that the rules say. */
  get(key: GroupKey): VariableGroup {
    const known = this.made.get(key);
    if (known) return known;
    const hits = key === "" ? [] : key.split(",").map((index) => this.rules[Number(index)]);
    const { match: _, ...given } = Object.assign({}, ...hits) as VariableRule;
    const hyper = fillIn(this.rule, this.defaults as never, given);
    const group = Object.defineProperty(hyper, "params", { value: [], enumerable: true });
    const sealed = Object.seal(group) as unknown as VariableGroup;
    this.made.set(key, sealed);
    return sealed;
  }

  keyFor(variable: Variable): GroupKey {
    const hits = this.rules.flatMap(({ match }, index) =>
      isMatch(match, variable) ? [index] : [],
    );
    return hits.join(",");
  }

  /**
   * Refuses rules that match none of all variables that there are: at the first step, since a variable that
   * a rule means may come later, but most often the rule is mistyped.
   *
   * @throws {ParameterError} `NOTHING_MATCHED`.
   */
  requireMatches(registered: Readonly<Record<string, Variable>>): void {
    if (this.checked) return;
    const all = Object.values(registered);
    this.rules.forEach(({ match }, index) => {
      if (all.some((variable) => isMatch(match, variable))) return;
      nothingMatched(`${this.rule.name}: groups[${index}]`, match, all);
    });
    this.checked = true;
  }
}

/**
 * tfjs-layers makes names unique: the second "dense/bias" of a process, such as that of a model which was
 * loaded, is "dense/bias_1". It matches as if it were the first, too.
 */
export function isMatch(match: VariableSelector, variable: Variable): boolean {
  if (matches(match, variable)) return true;
  const name = plainName(variable.name);
  return name !== variable.name && matches(withoutFunctions(match), { name } as Variable);
}

/** A name without what layers append to make it unique. */
export function plainName(name: string): string {
  return name.replace(/(\/[^/]*?)_\d+$/, "$1");
}

function withoutFunctions(match: VariableSelector): VariableSelector {
  if (typeof match === "function") return [];
  return Array.isArray(match)
    ? (match as readonly VariableSelector[]).map(withoutFunctions)
    : match;
}

function checkRules(rule: Rule, rules: unknown): readonly VariableRule[] {
  if (rules === undefined) return [];
  const refuse = (subject: string, got: unknown, expected: string): never => {
    throw new OptionError("BAD_OPTION", { subject: `${rule.name}: ${subject}`, got, expected });
  };
  const example = "{ match: /bias$/, weightDecay: 0 }";
  if (!Array.isArray(rules)) refuse("groups", rules, `a list of rules such as ${example}`);
  (rules as unknown[]).forEach((each, index) => {
    const where = `groups[${index}]`;
    if (typeof each !== "object" || each === null) refuse(where, each, `a rule such as ${example}`);
    checkSelector(`${rule.name}: ${where}`, (each as VariableRule).match);
    refuseUnknown(rule, each as VariableRule, ["match"]);
  });
  return [...(rules as VariableRule[])];
}
