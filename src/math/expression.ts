/**
 * The grammar of expressions, loosest first:
 *
 *     a if condition else b,  or,  and,  not,  == != < <= > >=,  + -,  * /,  -x,  x^y
 *
 * Signs of one line of it group from the left, but for x^y^z, which is x^(y^z); of comparisons there is one.
 */
import { keywords, type BinarySign, type Tree } from "./ast.ts";
import type { Cursor } from "./cursor.ts";

const comparisons: readonly BinarySign[] = ["==", "!=", "<=", ">=", "<", ">"];

/** @throws {MathError} */
export function parseExpression(cursor: Cursor): Tree {
  return cursor.nested(() => {
    const { at } = cursor.next;
    const yes = parseOr(cursor);
    if (!cursor.accept("if")) return yes;
    const condition = parseOr(cursor);
    cursor.expect("else", "else and what holds otherwise");
    const no = parseExpression(cursor);
    const shape = { kind: "choice", condition, yes, no } as const;
    return cursor.tree(at, [condition, yes, no], shape);
  });
}

/** A condition, as behind `if`: a choice has to stand in brackets there. */
export const parseCondition = (cursor: Cursor): Tree => cursor.nested(() => parseOr(cursor));

type Level = (cursor: Cursor) => Tree;

/** A chain of signs over what binds tighter. */
function chain(signs: readonly BinarySign[], tighter: Level): Level {
  return (cursor) => {
    let left = tighter(cursor);
    for (let sign = signAt(cursor, signs); sign; sign = signAt(cursor, signs)) {
      cursor.advance();
      left = binary(cursor, sign, left, tighter(cursor));
    }
    return left;
  };
}

function signAt(cursor: Cursor, signs: readonly BinarySign[]): BinarySign | undefined {
  return signs.find((sign) => cursor.isAt(sign));
}

function binary(cursor: Cursor, sign: BinarySign, left: Tree, right: Tree): Tree {
  return cursor.tree(left.at, [left, right], { kind: "binary", sign, left, right });
}

const parseOr: Level = (cursor) => orLevel(cursor);
const parsePower: Level = (cursor) => {
  const base = parseAtom(cursor);
  if (!cursor.accept("^") && !cursor.accept("**")) return base;
  const exponent = cursor.nested(() => parseNegative(cursor));
  return binary(cursor, "^", base, exponent);
};
const parseNegative: Level = (cursor) => {
  const { at } = cursor.next;
  if (!cursor.accept("-")) return parsePower(cursor);
  const arg = cursor.nested(() => parseNegative(cursor));
  return cursor.tree(at, [arg], { kind: "unary", sign: "-", arg });
};
const parseSum = /* @__PURE__ */ chain(
  ["+", "-"],
  /* @__PURE__ */ chain(["*", "/"], parseNegative),
);
const parseComparison: Level = (cursor) => {
  const left = parseSum(cursor);
  const sign = signAt(cursor, comparisons);
  if (!sign) return left;
  cursor.advance();
  const compared = binary(cursor, sign, left, parseSum(cursor));
  if (!signAt(cursor, comparisons)) return compared;
  return cursor.refuse("one comparison at a time", "Write a < b and b < c.");
};
const parseNot: Level = (cursor) => {
  const { at } = cursor.next;
  if (!cursor.accept("not")) return parseComparison(cursor);
  const arg = cursor.nested(() => parseNot(cursor));
  return cursor.tree(at, [arg], { kind: "unary", sign: "not", arg });
};
const orLevel = /* @__PURE__ */ chain(["or"], /* @__PURE__ */ chain(["and"], parseNot));

const VALUE = "a number, a name or a bracket";

function parseAtom(cursor: Cursor): Tree {
  const token = cursor.next;
  if (token.kind === "number") {
    cursor.advance();
    const { text } = token;
    return cursor.tree(token.at, [], { kind: "number", value: Number(text), text });
  }
  if (cursor.accept("(")) {
    const inner = parseExpression(cursor);
    cursor.close(token, ")", "a sign such as +");
    // The brackets belong to it where it is pointed at.
    return { ...inner, at: token.at, end: cursor.end };
  }
  if (cursor.accept("true") || cursor.accept("false")) {
    return cursor.tree(token.at, [], { kind: "boolean", value: token.text === "true" });
  }
  if (token.kind !== "name" || keywords.has(token.text)) return cursor.refuse(VALUE);
  cursor.advance();
  if (cursor.isAt("(")) return parseCall(cursor, token.text, token.at);
  if (cursor.isAt("[")) return parsePart(cursor, token.text, token.at);
  return cursor.tree(token.at, [], { kind: "name", name: token.text });
}

function parseCall(cursor: Cursor, word: string, at: number): Tree {
  const open = cursor.advance();
  const args: Tree[] = [];
  if (!cursor.isAt(")")) {
    do args.push(parseExpression(cursor));
    while (cursor.accept(","));
  }
  cursor.close(open, ")", "a comma");
  return cursor.tree(at, args, { kind: "call", word, args });
}

function parsePart(cursor: Cursor, name: string, at: number): Tree {
  const open = cursor.advance();
  const token = cursor.acceptKind("number");
  if (!token || !/^\d$/.test(token.text)) return cursor.refuse("the number of a part, from 0");
  cursor.close(open, "]", "nothing else");
  return cursor.tree(at, [], { kind: "part", name, index: Number(token.text) });
}
