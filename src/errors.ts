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
  /** What was got, as text: an error keeps no tensor alive. */
  readonly got: string;
  readonly expected: string;
  override readonly name: string = "DownhillError";

  constructor(code: string, parts: ErrorParts) {
    const { subject, expected, advice } = parts;
    const got = show(parts.got);
    super(`${subject}: got ${got}, expected ${expected}.${advice ? ` ${advice}` : ""}`);
    this.code = code;
    this.subject = subject;
    this.got = got;
    this.expected = expected;
  }
}

/** A hyperparameter or option with a wrong value or name. */
export class OptionError extends DownhillError {
  override readonly name = "OptionError";
}
/** Parameters that are missing, double, wrongly shaped or of the wrong type. */
export class ParameterError extends DownhillError {
  override readonly name = "ParameterError";
}
/** A gradient that does not fit its parameter. */
export class GradientError extends DownhillError {
  override readonly name = "GradientError";
}
/** A state dict that does not fit the optimizer it is loaded into. */
export class StateDictError extends DownhillError {
  override readonly name = "StateDictError";
}
/** An average that is used where it cannot be, or parameters while they hold their averages. */
export class AverageError extends DownhillError {
  override readonly name = "AverageError";
}
/** A checkpoint that is damaged, is none, or does not fit; a file that could not be read or written. */
export class CheckpointError extends DownhillError {
  override readonly name = "CheckpointError";
}
/** A call at the wrong time: too early, too late or once more than makes sense. */
export class CallError extends DownhillError {
  override readonly name = "CallError";
}
/** A rule that is not a pure function of its tensors and numbers. */
export class RuleError extends DownhillError {
  override readonly name = "RuleError";
}
/** A backend that is missing here, or a memory that cannot serve. */
export class BackendError extends DownhillError {
  override readonly name = "BackendError";
}

/** Text that is already prose: {@link show} prints it without quotes. */
export class Prose {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** Longer texts, lists and key sets are cut. */
const MAX_TEXT = 80;
const MAX_ITEMS = 8;

/** How a value reads in a message: short, and never a whole tensor. */
export function show(value: unknown): string {
  if (value instanceof Prose) return value.text;
  if (typeof value === "string") return JSON.stringify(cut(value));
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return value.name ? `function ${value.name}` : "a function";
  if (Array.isArray(value)) return showArray(value, 0);
  if (ArrayBuffer.isView(value)) {
    const length = (value as { length?: number }).length;
    return `${value.constructor.name}${length === undefined ? "" : `(${length})`}`;
  }
  return typeof value === "object" && value !== null ? showObject(value) : String(value);
}

function showObject(value: object): string {
  const prototype = Object.getPrototypeOf(value) as { constructor?: { name?: string } } | null;
  const name = prototype?.constructor?.name;
  if (name && name !== "Object") return `${/^[AEIOU]/.test(name) ? "an" : "a"} ${name}`;
  const keys = Object.keys(value);
  const shown = keys.slice(0, MAX_ITEMS).map(cut).join(", ");
  return `an object {${shown}${keys.length > MAX_ITEMS ? `, … ${keys.length} in all` : ""}}`;
}

/** Nested lists below the first level are only counted. */
function showArray(values: readonly unknown[], depth: number): string {
  if (depth > 1) return `[… ${values.length}]`;
  const each = (value: unknown) =>
    Array.isArray(value) ? showArray(value, depth + 1) : show(value);
  const shown = values.slice(0, MAX_ITEMS).map(each).join(", ");
  return values.length > MAX_ITEMS ? `[${shown}, … ${values.length} in all]` : `[${shown}]`;
}

function cut(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}
