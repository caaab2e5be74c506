// Which optimizers a command names.

import type { BenchedOptimizer } from "../../bench/contender.ts";
import { elementwiseSubjects, subjects } from "../../bench/subject.ts";
import { UsageError } from "../errors.ts";

/** @throws {UsageError} for what cannot be benched. */
export function checkOptimizers(names: readonly string[]): BenchedOptimizer[] {
  if (names.length === 1 && names[0] === "all") return elementwiseSubjects();
  const stranger = names.find((name) => !subjects().includes(name));
  if (stranger === undefined) return [...names];
  throw new UsageError(
    `--optimizers: got ${JSON.stringify(stranger)}, expected all, or some of ${subjects().join(", ")}.`,
  );
}
