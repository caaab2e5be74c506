/** Texts to begin with, and where the chosen one comes from. */
import type { RefObject } from "preact";
import { useId } from "preact/hooks";
import { apply } from "./editor.tsx";
import { whole } from "./edits.ts";
import { builtIn, others, presetOf, type Preset } from "./presets.ts";
import { begin, state } from "./store.ts";

const all: readonly Preset[] = [...others, ...builtIn];

export function PresetsField({ area }: { readonly area: RefObject<HTMLTextAreaElement | null> }) {
  const id = useId();
  const current = presetOf(state.value.rule);
  const choose = (select: HTMLSelectElement): void => {
    const preset = all.find((each) => each.label === select.value);
    if (!preset || !area.current) return;
    // As if it were typed, so that it can be undone.
    apply(area.current, whole(area.current.value, preset.text));
    begin(preset.text);
    select.focus();
  };
  return (
    <div class="presets">
      <label for={id} class="small muted">
        Begin with
      </label>
      <select
        id={id}
        value={current?.label ?? ""}
        onChange={(event) => choose(event.currentTarget)}
      >
        {!current && <option value="">your own text</option>}
        <Group label="To try" presets={others} />
        <Group label="Downhill’s own" presets={builtIn} />
      </select>
    </div>
  );
}

function Group({
  label,
  presets,
}: {
  readonly label: string;
  readonly presets: readonly Preset[];
}) {
  return (
    <optgroup label={label}>
      {presets.map((preset) => (
        <option key={preset.label} value={preset.label}>
          {preset.label}
        </option>
      ))}
    </optgroup>
  );
}

/** What the text does and who wrote of it, while it is one of those. */
export function PresetNote() {
  const current = presetOf(state.value.rule);
  if (!current) return null;
  const { note, source } = current;
  return (
    <p class="small muted">
      {note}{" "}
      {source && (
        <a href={source.url} rel="noreferrer">
          {source.by}
        </a>
      )}
    </p>
  );
}
