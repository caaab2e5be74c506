/** The line search alone, on functions of one variable. */
import { describe, expect, test } from "vitest";
import { strongWolfe, type Trial } from "../src/optim/lbfgs/strong-wolfe.ts";
import { lbfgsGolden } from "./helpers/lbfgs.ts";

type Line = (t: number) => { f: number; slope: number };

const point = (): Trial => ({ t: 0, f: NaN, slope: NaN });

interface Found extends Trial {
  /** Every place that was looked at, in order. */
  readonly visited: number[];
}

function search(line: Line, first: number, most = 25, narrowest = 1e-9): Found {
  const start = { t: 0, ...line(0) };
  const steps = strongWolfe(start, first, [point(), point(), point()], { most, narrowest });
  const visited: number[] = [];
  let turn = steps.next();
  for (; !turn.done; turn = steps.next()) {
    visited.push(turn.value.t);
    Object.assign(turn.value, line(turn.value.t));
    if (!Number.isFinite(turn.value.f)) turn.value.f = Infinity;
  }
  return { ...turn.value, visited };
}

/** (t - 3)²/2, steep enough that a tenth of the slope is left at t = 0.3. */
const bowl: Line = (t) => ({ f: (t - 3) ** 2 / 2, slope: t - 3 });
/** Moré and Thuente's (1994) first function: -t / (t² + 2). */
const shallow: Line = (t) => ({ f: -t / (t * t + 2), slope: (t * t - 2) / (t * t + 2) ** 2 });
/** Their second: a narrow minimum at about 1.6. */
const narrow: Line = (t) => ({
  f: (t + 0.004) ** 5 - 2 * (t + 0.004) ** 4,
  slope: 5 * (t + 0.004) ** 4 - 8 * (t + 0.004) ** 3,
});
/** Waves on a slope: many intervals hold a point, most points are none. */
const waves: Line = (t) => ({ f: Math.cos(3 * t) - 0.5 * t, slope: -3 * Math.sin(3 * t) - 0.5 });
/** Grows steeply, and overflows. */
const wall: Line = (t) => ({ f: Math.exp(t * t) - 5 * t, slope: 2 * t * Math.exp(t * t) - 5 });

describe("finds a point where the strong Wolfe conditions hold", () => {
  test.each([
    { name: "a bowl", line: bowl },
    { name: "a shallow one", line: shallow },
    { name: "a narrow one", line: narrow },
    { name: "waves", line: waves },
    { name: "a wall", line: wall },
  ])("$name", ({ line }) => {
    const start = line(0);
    for (const first of [1e-3, 0.1, 1, 10, 50]) {
      const { t, f, slope, visited } = search(line, first, 40);
      expect({ f, slope }).toEqual(line(t));
      expect(f).toBeLessThanOrEqual(start.f + 1e-4 * t * start.slope);
      expect(Math.abs(slope)).toBeLessThanOrEqual(-0.9 * start.slope);
      expect(visited[0]).toBe(first);
      expect(visited).toContain(t);
      expect(visited.length).toBeLessThan(20);
    }
  });
});

test("looks where PyTorch's looks, and takes what that takes", () => {
  const { searches } = lbfgsGolden();
  expect(searches.length).toBeGreaterThan(150);
  expect(new Set(searches.map(({ visited }) => visited.length)).size).toBeGreaterThan(7);
  for (const { coefficients, first, most, visited, found } of searches) {
    const line: Line = (t) => {
      let [f, slope] = [0, 0];
      for (const c of coefficients.toReversed()) [slope, f] = [slope * t + f, f * t + c];
      return { f, slope };
    };
    const ours = search(line, first, most);
    const close = (t: number) => expect.closeTo(t, 9);
    expect(ours.visited).toEqual(visited.map(close));
    expect(ours.t).toEqual(close(found));
  }
});

/** A line that is what a table says at the places that are looked at, one after another. */
function tableOf(...points: readonly [f: number, slope: number][]): Line {
  let at = -1;
  return (t) => {
    const [f, slope] = t === 0 ? [0, -1] : points[Math.min(++at, points.length - 1)]!;
    return { f, slope };
  };
}

test("a fall by a ten-thousandth of what the slope promises is enough, less is not", () => {
  expect(search(tableOf([-1.1e-4, 0]), 1).visited).toEqual([1]);
  expect(search(tableOf([-0.9e-4, 0], [-1, 0]), 1).visited).toHaveLength(2);
});

test("the second place may be higher than the first, the third not even as high as the second", () => {
  const { visited } = search(tableOf([-2, -1], [-1.9, -1], [-1.9, -1], [-3, 0]), 1);
  const [first, second, third, fourth] = visited as [number, number, number, number];
  expect(first < second && second < third).toBe(true);
  expect(second < fourth && fourth < third).toBe(true);
  expect(visited).toHaveLength(4);
});

test("takes the first place if it will do", () => {
  expect(search(bowl, 1).visited).toEqual([1]);
});

test("goes out ten times as far at most", () => {
  expect(search((t) => ({ f: (t - 300) ** 2 / 2, slope: t - 300 }), 1).visited).toEqual([
    1, 10, 100,
  ]);
});

test("goes on by interpolation: the minimum of a parabola is the second place", () => {
  expect(search(bowl, 6.5).visited).toEqual([6.5, expect.closeTo(3, 12)]);
});

describe("where there is nothing to be found", () => {
  const cliff: Line = (t) => (t === 0 ? { f: 1, slope: -1 } : { f: NaN, slope: NaN });

  test("it stays where it was, after halving the way to it", () => {
    const { t, visited } = search(cliff, 1, 6);
    expect(t).toBe(0);
    expect(visited).toEqual([1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64]);
  });

  test("it ends when the interval is narrow enough", () => {
    expect(search(cliff, 1, 100, 0.1).visited).toEqual([1, 1 / 2, 1 / 4, 1 / 8, 1 / 16]);
  });

  test.each([0, 1, 2, 5])("it asks for %i places after the first at most", (most) => {
    const falls: Line = (t) => ({ f: -t, slope: -1 });
    const { t, visited } = search(falls, 1, most);
    expect(visited).toHaveLength(most + 1);
    expect(t).toBe(Math.max(...visited));
  });
});

test("turns back from places where the value is not finite", () => {
  const pole: Line = (t) =>
    t < 2 ? { f: -Math.log(2 - t) - 3 * t, slope: 1 / (2 - t) - 3 } : { f: NaN, slope: NaN };
  const { t, f } = search(pole, 100);
  expect(t).toBeGreaterThan(0);
  expect(t).toBeLessThan(2);
  expect(f).toBeLessThan(pole(0).f);
});

test("three points are what it needs", () => {
  const steps = strongWolfe({ t: 0, ...waves(0) }, 1e-3, [point(), point()], {
    most: 25,
    narrowest: 0,
  });
  expect(() => {
    for (const asked of steps) Object.assign(asked, waves(asked.t));
  }).toThrow("room for three points");
});
