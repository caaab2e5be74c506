/** Which parts of a text are painted how: a light reading of its own that no wrong text can upset. */
import { keywords } from "../../../../src/math/ast.ts";
import { words } from "../../../../src/math/words.ts";
import type { Names } from "./scope.ts";

export type Paint = "plain" | "comment" | "number" | "keyword" | "function" | "state" | "hyper";

export interface Piece {
  readonly text: string;
  readonly paint: Paint;
  /** Whether it is what an error means. */
  readonly wrong: boolean;
}

/** What an error means, by offsets. */
export interface Wrong {
  readonly at: number;
  readonly end: number;
}

const token = /#[^\n]*|[A-Za-z_]\w*|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[^#\w.]+|./gs;

export function paint(text: string, names: Names, wrong: Wrong | null): Piece[] {
  const state = new Set(names.state.map(({ name }) => name));
  const hyper = new Set(names.hyper.map(({ name }) => name));
  const paintOf = (part: string): Paint => {
    if (part.startsWith("#")) return "comment";
    if (/^\.?\d/.test(part)) return "number";
    if (keywords.has(part)) return "keyword";
    if (words.has(part)) return "function";
    if (state.has(part)) return "state";
    return hyper.has(part) ? "hyper" : "plain";
  };
  const pieces: Piece[] = [];
  for (const { 0: part, index } of text.matchAll(token)) {
    const end = index + part.length;
    const from = Math.min(Math.max(wrong?.at ?? end, index), end);
    const to = Math.min(Math.max(wrong?.end ?? end, from), end);
    const look = paintOf(part);
    for (const [a, b] of [
      [index, from],
      [from, to],
      [to, end],
    ] as const) {
      if (b > a)
        pieces.push({ text: text.slice(a, b), paint: look, wrong: a === from && b === to });
    }
  }
  return pieces;
}

/** Where in the text an error points. */
export function placeOf(
  text: string,
  { line, column, length }: { line: number; column: number; length: number },
): Wrong {
  const lines = text.split("\n");
  const at =
    lines.slice(0, line - 1).reduce((sum, { length: size }) => sum + size + 1, 0) + column - 1;
  const stop = text.indexOf("\n", at);
  return { at, end: Math.min(at + length, stop < 0 ? text.length : stop) };
}
