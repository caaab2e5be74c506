// How fast every rule is beside Adam: bytes that its fused step moves in a second.

import { fastestOf } from "./fastest.ts";
import type { Comparison, Measured } from "./measure.ts";
import { subjectOf } from "./subject.ts";
import { figure, type Cells } from "./table.ts";

const fusedOf = ({ rows }: Comparison, key: string) => rows.find((row) => row.key === key);

/** Gigabytes in a second, as the memory counts them. */
function rateOf(optimizer: string, row: Measured): number {
  return subjectOf(optimizer).traffic / row.nanosecondsPerParameter;
}

/** How the row stands to Adam's of the same name, if both were measured. */
export function againstAdam(
  { optimizer, rows }: Comparison,
  all: readonly Comparison[],
  key: string,
): number | undefined {
  const adam = all.find((other) => other.optimizer === "adam");
  const [own, its] = [rows.find((row) => row.key === key), adam && fusedOf(adam, key)];
  return own && its && rateOf(optimizer, own) / rateOf("adam", its);
}

/** A line for each optimizer: bytes, and for one thread and for all of them the rate and its share of Adam's. */
export function ruleCells(comparisons: readonly Comparison[]): Cells {
  const keys = ["fused-1", "fused"].filter((key) =>
    comparisons.every((comparison) => fusedOf(comparison, key)),
  );
  const threads = keys.map((key) => fusedOf(comparisons[0]!, key)!.threads);
  const show = (value: number | undefined) => (value === undefined ? "" : figure(value));
  return {
    head: [
      "fused",
      "bytes per parameter",
      ...threads.flatMap((count) => [
        `GB/s, ${count} thread${count > 1 ? "s" : ""}`,
        "against Adam's",
      ]),
      "PyTorch's fastest takes",
    ],
    rows: comparisons.map((comparison) => {
      const { optimizer, rows } = comparison;
      const torch = fastestOf("pytorch", rows);
      const fastest = Math.min(...keys.map((key) => fusedOf(comparison, key)!.ms.median));
      return [
        optimizer,
        String(subjectOf(optimizer).traffic),
        ...keys.flatMap((key) => [
          figure(rateOf(optimizer, fusedOf(comparison, key)!)),
          show(againstAdam(comparison, comparisons, key)),
        ]),
        torch ? `${figure(torch.ms.median / fastest)} times as long` : "",
      ];
    }),
  };
}
