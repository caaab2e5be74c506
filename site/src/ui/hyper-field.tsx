/** Sets a hyperparameter, by a field that suits its value. */
import { useId } from "preact/hooks";
import type { Field, Value } from "./hyper.ts";
import { NumberField } from "./number-field.tsx";

interface HyperProps {
  readonly field: Field;
  readonly value: Value;
  onChange(value: Value): void;
}

export function HyperField({ field: { name, choices }, value, onChange }: HyperProps) {
  const id = useId();
  if (typeof value === "number") {
    return <NumberField label={name} value={value} onChange={onChange} />;
  }
  if (typeof value === "boolean") {
    return (
      <div class="check">
        <input
          id={id}
          type="checkbox"
          checked={value}
          onChange={(event) => onChange(event.currentTarget.checked)}
        />
        <label for={id}>{name}</label>
      </div>
    );
  }
  if (choices) {
    return (
      <div class="field">
        <label for={id}>{name}</label>
        <select
          id={id}
          value={String(value)}
          onChange={(event) => onChange(event.currentTarget.value)}
        >
          {choices.map((choice) => (
            <option key={choice}>{choice}</option>
          ))}
        </select>
      </div>
    );
  }
  const [first, second] = value as readonly [number, number];
  return (
    <>
      <NumberField
        label={`${name}, first`}
        value={first}
        onChange={(next) => onChange([next, second])}
      />
      <NumberField
        label={`${name}, second`}
        value={second}
        onChange={(next) => onChange([first, next])}
      />
    </>
  );
}
