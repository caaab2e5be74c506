// Tables, and how figures stand in them.

/** Three digits, also of large numbers. */
export const figure = (value: number): string =>
  value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));

export interface Cells {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** The first column stands left, all others right. */
export function markdownTable({ head, rows }: Cells): string {
  const line = (columns: readonly string[]) => `| ${columns.join(" | ")} |`;
  const rule = head.map((_, i) => (i === 0 ? "---" : "---:"));
  return [head, rule, ...rows].map(line).join("\n");
}
