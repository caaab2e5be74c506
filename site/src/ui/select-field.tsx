/** One of several, with its label above it. */
import { useId } from "preact/hooks";

interface Props {
  readonly label: string;
  readonly value: string;
  /** Values and what they are called. */
  readonly among: readonly (readonly [string, string])[];
  onChange(value: string): void;
}

export function SelectField({ label, value, among, onChange }: Props) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {among.map(([key, name]) => (
          <option key={key} value={key}>
            {name}
          </option>
        ))}
      </select>
    </div>
  );
}
