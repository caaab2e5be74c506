/** Reads what an optimizer's constructor takes first: parameters, or groups of them. */
import { OptionError, ParameterError } from "../errors.ts";
import type { Hyper, HyperDefaults, RuleInfo } from "../ir/rule.ts";
import { Parameter } from "../memory/parameter.ts";
import { refuseUnknown as refuseNames } from "./names.ts";
import type { ParamGroup, ParamGroupInput, ParamsInput } from "./options.ts";

/** What counts as a parameter, and how to make one. */
export interface ParameterKind<P> {
  readonly is: (value: unknown) => value is P;
  readonly advice: string;
}

const onCpu: ParameterKind<Parameter> = {
  is: (value) => value instanceof Parameter,
  advice: "Make parameters with parameter(values, { name, shape }).",
};

/** Reads parameters or groups; every group is complete and valid afterwards. */
export function readGroups<P = Parameter>(
  rule: RuleInfo,
  params: ParamsInput<HyperDefaults, P>,
  defaults: Hyper<HyperDefaults>,
  kind = onCpu as unknown as ParameterKind<P>,
): ParamGroup<HyperDefaults, P>[] {
  if (!Array.isArray(params)) {
    throw new ParameterError("BAD_PARAMS", {
      subject: `${rule.name}: params`,
      got: params,
      expected: "an array of parameters or of groups",
      advice: kind.is(params) ? "Put it into an array: [w]." : "See parameter().",
    });
  }
  if (params.length === 0) {
    throw new ParameterError("NO_PARAMS", {
      subject: `${rule.name}: params`,
      got: params,
      expected: "at least one parameter",
    });
  }
  const plain = params.some((entry) => kind.is(entry));
  const groups = plain
    ? [{ params } as ParamGroupInput<HyperDefaults, P>]
    : (params as ParamGroupInput<HyperDefaults, P>[]);
  return groups.map((group) => readGroup(rule, group, defaults, kind));
}

export function readGroup<P = Parameter>(
  rule: RuleInfo,
  group: ParamGroupInput<HyperDefaults, P>,
  defaults: Hyper<HyperDefaults>,
  kind = onCpu as unknown as ParameterKind<P>,
): ParamGroup<HyperDefaults, P> {
  requireObject(rule.name, "a parameter group", group, kind.advice);
  if (!("params" in group)) {
    throw new ParameterError("BAD_PARAMS", {
      subject: `${rule.name}: params`,
      got: group,
      expected: "parameters, or groups with params",
      advice: kind.advice,
    });
  }
  refuseUnknown(rule, group, ["params"]);
  const { params } = group;
  const alone = kind.is(params as unknown);
  const strange = Array.isArray(params) ? params.findIndex((p) => !kind.is(p)) : -1;
  if (!Array.isArray(params) || strange >= 0) {
    throw new ParameterError("BAD_PARAMS", {
      subject: `${rule.name}: params of a group${strange >= 0 ? `, number ${strange + 1}` : ""}`,
      got: strange >= 0 ? params[strange] : params,
      expected: "an array of parameters",
      advice: alone ? "Put it into an array: { params: [w] }." : kind.advice,
    });
  }
  const hyper = fillIn(rule, defaults, group);
  const made = Object.defineProperty(hyper, "params", {
    value: Object.freeze([...params]),
    enumerable: true,
  });
  return Object.seal(made) as ParamGroup<HyperDefaults, P>;
}

/** The values of `given` over those of `defaults`, checked together. */
export function fillIn(
  rule: RuleInfo,
  defaults: Hyper<HyperDefaults>,
  given: Readonly<Record<string, unknown>>,
): Hyper<HyperDefaults> {
  const values: Record<string, unknown> = {};
  for (const name of rule.hyperNames) values[name] = undefined; // as the stepper does: cheaper to read
  for (const name of rule.hyperNames) {
    const value: unknown =
      Object.hasOwn(given, name) && given[name] !== undefined ? given[name] : defaults[name];
    values[name] = Array.isArray(value) ? [...(value as unknown[])] : value;
  }
  rule.validate(values);
  return values as Hyper<HyperDefaults>;
}

export function requireObject(
  rule: string,
  what: string,
  value: unknown,
  advice = onCpu.advice,
): void {
  const isObject = typeof value === "object" && value !== null;
  if (isObject && !Array.isArray(value) && !ArrayBuffer.isView(value)) return;
  const error = what === "options" ? OptionError : ParameterError;
  throw new error("BAD_OPTION", {
    subject: `${rule}: ${what}`,
    got: value,
    ...(what === "options"
      ? { expected: "an object such as { lr: 0.01 }" }
      : {
          expected: "a parameter or an object with params",
          advice,
        }),
  });
}

/** Refuses what is neither a hyperparameter nor one of the others. */
export function refuseUnknown(rule: RuleInfo, given: object, others: readonly string[]): void {
  refuseNames(rule.name, given, [...rule.hyperNames, ...others]);
}
