/** Who races, and each one's hyperparameters. */
import { useId } from "preact/hooks";
import { NumberField, tidy } from "../../ui/number-field.tsx";
import { HyperField } from "../../ui/hyper-field.tsx";
import type { Value } from "../../ui/hyper.ts";
import { Swatch } from "../../ui/swatch.tsx";
import "./racer-list.css";
import { racers, type Racer } from "./racers.ts";
import { ratesOf } from "./state.ts";
import { change, setHyper, state, tracks } from "./store.ts";

export function RacerList() {
  const { racing } = state.value;
  return (
    <section class="card racer-list">
      <h2>Who races</h2>
      <div class="chips">
        {racers.map((racer) => (
          <Chip key={racer.key} racer={racer} on={racing.includes(racer.key)} />
        ))}
      </div>
      <div class="settings">
        {racing.length > 0 && <p class="muted small settings-head">Learning rates</p>}
        {racers
          .filter(({ key }) => racing.includes(key))
          .map((racer) => (
            <Settings key={racer.key} racer={racer} />
          ))}
      </div>
      {racing.length === 0 && <p class="muted">Nobody yet. Choose some above.</p>}
    </section>
  );
}

function Chip({ racer, on }: { readonly racer: Racer; readonly on: boolean }) {
  const { key, label, note } = racer;
  const toggle = (): void => {
    const { racing } = state.value;
    const keys = on ? racing.filter((other) => other !== key) : [...racing, key];
    change({ racing: racers.map((other) => other.key).filter((other) => keys.includes(other)) });
  };
  return (
    <button type="button" class="chip" aria-pressed={on} title={note} onClick={toggle}>
      <Swatch {...racer} />
      {label}
    </button>
  );
}

/** The slider's steps, in powers of ten. */
const GRAIN = 0.05;
/** How far it goes to either side of the usual rate, likewise. */
const REACH = 3;

function Settings({ racer }: { readonly racer: Racer }) {
  const { key, label } = racer;
  const id = useId();
  const changes = state.value.changes[key] ?? {};
  const usual = racer.rate(ratesOf(state.value));
  const lr = (changes["lr"] as number | undefined) ?? usual;
  const set = (value: number): void => setHyper(key, "lr", value === usual ? undefined : value);
  const place = lr > 0 ? Math.log10(lr / usual) : -REACH;
  const refusal = tracks.value.get(key)?.refusal;
  return (
    <div class="racer">
      <div class="racer-line">
        <span class="racer-name">
          <Swatch {...racer} />
          {label}
        </span>
        <label class="visually-hidden" for={id}>
          {label}: learning rate
        </label>
        <input
          id={id}
          type="range"
          min={-REACH}
          max={REACH}
          step={GRAIN}
          value={place}
          aria-valuetext={`learning rate ${lr}`}
          onInput={({ currentTarget }) => set(tidy(usual * 10 ** Number(currentTarget.value)))}
        />
        <NumberField
          label={`${label}: learning rate, as a number`}
          hideLabel
          value={lr}
          onChange={set}
        />
      </div>
      {refusal && (
        <p class="small bad" role="alert">
          {refusal}
        </p>
      )}
      <Others racer={racer} changes={changes} />
    </div>
  );
}

function Others({
  racer: { key, label, note, fields },
  changes,
}: {
  readonly racer: Racer;
  readonly changes: Readonly<Record<string, Value>>;
}) {
  return (
    <details>
      <summary class="small">
        <span class="visually-hidden">{label}: </span>
        {fields.map(({ name }, i) => (
          <>
            {i > 0 && ", "}
            {name in changes ? <strong>{name}</strong> : name}
          </>
        ))}
      </summary>
      <p class="small muted">{note}</p>
      <div class="numbers">
        {fields.map((field) => (
          <HyperField
            key={field.name}
            field={field}
            value={changes[field.name] ?? field.value}
            onChange={(value) =>
              setHyper(key, field.name, String(value) === String(field.value) ? undefined : value)
            }
          />
        ))}
      </div>
    </details>
  );
}
