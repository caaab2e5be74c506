/** The names that a rule's text can use, by what they stand for. */
import type { Rule } from "downhill";
import { walk } from "../../../../src/math/complete.ts";
import { parsedOf } from "../../../../src/math/rule.ts";
import { partNames } from "../../../../src/math/scope.ts";
import { words } from "../../../../src/math/words.ts";

export interface Name {
  readonly name: string;
  readonly about: string;
}

export interface Names {
  /** p, g and t, which every rule has. */
  readonly given: readonly Name[];
  /** What is remembered from step to step. */
  readonly state: readonly Name[];
  readonly hyper: readonly Name[];
  /** What the text gives a value. */
  readonly local: readonly Name[];
}

const given: readonly Name[] = [
  { name: "p", about: "the parameter" },
  { name: "g", about: "its gradient" },
  { name: "t", about: "the count of its steps, from 1" },
];

export function namesOf(rule: Rule): Names {
  const tree = parsedOf(rule)?.tree;
  if (!tree) return { given, state: [], hyper: [], local: [] };
  const state = [...tree.state, ...tree.numbers].map(({ letter, as }) => ({
    name: letter,
    about: as === letter ? "remembered from step to step" : `remembered, as ${as}`,
  }));
  const hyper = tree.hyper.flatMap((each) => {
    const { name, value } = each;
    if (typeof value !== "object") return [{ name, about: `a hyperparameter, ${value}` }];
    return partNames(each).map((part, i) => ({ name: part, about: `of ${name}, ${value[i]}` }));
  });
  const known = new Set([...given, ...state, ...hyper].map(({ name }) => name));
  const assigned = new Set<string>();
  walk(tree.body, { name: () => {}, assign: (name) => assigned.add(name) });
  const local = [...assigned]
    .filter((name) => !known.has(name))
    .map((name) => ({ name, about: "has its value in this text" }));
  return { given, state, hyper, local };
}

/** The functions, and what each is called with. */
export const functions: readonly (Name & { readonly example: string })[] = [...words].map(
  ([name, { example }]) => ({ name, example, about: `${name}(${example})` }),
);
