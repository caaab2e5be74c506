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

/** How a fused row stands to Adam's on as many threads, which took turns with it. */
export function againstAdam({ optimizer, rows }: Comparison, key: string): number | undefined {
  const byKey = (name: string) => rows.find((row) => row.key === name);
  const [own, adam] = [byKey(key), byKey(`adam-${key}`)];
  return own && adam && rateOf(optimizer, own) / rateOf("adam", adam);
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
          show(againstAdam(comparison, key)),
        ]),
        torch ? `${figure(torch.ms.median / fastest)} times as long` : "",
      ];
    }),
  };
}
