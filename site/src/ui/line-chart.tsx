/** Curves over steps, by uPlot: on a logarithmic axis or a linear one, with a place that can be moved. */
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { color, theme } from "../theme.ts";
import { short } from "./format.ts";

export interface Curve {
  readonly label: string;
  /** A colour of theme.css. */
  readonly color: string;
  readonly dash: readonly number[];
  /** A value for each step from 0 on, or for each of the chart's places; `null` where there is none. */
  readonly values: readonly (number | null)[];
  /** In pixels; 1.8 by default. */
  readonly width?: number;
  /** From 0 to 1, which is the default. */
  readonly alpha?: number;
}

interface Props {
  readonly curves: readonly Curve[];
  readonly steps: number;
  /** The steps that have values, where not all of them have. */
  readonly places?: readonly number[];
  readonly log: boolean;
  /** Lowest and highest value that is shown. */
  readonly range: readonly [number, number];
  /** The step up to which curves are shown in full; by default all of them are. */
  readonly at?: number;
  readonly height: number;
  /** What it shows, in a sentence. */
  readonly description: string;
  /** Someone points at a step. */
  onSeek?(step: number): void;
}

export function LineChart(props: Props) {
  const { curves, steps, log, range, at, height, description } = props;
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  // A chart is made for its curves' looks; new values of the same curves are only set.
  const looks = JSON.stringify([
    curves.map(({ values: _, ...look }) => look),
    log,
    height,
    props.onSeek !== undefined,
    theme.value,
  ]);

  useEffect(() => {
    const plot = new uPlot(optionsFor(latest, box.current!), dataOf(latest.current), box.current!);
    chart.current = plot;
    const observer = new ResizeObserver(() => {
      // It may be on its way out of the page.
      const width = box.current?.clientWidth ?? 0;
      if (width > 0) plot.setSize({ width, height });
    });
    observer.observe(box.current!);
    const end = latest.current.onSeek ? followPointer(plot, latest) : undefined;
    return () => {
      end?.();
      observer.disconnect();
      plot.destroy();
    };
  }, [looks]);
  useEffect(() => {
    chart.current?.setData(dataOf(latest.current));
  }, [curves, steps, String(range)]);
  useEffect(() => {
    chart.current?.redraw(false);
  }, [at]);
  const kind = props.onSeek ? "line-chart seeks" : "line-chart";
  return <div class={kind} ref={box} role="img" aria-label={description} />;
}

type Latest = { readonly current: Props };

function dataOf({ curves, steps, places }: Props): uPlot.AlignedData {
  const xs = places ?? Array.from({ length: steps + 1 }, (_, i) => i);
  const values = curves.map((curve) => xs.map((_, i) => curve.values[i] ?? null));
  return [xs, ...values] as uPlot.AlignedData;
}

function optionsFor(latest: Latest, box: HTMLElement): uPlot.Options {
  const { curves, log, height } = latest.current;
  const axis: uPlot.Axis = {
    stroke: color("muted"),
    font: "11px system-ui, sans-serif",
    grid: { stroke: color("line"), width: 1 },
    ticks: { stroke: color("line"), width: 1, size: 4 },
  };
  return {
    width: box.clientWidth,
    height,
    padding: [8, 10, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
    scales: {
      x: { time: false, range: () => [0, latest.current.steps] },
      y: { distr: log ? 3 : 1, range: () => [...latest.current.range] as [number, number] },
    },
    axes: [
      { ...axis, size: 28 },
      log
        ? {
            ...axis,
            size: 44,
            filter: (_, splits) => splits,
            splits: (_, __, low, high) => powers(low, high),
            values: superscripts,
          }
        : { ...axis, size: 54, values: (_, splits) => splits.map((value) => short(value, 3)) },
    ],
    series: [
      {},
      ...curves.map(({ label, color: name, dash, width = 1.8, alpha = 1 }) => ({
        label,
        stroke: color(name),
        width,
        alpha,
        dash: [...dash],
        points: { show: false },
      })),
    ],
    hooks: { draw: [(plot) => veil(plot, latest)] },
  };
}

/** Powers of ten, few enough to be read: all of them, or every second, and so on. */
function powers(low: number, high: number): number[] {
  if (high < 30 * low) return withinPowers(low, high);
  const first = Math.ceil(Math.log10(low) - 1e-9);
  const last = Math.floor(Math.log10(high) + 1e-9);
  const step = Math.max(1, Math.ceil((last - first) / 7));
  const start = Math.ceil(first / step) * step;
  return Array.from({ length: Math.floor((last - start) / step) + 1 }, (_, i) =>
    Number(`1e${start + i * step}`),
  );
}

/** Where one power of ten or none is in sight: 1, 2 and 5 times each. */
function withinPowers(low: number, high: number): number[] {
  const from = Math.floor(Math.log10(low));
  const to = Math.ceil(Math.log10(high));
  const decades = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const all = decades.flatMap((power) => [1, 2, 5].map((m) => Number(`${m}e${power}`)));
  return all.filter((value) => value >= low && value <= high);
}

const raised: Readonly<Record<string, string>> = {
  "-": "⁻",
  ...Object.fromEntries(Array.from("⁰¹²³⁴⁵⁶⁷⁸⁹", (digit, i) => [String(i), digit])),
};

function superscripts(_: uPlot, splits: readonly number[]): string[] {
  return splits.map((value) => {
    const power = Math.round(Math.log10(value));
    if (Number(`1e${power}`) !== value) return short(value);
    if (power >= -2 && power <= 3) return String(value);
    return `10${Array.from(String(power), (character) => raised[character]).join("")}`;
  });
}

/** Covers what has not been shown yet, and draws the line where that begins. */
function veil(plot: uPlot, { current: { at, steps } }: Latest): void {
  if (at === undefined) return;
  const { ctx, bbox } = plot;
  const x = plot.valToPos(Math.min(at, steps), "x", true);
  ctx.save();
  ctx.globalAlpha = 0.72;
  ctx.fillStyle = color("card");
  ctx.fillRect(x, bbox.top, bbox.left + bbox.width - x, bbox.height);
  ctx.globalAlpha = 1;
  if (at < steps) {
    ctx.strokeStyle = color("ink");
    ctx.lineWidth = devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

/** Pressing and dragging over the curves moves the place. */
function followPointer(plot: uPlot, latest: Latest): () => void {
  const { over } = plot;
  const ended = new AbortController();
  const seek = ({ clientX }: PointerEvent): void => {
    const step = plot.posToVal(clientX - over.getBoundingClientRect().left, "x");
    latest.current.onSeek?.(Math.min(Math.max(Math.round(step), 0), latest.current.steps));
  };
  const { signal } = ended;
  over.addEventListener(
    "pointerdown",
    (event) => {
      over.setPointerCapture(event.pointerId);
      seek(event);
    },
    { signal },
  );
  over.addEventListener("pointermove", (event) => event.buttons === 1 && seek(event), { signal });
  return () => ended.abort();
}
