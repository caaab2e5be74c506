/** Rules as text: parsed into the same rules as those of code, printed, and typeset. */
export { MathError } from "./errors.ts";
export { parseRule, type ParseOptions } from "./rule.ts";
