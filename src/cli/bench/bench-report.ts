// The benchmark's results for people: tables in the terminal and in Markdown, and what they say.

import type { Comparison, Measured } from "../../bench/measure.ts";
import type { Workload } from "../../bench/contender.ts";
import { fastestOf } from "../../bench/fastest.ts";
import { describe, type Setting } from "./machine.ts";
import { againstAdam, ruleCells } from "../../bench/rules-report.ts";
import { figure, markdownTable, type Cells } from "../../bench/table.ts";
import { terminalTable } from "./terminal-table.ts";

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

function tableOf({ optimizer, rows }: Comparison): Cells {
  return { head: [optimizer, ...HEAD.slice(1)], rows: rows.map((row) => cells(row, rows[0]!)) };
}

export function terminalReport(bench: Bench): string {
  const parts = bench.comparisons.map((comparison) => {
    const without = comparison.missing.map(({ label, reason }) => `without ${label}: ${reason}`);
    const said = sayings(comparison);
    return [terminalTable(tableOf(comparison)), ...without, ...said].join("\n");
  });
  const rules = isOfRules(bench) ? [terminalTable(ruleCells(bench.comparisons))] : [];
  return [...parts, ...rules, ...remarks(bench)].join("\n\n");
}

export function markdownReport(bench: Bench): string {
  const { setting, workload } = bench;
  const parts = bench.comparisons.map((comparison) =>
    [
      markdownTable(tableOf(comparison)),
      "",
      ...comparison.missing.map(({ label, reason }) => `- without ${label}: \`${reason}\``),
      ...sayings(comparison).map((text) => `- ${text}`),
    ].join("\n"),
  );
  const where = `${workload.title}: ${workload.sizes.length} tensors, ${workload.parameters} parameters.`;
  const how = `\`${setting.command}\`, ${setting.date}.`;
  const rules = isOfRules(bench) ? [markdownTable(ruleCells(bench.comparisons))] : [];
  return [where, how, ...rules, ...parts, ...remarks(bench)].join("\n\n") + "\n";
}

/** Whether rules were measured beside Adam. */
function isOfRules({ comparisons }: Bench): boolean {
  return comparisons.some(({ rows }) => rows.some(({ key }) => key.startsWith("adam-")));
}

/** The same in short, for the README: a column for each optimizer, a line for each row that most have. */
export function summaryTable({ setting, workload, comparisons }: Bench): string {
  const labels = new Map(
    comparisons.flatMap(({ rows }) => rows.map(({ key, label }) => [key, label])),
  );
  const rowsOf = (key: string) =>
    comparisons.map(({ rows }) => rows.find((row) => row.key === key)?.ms.median);
  const lines = [...labels].map(([key, label]) => ({ label, medians: rowsOf(key) }));
  const hasMost = ({ medians }: { readonly medians: readonly (number | undefined)[] }) =>
    medians.filter((median) => median !== undefined).length > comparisons.length / 2;
  const table = markdownTable({
    head: ["ms per step", ...comparisons.map(({ optimizer }) => optimizer)],
    rows: lines.filter(hasMost).map(({ label, medians }) => [
      label,
      ...medians.map((median, i) => {
        if (median === undefined) return "";
        const fused = fusedOf(comparisons[i]!)!.ms.median;
        const ratio = median > 1.5 * fused ? ` (${figure(median / fused)}x)` : "";
        return `${figure(median)}${ratio}`;
      }),
    ]),
  });
  const { command, date, processor, cores } = setting;
  const where = `${workload.title}: ${workload.sizes.length.toLocaleString("en-US")} tensors, ${workload.parameters.toLocaleString("en-US")} parameters`;
  return `${table}\n\n${where}; in brackets how many times as long as Downhill's fused step. \`${command}\`, ${processor}, ${cores} cores, ${date}.`;
}

function fusedOf({ rows }: Pick<Comparison, "rows">): Measured | undefined {
  return rows.find(({ key }) => key === "fused") ?? rows.find(({ key }) => key === "fused-1");
}

const LIBRARIES = [
  ["pytorch", "PyTorch"],
  ["tfjs", "TensorFlow.js"],
  ["jaxjs", "jax-js"],
] as const;

/** How the fused step stands to the others, in sentences. */
export function sayings(comparison: Comparison): string[] {
  const { optimizer, rows, bandwidth } = comparison;
  const byKey = (key: string) => rows.find((row) => row.key === key);
  const fused = fusedOf({ rows });
  if (!fused) return [];
  const said: string[] = [];
  const against = (other: Measured | undefined, name: string): void => {
    if (!other) return;
    const ratio = figure(other.ms.median / fused.ms.median);
    said.push(`${optimizer}, fused against ${name}: ${ratio} times as fast`);
  };
  for (const [family, name] of LIBRARIES) {
    const fastest = fastestOf(family, rows);
    against(fastest, `${name}'s fastest (${fastest?.label})`);
  }
  against(byKey("plain"), "the plain loop");
  for (const [ours, limit] of [
    ["fused-1", "native-1"],
    ["fused", "native"],
    ["fused-1", "native-128-1"],
    ["fused", "native-128"],
  ] as const) {
    const [row, native] = [byKey(ours), byKey(limit)];
    if (!row || !native || row.threads !== native.threads) continue;
    const ratio = figure(native.ms.median / row.ms.median);
    said.push(`${optimizer}, ${row.label}: ${ratio} of the speed of ${native.label}`);
  }
  const ratio = againstAdam(comparison, fused.key);
  if (ratio !== undefined) {
    said.push(`${optimizer}, ${fused.label}: ${figure(ratio)} of Adam's bytes per second`);
  }
  // What computes most of the time says nothing of the memory.
  if (bandwidth && fused.threads === bandwidth.threads && optimizer !== "muon") {
    const share = figure((100 * fused.gigabytesPerSecond) / bandwidth.gigabytesPerSecond);
    const most = figure(bandwidth.gigabytesPerSecond);
    said.push(`${optimizer}, ${fused.label}: ${share} % of the ${most} GB/s of the memory`);
  }
  return said;
}

function remarks({ setting, comparisons }: Bench): string[] {
  const texts = [describe(setting)];
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
