/** What is raced on: the surface or a formula, the start, and how wrong gradients are. */
import { useId } from "preact/hooks";
import { NumberField } from "../../ui/number-field.tsx";
import { defaultsOf, typedDefaults } from "./state.ts";
import { change, goTo, refusal, state } from "./store.ts";
import { surfaces, typed, type View } from "../../race/surfaces.ts";

export function Setup() {
  const id = useId();
  const { surface, start, noise, seed, view } = state.value;
  const { note, formula } = defaultsOf(surface);
  const [x, y] = start;
  const [x0, x1, y0, y1] = view;
  return (
    <section class="card setup">
      <div class="field">
        <label for={id}>Surface</label>
        <select id={id} value={surface} onChange={(event) => goTo(event.currentTarget.value)}>
          {surfaces.map(({ key, label }) => (
            <option key={key} value={key}>
              {label}
            </option>
          ))}
          <option value={typed}>{typedDefaults.label}…</option>
        </select>
      </div>
      {surface === typed ? (
        <FormulaField />
      ) : (
        <p class="formula">
          <code>{formula.replaceAll("*", "·")}</code>
        </p>
      )}
      <p class="small note">{note}</p>
      <div class="numbers">
        <NumberField
          label="Start x"
          value={x}
          step={(x1 - x0) / 100}
          onChange={(value) => change({ start: [value, y] })}
        />
        <NumberField
          label="Start y"
          value={y}
          step={(y1 - y0) / 100}
          onChange={(value) => change({ start: [x, value] })}
        />
        <NumberField
          label="Noise"
          value={noise}
          least={0}
          step={0.1}
          onChange={(value) => change({ noise: value })}
        />
        {noise > 0 && (
          <NumberField
            label="Seed"
            value={seed}
            least={0}
            most={2 ** 31}
            step={1}
            whole
            onChange={(value) => change({ seed: value })}
          />
        )}
      </div>
      <ViewFields view={view} />
    </section>
  );
}

function FormulaField() {
  const [id, errorId] = [useId(), useId()];
  const wrong = refusal.value;
  const { formula } = state.value;
  return (
    <div class="field">
      <label for={id}>f(x, y) =</label>
      <input
        id={id}
        type="text"
        class="formula-input"
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        value={formula}
        aria-invalid={wrong ? "true" : undefined}
        aria-describedby={wrong ? errorId : undefined}
        onInput={(event) => change({ formula: event.currentTarget.value })}
      />
      {wrong && (
        <p class="error" id={errorId} role="alert">
          <code class="caret" aria-hidden="true">
            {formula.slice(0, wrong.at)}
            <mark>{formula.slice(wrong.at, wrong.at + 1) || " "}</mark>
            {formula.slice(wrong.at + 1)}
          </code>
          Character {wrong.at + 1}: {wrong.message}
        </p>
      )}
    </div>
  );
}

const edges = ["Left", "Right", "Bottom", "Top"] as const;

function ViewFields({ view }: { readonly view: View }) {
  const [x0, x1, y0, y1] = view;
  /** The other edge of each, and on which side of it this one has to be. */
  const limits = [{ most: x1 }, { least: x0 }, { most: y1 }, { least: y0 }];
  return (
    <details>
      <summary class="small">Edges of the picture</summary>
      <div class="numbers">
        {edges.map((label, i) => (
          <NumberField
            key={label}
            label={label}
            value={view[i]!}
            step={0.5}
            {...limits[i]}
            onChange={(value) => {
              const next = [...view] as [number, number, number, number];
              next[i] = value;
              if (next[0] < next[1] && next[2] < next[3]) change({ view: next });
            }}
          />
        ))}
      </div>
    </details>
  );
}
