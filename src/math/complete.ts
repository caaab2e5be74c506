/**
 * Adds to a rule's text what it leaves out: customary hyperparameters such as lr and eps that it reads
 * and nowhere declares, and state. Where a text declares no state, each name is state that it reads
 * before it gives it a value: `m = ema(m, g, b1)`.
 */
import type { Interval } from "../ir/rule.ts";
import type { HyperDeclaration, RuleTree, SlotDeclaration, Statement, Tree } from "./ast.ts";

/** Hyperparameters that nobody needs to declare, with their defaults. */
export const customary: ReadonlyMap<string, { value: number; domain: Interval }> =
  /* @__PURE__ */ new Map([
    ["lr", { value: 1e-3, domain: "[0, inf)" }],
    ["b1", { value: 0.9, domain: "[0, 1)" }],
    ["b2", { value: 0.999, domain: "[0, 1)" }],
    ["eps", { value: 1e-8, domain: "[0, inf)" }],
    ["momentum", { value: 0.9, domain: "[0, inf)" }],
    ["weightDecay", { value: 0, domain: "[0, inf)" }],
  ] as const);

/** Calls `see` with each name that an expression reads. */
export function eachName(tree: Tree, see: (name: string, tree: Tree) => void): void {
  if (tree.kind === "name" || tree.kind === "part") see(tree.name, tree);
  for (const child of childrenOf(tree)) eachName(child, see);
}

/** The expressions of which one is made. */
export function childrenOf(tree: Tree): readonly Tree[] {
  switch (tree.kind) {
    case "call":
      return tree.args;
    case "unary":
      return [tree.arg];
    case "binary":
      return [tree.left, tree.right];
    case "choice":
      return [tree.condition, tree.yes, tree.no];
    default:
      return [];
  }
}

/** Calls `see` with each assignment, in the order of the text, and before it with what it reads. */
export function walk(
  statements: readonly Statement[],
  see: { name: (name: string, tree: Tree) => void; assign: (name: string) => void },
): void {
  for (const statement of statements) {
    if (statement.kind === "assign") {
      eachName(statement.value, see.name);
      see.assign(statement.name);
    } else {
      eachName(statement.condition, see.name);
      walk(statement.yes, see);
      walk(statement.no, see);
    }
  }
}

/** @param given names of hyperparameters that stand outside the text. */
export function complete(tree: RuleTree, given: readonly string[]): RuleTree {
  const known = new Set(["p", "g", "t", ...given]);
  for (const { name, parts } of tree.hyper)
    [name, ...parts].forEach((each) => each && known.add(each));
  for (const { letter } of [...tree.state, ...tree.numbers]) known.add(letter);
  const assigned = new Set<string>();
  walk(tree.body, { name: () => {}, assign: (name) => assigned.add(name) });
  const hyper: HyperDeclaration[] = [...tree.hyper];
  const state: SlotDeclaration[] = [...tree.state];
  const discover = (name: string, { at, end }: Tree) => {
    if (known.has(name)) return;
    const custom = customary.get(name);
    if (custom) hyper.push({ name, ...custom, parts: [], at, end });
    else if (assigned.has(name) && tree.state.length === 0) {
      state.push({ letter: name, as: name, start: undefined, at, end });
    } else return;
    known.add(name);
  };
  for (const { start } of [...tree.state, ...tree.numbers]) if (start) eachName(start, discover);
  for (const condition of tree.required) eachName(condition, discover);
  walk(tree.body, { name: discover, assign: (name) => known.add(name) });
  return { ...tree, hyper, state };
}
