/**
 * Many learning curves, each in a small chart of its own: bold, with all others grey behind it.
 *
 * Beyond some seven lines no set of colours keeps a chart legible. Here the place tells which line is
 * meant, and all charts share their axes, so that lines may be compared across them.
 */

import { type Axis, shareOf } from "./axis.ts";
import type { Point } from "./curves.ts";
import { formatCount, formatLoss } from "../../bench/format.ts";
import { type Line, visible } from "./panels.ts";
import { type Drawing, GRID, INK, MARGIN, MUTED, svgText, textWidth, WIDTH } from "./svg.ts";

const COLUMNS = 4;
const GAP = { x: 14, y: 14 };
const HEAD = 22;
const PLOT = {
  width: (WIDTH - MARGIN.left - MARGIN.right - (COLUMNS - 1) * GAP.x) / COLUMNS,
  height: 96,
};
/** How the lines behind are drawn. */
export const BEHIND = { color: "#c9ced4", width: 0.75 };

/** The charts, in the order of `lines`; a reference lies broad and pale below its own line. */
export function tiles(
  lines: readonly Line[],
  references: readonly (Line | undefined)[],
  axis: Axis,
  parts: Pick<Drawing, "heading" | "legend">,
): Drawing {
  const steps = Math.max(1, ...lines.map(({ smooth }) => smooth.length));
  const rows = Math.ceil(lines.length / COLUMNS);
  const draw = (line: Line, attributes: string) => pathOf(line, axis, steps, attributes);
  const others = lines.map((line, i) => draw(line, `id="curve-${i}"`)).join("");
  const all =
    `<defs><g id="all-curves" fill="none" stroke="${BEHIND.color}" ` +
    `stroke-width="${BEHIND.width}">${others}</g></defs>`;
  const charts = lines.map((line, i) => {
    const [column, row] = [i % COLUMNS, Math.floor(i / COLUMNS)];
    const place = {
      x: MARGIN.left + column * (PLOT.width + GAP.x),
      y: row * (HEAD + PLOT.height + GAP.y),
    };
    const isLowest = i + COLUMNS >= lines.length;
    const reference = references[i];
    const inside = [
      frameOf(axis, column === 0),
      ...(isLowest ? [stepLabels(steps)] : []),
      '<use href="#all-curves"/>',
      ...(reference ? [draw(reference, styleOf(reference))] : []),
      `<use href="#curve-${i}" ${styleOf(line)}/>`,
    ];
    return (
      `<g transform="translate(${place.x.toFixed(1)},${place.y})">${headOf(line)}` +
      `<g transform="translate(0,${HEAD})">${inside.join("")}</g></g>`
    );
  });
  const height = rows * (HEAD + PLOT.height + GAP.y) + MARGIN.bottom;
  return { ...parts, height, svg: all + charts.join("") };
}

/** The name, cut to its room, and the last averaged loss. */
function headOf({ curve: { label }, smooth }: Line): string {
  const value = formatLoss(smooth.at(-1) ?? Number.NaN);
  const room = PLOT.width - textWidth(value, 10.5) - 8;
  let shown = label;
  while (shown.length > 1 && textWidth(shown, 11.5) > room) shown = `${shown.slice(0, -2)}…`;
  return (
    svgText(0, 12, shown, `font-size="11.5" fill="${INK}"`) +
    svgText(PLOT.width, 12, value, `font-size="10.5" fill="${MUTED}" text-anchor="end"`)
  );
}

/** Every other tick of the axis: there is little room. */
function frameOf(axis: Axis, isLabelled: boolean): string {
  const ticks = axis.ticks.filter((_, i) => (axis.ticks.length - 1 - i) % 2 === 0);
  return ticks
    .map((tick) => {
      const y = PLOT.height * (1 - shareOf(axis, tick));
      const rule = `<path d="M0,${y.toFixed(1)}h${PLOT.width.toFixed(1)}" stroke="${GRID}"/>`;
      const style = `font-size="11" fill="${MUTED}" text-anchor="end"`;
      return isLabelled ? rule + svgText(-8, y + 4, axis.format(tick), style) : rule;
    })
    .join("");
}

function stepLabels(steps: number): string {
  const style = `font-size="11" fill="${MUTED}"`;
  const y = PLOT.height + 14;
  return (
    svgText(0, y, "0", style) +
    svgText(PLOT.width, y, `${formatCount(steps)} steps`, `${style} text-anchor="end"`)
  );
}

function styleOf({ color, width, opacity = 1 }: Line): string {
  return `fill="none" stroke="${color}" stroke-width="${width}" stroke-opacity="${opacity}"`;
}

function pathOf({ smooth }: Line, axis: Axis, steps: number, attributes: string): string {
  const points = visible(smooth, { domain: axis.domain, steps, buckets: 40 });
  return `<path d="${commands(points, axis, steps)}" stroke-linejoin="round" ${attributes}/>`;
}

/** A line through the points; one that is not finite breaks it. */
function commands(points: readonly Point[], axis: Axis, steps: number): string {
  let command = "M";
  return points
    .map(({ x, y }) => {
      if (!Number.isFinite(y)) {
        command = "M";
        return "";
      }
      const at = `${((PLOT.width * x) / steps).toFixed(1)},${(PLOT.height * (1 - shareOf(axis, y))).toFixed(1)}`;
      const text = command + at;
      command = "L";
      return text;
    })
    .join("");
}
