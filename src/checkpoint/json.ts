/**
 * A strict reader of JSON, and the writer to it.
 *
 * `JSON.parse` takes the last of equal keys in silence, nests without end, and forgets whether a number
 * was written `1`, `1.0` or `1e0`: a file that two readers understand differently is no checkpoint. This
 * one calls back as it reads, so that whoever reads refuses before anything is built.
 */
import { CheckpointError, Prose } from "../errors.ts";

/** What may stand in JSON. Objects have no prototype: no key means anything but itself. */
export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Deeper nesting is refused: a recursion must end. */
const MAX_DEPTH = 64;
const SPACE = /[ \t\n\r]*/y;
/** A text without escapes; control characters, of which only some are forbidden, are looked at one by one. */
const PLAIN = /"([^"\\\p{Cc}]*)"/uy;
const NATURAL = /(?:0|[1-9]\d{0,15})(?![\d.eE])/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|-?Infinity|NaN/y;
const ESCAPE = /(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const ESCAPES: Readonly<Record<string, string>> = {
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

export class JsonScanner {
  private readonly text: string;
  private readonly subject: string;
  private at = 0;
  private depth = 0;

  /** @param subject what messages call the text. */
  constructor(text: string, subject: string) {
    this.text = text;
    this.subject = subject;
  }

  /** An object: `each` reads the value of a key. Equal keys are refused. */
  object(each: (key: string) => void): void {
    this.enter("{", "an object");
    const keys = new Set<string>();
    for (let first = true; !this.accept("}"); first = false) {
      if (!first) this.expect(",", 'a "," or the end of the object');
      const key = this.string();
      if (keys.has(key)) this.refuse("DUPLICATE_KEY", key, "each key once");
      keys.add(key);
      this.expect(":", 'a ":"');
      each(key);
    }
    this.depth--;
  }

  /** An array: `each` reads an item. */
  array(each: (index: number) => void): void {
    this.enter("[", "an array");
    for (let index = 0; !this.accept("]"); index++) {
      if (index > 0) this.expect(",", 'a "," or the end of the array');
      each(index);
    }
    this.depth--;
  }

  string(): string {
    this.skip();
    PLAIN.lastIndex = this.at;
    const plain = PLAIN.exec(this.text);
    if (!plain) return this.escaped();
    this.at = PLAIN.lastIndex;
    return plain[1]!;
  }

  /** A whole number from 0 to 2^53 - 1, in digits alone. */
  natural(): number {
    this.skip();
    NATURAL.lastIndex = this.at;
    const found = NATURAL.exec(this.text);
    const value = found ? Number(found[0]) : NaN;
    if (!Number.isSafeInteger(value)) this.unexpected("a whole number from 0 to 2^53 - 1");
    this.at = NATURAL.lastIndex;
    return value;
  }

  /** Any value; also `NaN`, `Infinity` and `-Infinity`, as Python writes them. */
  value(): Json {
    this.skip();
    const { text, at } = this;
    switch (text[at]) {
      case "{": {
        const object = Object.create(null) as Record<string, Json>;
        this.object((key) => (object[key] = this.value()));
        return object;
      }
      case "[": {
        const array: Json[] = [];
        this.array(() => array.push(this.value()));
        return array;
      }
      case '"':
        return this.string();
    }
    for (const [word, value] of WORDS) if (this.accept(word)) return value;
    NUMBER.lastIndex = at;
    const found = NUMBER.exec(text);
    if (!found) this.unexpected("a value");
    this.at = NUMBER.lastIndex;
    return Number(found![0]);
  }

  /** Refuses anything but space up to the end. */
  end(): void {
    this.skip();
    if (this.at < this.text.length) this.unexpected("nothing more");
  }

  refuse(code: string, got: unknown, expected: string): never {
    throw new CheckpointError(code, {
      subject: `${this.subject}, at character ${this.at}`,
      got,
      expected,
    });
  }

  /** Refuses what comes next. */
  unexpected(expected: string): never {
    const { text, at } = this;
    const rest = at < text.length ? text.slice(at, at + 20) : new Prose("its end");
    return this.refuse("BAD_JSON", rest, expected);
  }

  private skip(): void {
    if (this.text.charCodeAt(this.at) > 0x20) return;
    SPACE.lastIndex = this.at;
    SPACE.exec(this.text);
    this.at = SPACE.lastIndex;
  }

  private accept(word: string): boolean {
    this.skip();
    if (!this.text.startsWith(word, this.at)) return false;
    this.at += word.length;
    return true;
  }

  private expect(word: string, expected: string): void {
    if (!this.accept(word)) this.unexpected(expected);
  }

  private enter(bracket: string, expected: string): void {
    this.expect(bracket, expected);
    if (++this.depth > MAX_DEPTH) {
      const got = new Prose(`more than ${MAX_DEPTH} brackets within another`);
      this.refuse("BAD_JSON", got, `at most ${MAX_DEPTH}`);
    }
  }

  /** A text with escapes; a surrogate without its other half is no text. */
  private escaped(): string {
    const { text } = this;
    const start = this.at;
    if (text[start] !== '"') this.unexpected("a text in double quotes");
    const parts: string[] = [];
    let from = start + 1;
    let at = from;
    for (; text[at] !== '"'; at++) {
      this.at = at;
      if (!(text.charCodeAt(at) >= 0x20)) this.unexpected("the rest of a text");
      if (text[at] !== "\\") continue;
      ESCAPE.lastIndex = at + 1;
      const found = ESCAPE.exec(text);
      if (!found) this.unexpected("an escape such as \\n or \\u0041");
      const [escape] = found!;
      const code =
        escape.length > 1 ? String.fromCharCode(Number.parseInt(escape.slice(1), 16)) : null;
      parts.push(text.slice(from, at), code ?? ESCAPES[escape] ?? escape);
      at += escape.length;
      from = at + 1;
    }
    parts.push(text.slice(from, at));
    const value = parts.join("");
    this.at = start;
    if (!value.isWellFormed()) this.unexpected("a text without half a surrogate pair");
    this.at = at + 1;
    return value;
  }
}

const WORDS: readonly (readonly [string, Json])[] = [
  ["true", true],
  ["false", false],
  ["null", null],
];

/** The value of a whole text. */
export function parseJson(text: string, subject: string): Json {
  const scanner = new JsonScanner(text, subject);
  const value = scanner.value();
  scanner.end();
  return value;
}

/** A number as text that reads back as the same number, here and in Python. */
export function writeNumber(value: number): string {
  return Object.is(value, -0) ? "-0.0" : String(value);
}

/** JSON, with numbers as {@link writeNumber} has them. */
export function writeJson(value: Json): string {
  if (typeof value === "number") return writeNumber(value);
  if (Array.isArray(value)) return `[${value.map(writeJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).map(
    ([key, item]) => `${JSON.stringify(key)}:${writeJson(item)}`,
  );
  return `{${entries.join(",")}}`;
}
