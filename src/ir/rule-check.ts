/** Refuses rules that cannot be what their author means; for those who write without a type checker. */
import { Prose, RuleError, show } from "../errors.ts";
import type { HyperDefaults, Letters, RuleSpec } from "./rule.ts";

const MAX_STATE = 30;
/** What an optimizer's options hold besides hyperparameters. */
const RUN_OPTIONS = [
  "foreach",
  "compile",
  "backend",
  "flushSubnormals",
  "threads",
  "nonFinite",
  "average",
];

const specKeys = [
  "name",
  "formula",
  "hyper",
  "domain",
  "state",
  "rows",
  "columns",
  "numbers",
  "counted",
  "sparse",
  "matrices",
  "takesAll",
  "check",
  "step",
];

/** Whether all parts of a rule are there, and no others. */
export function checkSpec(spec: object): void {
  const given = spec as Partial<RuleSpec<HyperDefaults, string>> | undefined;
  const bad = (what: string, got: unknown, expected: string): never => {
    throw new RuleError("BAD_RULE", {
      subject: `${given?.name || "rule"}: ${what}`,
      got,
      expected,
    });
  };
  if (typeof given !== "object" || given === null) bad("the rule", given, "an object");
  const { name, hyper, step, domain, numbers = [], counted } = given!;
  const strange = Object.keys(given!).find((key) => !specKeys.includes(key));
  if (strange !== undefined) bad("the rule", strange, `only ${specKeys.join(", ")}`);
  if (typeof name !== "string" || name === "") bad("name", name, "a text");
  if (typeof hyper !== "object" || hyper === null) bad("hyper", hyper, "an object of defaults");
  if (typeof step !== "function") bad("step", step, "a function");
  if (counted === false && Object.keys(numbers).length > 0) {
    bad("numbers", numbers, "none where counted is false: they begin with the count");
  }
  checkSparse(given!.sparse, bad);
  const homeless = Object.keys(domain ?? {}).find((key) => !Object.hasOwn(hyper!, key));
  if (homeless !== undefined) bad("domain", homeless, "the names of hyperparameters");
  for (const [key, value] of Object.entries(hyper!)) {
    const isChoice = Array.isArray((domain as Record<string, unknown> | undefined)?.[key]);
    const fits = ["number", "boolean"].includes(typeof value) || Array.isArray(value) || isChoice;
    const kinds = "a number, true or false, two or three numbers, or a name with a list in domain";
    if (!fits) bad(`hyper.${key}`, value, kinds);
  }
}

type Refuse = (what: string, got: unknown, expected: string) => never;

function checkSparse(sparse: unknown, bad: Refuse): void {
  if (sparse === undefined || sparse === true) return;
  if (typeof sparse !== "object" || sparse === null) bad("sparse", sparse, "true or an object");
  const known = ["only", "check", "start"];
  const strange = Object.keys(sparse as object).find((key) => !known.includes(key));
  if (strange !== undefined) bad("sparse", strange, `nothing but ${known.join(", ")}`);
}

/** Names must be distinct, and none that means something already. */
export function checkNames(
  owner: string,
  hyper: readonly string[],
  state: Letters,
  numbers: Letters,
): void {
  const letters = [...state.letters, ...numbers.letters];
  const names = [...state.names, ...numbers.names];
  const clash = (what: string, taken: readonly string[], given: readonly string[]) => {
    const name = given.find((each, i) => taken.includes(each) || given.indexOf(each) !== i);
    if (name === undefined) return;
    throw new RuleError("NAME_CLASH", {
      subject: `${owner}: ${what}`,
      got: new Prose(`${show(name)}, which is taken${taken.includes(name) ? "" : " already"}`),
      expected: "each name once",
      advice: `Names with a meaning of their own: ${taken.join(", ")}.`,
    });
  };
  clash("names of tensors and numbers", ["p", "g"], letters);
  clash("names in state dicts", ["step"], names);
  clash("hyperparameters", ["params", "t", ...RUN_OPTIONS, ...numbers.letters], hyper);
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
  if (state.letters.length > MAX_STATE) {
    throw new RuleError("TOO_MUCH_STATE", {
      subject: `${owner}: state`,
      got: new Prose(`${state.letters.length} tensors`),
      expected: `at most ${MAX_STATE}`,
    });
  }
}
