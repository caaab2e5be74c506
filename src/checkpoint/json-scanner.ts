/**
 * A strict reader of JSON, over bytes.
 *
 * It calls back as it reads, so that whoever reads refuses before anything is built, and makes texts only where
 * they are asked for.
 */
import { CheckpointError, Prose } from "../errors.ts";
import { BACKSLASH, ESCAPES, hexAt, SMALL_U, unescape, ZERO, type Utf8 } from "./json-escapes.ts";

export type { Utf8 } from "./json-escapes.ts";

/** Deeper nesting is refused: a recursion must end. */
const MAX_DEPTH = 64;

export const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
export const BRACKET = 0x5b;
const BRACKET_END = 0x5d;
export const BRACE = 0x7b;
const BRACE_END = 0x7d;
const SPACE = 0x20;
const POINT = 0x2e;
const SMALL_E = 0x65;

const decoder = /* @__PURE__ */ new TextDecoder("utf-8", { ignoreBOM: true });

export class JsonScanner {
  /** The place of what is read next. */
  at = 0;
  /** From and to where the characters of the last text stand. */
  from = 0;
  to = 0;
  readonly bytes: Uint8Array;
  private readonly subject: string;
  private depth = 0;
  /** Whether there are escapes in the last text, and what it is without. */
  private isEscaped = false;
  private plain: Utf8 | null = null;

  /**
   * @param bytes in UTF-8, which is not checked.
   * @param subject what messages call them.
   */
  constructor(bytes: Uint8Array, subject: string) {
    this.bytes = bytes;
    this.subject = subject;
  }

  /** An object: `each` reads the value of the key that begins at a place. Whether keys are equal is its business. */
  entries(each: (place: number) => void): void {
    this.enter(BRACE, "an object");
    for (let isFirst = true; this.hasMore(BRACE_END, isFirst); isFirst = false) each(this.key());
    this.depth--;
  }

  /** Goes to the next key of an object, after a value. @returns whether there is one. */
  hasNext(): boolean {
    return this.hasMore(BRACE_END, false);
  }

  private hasMore(end: number, isFirst: boolean): boolean {
    if (this.accept(end)) return false;
    if (isFirst || this.accept(COMMA)) return true;
    return this.unexpected(`a "," or the end of the ${end === BRACE_END ? "object" : "array"}`);
  }

  /** Steps over a key; it is the last text then. @returns its place. */
  key(): number {
    this.skip();
    const place = this.at;
    this.span();
    if (!this.accept(COLON)) this.unexpected('a ":"');
    return place;
  }

  /** An array: `each` reads an item. */
  array(each: (index: number) => void): void {
    this.enter(BRACKET, "an array");
    for (let index = 0; this.hasMore(BRACKET_END, index === 0); index++) each(index);
    this.depth--;
  }

  /**
   * An array of whole numbers, which replace those of a list.
   *
   * @param most how many there may be.
   */
  naturals(list: number[], most: number): void {
    list.length = 0;
    this.enter(BRACKET, "an array");
    while (this.hasMore(BRACKET_END, list.length === 0)) {
      if (list.length === most) this.unexpected(`the end of at most ${most} numbers`);
      list.push(this.natural());
      // Most are digits with commas between, and need no more than this.
      const { bytes } = this;
      let { at } = this;
      while (bytes[at] === COMMA && list.length < most) {
        const digit = bytes[at + 1]! - ZERO;
        const isWhole = bytes[at + 2] === COMMA || bytes[at + 2] === BRACKET_END;
        if (!(digit >= 0 && digit <= 9 && isWhole)) break;
        list.push(digit);
        at += 2;
      }
      this.at = at;
    }
    this.depth--;
  }

  /** Steps over a text; a surrogate without its other half is no text. */
  span(): void {
    this.skip();
    const { bytes } = this;
    let { at } = this;
    if (bytes[at] !== QUOTE) this.unexpected("a text in double quotes");
    this.from = ++at;
    this.isEscaped = false;
    this.plain = null;
    for (; bytes[at] !== QUOTE; at++) {
      if (bytes[at] === BACKSLASH) {
        at = this.escape(at);
      } else if (!(bytes[at]! >= SPACE)) {
        this.at = at;
        this.unexpected("the rest of a text");
      }
    }
    this.to = at;
    this.at = at + 1;
  }

  /** The last text. */
  text(): string {
    const { bytes, from, to } = this.utf8();
    return decoder.decode(bytes.subarray(from, to));
  }

  /** The last text without escapes; only until the next one is read. */
  utf8(): Utf8 {
    return this.isEscaped ? (this.plain ??= unescape(this)) : this;
  }

  /** Whether the last text is a word. */
  says(word: Uint8Array): boolean {
    const { bytes, from, to } = this.utf8();
    if (to - from !== word.length) return false;
    for (let i = 0; i < word.length; i++) if (bytes[from + i] !== word[i]) return false;
    return true;
  }

  string(): string {
    this.span();
    return this.text();
  }

  /** A whole number from 0 to 2^53 - 1, in digits alone. */
  natural(): number {
    this.skip();
    const { bytes, at: begin } = this;
    let at = begin;
    let value = 0;
    for (let digit = bytes[at]! - ZERO; digit >= 0 && digit <= 9; digit = bytes[++at]! - ZERO) {
      value = 10 * value + digit;
    }
    const isPadded = bytes[begin] === ZERO && at > begin + 1;
    const isFraction = bytes[at] === POINT || (bytes[at]! | 0x20) === SMALL_E;
    if (at === begin || isPadded || isFraction || value > Number.MAX_SAFE_INTEGER) {
      this.unexpected("a whole number from 0 to 2^53 - 1");
    }
    this.at = at;
    return value;
  }

  /** The next byte that is no space; NaN at the end. */
  peek(): number {
    this.skip();
    return this.bytes[this.at] ?? NaN;
  }

  /** What is written in letters, digits and signs of numbers. */
  token(): string {
    const { bytes, at: begin } = this;
    while (isOfToken(bytes[this.at]!)) this.at++;
    return decoder.decode(bytes.subarray(begin, this.at));
  }

  /** Refuses anything but space up to the end. */
  end(): void {
    this.skip();
    if (this.at < this.bytes.length) this.unexpected("nothing more");
  }

  refuse(code: string, got: unknown, expected: string, advice = ""): never {
    const subject = `${this.subject}, at byte ${this.at}`;
    throw new CheckpointError(code, { subject, got, expected, advice });
  }

  /** Refuses what comes next. */
  unexpected(expected: string): never {
    const { bytes, at } = this;
    const rest = decoder.decode(bytes.subarray(at, at + 80)).slice(0, 20);
    return this.refuse("BAD_JSON", at < bytes.length ? rest : new Prose("its end"), expected);
  }

  private skip(): void {
    const { bytes } = this;
    let { at } = this;
    let c = bytes[at]!;
    while (c <= SPACE && (c === SPACE || c === 0x0a || c === 0x0d || c === 0x09)) c = bytes[++at]!;
    this.at = at;
  }

  private accept(character: number): boolean {
    if (this.bytes[this.at] !== character) {
      this.skip();
      if (this.bytes[this.at] !== character) return false;
    }
    this.at++;
    return true;
  }

  private enter(bracket: number, expected: string): void {
    if (!this.accept(bracket)) this.unexpected(expected);
    if (++this.depth > MAX_DEPTH) {
      const got = new Prose(`more than ${MAX_DEPTH} brackets within another`);
      this.refuse("BAD_JSON", got, `at most ${MAX_DEPTH}`);
    }
  }

  /** @returns the last place of what begins with a backslash: a character, or both halves of a pair. */
  private escape(at: number): number {
    const { bytes } = this;
    this.isEscaped = true;
    if (ESCAPES.has(bytes[at + 1]!)) return at + 1;
    const code = bytes[at + 1] === SMALL_U ? hexAt(bytes, at + 2) : NaN;
    if (Number.isNaN(code)) {
      this.at = at;
      this.unexpected("an escape such as \\n or \\u0041");
    }
    if (code < 0xd800 || code > 0xdfff) return at + 5;
    const isPair = code < 0xdc00 && bytes[at + 6] === BACKSLASH && bytes[at + 7] === SMALL_U;
    const low = isPair ? hexAt(bytes, at + 8) : NaN;
    if (!(low >= 0xdc00 && low <= 0xdfff)) {
      this.at = at;
      this.unexpected("a text without half a surrogate pair");
    }
    return at + 11;
  }
}

/** Letters, digits, and `+-.`. */
function isOfToken(c: number): boolean {
  const letter = c | 0x20;
  const isDigit = c >= ZERO && c <= ZERO + 9;
  return isDigit || (letter >= 0x61 && letter <= 0x7a) || c === 0x2b || c === 0x2d || c === POINT;
}
