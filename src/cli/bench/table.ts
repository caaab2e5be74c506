// Tables, for the terminal and for Markdown.

import Table from "cli-table3";

/** Three digits, also of large numbers. */
export const figure = (value: number): string =>
  value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));

export interface Cells {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

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

export function markdownTable({ head, rows }: Cells): string {
  const line = (columns: readonly string[]) => `| ${columns.join(" | ")} |`;
  const rule = head.map((_, i) => (i === 0 ? "---" : "---:"));
  return [head, rule, ...rows].map(line).join("\n");
}
