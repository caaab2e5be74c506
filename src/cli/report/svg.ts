/**
 * The parts of a figure that are not data: the white card, its title, panels below one another,
 * each with a heading and a legend, all in one valid SVG document.
 *
 * Observable Plot draws the inside of a panel; it needs a `document`, which linkedom gives it in
 * Node. Given a title or a legend, Plot would wrap its SVG in HTML, so these are written here. The
 * colours are fixed and the background is white: the picture reads the same on a dark page and in a
 * viewer without any style sheet. Nothing depends on chance or time, so the same data gives the same
 * bytes.
 */

import * as Plot from "@observablehq/plot";
import { DOMParser } from "linkedom";
import type { Axis } from "./axis.ts";

/** The width of every figure, in pixels. */
export const WIDTH = 800;

export const INK = "#1f2328";
export const MUTED = "#57606a";
export const GRID = "#e6e8eb";
const BASE = "#c3c8ce";

/** Okabe and Ito's colours that show on white, which colour-blind readers can tell apart. */
export const PALETTE = [
  "#0072b2",
  "#d55e00",
  "#009e73",
  "#cc79a7",
  "#e69f00",
  "#56b4e9",
  "#000000",
] as const;

const DASHES = ["6 3", "2 2.5"];

/** How the line with this number looks: where the colours are used up, they come again with dashes. */
export function strokeOf(index: number): { readonly color: string; readonly dash?: string } {
  const color = PALETTE[index % PALETTE.length] ?? MUTED;
  const turn = Math.floor(index / PALETTE.length);
  const dash = DASHES[(turn - 1) % DASHES.length];
  return turn === 0 || dash === undefined ? { color } : { color, dash };
}

/** The margins of a panel's plot area within the figure, in pixels. */
export const MARGIN = { left: 60, right: 28, top: 8, bottom: 28 } as const;

/** The room that an axis label takes below the ticks. */
export const LABEL = 16;

/** One entry of a legend: a piece of line as it is drawn, and what it means. */
export interface LegendItem {
  readonly label: string;
  readonly color: string;
  readonly width: number;
  readonly opacity?: number;
  readonly dash?: string;
}

/** One plot area of a figure with its axes. */
export interface Panel {
  readonly heading: string;
  readonly legend: readonly LegendItem[];
  /** Height of the plot with its axis, without the heading. */
  readonly height: number;
  readonly marginRight?: number;
  readonly x: {
    readonly type?: "linear" | "log";
    readonly domain: readonly [number, number];
    readonly ticks: readonly number[];
    readonly label: string | null;
    /** Default: with separators between thousands. */
    readonly format?: (value: number) => string;
  };
  readonly y: Axis;
  readonly marks: readonly Plot.Markish[];
  /** SVG to lay over the plot, in its pixels (0 is the top of the plot, margins included). */
  readonly overlay?: string;
}

/** A part of a figure that was drawn elsewhere, as wide as the figure. */
export interface Drawing extends Pick<Panel, "heading" | "legend" | "height"> {
  readonly svg: string;
}

/** Text made safe for the content and the attributes of XML and HTML. */
export function escapeText(text: string): string {
  // oxlint-disable-next-line no-control-regex
  const printable = text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd");
  return printable
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

/** A piece of text at a place; `extra` holds further attributes, already escaped. */
export function svgText(x: number, y: number, text: string, extra = ""): string {
  return `<text x="${round(x)}" y="${round(y)}" ${extra}>${escapeText(text)}</text>`;
}

/** Sets panels below one another under a title: the whole figure as a standalone SVG document. */
export function composeFigure(
  title: string,
  subtitle: string,
  panels: readonly (Panel | Drawing)[],
): string {
  const parts: string[] = [];
  let y = 16;
  for (const line of wrap(title, 72)) {
    y += 20;
    parts.push(svgText(20, y, line, `font-size="18" font-weight="600" fill="${INK}"`));
  }
  for (const line of wrap(subtitle, 104)) {
    y += 19;
    parts.push(svgText(20, y, line, `font-size="13" fill="${MUTED}"`));
  }
  for (const panel of panels) {
    y += 26;
    const head = panelHead(panel, y);
    parts.push(head.svg);
    y = head.bottom;
    parts.push(
      `<g transform="translate(0,${round(y)})">${"svg" in panel ? panel.svg : drawPanel(panel)}</g>`,
    );
    y += panel.height;
  }
  const height = Math.ceil(y + 12);
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" ` +
    `viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeText(title)}" ` +
    `font-family="system-ui, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif" ` +
    `color="${INK}" fill="${INK}">` +
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>${parts.join("")}</svg>\n`
  );
}

/** The heading at the left and the legend at the right; below it where both do not fit. */
function panelHead(
  panel: Pick<Panel, "heading" | "legend">,
  y: number,
): { svg: string; bottom: number } {
  const heading = svgText(20, y, panel.heading, `font-size="12" font-weight="600" fill="${INK}"`);
  const widths = panel.legend.map((item) => 33 + textWidth(item.label, 12) + 16);
  const total = widths.reduce((a, b) => a + b, -16);
  const fits = 20 + textWidth(panel.heading, 12) + 24 + total <= WIDTH - 20;
  let x = fits ? WIDTH - 20 - total : 20;
  let row = fits || panel.legend.length === 0 ? y : y + 20;
  const items = panel.legend.map((item, i) => {
    const width = widths[i] ?? 0;
    if (x > 20 && x + width - 16 > WIDTH - 19) {
      x = 20;
      row += 19;
    }
    const svg = legendItem(item, x, row);
    x += width;
    return svg;
  });
  return { svg: heading + items.join(""), bottom: row + 8 };
}

function legendItem(item: LegendItem, x: number, y: number): string {
  const dash = item.dash === undefined ? "" : ` stroke-dasharray="${item.dash}"`;
  return (
    `<line x1="${round(x)}" x2="${round(x + 26)}" y1="${y - 4}" y2="${y - 4}" ` +
    `stroke="${item.color}" stroke-width="${item.width}" ` +
    `stroke-opacity="${item.opacity ?? 1}"${dash}/>` +
    svgText(x + 33, y, item.label, `font-size="12" fill="${INK}"`)
  );
}

function drawPanel(panel: Panel): string {
  const { x, y } = panel;
  const axis = { color: MUTED, tickSize: 0, fontSize: 12 };
  const ruled = { ticks: [...y.ticks], stroke: GRID, strokeOpacity: 1 };
  const plot = drawPlot({
    height: panel.height,
    marginLeft: MARGIN.left,
    marginRight: panel.marginRight ?? MARGIN.right,
    marginTop: MARGIN.top,
    marginBottom: x.label === null ? MARGIN.bottom : MARGIN.bottom + LABEL,
    x: { type: x.type ?? "linear", domain: [...x.domain], label: null },
    y: { type: y.type, domain: [...y.domain], label: null },
    marks: [
      Plot.gridY(ruled),
      Plot.axisY({ ...axis, ticks: [...y.ticks], text: y.format, tickPadding: 8 }),
      Plot.ruleY([y.domain[0]], { stroke: BASE }),
      Plot.axisX({
        ...axis,
        ticks: [...x.ticks],
        tickFormat: x.format ?? ((value: number) => value.toLocaleString("en-US")),
        tickPadding: 8,
        label: x.label,
        labelAnchor: "center",
        labelArrow: "none",
        labelOffset: 38,
      }),
      ...panel.marks,
    ],
  });
  return plot + (panel.overlay ?? "");
}

/** What Plot draws, as a group that can stand in a figure. */
export function drawPlot(options: Plot.PlotOptions): string {
  const svg = Plot.plot({
    document: new DOMParser().parseFromString("<svg/>", "image/svg+xml") as unknown as Document,
    className: "plot",
    width: WIDTH,
    ...options,
  });
  svg.querySelector("style")?.remove();
  const inside = Array.from(svg.children, (child) => child.outerHTML).join("");
  return `<g font-size="12" text-anchor="middle">${inside}</g>`;
}

/**
 * Roughly how wide a text is: there is no font to measure in Node, so as in the widest that readers are
 * likely to have, DejaVu Sans and Verdana, with their broad figures.
 */
export function textWidth(text: string, fontSize: number): number {
  return text.length * fontSize * 0.61;
}

function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/).filter((part) => part !== "")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= columns) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return lines;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
