/**
 * Whoever can run kernels along rows and columns.
 *
 * It is much code, and few rules need it. The words that sum up rows and columns therefore bring it
 * along, by being imported: a bundle without these words has none of it. A rule may use them in some
 * steps only, so it is not for a single run of a rule to say who that is.
 */
import { Prose, RuleError } from "../errors.ts";
import type { Cutter } from "./cutter.ts";
import type { Program } from "./program.ts";

/** What the plan knows of it: how it cuts a program into few kernels. The rest is the backends' business. */
export interface LineEngine {
  cut(cutter: Cutter): void;
}

let provided: LineEngine | undefined;

export function provideLines(engine: LineEngine): void {
  provided = engine;
}

/** @throws {RuleError} if no word has brought one along: then nothing tells one row from another. */
export function lineEngine({ subject }: Program): LineEngine {
  if (provided) return provided;
  throw new RuleError("BAD_PROGRAM", {
    subject: `${subject}: state of rows or columns`,
    got: new Prose("a rule that sums up neither"),
    expected: "one that uses rowSum, rowMean, columnSum or columnMean",
  });
}
