// What a comparison says, in sentences: how far our curves are from PyTorch's, which ones PyTorch has
// not, and what to know of some optimizers.

import type { ComparedOptimizer } from "../training/optimizers.ts";
import type { ComparisonRow } from "./report/curves.ts";
import { formatScientific } from "../bench/format.ts";
import { whyNotInTorch } from "./torch.ts";

/** One optimizer and its line in the table. */
export interface Result {
  readonly optimizer: ComparedOptimizer;
  readonly row: ComparisonRow;
}

/**
 * Paragraphs.
 *
 * @param version PyTorch's, or `null` if it has no curves of the experiment.
 * @param live whether the curves were recorded now.
 */
export function verdict(
  results: readonly Result[],
  version: string | null,
  live: boolean,
): string[] {
  const compared = results.filter(({ row }) => row.distance !== null);
  const notes = results.flatMap(({ optimizer: { note } }) => note ?? []);
  if (version === null || compared.length === 0) {
    return [
      "No PyTorch curves for this experiment are recorded; --torch records them now.",
      ...notes,
    ];
  }
  const rows = compared.map(({ row }) => row);
  const ratios = rows.map((row) => (row.distance ?? 0) / (row.torchDistance || Number.EPSILON));
  const worst = rows[ratios.indexOf(Math.max(...ratios))]!;
  const distance =
    `Distance from PyTorch ${version}'s float64 curve, in units of PyTorch's own float32 distance: ` +
    rows.map((row, i) => `${row.label} ${ratios[i]!.toFixed(2)}`).join(", ") +
    `. Farthest by that measure is ${worst.label}, at ${formatScientific(worst.distance ?? 0)}.`;
  return [distance, ...missing(results, version, live), ...notes];
}

function missing(results: readonly Result[], version: string, live: boolean): string[] {
  const alone = results.filter(({ row }) => row.distance === null);
  const never = alone.flatMap(({ optimizer }) => whyNotInTorch(optimizer, version) ?? []);
  const others = alone.filter(({ optimizer }) => whyNotInTorch(optimizer, version) === null);
  const names = others.map(({ row }) => row.label).join(", ");
  return [
    ...never.map((why) => `Without PyTorch's curve: ${why}.`),
    ...(names === "" || live
      ? []
      : [`PyTorch's curves are not recorded for ${names}; --torch records them now.`]),
  ];
}
