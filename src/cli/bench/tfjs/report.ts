// What was measured on TensorFlow.js's heap, for people.

import type { Workload } from "../../../bench/contender.ts";
import { describe, type Setting } from "../machine.ts";
import type { Comparison, Measured } from "../../../bench/measure.ts";
import { starNote } from "../../../bench/report.ts";
import { figure, markdownTable, type Cells } from "../../../bench/table.ts";
import { terminalTable } from "../terminal-table.ts";

export interface TfjsComparison extends Comparison {
  readonly workload: Workload;
  /** How many times as fast Downhill should be at least. */
  readonly promise: number | null;
}

export interface TfjsBench {
  readonly setting: Setting;
  readonly comparisons: readonly TfjsComparison[];
}

const HOW =
  "Times of one applyGradients() in milliseconds: the median of all turns, and their quartiles. Both optimizers " +
  "step over variables of their own on one heap, on one thread.";

/** How many times as fast Downhill is; NaN where a row is missing. */
export function speedup({ rows }: TfjsComparison): number {
  const median = (key: string) => rows.find((row) => row.key === key)?.ms.median ?? NaN;
  return median("tfjs") / median("in-place");
}

function tableOf({ comparisons }: TfjsBench): Cells {
  return {
    head: [
      "",
      "tensors",
      "parameters",
      "TensorFlow.js",
      "Downhill in place",
      "times as fast",
      "wanted",
      "",
    ],
    rows: comparisons.map((comparison) => {
      const { optimizer, workload, promise, rows } = comparison;
      const times = speedup(comparison);
      return [
        `${optimizer}, ${workload.title}`,
        workload.sizes.length.toLocaleString("en-US"),
        workload.parameters.toLocaleString("en-US"),
        ...["tfjs", "in-place"].map((key) => show(rows.find((row) => row.key === key))),
        Number.isNaN(times) ? "" : figure(times),
        promise === null ? "" : `at least ${promise}`,
        promise === null ? "" : times >= promise ? "kept" : "NOT KEPT",
      ];
    }),
  };
}

function show(row: Measured | undefined): string {
  if (!row) return "";
  const { median, lower, upper } = row.ms;
  return `${figure(median)} (${figure(lower)} to ${figure(upper)})${row.steady ? "" : " *"}`;
}

function remarks({ setting, comparisons }: TfjsBench, quote = ""): string[] {
  const missing = comparisons.flatMap((comparison) => comparison.missing);
  return [
    ...missing.map(({ label, reason }) => `Without ${label}: ${quote}${reason}${quote}`),
    HOW,
    ...starNote(comparisons),
    describe(setting),
  ];
}

export function terminalTfjs(bench: TfjsBench): string {
  return [terminalTable(tableOf(bench)), ...remarks(bench)].join("\n\n");
}

export function markdownTfjs(bench: TfjsBench): string {
  const { command, date } = bench.setting;
  const parts = [`\`${command}\`, ${date}.`, markdownTable(tableOf(bench)), ...remarks(bench, "`")];
  return `${parts.join("\n\n")}\n`;
}
