/** A rule's text as a tree: what the parser makes, and all the others read. */
import type { Interval } from "../ir/rule.ts";
import type { Span } from "./errors.ts";

export type ArithmeticSign = "+" | "-" | "*" | "/" | "^";
export type ComparisonSign = "==" | "!=" | "<" | "<=" | ">" | ">=";
export type BinarySign = ArithmeticSign | ComparisonSign | "and" | "or";

/** An expression. `depth` is how many others lie inside one another. */
export type Tree = Span & { readonly depth: number } & TreeShape;

type TreeShape =
  /** `text` is how it was written. */
  | { readonly kind: "number"; readonly value: number; readonly text: string }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "name"; readonly name: string }
  /** `betas[0]` */
  | { readonly kind: "part"; readonly name: string; readonly index: number }
  | { readonly kind: "call"; readonly word: string; readonly args: readonly Tree[] }
  | { readonly kind: "unary"; readonly sign: "-" | "not"; readonly arg: Tree }
  | {
      readonly kind: "binary";
      readonly sign: BinarySign;
      readonly left: Tree;
      readonly right: Tree;
    }
  /** `a if condition else b` */
  | {
      readonly kind: "choice";
      readonly condition: Tree;
      readonly yes: Tree;
      readonly no: Tree;
    };

export type Statement = Assignment | Condition;

/** `name = value` */
export interface Assignment extends Span {
  readonly kind: "assign";
  readonly name: string;
  readonly value: Tree;
}

/** `if condition:` with what holds then and otherwise. */
export interface Condition extends Span {
  readonly kind: "if";
  readonly condition: Tree;
  readonly yes: readonly Statement[];
  readonly no: readonly Statement[];
}

/** A hyperparameter with its default; a tuple's parts may have names. */
export interface HyperDeclaration extends Span {
  readonly name: string;
  readonly value: number | boolean | readonly number[];
  readonly parts: readonly (string | undefined)[];
  readonly domain: Interval | undefined;
}

/** A state tensor or a number that the rule remembers: `m as exp_avg = start`. */
export interface SlotDeclaration extends Span {
  readonly letter: string;
  readonly as: string;
  readonly start: Tree | undefined;
}

/** A whole text. */
export interface RuleTree {
  readonly name: string | undefined;
  readonly hyper: readonly HyperDeclaration[];
  readonly state: readonly SlotDeclaration[];
  readonly numbers: readonly SlotDeclaration[];
  /** Whether a count of steps belongs to the state. */
  readonly counted: boolean;
  /** What hyperparameters have to fulfil together. */
  readonly required: readonly Tree[];
  readonly body: readonly Statement[];
}

/** Words of the language itself: no name of anything. */
export const keywords: ReadonlySet<string> = /* @__PURE__ */ new Set([
  "rule",
  "state",
  "number",
  "uncounted",
  "require",
  "if",
  "elif",
  "else",
  "and",
  "or",
  "not",
  "in",
  "as",
  "true",
  "false",
  "inf",
]);
