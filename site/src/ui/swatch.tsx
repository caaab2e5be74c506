/** A short piece of a racer's line, with its marker: what legends show. */
import { markerPath, type Marker } from "./marker.ts";

interface Props {
  /** A colour of theme.css. */
  readonly color: string;
  readonly dash: readonly number[];
  readonly marker: Marker;
}

export function Swatch({ color, dash, marker }: Props) {
  return (
    <svg class="swatch" viewBox="0 0 34 14" width="34" height="14" aria-hidden="true">
      <path
        d="M1 7H33"
        stroke={`var(--${color})`}
        stroke-width="2.4"
        stroke-dasharray={dash.join(" ")}
      />
      <path
        d={markerPath(marker, 17, 7, 4.6)}
        fill={`var(--${color})`}
        stroke="var(--card)"
        stroke-width="1.2"
      />
    </svg>
  );
}
