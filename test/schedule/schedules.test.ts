/** Schedules as plain functions: their formulas, their ends, and how they are put together. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Curve, schedule } from "../../src/index.ts";
import { cosPi, left } from "../../src/schedule/anneal.ts";
import { distance } from "../helpers/schedulers.ts";
import { refusals, wrong } from "../helpers/refusals.ts";

const { scheduleValues } = schedule;
const values = (curve: Curve, steps: number, base = 0.1) => [...scheduleValues(curve, steps, base)];
const expectClose = (got: readonly number[], wanted: readonly number[], tolerance = 1e-12) =>
  expect(distance(got, wanted), `${got.join(" ")}`).toBeLessThanOrEqual(tolerance);

describe("the cosine", () => {
  test("is exact where it is 0, 1 or -1, and else that of the engine", () => {
    expect([0, 0.5, 1, 1.5, 2, 3, 400, 401].map(cosPi)).toEqual([1, 0, -1, 0, 1, -1, 1, -1]);
    fc.assert(
      fc.property(fc.double({ min: 0, max: 4, noNaN: true }), (x) => {
        expect(Math.abs(cosPi(x) - Math.cos(Math.PI * x))).toBeLessThan(2e-15);
        expect(cosPi(-x)).toBe(cosPi(x));
        expect(cosPi(x + 2)).toBeCloseTo(cosPi(x), 14);
      }),
    );
  });

  test("anneals from 1 to exactly 0", () => {
    expect([left.cos(0), left.cos(1), left.linear(0), left.linear(1)]).toEqual([1, 0, 1, 0]);
    expect(left.cos(0.5)).toBeCloseTo(0.5, 15);
  });
});

/** PyTorch's recursive forms: from the value before to the next one. */
const recursions: Record<string, { curve: Curve; next: (lr: number, e: number) => number }> = {
  stepDecay: {
    curve: schedule.stepDecay({ stepSize: 3, gamma: 0.7 }),
    next: (lr, e) => (e % 3 === 0 ? lr * 0.7 : lr),
  },
  multiStepDecay: {
    curve: schedule.multiStepDecay({ milestones: [2, 5, 5, 9], gamma: 0.7 }),
    next: (lr, e) => lr * 0.7 ** [2, 5, 5, 9].filter((m) => m === e).length,
  },
  constant: {
    curve: schedule.constant({ factor: 0.25, totalIters: 4 }),
    next: (lr, e) => (e === 4 ? lr / 0.25 : lr),
  },
  linear: {
    curve: schedule.linear({ startFactor: 0.25, endFactor: 2, totalIters: 7 }),
    next: (lr, e) => (e > 7 ? lr : lr * (1 + 1.75 / (7 * 0.25 + (e - 1) * 1.75))),
  },
  exponential: { curve: schedule.exponential({ gamma: 0.93 }), next: (lr) => lr * 0.93 },
  polynomial: {
    curve: schedule.polynomial({ totalIters: 30, power: 1.5 }),
    next: (lr, e) => lr * ((1 - e / 30) / (1 - (e - 1) / 30)) ** 1.5,
  },
  cosineAnnealing: {
    curve: schedule.cosineAnnealing({ tMax: 31, etaMin: 0.01 }),
    next: (lr, e) =>
      ((1 + Math.cos((Math.PI * e) / 31)) / (1 + Math.cos((Math.PI * (e - 1)) / 31))) *
        (lr - 0.01) +
      0.01,
  },
  multiplicative: {
    curve: schedule.multiplicative({ lrLambda: (e) => 1 - e / 50 }),
    next: (lr, e) => lr * (1 - e / 50),
  },
};

test.each(Object.entries(recursions))("%s: the closed form is the recursion", (_, one) => {
  let lr = one.curve(0, 0.1);
  const stepped = [lr];
  for (let e = 1; e < 25; e++) stepped.push((lr = one.next(lr, e)));
  expectClose(values(one.curve, 25), stepped);
});

/** One of each, for laws that hold for all. */
const curves: Record<string, Curve> = {
  ...Object.fromEntries(Object.entries(recursions).map(([name, { curve }]) => [name, curve])),
  cosineWarmRestarts: schedule.cosineWarmRestarts({ t0: 3, tMult: 2, etaMin: 0.001 }),
  cyclic: schedule.cyclic({ baseLr: 0.01, maxLr: 0.1, stepSizeUp: 4, mode: "triangular2" }),
  cyclicMomentum: schedule.cyclicMomentum({ baseLr: 0.01, maxLr: 0.1, stepSizeUp: 4 }),
  oneCycle: schedule.oneCycle({ maxLr: 0.3, totalSteps: 25 }),
  oneCycleMomentum: schedule.oneCycleMomentum({ maxLr: 0.3, totalSteps: 25 }),
  lambda: schedule.lambda({ lrLambda: (e) => 1 / (1 + e) }),
  swa: schedule.swa({ swaLr: 0.05 }),
  warmupCosine: schedule.warmupCosine({ warmupSteps: 5, totalSteps: 30 }),
  warmupStableDecay: schedule.warmupStableDecay({ warmupSteps: 3, stableSteps: 9, decaySteps: 6 }),
  inverseSqrt: schedule.inverseSqrt({ warmupSteps: 4 }),
  sequential: schedule.sequential([schedule.linear(), schedule.exponential({ gamma: 0.9 })], [5]),
  chained: schedule.chained([schedule.constant(), schedule.exponential({ gamma: 0.9 })]),
};

test("every schedule is among those that are tested", () => {
  const notCurves = new Set(["initialPlateau", "plateau", "scheduleValues"]);
  const all = Object.keys(schedule).filter((name) => !notCurves.has(name));
  expect(Object.keys(curves).toSorted()).toEqual(all.toSorted());
});

test.each(Object.entries(curves))(
  "%s: a pure function, in whatever order it is asked",
  (_, curve) => {
    const inOrder = values(curve, 40, 0.2);
    fc.assert(
      fc.property(fc.nat(39), fc.nat(39), (a, b) => {
        expect([curve(a, 0.2), curve(b, 0.2)]).toEqual([inOrder[a], inOrder[b]]);
      }),
    );
    expect(inOrder.every(Number.isFinite)).toBe(true);
    expect(curve(7)).toBe(curve(7, 1, 0));
    expect(Number.isFinite(curve(6.5))).toBe(true);
  },
);

describe("where PyTorch stumbles", () => {
  test("warm restarts are found exactly, however far away", () => {
    const tripled = schedule.cosineWarmRestarts({ t0: 1, tMult: 3, etaMin: 0.001 });
    const starts = Array.from({ length: 20 }, (_, n) => (3 ** n - 1) / 2);
    expect(starts[5]).toBe(121);
    expect(starts.map((step) => tripled(step, 0.1))).toEqual(starts.map(() => 0.1));
    expect(tripled(120, 0.1)).toBeLessThan(0.002);
    const alike = schedule.cosineWarmRestarts({ t0: 7 });
    expect([0, 7, 7e9].map((step) => alike(step, 0.1))).toEqual([0.1, 0.1, 0.1]);
    // torch 1.13, scheduler.step(epoch) with fractions
    const doubled = schedule.cosineWarmRestarts({ t0: 4, tMult: 2, etaMin: 0.001 });
    expectClose(
      [0, 0.5, 1, 3.75, 4, 6.5, 11.9, 12, 27].map((e) => doubled(e, 0.1)),
      [
        0.1, 0.0962320368593087, 0.0855017856687341, 0.0019511286200400938, 0.1,
        0.07800072653447031, 0.0010381627060842165, 0.1, 0.0019511286200400938,
      ],
    );
  });

  test("a constant factor of 0 and a line from 0 end at the base value", () => {
    expect(values(schedule.constant({ factor: 0, totalIters: 2 }), 4)).toEqual([0, 0, 0.1, 0.1]);
    expect(values(schedule.linear({ startFactor: 0, totalIters: 2 }), 4)).toEqual([
      0, 0.05, 0.1, 0.1,
    ]);
    expect(values(schedule.linear({ startFactor: 2, totalIters: 0 }), 2)).toEqual([0.1, 0.1]);
  });

  test("cosine annealing rises again after tMax, or stays", () => {
    const rising = schedule.cosineAnnealing({ tMax: 10, etaMin: 0.01 });
    expectClose([rising(10, 0.1), rising(20, 0.1), rising(13, 0.1)], [0.01, 0.1, rising(7, 0.1)]);
    const clamped = schedule.cosineAnnealing({ tMax: 10, etaMin: 0.01, clamp: true });
    expect([10, 11, 20, 1e6].map((e) => clamped(e, 0.1))).toEqual([0.01, 0.01, 0.01, 0.01]);
    expect(clamped(4, 0.1)).toBe(rising(4, 0.1));
  });

  describe("one cycle", () => {
    const run = (pctStart: number, threePhase = false) =>
      values(
        schedule.oneCycle({
          maxLr: 1,
          totalSteps: 10,
          pctStart,
          threePhase,
          annealStrategy: "linear",
          divFactor: 10,
        }),
        12,
      );

    test("stays at its end", () => {
      const curve = schedule.oneCycle({ maxLr: 1, totalSteps: 10 });
      const momentum = schedule.oneCycleMomentum({ maxLr: 1, totalSteps: 10 });
      expectClose(
        [9, 10, 11, 1e9].map((e) => curve(e)),
        [4e-6, 4e-6, 4e-6, 4e-6],
      );
      expect([9, 10, 1e9].map((e) => momentum(e))).toEqual([0.95, 0.95, 0.95]);
    });

    test.each([0, 0.05, 0.1])("without a rise (pctStart %d) starts at the peak", (pctStart) => {
      const line = Array.from({ length: 12 }, (_, e) => 1 - (1 - 1e-5) * Math.min(1, e / 9));
      expectClose(run(pctStart), line, 1e-10);
      const three = run(pctStart, true);
      expect(three[0]).toBe(0.1);
      expect(three.every((lr) => lr > 0 && lr <= 0.1)).toBe(true);
    });

    test("of nothing but a rise ends at the peak", () => {
      const rise = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1, 1];
      expectClose(run(1), rise);
      expectClose(run(1, true), rise);
    });

    test("takes epochs and steps per epoch", () => {
      const totalSteps = schedule.oneCycle({ maxLr: 1, totalSteps: 12 });
      const epochs = schedule.oneCycle({ maxLr: 1, epochs: 3, stepsPerEpoch: 4 });
      expect(values(epochs, 14)).toEqual(values(totalSteps, 14));
      expect(schedule.oneCycle({ maxLr: 1, totalSteps: 1 })(0)).toBeCloseTo(4e-6, 12);
    });
  });
});

describe("cycles with a height of your own (torch 1.13)", () => {
  const bounds = { baseLr: 0.01, maxLr: 0.1, stepSizeUp: 4 };

  test("by cycle", () => {
    const curve = schedule.cyclic({ ...bounds, scaleFn: (cycle) => 1 / cycle });
    expectClose(
      values(curve, 18),
      [
        0.01, 0.0325, 0.055, 0.0775, 0.1, 0.0775, 0.055, 0.0325, 0.01, 0.02125, 0.0325, 0.04375,
        0.055, 0.04375, 0.0325, 0.02125, 0.01, 0.0175,
      ],
    );
  });

  test("by step", () => {
    const scaleFn = (step: number) => 1 / (1 + step);
    const curve = schedule.cyclic({ ...bounds, scaleFn, scaleMode: "iterations" });
    expectClose(
      values(curve, 10),
      [
        0.01, 0.02125, 0.025, 0.026875, 0.028, 0.02125, 0.0164285714285714, 0.0128125, 0.01,
        0.01225,
      ],
    );
  });
});

describe("warm-ups", () => {
  test("and a cosine", () => {
    const curve = schedule.warmupCosine({ warmupSteps: 4, totalSteps: 10, etaMin: 0.01 });
    expectClose(values(curve, 5), [0, 0.025, 0.05, 0.075, 0.1]);
    expectClose([curve(7, 0.1), curve(10, 0.1), curve(99, 0.1)], [0.055, 0.01, 0.01]);
    const plain = schedule.warmupCosine({ warmupSteps: 0, totalSteps: 10 });
    expect(values(plain, 10)).toEqual(values(schedule.cosineAnnealing({ tMax: 10 }), 10));
    const low = schedule.warmupCosine({ warmupSteps: 4, totalSteps: 10, startFactor: 0.5 });
    expectClose([low(0, 0.1), low(2, 0.1)], [0.05, 0.075]);
  });

  test("a plateau and a fall", () => {
    const shape = { warmupSteps: 2, stableSteps: 3, decaySteps: 4 };
    const line = schedule.warmupStableDecay(shape);
    expectClose(values(line, 11, 1), [0, 0.5, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0, 0]);
    const root = schedule.warmupStableDecay({ ...shape, decay: "sqrt", endFactor: 0.2 });
    expectClose(values(root, 10, 1).slice(5), [
      1,
      0.6,
      1 - 0.8 * Math.SQRT1_2,
      0.2 + 0.8 * (1 - Math.sqrt(0.75)),
      0.2,
    ]);
    const cosine = schedule.warmupStableDecay({ ...shape, decay: "cos" });
    expectClose([cosine(7), cosine(9)], [0.5, 0]);
    const sudden = schedule.warmupStableDecay({ ...shape, decaySteps: 0, endFactor: 0.1 });
    expectClose([sudden(4), sudden(5)], [1, 0.1]);
  });

  test("an inverse square root", () => {
    const curve = schedule.inverseSqrt({ warmupSteps: 4 });
    expectClose(
      [0, 2, 4, 16, 400].map((e) => curve(e)),
      [0, 0.5, 1, 0.5, 0.1],
    );
    const slow = schedule.inverseSqrt({ warmupSteps: 4, timescale: 100 });
    expectClose([slow(4), slow(304)], [1, 0.5]);
    expectClose([schedule.inverseSqrt({ warmupSteps: 0 })(30_000)], [0.5]);
  });
});

describe("put together", () => {
  test("one after the other, each from its own step 0", () => {
    const curve = schedule.sequential(
      [
        schedule.constant({ factor: 0.5, totalIters: 9 }),
        schedule.multiplicative({ lrLambda: () => 0.5 }),
        (e, base) => base - e / 100,
      ],
      [2, 4],
    );
    expectClose(values(curve, 7), [0.05, 0.05, 0.1, 0.05, 0.1, 0.09, 0.08]);
    const skipped = schedule.sequential([() => 1, () => 2, () => 3], [2, 2]);
    expect(values(skipped, 4)).toEqual([1, 1, 3, 3]);
  });

  test("all at once, the value of one the base of the next", () => {
    const curve = schedule.chained([schedule.exponential({ gamma: 0.5 }), (e, base) => base + e]);
    expect(values(curve, 3, 1)).toEqual([1, 1.5, 2.25]);
  });

  test("milestones and lists are copied or left alone", () => {
    const milestones = [3];
    const decay = schedule.multiStepDecay({ milestones });
    const both = schedule.sequential([() => 1, () => 2], milestones);
    milestones[0] = 0;
    expect([decay(2, 1), both(2, 1, 0)]).toEqual([1, 1]);
  });
});

test("wrong options are refused in words", () => {
  const { sequential, oneCycle, cosineAnnealing, stepDecay } = schedule;
  expect(
    refusals({
      missing: () => cosineAnnealing(wrong({})),
      zero: () => cosineAnnealing({ tMax: 0 }),
      "PyTorch's spelling": () => cosineAnnealing(wrong({ T_max: 10 })),
      "a number instead of options": () => stepDecay(wrong(30)),
      unordered: () => schedule.multiStepDecay({ milestones: [30, 10] }),
      choice: () => oneCycle({ maxLr: 1, totalSteps: 9, annealStrategy: wrong("cosine") }),
      interval: () => oneCycle({ maxLr: 1, totalSteps: 9, pctStart: 1.1 }),
      "no length": () => oneCycle({ maxLr: 1, epochs: 3 }),
      "an empty list": () => oneCycle({ maxLr: [], totalSteps: 3 }),
      "beyond the list": () => oneCycle({ maxLr: [1, 2], totalSteps: 3 })(0, 1, 2),
      switch: () => cosineAnnealing({ tMax: 3, clamp: wrong(1) }),
      milestones: () => sequential([() => 1, () => 2], [1, 2]),
      functions: () => sequential(wrong([1]), []),
      "no function": () => schedule.lambda({ lrLambda: wrong(0.9) }),
      short: () => schedule.warmupCosine({ warmupSteps: 10, totalSteps: 10 }),
      restarts: () => schedule.cosineWarmRestarts({ t0: 2.5 }),
    }),
  ).toMatchInlineSnapshot(`
    {
      "PyTorch's spelling": "OptionError UNKNOWN_OPTION: cosineAnnealing: "T_max": got an unknown name, expected one of tMax, etaMin, clamp. Did you mean tMax?",
      "a number instead of options": "OptionError BAD_OPTION: stepDecay: options: got 30, expected an object with stepSize, gamma.",
      "an empty list": "OptionError BAD_OPTION: oneCycle: maxLr: got [], expected a finite number in [0, inf), or an array with one for each group.",
      "beyond the list": "OptionError GROUP_WITHOUT_VALUE: oneCycle: maxLr: got [1, 2], expected a value for paramGroups[2] as well. One value instead of an array holds for all groups, also for those that come later.",
      "choice": "OptionError BAD_OPTION: oneCycle: annealStrategy: got "cosine", expected "cos" or "linear".",
      "functions": "OptionError BAD_OPTION: sequential: schedules: got [1], expected an array of functions, at least one.",
      "interval": "OptionError BAD_OPTION: oneCycle: pctStart: got 1.1, expected a finite number in [0, 1].",
      "milestones": "OptionError BAD_OPTION: sequential: milestones: got [1, 2], expected one less than there are schedules, 1.",
      "missing": "OptionError BAD_OPTION: cosineAnnealing: tMax: got undefined, expected a finite number in (0, inf).",
      "no function": "OptionError BAD_OPTION: lambda: lrLambda: got 0.9, expected a function, or an array with one for each group.",
      "no length": "OptionError BAD_OPTION: oneCycle: totalSteps: got undefined, expected a whole number from 1 on, or epochs and stepsPerEpoch.",
      "restarts": "OptionError BAD_OPTION: cosineWarmRestarts: t0: got 2.5, expected a whole number from 1 on.",
      "short": "OptionError BAD_OPTION: warmupCosine: totalSteps: got 10, expected more than warmupSteps, which are 10.",
      "switch": "OptionError BAD_OPTION: cosineAnnealing: clamp: got 1, expected true or false.",
      "unordered": "OptionError BAD_OPTION: multiStepDecay: milestones: got [30, 10], expected an array of numbers from 0 on, in order.",
      "zero": "OptionError BAD_OPTION: cosineAnnealing: tMax: got 0, expected a finite number in (0, inf).",
    }
  `);
});
