/** What came out, in words, as Markdown and as JSON: the same figures as in the table of the page. */
import { agreementNote } from "../../../../src/bench/agreement.ts";
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
import type { Setting } from "./browser.ts";
import type { Account, Order } from "./protocol.ts";
import { optimizers, workloadOf } from "./tasks.ts";

/** All that is known of a run. */
export interface Result extends Account {
  readonly order: Order;
  readonly setting: Setting;
  /** The rounds that were taken, where it was ended early. */
  readonly stoppedAt: number | null;
}

const options = { against: "plain", shares: true } as const;

/** The table of the page and of the Markdown. */
export const cellsOf = (result: Result): Cells => tableOf(presented(result), options);

export function labelOf({ optimizer }: Pick<Order, "optimizer">): string {
  return optimizers.find(({ key }) => key === optimizer)!.label;
}

export const titleOf = (order: Order): string =>
  `One step of ${labelOf(order)}: ${workloadOf(order.task).title}`;

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

/** The share of what the memory can do, in percent. */
export function shareOf(row: Measured, rows: readonly Measured[]): number | undefined {
  const limit = limitOf(row, rows);
  return limit === undefined ? undefined : (100 * row.gigabytesPerSecond) / limit;
}

/** How it was measured and what to make of it, a sentence each. */
export function remarks(result: Result): string[] {
  const { comparison, differences, ground, order, stoppedAt } = result;
  const { resolution, gpu } = ground;
  const said = [agreementNote(Object.values(differences))];
  if (hasGpuRows(comparison) && gpu) {
    if (gpu.isSoftware) {
      said.push(
        "NO GPU: a processor plays one here. Its times mean nothing for a GPU; that the rows agree does.",
      );
    }
    said.push(
      gpu.hasClock
        ? "WebGPU: by the GPU's own clock, up to 64 steps in each submission."
        : "WebGPU: this GPU has no clock for pages, so by the wall, up to 64 steps in each submission, until it is done with all.",
    );
  }
  said.push(
    stoppedAt === null
      ? `${order.rounds} rounds in which all rows take turns; medians of their turns, and quartiles.`
      : `Stopped after ${stoppedAt} of ${order.rounds} rounds.`,
    "GB/s: the bytes that a fused step must move, over the time. The memory: one array, as large as all tensors of the step, read and written in place. More is reading than writing in most steps, so some rows can be faster.",
    `The clock can be read every ${duration(resolution)}; what is timed takes a hundred times as long.`,
    ...starNote([comparison]),
  );
  return said;
}

const duration = (ms: number): string =>
  ms < 1e-3 ? `${figure(1e6 * ms)} ns` : `${figure(1000 * ms)} us`;

/** One line about the browser and the machine. */
export function settingLine({ setting, ground }: Result): string {
  const { browser, cores, isolated, date } = setting;
  const gpu = ground.gpu ? `; WebGPU on ${ground.gpu.adapter}` : "";
  return `${browser}, ${cores} cores, ${isolated ? "cross-origin isolated" : "not cross-origin isolated"}${gpu}; ${date}.`;
}

export function markdownOf(result: Result): string {
  const { order, setting } = result;
  return `${[
    `**${titleOf(order)}**`,
    sizesOf(workloadOf(order.task)),
    markdownPart(presented(result), options),
    remarks(result)
      .map((text) => `- ${text}`)
      .join("\n"),
    `${settingLine(result)} Downhill lab, \`${setting.address}\``,
  ].join("\n\n")}\n`;
}

export const jsonOf = (result: Result): string => `${JSON.stringify(result, null, 2)}\n`;
