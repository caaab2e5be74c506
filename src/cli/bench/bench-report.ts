// The benchmark's results for people: tables in the terminal and in Markdown, and what they say.

import Table from "cli-table3";

import type { Comparison, Measured } from "./measure.ts";
import type { PeerVersion, Workload } from "./contender.ts";

/** Where and when it was measured. */
export interface Setting {
  readonly command: string;
  readonly date: string;
  readonly processor: string;
  readonly cores: number;
  readonly node: string;
  /** Load average over the last minute, before and after. */
  readonly load: readonly [number, number];
  readonly peers: readonly PeerVersion[];
}

export interface Bench {
  readonly setting: Setting;
  readonly workload: Workload;
  readonly comparisons: readonly Comparison[];
}

/** The article's own table: SGD, 2000 layers, one T4, January 2025. */
const ARTICLE = [
  ["its SGD", 80.922],
  ["with torch.compile", 60.843],
  ["with foreach", 53.214],
  ["with both", 18.934],
  ["its best", 6.818],
  ["torch SGD", 10.875],
  ["torch SGD, fused", 7.642],
  ["torch SGD, foreach", 8.306],
] as const;

const HEAD = ["", "ms per step", "quartiles", "ns per parameter", "GB/s", "speed-up"];

function cells(row: Measured, first: Measured): string[] {
  const { median, lower, upper } = row.ms;
  return [
    row.label + (row.steady ? "" : " *"),
    figure(median),
    `${figure(lower)} to ${figure(upper)}`,
    figure(row.nanosecondsPerParameter),
    figure(row.gigabytesPerSecond),
    `${figure(first.ms.median / median)}x`,
  ];
}

/** Three digits, also of large numbers. */
const figure = (value: number): string =>
  value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));

export function terminalReport(bench: Bench): string {
  const parts = bench.comparisons.map((comparison) => {
    const { rows, missing, optimizer } = comparison;
    const table = new Table({
      head: [optimizer, ...HEAD.slice(1)],
      colAligns: ["left", "right", "right", "right", "right", "right"],
      style: { head: [], border: [], compact: true },
    });
    for (const row of rows) table.push(cells(row, rows[0]!));
    const without = missing.map(({ label, reason }) => `without ${label}: ${reason}`);
    return [table.toString(), ...without, ...sayings(comparison)].join("\n");
  });
  return [...parts, ...remarks(bench)].join("\n\n");
}

export function markdownReport(bench: Bench): string {
  const { setting, workload } = bench;
  const parts = bench.comparisons.map((comparison) => {
    const { rows, optimizer, missing } = comparison;
    const line = (columns: readonly string[]) => `| ${columns.join(" | ")} |`;
    return [
      line([optimizer, ...HEAD.slice(1)]),
      line(["---", "---:", "---:", "---:", "---:", "---:"]),
      ...rows.map((row) => line(cells(row, rows[0]!))),
      "",
      ...missing.map(({ label, reason }) => `- without ${label}: \`${reason}\``),
      ...sayings(comparison).map((text) => `- ${text}`),
    ].join("\n");
  });
  const where = `${workload.title}: ${workload.sizes.length} tensors, ${workload.parameters} parameters.`;
  const how = `\`${setting.command}\`, ${setting.date}.`;
  return [where, how, ...parts, ...remarks(bench)].join("\n\n") + "\n";
}

/** How the fused step stands to the others, in sentences. */
export function sayings({ optimizer, rows }: Comparison): string[] {
  const byKey = (key: string) => rows.find((row) => row.key === key);
  const fused = byKey("fused") ?? byKey("fused-1");
  if (!fused) return [];
  const said: string[] = [];
  const against = (other: Measured | undefined, name: string): void => {
    if (!other) return;
    const ratio = figure(other.ms.median / fused.ms.median);
    said.push(`${optimizer}, fused against ${name}: ${ratio} times as fast`);
  };
  const torch = rows.filter(({ family }) => family === "pytorch");
  const fastest = torch.toSorted((a, b) => a.ms.median - b.ms.median)[0];
  against(fastest, `PyTorch's fastest (${fastest?.label})`);
  against(byKey("plain"), "the plain loop");
  for (const [ours, limit] of [
    ["fused-1", "native-1"],
    ["fused", "native"],
  ] as const) {
    const [row, native] = [byKey(ours), byKey(limit)];
    if (!row || !native || row.threads !== native.threads) continue;
    const ratio = figure(native.ms.median / row.ms.median);
    said.push(`${optimizer}, ${row.label}: ${ratio} of the speed of ${native.label}`);
  }
  return said;
}

function remarks({ setting, comparisons }: Bench): string[] {
  const { processor, cores, node, load, peers } = setting;
  const versions = peers.map(
    ({ name, version, found }) => `${name} ${found ? "" : "missing: "}${version}`,
  );
  const texts = [
    `${processor}, ${cores} cores, load ${load[0].toFixed(2)} before and ${load[1].toFixed(2)} after; ` +
      `Node ${node}; ${versions.join("; ")}.`,
  ];
  if (comparisons.some(({ rows }) => rows.some(({ steady }) => !steady))) {
    texts.push(
      "A star marks rows whose two halves of the run do not agree within their quartiles.",
    );
  }
  if (comparisons.some(({ optimizer }) => optimizer === "sgd")) {
    const rows = ARTICLE.map(([name, ms]) => `${name} ${ms} ms (${(80.922 / ms).toFixed(2)}x)`);
    texts.push(`The article (SGD, 2000 layers, T4, 2025): ${rows.join(", ")}.`);
  }
  return texts;
}
