/**
 * Which values hyperparameters may have: their types are those of the defaults, their ranges are
 * written as intervals. It is asked at construction and again in every step, so it allocates nothing.
 */
import { OptionError, RuleError } from "../errors.ts";
import type { Choices, Hyper, HyperDefaults, HyperValue, RuleInfo, RuleSpec } from "./rule.ts";

interface Range {
  readonly text: string;
  readonly low: number;
  readonly high: number;
  readonly openLow: boolean;
  readonly openHigh: boolean;
}

/** Makes the function that holds hyperparameters to their types, domains and combinations. */
export function validatorOf<H extends HyperDefaults>(
  spec: Pick<RuleSpec<H, never>, "name" | "hyper" | "domain" | "check">,
  hyperNames: readonly string[],
): RuleInfo["validate"] {
  const domains = new Map<string, Range | Choices>();
  for (const [name, domain] of Object.entries(spec.domain ?? {})) {
    const isList = Array.isArray(domain);
    domains.set(name, isList ? domain : parseInterval(spec.name, name, domain as string));
  }
  const where: Where = { rule: spec.name, group: undefined };
  return (values, group) => {
    where.group = group;
    for (let i = 0; i < hyperNames.length; i++) {
      const name = hyperNames[i]!;
      validateOne(where, name, spec.hyper[name]!, domains.get(name), values[name]);
    }
    const complaint = spec.check?.(values as Hyper<H>);
    if (!complaint) return;
    refuse(where, complaint.option, values[complaint.option], complaint.expected);
  };
}

function parseInterval(owner: string, option: string, text: string): Range {
  const match = /^([[(])([^,]+), ([^\])]+)([\])])$/.exec(text);
  const [low, high] = [match?.[2], match?.[3]].map((end) =>
    Number(end?.replace("inf", "Infinity")),
  ) as [number, number];
  if (!match || Number.isNaN(low) || Number.isNaN(high)) {
    throw new RuleError("BAD_DOMAIN", {
      subject: `${owner}: domain of ${option}`,
      got: text,
      expected: 'an interval such as "[0, 1)" or "(0, inf)"',
    });
  }
  return { text, low, high, openLow: match[1] === "(", openHigh: match[4] === ")" };
}

/** Whose hyperparameters are checked. */
interface Where {
  readonly rule: string;
  group: number | undefined;
}

function validateOne(
  where: Where,
  option: string,
  example: HyperValue,
  domain: Range | Choices | undefined,
  value: unknown,
): void {
  if (domain !== undefined && !("text" in domain)) {
    if (!domain.includes(value as string | null)) refuse(where, option, value, listOf(domain));
    return;
  }
  const range = domain;
  if (typeof example === "boolean") {
    if (typeof value !== "boolean") refuse(where, option, value, "true or false");
  } else if (typeof example === "number") {
    validateNumber(where, option, -1, range, value);
  } else if (Array.isArray(example)) {
    if (!Array.isArray(value) || value.length !== example.length) {
      refuse(where, option, value, `an array of ${example.length} numbers`);
    }
    for (let i = 0; i < value.length; i++) {
      const mayBeNull = example[i] === null;
      if (mayBeNull && value[i] === null) continue;
      validateNumber(where, option, i, range, value[i], mayBeNull ? " or null" : "");
    }
  }
}

function listOf(choices: Choices): string {
  const names = choices.map((name) => JSON.stringify(name));
  return [names.slice(0, -1).join(", "), ...names.slice(-1)].join(" or ");
}

function validateNumber(
  where: Where,
  option: string,
  index: number,
  range: Range | undefined,
  value: unknown,
  orElse = "",
): void {
  const fits =
    typeof value === "number" &&
    value - value === 0 &&
    (range === undefined ||
      ((range.openLow ? value > range.low : value >= range.low) &&
        (range.openHigh ? value < range.high : value <= range.high)));
  if (fits) return;
  const expected = range ? `a finite number in ${range.text}` : "a finite number";
  refuse(where, index < 0 ? option : `${option}[${index}]`, value, expected + orElse);
}

function refuse(where: Where, option: string, value: unknown, expected: string): never {
  throw new OptionError("BAD_HYPERPARAMETER", {
    subject: `${where.rule}: ${where.group === undefined ? "" : `paramGroups[${where.group}].`}${option}`,
    got: value,
    expected,
  });
}
