/** How names are typeset: Greek where they are Greek letters, with hats and indices where they say so. */
import type { RuleTree } from "./ast.ts";
import { walk } from "./complete.ts";

const greek: ReadonlySet<string> = /* @__PURE__ */ new Set(
  (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau phi chi psi " +
    "omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"
  ).split(" "),
);

/** The letters of papers, the first one that is free. */
const usual: ReadonlyMap<string, readonly string[]> = /* @__PURE__ */ new Map([
  ["lr", ["\\eta", "\\gamma"]],
  ["eps", ["\\epsilon"]],
  ["weightDecay", ["\\lambda", "\\omega"]],
  ["momentum", ["\\mu", "\\beta"]],
  ["dampening", ["\\tau"]],
  ["lambd", ["\\lambda"]],
]);

/** Marks above a letter, by what a name ends in. */
const marks: Readonly<Record<string, string>> = { hat: "\\hat", bar: "\\bar", tilde: "\\tilde" };

export type Names = Readonly<Record<string, string>>;

/** All names of a rule as TeX, no two of them alike. */
export function texNames(
  { hyper, state, numbers, body }: RuleTree,
  given: Names,
): Map<string, string> {
  const own = ["p", "g", "t", ...[...state, ...numbers].map(({ letter }) => letter)];
  const options = hyper.flatMap(({ name, parts }) => [
    name,
    ...parts.flatMap((part, i) => [`${name}[${i}]`, ...(part === undefined ? [] : [part])]),
  ]);
  const locals: string[] = [];
  walk(body, { name: (name) => locals.push(name), assign: (name) => locals.push(name) });
  const all = [...new Set([...own, ...options, ...locals])];
  const made = new Map<string, string>();
  const taken = new Set<string>();
  const take = (name: string, tex: string) => {
    made.set(name, tex);
    taken.add(tex);
  };
  for (const name of all) if (Object.hasOwn(given, name)) take(name, given[name]!);
  const rest = all.filter((name) => !made.has(name));
  for (const name of rest) if (!usual.has(name)) take(name, spelled(name));
  for (const name of rest) {
    const free = usual.get(name)?.find((tex) => !taken.has(tex));
    if (usual.has(name)) take(name, free ?? upright(name));
  }
  return made;
}

function spelled(name: string): string {
  const part = /^(\w+)\[(\d)\]$/.exec(name);
  if (part) return `{${spelled(part[1]!)}}_{${part[2]}}`;
  const [, head, mark] = /^(.+)_(hat|bar|tilde)$/.exec(name) ?? [];
  if (head && mark) return `${marks[mark]}{${spelled(head)}}`;
  const [, stem, index] = /^([A-Za-z]+)_?(\d+)$/.exec(name) ?? [];
  // Betas are called b1 and b2 in rules.
  if (stem && index) return `${stem === "b" ? "\\beta" : symbol(stem)}_{${index}}`;
  const [, letter, below] = /^([A-Za-z]+)_([A-Za-z]+)$/.exec(name) ?? [];
  return letter && below ? `${symbol(letter)}_{${upright(below)}}` : symbol(name);
}

function symbol(name: string): string {
  if (name.length === 1) return name;
  return greek.has(name) ? `\\${name}` : upright(name);
}

const upright = (name: string): string => `\\mathrm{${name.replaceAll("_", "\\_")}}`;
