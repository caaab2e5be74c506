// What came out, for people: a table of one optimizer's rows, and what it says in sentences.

import { fastestOf } from "./fastest.ts";
import type { Workload } from "./contender.ts";
import type { Comparison, Measured } from "./measure.ts";
import { againstAdam } from "./rules-report.ts";
import { figure, markdownTable, type Cells } from "./table.ts";

/** What the star means, where there is one. */
export function starNote(comparisons: readonly Comparison[]): string[] {
  const isSteady = comparisons.every(({ rows }) => rows.every(({ steady }) => steady));
  const note = "A star marks rows whose two halves of the run do not agree within their quartiles.";
  return isSteady ? [] : [note];
}

const HEAD = ["ms per step", "quartiles", "ns per parameter", "GB/s"];

export interface TableOptions {
  /** The key of the row that speed-ups are against; by default, and where it is not there, the first. */
  readonly against?: string;
  /** Whether to say what part it is of what the memory can do; for comparisons with rows of the memory. */
  readonly shares?: boolean;
}

export function tableOf(comparison: Comparison, options: TableOptions = {}): Cells {
  const { optimizer, rows } = comparison;
  const base = rows.find(({ key }) => key === options.against) ?? rows[0];
  const shares = options.shares === true;
  return {
    head: [optimizer, ...HEAD, ...(shares ? ["of the memory's"] : []), "speed-up"],
    rows: rows.map((row) => cellsOf(row, base!, rows, shares)),
  };
}

function cellsOf(
  row: Measured,
  base: Measured,
  rows: readonly Measured[],
  shares: boolean,
): string[] {
  const { median, lower, upper } = row.ms;
  const isStep = row.family !== "memory";
  const limit = isStep && shares ? limitOf(row, rows) : undefined;
  return [
    row.label + (row.steady ? "" : " *"),
    figure(median),
    `${figure(lower)} to ${figure(upper)}`,
    isStep ? figure(row.nanosecondsPerParameter) : "",
    figure(row.gigabytesPerSecond),
    ...(shares ? [limit ? `${figure((100 * row.gigabytesPerSecond) / limit)} %` : ""] : []),
    isStep ? `${figure(base.ms.median / median)}x` : "",
  ];
}

/**
 * What the memory can do for a row, in GB/s: on as many threads at most, or on the same GPU. Where another
 * program keeps a core busy, one thread alone may be faster than all together.
 */
export function limitOf({ threads }: Measured, rows: readonly Measured[]): number | undefined {
  const rates = rows
    .filter(({ family }) => family === "memory")
    .filter((row) => (threads === 0 ? row.threads === 0 : row.threads > 0))
    .filter((row) => row.threads <= threads)
    .map(({ gigabytesPerSecond }) => gigabytesPerSecond);
  return rates.length > 0 ? Math.max(...rates) : undefined;
}

export function fusedOf({ rows }: Pick<Comparison, "rows">): Measured | undefined {
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

/** What was updated. */
export function sizesOf({ title, sizes, parameters }: Workload): string {
  return `${title}: ${sizes.length} tensors, ${parameters} parameters.`;
}

/** One optimizer's table, rows that are missing, and what the figures say. */
export function markdownPart(comparison: Comparison, options: TableOptions = {}): string {
  return [
    markdownTable(tableOf(comparison, options)),
    "",
    ...comparison.missing.map(({ label, reason }) => `- without ${label}: \`${reason}\``),
    ...sayings(comparison).map((text) => `- ${text}`),
  ].join("\n");
}
