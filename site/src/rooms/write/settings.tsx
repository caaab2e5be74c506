/** The hyperparameters that the text has, with its defaults; the learning rate is a matter of the surface. */
import { HyperField } from "../../ui/hyper-field.tsx";
import { Rate } from "../../ui/optimizer-list.tsx";
import { settable } from "../../ui/own-rule.ts";
import { changes, rule, setHyper } from "./store.ts";
import { surface } from "./trial-store.ts";

export function Settings() {
  const { lr, fields } = settable(rule.value.hyper);
  const set = changes.value;
  const usual = surface.value.rates.adaptive;
  if (lr === undefined && fields.length === 0) return null;
  return (
    <section class="card settings-card">
      <h2>
        Hyperparameters <span class="muted small">as the text has them</span>
      </h2>
      {lr !== undefined && (
        <div class="rate">
          <span class="mono">lr</span>
          <Rate
            label="Learning rate"
            usual={usual}
            value={(set["lr"] as number | undefined) ?? usual}
            onSet={(value) => setHyper("lr", value)}
          />
          <p class="small muted">
            On a surface it begins at {usual}, as Adam’s; elsewhere at {lr}.
          </p>
        </div>
      )}
      {fields.length > 0 && (
        <div class="numbers">
          {fields.map((field) => (
            <HyperField
              key={field.name}
              field={field}
              value={set[field.name] ?? field.value}
              onChange={(value) =>
                setHyper(field.name, String(value) === String(field.value) ? undefined : value)
              }
            />
          ))}
        </div>
      )}
    </section>
  );
}
