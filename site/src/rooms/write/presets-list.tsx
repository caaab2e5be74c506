/** Texts to begin with. */
import "../../ui/chips.css";
import { builtIn, others, presetOf, type Preset } from "./presets.ts";
import { begin, state } from "./store.ts";

export function Presets() {
  const current = presetOf(state.value.rule);
  return (
    <section class="card presets">
      <h2>Begin with</h2>
      <List label="Rules to try" presets={others} current={current} />
      <h3 class="small muted">Downhill’s own, as text</h3>
      <List label="Downhill’s own" presets={builtIn} current={current} />
      {current && (
        <p class="small">
          <b>{current.label}.</b> {current.note}{" "}
          {current.source && (
            <a href={current.source.url} rel="noreferrer">
              {current.source.by}
            </a>
          )}
        </p>
      )}
    </section>
  );
}

interface ListProps {
  readonly label: string;
  readonly presets: readonly Preset[];
  readonly current: Preset | undefined;
}

function List({ label, presets, current }: ListProps) {
  return (
    <div class="chips" role="group" aria-label={label}>
      {presets.map((preset) => (
        <button
          key={preset.label}
          type="button"
          class="chip"
          aria-pressed={preset === current}
          title={preset.note}
          onClick={() => begin(preset.text)}
        >
          {preset.label}
        </button>
      ))}
    </div>
  );
}
