/** The text of a rule. */
import { formulaOf, type AnyRule, type FormulaOptions } from "./formula-of.ts";
import { printBody, printText } from "./print.ts";

/** How {@link printRule} prints. */
export interface PrintOptions extends FormulaOptions {
  /** Whether hyperparameters and state are declared, so that the text is a rule (default true). */
  readonly declarations?: boolean;
}

/**
 * A rule as text, in a uniform way: what `parseRule` makes the same rule of. A rule of code whose text is not
 * known is printed as the equations of its second step, with numbers in the place of hyperparameters.
 *
 * @example
 * printRule(Adam.rule, { hyper: { lr: 0.1 }, declarations: false });
 *
 * @param rule a rule of text or of code, or a text.
 * @throws {MathError} for a text that is no rule.
 */
export function printRule(rule: AnyRule | string, options: PrintOptions = {}): string {
  const tree = formulaOf(rule, options);
  return options.declarations === false ? printBody(tree.body) : printText(tree);
}
