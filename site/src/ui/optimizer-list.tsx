/** Optimizers to choose from, and what is set for each that is chosen. */
import { useId } from "preact/hooks";
import { HyperField } from "./hyper-field.tsx";
import type { Changes, Field, Value } from "./hyper.ts";
import type { Marker } from "./marker.ts";
import { NumberField, tidy } from "./number-field.tsx";
import "./chips.css";
import "./optimizer-list.css";
import { Swatch } from "./swatch.tsx";

export interface Listed {
  readonly key: string;
  readonly label: string;
  /** A colour of theme.css. */
  readonly color: string;
  readonly dash: readonly number[];
  readonly marker: Marker;
  /** In a sentence. */
  readonly note: string;
  /** The usual learning rate, if it has one. */
  readonly lr: number | undefined;
  readonly fields: readonly Field[];
}

interface Props {
  readonly title: string;
  readonly all: readonly Listed[];
  /** Keys, in the order of `all`. */
  readonly chosen: readonly string[];
  readonly changes: Readonly<Record<string, Changes>>;
  /** What the library has against one, in its words. */
  refusalOf(key: string): string | null | undefined;
  onChoose(keys: readonly string[]): void;
  /** `undefined` sets it back. */
  onSet(key: string, name: string, value: Value | undefined): void;
}

export function OptimizerList(props: Props) {
  const { title, all, chosen, changes, refusalOf, onChoose, onSet } = props;
  const toggle = (key: string): void => {
    const isOn = (other: string) => chosen.includes(other) !== (other === key);
    onChoose(all.map((each) => each.key).filter(isOn));
  };
  return (
    <section class="card racer-list">
      <h2>{title}</h2>
      <div class="chips">
        {all.map((each) => (
          <button
            key={each.key}
            type="button"
            class="chip"
            aria-pressed={chosen.includes(each.key)}
            title={each.note}
            onClick={() => toggle(each.key)}
          >
            <Swatch {...each} />
            {each.label}
          </button>
        ))}
      </div>
      <div class="settings">
        {chosen.length > 0 && <p class="muted small settings-head">Learning rates</p>}
        {all
          .filter(({ key }) => chosen.includes(key))
          .map((each) => (
            <Settings
              key={each.key}
              optimizer={each}
              changes={changes[each.key] ?? {}}
              refusal={refusalOf(each.key)}
              onSet={(name, value) => onSet(each.key, name, value)}
            />
          ))}
      </div>
      {chosen.length === 0 && <p class="muted">Nobody yet. Choose some above.</p>}
    </section>
  );
}

interface SettingsProps {
  readonly optimizer: Listed;
  readonly changes: Changes;
  onSet(name: string, value: Value | undefined): void;
}

function Settings({
  optimizer,
  changes,
  refusal,
  onSet,
}: SettingsProps & { readonly refusal: string | null | undefined }) {
  return (
    <div class="racer">
      <div class="racer-line">
        <span class="racer-name">
          <Swatch {...optimizer} />
          {optimizer.label}
        </span>
        {optimizer.lr !== undefined && (
          <Rate
            label={`${optimizer.label}: learning rate`}
            usual={optimizer.lr}
            value={(changes["lr"] as number | undefined) ?? optimizer.lr}
            onSet={(value) => onSet("lr", value)}
          />
        )}
      </div>
      {refusal && <Refusal text={refusal} />}
      <Others optimizer={optimizer} changes={changes} onSet={onSet} />
    </div>
  );
}

/** Why one does not run; below the first line there may be one of its text, with a caret. */
function Refusal({ text }: { readonly text: string }) {
  const [sentence, ...excerpt] = text.split("\n");
  return (
    <div class="small bad" role="alert">
      <p>{sentence}</p>
      {excerpt.length > 0 && <pre class="excerpt">{excerpt.join("\n")}</pre>}
    </div>
  );
}

/** The slider's steps, in powers of ten. */
const GRAIN = 0.05;
/** How far it goes to either side of the usual rate, likewise. */
const REACH = 3;

interface RateProps {
  readonly label: string;
  readonly usual: number;
  readonly value: number;
  onSet(value: number | undefined): void;
}

/** A learning rate: by a slider around the usual one, and as a number. */
export function Rate({ label, usual, value, onSet }: RateProps) {
  const id = useId();
  const set = (next: number): void => onSet(next === usual ? undefined : next);
  const place = value > 0 ? Math.log10(value / usual) : -REACH;
  return (
    <>
      <label class="visually-hidden" for={id}>
        {label}
      </label>
      <input
        id={id}
        type="range"
        min={-REACH}
        max={REACH}
        step={GRAIN}
        value={place}
        aria-valuetext={`learning rate ${value}`}
        onInput={({ currentTarget }) => set(tidy(usual * 10 ** Number(currentTarget.value)))}
      />
      <NumberField label={`${label}, as a number`} hideLabel value={value} onChange={set} />
    </>
  );
}

function Others({ optimizer: { label, note, fields }, changes, onSet }: SettingsProps) {
  return (
    <details>
      <summary class="small">
        <span class="visually-hidden">{label}: </span>
        {fields.length === 0 && "about it"}
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
              onSet(field.name, String(value) === String(field.value) ? undefined : value)
            }
          />
        ))}
      </div>
    </details>
  );
}
