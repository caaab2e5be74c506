/**
 * From a tree to text: what the parser makes the same tree of. Brackets stand where they are needed, also
 * where leaving them out would change nothing but the order of roundings.
 */
import type {
  BinarySign,
  HyperDeclaration,
  RuleTree,
  SlotDeclaration,
  Statement,
  Tree,
} from "./ast.ts";
import { keywords } from "./ast.ts";

/** How tightly an expression holds together, loosest first, as in ./expression.ts. */
const CHOICE = 0;
const OR = 1;
const NOT = 3;
const SUM = 5;
const NEGATIVE = 7;
const ATOM = 9;

const levels: Readonly<Record<BinarySign, number>> = {
  or: OR,
  and: 2,
  "==": 4,
  "!=": 4,
  "<": 4,
  "<=": 4,
  ">": 4,
  ">=": 4,
  "+": SUM,
  "-": SUM,
  "*": 6,
  "/": 6,
  "^": 8,
};

function levelOf(tree: Tree): number {
  if (tree.kind === "choice") return CHOICE;
  if (tree.kind === "binary") return levels[tree.sign];
  if (tree.kind !== "unary") return ATOM;
  return tree.sign === "not" ? NOT : NEGATIVE;
}

/** An expression as text, in brackets if it holds together less tightly than that. */
export function printTree(tree: Tree, least = CHOICE): string {
  const text = plainText(tree);
  return levelOf(tree) < least ? `(${text})` : text;
}

function plainText(tree: Tree): string {
  switch (tree.kind) {
    case "number":
      return tree.text;
    case "boolean":
      return String(tree.value);
    case "name":
      return tree.name;
    case "part":
      return `${tree.name}[${tree.index}]`;
    case "call":
      return `${tree.word}(${tree.args.map((arg) => printTree(arg)).join(", ")})`;
    case "unary":
      if (tree.sign === "not") return `not ${printTree(tree.arg, NOT)}`;
      return `-${printTree(tree.arg, NEGATIVE)}`;
    case "choice": {
      const { yes, condition, no } = tree;
      return `${printTree(yes, OR)} if ${printTree(condition, OR)} else ${printTree(no)}`;
    }
    case "binary": {
      const { sign, left, right } = tree;
      const level = levels[sign];
      if (sign === "^") return `${printTree(left, ATOM)}^${printTree(right, NEGATIVE)}`;
      // Comparisons stand alone; the others group from the left.
      const isComparison = level === levels["=="];
      return `${printTree(left, isComparison ? SUM : level)} ${sign} ${printTree(right, level + 1)}`;
    }
  }
}

/** Equations, one a line. */
export function printBody(statements: readonly Statement[], indent = ""): string {
  return statements.map((statement) => printStatement(statement, indent)).join("\n");
}

function printStatement(statement: Statement, indent: string): string {
  if (statement.kind === "assign") {
    return `${indent}${statement.name} = ${printTree(statement.value)}`;
  }
  const { condition, yes, no } = statement;
  const head = `${indent}if ${printTree(condition, OR)}:${printBlock(yes, indent)}`;
  if (no.length === 0) return head;
  const [first] = no;
  const isElif = no.length === 1 && first!.kind === "if";
  if (isElif) return `${head}\n${printStatement(first!, indent).replace("if", "elif")}`;
  return `${head}\n${indent}else:${printBlock(no, indent)}`;
}

/** On the same line, if it is one equation. */
function printBlock(statements: readonly Statement[], indent: string): string {
  const [first] = statements;
  if (statements.length === 1 && first!.kind === "assign") return ` ${printStatement(first!, "")}`;
  return `\n${printBody(statements, `${indent}  `)}`;
}

/** What a rule declares, one a line. */
export function printDeclarations(tree: RuleTree): string {
  const { name, hyper, state, numbers, counted, required } = tree;
  const isName = name !== undefined && /^[A-Za-z_]\w*$/.test(name) && !keywords.has(name);
  return [
    ...(isName ? [`rule ${name}`] : []),
    ...hyper.map(printHyper),
    ...(state.length > 0 ? [`state ${state.map(printSlot).join(", ")}`] : []),
    ...(numbers.length > 0 ? [`number ${numbers.map(printSlot).join(", ")}`] : []),
    ...(counted ? [] : ["uncounted"]),
    ...required.map((condition) => `require ${printTree(condition, OR)}`),
  ].join("\n");
}

function printHyper({ name, value, parts, domain }: HyperDeclaration): string {
  const named = (each: number, index: number) =>
    parts[index] === undefined ? String(each) : `${parts[index]} = ${each}`;
  const text = typeof value === "object" ? `(${value.map(named).join(", ")})` : String(value);
  return `${name} = ${text}${domain === undefined ? "" : ` in ${domain}`}`;
}

function printSlot({ letter, as, start }: SlotDeclaration): string {
  const name = as === letter ? "" : ` as ${as}`;
  return `${letter}${name}${start ? ` = ${printTree(start)}` : ""}`;
}

/** A whole rule. */
export const printText = (tree: RuleTree): string =>
  [printDeclarations(tree), printBody(tree.body)].filter((part) => part !== "").join("\n\n");
