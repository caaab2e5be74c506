/** Paints the surface: areas of equal height, lines between them, minima and a few coordinates. */
import type { Relief } from "./contours.ts";
import { pixelX, pixelY, ticks, type Frame } from "./frame.ts";
import type { Point } from "./surfaces.ts";

/** Colours of the theme, as a canvas takes them. */
export interface Inks {
  readonly low: string;
  readonly high: string;
  readonly contour: string;
  readonly ink: string;
  readonly muted: string;
  readonly card: string;
}

export function drawRelief(
  context: CanvasRenderingContext2D,
  frame: Frame,
  relief: Relief | null,
  minima: readonly Point[],
  inks: Inks,
): void {
  context.fillStyle = inks.low;
  context.fillRect(0, 0, frame.width, frame.height);
  relief?.bands.forEach((band, index) => {
    const part = (index + 1) / relief.bands.length;
    context.beginPath();
    for (const ring of band.rings) addRing(context, frame, ring);
    context.fillStyle = `color-mix(in oklab, ${inks.high} ${(100 * part).toFixed(1)}%, ${inks.low})`;
    context.fill("evenodd");
    context.globalAlpha = 0.28;
    context.lineWidth = 0.75;
    context.strokeStyle = inks.contour;
    context.stroke();
    context.globalAlpha = 1;
  });
  drawMinima(context, frame, minima, inks);
  drawTicks(context, frame, inks);
}

function addRing(context: CanvasRenderingContext2D, frame: Frame, ring: Float64Array): void {
  for (let i = 0; i < ring.length; i += 2) {
    const x = pixelX(frame, ring[i]!);
    const y = pixelY(frame, ring[i + 1]!);
    if (i === 0) context.moveTo(x, y);
    else context.lineTo(x, y);
  }
  context.closePath();
}

/** Crosses; small ones where there are many. */
function drawMinima(
  context: CanvasRenderingContext2D,
  frame: Frame,
  minima: readonly Point[],
  { ink, card }: Inks,
): void {
  const arm = minima.length > 9 ? 3 : 6;
  context.lineCap = "round";
  for (const [width, color] of [
    [arm * 0.7, card],
    [arm > 3 ? 2 : 1.2, ink],
  ] as const) {
    context.lineWidth = width;
    context.strokeStyle = color;
    context.beginPath();
    for (const [x, y] of minima) {
      const [px, py] = [pixelX(frame, x), pixelY(frame, y)];
      context.moveTo(px - arm, py - arm);
      context.lineTo(px + arm, py + arm);
      context.moveTo(px - arm, py + arm);
      context.lineTo(px + arm, py - arm);
    }
    context.stroke();
  }
}

function drawTicks(context: CanvasRenderingContext2D, frame: Frame, { muted }: Inks): void {
  const { width, height, view } = frame;
  context.font = `11px ${FONT}`;
  context.fillStyle = muted;
  context.strokeStyle = muted;
  context.lineWidth = 1;
  context.beginPath();
  context.textAlign = "center";
  context.textBaseline = "bottom";
  for (const x of ticks(view[0], view[1], width / 90)) {
    const px = pixelX(frame, x);
    context.moveTo(px, height);
    context.lineTo(px, height - 4);
    if (px > 24 && px < width - 14) context.fillText(label(x), px, height - 6);
  }
  context.textAlign = "left";
  context.textBaseline = "middle";
  for (const y of ticks(view[2], view[3], height / 90)) {
    const py = pixelY(frame, y);
    context.moveTo(0, py);
    context.lineTo(4, py);
    if (py > 14 && py < height - 24) context.fillText(label(y), 7, py);
  }
  context.stroke();
}

const label = (value: number): string => String(value).replace("-", "−");

export const FONT =
  "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";
