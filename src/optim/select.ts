/** Choosing parameters, by their names or by whatever else they are. */
import { OptionError, ParameterError, Prose } from "../errors.ts";
import { Parameter } from "../memory/parameter.ts";

/**
 * Which parameters: those whose name matches a pattern, the one with a name, those for which a function
 * says so, or those of any of several such. A parameter without a name fits no pattern.
 */
export type Selector<P extends Named = Parameter> =
  RegExp | string | ((parameter: P) => boolean) | readonly Selector<P>[];

/** What can be chosen. */
interface Named {
  readonly name: string | undefined;
}

/** Whether a parameter is among those that a selector means. */
export function matches<P extends Named>(selector: Selector<P>, parameter: P): boolean {
  if (typeof selector === "function") return selector(parameter);
  if (Array.isArray(selector)) {
    return (selector as readonly Selector<P>[]).some((each) => matches(each, parameter));
  }
  const { name } = parameter;
  if (name === undefined) return false;
  // search() starts at the beginning, whatever the pattern's flags are and whatever it has seen.
  return selector instanceof RegExp ? name.search(selector) >= 0 : name === selector;
}

/**
 * Those that match and those that do not, in order.
 *
 * @throws {ParameterError} `NOTHING_MATCHED` if none matches; {OptionError} `BAD_OPTION` for what is no
 *   selector.
 *
 * @example
 * const [matrices, rest] = partition(params, (p) => p.shape.length === 2);
 */
export function partition(
  params: readonly Parameter[],
  selector: Selector,
): [matching: Parameter[], others: Parameter[]] {
  const all = checkParams("partition", params);
  checkSelector("partition", selector);
  const matching = all.filter((parameter) => matches(selector, parameter));
  if (matching.length === 0) nothingMatched("partition", selector, all);
  return [matching, all.filter((parameter) => !matching.includes(parameter))];
}

/** @throws {ParameterError} `BAD_PARAMS` unless it is a list of parameters. */
export function checkParams(subject: string, params: unknown): readonly Parameter[] {
  const isList = Array.isArray(params);
  const strange = isList ? params.findIndex((each) => !(each instanceof Parameter)) : -1;
  if (isList && strange < 0) return params as Parameter[];
  throw new ParameterError("BAD_PARAMS", {
    subject: strange < 0 ? `${subject}: params` : `${subject}: params, number ${strange + 1}`,
    got: strange < 0 ? params : (params as unknown[])[strange],
    expected: strange < 0 ? "an array of parameters" : "a parameter",
  });
}

/** @throws {OptionError} `BAD_OPTION` */
export function checkSelector(subject: string, selector: unknown): void {
  const fits =
    typeof selector === "function" || typeof selector === "string" || selector instanceof RegExp;
  if (fits) return;
  if (Array.isArray(selector)) selector.forEach((each) => checkSelector(subject, each));
  else {
    throw new OptionError("BAD_OPTION", {
      subject: `${subject}: which parameters`,
      got: selector,
      expected: "a pattern such as /bias$/, a name, a function, or a list of these",
    });
  }
}

/** A selector that means nobody is most likely mistyped. */
export function nothingMatched<P extends Named>(
  subject: string,
  selector: Selector<P>,
  params: readonly P[],
): never {
  const isTaken = params.some((parameter) => matches(selector, parameter));
  const found = isTaken ? "what an earlier one does" : `none of ${params.length} parameters`;
  const names = params.flatMap(({ name }) => (name === undefined ? [] : [name]));
  throw new ParameterError("NOTHING_MATCHED", {
    subject,
    got: new Prose(`${showSelector(selector)}, which matches ${found}`),
    expected: `one that matches at least one ${isTaken ? "more" : "parameter"}`,
    advice:
      names.length > 0
        ? `There are ${names.slice(0, 8).join(", ")}${names.length > 8 ? ", …" : ""}.`
        : "They have no names: parameter(values, { name }).",
  });
}

function showSelector<P extends Named>(selector: Selector<P>): string {
  if (Array.isArray(selector)) {
    return `[${(selector as readonly Selector<P>[]).map(showSelector).join(", ")}]`;
  }
  if (typeof selector === "function") return `the function ${selector.name || "given"}`;
  return selector instanceof RegExp ? String(selector) : JSON.stringify(selector);
}
