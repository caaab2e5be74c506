// Which row of a family is the fastest.

import type { Family } from "./contender.ts";
import type { Measured } from "./measure.ts";

export function fastestOf(family: Family, rows: readonly Measured[]): Measured | undefined {
  return rows
    .filter((row) => row.family === family)
    .toSorted((a, b) => a.ms.median - b.ms.median)[0];
}
