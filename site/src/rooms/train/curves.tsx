/** The loss of each network, step by step: every single one pale, and their moving average. */
import { computed } from "@preact/signals";
import { LineChart, type Curve } from "../../ui/line-chart.tsx";
import { Swatch } from "../../ui/swatch.tsx";
import { placesOf } from "./smooth.ts";
import { shown, type Lane } from "./store.ts";

interface Scene {
  readonly steps: number;
  readonly places: readonly number[];
  readonly range: readonly [number, number];
  readonly curves: readonly Curve[];
}

/** What is there before anything is trained: an empty sheet. */
const sheet: Scene = { steps: 937, places: [0], range: [0.05, 3], curves: [] };

const scene = computed((): Scene => {
  const run = shown.value;
  if (!run || run.steps === 0) return sheet;
  const lanes = run.lanes.filter(({ done }) => done > 0);
  const places = placesOf(run.steps);
  const curvesOf = (kind: "losses" | "smooth", look: Pick<Curve, "alpha" | "width">): Curve[] =>
    lanes.map((lane) => ({
      label: lane.contestant.label,
      color: lane.contestant.color,
      dash: kind === "smooth" ? lane.contestant.dash : [],
      values: places.map((place) => (place < lane.done ? drawable(lane[kind][place]!) : null)),
      ...look,
    }));
  const curves = [
    ...curvesOf("losses", { alpha: 0.18, width: 1 }),
    ...curvesOf("smooth", { alpha: 1, width: 2.2 }),
  ];
  return { steps: run.steps, places, range: rangeOf(lanes), curves };
});

/** A logarithmic axis has no place for zero, and none has for what is not finite. */
const drawable = (loss: number): number | null => (loss > 0 && Number.isFinite(loss) ? loss : null);

/** From the lowest average to a little above where all begin: what diverges may leave at the top. */
function rangeOf(lanes: readonly Lane[]): [number, number] {
  const first = lanes[0]?.losses[0] ?? 2.3;
  let [low, high] = [first, first];
  for (const { smooth, done } of lanes) {
    for (let i = 0; i < done; i++) {
      const value = smooth[i]!;
      if (value > 0 && value < low) low = value;
      if (value > high && Number.isFinite(value)) high = value;
    }
  }
  return [low * 0.6, Math.min(high, 3 * first) * 1.4];
}

export function Curves() {
  const { steps, places, range, curves } = scene.value;
  // Who was refused has no curve.
  const lanes = (shown.value?.lanes ?? []).filter(({ refusal }) => refusal === null);
  return (
    <section class="card loss">
      <h2>
        Loss <span class="muted small">by step, logarithmic; pale: each batch, dark: averaged</span>
      </h2>
      <LineChart
        curves={curves}
        steps={steps}
        places={places}
        log
        range={range}
        height={300}
        description="Loss of each network by step. The table below has the numbers."
      />
      {lanes.length > 0 && (
        <ul class="legend">
          {lanes.map(({ contestant }) => (
            <li key={contestant.key}>
              <Swatch {...contestant} />
              {contestant.label}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
