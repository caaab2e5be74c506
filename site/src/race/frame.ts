/** From coordinates of the surface to pixels of the picture and back. */
import type { Point, View } from "./surfaces.ts";

export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly view: View;
}

export const pixelX = ({ width, view: [x0, x1] }: Frame, x: number): number =>
  ((x - x0) / (x1 - x0)) * width;

export const pixelY = ({ height, view: [, , y0, y1] }: Frame, y: number): number =>
  height - ((y - y0) / (y1 - y0)) * height;

/** The place of a pixel, to as many digits as pixels tell apart. */
export function placeOf({ width, height, view }: Frame, px: number, py: number): Point {
  const [x0, x1, y0, y1] = view;
  return [
    rounded(x0 + (px / width) * (x1 - x0), (x1 - x0) / width),
    rounded(y1 - (py / height) * (y1 - y0), (y1 - y0) / height),
  ];
}

/** A value without the digits that are far below `grain`. */
export function rounded(value: number, grain: number): number {
  const digits = Math.min(Math.max(Math.ceil(-Math.log10(grain)), 0), 12);
  return Number(value.toFixed(digits));
}

/** Round numbers within a range, about so many. */
export function ticks(from: number, to: number, count: number): number[] {
  const rough = (to - from) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((size) => size >= rough)!;
  const first = Math.ceil(from / step - 1e-9);
  const last = Math.floor(to / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => rounded((first + i) * step, step / 10));
}

/** The view made larger or smaller about a point, which stays where it is. */
export function zoomed([x0, x1, y0, y1]: View, factor: number, [x, y]: Point): View {
  const grain = Math.min(x1 - x0, y1 - y0) * factor * 1e-3;
  const move = (edge: number, at: number): number => rounded(at + (edge - at) * factor, grain);
  return [move(x0, x), move(x1, x), move(y0, y), move(y1, y)];
}
