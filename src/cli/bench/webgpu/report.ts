// What was measured on a GPU, for people.

import type { Workload } from "../../../bench/contender.ts";
import { fastestOf } from "../../../bench/fastest.ts";
import { describe, type Setting } from "../machine.ts";
import type { Comparison, Measured } from "../../../bench/measure.ts";
import { sizesOf, starNote } from "../../../bench/report.ts";
import { figure, markdownTable, type Cells } from "../../../bench/table.ts";
import { terminalTable } from "../terminal-table.ts";

/** Rows for one optimizer. */
export interface GpuComparison extends Comparison {
  /** The largest difference of any row from the CPU's parameters, against the largest of those. */
  readonly difference: number;
}

export interface GpuBench {
  readonly setting: Setting;
  readonly isSoftware: boolean;
  readonly workload: Workload;
  readonly comparisons: readonly GpuComparison[];
}

const HEAD = ["device ms", "wall ms", "quartiles", "host ms", "GB/s", "of the triad"];

/** Milliseconds of a step by the GPU's clock where it has one, or else until it was done. */
export function timeOf({ ms, others }: Measured): number {
  return others?.["device"]?.median ?? ms.median;
}

/** Bytes that a step must move, over its time. */
export function rateOf(row: Measured): number {
  return (row.gigabytesPerSecond * row.ms.median) / timeOf(row);
}

const byKey = ({ rows }: Comparison, key: string) => rows.find((row) => row.key === key);

function cellsOf(row: Measured, triad: Measured | undefined): string[] {
  const { ms, others } = row;
  const show = (name: string) => {
    const found = others?.[name];
    return found ? figure(found.median) : "";
  };
  return [
    row.label + (row.steady ? "" : " *"),
    show("device"),
    figure(ms.median),
    `${figure(ms.lower)} to ${figure(ms.upper)}`,
    show("host"),
    figure(rateOf(row)),
    triad ? `${figure((100 * rateOf(row)) / rateOf(triad))} %` : "",
  ];
}

function tableOf(comparison: GpuComparison): Cells {
  const triad = byKey(comparison, "triad");
  return {
    head: [comparison.optimizer, ...HEAD],
    rows: comparison.rows.map((row) => cellsOf(row, triad)),
  };
}

/** How the fused step stands to the others, in sentences. */
export function gpuSayings(comparison: GpuComparison): string[] {
  const { optimizer, rows, difference } = comparison;
  const said: string[] = [];
  const fused = byKey(comparison, "fused");
  const against = (other: Measured | undefined, name: string): void => {
    if (!fused || !other) return;
    const [device, wall] = [timeOf(other) / timeOf(fused), other.ms.median / fused.ms.median];
    const by = fused.others?.["device"] && other.others?.["device"];
    said.push(
      `${optimizer}, fused against ${name}: ` +
        (by ? `${figure(device)} times as fast on the device, ` : "") +
        `${figure(wall)} times as fast by the wall`,
    );
  };
  against(byKey(comparison, "written"), "WGSL by hand");
  const triad = byKey(comparison, "triad");
  if (fused && triad) {
    const share = figure((100 * rateOf(fused)) / rateOf(triad));
    said.push(`${optimizer}, fused: ${share} % of the triad's bytes per second`);
  }
  const torch = fastestOf("pytorch", rows);
  against(torch, `PyTorch's fastest (${torch?.label})`);
  if (Number.isFinite(difference)) {
    said.push(
      `${optimizer}: after 3 steps no row is further from the CPU's than ${figure(difference)} of the largest parameter`,
    );
  }
  return said;
}

const missing = ({ missing: rows }: Comparison, quote: string): string[] =>
  rows.map(({ label, reason }) => `without ${label}: ${quote}${reason}${quote}`);

export function terminalGpu(bench: GpuBench): string {
  const parts = bench.comparisons.map((comparison) =>
    [
      terminalTable(tableOf(comparison)),
      ...missing(comparison, ""),
      ...gpuSayings(comparison),
    ].join("\n"),
  );
  return [...parts, ...remarks(bench)].join("\n\n");
}

export function markdownGpu(bench: GpuBench): string {
  const { setting, workload } = bench;
  const parts = bench.comparisons.map((comparison) =>
    [
      markdownTable(tableOf(comparison)),
      "",
      ...missing(comparison, "`").map((text) => `- ${text}`),
      ...gpuSayings(comparison).map((text) => `- ${text}`),
    ].join("\n"),
  );
  const how = `\`${setting.command}\`, ${setting.date}.`;
  return `${[sizesOf(workload), how, ...parts, ...remarks(bench)].join("\n\n")}\n`;
}

function remarks({ setting, comparisons, isSoftware }: GpuBench): string[] {
  const texts = [
    "Device: the GPU's own clock, over steps in one pass. Wall: many steps that are submitted one by one, until " +
      "the GPU is done with the last. Host: what of that the CPU takes. Bytes per second are those that a fused " +
      "step must move, by the GPU's clock where it has one; the triad, a = b + s c, moves as many as the step has.",
    describe(setting),
  ];
  if (isSoftware) {
    texts.unshift(
      "NO GPU: a processor plays one here. Its times mean nothing for a GPU; that the rows agree does.",
    );
  }
  texts.push(...starNote(comparisons));
  return texts;
}
