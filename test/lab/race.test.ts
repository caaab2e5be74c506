/** The parts of the Race room that need no page: surfaces, noise, racers and the race itself. */
import { describe, expect, test } from "vitest";
import * as downhill from "../../src/index.ts";
import * as formulas from "../../src/math/formulas/index.ts";
import { parseRule } from "../../src/math/index.ts";
import { run, type Course, type Track } from "../../site/src/race/engine.ts";
import { readFormula } from "../../site/src/race/formula.ts";
import { noiseAt } from "../../site/src/race/noise.ts";
import { ownRacer } from "../../site/src/race/own-racer.ts";
import { entryOf, racerOf, racers, racersWith } from "../../site/src/race/racers.ts";
import { fateOf, standingAt } from "../../site/src/race/standing.ts";
import { surfaces, type Landscape, type Surface } from "../../site/src/race/surfaces.ts";
import { slopes } from "./helpers.ts";

const surfaceOf = (key: string): Surface => surfaces.find((surface) => surface.key === key)!;

const within = ([x0, x1, y0, y1]: Surface["view"]): [number, number][] =>
  [0.05, 0.31, 0.52, 0.77, 0.96].flatMap((u) =>
    [0.08, 0.29, 0.47, 0.83].map((v): [number, number] => [x0 + u * (x1 - x0), y0 + v * (y1 - y0)]),
  );

describe.each(surfaces)("$key", (surface) => {
  test("its gradient is its slope", () => {
    for (const [x, y] of within(surface.view)) {
      const [gx, gy] = surface.gradient(x, y);
      const [sx, sy] = slopes(surface, x, y);
      const size = 1 + Math.hypot(sx, sy);
      expect(Math.abs(gx - sx) / size).toBeLessThan(1e-6);
      expect(Math.abs(gy - sy) / size).toBeLessThan(1e-6);
    }
  });

  test("its formula is it, and so are the derivatives", () => {
    const read = readFormula(surface.formula);
    for (const [x, y] of within(surface.view)) {
      expect(read.value(x, y)).toBeCloseTo(surface.value(x, y), 9);
      read.gradient(x, y).forEach((slope, i) => {
        expect(slope).toBeCloseTo(surface.gradient(x, y)[i]!, 8);
      });
    }
  });

  test("its minima are minima", () => {
    for (const [x, y] of surface.minima) {
      expect(Math.hypot(...surface.gradient(x, y))).toBeLessThan(1e-9);
      for (const [dx, dy] of [
        [1, 0],
        [0, 1],
        [-1, 0],
        [0, -1],
        [0.7, 0.7],
      ] as const) {
        expect(surface.value(x + 1e-3 * dx, y + 1e-3 * dy)).toBeGreaterThan(surface.value(x, y));
      }
    }
  });
});

describe("noise", () => {
  const samples = Array.from({ length: 20_000 }, (_, i) => noiseAt(3, i)).flat();
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;

  test("is normal: mean 0, variance 1, kurtosis 3, and neighbours know nothing of each other", () => {
    expect(Math.abs(mean(samples))).toBeLessThan(0.02);
    expect(mean(samples.map((v) => v ** 2))).toBeCloseTo(1, 1);
    expect(mean(samples.map((v) => v ** 4))).toBeGreaterThan(2.8);
    expect(mean(samples.map((v) => v ** 4))).toBeLessThan(3.2);
    expect(Math.abs(mean(samples.slice(2).map((v, i) => v * samples[i]!)))).toBeLessThan(0.02);
  });

  test("is that of its seed and step", () => {
    expect(noiseAt(1, 5)).toEqual(noiseAt(1, 5));
    expect(noiseAt(1, 5)).not.toEqual(noiseAt(2, 5));
    expect(noiseAt(1, 5)).not.toEqual(noiseAt(1, 6));
  });
});

describe("a rule of the reader's own", () => {
  const ravine = surfaceOf("ravine");

  /** The usual race of a rule's text. */
  function raceOf(
    rule: string,
    surface: Surface,
    changes = {},
    patch: Partial<Course> = {},
  ): Track {
    const { start, steps, noise = 0 } = surface;
    const course = { landscape: surface, start, steps, noise, seed: 1, ...patch };
    return run(entryOf(ownRacer(rule), surface.rates, changes, rule), course, parseRule);
  }

  test.each(surfaces)("Adam, typed, is Adam bit for bit: $label", (surface) => {
    const { key: _, ...typed } = raceOf(formulas.Adam, surface);
    const { key: __, ...adam } = race("adam", surface);
    expect(typed).toEqual(adam);
    expect(typed.xs.length).toBe(surface.steps + 1);
  });

  test("hyperparameters count, by the names of the text", () => {
    const changes = { betas: [0.5, 0.99], amsgrad: true, lr: 0.3 };
    const { key: _, ...typed } = raceOf(formulas.Adam, ravine, changes, { noise: 1 });
    const { key: __, ...adam } = race("adam", ravine, changes, { noise: 1 });
    expect(typed).toEqual(adam);
    expect(raceOf(formulas.Adam, ravine, changes).xs).not.toEqual(adam.xs);
  });

  test("an edited text is another race, and the first one comes back", () => {
    const [once, twice] = ["p = p - lr * g", "p = p - 2 * lr * g"];
    const before = raceOf(once, ravine);
    const edited = raceOf(twice, ravine);
    expect(edited.xs[1]! - edited.xs[0]!).toBeCloseTo(2 * (before.xs[1]! - before.xs[0]!), 12);
    expect(raceOf(once, ravine)).toEqual(before);
  });

  test("one without a learning rate is given none", () => {
    const rule = "step = 0.1\np = p - step * g";
    expect(ownRacer(rule).fields).toEqual([{ name: "step", value: 0.1 }]);
    expect(raceOf(rule, ravine)).toMatchObject({ refusal: null, diverged: false });
  });

  test("a text that is none does not run; hyperparameters that it does not take, neither", () => {
    const broken = "p = p - lr * q";
    expect(ownRacer(broken)).toMatchObject({ label: "Yours", fields: [] });
    const track = raceOf(broken, ravine);
    expect(track.xs.length).toBe(1);
    expect(track.refusal).toBe(
      "Rule, line 1: got q, expected one of lr, p, g, t. A hyperparameter is declared above " +
        "the equations, q = 0.1; state has an equation of its own.\n" +
        "  p = p - lr * q\n               ^",
    );
    // In a table there is room for the sentence alone.
    expect(standingAt(track, fateOf(track, [], ravine.view), 0).text).toMatch(/of its own\.$/);
    expect(raceOf("rule Own; p = p - lr * g", ravine, { lr: -1 }).refusal).toMatch(
      /^Own: lr: got -1, expected /,
    );
  });

  test.each([
    "",
    "\0",
    "\ud800",
    "p = p - lr * g #".repeat(1000),
    `p = ${"(".repeat(9000)}`,
    "p = __proto__",
  ])("whatever a link brings, it is answered: %#", (rule) => {
    expect(ownRacer(rule).key).toBe("yours");
    expect(raceOf(rule, ravine).refusal).toMatch(/^Rule, line 1: got /);
  });

  test("has looks of its own", () => {
    const mine = ownRacer("rule Lion\np = p - lr * sign(g)");
    expect(mine.label).toBe("Lion, yours");
    for (const { marker, color } of racers) {
      expect(marker).not.toBe(mine.marker);
      expect(color).not.toBe(mine.color);
    }
    expect(racersWith(mine).at(-1)).toBe(mine);
    expect(racerOf("yours", mine)).toBe(mine);
    expect(racerOf("yours")).toBe(undefined);
  });
});

/** The usual race of one racer. */
function race(key: string, surface: Surface, changes = {}, patch: Partial<Course> = {}): Track {
  const { start, steps, noise = 0 } = surface;
  return run(entryOf(racerOf(key)!, surface.rates, changes), {
    landscape: surface,
    start,
    steps,
    noise,
    seed: 1,
    ...patch,
  });
}

describe("a race", () => {
  const rosenbrock = surfaceOf("rosenbrock");

  test.each([
    ["adam", 1e-10],
    ["momentum", 1e-5],
    ["lbfgs", 1e-9],
  ])("%s ends at the minimum of Rosenbrock", (key, most) => {
    const track = race(key, rosenbrock);
    const fate = fateOf(track, rosenbrock.minima, rosenbrock.view);
    expect(track.losses.at(-1)).toBeLessThan(most);
    expect(standingAt(track, fate, 1500)).toMatchObject({ kind: "arrived", step: 1500 });
    expect(fate.arrived).toBeGreaterThan(0);
  });

  test("has the library's own numbers", () => {
    const track = race("adam", rosenbrock, {}, { steps: 50 });
    const p = downhill.parameter(new Float64Array([-1.5, 2]));
    const adam = new downhill.Adam([p], { lr: 0.1 });
    for (let step = 1; step <= 50; step++) {
      p.grad = [...rosenbrock.gradient(p.data[0]!, p.data[1]!)];
      adam.step();
      expect([track.xs[step], track.ys[step]]).toEqual([...p.data]);
    }
    expect(track).toMatchObject({ gradients: 50, refusal: null, diverged: false });
  });

  test.each(racers)(
    "$key: the same again from the same start, after other races too",
    ({ key }) => {
      const noisy = surfaceOf("noisy");
      const first = race(key, noisy);
      race(key, noisy, { lr: 0.01 }, { start: [1, 1] });
      race(key, noisy, {}, { start: [2, 1], steps: 7 });
      expect(race(key, noisy)).toEqual(first);
      expect(first.xs[1]).not.toBe(first.xs[0]);
    },
  );

  test("one that diverges says where", () => {
    const track = race("sgd", rosenbrock, { lr: 0.01 });
    const fate = fateOf(track, rosenbrock.minima, rosenbrock.view);
    const end = track.xs.length - 1;
    expect(track.diverged).toBe(true);
    expect(end).toBeLessThan(20);
    expect(standingAt(track, fate, 0)).toMatchObject({ kind: "running" });
    expect(standingAt(track, fate, 1500)).toMatchObject({
      kind: "diverged",
      step: end,
      text: `left the picture at step ${fate.left}, no finite number from step ${end} on`,
    });
  });

  test("L-BFGS that meets no finite gradient is one of them", () => {
    const cliff: Landscape = { value: (x) => x, gradient: (x) => [x > 0.5 ? 1 : NaN, 0] };
    const track = race(
      "lbfgs",
      rosenbrock,
      { lineSearchFn: "none" },
      { landscape: cliff, start: [1, 0] },
    );
    expect(track).toMatchObject({ diverged: true, refusal: null });
  });

  test("leaving the picture is not the end", () => {
    const ravine = surfaceOf("ravine");
    const track = race("sgd", ravine, { lr: 0.205 });
    const fate = fateOf(track, ravine.minima, ravine.view);
    expect(track.diverged).toBe(false);
    expect(fate.left).toBeGreaterThan(1);
    expect(standingAt(track, fate, 200).text).toBe(`left the picture at step ${fate.left}`);
    expect(standingAt(track, fate, fate.left! - 1).kind).toBe("running");
  });

  test("where minima are not known, rest is what counts", () => {
    const track = race("momentum", surfaceOf("himmelblau"));
    const fate = fateOf(track, [], surfaceOf("himmelblau").view);
    expect(fate.arrived).toBeNull();
    expect(fate.rested).toBeGreaterThan(10);
    expect(standingAt(track, fate, fate.rested! - 1).kind).toBe("running");
    expect(standingAt(track, fate, 150).text).toBe(`at rest since step ${fate.rested}`);
    const creeping = race("radam", surfaceOf("himmelblau"));
    expect(fateOf(creeping, [], surfaceOf("himmelblau").view).rested).toBeNull();
  });

  test("what the library refuses is passed on in its words", () => {
    const track = race("adam", rosenbrock, { betas: [0.9, 1.5] });
    expect(track.refusal).toMatch(/^Adam: betas/);
    expect(track.xs).toHaveLength(1);
    expect(standingAt(track, { arrived: null, rested: null, left: null }, 9)).toMatchObject({
      kind: "refused",
      text: track.refusal,
    });
    expect(race("adam", rosenbrock).refusal).toBeNull();
  });
});

describe("racers", () => {
  const rules = Object.values<unknown>(downhill).filter(
    (value): value is downhill.Rule =>
      typeof value === "object" && value !== null && "hyper" in value,
  );

  test.each(racers)("$key: what can be set is the library's, with its defaults", (racer) => {
    const { optimizer, fields, key } = racer;
    const p = downhill.parameter(new Float64Array(2));
    const hyper: Readonly<Record<string, unknown>> =
      optimizer === "LBFGS"
        ? { ...new downhill.LBFGS([p]).paramGroups[0] }
        : rules.find(({ name }) => name === optimizer)!.hyper;
    const ours: Record<string, string[]> = {
      momentum: ["momentum"],
      nesterov: ["momentum", "nesterov"],
      lbfgs: ["lineSearchFn", "maxIter"],
    };
    const others = fields.filter(({ name }) => !ours[key]?.includes(name));
    expect(Object.keys(hyper)).toEqual(expect.arrayContaining(fields.map(({ name }) => name)));
    expect(Object.fromEntries(others.map(({ name, value }) => [name, value]))).toEqual(
      Object.fromEntries(others.map(({ name }) => [name, hyper[name]])),
    );
  });

  test("no two look the same", () => {
    const looks = racers.map(({ color, dash, marker }) => [color, dash, marker].join("|"));
    const lines = racers.map(({ color, dash }) => [color, dash].join("|"));
    expect(new Set(looks).size).toBe(racers.length);
    expect(new Set(lines).size).toBe(racers.length);
  });
});
