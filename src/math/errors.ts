/**
 * What is wrong with a rule's text, and where: the line is shown with a caret under what is meant.
 *
 *     Adam, line 3: got mm, expected one of p, g, m, v, t, lr, b1, b2. Did you mean m?
 *       p = p - lr * mm
 *                    ^^
 */
import { DownhillError, Prose } from "../errors.ts";

/** A stretch of a text, from one offset up to before another. */
export interface Span {
  readonly at: number;
  readonly end: number;
}

/** A text and who it belongs to. */
export interface Source {
  readonly owner: string;
  readonly text: string;
}

/** What is said of a place in a text. */
export interface Fault {
  readonly code: string;
  readonly got: string;
  readonly expected: string;
  readonly advice?: string | undefined;
  /** The names that may stand there, if it is a name that is wrong. */
  readonly names?: readonly string[];
}

/** As much of a line is shown on either side of the place. */
const MAX_SIDE = 60;

/** A text that is no rule. */
export class MathError extends DownhillError {
  override readonly name = "MathError";
  /** Where it begins, both from 1. */
  readonly line: number;
  readonly column: number;
  /** Number of characters. */
  readonly length: number;
  /** The line, and below it the caret. */
  readonly excerpt: string;
  /** The names that could have stood there; empty unless it is a name that is wrong. */
  readonly names: readonly string[];

  constructor({ owner, text }: Source, { at, end }: Span, fault: Fault) {
    const before = text.slice(0, at).split("\n");
    const line = before.length;
    const { code, got, expected, advice, names = [] } = fault;
    super(code, {
      subject: `${owner}, line ${line}`,
      got: new Prose(got),
      expected,
      ...(advice === undefined ? {} : { advice }),
    });
    this.line = line;
    this.column = before.at(-1)!.length + 1;
    this.length = Math.max(1, end - at);
    this.names = names;
    this.excerpt = excerptOf(text, at, this.length);
    this.message += `\n${this.excerpt}`;
  }
}

function excerptOf(text: string, at: number, length: number): string {
  const begin = (at > 0 ? text.lastIndexOf("\n", at - 1) : -1) + 1;
  const stop = text.indexOf("\n", at);
  const from = Math.max(begin, at - MAX_SIDE);
  const to = Math.min(stop < 0 ? text.length : stop, at + MAX_SIDE);
  const plain = (part: string) => part.replaceAll(/[^\P{C}\n]/gu, " ");
  const carets = Math.max(1, Math.min(length, to - at));
  return `  ${plain(text.slice(from, to))}\n  ${" ".repeat(at - from)}${"^".repeat(carets)}`;
}

/** @throws {MathError} */
export function fail(source: Source, span: Span, fault: Fault): never {
  throw new MathError(source, span, fault);
}
