import { PassThrough } from "node:stream";
import { DOMParser } from "linkedom";
import { describe, expect, it } from "vitest";
import {
  decadeTicks,
  logTicks,
  lossAxis,
  niceTicks,
  powerOfTen,
} from "../../src/cli/report/axis.ts";
import {
  clip,
  type ComparisonRow,
  type Curve,
  distances,
  envelope,
  largestDistance,
  lossRange,
  thin,
} from "../../src/cli/report/curves.ts";
import { allFigure, comparisonFigure, trainFigure } from "../../src/cli/report/figure.ts";
import { htmlReport } from "../../src/cli/report/html.ts";
import { divergedAt, movingAverage, smoothingWindow } from "../../src/training/losses.ts";
import { strokeOf } from "../../src/cli/report/svg.ts";
import { createProgress, type ProgressStream } from "../../src/cli/report/progress.ts";
import {
  comparisonTable,
  formatDuration,
  formatLoss,
  formatScientific,
  percent,
  terminalPlot,
} from "../../src/cli/report/terminal.ts";

/** A curve that falls from 2.3 towards `end`, with noise that is the same in every run. */
function falling(label: string, steps: number, end: number, rate = 0.02): Curve {
  let seed = 7;
  const losses = Float64Array.from({ length: steps }, (_, i) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const noise = 1 + 0.4 * (seed / 2 ** 32 - 0.5);
    return (end + (2.3 - end) / (1 + rate * i)) * noise;
  });
  return { label, losses };
}

function shifted(curve: Curve, label: string, by: number): Curve {
  const losses = Float64Array.from(curve.losses, (loss, i) => loss + by * Math.sin(i) * (i / 1000));
  return { label, losses };
}

function row(changes: Partial<ComparisonRow>): ComparisonRow {
  return {
    key: "adam",
    label: "Adam",
    options: "lr=0.001",
    finalLoss: 0.0412,
    testAccuracy: 0.9731,
    torchAccuracy: 0.9731,
    distance: 1.24e-7,
    torchDistance: 2.05e-7,
    gradientMs: 1.2345,
    optimizerMs: 0.0423,
    parameters: 101_770,
    steps: 2814,
    ...changes,
  };
}

const ROWS: readonly ComparisonRow[] = [
  row({}),
  row({
    key: "momentum",
    label: "SGD with momentum",
    options: "lr=0.01, momentum=0.9",
    finalLoss: Number.NaN,
    testAccuracy: 0.098,
    torchAccuracy: null,
    distance: null,
    torchDistance: null,
  }),
];

const HOSTILE = `<script>alert("x")</script> & 'co' ]]> \u0000\u001b[31m`;

describe("curves", () => {
  it.each([
    {
      name: "shrinks at the start, keeps the left half at the end",
      window: 3,
      values: [4, 1, 1, 7],
      out: [4, 2, 3, 4],
    },
    {
      name: "takes an even window as the next odd one",
      window: 2,
      values: [4, 1, 1, 7],
      out: [4, 2, 3, 4],
    },
    {
      name: "leaves values alone with a window of one",
      window: 1,
      values: [4, 1, 7],
      out: [4, 1, 7],
    },
    { name: "takes one value", window: 5, values: [2], out: [2] },
    { name: "takes none", window: 5, values: [], out: [] },
    {
      name: "stops at NaN and begins anew",
      window: 3,
      values: [1, 2, 6, Number.NaN, 8, 2],
      out: [1, 3, 4, Number.NaN, 8, 5],
    },
    {
      name: "keeps an infinity",
      window: 3,
      values: [1, 2, Number.POSITIVE_INFINITY],
      out: [1, 1.5, Number.POSITIVE_INFINITY],
    },
  ])("a moving average $name", ({ values, window, out }) => {
    expect(Array.from(movingAverage(values, window))).toEqual(out);
  });

  it("smooths over a fiftieth of the steps", () => {
    expect([0, 1, 99, 100, 2800, 1e6].map(smoothingWindow)).toEqual([1, 1, 1, 3, 57, 201]);
  });

  it("measures distances, and agrees about agreeing divergence", () => {
    const { NaN: nan, POSITIVE_INFINITY: inf, NEGATIVE_INFINITY: minus } = Number;
    const a = [1, nan, nan, inf, inf, 1];
    const b = [1.5, nan, 1, inf, minus, inf];
    expect(Array.from(distances(a, b))).toEqual([0.5, 0, inf, 0, inf, inf]);
    expect(largestDistance([1, 2, 3], [1, 2.25, 2.9])).toBe(0.25);
    expect(largestDistance([], [])).toBe(0);
    expect(largestDistance([1, nan], [1, 2])).toBe(inf);
    expect(() => largestDistance([1], [1, 2])).toThrow(RangeError);
  });

  it("finds the step where a run diverged", () => {
    expect(divergedAt([1, 2, Number.NaN])).toBe(3);
    expect(divergedAt([Number.NEGATIVE_INFINITY])).toBe(1);
    expect(divergedAt([1, 1e300])).toBeNull();
  });

  it("thins a curve without losing its ends, its spikes and its gaps", () => {
    const values = Float64Array.from({ length: 1000 }, (_, i) => i % 7);
    values[333] = 100;
    values[334] = -100;
    values.fill(Number.NaN, 900);
    const points = thin(values, 50);
    expect(points.length).toBeLessThan(110);
    expect(points[0]).toEqual({ x: 1, y: 0 });
    expect(points).toContainEqual({ x: 334, y: 100 });
    expect(points).toContainEqual({ x: 335, y: -100 });
    expect(points.filter(({ y }) => Number.isNaN(y))).toEqual([{ x: 901, y: Number.NaN }]);
    expect(points.every(({ x }, i) => i === 0 || x > (points[i - 1]?.x ?? 0))).toBe(true);
    expect(thin([], 10)).toEqual([]);
    expect(thin([5], 10)).toEqual([{ x: 1, y: 5 }]);
  });

  it("takes the largest of each few steps, leaving out what a log axis cannot show", () => {
    const points = envelope([1e-8, 3e-8, 0, 0, Number.POSITIVE_INFINITY, 2e-8, 1], 2);
    expect(points.map(({ x }) => x)).toEqual([1.5, 3.5, 5.5, 7]);
    expect(points.map(({ y }) => y)).toEqual([3e-8, Number.NaN, 2e-8, 1]);
  });

  it("cuts a line where it leaves a chart", () => {
    const line = [1, 3, -1, 1].map((y, i) => ({ x: i, y }));
    expect(clip(line, 0, 2)).toEqual([
      { x: 0, y: 1 },
      { x: 0.5, y: 2 },
      { x: 1, y: Number.NaN },
      { x: 1.25, y: 2 },
      { x: 1.75, y: 0 },
      { x: 2, y: Number.NaN },
      { x: 2.5, y: 0 },
      { x: 3, y: 1 },
    ]);
  });

  it("keeps a run that explodes from pressing the others flat", () => {
    expect(lossRange([[2, 1, 0.5]])).toEqual([0, 2]);
    expect(lossRange([[2, 4, 19]])).toEqual([0, 19]);
    expect(
      lossRange([
        [2, 1],
        [2, 1e9],
      ]),
    ).toEqual([0, 6]);
    expect(lossRange([[2, 5, 9, Number.NaN]])).toEqual([0, 6]);
    expect(lossRange([[1, -4]])).toEqual([-4, 1]);
    expect(lossRange([[Number.NaN]])).toEqual([0, 1]);
    expect(lossRange([])).toEqual([0, 1]);
  });
});

describe("axes", () => {
  it("has round ticks", () => {
    expect(niceTicks(0, 2.4, 5)).toEqual([0, 0.5, 1, 1.5, 2]);
    expect(niceTicks(0, 2800, 7)).toEqual([0, 500, 1000, 1500, 2000, 2500]);
    expect(niceTicks(3, 3, 5)).toEqual([3]);
    expect(logTicks(0.04, 2.5)).toEqual([0.05, 0.1, 0.2, 0.5, 1, 2]);
    expect(logTicks(0.9e-9, 2)).toEqual([1, 1e-3, 1e-6, 1e-9]);
    expect(decadeTicks(-8, -4)).toEqual([1e-4, 1e-5, 1e-6, 1e-7, 1e-8]);
    expect([1e-12, 1, 10].map(powerOfTen)).toEqual(["10⁻¹²", "10⁰", "10¹"]);
  });

  it("is logarithmic where the losses fall far and stay positive", () => {
    expect(lossAxis([[2.3, 0.1]]).type).toBe("log");
    expect(lossAxis([[2.3, 1.9]]).type).toBe("linear");
    expect(lossAxis([[2.3, 0.1, -0.1]]).type).toBe("linear");
    expect(lossAxis([]).domain).toEqual([0, 1.08]);
  });
});

/** Parses a figure and checks what holds for every one. */
function parsed(svg: string): { texts: string[]; paths: number } {
  const document = new DOMParser().parseFromString(svg, "image/svg+xml");
  expect(svg.match(/<svg\b/g)).toHaveLength(1);
  expect(document.documentElement.tagName).toBe("svg");
  expect(document.documentElement.getAttribute("xmlns")).toBe("http://www.w3.org/2000/svg");
  expect(svg).not.toMatch(/="[^"]*(NaN|Infinity|undefined)[^"]*"/);
  expect(svg).not.toMatch(/<(script|style|figure)\b/);
  expect(svg.length).toBeLessThan(150_000);
  const texts = Array.from(
    document.querySelectorAll("text"),
    (text: Element) => text.textContent ?? "",
  );
  return { texts, paths: Array.from(document.querySelectorAll("path")).length };
}

describe("figures", () => {
  const torch64 = falling("PyTorch float64", 2800, 0.04);
  const ours = shifted(torch64, "Downhill float32", 1e-7);
  const torch32 = shifted(torch64, "PyTorch float32", 2e-7);
  const broken = Float64Array.from(torch64.losses, (loss, i) => (i < 900 ? loss : Number.NaN));
  const exploded = Float64Array.from(torch64.losses, (loss, i) =>
    i < 500 ? loss : loss * Math.exp(i - 500),
  );

  it("draws one optimizer beside PyTorch, with the distances below", () => {
    const svg = comparisonFigure({ title: "Adam", subtitle: "lr=0.001", ours, torch64, torch32 });
    const { texts, paths } = parsed(svg);
    expect(texts).toEqual(
      expect.arrayContaining([
        "Adam",
        "lr=0.001",
        "Training loss (nats, log scale), mean of 57 steps",
        "Distance from PyTorch float64 (nats), largest in 10 steps",
        "Downhill float32",
        "PyTorch float64",
        "PyTorch float32",
        "each step",
        "step",
      ]),
    );
    // Ours raw and averaged, PyTorch's average, and two distances.
    expect(paths).toBe(5);
    expect(comparisonFigure({ title: "Adam", subtitle: "lr=0.001", ours, torch64, torch32 })).toBe(
      svg,
    );
  });

  it("says so when two runs agree in every bit", () => {
    const { texts } = parsed(comparisonFigure({ title: "SGD", ours: torch64, torch64 }));
    expect(texts).toContain("no difference at any step");
  });

  it("names every optimizer at the end of its line, however close they end", () => {
    const curves = Array.from({ length: 12 }, (_, i) => falling(`rule ${i}`, 500, 0.04 + i * 1e-5));
    const svg = allFigure({ title: "All", curves, references: curves });
    const { texts } = parsed(svg);
    const names = [...svg.matchAll(/y="([\d.]+)" font-size="12.5">(rule \d+)</g)];
    const heights = names.map((match) => Number(match[1])).toSorted((a, b) => a - b);
    expect(names).toHaveLength(12);
    expect(Math.min(...heights.slice(1).map((y, i) => y - (heights[i] ?? 0)))).toBeGreaterThan(12);
    expect(texts).toEqual(expect.arrayContaining(["Downhill", "PyTorch float64"]));
  });

  it("leaves room between a name and its figure, in a wide font as well", () => {
    const curve = falling("SGD with momentum", 500, 0.04);
    const svg = allFigure({ title: "All", curves: [curve] });
    const name = Number(/x="([\d.]+)"[^>]*font-size="12.5">SGD with momentum</.exec(svg)![1]);
    const [, end, value] = /x="([\d.]+)" y="[\d.]+" font-size="12"[^>]*"end">([\d.]+)</.exec(svg)!;
    // advance widths of DejaVu Sans: 0.573 em for the name on average, 0.636 em for a figure
    const gap = Number(end) - 0.62 * 12 * value!.length - (name + 0.573 * 12.5 * 17);
    expect(gap).toBeGreaterThan(10);
  });

  it("gives each of many a chart of its own, with the others behind it", () => {
    const curves = Array.from({ length: 15 }, (_, i) =>
      i === 3
        ? { label: "a very long name indeed, too long for its chart", losses: broken }
        : falling(`rule ${i}`, 500, 0.04 + i * 1e-3),
    );
    const svg = allFigure({ title: "All", curves, references: [undefined, ...curves.slice(1)] });
    const { texts } = parsed(svg);
    expect(svg.match(/<use href="#all-curves"/g)).toHaveLength(15);
    expect(svg.match(/<g id="all-curves"/g)).toHaveLength(1);
    expect(texts.filter((text) => /^rule \d+$/.test(text))).toHaveLength(2 * 14);
    expect(texts).toEqual(
      expect.arrayContaining(["One by one", "Downhill", "PyTorch float64", "the others"]),
    );
    expect(texts.some((text) => text.startsWith("a very long") && text.length < 26)).toBe(true);
    const strokes = Array.from({ length: 21 }, (_, i) => JSON.stringify(strokeOf(i)));
    expect(new Set(strokes).size).toBe(21);
    expect(allFigure({ title: "All", curves: curves.slice(0, 7) })).not.toContain("One by one");
    parsed(
      allFigure({ title: "nothing", curves: curves.map(({ label }) => ({ label, losses: [] })) }),
    );
  });

  it("draws a diverged run as one", () => {
    const all = allFigure({
      title: "All",
      curves: [torch64, { label: "broken", losses: broken }, { label: "wild", losses: exploded }],
    });
    expect(parsed(all).texts).toEqual(
      expect.arrayContaining(["NaN from step 901", "infinite from step 1,211"]),
    );
    const single = trainFigure({
      title: "Adam",
      curve: { label: "wild", losses: exploded.slice(0, 600) },
    });
    expect(parsed(single).texts).toContain("left the chart");
    const both = comparisonFigure({
      title: "Adam",
      ours: { label: "ours", losses: exploded },
      torch64: { label: "theirs", losses: broken },
    });
    expect(parsed(both).texts).toContain("infinite from step 1,211");
  });

  it("marks a step that was not finite in a run that recovered", () => {
    const losses = Float64Array.from(torch64.losses);
    losses[1000] = Number.NaN;
    const { texts } = parsed(trainFigure({ title: "Adam", curve: { label: "Adam", losses } }));
    expect(texts).toContain("NaN at step 1,001");
  });

  it.each([
    { name: "no step", losses: [] },
    { name: "one step", losses: [2.3] },
    { name: "two steps", losses: [2.3, 2.1] },
    { name: "only NaN", losses: [Number.NaN, Number.NaN] },
    { name: "one NaN", losses: [Number.NaN] },
    { name: "only infinities", losses: [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY] },
    { name: "zeros", losses: [0, 0, 0] },
    { name: "equal losses", losses: [1, 1, 1] },
    { name: "negative losses", losses: [-1, -2, -3] },
    { name: "tiny losses", losses: [1e-12, 1e-15, 1e-300] },
    { name: "huge losses", losses: [1e300, 1e308, 1.7e308] },
  ])("draws $name", ({ losses }) => {
    const curve = { label: "curve", losses };
    for (const window of [1, 3]) {
      const shared = { title: "t", window };
      parsed(trainFigure({ ...shared, curve }));
      parsed(comparisonFigure({ ...shared, ours: curve, torch64, torch32: curve }));
      parsed(comparisonFigure({ ...shared, ours: torch64, torch64: curve }));
      parsed(allFigure({ ...shared, curves: [curve, torch64], references: [undefined, torch64] }));
      parsed(allFigure({ ...shared, curves: [curve] }));
    }
    parsed(allFigure({ title: "nothing", curves: [] }));
    expect(terminalPlot([curve, torch64])).not.toMatch(/undefined/);
    expect(terminalPlot([curve])).not.toMatch(/undefined/);
  });

  it("escapes what it is given", () => {
    const label = HOSTILE;
    const named = { ...ours, label };
    const svg = comparisonFigure({
      title: HOSTILE,
      subtitle: HOSTILE,
      ours: named,
      torch64: named,
    });
    expect(parsed(svg).texts.join(" ")).toContain(`<script>alert("x")</script>`);
    parsed(allFigure({ title: HOSTILE, curves: [{ label, losses: broken }, named] }));
  });
});

describe("page", () => {
  const curve = falling("Adam", 50, 0.5);
  const page = htmlReport({
    title: HOSTILE,
    intro: `First ${HOSTILE}\n\nSecond`,
    rows: [...ROWS, row({ label: HOSTILE, options: HOSTILE })],
    figures: [{ title: HOSTILE, caption: HOSTILE, svg: trainFigure({ title: HOSTILE, curve }) }],
    facts: [[HOSTILE, HOSTILE]],
  });

  it("escapes what it is given", () => {
    expect(page).not.toMatch(/<script/i);
    expect(page).toContain("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;co&#39;");
    expect(page).not.toContain("\u0000");
    expect(page).not.toContain("\u001b");
  });

  it("asks nobody for anything", () => {
    expect(page.replaceAll('xmlns="http://www.w3.org/2000/svg"', "")).not.toMatch(/https?:|\/\//);
    expect(page).not.toMatch(/<(script|link|img|iframe|object)\b|@import|url\(|\bon\w+=/i);
    expect(page).toContain("default-src 'none'");
  });

  it("shows the table, the figures and the facts", () => {
    const document = new DOMParser().parseFromString(page, "text/html");
    expect(document.querySelectorAll("table")).toHaveLength(2);
    expect(document.querySelectorAll("table:not(.facts) tbody tr")).toHaveLength(3);
    expect(document.querySelectorAll("figure svg")).toHaveLength(1);
    expect(document.querySelectorAll("main > p")).toHaveLength(3);
  });

  it("leaves out sections that would be empty", () => {
    const empty = htmlReport({ title: "t", intro: "", rows: [], figures: [], facts: [] });
    expect(empty).not.toMatch(/<(h2|table|figure|p)\b/);
  });
});

describe("terminal", () => {
  it("writes a table", () => {
    expect(comparisonTable(ROWS, { width: 130 })).toMatchInlineSnapshot(`
      "┌───────────────────┬───────────────────────┬────────┬──────────┬──────────┬──────────┬──────────┬──────────┬───────────┐
      │ Optimizer         │ Options               │  Final │     Test │  PyTorch │ Distance │  PyTorch │ Gradient │ Optimizer │
      │                   │                       │   loss │ accuracy │ accuracy │          │ distance │  ms/step │   ms/step │
      ├───────────────────┼───────────────────────┼────────┼──────────┼──────────┼──────────┼──────────┼──────────┼───────────┤
      │ Adam              │ lr=0.001              │ 0.0412 │   97.31% │   97.31% │   1.2e-7 │   2.0e-7 │    1.234 │     0.042 │
      │ SGD with momentum │ lr=0.01, momentum=0.9 │    NaN │    9.80% │        - │        - │        - │    1.234 │     0.042 │
      └───────────────────┴───────────────────────┴────────┴──────────┴──────────┴──────────┴──────────┴──────────┴───────────┘
      2,814 steps over 101,770 parameters.
      Final loss: where the averaged curve ends.
      Distance: largest difference of a step's loss from PyTorch float64's; PyTorch distance: the same for PyTorch float32."
    `);
    expect(comparisonTable(ROWS, { width: 110 })).toMatchInlineSnapshot(`
      "┌─────────────────────────┬────────┬──────────┬──────────┬──────────┬──────────┬──────────┬───────────┐
      │ Optimizer               │  Final │     Test │  PyTorch │ Distance │  PyTorch │ Gradient │ Optimizer │
      │                         │   loss │ accuracy │ accuracy │          │ distance │  ms/step │   ms/step │
      ├─────────────────────────┼────────┼──────────┼──────────┼──────────┼──────────┼──────────┼───────────┤
      │ Adam                    │ 0.0412 │   97.31% │   97.31% │   1.2e-7 │   2.0e-7 │    1.234 │     0.042 │
      │   lr=0.001              │        │          │          │          │          │          │           │
      │ SGD with momentum       │    NaN │    9.80% │        - │        - │        - │    1.234 │     0.042 │
      │   lr=0.01, momentum=0.9 │        │          │          │          │          │          │           │
      └─────────────────────────┴────────┴──────────┴──────────┴──────────┴──────────┴──────────┴───────────┘
      2,814 steps over 101,770 parameters.
      Final loss: where the averaged curve ends.
      Distance: largest difference of a step's loss from PyTorch float64's; PyTorch distance: the same for PyTorch float32."
    `);
    expect(comparisonTable(ROWS, { color: true })).toContain("\u001b[1mOptimizer\u001b[22m");
  });

  it("writes plain columns for scripts", () => {
    const text = comparisonTable(ROWS, { plain: true, color: true });
    expect(text).toMatchInlineSnapshot(`
      "optimizer  options                 loss  accuracy  torch_accuracy  distance  torch_distance  gradient_ms  optimizer_ms  parameters  steps
      adam       lr=0.001              0.0412    0.9731          0.9731    1.2e-7          2.0e-7        1.234         0.042      101770   2814
      momentum   lr=0.01,momentum=0.9     NaN    0.0980               -         -               -        1.234         0.042      101770   2814"
    `);
    const counts = text.split("\n").map((line) => line.split(/\s+/).length);
    expect(new Set(counts)).toEqual(new Set([11]));
  });

  it("takes no rows", () => {
    expect(comparisonTable([], { plain: true }).split("\n")).toHaveLength(1);
    expect(comparisonTable([])).toContain("Optimizer");
  });

  it("plots curves", () => {
    const broken = Float64Array.from({ length: 400 }, (_, i) =>
      i < 150 ? 2 + i / 100 : Number.NaN,
    );
    const curves = [
      falling("SGD", 400, 0.4, 0.01),
      falling("Adam", 400, 0.05, 0.1),
      { label: "wild", losses: broken },
    ];
    expect(terminalPlot(curves, { width: 60, height: 12 })).toMatchInlineSnapshot(`
      "Training loss, log scale, mean of 9 steps
         ▲
         │                  oo
         │     ooooooooooooo
        2┤ooooo**
         │ +     ***********
        1┤  +               ************************ *** **
         │   ++                                     *   *  ****
      0.5┤     ++
         │       ++++
         │           +++++++
      0.2┤                  +++++++++++++++
         │                                 ++++++++++++++++++++
      0.1┤
         └──────────────────────────┬─────────────────────────┬▶
                                  200                       400
                                 step
        * SGD   0.8125
        + Adam  0.1094
        o wild  diverged at step 151"
    `);
    expect(terminalPlot(curves, { width: 60, color: true })).toContain("\u001b[34m*\u001b[39m");
    for (const line of terminalPlot(curves, { width: 60 }).split("\n")) {
      expect(line.length).toBeLessThanOrEqual(60);
    }
    expect(terminalPlot([{ label: "none", losses: [] }])).toBe("no steps recorded");
    expect(terminalPlot([])).toBe("no steps recorded");
  });

  it("formats numbers", () => {
    const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
    const durations = [
      0,
      4.2e-2,
      0.85,
      9.96,
      12.345,
      999.6,
      12_345,
      59_960,
      125_000,
      3_720_000,
      -5,
      nan,
    ];
    expect(durations.map(formatDuration).join(" | ")).toMatchInlineSnapshot(
      `"0 ms | 42 µs | 0.85 ms | 10 ms | 12.3 ms | 1.0 s | 12.3 s | 1 min 00 s | 2 min 05 s | 1 h 02 min | -5 ms | -"`,
    );
    const losses = [2.345678, 0.0412, 9.9e-4, 0, -0.5, 1.2345e7, nan, inf];
    expect(losses.map(formatLoss).join(" | ")).toMatchInlineSnapshot(
      `"2.3457 | 0.0412 | 9.90e-4 | 0.0000 | -0.5000 | 1.23e7 | NaN | Infinity"`,
    );
    const small = [1.24e-7, 0, 1, 3.1e20, nan, inf];
    expect(small.map((x) => formatScientific(x)).join(" | ")).toMatchInlineSnapshot(
      `"1.2e-7 | 0 | 1.0e0 | 3.1e20 | NaN | Infinity"`,
    );
    expect([0.9731, 1, 0, nan].map(percent).join(" | ")).toMatchInlineSnapshot(
      `"97.31% | 100.00% | 0.00% | -"`,
    );
  });
});

/** A stream that remembers what was written to it. */
function recorder(isTTY: boolean, columns = 100): { stream: ProgressStream; text: () => string } {
  const chunks: string[] = [];
  const stream = new PassThrough();
  stream.on("data", (chunk: Buffer) => chunks.push(chunk.toString()));
  return { stream: Object.assign(stream, { isTTY, columns }), text: () => chunks.join("") };
}

const figures = (step: number) => ({ loss: 2 / step, gradientMs: 1.234, optimizerMs: 0.0423 });

describe("progress", () => {
  it("writes a line for every tenth where there is no terminal", () => {
    const { stream, text } = recorder(false);
    let time = 0;
    const progress = createProgress(stream, { label: "Adam", total: 25, now: () => time });
    for (let step = 1; step <= 25; step++) {
      time += 100;
      progress.update(step, figures(step));
    }
    progress.stop("Adam: done");
    expect(text()).toMatchInlineSnapshot(`
      "Adam: step 3/25 (12%), loss 0.6667, gradient 1.23 ms, optimizer 0.042 ms, 3 s left
      Adam: step 5/25 (20%), loss 0.4000, gradient 1.23 ms, optimizer 0.042 ms, 2 s left
      Adam: step 8/25 (32%), loss 0.2500, gradient 1.23 ms, optimizer 0.042 ms, 2 s left
      Adam: step 10/25 (40%), loss 0.2000, gradient 1.23 ms, optimizer 0.042 ms, 2 s left
      Adam: step 13/25 (52%), loss 0.1538, gradient 1.23 ms, optimizer 0.042 ms, 2 s left
      Adam: step 15/25 (60%), loss 0.1333, gradient 1.23 ms, optimizer 0.042 ms, 1 s left
      Adam: step 18/25 (72%), loss 0.1111, gradient 1.23 ms, optimizer 0.042 ms, 1 s left
      Adam: step 20/25 (80%), loss 0.1000, gradient 1.23 ms, optimizer 0.042 ms, 1 s left
      Adam: step 23/25 (92%), loss 0.0870, gradient 1.23 ms, optimizer 0.042 ms, 1 s left
      Adam: step 25/25 (100%), loss 0.0800, gradient 1.23 ms, optimizer 0.042 ms
      Adam: done
      "
    `);
    expect(text()).not.toContain("\r");
    expect(text()).not.toContain("\u001b");
  });

  it("writes no more than ten lines for a long run, and none for a run of no steps", () => {
    const { stream, text } = recorder(false);
    const progress = createProgress(stream, { label: "Adam", total: 2814 });
    for (let step = 1; step <= 2814; step++) progress.update(step, figures(step));
    progress.stop();
    expect(text().trimEnd().split("\n")).toHaveLength(10);
    const nothing = recorder(false);
    createProgress(nothing.stream, { label: "Adam", total: 0 }).stop();
    expect(nothing.text()).toBe("");
  });

  it.each([
    {
      columns: 100,
      label: "Adam",
      bar: "Adam  ███████████████░░░░░░░░░░░░░░░   50%  loss 0.4000  grad 1.23 ms  opt 0.042 ms  30 s left",
    },
    {
      columns: 80,
      label: "SGD with momentum",
      bar: "SGD with mo…  ████░░░   50%  loss 0.4000  grad 1.23 ms  opt 0.042 ms  30 s left",
    },
    { columns: 40, label: "Adam", bar: "Adam  ███████░░░░░░░   50%  loss 0.4000" },
    { columns: 20, label: "Adam", bar: "Adam  ████░░░   50%" },
    { columns: 5, label: "Adam", bar: "Adam " },
  ])(
    "draws a bar on a terminal of $columns columns, and takes it away",
    ({ columns, label, bar }) => {
      const { stream, text } = recorder(true, columns);
      let time = 0;
      const progress = createProgress(stream, { label, total: 10, now: () => time });
      time = 30_000;
      progress.update(5, figures(5));
      progress.stop("done");
      const written = text().split("\u001b[1G");
      const bars = written
        .map((part) => part.split("\u001b")[0] ?? "")
        .filter((part) => part !== "");
      expect(Math.max(...bars.map((part) => part.length))).toBeLessThanOrEqual(columns);
      expect(bars.at(-1)).toBe(bar);
      expect(text()).not.toMatch(/\[\d*m|\[\?/);
      expect(text().endsWith("done\n")).toBe(true);
    },
  );
});
