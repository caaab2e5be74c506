/**
 * From text to tokens, line by line. Indentation becomes tokens as well, as blocks are made of it; a
 * bracket that is open carries a formula over to the next line.
 */
import { fail, type Source, type Span } from "./errors.ts";

export type TokenKind = "number" | "name" | "symbol" | "newline" | "indent" | "dedent" | "end";

export interface Token extends Span {
  readonly kind: TokenKind;
  readonly text: string;
}

/** Longer texts are refused: no rule needs them, and a page should not freeze. */
export const MAX_TEXT = 10_000;

const blank = /[ \r]*/y;
const number = /(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?/y;
const name = /[A-Za-z_]\w*/y;
const symbol = /\*\*|[=!<>]=|[-+*/^=<>()[\],:;]/y;

/** What to write in the place of signs that papers have and keyboards lack. */
const spelled: Readonly<Record<string, string>> = {
  "²": "Write x^2.",
  "√": "Write sqrt(x).",
  "·": "Write a * b.",
  "×": "Write a * b.",
  "−": "Write a plain minus, -.",
  "←": "Write =.",
  "≠": "Write !=.",
  "≤": "Write <=.",
  "≥": "Write >=.",
  "|": "Write abs(x), or a or b.",
  "&": "Write a and b.",
  "!": "Write not a.",
  "?": "Write a if condition else b.",
  "{": "Blocks are made by indentation.",
  ".": "A function stands before what it takes: sqrt(x).",
  "'": "Names have letters, digits and _ alone.",
  α: "The learning rate is lr.",
  η: "The learning rate is lr.",
  γ: "The learning rate is lr.",
  β: "Write b1 or b2, say.",
  ε: "Write eps.",
  λ: "Write weightDecay, say.",
  θ: "The parameter is p.",
  "∇": "The gradient is g.",
};

/** @throws {MathError} for what is no token, and for indentation that fits no block. */
export function tokensOf(source: Source): Token[] {
  const { text } = source;
  if (text.length > MAX_TEXT) {
    fail(
      source,
      { at: MAX_TEXT, end: MAX_TEXT },
      {
        code: "TOO_LONG",
        got: `${text.length} characters`,
        expected: `at most ${MAX_TEXT}`,
      },
    );
  }
  return new Lexer(source).all();
}

class Lexer {
  private readonly source: Source;
  private readonly tokens: Token[] = [];
  /** Indentations of the blocks that are open; the first line says what none is. */
  private readonly blocks: number[] = [];
  private brackets = 0;
  private at = 0;

  constructor(source: Source) {
    this.source = source;
  }

  all(): Token[] {
    const { text } = this.source;
    while (this.at < text.length) this.line();
    this.at = text.length;
    for (let depth = this.blocks.length; depth > 1; depth--) this.push("dedent", "");
    this.push("end", "");
    return this.tokens;
  }

  private line(): void {
    const begin = this.at;
    this.skip(blank);
    const char = this.source.text[this.at];
    const isEmpty = char === undefined || char === "\n" || char === "#";
    if (!isEmpty && this.brackets === 0) this.indent(this.at - begin);
    while (!this.endsLine()) this.token();
    if (!isEmpty && this.brackets === 0) this.push("newline", "");
    this.at++;
  }

  /** Whether the line ends here, or what counts of it. */
  private endsLine(): boolean {
    this.skip(blank);
    const { text } = this.source;
    if (text[this.at] === "#") {
      const end = text.indexOf("\n", this.at);
      this.at = end < 0 ? text.length : end;
    }
    return this.at >= text.length || text[this.at] === "\n";
  }

  private indent(width: number): void {
    const { blocks } = this;
    if (blocks.length === 0) blocks.push(width);
    if (width > blocks.at(-1)!) {
      blocks.push(width);
      this.push("indent", "");
    }
    while (blocks.length > 1 && width < blocks.at(-1)!) {
      blocks.pop();
      this.push("dedent", "");
    }
    if (width === blocks.at(-1)) return;
    fail(
      this.source,
      { at: this.at, end: this.at },
      {
        code: "BAD_INDENT",
        got: `a line indented by ${width}`,
        expected: `one indented by ${blocks.join(" or ")}`,
      },
    );
  }

  private token(): void {
    if (this.take(number, "number")) return this.checkNumber();
    if (this.take(name, "name")) return this.checkName();
    if (!this.take(symbol, "symbol")) this.refuse();
    const { text } = this.tokens.at(-1)!;
    if (text === "(" || text === "[") this.brackets++;
    if (text === ")" || text === "]") this.brackets = Math.max(0, this.brackets - 1);
  }

  private take(pattern: RegExp, kind: TokenKind): boolean {
    const end = this.match(pattern);
    if (end < 0) return false;
    this.push(kind, this.source.text.slice(this.at, end), end);
    this.at = end;
    return true;
  }

  private match(pattern: RegExp): number {
    pattern.lastIndex = this.at;
    return pattern.test(this.source.text) ? pattern.lastIndex : -1;
  }

  private skip(pattern: RegExp): void {
    this.at = this.match(pattern);
  }

  private push(kind: TokenKind, text: string, end = this.at): void {
    this.tokens.push({ kind, text, at: this.at, end });
  }

  private checkNumber(): void {
    const token = this.tokens.at(-1)!;
    const next = this.source.text[this.at] ?? "";
    const isLonger = /[\w.]/.test(next);
    if (!isLonger && Number.isFinite(Number(token.text))) return;
    const end = isLonger ? this.at + /^[\w.]*/.exec(this.source.text.slice(this.at))![0].length : 0;
    const got = this.source.text.slice(token.at, Math.max(token.end, end));
    fail(
      this.source,
      { at: token.at, end: token.at + got.length },
      {
        code: "BAD_NUMBER",
        got,
        expected: "a finite number such as 0.9 or 1e-8",
        advice: /[A-Za-z_]/.test(next) ? "A product takes a sign: 2 * g." : undefined,
      },
    );
  }

  /** Names that every object of JavaScript has already: they would be found where nobody put them. */
  private checkName(): void {
    const token = this.tokens.at(-1)!;
    if (!(token.text in {})) return;
    fail(this.source, token, {
      code: "BAD_NAME",
      got: token.text,
      expected: "a name that JavaScript has no use for",
    });
  }

  private refuse(): never {
    const char = String.fromCodePoint(this.source.text.codePointAt(this.at)!);
    const shown = char === "\t" ? "a tab" : char === "\r" ? "a carriage return" : char;
    fail(
      this.source,
      { at: this.at, end: this.at + char.length },
      {
        code: "BAD_CHARACTER",
        got: shown,
        expected: "numbers, names of letters, digits and _, and the signs + - * / ^",
        advice: char === "\t" ? "Indent by spaces." : spelled[char],
      },
    );
  }
}
