/** The loss of each racer against steps, as far as the race is shown. */
import { computed } from "@preact/signals";
import { LineChart } from "../../ui/line-chart.tsx";
import { lossesOf } from "../../race/losses.ts";
import { defaultsOf } from "./state.ts";
import { pause, position, shown, state } from "./store.ts";

const losses = computed(() => {
  const { surface, view } = state.value;
  return lossesOf(shown.value, defaultsOf(surface), view);
});

export function LossChart() {
  const { log, floor, range, curves } = losses.value;
  const title = floor === 0 ? "Loss" : "Loss above the lowest that was reached";
  return (
    <section class="card loss">
      <h2>
        {title} <span class="muted small">by step{log && ", logarithmic"}</span>
      </h2>
      <LineChart
        curves={curves}
        steps={state.value.steps}
        log={log}
        range={range}
        at={position.value}
        height={250}
        description={`${title} of each racer by step. The table of standings has the numbers.`}
        onSeek={pause}
      />
    </section>
  );
}
