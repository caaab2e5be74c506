/** All recorded learning rates and momenta of PyTorch 2.13, by stepping, by jumping, and resumed. */
import { describe, expect, test } from "vitest";
import { ReduceLROnPlateau } from "../../src/index.ts";
import {
  camelCase,
  distance,
  makeScheduler,
  optimizerOf,
  scheduleCases,
  type ScheduleCase,
} from "../helpers/schedulers.ts";

const cases = scheduleCases().map((one) => ({
  title: `${one.scheduler} ${JSON.stringify(one.options)}`,
  ...one,
}));
const steps = cases.filter(({ metrics }) => !metrics);
const plateaus = cases.filter(({ metrics }) => metrics);
const tolerance = 1e-12;

const start = ({ optimizer: { lrs, momentum }, scheduler: name, options }: ScheduleCase) => {
  const optimizer = optimizerOf(lrs, momentum);
  return { optimizer, scheduler: makeScheduler(name, optimizer, options) };
};
const lrsOf = (optimizer: ReturnType<typeof optimizerOf>) =>
  optimizer.paramGroups.map((group) => group.lr);
const momentaOf = (optimizer: ReturnType<typeof optimizerOf>) =>
  optimizer.paramGroups.map((group) => group.momentum);

test("there are enough cases, of enough kinds", () => {
  expect(cases.length).toBeGreaterThanOrEqual(22);
  expect(new Set(cases.map(({ scheduler }) => scheduler)).size).toBe(13);
});

describe.each(steps)("$title", (golden) => {
  const { lrs, momenta } = golden;

  test("step by step", () => {
    const { optimizer, scheduler } = start(golden);
    lrs.forEach((wanted, step) => {
      if (step > 0) scheduler.step();
      expect(scheduler.lastEpoch).toBe(step);
      expect(distance(lrsOf(optimizer), wanted)).toBeLessThanOrEqual(tolerance);
      expect(scheduler.getLastLr()).toEqual(lrsOf(optimizer));
      const momentum = momenta?.[step] ?? wanted.map(() => golden.optimizer.momentum ?? 0);
      expect(distance(momentaOf(optimizer), momentum)).toBeLessThanOrEqual(tolerance);
    });
  });

  test("jumping to steps in any order gives the bits of stepping", () => {
    const { optimizer, scheduler } = start(golden);
    const stepped = lrs.map((_, step) => {
      if (step > 0) scheduler.step();
      return [...lrsOf(optimizer), ...momentaOf(optimizer)];
    });
    const jumping = start(golden);
    for (let i = 0; i < lrs.length; i++) {
      const step = (i * 17 + 29) % lrs.length;
      jumping.scheduler.step(step);
      expect([...lrsOf(jumping.optimizer), ...momentaOf(jumping.optimizer)]).toEqual(stepped[step]);
    }
  });

  test("resumed in the middle it goes on", () => {
    const saved = start(golden);
    for (let step = 0; step < 13; step++) saved.scheduler.step();
    const { optimizer, scheduler } = start(golden);
    scheduler.loadStateDict(JSON.parse(JSON.stringify(saved.scheduler.stateDict())) as never);
    lrs.slice(13).forEach((wanted, i) => {
      if (i > 0) scheduler.step();
      expect(distance(lrsOf(optimizer), wanted)).toBeLessThanOrEqual(tolerance);
    });
  });

  test("the preview is what will be", () => {
    const { scheduler, optimizer } = start(golden);
    lrs[0]!.forEach((_, group) => {
      const ahead = scheduler.preview(lrs.length, { group });
      expect(
        distance(
          ahead,
          lrs.map((row) => row[group]!),
        ),
      ).toBeLessThanOrEqual(tolerance);
    });
    expect(distance(lrsOf(optimizer), lrs[0]!)).toBeLessThanOrEqual(tolerance);
  });
});

describe.each(plateaus)("$title", ({ options, optimizer: { lrs: first }, lrs, metrics }) => {
  test("metric by metric, also resumed after each", () => {
    const optimizer = optimizerOf(first);
    const scheduler = new ReduceLROnPlateau(optimizer, camelCase(options));
    expect(lrsOf(optimizer)).toEqual(first);
    metrics!.forEach((metric, i) => {
      const other = optimizerOf(first);
      const resumed = new ReduceLROnPlateau(other, camelCase(options));
      resumed.loadStateDict(JSON.parse(JSON.stringify(scheduler.stateDict())) as never);
      for (const one of [scheduler, resumed]) one.step(metric);
      for (const one of [optimizer, other]) {
        expect(distance(lrsOf(one), lrs[i]!)).toBeLessThanOrEqual(tolerance);
      }
    });
  });
});
