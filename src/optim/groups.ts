/**
 * Parameter groups by rules: no weight decay for biases, smaller learning rates for early layers, and
 * whatever else people write by hand for every model.
 *
 * Each function takes parameters or groups and gives groups, so that one can follow another; the result
 * goes into any optimizer. Nothing is changed: groups are made anew.
 */
import { OptionError, ParameterError, Prose } from "../errors.ts";
import { pow } from "../ir/words.ts";
import { Parameter } from "../memory/parameter.ts";
import { checkParams, checkSelector, matches, nothingMatched, type Selector } from "./select.ts";

/** Some parameters and options for them. */
export type Group<O extends object = object> = O & { readonly params: readonly Parameter[] };

/** Parameters, or groups of them. */
export type Groupable<O extends object = object> = readonly Parameter[] | readonly Group<O>[];

/** Options for the parameters that match. */
export type GroupRule<O extends object = object> = O & { readonly match: Selector };

/** Of several sets of options each name, where any has it. */
type AnyOf<O> = {
  -readonly [K in O extends unknown ? keyof O : never]?: O extends { readonly [P in K]?: infer V }
    ? Exclude<V, undefined>
    : never;
};

/** What groups made of others by rules may hold. */
export type Grouped<I, O> = Group<
  AnyOf<
    Omit<I extends readonly (infer G)[] ? (G extends Parameter ? object : G) : object, "params">
  > &
    AnyOf<O>
>[];

/**
 * Gives options to parameters by rules. A parameter gets those of all rules that it matches, the later
 * over the earlier, over those of the group that it comes from. Parameters that match the same rules
 * share a group; groups and their parameters stay in order.
 *
 * @throws {ParameterError} `NOTHING_MATCHED` if a rule matches no parameter; {OptionError} `BAD_OPTION`.
 *
 * @example
 * const groups = groupParams(params, [
 *   { match: /^embed/, lr: 1e-4 },
 *   { match: [/bias$/, /norm/], weightDecay: 0 },
 * ]);
 * const optimizer = new AdamW(groups, { lr: 1e-3 });
 */
export function groupParams<const I extends Groupable, const O extends GroupRule>(
  params: I,
  rules: readonly O[],
): Grouped<I, Omit<O, "match">> {
  const groups = readGroups("groupParams", params);
  if (!Array.isArray(rules)) {
    throw new OptionError("BAD_OPTION", {
      subject: "groupParams: rules",
      got: rules,
      expected: "a list of rules such as { match: /bias$/, weightDecay: 0 }",
    });
  }
  const all = groups.flatMap((group) => group.params);
  (rules as readonly O[]).forEach((rule, index) => {
    checkSelector(`groupParams: rule ${index + 1}`, rule?.match);
    if (all.some((parameter) => matches(rule.match, parameter))) return;
    nothingMatched(`groupParams: rule ${index + 1}`, rule.match, all);
  });
  return regroup(groups, (parameter) => {
    const hits = rules.filter(({ match }) => matches(match, parameter));
    const { match: _, ...options } = Object.assign({}, ...hits) as GroupRule;
    return { key: hits.map((rule) => rules.indexOf(rule)).join(), options };
  }) as Grouped<I, Omit<O, "match">>;
}

/** Biases and the scales of norms: what has one dimension or none. */
const isVector = (parameter: Parameter): boolean => parameter.shape.length <= 1;

/**
 * Sets `weightDecay` to 0 for biases and norms: by default for all parameters of at most one dimension.
 *
 * @param which those without decay, if not these.
 * @throws {ParameterError} `NOTHING_MATCHED` if `which` is given and matches none; {OptionError}.
 *
 * @example
 * const optimizer = new AdamW(withoutDecay(params), { lr: 3e-4, weightDecay: 0.1 });
 */
export function withoutDecay<const I extends Groupable>(
  params: I,
  which?: Selector,
): Grouped<I, { weightDecay: number }> {
  const groups = readGroups("withoutDecay", params);
  const selector = which ?? isVector;
  checkSelector("withoutDecay", selector);
  const all = groups.flatMap((group) => group.params);
  if (which !== undefined && !all.some((parameter) => matches(which, parameter))) {
    nothingMatched("withoutDecay", which, all);
  }
  return regroup(groups, (parameter) =>
    matches(selector, parameter)
      ? { key: "0", options: { weightDecay: 0 } }
      : { key: "", options: {} },
  ) as Grouped<I, { weightDecay: number }>;
}

/** What {@link layerwiseLr} takes. */
export interface LayerwiseOptions {
  /** Learning rate of the last layer; groups that have one of their own keep that as theirs. */
  readonly lr?: number;
  /** What a layer's learning rate is of that of the next: above 0, at most 1. */
  readonly decay: number;
  /**
   * How deep a parameter lies, 0 at the input: a function, a pattern whose first group is the number,
   * such as /^layers\.(\d+)\./, or the layers in order, by what their parameters match.
   */
  readonly depth: RegExp | readonly Selector[] | ((parameter: Parameter) => number);
}

/**
 * Learning rates that shrink towards the input: lr · decay^(D - d) at depth d of D. As ULMFiT, BEiT and
 * many others fine-tune; Howard and Ruder (2018), https://arxiv.org/abs/1801.06146.
 *
 * @throws {OptionError} `BAD_OPTION`; {ParameterError} `NO_DEPTH` for a parameter that has none,
 *   `NOTHING_MATCHED` for a layer without parameters.
 *
 * @example
 * const depth = [/^embed/, /^block0/, /^block1/, /^head/];
 * const groups = layerwiseLr(withoutDecay(params), { lr: 1e-3, decay: 0.8, depth });
 */
export function layerwiseLr<const I extends Groupable>(
  params: I,
  options: LayerwiseOptions,
): Grouped<I, { lr: number }> {
  const groups = readGroups("layerwiseLr", params);
  const { lr, decay, depth } = checkLayerwise(options);
  const all = groups.flatMap((group) => group.params);
  const depths = new Map(all.map((parameter) => [parameter, depthOf(depth, parameter)]));
  if (Array.isArray(depth)) {
    (depth as readonly Selector[]).forEach((layer, index) => {
      if (![...depths.values()].includes(index))
        nothingMatched(`layerwiseLr: depth ${index}`, layer, all);
    });
  }
  const deepest = Math.max(...depths.values());
  return regroup(groups, (parameter, group) => {
    const base = (group as { lr?: number }).lr ?? lr;
    if (base === undefined) {
      throw new OptionError("BAD_OPTION", {
        subject: "layerwiseLr: lr",
        got: base,
        expected: "a learning rate, here or in each group",
      });
    }
    const at = depths.get(parameter)!;
    return { key: String(at), options: { lr: base * pow(decay, deepest - at) } };
  }) as Grouped<I, { lr: number }>;
}

function checkLayerwise(options: LayerwiseOptions): LayerwiseOptions {
  const bad = (name: string, got: unknown, expected: string): never => {
    throw new OptionError("BAD_OPTION", { subject: `layerwiseLr: ${name}`, got, expected });
  };
  if (typeof options !== "object" || options === null) bad("options", options, "an object");
  const { lr, decay, depth } = options;
  if (lr !== undefined && !(Number.isFinite(lr) && lr >= 0)) bad("lr", lr, "a finite number ≥ 0");
  if (!(decay > 0 && decay <= 1)) bad("decay", decay, "a number above 0, at most 1");
  if (typeof depth !== "function" && !(depth instanceof RegExp)) {
    if (!Array.isArray(depth)) bad("depth", depth, "a function, a pattern, or a list of layers");
    checkSelector("layerwiseLr: depth", depth);
  }
  return options;
}

function depthOf(depth: LayerwiseOptions["depth"], parameter: Parameter): number {
  let at: number;
  if (typeof depth === "function") at = depth(parameter);
  else if (depth instanceof RegExp) {
    at = Number(parameter.name?.match(new RegExp(depth.source, depth.flags.replace("g", "")))?.[1]);
  } else at = depth.findIndex((layer) => matches(layer, parameter));
  if (Number.isSafeInteger(at) && at >= 0) return at;
  throw new ParameterError("NO_DEPTH", {
    subject: `layerwiseLr: ${parameter.label}`,
    got: at === -1 || Number.isNaN(at) ? new Prose("no depth") : at,
    expected: "a depth, a whole number from 0 on, for every parameter",
  });
}

/** Splits groups by what each parameter is to get. */
function regroup(
  groups: readonly Group[],
  optionsFor: (parameter: Parameter, group: Group) => { key: string; options: object },
): Group[] {
  return groups.flatMap((group) => {
    const parts = new Map<string, { params: Parameter[] }>();
    for (const parameter of group.params) {
      const { key, options } = optionsFor(parameter, group);
      const part = parts.get(key);
      if (part) part.params.push(parameter);
      else parts.set(key, { ...group, ...options, params: [parameter] });
    }
    return [...parts.values()];
  });
}

function readGroups(subject: string, params: unknown): readonly Group[] {
  const list = Array.isArray(params) ? (params as unknown[]) : undefined;
  const isGroup = (each: unknown): boolean =>
    typeof each === "object" && each !== null && !(each instanceof Parameter) && "params" in each;
  if (list === undefined || list.length === 0 || !list.every(isGroup)) {
    return [{ params: checkParams(subject, params) }];
  }
  (list as Group[]).forEach((group) => checkParams(subject, group.params));
  return list as Group[];
}
