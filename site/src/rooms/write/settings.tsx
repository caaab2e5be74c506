/** The hyperparameters that the text has, with its defaults. */
import { HyperField } from "../../ui/hyper-field.tsx";
import { settable } from "../../ui/own-rule.ts";
import { changes, rule, setHyper } from "./store.ts";

export function Settings() {
  const { fields } = settable(rule.value.hyper);
  if (fields.length === 0) return null;
  return (
    <section class="card">
      <h2>
        Hyperparameters <span class="muted small">as the text has them</span>
      </h2>
      <div class="numbers">
        {fields.map((field) => (
          <HyperField
            key={field.name}
            field={field}
            value={changes.value[field.name] ?? field.value}
            onChange={(value) =>
              setHyper(field.name, String(value) === String(field.value) ? undefined : value)
            }
          />
        ))}
      </div>
    </section>
  );
}
