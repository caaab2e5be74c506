/** What a chart of losses shows of a race: on which axis, over what range, and above which floor. */
import type { Curve } from "../ui/line-chart.tsx";
import type { Track } from "./engine.ts";
import type { Shown } from "./standing.ts";
import type { Surface, View } from "./surfaces.ts";

/** The lowest height above the floor that a logarithmic axis goes down to, as a part of the highest. */
const DEEPEST = 1e-16;

export interface Losses {
  readonly log: boolean;
  readonly floor: number;
  readonly range: readonly [number, number];
  readonly curves: readonly Curve[];
}

/** @param entries those of a race on a surface, in the view. */
export function lossesOf(
  entries: readonly Shown[],
  { minima, bothWays = false }: Pick<Surface, "minima" | "bothWays">,
  view: View,
): Losses {
  const runs = entries.filter(({ track }) => track.refusal === null);
  const tracks = runs.map(({ track }) => track);
  const log = !bothWays;
  const floor = minima.length > 0 || !log ? 0 : lowestOf(tracks);
  const range = log ? logRange(tracks, floor) : linearRange(tracks, view);
  const curves = runs.map(({ racer, track }) => ({
    label: racer.label,
    color: racer.color,
    dash: racer.dash,
    values: Array.from(track.losses, (loss) => {
      if (!Number.isFinite(loss)) return null;
      return log ? Math.max(loss - floor, range[0]) : loss;
    }),
  }));
  return { log, floor, range, curves };
}

function lowestOf(tracks: readonly Track[]): number {
  let lowest = Infinity;
  for (const { losses } of tracks) {
    for (const loss of losses) if (loss < lowest) lowest = loss;
  }
  return Number.isFinite(lowest) ? lowest : 0;
}

/** From the lowest to a thousand times where the race began: what diverges may leave at the top. */
function logRange(tracks: readonly Track[], floor: number): [number, number] {
  const first = (tracks[0]?.losses[0] ?? 1) - floor;
  const start = first > 0 ? first : 1;
  let [low, high] = [start, start];
  for (const { losses } of tracks) {
    for (const loss of losses) {
      const above = loss - floor;
      if (above > 0 && above < low) low = above;
      if (above > high) high = above;
    }
  }
  return [Math.max(low, start * DEEPEST) * 0.7, Math.min(high, start * 1e3) * 1.5];
}

/** What the racers' losses are while they are in the picture. */
function linearRange(tracks: readonly Track[], [x0, x1, y0, y1]: View): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const { xs, ys, losses } of tracks) {
    for (const [i, loss] of losses.entries()) {
      const [x, y] = [xs[i]!, ys[i]!];
      if (!(x >= x0 && x <= x1 && y >= y0 && y <= y1)) continue;
      low = Math.min(low, loss);
      high = Math.max(high, loss);
    }
  }
  if (!(low < high)) return [-1, 1];
  const margin = 0.05 * (high - low);
  return [low - margin, high + margin];
}
