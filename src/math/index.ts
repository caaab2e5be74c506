/** Rules as text: parsed into the same rules as those of code, printed, and typeset. */
export { MathError } from "./errors.ts";
export type { AnyRule, FormulaOptions } from "./formula-of.ts";
export { printRule, type PrintOptions } from "./print-rule.ts";
export { texOf, type TexOptions } from "./tex.ts";
export { parseRule, type ParseOptions } from "./rule.ts";
