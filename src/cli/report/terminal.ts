/**
 * The report in the terminal: the comparison as a table, and learning curves as text.
 *
 * Nothing here looks at the terminal by itself. The caller says whether there may be colour and how
 * wide the text may be, so that the same call gives the same text, and a script that asks for plain
 * text gets columns without spaces in them, for `awk` and `sort`.
 */

import { Ansis } from "ansis";
import Table from "cli-table3";
import chart from "simple-ascii-chart";
import { alignColumns } from "./align.ts";
import { divergedAt, movingAverage, smoothingWindow } from "../../training/losses.ts";
import { type Axis, lossAxis, niceTicks } from "./axis.ts";
import { type Column, COLUMNS, explain, OPTIONS, PLAIN_ONLY } from "./columns.ts";
import type { ComparisonRow, Curve } from "./curves.ts";
import { formatCount, formatLoss } from "../../bench/format.ts";

export {
  formatCount,
  formatDuration,
  formatLoss,
  formatScientific,
  percent,
} from "../../bench/format.ts";

/** How a table is written. */
export interface TableOptions {
  /** Aligned text without lines, units and spaces within a cell. Default `false`. */
  readonly plain?: boolean;
  /** Use ANSI colours; never in plain text. Default `false`. */
  readonly color?: boolean;
  /** Characters in a line; plain text ignores it. Default 120. */
  readonly width?: number;
}

/**
 * The comparison as a table, without a line break at its end. A table wider than `width` has the
 * options below the optimizer's name instead of beside it.
 */
export function comparisonTable(
  rows: readonly ComparisonRow[],
  { plain = false, color = false, width = 120 }: TableOptions = {},
): string {
  if (plain) return plainTable(rows);
  const paint = new Ansis(color ? 1 : 0);
  const wide = boxedTable(rows, COLUMNS, paint);
  const table = wide.width <= width ? wide : boxedTable(rows, STACKED, paint);
  return [table.toString(), ...explain(rows).map((line) => paint.dim(line))].join("\n");
}

/** The first column with the options below the name, and the others. */
const STACKED: readonly Column[] = [
  {
    head: "Optimizer",
    name: "optimizer",
    align: "left",
    text: (row) => `${row.label}\n  ${row.options}`.trimEnd(),
    plain: (row) => row.key,
  },
  ...COLUMNS.slice(1).filter((column) => column !== OPTIONS),
];

function boxedTable(
  rows: readonly ComparisonRow[],
  columns: readonly Column[],
  paint: Ansis,
): Table.Table {
  const table = new Table({
    head: columns.map(({ head }) => paint.bold(head)),
    colAligns: columns.map(({ align }) => align),
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) table.push(columns.map(({ text }) => text(row)));
  return table;
}

function plainTable(rows: readonly ComparisonRow[]): string {
  const columns = [...COLUMNS, ...PLAIN_ONLY];
  const lines = [columns.map(({ name }) => name)];
  for (const row of rows) lines.push(columns.map(({ plain }) => plain(row)));
  const aligned = alignColumns(
    lines,
    columns.map(({ align }) => align),
  );
  return aligned.join("\n");
}

/** The size of a plot in the terminal. */
export interface TerminalPlotOptions {
  /** Columns in all. Default 80. */
  readonly width?: number;
  /** Lines of the plot itself, without axis and legend. Default 16. */
  readonly height?: number;
  /** Use ANSI colours. Default `false`. */
  readonly color?: boolean;
}

/** The sign and the colour of the curve with this number. */
export function markOf(index: number, paint: Ansis): string {
  const color = COLORS[index % COLORS.length] ?? "white";
  return paint[color](MARKERS[index % MARKERS.length] ?? "*");
}

const MARKERS = [..."*+ox#@%&=~^:$!?s"];
const COLORS = ["blue", "yellow", "green", "magenta", "cyan", "red", "white"] as const;

/** The columns that are left for the plot beside the labels of its axis. */
export function columnsFor(axis: Axis, width: number): number {
  return Math.max(10, width - Math.max(...axis.ticks.map((t) => axis.format(t).length)) - 4);
}

/** One curve's place in the plot. */
export interface Series {
  readonly mark: string;
  readonly label: string;
  readonly value: string;
  readonly points: readonly [x: number, y: number][];
}

/**
 * Averaged losses against steps, with one marker for each curve and a legend that tells its last
 * averaged loss. Where curves meet, the later one is seen. No line break at the end.
 */
export function terminalPlot(
  curves: readonly Curve[],
  { width = 80, height = 16, color = false }: TerminalPlotOptions = {},
): string {
  const steps = Math.max(0, ...curves.map((curve) => curve.losses.length));
  if (steps === 0) return "no steps recorded";
  const window = smoothingWindow(steps);
  const averages = curves.map((curve) => movingAverage(curve.losses, window));
  const axis = lossAxis(averages);
  const columns = columnsFor(axis, width);
  const paint = new Ansis(color ? 1 : 0);
  const series = curves.map((curve, i) => {
    const average = averages[i] ?? new Float64Array();
    return seriesOf(curve, average, axis, columns, markOf(i, paint));
  });
  const scale = axis.type === "log" ? ", log scale" : "";
  const averaged = window > 1 ? `, mean of ${window} steps` : "";
  const body = drawSeries(series, axis, { columns, height: Math.max(4, height), steps });
  const longest = Math.max(...series.map(({ label }) => label.length));
  const legend = series.map((s) => `  ${s.mark} ${s.label.padEnd(longest)}  ${s.value}`);
  return [`Training loss${scale}${averaged}`, body, ...legend].join("\n");
}

function seriesOf(
  curve: Curve,
  average: Float64Array,
  axis: Axis,
  columns: number,
  mark: string,
): Series {
  const points: [number, number][] = [];
  const n = average.length;
  for (let column = 0; column < Math.min(columns, n); column++) {
    const index = n <= columns ? column : Math.round((column * (n - 1)) / (columns - 1));
    const y = average[index] ?? Number.NaN;
    if (y >= axis.domain[0] && y <= axis.domain[1]) points.push([index + 1, onAxis(axis, y)]);
  }
  const step = divergedAt(curve.losses);
  const last = n > 0 ? formatLoss(average[n - 1] ?? Number.NaN) : "no steps recorded";
  const value = step === null ? last : `diverged at step ${formatCount(step)}`;
  return { mark, label: curve.label, value, points };
}

/** Where a value stands on the plot's own axis, which is linear. */
export function onAxis(axis: Axis, value: number): number {
  return axis.type === "log" ? Math.log10(value) : value;
}

/** The plot itself: axes and marks, without a title. */
export function drawSeries(
  series: readonly Series[],
  axis: Axis,
  { columns, height, steps }: { columns: number; height: number; steps: number },
): string {
  const shown = series.filter(({ points }) => points.length > 0);
  if (shown.length === 0) return "  (no finite loss)";
  // The library draws one series after the other and gives the index within it, but not which.
  let current = -1;
  const text = chart(
    shown.map(({ points }) => [...points]),
    {
      width: columns,
      height,
      yRange: [onAxis(axis, axis.domain[0]), onAxis(axis, axis.domain[1])],
      customXAxisTicks: niceTicks(0, steps, columns < 60 ? 3 : 6).filter(
        (x) => Number.isInteger(x) && x > 0,
      ),
      customYAxisTicks: axis.ticks.map((tick) => onAxis(axis, tick)),
      xLabel: "step",
      formatter: (value, { axis: which }) => {
        if (which === "x") return formatCount(value);
        return axis.format(axis.type === "log" ? Number((10 ** value).toPrecision(6)) : value);
      },
      lineFormatter: ({ index, plotX, plotY }) => {
        if (index === 0) current++;
        return { x: plotX, y: plotY, symbol: shown[current]?.mark ?? "*" };
      },
    },
  );
  const lines = text.split("\n").map((line) => line.trimEnd());
  return lines.filter((line) => line !== "").join("\n");
}
