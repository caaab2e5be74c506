/** A place among tokens, with what every part of the parser asks there. */
import type { Tree } from "./ast.ts";
import { fail, type Fault, type Source, type Span } from "./errors.ts";
import { tokensOf, type Token, type TokenKind } from "./lex.ts";

/** Expressions and blocks may lie inside one another so often: what walks them needs a stack. */
export const MAX_DEPTH = 100;

/** How a token is called in messages. */
function described({ kind, text }: Token): string {
  if (kind === "end") return "the end of the text";
  if (kind === "newline") return "the end of the line";
  if (kind === "indent") return "an indented line";
  return kind === "dedent" ? "the end of the block" : text;
}

export class Cursor {
  readonly source: Source;
  private readonly tokens: readonly Token[];
  private index = 0;
  private nesting = 0;

  /** @throws {MathError} for what is no token. */
  constructor(source: Source) {
    this.source = source;
    this.tokens = tokensOf(source);
  }

  /** The token that comes next. */
  get next(): Token {
    return this.tokens[this.index]!;
  }

  /** Where the token before it ended. */
  get end(): number {
    return this.tokens[this.index - 1]?.end ?? 0;
  }

  /** The token after the next one. */
  get following(): Token {
    return this.tokens[Math.min(this.index + 1, this.tokens.length - 1)]!;
  }

  /** Whether a bracket opens here that holds several values, or one with a name. */
  isTuple(): boolean {
    if (!this.isAt("(")) return false;
    let depth = 0;
    for (let index = this.index; index < this.tokens.length; index++) {
      const { kind, text } = this.tokens[index]!;
      if (kind === "newline" || kind === "end") return false;
      if (kind !== "symbol") continue;
      if (text === "(" || text === "[") depth++;
      if (text === ")" || text === "]") depth--;
      if (depth === 0) return false;
      if (depth === 1 && (text === "," || text === "=")) return true;
    }
    return false;
  }

  advance(): Token {
    const token = this.next;
    if (token.kind !== "end") this.index++;
    return token;
  }

  isAt(text: string): boolean {
    const { kind, text: next } = this.next;
    return next === text && (kind === "symbol" || kind === "name");
  }

  /** Takes the next token if it reads so. */
  accept(text: string): Token | undefined {
    return this.isAt(text) ? this.advance() : undefined;
  }

  acceptKind(kind: TokenKind): Token | undefined {
    return this.next.kind === kind ? this.advance() : undefined;
  }

  expect(text: string, expected = text, advice?: string): Token {
    return this.accept(text) ?? this.refuse(expected, advice);
  }

  /** The bracket that closes another one. */
  close(open: Token, text: ")" | "]", orElse: string): void {
    if (this.accept(text)) return;
    const { next } = this;
    const isLater = this.source.text.slice(open.at, next.at).includes("\n");
    if (next.kind !== "end" && next.kind !== "newline" && !isLater) {
      this.refuse(`${orElse} or ${text}`);
    }
    fail(this.source, open, {
      code: "UNCLOSED",
      got: `${open.text} without its ${text}`,
      expected: `a ${text} further on`,
    });
  }

  /** @throws {MathError} `SYNTAX`, about the next token. */
  refuse(expected: string, advice?: string): never {
    const got = described(this.next);
    fail(this.source, this.next, { code: "SYNTAX", got, expected, advice });
  }

  fail(span: Span, fault: Fault): never {
    fail(this.source, span, fault);
  }

  /** Runs what may come back to where it is, less deep than a stack. */
  nested<T>(parse: () => T): T {
    if (++this.nesting > MAX_DEPTH) this.tooDeep(this.next);
    const result = parse();
    this.nesting--;
    return result;
  }

  /** An expression over others, unless they lie too deep. */
  tree<T extends Omit<Tree, "depth" | "at" | "end">>(
    at: number,
    args: readonly Tree[],
    shape: T,
  ): Tree {
    const depth = 1 + args.reduce((most, arg) => Math.max(most, arg.depth), 0);
    const span = { at, end: this.end };
    if (depth > MAX_DEPTH) this.tooDeep(span);
    return { ...shape, ...span, depth } as unknown as Tree;
  }

  private tooDeep(span: Span): never {
    fail(this.source, span, {
      code: "TOO_DEEP",
      got: `more than ${MAX_DEPTH} operations or blocks inside one another`,
      expected: "fewer",
      advice: "Give a part of it a name on a line of its own.",
    });
  }
}
