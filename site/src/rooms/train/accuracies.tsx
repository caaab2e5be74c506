/** How many of the test digits each network recognizes on its way. */
import { computed } from "@preact/signals";
import { LineChart, type Curve } from "../../ui/line-chart.tsx";
import { shown } from "./store.ts";

interface Scene {
  readonly steps: number;
  readonly places: readonly number[];
  readonly range: readonly [number, number];
  readonly curves: readonly Curve[];
}

/** `null` until there are two trials to draw a line between. */
const scene = computed((): Scene | null => {
  const { steps = 0, lanes = [] } = shown.value ?? {};
  const tried = lanes.flatMap(({ scores }) => scores);
  const places = [...new Set(tried.map(({ step }) => step))].toSorted((a, b) => a - b);
  if (places.length < 2) return null;
  const lowest = Math.min(...tried.map(({ accuracy }) => 100 * accuracy));
  const curves = lanes.map(({ contestant: { label, color, dash }, scores }): Curve => {
    const percent = new Map(scores.map(({ step, accuracy }) => [step, 100 * accuracy]));
    return { label, color, dash, width: 2.2, values: places.map((at) => percent.get(at) ?? null) };
  });
  return { steps, places, range: [Math.floor(lowest / 10) * 10, 100], curves };
});

export function Accuracies() {
  const now = scene.value;
  if (now === null) return null;
  return (
    <section class="card loss accuracy">
      <h2>
        Test accuracy{" "}
        <span class="muted small">in percent, of 1,000 digits; at the end of 10,000 </span>
      </h2>
      <LineChart
        {...now}
        log={false}
        height={190}
        description="Test accuracy of each network by step. The table below has the numbers."
      />
    </section>
  );
}
