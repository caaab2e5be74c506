/** Reducing on a plateau: which metrics count, and how it gets on with groups and other schedulers. */
import { describe, expect, test } from "vitest";
import {
  ExponentialLR,
  OneCycleLR,
  parameter,
  ReduceLROnPlateau,
  schedule,
} from "../../src/index.ts";
import { optimizerOf } from "../helpers/schedulers.ts";

const lrsOf = (optimizer: ReturnType<typeof optimizerOf>) =>
  optimizer.paramGroups.map((group) => group.lr);

describe("a metric is better", () => {
  const better = (options: schedule.PlateauOptions, best: number, metric: number) => {
    const next = schedule.plateau(options);
    return next(next(schedule.initialPlateau, best), metric).best === metric;
  };

  test.each([
    // with a relative threshold, whatever its sign
    { mode: "min", best: 1, metric: 0.89, is: true },
    { mode: "min", best: 1, metric: 0.91, is: false },
    { mode: "min", best: -1, metric: -1.11, is: true },
    { mode: "min", best: -1, metric: -1.09, is: false },
    { mode: "min", best: -1, metric: -0.95, is: false },
    { mode: "max", best: 1, metric: 1.11, is: true },
    { mode: "max", best: 1, metric: 1.09, is: false },
    { mode: "max", best: -1, metric: -0.89, is: true },
    { mode: "max", best: -1, metric: -0.91, is: false },
    { mode: "max", best: -1, metric: -1.05, is: false },
    { mode: "min", best: 0, metric: -1e-9, is: true },
    // from or to what is not finite
    { mode: "min", best: NaN, metric: 5, is: true },
    { mode: "min", best: Infinity, metric: 5, is: true },
    { mode: "max", best: -Infinity, metric: 5, is: true },
    { mode: "min", best: -Infinity, metric: -5, is: false },
    { mode: "min", best: 5, metric: NaN, is: false },
    { mode: "max", best: 5, metric: NaN, is: false },
    { mode: "max", best: 5, metric: Infinity, is: true },
  ] as const)("rel, $mode: $metric after $best: $is", ({ mode, best, metric, is }) => {
    expect(better({ mode, threshold: 0.1 }, best, metric)).toBe(is);
  });

  test.each([
    { mode: "min", best: -1, metric: -1.05, is: false },
    { mode: "min", best: -1, metric: -1.15, is: true },
    { mode: "max", best: 10, metric: 10.05, is: false },
    { mode: "max", best: 10, metric: 10.15, is: true },
  ] as const)("abs, $mode: $metric after $best: $is", ({ mode, best, metric, is }) => {
    expect(better({ mode, threshold: 0.1, thresholdMode: "abs" }, best, metric)).toBe(is);
  });
});

test("NaN counts as no better, and infinity as a first metric does not stay the best", () => {
  const optimizer = optimizerOf([0.1]);
  const scheduler = new ReduceLROnPlateau(optimizer, { patience: 1, factor: 0.5 });
  expect(scheduler.best).toBeNull();
  for (const metric of [NaN, NaN]) scheduler.step(metric);
  expect([scheduler.best, lrsOf(optimizer)[0]]).toEqual([null, 0.05]);
  for (const metric of [Infinity, 3]) scheduler.step(metric);
  expect([scheduler.best, scheduler.numBadEpochs, scheduler.lastEpoch]).toEqual([3, 0, 4]);
});

test("the state is a function of the state before and the metric", () => {
  const next = schedule.plateau({ patience: 1, cooldown: 2 });
  let state = schedule.initialPlateau;
  const reductions = [3, 3, 3, 3, 3, 3, 3, 2].map((metric) => (state = next(state, metric)).reduce);
  expect(reductions).toEqual([false, false, true, false, false, false, true, false]);
  expect(state).toEqual({ best: 2, numBadEpochs: 0, cooldownCounter: 1, reduce: false });
  expect(schedule.initialPlateau.best).toBeNull();
});

test("learning rates do not go below minLr, nor change by less than eps", () => {
  const optimizer = optimizerOf([0.1, 0.02]);
  const options = { patience: 0, factor: 0.5, minLr: [0.03, 0.015], eps: 0.004 };
  const scheduler = new ReduceLROnPlateau(optimizer, options);
  const seen = [1, 1, 1, 1].map((metric) => {
    scheduler.step(metric);
    return lrsOf(optimizer);
  });
  const rounded = seen.map((row) => row.map((lr) => Number(lr.toPrecision(12))));
  expect(rounded).toEqual([
    [0.1, 0.02],
    [0.05, 0.015],
    [0.03, 0.015],
    [0.03, 0.015],
  ]);
});

test("it scales what other schedulers make, in whatever order they are made", () => {
  for (const plateauFirst of [true, false]) {
    const optimizer = optimizerOf([0.1], 0.9);
    const options = { patience: 0, factor: 0.5 };
    const early = plateauFirst ? new ReduceLROnPlateau(optimizer, options) : undefined;
    const decay = new ExponentialLR(optimizer, { gamma: 0.9 });
    const plateau = early ?? new ReduceLROnPlateau(optimizer, options);
    for (const metric of [1, 1, 0.5]) {
      decay.step();
      plateau.step(metric);
    }
    expect(lrsOf(optimizer)[0]).toBeCloseTo(0.1 * 0.9 ** 3 * 0.5, 15);
    plateau.detach();
    expect(lrsOf(optimizer)[0]).toBeCloseTo(0.1 * 0.9 ** 3, 15);
  }
});

test("after OneCycleLR, which has no base value, it scales as well", () => {
  const optimizer = optimizerOf([0.1], 0.9);
  const cycle = new OneCycleLR(optimizer, { maxLr: 1, totalSteps: 10 });
  const plateau = new ReduceLROnPlateau(optimizer, { patience: 0, factor: 0.5 });
  for (const metric of [1, 1]) plateau.step(metric);
  cycle.step(2);
  expect(lrsOf(optimizer)[0]).toBeCloseTo(0.5, 15);
});

test("groups that come later keep their learning rate until the next reduction", () => {
  const optimizer = optimizerOf([0.1]);
  const scheduler = new ReduceLROnPlateau(optimizer, { patience: 0, factor: 0.5 });
  for (const metric of [1, 1]) scheduler.step(metric);
  optimizer.addParamGroup({ params: [parameter([1], { name: "late" })], lr: 0.4 });
  scheduler.step(0.5);
  expect(lrsOf(optimizer)).toEqual([0.05, 0.4]);
  scheduler.step(0.5);
  expect(lrsOf(optimizer)).toEqual([0.025, 0.2]);
  const lists = new ReduceLROnPlateau(optimizer, { patience: 0, minLr: [0.01, 0.02] });
  lists.step(1);
  optimizer.addParamGroup({ params: [parameter([1], { name: "later" })], lr: 0.4 });
  expect(() => lists.step(1)).toThrow("expected a value for paramGroups[2] as well");
  expect([lists.lastEpoch, lists.numBadEpochs]).toEqual([1, 0]);
  expect(lists.getLastLr()).toEqual([0.025, 0.2, 0.4]);
});
