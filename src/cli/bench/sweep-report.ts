// What sweeps and checks found, as tables.

import { isMet, type Check } from "./check.ts";
import { describe, type Setting } from "./machine.ts";
import type { Sweep } from "./sweep.ts";
import { figure, markdownTable, type Cells } from "../../bench/table.ts";
import { terminalTable } from "./terminal-table.ts";

export interface SweepRecord {
  readonly setting: Setting;
  readonly sweeps: readonly Sweep[];
}

export interface CheckRecord {
  readonly setting: Setting;
  readonly checks: readonly Check[];
}

/** Nanoseconds per parameter: a line for each place of the sweep, a column for each row. */
function sweepCells({ kind, optimizer, points }: Sweep): Cells {
  const labels = new Map<string, string>();
  for (const { comparison } of points) {
    for (const { key, label } of comparison.rows) labels.set(key, label);
  }
  return {
    head: [`${optimizer}, ${kind === "size" ? "parameters" : "tensors"}`, ...labels.values()],
    rows: points.map(({ x, comparison }) => [
      x.toLocaleString("en-US"),
      ...[...labels.keys()].map((key) => {
        const row = comparison.rows.find((other) => other.key === key);
        return row ? figure(row.nanosecondsPerParameter) : "";
      }),
    ]),
  };
}

export function terminalSweep({ setting, sweeps }: SweepRecord): string {
  const tables = sweeps.map((sweep) => terminalTable(sweepCells(sweep)));
  return ["Nanoseconds per parameter.", ...tables, describe(setting)].join("\n\n");
}

export function markdownSweep({ setting, sweeps }: SweepRecord): string {
  const tables = sweeps.map((sweep) => markdownTable(sweepCells(sweep)));
  const how = `Nanoseconds per parameter. \`${setting.command}\`, ${setting.date}.`;
  return `${[how, ...tables, describe(setting)].join("\n\n")}\n`;
}

function checkCells(checks: readonly Check[]): Cells {
  return {
    head: ["promise", "measured", "wanted", ""],
    rows: checks.map((check) => [
      check.title,
      `${figure(check.measured)} ${check.unit}`,
      `${check.atLeast ? "at least" : "at most"} ${figure(check.limit)}`,
      isMet(check) ? "kept" : "NOT KEPT",
    ]),
  };
}

export function terminalChecks({ setting, checks }: CheckRecord): string {
  return [terminalTable(checkCells(checks)), describe(setting)].join("\n\n");
}

export function markdownChecks({ setting, checks }: CheckRecord): string {
  const how = `\`${setting.command}\`, ${setting.date}.`;
  return `${[how, markdownTable(checkCells(checks)), describe(setting)].join("\n\n")}\n`;
}
