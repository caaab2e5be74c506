/**
 * A line search: how far to go along a direction, so that the strong Wolfe conditions hold.
 *
 * With φ(t) = f(x + t·d) they are φ(t) ≤ φ(0) + c1·t·φ'(0), the loss falls enough, and
 * |φ'(t)| ≤ c2·|φ'(0)|, the slope has flattened enough. Nocedal and Wright, Numerical Optimization,
 * 2nd ed., algorithms 3.5 (find an interval that holds such a point) and 3.6 (zoom into it).
 *
 * The search knows nothing of vectors. It asks for values by yielding a point, and whoever runs it
 * fills in what was found there: so it serves losses that are there at once and losses that are awaited.
 */

/** A point on the line: where it is, the value of φ there, and its slope. */
export interface Trial {
  t: number;
  /** Infinity where the loss or its slope is not finite: such a point lies too far out. */
  f: number;
  slope: number;
}

export interface SearchLimits {
  /** So many points may be asked for after the first one. */
  readonly most: number;
  /** An interval that is narrower is not searched any further. */
  readonly narrowest: number;
}

/** How much of the decrease that the slope promises has to come true. */
const C1 = 1e-4;
/** How much of the slope may be left. */
const C2 = 0.9;

/**
 * @param start the point at t = 0; its slope is negative.
 * @param first where to look first.
 * @param room three points to write into.
 * @yields points whose `f` and `slope` are wanted.
 * @returns the point to go to, one of the above: with the least value known if the limits were
 *   reached before a point was found that satisfies the conditions.
 */
export function* strongWolfe<P extends Trial>(
  start: P,
  first: number,
  room: readonly P[],
  { most, narrowest }: SearchLimits,
): Generator<P, P, void> {
  const tooHigh = (p: P) => p.f > start.f + C1 * p.t * start.slope;
  const flat = (p: P) => Math.abs(p.slope) <= -C2 * start.slope;

  // Algorithm 3.5. As in PyTorch, values are not compared before the third point.
  let [before, here] = [start, moved(unused(room), first)];
  yield here;
  let asked = 0;
  for (; asked < most; asked++) {
    if (tooHigh(here) || (asked > 1 && here.f >= before.f)) break;
    if (flat(here)) return here;
    if (here.slope >= 0) break;
    const nearest = here.t + 0.01 * (here.t - before.t);
    const next = moved(unused(room, before, here), interpolate(before, here, nearest, 10 * here.t));
    yield next;
    [before, here] = [here, next];
  }
  if (asked === most) before = start;

  // Algorithm 3.6, between two ends of which one has the lower value.
  const ends: [P, P] = [before, here];
  let low = lower(ends);
  let wasClose = false;
  for (; asked < most && Math.abs(ends[1].t - ends[0].t) >= narrowest; asked++) {
    const left = Math.min(ends[0].t, ends[1].t);
    const right = Math.max(ends[0].t, ends[1].t);
    let t = interpolate(...ends, left, right);
    const margin = 0.1 * (right - left);
    const close = Math.min(right - t, t - left) < margin;
    // Twice close to an end, or on it: a tenth of the interval away from it instead.
    const stuck: boolean = close && (wasClose || t >= right || t <= left);
    if (stuck) t = right - t < t - left ? right - margin : left + margin;
    wasClose = close && !stuck;
    const middle = moved(unused(room, ...ends), t);
    yield middle;
    const [lowest, high] = [ends[low], (1 - low) as 0 | 1];
    if (tooHigh(middle) || middle.f >= lowest.f) {
      ends[high] = middle;
      low = lower(ends);
    } else {
      if (flat(middle)) return middle;
      if (middle.slope * (ends[high].t - lowest.t) >= 0) ends[high] = lowest;
      ends[low] = middle;
    }
  }
  return ends[low];
}

function lower(ends: readonly [Trial, Trial]): 0 | 1 {
  return ends[0].f <= ends[1].f ? 0 : 1;
}

/**
 * The minimum of the cubic with the values and slopes of two points, (3.59), kept within bounds; the
 * middle of the bounds where it has none.
 */
function interpolate(a: Trial, b: Trial, least: number, most: number): number {
  const [l, r] = a.t <= b.t ? [a, b] : [b, a];
  const d1 = l.slope + r.slope - (3 * (l.f - r.f)) / (l.t - r.t);
  const d2 = Math.sqrt(d1 * d1 - l.slope * r.slope);
  const t = r.t - (r.t - l.t) * ((r.slope + d2 - d1) / (r.slope - l.slope + 2 * d2));
  return Number.isFinite(t) ? Math.min(Math.max(t, least), most) : (least + most) / 2;
}

/** A point that is not in use. */
function unused<P>(room: readonly P[], a?: P, b?: P): P {
  for (let i = 0; i < room.length; i++) if (room[i] !== a && room[i] !== b) return room[i]!;
  throw new Error("a line search needs room for three points");
}

function moved<P extends Trial>(point: P, t: number): P {
  point.t = t;
  return point;
}
