// Tables in the terminal.

import Table from "cli-table3";

import type { Cells } from "../../bench/table.ts";

/** The first column stands left, all others right. */
export function terminalTable({ head, rows }: Cells): string {
  const table = new Table({
    head: [...head],
    colAligns: head.map((_, i) => (i === 0 ? "left" : "right")),
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) table.push([...row]);
  return table.toString();
}
