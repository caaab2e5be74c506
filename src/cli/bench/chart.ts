// The benchmark as pictures: every row's time with the memory's limit as a line, and the cost of a
// parameter along a sweep.

import * as Plot from "@observablehq/plot";

import { logTicks } from "../report/axis.ts";
import {
  composeFigure,
  drawPlot,
  INK,
  LABEL,
  MARGIN,
  MUTED,
  PALETTE,
  type Drawing,
  type LegendItem,
  type Panel,
} from "../report/svg.ts";
import type { Bench } from "./bench-report.ts";
import type { Family } from "../../bench/contender.ts";
import type { Comparison, Measured } from "../../bench/measure.ts";
import { subjectOf } from "../../bench/subject.ts";
import type { Sweep } from "./sweep.ts";
import { describe, type Setting } from "./machine.ts";
import { figure } from "../../bench/table.ts";

const COLORS: Readonly<Record<Family, string>> = {
  downhill: PALETTE[0],
  pytorch: PALETTE[1],
  native: PALETTE[2],
  tfjs: PALETTE[4],
  jaxjs: PALETTE[3],
  typescript: MUTED,
  memory: INK,
};
const NAMES: Readonly<Record<Family, string>> = {
  downhill: "Downhill",
  pytorch: "PyTorch",
  native: "C",
  tfjs: "TensorFlow.js",
  jaxjs: "jax-js",
  typescript: "TypeScript by hand",
  memory: "the memory",
};
const ROW = 19;
const LIMIT = { color: INK, width: 1.5, dash: "5 3" };

/** A panel for each optimizer: a dot for each row, tied to the line of the memory's bandwidth. */
export function benchFigure({ setting, workload, comparisons }: Bench): string {
  const title = `One optimizer step: ${workload.title}`;
  return composeFigure(
    title,
    describe(setting),
    comparisons.map((comparison, i) => dots(comparison, workload.parameters, i === 0)),
  );
}

/** Milliseconds that the memory's bandwidth allows at best, or `null` if nobody measured it. */
export function limitOf({ optimizer, bandwidth }: Comparison, parameters: number): number | null {
  if (!bandwidth) return null;
  return (subjectOf(optimizer).bytes * parameters) / (1e6 * bandwidth.gigabytesPerSecond);
}

function dots(comparison: Comparison, parameters: number, isFirst: boolean): Drawing {
  const { rows, optimizer } = comparison;
  const limit = limitOf(comparison, parameters);
  const medians = rows.map(({ ms }) => ms.median);
  const low = Math.min(...medians, limit ?? Infinity) / 1.25;
  const most = Math.max(...medians);
  const high = most * (most / low) ** 0.28; // a fifth of the width for the longest row's figures
  const from = limit ?? low;
  const height = rows.length * ROW + MARGIN.top + MARGIN.bottom + LABEL;
  const best = Math.min(
    ...rows.filter(({ family }) => family === "downhill").map(({ ms }) => ms.median),
  );
  const svg = drawPlot({
    height,
    marginLeft: 250,
    marginRight: MARGIN.right,
    marginTop: MARGIN.top,
    marginBottom: MARGIN.bottom + LABEL,
    x: { type: "log", domain: [low, high], label: null },
    y: { domain: rows.map(({ label }) => label), label: null, padding: 0.4 },
    marks: [
      Plot.axisY({ tickSize: 0, color: INK, fontSize: 12, tickPadding: 8 }),
      Plot.axisX({
        ticks: logTicks(low, high),
        text: figure,
        tickSize: 0,
        color: MUTED,
        fontSize: 12,
        tickPadding: 8,
        label: "milliseconds per step, log scale",
        labelAnchor: "center",
        labelArrow: "none",
        labelOffset: 38,
      }),
      Plot.gridX(logTicks(low, high), { stroke: MUTED, strokeOpacity: 0.15 }),
      ...(limit === null
        ? []
        : [
            Plot.ruleX([limit], {
              stroke: LIMIT.color,
              strokeWidth: LIMIT.width,
              strokeDasharray: LIMIT.dash,
            }),
          ]),
      Plot.link(rows, {
        x1: from,
        x2: (row: Measured) => row.ms.median,
        y: "label",
        stroke: (row: Measured) => COLORS[row.family],
        strokeOpacity: 0.35,
        strokeWidth: 2,
      }),
      Plot.dot(rows, {
        x: (row: Measured) => row.ms.median,
        y: "label",
        r: 4,
        fill: (row: Measured) => COLORS[row.family],
      }),
      Plot.text(rows, {
        x: (row: Measured) => row.ms.median,
        y: "label",
        text: (row: Measured) =>
          figure(row.ms.median) +
          (row.ms.median > best ? `  (${figure(row.ms.median / best)}x)` : ""),
        textAnchor: "start",
        dx: 9,
        fontSize: 11,
        fill: INK,
      }),
    ],
  });
  return {
    heading: `${optimizer}: ms per step (times Downhill's best)`,
    legend: isFirst ? [...familiesOf(rows), ...limitLegend(limit !== null)] : [],
    height,
    svg,
  };
}

function familiesOf(rows: readonly Measured[]): LegendItem[] {
  const families = [...new Set(rows.map(({ family }) => family))];
  return families.map((family) => ({ label: NAMES[family], color: COLORS[family], width: 5 }));
}

function limitLegend(isThere: boolean): LegendItem[] {
  return isThere ? [{ label: "the memory's bandwidth", ...LIMIT }] : [];
}

/** A panel for each optimizer: nanoseconds per parameter along the sweep, a line for each row. */
export function sweepFigure(sweeps: readonly Sweep[], setting: Setting): string {
  const by = sweeps[0]!.kind === "size" ? "how many there are" : "how many tensors they are in";
  return composeFigure(
    `The cost of a parameter against ${by}`,
    describe(setting),
    sweeps.map(lines),
  );
}

interface Line {
  readonly label: string;
  readonly color: string;
  readonly width: number;
  readonly dash?: string;
  readonly points: readonly { x: number; y: number }[];
}

function lines(sweep: Sweep): Panel {
  const all = [...rowLines(sweep), ...limitLine(sweep)];
  const ys = all.flatMap(({ points }) => points.map(({ y }) => y));
  const domain = [Math.min(...ys) / 1.4, Math.max(...ys) * 1.4] as const;
  const xs = sweep.points.map(({ x }) => x);
  const ticks = logTicks(Math.min(...xs), Math.max(...xs));
  return {
    heading: `${sweep.optimizer}: ns per parameter, log scale`,
    legend: all.map(({ label, color, width, dash }) => ({
      label,
      color,
      width,
      ...(dash ? { dash } : {}),
    })),
    height: 300,
    x: {
      type: "log",
      domain: [Math.min(...xs), Math.max(...xs)],
      ticks,
      label: sweep.kind === "size" ? "parameters, log scale" : "tensors, log scale",
      format: (value) => value.toLocaleString("en-US"),
    },
    y: { type: "log", domain, ticks: logTicks(...domain), format: figure },
    marks: all.flatMap(({ points, color, width, dash }) => [
      Plot.line(points, {
        x: "x",
        y: "y",
        stroke: color,
        strokeWidth: width,
        ...(dash ? { strokeDasharray: dash } : {}),
      }),
      Plot.dot(points, { x: "x", y: "y", fill: color, r: 2 }),
    ]),
  };
}

/** Rows of one family share a colour; the second is dashed, the third dotted. */
function rowLines({ points }: Sweep): Line[] {
  const rows = new Map<string, Measured>();
  for (const { comparison } of points) for (const row of comparison.rows) rows.set(row.key, row);
  const seen = new Map<Family, number>();
  return [...rows.values()].map(({ key, label, family }) => {
    const count = seen.get(family) ?? 0;
    seen.set(family, count + 1);
    const dash = [undefined, "6 3", "1.5 3", "9 3 2 3"][count % 4];
    return {
      label,
      color: COLORS[family],
      width: family === "downhill" ? 2 : 1.5,
      ...(dash ? { dash } : {}),
      points: points.flatMap(({ x, comparison }) => {
        const row = comparison.rows.find((other) => other.key === key);
        return row ? [{ x, y: row.nanosecondsPerParameter }] : [];
      }),
    };
  });
}

function limitLine({ points }: Sweep): Line[] {
  const limits = points.flatMap(({ x, comparison }) => {
    const { optimizer, bandwidth } = comparison;
    return bandwidth ? [{ x, y: subjectOf(optimizer).bytes / bandwidth.gigabytesPerSecond }] : [];
  });
  return limits.length > 0 ? [{ label: "the memory's bandwidth", ...LIMIT, points: limits }] : [];
}
