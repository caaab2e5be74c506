/** What a comparison says below its table. */
import { expect, test } from "vitest";
import { chooseOptimizers } from "../../src/cli/choose-optimizers.ts";
import type { ComparisonRow } from "../../src/cli/report/curves.ts";
import { verdict, type Result } from "../../src/cli/verdict.ts";

/** Results with the distances of ours and of PyTorch's float32. */
function resultsOf(distances: Record<string, readonly [number, number] | null>): Result[] {
  return chooseOptimizers(Object.keys(distances)).map((optimizer) => {
    const pair = distances[optimizer.key]!;
    const row: Partial<ComparisonRow> = {
      label: optimizer.label,
      distance: pair && pair[0],
      torchDistance: pair && pair[1],
    };
    return { optimizer, row: row as ComparisonRow };
  });
}

test("distances, in PyTorch's own", () => {
  expect(verdict(resultsOf({ sgd: [1e-6, 2e-6], adam: [3e-5, 2e-5] }), "2.13.0", false)).toEqual([
    "Distance from PyTorch 2.13.0's float64 curve, in units of PyTorch's own float32 distance: " +
      "SGD 0.50, Adam 1.50. Farthest by that measure is Adam, at 3.0e-5.",
  ]);
});

test("which curves PyTorch lacks, or nobody has recorded", () => {
  const results = resultsOf({ sgd: [1e-6, 2e-6], adamw: null, nadam: null, muon: null });
  const [, ...recorded] = verdict(results, "2.13.0", false);
  expect(recorded).toEqual([
    "Without PyTorch's curve: Muon, which PyTorch computes in bfloat16.",
    "PyTorch's curves are not recorded for AdamW, NAdam; --torch records them now.",
    "Muon updates the weight matrices; AdamW (lr=0.001) updates the biases.",
  ]);
  const [, ...live] = verdict(resultsOf({ sgd: [1e-6, 2e-6], muon: null }), "2.13.0", true);
  expect(live).toHaveLength(2);
});

test("nothing to compare with", () => {
  const none = ["No PyTorch curves for this experiment are recorded; --torch records them now."];
  expect(verdict(resultsOf({ sgd: null }), null, false)).toEqual(none);
  expect(verdict(resultsOf({ sgd: null }), "2.13.0", false)).toEqual(none);
  expect(verdict(resultsOf({ rprop: null }), null, false)[1]).toMatch(/^Rprop is made for whole/);
});
