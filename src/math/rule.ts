/** A rule from its text. */
import { DownhillError } from "../errors.ts";
import {
  rule,
  type HyperDefaults,
  type Interval,
  type Rule,
  type RuleSpec,
  type SparseSupport,
} from "../ir/rule.ts";
import type { HyperDeclaration, RuleTree } from "./ast.ts";
import { compileRule } from "./compile.ts";
import { complete } from "./complete.ts";
import { fail, type Source, type Span } from "./errors.ts";
import { parseText } from "./parse.ts";

/** What {@link parseRule} takes besides the text. */
export interface ParseOptions {
  /** The rule's name; by default the one in the text, or `Rule`. */
  readonly name?: string;
  /** Defaults of hyperparameters: instead of those in the text, or of some that it does not declare. */
  readonly hyper?: Readonly<Record<string, number | boolean | readonly number[]>>;
  /** Set where gradients may consist of some rows alone, as in rules of code. */
  readonly sparse?: true | SparseSupport<HyperDefaults, string>;
}

/** A tree and the text that it was read from. */
export interface Parsed {
  readonly source: Source;
  readonly tree: RuleTree;
}

/** The texts of the rules that have been made here. */
const known = /* @__PURE__ */ new WeakMap<object, Parsed>();

/** What a rule has been made of, if it was a text. */
export const parsedOf = (made: object): Parsed | undefined => known.get(made);

/**
 * A rule from its equations as text; docs/math.md describes the language.
 *
 * @example
 * const momentum = parseRule(`
 *   m = ema(m, g, b1)
 *   p = p - lr * m
 * `);
 * const optimizer = new Optimizer(momentum, [w], { lr: 1e-2 });
 *
 * @throws {MathError} for a text that is no rule: with the line, and a caret under what is wrong.
 */
export function parseRule(text: string, options: ParseOptions = {}): Rule<HyperDefaults> {
  const parsed = readRule(text, options);
  const { tree, source } = parsed;
  const { step, check } = compileRule(source, tree);
  const slots = (list: RuleTree["state"]) =>
    Object.fromEntries(list.map(({ letter, as }) => [letter, as]));
  const domains = tree.hyper.filter(({ domain }) => domain !== undefined);
  const spec: RuleSpec<HyperDefaults, string, string> = {
    name: source.owner,
    formula: text,
    hyper: Object.fromEntries(
      tree.hyper.map(({ name, value }) => [name, value as HyperDefaults[string]]),
    ),
    domain: Object.fromEntries(domains.map(({ name, domain }) => [name, domain as Interval])),
    state: slots(tree.state),
    numbers: slots(tree.numbers),
    counted: tree.counted,
    check,
    step: step as RuleSpec<HyperDefaults, string, string>["step"],
    ...(options.sparse === undefined ? {} : { sparse: options.sparse }),
  };
  try {
    const made = rule(spec) as Rule<HyperDefaults>;
    known.set(made, parsed);
    return made;
  } catch (error) {
    if (!(error instanceof DownhillError)) throw error;
    return refuse(parsed, error);
  }
}

/** The text as a tree, with what it leaves out and what `options` say instead. */
export function readRule(text: string, options: ParseOptions = {}): Parsed {
  const { name, hyper = {} } = options;
  const read = parseText({ owner: name ?? "Rule", text });
  const tree = complete(read, Object.keys(hyper));
  const source = { owner: name ?? tree.name ?? "Rule", text };
  const declared = new Set(tree.hyper.map((each) => each.name));
  const own = tree.hyper.map((each): HyperDeclaration => {
    const value = Object.hasOwn(hyper, each.name) ? hyper[each.name]! : each.value;
    return { ...each, value };
  });
  const more = Object.keys(hyper).filter((each) => !declared.has(each));
  const added = more.map((each): HyperDeclaration => {
    const value = hyper[each]!;
    const parts = Array.isArray(value) ? value.map(() => undefined) : [];
    return { name: each, value, parts, domain: undefined, at: 0, end: 0 };
  });
  return { source, tree: { ...tree, name: source.owner, hyper: [...own, ...added] } };
}

/** What `rule()` has against it, told of the place in the text. */
function refuse({ source, tree }: Parsed, error: DownhillError): never {
  const about = `${error.subject} ${error.got}`;
  const declared: readonly (Span & { name: string })[] = [
    ...tree.hyper,
    ...[...tree.state, ...tree.numbers].map(({ letter, at, end }) => ({ name: letter, at, end })),
  ];
  const mentioned = about.split(/\W+/);
  const place = declared.find(({ name }) => mentioned.includes(name));
  const { code, got, expected } = error;
  fail(source, place ?? { at: 0, end: 0 }, { code, got, expected });
}
