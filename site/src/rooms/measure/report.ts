/** What came out, in words, as Markdown and as JSON: the same figures as in the table of the page. */
import { agreementNote } from "../../../../src/bench/agreement.ts";
import { fastestOf } from "../../../../src/bench/fastest.ts";
import {
  fusedOf,
  limitOf,
  markdownPart,
  sizesOf,
  starNote,
  tableOf,
} from "../../../../src/bench/report.ts";
import type { Comparison, Measured } from "../../../../src/bench/measure.ts";
import type { Cells } from "../../../../src/bench/table.ts";
import { figure } from "../../../../src/bench/table.ts";
import { formatCount } from "../../../../src/bench/format.ts";
import type { Setting } from "./browser.ts";
import type { Account, Order } from "./protocol.ts";
import { optimizers, workloadOf } from "./tasks.ts";

/** All that is known of a run. */
export interface Result extends Account {
  readonly order: Order;
  readonly setting: Setting;
  /** The rounds that were taken, where it was ended early. */
  readonly stoppedAt: number | null;
  /** Whether the page was out of sight for a part of it. */
  readonly hidden: boolean;
}

const options = { against: "plain", shares: true } as const;

/** The table of the page and of the Markdown. */
export const cellsOf = (result: Result): Cells => tableOf(presented(result), options);

export function labelOf({ optimizer }: Pick<Order, "optimizer">): string {
  return optimizers.find(({ key }) => key === optimizer)!.label;
}

export function titleOf(order: Order): string {
  const { title } = workloadOf(order.task);
  const grouped = title.replaceAll(/\d{5,}/g, (digits) => formatCount(Number(digits)));
  return `One step of ${labelOf(order)}: ${grouped}`;
}

/** As the sentences of the report want it: with a name, and with the memory's bandwidth for the fused row. */
export function presented({ comparison, order }: Pick<Result, "comparison" | "order">): Comparison {
  const { rows } = comparison;
  const named = { ...comparison, optimizer: labelOf(order) };
  const fused = fusedOf(comparison);
  const limit = fused && limitOf(fused, rows);
  if (!fused || limit === undefined) return named;
  return { ...named, bandwidth: { threads: fused.threads, gigabytesPerSecond: limit } };
}

/** Whether any row ran on a GPU. */
const hasGpuRows = ({ rows }: Comparison): boolean => rows.some(({ threads }) => threads === 0);

/** Without stars, for rows that have not taken all of their turns. */
export function unfinished(result: Result): Result {
  const rows = result.comparison.rows.map((row) => ({ ...row, steady: true }));
  return { ...result, comparison: { ...result.comparison, rows } };
}

/** The share of what the memory can do, in percent. */
export function shareOf(row: Measured, rows: readonly Measured[]): number | undefined {
  const limit = limitOf(row, rows);
  return limit === undefined ? undefined : (100 * row.gigabytesPerSecond) / limit;
}

export interface Headline {
  readonly row: Measured;
  /** Against the plain loop. */
  readonly speedUp: number | undefined;
  /** Of what the memory can do, in percent. */
  readonly share: number | undefined;
}

/** Downhill's fastest row, unless a processor plays the GPU that it ran on. */
export function headlineOf({ comparison, ground }: Result): Headline | undefined {
  const { rows } = comparison;
  const real = rows.filter(({ threads }) => threads > 0 || ground.gpu?.isSoftware === false);
  const row = fastestOf("downhill", real);
  if (!row) return undefined;
  const plain = rows.find(({ key }) => key === options.against);
  return { row, speedUp: plain && plain.ms.median / row.ms.median, share: shareOf(row, rows) };
}

/** What the rows have to say beside their figures, a sentence each. */
export function findings({
  comparison,
  differences,
  ground,
  order,
  stoppedAt,
  hidden,
}: Result): string[] {
  const said = agreementNote(Object.values(differences));
  if (stoppedAt !== null) said.push(`Stopped after ${stoppedAt} of ${order.rounds} rounds.`);
  if (hidden)
    said.push("The page was out of sight for a while; browsers may slow such pages down.");
  if (ground.backend === "interp") {
    said.push(
      "A policy of this page's host forbids WebAssembly: Downhill's rows ran on the interpreter.",
    );
  }
  if (hasGpuRows(comparison) && ground.gpu?.isSoftware) {
    said.push(
      "NO GPU: a processor plays one here. Its times mean nothing for a GPU; that the rows agree does.",
    );
  }
  const steps = comparison.rows.filter(({ family }) => family !== "memory");
  if (steps.some((row) => (shareOf(row, comparison.rows) ?? 0) > 100)) {
    said.push(
      "Rows beyond the memory's line may read more than they write, while the line is for as much of both; or a cache, or chance, helped them.",
    );
  }
  return [...said, ...starNote([comparison])];
}

/** How it was measured, a sentence each. */
export function method(result: Result): string[] {
  const { comparison, ground, order } = result;
  const { resolution, gpu } = ground;
  const said: string[] = [];
  if (hasGpuRows(comparison) && gpu) {
    said.push(
      gpu.hasClock
        ? "WebGPU: by the GPU's own clock, which browsers may blur to 0.1 ms, over some 20 ms of steps, up to 64 in each submission."
        : "WebGPU: this GPU has no clock for pages, so by the wall, over some 20 ms of steps, up to 64 in each submission, until it is done with all.",
    );
  }
  const base = comparison.rows.find(({ key }) => key === options.against) ?? comparison.rows[0];
  if (base) said.push(`Speed-up: against ${base.label}.`);
  said.push(
    `${count(order.rounds, "round")} in which all rows take turns; medians of their turns, and quartiles.`,
    "GB/s: the bytes that a fused step must move, over the time. The memory: one array, as large as all tensors of the step, read and written in place.",
    `The clock can be read every ${duration(resolution)}; what is timed takes a hundred times as long.`,
  );
  return said;
}

const count = (many: number, what: string): string => `${many} ${what}${many === 1 ? "" : "s"}`;

/** In the unit that suits it. */
export function duration(ms: number): string {
  if (ms >= 0.1) return `${figure(ms)} ms`;
  return ms < 1e-3 ? `${figure(1e6 * ms)} ns` : `${figure(1000 * ms)} µs`;
}

/** One line about the browser and the machine. */
export function settingLine({ setting, ground }: Result): string {
  const { browser, cores, isolated, date } = setting;
  const gpu = ground.gpu ? `; WebGPU on ${ground.gpu.adapter}` : "";
  return `${browser}, ${count(cores, "core")}, ${isolated ? "cross-origin isolated" : "not cross-origin isolated"}${gpu}; ${date}.`;
}

export function markdownOf(result: Result): string {
  const { order, setting } = result;
  return `${[
    `**${titleOf(order)}**`,
    sizesOf(workloadOf(order.task)),
    markdownPart(presented(result), options),
    [...findings(result), ...method(result)].map((text) => `- ${text}`).join("\n"),
    `${settingLine(result)} Downhill lab, \`${setting.address}\``,
  ].join("\n\n")}\n`;
}

export const jsonOf = (result: Result): string => `${JSON.stringify(result, null, 2)}\n`;
