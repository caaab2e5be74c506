/**
 * The columns of the comparison, once for the terminal, for scripts and for the page, so that the
 * three never tell different things.
 */

import type { ComparisonRow } from "./curves.ts";
import { formatCount, formatLoss, formatScientific, percent } from "../../bench/format.ts";

/** A column: how people read it, and how programs do. */
export interface Column {
  /** The heading; a line break where a narrow one may be broken. */
  readonly head: string;
  /** The heading for programs: one word. */
  readonly name: string;
  readonly align: "left" | "right";
  readonly text: (row: ComparisonRow) => string;
  /** The value for programs: without spaces and units; `-` where there is none. */
  readonly plain: (row: ComparisonRow) => string;
}

/** A column of numbers, of which some may be missing. */
function numeric(
  head: string,
  name: string,
  value: (row: ComparisonRow) => number | null,
  format: (value: number) => string,
  plain: (value: number) => string = format,
): Column {
  const or = (write: (value: number) => string) => (row: ComparisonRow) => {
    const number = value(row);
    return number === null ? "-" : write(number);
  };
  return { head, name, align: "right", text: or(format), plain: or(plain) };
}

const fixed = (digits: number) => (value: number) => value.toFixed(digits);

/** The hyperparameters: where there is little room, they go below the optimizer's name instead. */
export const OPTIONS: Column = {
  head: "Options",
  name: "options",
  align: "left",
  text: (row) => row.options,
  plain: (row) => row.options.replace(/,?\s+/g, ",") || "-",
};

/** The comparison's columns, from left to right. */
export const COLUMNS: readonly Column[] = [
  {
    head: "Optimizer",
    name: "optimizer",
    align: "left",
    text: (row) => row.label,
    plain: (row) => row.key,
  },
  OPTIONS,
  numeric("Final\nloss", "loss", (row) => row.finalLoss, formatLoss),
  numeric("Test\naccuracy", "accuracy", (row) => row.testAccuracy, percent, fixed(4)),
  numeric("PyTorch\naccuracy", "torch_accuracy", (row) => row.torchAccuracy, percent, fixed(4)),
  numeric("Distance", "distance", (row) => row.distance, formatScientific),
  numeric("PyTorch\ndistance", "torch_distance", (row) => row.torchDistance, formatScientific),
  numeric("Gradient\nms/step", "gradient_ms", (row) => row.gradientMs, fixed(3)),
  numeric("Optimizer\nms/step", "optimizer_ms", (row) => row.optimizerMs, fixed(3)),
];

/** What programs read besides; people find it in `explain`. */
export const PLAIN_ONLY: readonly Column[] = [
  numeric("Parameters", "parameters", (row) => row.parameters, formatCount, String),
  numeric("Steps", "steps", (row) => row.steps, formatCount, String),
];

/** The sentences below the table that say what its figures are; none for an empty table. */
export function explain(rows: readonly ComparisonRow[]): string[] {
  const [first] = rows;
  if (!first) return [];
  const same = rows.every((r) => r.steps === first.steps && r.parameters === first.parameters);
  const size = same
    ? [`${formatCount(first.steps)} steps over ${formatCount(first.parameters)} parameters.`]
    : rows.map(
        (r) =>
          `${r.label}: ${formatCount(r.steps)} steps, ${formatCount(r.parameters)} parameters.`,
      );
  const compared = rows.some((row) => row.distance !== null);
  const distance = "Distance: largest difference of a step's loss from PyTorch float64's";
  const torch = rows.some((row) => row.torchDistance !== null)
    ? "; PyTorch distance: the same for PyTorch float32"
    : "";
  const loss = "Final loss: where the averaged curve ends.";
  return [...size, loss, ...(compared ? [`${distance}${torch}.`] : [])];
}
