/** Play, pause, single steps, the place in the race, and how fast it is shown. */
import { useId } from "preact/hooks";
import { MOST_STEPS, speeds } from "./state.ts";
import { change, pause, play, playing, reset, shownStep, state } from "./store.ts";
import { NumberField } from "../../ui/number-field.tsx";

export function Transport() {
  const { steps, speed } = state.value;
  const step = shownStep.value;
  const [scrub, pace] = [useId(), useId()];
  return (
    <div class="transport">
      <div class="buttons">
        {playing.value ? (
          <button type="button" class="primary play" onClick={() => pause()}>
            Pause
          </button>
        ) : (
          <button type="button" class="primary play" onClick={() => play()}>
            {step >= steps ? "Play again" : "Play"}
          </button>
        )}
        <button
          type="button"
          class="icon-button"
          aria-label="One step back"
          title="One step back"
          disabled={step === 0}
          onClick={() => pause(step - 1)}
        >
          <svg viewBox="0 0 20 20" width="16" height="16" aria-hidden="true">
            <path d="M13 4v12L5 10z" />
          </svg>
        </button>
        <button
          type="button"
          class="icon-button"
          aria-label="One step on"
          title="One step on"
          disabled={step >= steps}
          onClick={() => pause(step + 1)}
        >
          <svg viewBox="0 0 20 20" width="16" height="16" aria-hidden="true">
            <path d="M7 4v12l8-6z" />
          </svg>
        </button>
      </div>
      <div class="scrub">
        <label for={scrub}>
          Step <b>{step}</b> of {steps}
        </label>
        <input
          id={scrub}
          type="range"
          min={0}
          max={steps}
          value={step}
          onInput={(event) => pause(Number(event.currentTarget.value))}
        />
      </div>
      <div class="field">
        <label for={pace}>Speed</label>
        <select
          id={pace}
          value={String(speed)}
          onChange={(event) => change({ speed: Number(event.currentTarget.value) })}
        >
          {[...new Set([...speeds, speed])]
            .toSorted((a, b) => a - b)
            .map((value) => (
              <option key={value} value={String(value)}>
                {value} steps/s
              </option>
            ))}
        </select>
      </div>
      <div class="steps">
        <NumberField
          label="Steps"
          value={steps}
          least={1}
          most={MOST_STEPS}
          whole
          onChange={(value) => change({ steps: value })}
        />
      </div>
      <button type="button" title="The usual race on this surface" onClick={reset}>
        Reset
      </button>
    </div>
  );
}
