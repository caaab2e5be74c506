/**
 * The grammar of a rule's text: declarations, then equations.
 *
 *     rule Momentum                          its name
 *     lr = 1e-3 in [0, inf)                  a hyperparameter, its default and its domain
 *     betas = (b1 = 0.9, b2 = 0.999)         two of one name, with names of their own
 *     state b as momentum_buffer = 0         a state tensor, its name in state dicts, how it begins
 *     number c = 1                           a number that is remembered from step to step
 *     uncounted                              no count of steps in state dicts
 *     require b1 <= b2                       what hyperparameters fulfil together
 *     b = ema(b, g, b1)                      equations, and blocks under if, elif and else
 *
 * A line that gives a name to a constant declares a hyperparameter as long as no equation has come.
 */
import type { Interval } from "../ir/rule.ts";
import {
  keywords,
  type Assignment,
  type HyperDeclaration,
  type RuleTree,
  type SlotDeclaration,
  type Statement,
  type Tree,
} from "./ast.ts";
import { Cursor } from "./cursor.ts";
import type { Source } from "./errors.ts";
import { parseCondition, parseExpression } from "./expression.ts";
import type { Token } from "./lex.ts";

type Writable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };

/** @throws {MathError} */
export function parseText(source: Source): RuleTree {
  const cursor = new Cursor(source);
  const tree: Writable<RuleTree> = {
    name: undefined,
    hyper: [],
    state: [],
    numbers: [],
    counted: true,
    required: [],
    body: [],
  };
  while (cursor.next.kind !== "end") {
    if (!declaration(cursor, tree)) tree.body.push(...statements(cursor));
  }
  return tree;
}

/** Reads a declaration, if there is one. */
function declaration(cursor: Cursor, tree: Writable<RuleTree>): boolean {
  const { next } = cursor;
  const isConstant =
    next.kind === "name" && cursor.following.text === "=" && tree.body.length === 0;
  if (isConstant && !keywords.has(next.text)) return hyperOrEquation(cursor, tree);
  if (!["rule", "state", "number", "uncounted", "require"].includes(next.text)) return false;
  if (tree.body.length > 0) cursor.refuse("an equation: declarations come before them");
  cursor.advance();
  if (next.text === "rule") tree.name = newName(cursor, "the rule's name").text;
  else if (next.text === "uncounted") tree.counted = false;
  else if (next.text === "require") tree.required.push(parseCondition(cursor));
  else {
    do (next.text === "state" ? tree.state : tree.numbers).push(slot(cursor));
    while (cursor.accept(","));
  }
  endStatement(cursor);
  return true;
}

/** A line that begins with `name =`: what comes then decides what it is. */
function hyperOrEquation(cursor: Cursor, tree: Writable<RuleTree>): boolean {
  const name = newName(cursor, "a name");
  cursor.expect("=");
  const tuple = tupleOf(cursor);
  const value = tuple ? undefined : parseExpression(cursor);
  const constant = tuple?.value ?? constantOf(value!);
  const into = cursor.next;
  const domain = cursor.accept("in") ? interval(cursor) : undefined;
  const span = { at: name.at, end: name.end };
  if (constant === undefined) {
    if (domain) {
      cursor.fail(into, {
        code: "SYNTAX",
        got: "in behind an equation",
        expected: "it behind a constant, which declares a hyperparameter",
      });
    }
    tree.body.push({ kind: "assign", name: name.text, value: value!, ...span });
  } else {
    const parts = tuple?.parts ?? [];
    tree.hyper.push({ name: name.text, value: constant, parts, domain, ...span });
  }
  endStatement(cursor);
  return true;
}

function constantOf(tree: Tree): number | boolean | undefined {
  if (tree.kind === "number" || tree.kind === "boolean") return tree.value;
  const isNegative = tree.kind === "unary" && tree.sign === "-" && tree.arg.kind === "number";
  return isNegative && tree.arg.kind === "number" ? -tree.arg.value : undefined;
}

/** `(b1 = 0.9, b2 = 0.999)` or `(0.9, 0.999)`; a bracket around one value is an expression. */
function tupleOf(
  cursor: Cursor,
): (Pick<Writable<HyperDeclaration>, "parts"> & { value: number[] }) | undefined {
  if (!cursor.isTuple()) return undefined;
  const open = cursor.advance();
  const value: number[] = [];
  const parts: (string | undefined)[] = [];
  do {
    const isNamed = cursor.next.kind === "name" && cursor.following.text === "=";
    parts.push(isNamed ? newName(cursor, "a name").text : undefined);
    if (isNamed) cursor.expect("=");
    value.push(signedNumber(cursor));
  } while (cursor.accept(","));
  cursor.close(open, ")", "a comma");
  if (value.length === 2 || value.length === 3) return { value, parts };
  return cursor.fail(
    { at: open.at, end: cursor.end },
    {
      code: "SYNTAX",
      got: `a tuple of ${value.length}`,
      expected: "one of two or three numbers",
    },
  );
}

function signedNumber(cursor: Cursor): number {
  const sign = cursor.accept("-") ? -1 : 1;
  const token = cursor.acceptKind("number") ?? cursor.refuse("a number");
  return sign * Number(token.text);
}

/** `[0, inf)` */
function interval(cursor: Cursor): Interval {
  const open = cursor.accept("[") ?? cursor.accept("(");
  if (!open) return cursor.refuse("an interval such as [0, 1) or (0, inf)");
  const low = end(cursor);
  cursor.expect(",", "a comma and the other end");
  const high = end(cursor);
  const close = cursor.accept("]") ?? cursor.accept(")") ?? cursor.refuse("] or )");
  return `${open.text}${low}, ${high}${close.text}` as Interval;
}

function end(cursor: Cursor): number | "inf" | "-inf" {
  const isNegative = cursor.accept("-") !== undefined;
  if (cursor.accept("inf")) return isNegative ? "-inf" : "inf";
  return signedNumber(cursor) * (isNegative ? -1 : 1);
}

/** `m as exp_avg = 0` */
function slot(cursor: Cursor): SlotDeclaration {
  const letter = newName(cursor, "a letter");
  let as = letter.text;
  if (cursor.accept("as")) {
    as = (cursor.acceptKind("name") ?? cursor.refuse("the name in state dicts")).text;
  }
  const start = cursor.accept("=") ? parseExpression(cursor) : undefined;
  return { letter: letter.text, as, start, at: letter.at, end: letter.end };
}

function newName(cursor: Cursor, what: string): Token {
  const { next } = cursor;
  if (next.kind === "name" && !keywords.has(next.text)) return cursor.advance();
  const advice = keywords.has(next.text) ? `${next.text} is a word of the language.` : undefined;
  return cursor.refuse(what, advice);
}

/** The statements of a line: several if semicolons part them. */
function statements(cursor: Cursor): Statement[] {
  if (!cursor.isAt("if")) {
    const made = [assignment(cursor)];
    endStatement(cursor);
    return made;
  }
  return [conditional(cursor)];
}

/** From `if` or `elif` on, with all that belongs to it. */
function conditional(cursor: Cursor): Statement {
  return cursor.nested(() => {
    const { at } = cursor.advance();
    const condition = parseCondition(cursor);
    const { end: headEnd } = cursor;
    const yes = block(cursor);
    let no: readonly Statement[] = [];
    if (cursor.isAt("elif")) no = [conditional(cursor)];
    else if (cursor.accept("else")) no = block(cursor);
    return { kind: "if", condition, yes, no, at, end: headEnd };
  });
}

/** What stands behind a colon: equations on the same line, or an indented block. */
function block(cursor: Cursor): Statement[] {
  const equals = cursor.isAt("=") ? "Two values are compared by ==." : undefined;
  cursor.expect(":", "a colon and an equation", equals);
  if (!cursor.acceptKind("newline")) {
    const made: Statement[] = [assignment(cursor)];
    while (cursor.accept(";")) {
      if (cursor.next.kind === "newline" || cursor.next.kind === "end") break;
      made.push(assignment(cursor));
    }
    endLine(cursor);
    return made;
  }
  if (!cursor.acceptKind("indent")) cursor.refuse("an indented line");
  const made: Statement[] = [];
  while (!cursor.acceptKind("dedent")) made.push(...statements(cursor));
  return made;
}

function assignment(cursor: Cursor): Assignment {
  const name = newName(cursor, "an equation such as p = p - lr * g");
  cursor.expect("=", "= and a value", adviceOnEquals(cursor, name.text));
  const value = parseExpression(cursor);
  return { kind: "assign", name: name.text, value, at: name.at, end: name.end };
}

/** For who writes what other languages have in the place of `=`. */
function adviceOnEquals(cursor: Cursor, name: string): string | undefined {
  const { next, following } = cursor;
  if (cursor.isAt("==")) return "A name gets its value by one =.";
  if (next.text === ":") return "A name gets its value by =.";
  const isUpdate = "+-*/".includes(next.text) && following.text === "=";
  return isUpdate ? `Write ${name} = ${name} ${next.text} ….` : undefined;
}

function endStatement(cursor: Cursor): void {
  if (!cursor.accept(";")) return endLine(cursor);
  cursor.acceptKind("newline");
}

function endLine(cursor: Cursor): void {
  if (cursor.next.kind === "end" || cursor.acceptKind("newline")) return;
  const { kind } = cursor.next;
  const isValue = kind === "name" || kind === "number";
  const advice = isValue
    ? "A product takes a sign, a * b, and a function takes brackets, sqrt(x)."
    : undefined;
  const equals = cursor.isAt("=") ? "Two values are compared by ==." : undefined;
  cursor.refuse("a sign such as +, or the end of the line", equals ?? advice);
}
