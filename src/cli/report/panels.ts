/**
 * The two kinds of panel that the figures are made of: losses against steps, and distances between
 * losses on a log axis.
 *
 * A run that explodes must not press the others flat: its line leaves the chart at a cross that says
 * what became of it. Names stand at the ends of the lines where there are many, so that nobody has
 * to match colours with a legend.
 */

import * as Plot from "@observablehq/plot";
import { decadeTicks, lossAxis, niceTicks, powerOfTen, shareOf } from "./axis.ts";
import { divergedAt } from "../../training/losses.ts";
import { clip, type Curve, distances, envelope, type Point, thin } from "./curves.ts";
import { formatCount, formatLoss } from "../../bench/format.ts";
import {
  INK,
  LABEL,
  type LegendItem,
  MARGIN,
  MUTED,
  type Panel,
  svgText,
  textWidth,
  WIDTH,
} from "./svg.ts";

/** Where a loss panel's lines may be drawn, and in how many buckets of steps. */
export interface Frame {
  readonly domain: readonly [low: number, high: number];
  readonly steps: number;
  readonly buckets: number;
}

/** A curve prepared for drawing. */
export interface Line {
  readonly curve: Curve;
  /** The averaged losses, which are what is drawn. */
  readonly smooth: Float64Array;
  readonly color: string;
  readonly width: number;
  readonly opacity?: number;
  readonly dash?: string;
  /** Draw the single steps faint behind the line. */
  readonly raw?: boolean;
  /** Say where this line leaves the chart. */
  readonly marked?: boolean;
}

/** Losses against steps, the first line at the bottom. */
export function lossPanel(
  lines: readonly Line[],
  options: { heading: (log: boolean) => string; height: number; marginRight?: number },
): Panel {
  const steps = Math.max(0, ...lines.map((line) => line.curve.losses.length));
  const room = lines.some((line) => line.raw) ? 2 : 1.2;
  const y = lossAxis(
    lines.map((line) => line.smooth),
    room,
  );
  // A bucket for every two pixels; fewer where many lines would make the file large.
  const buckets = Math.max(60, Math.min(350, Math.floor(4000 / lines.length)));
  const frame = { domain: y.domain, steps, buckets };
  const legend = lines.map(legendOf).toReversed();
  const faint: LegendItem[] = lines.flatMap((line) =>
    line.raw ? [{ label: "each step", color: line.color, width: 1, opacity: 0.35 }] : [],
  );
  return {
    ...options,
    heading: options.heading(y.type === "log"),
    legend: [...legend, ...faint],
    x: stepAxis(steps),
    y,
    marks: [
      ...lines.flatMap((line) => (line.raw ? [rawMark(line, frame)] : [])),
      ...lines.map((line) => lineMark(line, frame)),
      ...crosses(lines, frame),
      ...(steps === 0 ? [note("no steps recorded")] : []),
    ],
  };
}

/** How far each of `series` is from `reference`, as the largest of every few steps. */
export function distancePanel(
  series: readonly { curve: Curve; color: string }[],
  reference: Curve,
  unit: string,
): Panel {
  const steps = Math.max(...[reference, ...series.map(({ curve }) => curve)].map(lengthOf));
  const size = Math.max(1, Math.round(steps / 280));
  const lines = series.map(({ curve, color }) => {
    const points = envelope(distances(curve.losses, reference.losses), size);
    return { curve, color, points };
  });
  const [low, high] = decades(lines.flatMap(({ points }) => points));
  const domain = [Number(`1e${low}`), Number(`1e${high}`)] as const;
  const empty = lines.every(({ points }) => points.every(({ y }) => Number.isNaN(y)));
  const ticks = decadeTicks(low, high);
  return {
    heading: `Distance from ${reference.label} (${unit})${size > 1 ? `, largest in ${size} steps` : ""}`,
    legend: lines
      .map(({ curve, color }) => ({ label: curve.label, color, width: 1.5 }))
      .toReversed(),
    height: empty ? 110 : 190,
    x: stepAxis(steps),
    y: { type: "log", domain, ticks: empty ? [] : ticks, format: powerOfTen },
    marks: [
      ...lines.map(({ points, color }) => {
        const shown = clip(points, ...domain);
        return Plot.line(shown, { x: "x", y: "y", stroke: color, strokeWidth: 1.25 });
      }),
      ...(empty ? [note(steps === 0 ? "no steps recorded" : "no difference at any step")] : []),
    ],
  };
}

/** What stands at the end of a line: its name, and its last loss or what became of it. */
export interface EndLabel {
  readonly line: Line;
  readonly value: string;
}

/** The labels for a panel's lines, in their order. */
export function endLabels(lines: readonly Line[], panel: Panel): EndLabel[] {
  const frame = { domain: panel.y.domain, steps: panel.x.domain[1], buckets: 350 };
  return lines.map((line) => {
    const value = fateOf(line, frame)?.text ?? formatLoss(line.smooth.at(-1) ?? Number.NaN);
    return { line, value };
  });
}

/** The right margin that the labels need. */
export function endLabelMargin(labels: readonly EndLabel[]): number {
  const widths = labels.map(
    ({ line, value }) => textWidth(shortened(line.curve.label), 12.5) + 18 + textWidth(value, 12),
  );
  return 29 + Math.max(0, ...widths) + 20;
}

/** Draws the labels in the panel's right margin, moved apart where they would overlap. */
export function drawEndLabels(labels: readonly EndLabel[], panel: Panel): string {
  const bottom = panel.height - MARGIN.bottom - LABEL;
  const right = WIDTH - (panel.marginRight ?? MARGIN.right);
  const placed = labels.map(({ line, value }) => {
    const share = shareOf(panel.y, line.smooth.at(-1) ?? Number.NaN);
    const inside = share >= 0 && share <= 1;
    const y = inside ? bottom - share * (bottom - MARGIN.top) : MARGIN.top;
    return { line, value, inside, y, at: y };
  });
  placed.sort((a, b) => a.y - b.y);
  spread(placed, 16, MARGIN.top, bottom + 4);
  return placed
    .map(({ line, value, inside, y, at }) => {
      const { color, width, dash } = line;
      const from = inside ? `M${right + 1},${y.toFixed(1)}` : `M${right + 12},${at.toFixed(1)}`;
      const leader =
        `<path d="${from}L${right + 12},${at.toFixed(1)}h12" fill="none" stroke="${color}" ` +
        `stroke-width="${width}"${dash === undefined ? "" : ` stroke-dasharray="${dash}"`}/>`;
      const name = svgText(right + 29, at + 4, shortened(line.curve.label), 'font-size="12.5"');
      const style = `font-size="12" fill="${MUTED}" text-anchor="end"`;
      return leader + name + svgText(WIDTH - 20, at + 4, value, style);
    })
    .join("");
}

function shortened(label: string): string {
  return label.length > 28 ? `${label.slice(0, 27)}…` : label;
}

/** Moves sorted labels apart to `gap` pixels, within the chart if there is room. */
function spread(labels: { at: number }[], gap: number, top: number, bottom: number): void {
  const room = Math.min(gap, (bottom - top) / Math.max(1, labels.length - 1));
  let last = top - room;
  for (const label of labels) last = label.at = Math.max(label.at, last + room);
  let limit = bottom;
  for (const label of labels.toReversed()) {
    label.at = Math.min(label.at, limit);
    limit = label.at - room;
  }
}

function stepAxis(steps: number): Panel["x"] {
  const end = Math.max(1, steps);
  const ticks = niceTicks(0, end, 7).filter(Number.isInteger);
  return { domain: [0, end], ticks, label: "step" };
}

function legendOf({ curve, color, width, opacity = 1, dash }: Line): LegendItem {
  const item = { label: curve.label, color, width, opacity };
  return dash === undefined ? item : { ...item, dash };
}

/** A line of losses as far as the panel shows it. */
export function visible(losses: ArrayLike<number>, { domain, buckets }: Frame): Point[] {
  return clip(thin(losses, buckets), ...domain);
}

function rawMark(line: Line, frame: Frame): Plot.Markish {
  const points = visible(line.curve.losses, frame);
  const style = { stroke: line.color, strokeWidth: 0.75, strokeOpacity: 0.28 };
  return Plot.line(points, { x: "x", y: "y", ...style });
}

function lineMark(line: Line, frame: Frame): Plot.Markish {
  const { color, width, opacity = 1, dash } = line;
  const points = visible(line.smooth, frame);
  const place = { x: "x", y: "y" };
  if (points.length === 1) {
    return Plot.dot(points, { ...place, r: width + 1.5, fill: color, fillOpacity: opacity });
  }
  const dashes = dash === undefined ? {} : { strokeDasharray: dash };
  const style = { stroke: color, strokeWidth: width, strokeOpacity: opacity, ...dashes };
  return Plot.line(points, { ...place, ...style });
}

/**
 * A cross where a marked line leaves the chart for good or breaks. What became of it stands beside
 * the cross; where there are several lines `endLabels` has room for that.
 */
function crosses(lines: readonly Line[], frame: Frame): Plot.Markish[] {
  const marked = lines.filter((line) => line.marked);
  return marked.flatMap((line) => {
    const fate = fateOf(line, frame);
    if (!fate) return [];
    const place = { x: "x", y: "y" };
    const symbol = { symbol: "times", r: 5, stroke: line.color, strokeWidth: 2 } as const;
    const cross = Plot.dot([fate], { ...place, ...symbol });
    if (marked.length > 1) return [cross];
    const late = fate.x > frame.steps / 2;
    const side = late ? ({ textAnchor: "end", dx: -10 } as const) : { dx: 10 };
    const halo = { stroke: "#ffffff", strokeWidth: 4, fill: INK };
    const dy = fate.y === frame.domain[1] ? 4 : -16;
    const text = { ...place, ...halo, text: "text", textAnchor: "start", ...side, dy } as const;
    return [cross, Plot.text([fate], text)];
  });
}

/** Where a line's cross stands and what it says; `null` for a line that keeps to the chart. */
function fateOf(line: Line, frame: Frame): (Point & { text: string }) | null {
  const { losses } = line.curve;
  const [low, high] = frame.domain;
  const last = line.smooth.at(-1) ?? Number.NaN;
  const left = !(last >= low && last <= high);
  const step = divergedAt(losses);
  if (losses.length === 0 || (step === null && !left)) return null;
  const end = left
    ? visible(line.smooth, frame).findLast(({ y }) => Number.isFinite(y))
    : undefined;
  const { x, y } = end ?? { x: step ?? 0, y: high };
  if (step === null) return { x, y, text: "left the chart" };
  const what = Number.isNaN(losses[step - 1]) ? "NaN" : "infinite";
  const since = Number.isFinite(losses[losses.length - 1]) ? "at" : "from";
  return { x, y, text: `${what} ${since} step ${formatCount(step)}` };
}

function note(text: string): Plot.Markish {
  return Plot.text([text], { frameAnchor: "middle", text: (value: string) => value, fill: MUTED });
}

/** The powers of ten around the distances, up to 10: beyond that a run diverged. */
function decades(points: readonly Point[]): [low: number, high: number] {
  const logs = points.map(({ y }) => Math.log10(y)).filter(Number.isFinite);
  if (logs.length === 0) return [-9, -5];
  const low = Math.min(0, Math.floor(logs.reduce((a, b) => Math.min(a, b))));
  const high = Math.min(1, Math.ceil(logs.reduce((a, b) => Math.max(a, b))));
  return [low, Math.max(low + 1, high)];
}

function lengthOf(curve: Curve): number {
  return curve.losses.length;
}
