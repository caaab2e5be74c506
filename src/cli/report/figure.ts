/**
 * The report's figures, as standalone SVG: one optimizer beside PyTorch, all optimizers together,
 * and a single run.
 *
 * Two curves that coincide must both be seen. So PyTorch's float64 run is a broad pale line, ours a
 * thin dark one upon it, and a second panel shows on a log axis how far they really are apart, next
 * to the distance that float32 costs PyTorch itself. A loss over one batch is noisy, so the lines
 * are moving averages and the single steps lie faint behind them. A run that diverged ends in a
 * cross that says where.
 */

import { movingAverage, smoothingWindow } from "../../training/losses.ts";
import type { Curve } from "./curves.ts";
import {
  distancePanel,
  drawEndLabels,
  endLabelMargin,
  endLabels,
  type Line,
  lossPanel,
} from "./panels.ts";
import { BEHIND, tiles } from "./tiles.ts";
import { composeFigure, type LegendItem, MUTED, PALETTE, strokeOf } from "./svg.ts";

/** What every figure takes besides its curves. */
export interface FigureOptions {
  readonly title: string;
  readonly subtitle?: string;
  /** What the losses are. Default `Training loss`. */
  readonly loss?: string;
  /** The losses' unit. Default `nats`. */
  readonly unit?: string;
  /** How many steps the moving average covers. Default: a fiftieth of the run. */
  readonly window?: number;
}

const OURS = { color: PALETTE[0], width: 1.75, marked: true };
const TORCH64 = { color: PALETTE[4], width: 7, opacity: 0.55 };
const TORCH32 = { color: PALETTE[1] };
const PALE = { width: 7, opacity: 0.28 };

/**
 * One optimizer's learning curve over PyTorch's, and below it the distances from PyTorch's float64
 * run: ours, and PyTorch's own in float32. Without `torch64` it is our curve alone.
 */
export function comparisonFigure(
  options: FigureOptions & {
    readonly ours: Curve;
    readonly torch64?: Curve;
    readonly torch32?: Curve;
  },
): string {
  const { ours, torch64, torch32, title, subtitle = "" } = options;
  const window = options.window ?? smoothingWindow(ours.losses.length);
  const heading = headingOf(options, window);
  const front = { ...lineOf(ours, window, OURS), raw: window > 1 };
  if (!torch64)
    return composeFigure(title, subtitle, [lossPanel([front], { heading, height: 370 })]);

  const loss = lossPanel([lineOf(torch64, window, TORCH64), front], { heading, height: 300 });
  const series = [
    ...(torch32 ? [{ curve: torch32, color: TORCH32.color }] : []),
    { curve: ours, color: OURS.color },
  ];
  return composeFigure(title, subtitle, [
    { ...loss, x: { ...loss.x, label: null } },
    distancePanel(series, torch64, options.unit ?? "nats"),
  ]);
}

/** Beyond so many curves each also gets a chart of its own. */
const MANY = PALETTE.length;

/**
 * All optimizers in one chart, each named at the end of its line with its last averaged loss.
 * `references` (PyTorch's runs, in the order of `curves`) lie broad and pale below their own line. Where
 * there are many, that is so in the small charts below, which show one each.
 */
export function allFigure(
  options: FigureOptions & {
    readonly curves: readonly Curve[];
    readonly references?: readonly (Curve | undefined)[];
  },
): string {
  const { curves, references = [], title, subtitle = "" } = options;
  const steps = Math.max(0, ...curves.map((curve) => curve.losses.length));
  const window = options.window ?? smoothingWindow(steps);
  const pale = curves.map((_, i) => {
    const reference = references[i];
    return reference && lineOf(reference, window, { color: strokeOf(i).color, ...PALE });
  });
  const dark = curves.map((curve, i) => lineOf(curve, window, { ...OURS, ...strokeOf(i) }));
  const many = curves.length > MANY;
  const behind = many ? [] : pale.filter((line) => line !== undefined);
  const heading = headingOf(options, window);
  const plot = lossPanel([...behind, ...dark], { heading, height: 430 });
  const labels = steps > 0 ? endLabels(dark, plot) : [];
  const legend = behind.length > 0 ? SOURCES : [];
  const panel = { ...plot, marginRight: endLabelMargin(labels), legend };
  const overview = { ...panel, overlay: drawEndLabels(labels, panel) };
  if (!many) return composeFigure(title, subtitle, [overview]);
  const faint = pale.map((line) => line && { ...line, width: 5 });
  const sources = pale.some((line) => line !== undefined) ? SOURCES : SOURCES.slice(0, 1);
  const grey = { label: "the others", ...BEHIND };
  const each = { heading: "One by one", legend: [...sources, grey] };
  return composeFigure(title, subtitle, [overview, tiles(dark, faint, plot.y, each)]);
}

/** The learning curve of one run. */
export function trainFigure(options: FigureOptions & { readonly curve: Curve }): string {
  const { curve, ...rest } = options;
  return comparisonFigure({ ...rest, ours: curve });
}

const SOURCES: readonly LegendItem[] = [
  { label: "Downhill", color: MUTED, width: 1.75 },
  { label: "PyTorch float64", color: MUTED, ...PALE },
];

function lineOf(curve: Curve, window: number, style: Omit<Line, "curve" | "smooth">): Line {
  return { curve, smooth: movingAverage(curve.losses, window), ...style };
}

function headingOf(options: FigureOptions, window: number): (log: boolean) => string {
  const { loss = "Training loss", unit = "nats" } = options;
  const averaged = window > 1 ? `, mean of ${window} steps` : "";
  return (log) => `${loss} (${unit}${log ? ", log scale" : ""})${averaged}`;
}
