/** Paints where the racers have been up to a step: their trails, where they are, and who they are. */
import { markerPath } from "../ui/marker.ts";
import { FONT, type Inks } from "./draw-relief.ts";
import { pixelX, pixelY, type Frame } from "./frame.ts";
import type { Shown } from "./standing.ts";

/** The last part of a trail is painted stronger. */
const FRESH = 40;
/** Points nearer to the one before, in pixels, are left out. */
const GRAIN = 0.6;
const LABEL_HEIGHT = 16;
/** What the buttons in the upper right corner take, in pixels. */
const BUTTONS = { width: 84, height: 42 };

interface Head {
  readonly entry: Shown;
  readonly x: number;
  readonly y: number;
  /** The last step that is painted: the shown one, or the one with which it left for good. */
  readonly end: number;
  readonly isOut: boolean;
}

export function drawTrails(
  context: CanvasRenderingContext2D,
  frame: Frame,
  entries: readonly Shown[],
  position: number,
  inks: Inks,
  colorOf: (name: string) => string,
): void {
  const { width, height } = frame;
  context.clearRect(0, 0, width, height);
  context.lineJoin = "round";
  context.lineCap = "butt";
  const running = entries.filter(({ track }) => track.refusal === null);
  const heads = running.map((entry) => headOf(frame, entry, position));
  for (const head of heads) drawTrail(context, frame, head, inks, colorOf);
  for (const head of heads) drawHead(context, head, inks, colorOf);
  drawNames(context, frame, heads, inks);
}

function drawTrail(
  context: CanvasRenderingContext2D,
  frame: Frame,
  { entry: { racer, track }, end }: Head,
  inks: Inks,
  colorOf: (name: string) => string,
): void {
  const color = colorOf(racer.color);
  trace(context, frame, track.xs, track.ys, 0, end);
  context.setLineDash([]);
  context.strokeStyle = inks.card;
  context.globalAlpha = 0.55;
  context.lineWidth = 3.4;
  context.stroke();
  context.setLineDash([...racer.dash]);
  context.strokeStyle = color;
  context.globalAlpha = 0.9;
  context.lineWidth = 1.7;
  context.stroke();
  context.globalAlpha = 1;
  trace(context, frame, track.xs, track.ys, Math.max(0, Math.floor(end) - FRESH), end);
  context.lineWidth = 2.6;
  context.stroke();
  context.setLineDash([]);
}

/** A path through the points from one step to another, which may lie between two. */
function trace(
  context: CanvasRenderingContext2D,
  frame: Frame,
  xs: Float64Array,
  ys: Float64Array,
  from: number,
  to: number,
): void {
  context.beginPath();
  let lastX = NaN;
  let lastY = NaN;
  const whole = Math.floor(to);
  for (let i = from; i <= whole + 1; i++) {
    if (i > whole && whole === to) break;
    const part = i > whole ? to - whole : 1;
    const at = i > whole ? whole + 1 : i;
    const before = Math.max(at - 1, 0);
    const x = held(pixelX(frame, xs[before]! + (xs[at]! - xs[before]!) * part));
    const y = held(pixelY(frame, ys[before]! + (ys[at]! - ys[before]!) * part));
    if (Number.isNaN(x + y)) break;
    if (i !== from && i < whole && Math.abs(x - lastX) + Math.abs(y - lastY) < GRAIN) continue;
    if (i === from) context.moveTo(x, y);
    else context.lineTo(x, y);
    [lastX, lastY] = [x, y];
  }
}

/** A pixel that a canvas can cope with. */
const held = (pixel: number): number => Math.min(Math.max(pixel, -1e5), 1e5);

function headOf(frame: Frame, entry: Shown, position: number): Head {
  const { track, fate } = entry;
  const { xs, ys } = track;
  const end = Math.min(position, fate.left ?? Infinity, xs.length - 1);
  const [i, part] = [Math.floor(end), end % 1];
  const next = Math.min(i + 1, xs.length - 1);
  const x = pixelX(frame, xs[i]! + (xs[next]! - xs[i]!) * part);
  const y = pixelY(frame, ys[i]! + (ys[next]! - ys[i]!) * part);
  const { width, height } = frame;
  const isOut = !(x >= 0 && x <= width && y >= 0 && y <= height);
  if (!isOut) return { entry, x, y, end, isOut };
  const margin = 9;
  const inside = (pixel: number, size: number): number =>
    Number.isNaN(pixel) ? size / 2 : Math.min(Math.max(pixel, margin), size - margin);
  return { entry, x: inside(x, width), y: inside(y, height), end, isOut };
}

function drawHead(
  context: CanvasRenderingContext2D,
  { entry, x, y, isOut }: Head,
  inks: Inks,
  colorOf: (name: string) => string,
): void {
  const shape = new Path2D(markerPath(entry.racer.marker, x, y, 6));
  context.lineWidth = 2;
  context.strokeStyle = isOut ? colorOf(entry.racer.color) : inks.card;
  context.fillStyle = isOut ? inks.card : colorOf(entry.racer.color);
  context.stroke(shape);
  // oxlint-disable-next-line no-array-fill-with-reference-type -- it is no array
  context.fill(shape);
}

/** Names beside the heads, moved apart where they would cover each other. */
function drawNames(
  context: CanvasRenderingContext2D,
  { width, height }: Frame,
  heads: readonly Head[],
  { ink, card }: Inks,
): void {
  context.font = `600 12px ${FONT}`;
  context.textBaseline = "middle";
  context.lineJoin = "round";
  const placed: { left: number; right: number; y: number }[] = [];
  for (let y = 0; y <= BUTTONS.height; y += LABEL_HEIGHT / 2) {
    placed.push({ left: width - BUTTONS.width, right: width, y });
  }
  for (const { entry, x, y, end } of heads.toSorted((a, b) => a.y - b.y)) {
    const { racer, fate } = entry;
    const gone = fate.left !== null && end >= fate.left;
    const text = gone ? `${racer.label}, left at step ${fate.left}` : racer.label;
    const size = context.measureText(text).width;
    const left = x + 12 + size > width - 4 ? x - 12 - size : x + 12;
    const right = left + size;
    let at = Math.min(Math.max(y, 10), height - 26);
    const covers = (other: (typeof placed)[number]): boolean =>
      Math.abs(other.y - at) < LABEL_HEIGHT && left < other.right + 6 && right > other.left - 6;
    for (let turn = 0; turn < placed.length && placed.some(covers); turn++) {
      at = Math.max(...placed.filter(covers).map((other) => other.y)) + LABEL_HEIGHT;
    }
    placed.push({ left, right, y: at });
    context.lineWidth = 4;
    context.strokeStyle = card;
    context.globalAlpha = 0.85;
    context.strokeText(text, left, at);
    context.globalAlpha = 1;
    context.fillStyle = ink;
    context.fillText(text, left, at);
  }
}
