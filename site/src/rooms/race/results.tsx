/** How the racers stand at the shown step, as a table: the picture in words and numbers. */
import { coordinate, short } from "../../ui/format.ts";
import { Swatch } from "../../ui/swatch.tsx";
import "../../ui/table.css";
import { playing, shownStep, standings, state } from "./store.ts";

export function Results() {
  // Who has no finite loss comes last.
  const rank = (loss: number): number => (Number.isNaN(loss) ? Infinity : loss);
  const rows = standings.value.toSorted(
    (a, b) => rank(a.standing.loss) - rank(b.standing.loss) || 0,
  );
  const step = shownStep.value;
  return (
    <section class="card results">
      <h2>
        Standings <span class="muted small">at step {step}, the lowest loss first</span>
      </h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="Standings">
        <table>
          <thead>
            <tr>
              <th scope="col">Optimizer</th>
              <th scope="col" class="number">
                Loss
              </th>
              <th scope="col">How it goes</th>
              <th scope="col" class="number">
                x
              </th>
              <th scope="col" class="number">
                y
              </th>
              <th scope="col" class="number">
                <abbr title="Gradients that it took in the whole race">Gradients</abbr>
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ racer, track, standing: { loss, x, y, kind, text } }) => (
              <tr key={racer.key} data-racer={racer.key} data-kind={kind}>
                <th scope="row">
                  <span class="racer-name">
                    <Swatch {...racer} />
                    {racer.label}
                  </span>
                </th>
                <td class="number">{short(loss)}</td>
                <td class={`status ${kind}`}>{text}</td>
                <td class="number">{coordinate(x)}</td>
                <td class="number">{coordinate(y)}</td>
                <td class="number">{track.gradients}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="visually-hidden" role="status">
        {!playing.value && step >= state.value.steps && rows.length > 0 && summary(rows)}
      </p>
    </section>
  );
}

function summary(rows: typeof standings.value): string {
  const each = rows.map(
    ({ racer, standing }) => `${racer.label}: loss ${short(standing.loss)}, ${standing.text}`,
  );
  return `The race is over. ${each.join("; ")}.`;
}
