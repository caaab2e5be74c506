/** The rule at once: where it goes on a surface, and where Adam goes. */
import { useEffect, useId } from "preact/hooks";
import { short } from "../../ui/format.ts";
import { LineChart } from "../../ui/line-chart.tsx";
import { Swatch } from "../../ui/swatch.tsx";
import { SurfaceCanvas, type Showing } from "../../race/surface-canvas.tsx";
import { surfaces } from "../../race/surfaces.ts";
import { change } from "./store.ts";
import {
  entries,
  failure,
  losses,
  minima,
  position,
  relief,
  seek,
  standings,
  startTrials,
  surface,
  view,
} from "./trial-store.ts";

const showing: Showing = { view, relief, minima, entries, position };

export function Trial() {
  useEffect(startTrials, []);
  const [surfaceId, stepId] = [useId(), useId()];
  const { key, label, steps } = surface.value;
  const { log, range, curves } = losses.value;
  const words = standings.value.map(({ racer, standing }) => `${racer.label} ${standing.text}`);
  return (
    <section class="card trial">
      <div class="card-head">
        <h2>Beside Adam</h2>
        <div class="surface-field">
          <label class="visually-hidden" for={surfaceId}>
            Surface
          </label>
          <select
            id={surfaceId}
            value={key}
            onChange={(event) => change({ surface: event.currentTarget.value })}
          >
            {surfaces.map((each) => (
              <option key={each.key} value={each.key}>
                {each.label}
              </option>
            ))}
          </select>
        </div>
      </div>
      {failure.value && <p class="small bad">It cannot be run here: {failure.value.message}</p>}
      <SurfaceCanvas
        showing={showing}
        label={`${label}, seen from above, with trails. ${words.join("; ")}.`}
      />
      <div class="scrub">
        <label for={stepId} class="small">
          Step <b>{position}</b> of {steps}
        </label>
        <input
          id={stepId}
          type="range"
          min={0}
          max={steps}
          value={position.value}
          onInput={(event) => seek(Number(event.currentTarget.value))}
        />
      </div>
      <ul class="standings">
        {standings.value.map(({ racer, standing: { kind, loss, text } }) => (
          <li key={racer.key} data-racer={racer.key} data-kind={kind}>
            <span class="racer-name">
              <Swatch {...racer} />
              {racer.label}
            </span>
            <span class="number">{kind !== "refused" && short(loss)}</span>
            <span class={`status ${kind}`}>{text}</span>
          </li>
        ))}
      </ul>
      <LineChart
        curves={curves}
        steps={steps}
        log={log}
        range={range}
        at={position.value}
        height={150}
        description="Loss of both by step; the lines above have the numbers."
        onSeek={seek}
      />
    </section>
  );
}
