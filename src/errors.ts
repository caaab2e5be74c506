/**
 * Every error that Downhill throws on purpose.
 *
 * A message says four things in this order: what it is about, what was got, what was expected and
 * what to do. `code` is stable and meant for programs; the rest is meant for people. An error is
 * thrown before anything is written, so whoever catches one still holds the state from before.
 */

/** What an error tells, in parts. */
export interface ErrorParts {
  /** The tensor, option or rule it is about, e.g. `w` or `Adam: lr`. */
  readonly subject: string;
  readonly got: unknown;
  readonly expected: string;
  /** What the reader can do about it: a sentence with a full stop. */
  readonly advice?: string;
}

/** The base class: `error instanceof DownhillError` holds for every error below. */
export class DownhillError extends Error {
  /** Stable and machine-readable, e.g. `"BAD_HYPERPARAMETER"`. */
  readonly code: string;
  /** The tensor, option or rule it is about. */
  readonly subject: string;
  readonly got: unknown;
  readonly expected: string;

  constructor(code: string, parts: ErrorParts) {
    const { subject, got, expected, advice } = parts;
    super(`${subject}: got ${show(got)}, expected ${expected}.${advice ? ` ${advice}` : ""}`);
    this.name = new.target.name;
    this.code = code;
    this.subject = subject;
    this.got = got;
    this.expected = expected;
  }
}

/** A hyperparameter or option with a wrong value or name. */
export class OptionError extends DownhillError {}
/** Parameters that are missing, double, wrongly shaped or of the wrong type. */
export class ParameterError extends DownhillError {}
/** A gradient that does not fit its parameter. */
export class GradientError extends DownhillError {}
/** A state dict that does not fit the optimizer it is loaded into. */
export class StateDictError extends DownhillError {}
/** A rule that is not a pure function of its tensors and numbers. */
export class RuleError extends DownhillError {}
/** A backend that is missing here, or a memory that cannot serve. */
export class BackendError extends DownhillError {}

/** Text that is already prose: {@link show} prints it without quotes. */
export class Prose {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** How a value reads in a message: short, and never a whole tensor. */
export function show(value: unknown): string {
  if (value instanceof Prose) return value.text;
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (typeof value === "function") return value.name ? `function ${value.name}` : "a function";
  if (Array.isArray(value)) return showArray(value);
  if (ArrayBuffer.isView(value)) {
    const length = (value as { length?: number }).length;
    return `${value.constructor.name}${length === undefined ? "" : `(${length})`}`;
  }
  if (typeof value === "object" && value !== null) {
    const name = (Object.getPrototypeOf(value) as { constructor?: { name?: string } } | null)
      ?.constructor?.name;
    return name && name !== "Object" ? `a ${name}` : `an object {${Object.keys(value).join(", ")}}`;
  }
  return String(value);
}

function showArray(values: readonly unknown[]): string {
  const shown = values.slice(0, 8).map(show).join(", ");
  return values.length > 8 ? `[${shown}, … ${values.length} in all]` : `[${shown}]`;
}
