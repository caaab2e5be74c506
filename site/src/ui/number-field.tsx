/**
 * A number that can be typed. It counts as soon as it is one; the arrow keys change it, by steps or,
 * where a number's size is what matters, by factors.
 */
import { useId, useState } from "preact/hooks";

interface Props {
  readonly label: string;
  readonly value: number;
  onChange(value: number): void;
  readonly least?: number;
  readonly most?: number;
  readonly whole?: boolean;
  /** What an arrow key adds; without it, it multiplies. */
  readonly step?: number;
  readonly hideLabel?: boolean;
}

export function NumberField(props: Props) {
  const { label, value, least = -Infinity, most = Infinity, whole = false, hideLabel } = props;
  const id = useId();
  /** What is being typed, until the field is left. */
  const [text, setText] = useState<string | null>(null);
  const read = (typed: string): number | null => {
    const number = Number(typed.replace("−", "-").replace(",", "."));
    const fits = typed.trim() !== "" && number >= least && number <= most;
    return fits && (!whole || Number.isInteger(number)) ? number : null;
  };
  const invalid = text !== null && read(text) === null;

  const type = (typed: string): void => {
    setText(typed);
    const number = read(typed);
    if (number !== null && number !== value) props.onChange(number);
  };
  const nudge = (event: KeyboardEvent): void => {
    const direction = event.key === "ArrowUp" ? 1 : event.key === "ArrowDown" ? -1 : 0;
    if (direction === 0) return;
    event.preventDefault();
    setText(null);
    const next = nudged(value, direction, props);
    props.onChange(Math.min(Math.max(next, least), most));
  };
  return (
    <div class="field">
      <label for={id} class={hideLabel ? "visually-hidden" : undefined}>
        {label}
      </label>
      <input
        id={id}
        type="text"
        inputMode="decimal"
        autocomplete="off"
        spellcheck={false}
        value={text ?? String(value)}
        aria-invalid={invalid ? "true" : undefined}
        onInput={(event) => type(event.currentTarget.value)}
        onKeyDown={nudge}
        onBlur={() => setText(null)}
      />
    </div>
  );
}

function nudged(value: number, direction: number, { step, whole = false }: Props): number {
  if (step !== undefined) return tidy(value + direction * step);
  const next = value === 0 ? direction * 1e-3 : value * 1.25 ** direction;
  return whole ? Math.round(value === next ? value + direction : next) || 0 : tidy(next);
}

/** Without the last digits, which only rounding has put there. */
export const tidy = (value: number): number => Number(value.toPrecision(4));
