/**
 * Learning-rate schedules as pictures: in the terminal, and as an SVG with the momentum below where one
 * goes with it. Values hold for a whole step, so lines are stairs.
 */

import * as Plot from "@observablehq/plot";
import { Ansis } from "ansis";
import { type Axis, linearAxis, logAxis, niceTicks } from "./axis.ts";
import { clip } from "./curves.ts";
import { formatScientific } from "../../bench/format.ts";
import { drawEndLabels, type EndLabel, endLabelMargin } from "./panels.ts";
import { composeFigure, type Panel, strokeOf } from "./svg.ts";
import { columnsFor, drawSeries, markOf, onAxis, type Series } from "./terminal.ts";

/** A schedule and its values from step 0 on. */
export interface DrawnSchedule {
  readonly key: string;
  readonly scheduler: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** What to write in a program. */
  readonly code: string;
  readonly lr: Float64Array;
  readonly momentum?: Float64Array;
}

interface Setting {
  readonly steps: number;
  readonly lr: number;
  readonly log: boolean;
}

/** All schedules in one chart, each named at its end with its last value. */
export function scheduleFigure(drawn: readonly DrawnSchedule[], setting: Setting): string {
  const { steps, lr, log } = setting;
  const [first] = drawn;
  const title =
    drawn.length === 1 && first ? first.scheduler : `${drawn.length} learning-rate schedules`;
  const subtitle = `${drawn.length === 1 && first ? `${first.code}; ` : ""}lr ${lr}, ${steps} steps`;
  const rates = linesOf(drawn, ({ lr: values }) => values);
  const momenta = linesOf(drawn, ({ momentum }) => momentum);
  const marginRight = endLabelMargin([...rates, ...momenta]);
  const panels = [
    panelOf(`Learning rate${log ? " (log scale)" : ""}`, rates, axisOf(rates, log), marginRight),
    ...(momenta.length > 0
      ? [{ ...panelOf("Momentum", momenta, spanOf(momenta), marginRight), height: 190 }]
      : []),
  ];
  const drawnPanels = panels.map((panel, i) => {
    const overlay = drawEndLabels(i === 0 ? rates : momenta, panel);
    return { ...panel, overlay };
  });
  return composeFigure(title, subtitle, drawnPanels);
}

function linesOf(
  drawn: readonly DrawnSchedule[],
  pick: (one: DrawnSchedule) => Float64Array | undefined,
): EndLabel[] {
  return drawn.flatMap((one, i) => {
    const values = pick(one);
    if (!values) return [];
    const curve = { label: one.key, losses: values };
    const line = { curve, smooth: values, ...strokeOf(i), width: 1.75 };
    return [{ line, value: valueText(values.at(-1) ?? Number.NaN) }];
  });
}

function panelOf(
  heading: string,
  labels: readonly EndLabel[],
  y: Axis,
  marginRight: number,
): Panel {
  const last = Math.max(1, ...labels.map(({ line }) => line.smooth.length - 1));
  return {
    heading,
    legend: [],
    height: 330,
    marginRight,
    x: { domain: [0, last], ticks: niceTicks(0, last, 7).filter(Number.isInteger), label: "step" },
    y,
    marks: labels.map(({ line: { smooth, color, width, dash } }) => {
      const points = clip(
        Array.from(smooth, (value, x) => ({ x, y: value })),
        ...y.domain,
      );
      const dashes = dash === undefined ? {} : { strokeDasharray: dash };
      const style = { stroke: color, strokeWidth: width, ...dashes, curve: "step-after" } as const;
      return Plot.line(points, { x: "x", y: "y", ...style });
    }),
  };
}

/** From 0, or on a log axis from the smallest value above it. */
function axisOf(labels: readonly { line: { smooth: Float64Array } }[], log: boolean): Axis {
  const values = labels.flatMap(({ line }) => [...line.smooth]);
  const high = values.reduce((a, b) => Math.max(a, b), 0) || 1;
  if (!log) return linearAxis(0, high * 1.06);
  const low = values.reduce((a, b) => (b > 0 ? Math.min(a, b) : a), high);
  return logAxis(Math.min(low, high / 10) / 1.2, high * 1.15);
}

/** Just around the values: a momentum near 1 is not seen from 0. */
function spanOf(labels: readonly EndLabel[]): Axis {
  const values = labels.flatMap(({ line }) => [...line.smooth]);
  const low = values.reduce((a, b) => Math.min(a, b));
  const high = values.reduce((a, b) => Math.max(a, b));
  const room = (high - low) * 0.08 || 0.01;
  return linearAxis(low - room, high + room);
}

/** The same in the terminal; no line break at the end. */
export function schedulePlot(
  drawn: readonly DrawnSchedule[],
  { width, color, log }: { width: number; color: boolean; log: boolean },
): string {
  const axis = axisOf(
    drawn.map(({ lr }) => ({ line: { smooth: lr } })),
    log,
  );
  const columns = columnsFor(axis, width);
  const paint = new Ansis(color ? 1 : 0);
  const series = drawn.map((one, i) => seriesOf(one, axis, columns, markOf(i, paint)));
  const steps = Math.max(...drawn.map(({ lr }) => lr.length - 1));
  const body = drawSeries(series, axis, { columns, height: 16, steps });
  const longest = Math.max(...drawn.map(({ key }) => key.length));
  const legend = series.map((s) => `  ${s.mark} ${s.label.padEnd(longest)}  ${s.value}`);
  return [`Learning rate${log ? ", log scale" : ""}`, body, ...legend].join("\n");
}

function seriesOf(
  { key, lr, momentum }: DrawnSchedule,
  axis: Axis,
  columns: number,
  mark: string,
): Series {
  const last = lr.length - 1;
  const points = Array.from({ length: last > 0 ? columns : 1 }, (_, column) => {
    const x = last > 0 ? (column * last) / (columns - 1) : 0;
    return [x, lr[Math.floor(x + 1e-9)]!] as const;
  });
  const shown = points.filter(([, y]) => y >= axis.domain[0] && y <= axis.domain[1]);
  const peak = lr.reduce((a, b) => Math.max(a, b), 0);
  const ends = [lr[0]!, peak, lr[last]!].map(valueText);
  const also = momentum
    ? `; momentum ${valueText(momentum[0]!)} to ${valueText(Math.min(...momentum))}`
    : "";
  return {
    mark,
    label: key,
    value: `from ${ends[0]}, at most ${ends[1]}, in the end ${ends[2]}${also}`,
    points: shown.map(([x, y]): [number, number] => [x, onAxis(axis, y)]),
  };
}

function valueText(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return formatScientific(value);
  return String(Number(value.toPrecision(3)));
}
