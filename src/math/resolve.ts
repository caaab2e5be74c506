/**
 * A rule with some values of its hyperparameters: what they decide is decided, and what is then never
 * read is left out.
 */
import type { HyperValue } from "../ir/rule.ts";
import type { HyperDeclaration, RuleTree, Statement, Tree } from "./ast.ts";
import { compileCondition } from "./compile.ts";
import { childrenOf, eachName, walk } from "./complete.ts";
import type { Source } from "./errors.ts";

type Values = Readonly<Record<string, HyperValue>>;

/** The tree that is left with these values, which become the defaults. */
export function resolve(source: Source, given: RuleTree, values: Values): RuleTree {
  const hyper = given.hyper.map((each): HyperDeclaration => {
    const value = Object.hasOwn(values, each.name) ? values[each.name]! : each.value;
    return { ...each, value: value as HyperDeclaration["value"] };
  });
  const tree = { ...given, hyper };
  const decide = decider(source, tree);
  return withoutUnread({ ...tree, body: resolveBlock(tree.body, decide) });
}

type Decide = (condition: Tree) => boolean | Tree;

/** Makes of a condition what hyperparameters leave of it. */
function decider(source: Source, tree: RuleTree): Decide {
  const known = new Set(tree.hyper.flatMap(({ name, parts }) => [name, ...parts]));
  const values = Object.fromEntries(tree.hyper.map(({ name, value }) => [name, value]));
  const isKnown = (condition: Tree): boolean => {
    let isFixed = !asksState(condition);
    eachName(condition, (name) => (isFixed &&= known.has(name)));
    return isFixed;
  };
  const decide: Decide = (condition) => {
    if (isKnown(condition)) return compileCondition(source, tree, condition)(values as Values);
    if (condition.kind === "unary" && condition.sign === "not") {
      const inner = decide(condition.arg);
      return typeof inner === "boolean" ? !inner : { ...condition, arg: inner };
    }
    if (condition.kind !== "binary") return condition;
    const { sign } = condition;
    if (sign !== "and" && sign !== "or") return resolveTree(condition, decide);
    const [left, right] = [decide(condition.left), decide(condition.right)];
    const decisive = sign === "or";
    if (left === decisive || right === decisive) return decisive;
    if (typeof left === "boolean") return right;
    return typeof right === "boolean" ? left : { ...condition, left, right };
  };
  return decide;
}

function asksState(tree: Tree): boolean {
  return (tree.kind === "call" && tree.word === "isFresh") || childrenOf(tree).some(asksState);
}

function resolveBlock(statements: readonly Statement[], decide: Decide): Statement[] {
  return statements.flatMap((statement): readonly Statement[] => {
    if (statement.kind === "assign") {
      return [{ ...statement, value: resolveTree(statement.value, decide) }];
    }
    const decided = decide(statement.condition);
    const [yes, no] = [resolveBlock(statement.yes, decide), resolveBlock(statement.no, decide)];
    if (typeof decided === "boolean") return decided ? yes : no;
    if (yes.length > 0) return [{ ...statement, condition: decided, yes, no }];
    if (no.length === 0) return [];
    const { at, end, depth } = decided;
    const condition: Tree = { kind: "unary", sign: "not", arg: decided, at, end, depth };
    return [{ ...statement, condition, yes: no, no: [] }];
  });
}

function resolveTree(tree: Tree, decide: Decide): Tree {
  const inner = (child: Tree) => resolveTree(child, decide);
  switch (tree.kind) {
    case "call":
      return { ...tree, args: tree.args.map(inner) };
    case "unary":
      return { ...tree, arg: inner(tree.arg) };
    case "binary":
      return { ...tree, left: inner(tree.left), right: inner(tree.right) };
    case "choice": {
      const decided = decide(tree.condition);
      if (typeof decided === "boolean") return inner(decided ? tree.yes : tree.no);
      return { ...tree, condition: decided, yes: inner(tree.yes), no: inner(tree.no) };
    }
    default:
      return tree;
  }
}

/** Leaves out state without an equation, and hyperparameters and conditions of what is gone. */
function withoutUnread(tree: RuleTree): RuleTree {
  const read = new Set<string>();
  const assigned = new Set<string>();
  const name = (each: string) => read.add(each);
  walk(tree.body, { name, assign: (each) => assigned.add(each) });
  const state = tree.state.filter(({ letter }) => assigned.has(letter));
  for (const { start } of [...state, ...tree.numbers]) if (start) eachName(start, name);
  const isRead = (each: HyperDeclaration) =>
    [each.name, ...each.parts].some((part) => part !== undefined && read.has(part));
  const hyper = tree.hyper.filter(isRead);
  const kept = new Set(hyper.flatMap((each) => [each.name, ...each.parts]));
  const required = tree.required.filter((condition) => {
    let isKept = true;
    eachName(condition, (each) => (isKept &&= kept.has(each)));
    return isKept;
  });
  return { ...tree, hyper, state, required };
}
