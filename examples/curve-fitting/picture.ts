/** Measurements and fit above what the fit leaves over, as an SVG. */
import * as Plot from "@observablehq/plot";
import { linearAxis } from "../../src/cli/report/axis.ts";
import { composeFigure, PALETTE, type Panel } from "../../src/cli/report/svg.ts";
import type { Measurements } from "./data.ts";
import { model, unknowns } from "./model.ts";

const [FITTED, MEASURED] = PALETTE;
const DOTS = { r: 1.4, fill: MEASURED };
const years = {
  domain: [1957, 2021],
  ticks: [1960, 1970, 1980, 1990, 2000, 2010, 2020],
  label: null,
  format: String,
} as const;

export function picture({ x, y }: Measurements, values: Float64Array): string {
  const slopes = new Float64Array(unknowns.length);
  const at = (time: number) => model(values, time, slopes);
  const measured = Array.from(x, (time, i) => ({ x: time, y: y[i]! }));
  const left = measured.map((point) => ({ x: point.x, y: point.y - at(point.x) }));
  const line = Array.from({ length: 1600 }, (_, i) => 1957 + i / 25).map((time) => ({
    x: time,
    y: at(time),
  }));
  const panel: Panel = {
    heading: "CO₂ in the air (ppm)",
    legend: [
      { label: "measured", color: MEASURED, width: 3 },
      { label: "fitted", color: FITTED, width: 1.25 },
    ],
    height: 330,
    x: years,
    y: linearAxis(305, 425),
    marks: [
      Plot.line(line, { x: "x", y: "y", stroke: FITTED, strokeWidth: 1.25 }),
      Plot.dot(measured, { x: "x", y: "y", ...DOTS }),
    ],
  };
  const rest: Panel = {
    heading: "What is left over: measured - fitted (ppm)",
    legend: [],
    height: 160,
    x: years,
    y: linearAxis(-3, 3),
    marks: [Plot.ruleY([0], { stroke: FITTED }), Plot.dot(left, { x: "x", y: "y", ...DOTS })],
  };
  return composeFigure(
    "Carbon dioxide at Mauna Loa",
    "Exponential growth with a yearly rhythm, fitted by L-BFGS in float64",
    [panel, rest],
  );
}
