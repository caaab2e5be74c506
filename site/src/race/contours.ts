/** A surface as lines of equal height: its values on a grid, and levels that show valleys and walls alike. */
import { contours } from "d3-contour";
import type { Landscape, View } from "./surfaces.ts";

/** Areas at and above a level, as rings in coordinates of the surface. */
export interface Band {
  readonly level: number;
  /** Polygons of rings of x, y, x, y, ... */
  readonly rings: readonly Float64Array[];
}

export interface Relief {
  readonly view: View;
  readonly bands: readonly Band[];
}

const COLUMNS = 260;
const LEVELS = 18;
/** How much lower the lowest level is than the highest, at most. */
const RANGE = 1e5;

/** @param bothWays whether levels go up and down from 0. */
export function relief(landscape: Landscape, view: View, bothWays = false): Relief {
  const [x0, x1, y0, y1] = view;
  const rows = Math.max(2, Math.min(400, Math.round((COLUMNS * (y1 - y0)) / (x1 - x0))));
  const dx = (x1 - x0) / (COLUMNS - 1);
  const dy = (y1 - y0) / (rows - 1);
  const values = Array.from({ length: COLUMNS * rows }, () => 0);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < COLUMNS; column++) {
      values[row * COLUMNS + column] = landscape.value(x0 + column * dx, y0 + row * dy);
    }
  }
  const levels = bothWays ? levelsAround(values) : levelsAbove(values);
  const find = contours().size([COLUMNS, rows]).smooth(true).thresholds(levels);
  // d3-contour puts a value in the middle of its cell, half a cell from the corner.
  const toSurface = (ring: readonly (readonly number[])[]): Float64Array =>
    Float64Array.from(ring.flatMap(([u, v]) => [x0 + (u! - 0.5) * dx, y0 + (v! - 0.5) * dy]));
  const bands = find(values).map(({ value, coordinates }) => ({
    level: value,
    rings: coordinates.flatMap((polygon) => polygon.map(toSurface)),
  }));
  return { view, bands };
}

const finite = (values: readonly number[]): Float64Array =>
  Float64Array.from(values.filter((value) => Number.isFinite(value))).toSorted();

/** Evenly spaced in the logarithm of the height above the lowest value. */
export function levelsAbove(values: readonly number[]): number[] {
  const sorted = finite(values);
  const lowest = sorted[0];
  const most = sorted[Math.floor(0.98 * (sorted.length - 1))];
  if (lowest === undefined || most === undefined || !(most > lowest)) return [];
  const height = most - lowest;
  // The fiftieth part that lies lowest gets no lines: it would be nothing but lines.
  const low = Math.max(sorted[Math.floor(0.02 * sorted.length)]! - lowest, height / RANGE);
  return logSpaced(low, height, LEVELS).map((above) => lowest + above);
}

/** The same up and down from 0. */
function levelsAround(values: readonly number[]): number[] {
  const sorted = finite(values);
  const most = Math.max(Math.abs(sorted[0] ?? 0), Math.abs(sorted.at(-1) ?? 0));
  if (!(most > 0)) return [];
  const up = logSpaced(most / 100, most * 0.9, LEVELS / 2);
  return [...up.toReversed().map((level) => -level), 0, ...up];
}

function logSpaced(from: number, to: number, count: number): number[] {
  const ratio = Math.log(to / from) / (count - 1);
  return Array.from({ length: count }, (_, i) => from * Math.exp(i * ratio));
}
