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
const PLAIN = /"[^"\\\p{Cc}]*"/uy;
const NATURAL = /(?:0|[1-9]\d{0,15})(?![\d.eE])/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|-?Infinity|NaN/y;
const ESCAPE = /(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

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

  /**
   * An object: `each` reads the value of a key. Equal keys are refused.
   *
   * @param seen knows the keys that there were, if the caller keeps them anyway.
   */
  object(each: (key: string) => void, seen?: { has(key: string): boolean }): void {
    this.enter("{", "an object");
    const own = seen ? null : new Set<string>();
    const keys = seen ?? own!;
    for (let first = true; !this.accept("}"); first = false) {
      if (!first) this.expect(",", 'a "," or the end of the object');
      const key = this.string();
      if (keys.has(key)) this.refuse("DUPLICATE_KEY", key, "each key once");
      own?.add(key);
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
    const start = this.at;
    PLAIN.lastIndex = start;
    if (!PLAIN.test(this.text)) return this.escaped();
    this.at = PLAIN.lastIndex;
    return this.text.slice(start + 1, this.at - 1);
  }

  /** A whole number from 0 to 2^53 - 1, in digits alone. */
  natural(): number {
    this.skip();
    NATURAL.lastIndex = this.at;
    const isFound = NATURAL.test(this.text);
    const value = isFound ? Number(this.text.slice(this.at, NATURAL.lastIndex)) : NaN;
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
    const { text, at: start } = this;
    if (text[start] !== '"') this.unexpected("a text in double quotes");
    let at = start + 1;
    for (; text[at] !== '"'; at++) {
      this.at = at;
      if (!(text.charCodeAt(at) >= 0x20)) this.unexpected("the rest of a text");
      if (text[at] !== "\\") continue;
      ESCAPE.lastIndex = at + 1;
      if (!ESCAPE.test(text)) this.unexpected("an escape such as \\n or \\u0041");
      at = ESCAPE.lastIndex - 1;
    }
    const value = JSON.parse(text.slice(start, at + 1)) as string;
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
