/** Where lines of equal height lie, and how coordinates become pixels. */
import { describe, expect, test } from "vitest";
import { levelsAbove, relief } from "../../site/src/race/contours.ts";
import { pixelX, pixelY, placeOf, ticks, zoomed } from "../../site/src/race/frame.ts";

describe("the picture", () => {
  test("levels are evenly spaced in the logarithm of the height", () => {
    const levels = levelsAbove(Array.from({ length: 1000 }, (_, i) => 5 + i ** 2));
    expect(levels).toHaveLength(18);
    const ratios = levels.slice(1).map((level, i) => (level - 5) / (levels[i]! - 5));
    for (const ratio of ratios) expect(ratio).toBeCloseTo(ratios[0]!, 6);
  });

  test.each([[[1, 1, 1]], [[NaN, Infinity]], [[]]])("a plain has none: %j", (values) => {
    expect(levelsAbove(values)).toEqual([]);
  });

  test("lines lie where the surface has that height", () => {
    const { bands } = relief(
      { value: (x, y) => x * x + y * y, gradient: () => [0, 0] },
      [-2, 2, -1, 1],
    );
    expect(bands.length).toBeGreaterThan(10);
    for (const { level, rings } of bands.filter((band) => band.level < 0.9)) {
      // The outer ring goes around the picture, the inner one is the circle.
      const circle = rings.at(-1)!;
      for (let i = 0; i < circle.length; i += 2) {
        expect(Math.hypot(circle[i]!, circle[i + 1]!)).toBeCloseTo(Math.sqrt(level), 2);
      }
    }
  });

  test("pixels and places are each other's inverse", () => {
    const frame = { width: 500, height: 400, view: [-2, 3, -1, 3] } as const;
    const [x, y] = placeOf(frame, 123, 321);
    expect(pixelX(frame, x)).toBeCloseTo(123, 0);
    expect(pixelY(frame, y)).toBeCloseTo(321, 0);
    expect(ticks(-2.25, 2.25, 5)).toEqual([-2, -1, 0, 1, 2]);
    expect(zoomed([-2, 2, -1, 1], 0.5, [0, 0])).toEqual([-1, 1, -0.5, 0.5]);
  });
});
