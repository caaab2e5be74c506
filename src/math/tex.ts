/** A rule as TeX: its equations, one below the other, as papers have them. */
import type { RuleTree, Statement } from "./ast.ts";
import { walk } from "./complete.ts";
import { formulaOf, type AnyRule, type FormulaOptions } from "./formula-of.ts";
import { texTree, type TexScope } from "./tex-expression.ts";
import { texNames, type Names } from "./tex-names.ts";

/** How {@link texOf} typesets. */
export interface TexOptions extends FormulaOptions {
  /** TeX for names, e.g. `{ p: "\\theta" }`. */
  readonly names?: Names;
}

/**
 * A rule's equations as TeX, an `aligned` environment. Where no case depends on what is not yet known, values
 * have their step as an index: m_t is made of m_{t-1}.
 *
 * @example
 * katex.render(texOf(Adam.rule, { hyper: {} }), element);
 *
 * @param rule a rule of text or of code, or a text. Without `hyper` all cases of a text are shown.
 * @throws {MathError} for a text that is no rule.
 */
export function texOf(rule: AnyRule | string, options: TexOptions = {}): string {
  const { names = {} } = options;
  const lines = new Typesetter(formulaOf(rule, options), names).lines();
  return `\\begin{aligned}\n${lines.map((line) => `  ${line}`).join(" \\\\\n")}\n\\end{aligned}`;
}

class Typesetter {
  private readonly tree: RuleTree;
  private readonly names: ReadonlyMap<string, string>;
  private readonly tensors: ReadonlySet<string>;
  /** What a step changes: it may have an index. */
  private readonly slots: ReadonlySet<string>;
  /** Whether each line holds in all cases, so that an index says which value is meant. */
  private readonly isStraight: boolean;
  private readonly renewed = new Set<string>();
  private readonly scope: TexScope;

  constructor(tree: RuleTree, names: Names) {
    this.tree = tree;
    this.names = texNames(tree, names);
    this.tensors = tensorsOf(tree);
    this.slots = new Set(["p", ...[...tree.state, ...tree.numbers].map(({ letter }) => letter)]);
    this.isStraight = tree.body.every(({ kind }) => kind === "assign");
    this.scope = {
      name: (name) => this.read(name),
      isTensor: (name) => this.tensors.has(name),
    };
  }

  lines(): string[] {
    const starts = [...this.tree.state, ...this.tree.numbers].flatMap(({ letter, start }) =>
      start ? [`${indexed(this.texName(letter), "0")} &= ${texTree(start, this.scope)}`] : [],
    );
    return [...starts, ...this.block(this.tree.body, [])];
  }

  private block(statements: readonly Statement[], cases: readonly string[]): string[] {
    return statements.flatMap((statement) => {
      if (statement.kind === "if") {
        const { condition, yes, no } = statement;
        const isIf = `\\text{if } ${texTree(condition, this.scope)}`;
        return [
          ...this.block(yes, [...cases, isIf]),
          ...this.block(no, [...cases, "\\text{otherwise}"]),
        ];
      }
      const value = texTree(statement.value, this.scope);
      const { name } = statement;
      const isNew = this.isStraight && name !== "g" && !this.renewed.has(name);
      if (this.slots.has(name)) this.renewed.add(name);
      const sign = isNew || (!this.slots.has(name) && name !== "g") ? "=" : "\\leftarrow";
      const all = cases.length > 0 ? ` && ${cases.join(",\\ ")}` : "";
      return [`${this.read(name)} &${sign} ${value}${all}`];
    });
  }

  private texName(name: string): string {
    return this.names.get(name) ?? `\\mathrm{${name}}`;
  }

  /** A name with its step, where there is one. */
  private read(name: string): string {
    const tex = this.texName(name);
    if (!this.isStraight || !(this.slots.has(name) || name === "g")) return tex;
    return indexed(tex, name === "g" || this.renewed.has(name) ? "t" : "t-1");
  }
}

/** An index, in brackets around a name that has one already. */
function indexed(tex: string, index: string): string {
  return /_\{/.test(tex) ? `{${tex}}_{${index}}` : `${tex}_{${index}}`;
}

/** The names that stand for tensors: those that a step is about, and what is computed from them. */
function tensorsOf({ state, body }: RuleTree): Set<string> {
  const tensors = new Set(["p", "g", ...state.map(({ letter }) => letter)]);
  let reads = false;
  walk(body, {
    name: (name: string) => (reads ||= tensors.has(name)),
    assign: (name: string) => {
      if (reads) tensors.add(name);
      reads = false;
    },
  });
  return tensors;
}
