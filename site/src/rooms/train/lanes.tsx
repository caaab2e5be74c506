/** How each network does, in numbers, and where it is computed. */
import { divergedAt } from "../../../../src/training/losses.ts";
import { short } from "../../ui/format.ts";
import { Swatch } from "../../ui/swatch.tsx";
import "../../ui/table.css";
import { faultAdvice } from "./advice.ts";
import type { Place, Score } from "./protocol.ts";
import { failure, shown, type Lane } from "./store.ts";

export function Lanes() {
  const wrong = failure.value;
  const run = shown.value;
  const lanes = run?.lanes ?? [];
  const reasons = lanes.filter(({ place }) => place?.reason !== undefined);
  return (
    <>
      {wrong && (
        <section class="card trouble" role="alert">
          <h2>This did not work</h2>
          <p class="bad">{wrong.message}</p>
          <p class="small">{faultAdvice[wrong.fault]}</p>
        </section>
      )}
      {run && run.steps > 0 && (
        <section class="card results">
          <h2>
            Side by side{" "}
            <span class="muted small">{run.parameters.toLocaleString("en")} weights each</span>
          </h2>
          <div class="scroll" tabIndex={0} role="region" aria-label="Side by side">
            <table>
              <thead>
                <tr>
                  <th scope="col">Optimizer</th>
                  <th scope="col" class="number">
                    Step
                  </th>
                  <th scope="col" class="number">
                    Loss
                  </th>
                  <th scope="col" class="number">
                    Test accuracy
                  </th>
                  <th scope="col" class="number">
                    Gradient, ms
                  </th>
                  <th scope="col" class="number">
                    Optimizer, ms
                  </th>
                  <th scope="col">Runs on</th>
                </tr>
              </thead>
              <tbody>
                {lanes.map((lane) => (
                  <Row key={lane.contestant.key} lane={lane} />
                ))}
              </tbody>
            </table>
          </div>
          <p class="small muted">
            Milliseconds per step, the mean of all so far: the loss and its gradient by jax-js; the
            optimizer’s step by Downhill.
            {lanes.some(({ place }) => place?.device === "webgpu") &&
              " Both wait for the GPU to be done, which is a good part of the time."}
          </p>
          {reasons.map(({ contestant, place }) => (
            <p class="small" key={contestant.key}>
              {contestant.label} trains in WebAssembly. {place!.reason}
            </p>
          ))}
        </section>
      )}
    </>
  );
}

function Row({ lane }: { readonly lane: Lane }) {
  const { contestant, done, smooth, losses, scores, gradientMs, optimizerMs, place } = lane;
  const diverged = divergedAt(losses.subarray(0, done));
  return (
    <tr data-optimizer={contestant.key}>
      <th scope="row">
        <span class="racer-name">
          <Swatch {...contestant} />
          {contestant.label}
        </span>
      </th>
      <td class="number">{done}</td>
      <td class="number">
        {diverged === null ? done > 0 && short(smooth[done - 1]!) : <Diverged at={diverged} />}
      </td>
      <td class="number">
        <Accuracy score={scores.at(-1)} />
      </td>
      <td class="number">{done > 0 && gradientMs.toFixed(2)}</td>
      <td class="number">{done > 0 && optimizerMs.toFixed(3)}</td>
      <td>{lane.refusal === null ? place && whereOf(place) : <span class="bad">refused</span>}</td>
    </tr>
  );
}

const Diverged = ({ at }: { readonly at: number }) => <span class="bad">diverged at {at}</span>;

/** A trial on some digits is only about right; the one at the end counts. */
function Accuracy({ score }: { readonly score: Score | undefined }) {
  if (!score) return null;
  const { accuracy, digits } = score;
  if (digits === 10_000) return <strong>{(100 * accuracy).toFixed(2)} %</strong>;
  return <abbr title={`Of ${digits} test digits`}>≈ {(100 * accuracy).toFixed(1)} %</abbr>;
}

const names = { wasm: "WebAssembly", webgpu: "WebGPU", interp: "interpreter" };

/** Where gradients and steps are computed. */
function whereOf({ device, backend }: Place): string {
  const steps = names[backend as keyof typeof names];
  return names[device] === steps ? steps : `${names[device]}, steps: ${steps}`;
}
