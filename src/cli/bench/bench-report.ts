// The benchmark's results for people: tables in the terminal and in Markdown, and what they say.

import type { Comparison } from "../../bench/measure.ts";
import type { Workload } from "../../bench/contender.ts";
import { fusedOf, markdownPart, sayings, sizesOf, starNote, tableOf } from "../../bench/report.ts";
import { describe, type Setting } from "./machine.ts";
import { ruleCells } from "../../bench/rules-report.ts";
import { figure, markdownTable } from "../../bench/table.ts";
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
  const parts = bench.comparisons.map((comparison) => markdownPart(comparison));
  const how = `\`${setting.command}\`, ${setting.date}.`;
  const rules = isOfRules(bench) ? [markdownTable(ruleCells(bench.comparisons))] : [];
  return [sizesOf(workload), how, ...rules, ...parts, ...remarks(bench)].join("\n\n") + "\n";
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

function remarks({ setting, comparisons }: Bench): string[] {
  const texts = [describe(setting), ...starNote(comparisons)];
  if (comparisons.some(({ optimizer }) => optimizer === "sgd")) {
    const rows = ARTICLE.map(([name, ms]) => `${name} ${ms} ms (${(80.922 / ms).toFixed(2)}x)`);
    texts.push(`The article (SGD, 2000 layers, T4, 2025): ${rows.join(", ")}.`);
  }
  return texts;
}
