/**
 * What a rule is: a name, hyperparameters with their defaults, state, and one pure function.
 *
 * The types live here too, so that a mistyped hyperparameter, a forgotten state tensor or a `*`
 * between tensors is an error in the editor already.
 */
import { OptionError, Prose, RuleError, show } from "../errors.ts";
import type { Tensor } from "./trace.ts";

/** Defaults of hyperparameters: numbers, switches and pairs such as Adam's betas. */
export type HyperDefaults = Readonly<Record<string, number | boolean | readonly [number, number]>>;

type Widened<T> = T extends boolean
  ? boolean
  : T extends number
    ? number
    : readonly [number, number];

/** The types behind a rule's defaults. */
export type Hyper<H extends HyperDefaults> = { -readonly [K in keyof H]: Widened<H[K]> };

/** Where a number may lie: `"[0, inf)"` is 0 ≤ x < ∞. Numbers must be finite in any case. */
export type Interval = `${"[" | "("}${number}, ${number | "inf"}${"]" | ")"}`;

/** What a rule's `step` gets: the parameter, its gradient and its state. */
export type RuleTensors<S extends string> = Record<"p" | "g" | S, Tensor>;
/** What it gives back: the new parameter and the new state, every slot of it. */
export type RuleOutputs<S extends string> = Record<"p" | S, Tensor>;

export interface RuleSpec<H extends HyperDefaults, S extends string> {
  /** Name of the optimizer, e.g. `"Adam"`. */
  readonly name: string;
  /**
   * The equations as text, one a line, for people: `p = p - lr * g`. Names as in `step`, pairs such as
   * betas as b1 and b2.
   */
  readonly formula?: string;
  /** Hyperparameters and their defaults. */
  readonly hyper: H;
  /** Where each number may lie; without an entry any finite number will do. */
  readonly domain?: { readonly [K in keyof H]?: Interval };
  /** Names of the state tensors, or a map from the rule's letters to names in state dicts. */
  readonly state?: readonly S[] | Readonly<Record<S, string>>;
  /** Whether state dicts hold a count of steps (default true). */
  readonly counted?: boolean;
  /** What is wrong with a combination of hyperparameters, if anything is. */
  readonly check?: (hyper: Hyper<H>) => Complaint | undefined;
  /** The formula. `t` counts the steps of the parameter at hand, from 1. Must be pure. */
  readonly step: (
    tensors: RuleTensors<S>,
    hyper: Hyper<H> & { readonly t: number },
  ) => NoInfer<RuleOutputs<S>>;
}

/** A combination of hyperparameters that makes no sense. */
export interface Complaint {
  readonly option: string;
  readonly expected: string;
}

interface Range {
  readonly text: string;
  readonly low: number;
  readonly high: number;
  readonly openLow: boolean;
  readonly openHigh: boolean;
}

/** What is known of a rule whatever its hyperparameters are. */
export interface RuleInfo {
  readonly name: string;
  /** The equations as text, one a line; empty if the rule does not say. */
  readonly formula: string;
  readonly hyperNames: readonly string[];
  /** `p`, `g`, then the state, by the rule's own letters. */
  readonly slots: readonly string[];
  /** Names of the state tensors in state dicts, in the order of the slots. */
  readonly stateNames: readonly string[];
  /** Whether state dicts hold a count of steps. */
  readonly counted: boolean;
  /**
   * Throws an {@link OptionError} unless the values of `hyper` may be used.
   *
   * @param group the number of their group, for the message.
   */
  validate(values: Readonly<Record<string, unknown>>, group?: number): void;
}

/** A rule that has been checked and is ready to be traced. */
export interface Rule<H extends HyperDefaults = HyperDefaults> extends RuleInfo {
  /** The defaults. */
  readonly hyper: H;
  readonly hyperNames: readonly (keyof H & string)[];
  step(tensors: RuleTensors<string>, hyper: Hyper<H> & { readonly t: number }): RuleOutputs<string>;
}

const MAX_STATE = 30;
/** What an optimizer's options hold besides hyperparameters. */
const RUN_OPTIONS = ["foreach", "compile", "backend", "flushSubnormals"];

/**
 * Makes a rule from its equations.
 *
 * @example
 * const signSgd = rule({
 *   name: "SignSGD",
 *   hyper: { lr: 1e-3 },
 *   step: ({ p, g }, { lr }) => ({ p: p.sub(sign(g).mul(lr)) }),
 * });
 *
 * @throws {RuleError} if names clash or something is missing, {OptionError} if a default lies outside
 *   its domain.
 */
export function rule<const H extends HyperDefaults, S extends string = never>(
  spec: RuleSpec<H, S>,
): Rule<Hyper<H>> {
  checkSpec(spec);
  const hyper = frozenCopy(spec.hyper);
  const state = stateOf(spec);
  const hyperNames = Object.keys(spec.hyper);
  checkNames(spec.name, hyperNames, state.letters, state.names);
  const made: Rule<Hyper<H>> = {
    name: spec.name,
    formula: trimLines(spec.formula ?? ""),
    hyper: hyper as unknown as Hyper<H>,
    hyperNames,
    slots: ["p", "g", ...state.letters],
    stateNames: state.names,
    counted: spec.counted ?? true,
    validate: validatorOf({ ...spec, hyper }, hyperNames),
    step: spec.step as Rule<Hyper<H>>["step"],
  };
  made.validate(hyper);
  return made;
}

/** Nobody changes a rule's defaults from outside. */
function frozenCopy<H extends HyperDefaults>(hyper: H): H {
  const copies = Object.entries(hyper).map(([name, value]) => [
    name,
    Array.isArray(value) ? Object.freeze([...value]) : value,
  ]);
  return Object.freeze(Object.fromEntries(copies)) as H;
}

function validatorOf<H extends HyperDefaults, S extends string>(
  spec: RuleSpec<H, S>,
  hyperNames: readonly string[],
): RuleInfo["validate"] {
  const ranges = new Map<string, Range>();
  for (const [name, text] of Object.entries(spec.domain ?? {})) {
    ranges.set(name, parseInterval(spec.name, name, text as string));
  }
  const where: Where = { rule: spec.name, group: undefined };
  return (values, group) => {
    where.group = group;
    for (let i = 0; i < hyperNames.length; i++) {
      const name = hyperNames[i]!;
      validateOne(where, name, spec.hyper[name]!, ranges.get(name), values[name]);
    }
    const complaint = spec.check?.(values as Hyper<H>);
    if (!complaint) return;
    refuse(where, complaint.option, values[complaint.option], complaint.expected);
  };
}

const specKeys = ["name", "formula", "hyper", "domain", "state", "counted", "check", "step"];

/** For those who write rules without a type checker. */
function checkSpec(spec: object): void {
  const given = spec as Partial<RuleSpec<HyperDefaults, string>> | undefined;
  const bad = (what: string, got: unknown, expected: string): never => {
    throw new RuleError("BAD_RULE", {
      subject: `${given?.name ?? "rule"}: ${what}`,
      got,
      expected,
    });
  };
  if (typeof given !== "object" || given === null) bad("the rule", given, "an object");
  const { name, hyper, step, domain } = given!;
  const strange = Object.keys(given!).find((key) => !specKeys.includes(key));
  if (strange !== undefined) bad("the rule", strange, `only ${specKeys.join(", ")}`);
  if (typeof name !== "string" || name === "") bad("name", name, "a text");
  if (typeof hyper !== "object" || hyper === null) bad("hyper", hyper, "an object of defaults");
  if (typeof step !== "function") bad("step", step, "a function");
  const homeless = Object.keys(domain ?? {}).find((key) => !Object.hasOwn(hyper!, key));
  if (homeless !== undefined) bad("domain", homeless, "the names of hyperparameters");
  for (const [key, value] of Object.entries(hyper!)) {
    const fits = ["number", "boolean"].includes(typeof value) || Array.isArray(value);
    if (!fits) bad(`hyper.${key}`, value, "a number, true or false, or a pair of numbers");
  }
}

function trimLines(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "").join("\n");
}

function stateOf(spec: { readonly state?: readonly string[] | Readonly<Record<string, string>> }) {
  const state = spec.state ?? [];
  if (Array.isArray(state)) return { letters: state as string[], names: state as string[] };
  return { letters: Object.keys(state), names: Object.values(state) as string[] };
}

function checkNames(owner: string, hyper: string[], letters: string[], names: string[]): void {
  const clash = (what: string, all: string[]) => {
    const twice = all.find((name, index) => all.indexOf(name) !== index);
    if (twice === undefined) return;
    throw new RuleError("NAME_CLASH", {
      subject: `${owner}: ${what}`,
      got: new Prose(`${show(twice)} twice`),
      expected: "each name once",
      advice:
        "Taken are p and g (the parameter and its gradient), t and step (the count of steps), params and the options that say how to run.",
    });
  };
  clash("names of tensors", ["p", "g", ...letters]);
  clash("names in state dicts", ["step", ...names]);
  clash("hyperparameters", ["params", "t", ...RUN_OPTIONS, ...hyper]);
  const strange =
    letters.find((letter) => !/^[A-Za-z_]\w*$/.test(letter)) ??
    [...letters, ...names, ...hyper].find((name) => name === "__proto__");
  if (strange !== undefined) {
    throw new RuleError("BAD_NAME", {
      subject: `${owner}: names of tensors and hyperparameters`,
      got: strange,
      expected: "letters, digits and underscores, but not __proto__",
    });
  }
  if (letters.length > MAX_STATE) {
    throw new RuleError("TOO_MUCH_STATE", {
      subject: `${owner}: state`,
      got: new Prose(`${letters.length} tensors`),
      expected: `at most ${MAX_STATE}`,
    });
  }
}

function parseInterval(owner: string, option: string, text: string): Range {
  const match = /^([[(])([^,]+), ([^\])]+)([\])])$/.exec(text);
  const low = Number(match?.[2]);
  const high = match?.[3] === "inf" ? Infinity : Number(match?.[3]);
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
  example: number | boolean | readonly [number, number],
  range: Range | undefined,
  value: unknown,
): void {
  if (typeof example === "boolean") {
    if (typeof value !== "boolean") refuse(where, option, value, "true or false");
  } else if (typeof example === "number") {
    validateNumber(where, option, -1, range, value);
  } else {
    if (!Array.isArray(value) || value.length !== example.length) {
      refuse(where, option, value, `an array of ${example.length} numbers`);
    }
    for (let i = 0; i < value.length; i++) validateNumber(where, option, i, range, value[i]);
  }
}

function validateNumber(
  where: Where,
  option: string,
  index: number,
  range: Range | undefined,
  value: unknown,
): void {
  const fits =
    typeof value === "number" &&
    value - value === 0 &&
    (range === undefined ||
      ((range.openLow ? value > range.low : value >= range.low) &&
        (range.openHigh ? value < range.high : value <= range.high)));
  if (fits) return;
  const expected = range ? `a finite number in ${range.text}` : "a finite number";
  refuse(where, index < 0 ? option : `${option}[${index}]`, value, expected);
}

function refuse(where: Where, option: string, value: unknown, expected: string): never {
  throw new OptionError("BAD_HYPERPARAMETER", {
    subject: `${where.rule}: ${where.group === undefined ? "" : `paramGroups[${where.group}].`}${option}`,
    got: value,
    expected,
  });
}
