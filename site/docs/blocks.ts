/**
 * The TypeScript blocks of the guides: each is a program that runs as it stands. The tests run them in Node, and the
 * lab in the page, if a page can.
 */

export interface Block {
  readonly code: string;
  /** Where it runs besides Node: in a page, in a page with WebGPU, or not at all. */
  readonly runs: "page" | "gpu" | null;
  /** Why it does not run in a page, as a sentence. */
  readonly reason: string;
}

/** What marks a block as a program, behind the backquotes. */
export const programMark = "ts";

const obstacles: readonly (readonly [RegExp, string])[] = [
  [
    / from "(node:.*|downhill\/checkpoint\/node)"/,
    "Runs in Node: it needs files or what only Node has.",
  ],
  [/ from "@jax-js\/.*"/, "Runs in Node, or in a page of yours: it needs @jax-js/jax."],
  [/ from "@tensorflow\/.*"/, "Runs in Node, or in a page of yours: it needs TensorFlow.js."],
];

/** A program as a block. */
export function blockOf(code: string): Block {
  const obstacle = obstacles.find(([words]) => words.test(code));
  if (obstacle) return { code, runs: null, reason: obstacle[1] };
  return { code, runs: code.includes("downhill/webgpu") ? "gpu" : "page", reason: "" };
}

/** The programs in a Markdown file, in its order. */
export function programsIn(text: string): Block[] {
  const fences = text.matchAll(/^```([^\n]*)\n(.*?)^```$/gms);
  return [...fences].flatMap(([, mark, code]) => (mark === programMark ? [blockOf(code!)] : []));
}
