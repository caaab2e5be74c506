/** Schedulers on optimizers: who writes what, in which order, with which groups, and how they resume. */
import { describe, expect, test } from "vitest";
import {
  Adam,
  ChainedScheduler,
  ConstantLR,
  CosineAnnealingLR,
  CyclicLR,
  ExponentialLR,
  LambdaLR,
  LinearLR,
  MultiplicativeLR,
  MultiStepLR,
  OneCycleLR,
  parameter,
  ReduceLROnPlateau,
  RMSprop,
  schedule,
  Scheduler,
  SequentialLR,
  StepLR,
  SWALR,
} from "../../src/index.ts";
import { refusals, wrong } from "../helpers/refusals.ts";
import { distance, optimizerOf, schedulers, type SchedulerName } from "../helpers/schedulers.ts";

type Sgd = ReturnType<typeof optimizerOf>;
const lrsOf = (optimizer: Sgd) => optimizer.paramGroups.map((group) => group.lr);
const adam = (lr = 0.1) => new Adam([parameter([1], { name: "w" })], { lr });
const expectClose = (got: readonly number[], wanted: readonly number[]) =>
  expect(distance(got, wanted), got.join(" ")).toBeLessThanOrEqual(1e-12);

/** The learning rate of the first group while the schedulers step together. */
function run(optimizer: Sgd, all: readonly { step(): void }[], steps: number): number[] {
  return Array.from({ length: steps }, (_, step) => {
    if (step > 0) for (const one of all) one.step();
    return lrsOf(optimizer)[0]!;
  });
}

/** Options for one scheduler of each class. */
const examples: Record<SchedulerName, (optimizer: Sgd) => object> = {
  ChainedScheduler: (optimizer) => ({
    schedulers: [new ConstantLR(optimizer), new ExponentialLR(optimizer, { gamma: 0.9 })],
  }),
  ConstantLR: () => ({}),
  CosineAnnealingLR: () => ({ tMax: 30 }),
  CosineAnnealingWarmRestarts: () => ({ t0: 4, tMult: 2 }),
  CyclicLR: () => ({ baseLr: [0.01, 0.02], maxLr: 0.3, stepSizeUp: 5 }),
  ExponentialLR: () => ({ gamma: 0.9 }),
  InverseSqrtLR: () => ({ warmupSteps: 5 }),
  LambdaLR: () => ({ lrLambda: [(e: number) => 0.95 ** e, (e: number) => 1 / (1 + e)] }),
  LinearLR: () => ({ startFactor: 0 }),
  MultiplicativeLR: () => ({ lrLambda: (e: number) => 1 - e / 50 }),
  MultiStepLR: () => ({ milestones: [3, 6] }),
  OneCycleLR: () => ({ maxLr: 0.3, totalSteps: 20 }),
  PolynomialLR: () => ({ totalIters: 15, power: 0.5 }),
  SequentialLR: (optimizer) => ({
    schedulers: [new OneCycleLR(optimizer, { maxLr: 1, totalSteps: 4 }), schedule.linear()],
    milestones: [4],
  }),
  StepLR: () => ({ stepSize: 3 }),
  SWALR: () => ({ swaLr: [0.05, 0.01], annealEpochs: 8 }),
  WarmupCosineLR: () => ({ warmupSteps: 5, totalSteps: 20 }),
  WarmupStableDecayLR: () => ({ warmupSteps: 5, stableSteps: 5, decaySteps: 5 }),
};
const make = (name: SchedulerName, optimizer: Sgd): Scheduler =>
  new (schedulers[name] as typeof StepLR)(optimizer, examples[name](optimizer) as never);

describe.each(Object.keys(examples) as SchedulerName[])("%s", (name) => {
  const start = () => {
    const optimizer = optimizerOf([0.1, 0.02], 0.9);
    return { optimizer, scheduler: make(name, optimizer) };
  };
  const both = ({ optimizer }: ReturnType<typeof start>) =>
    optimizer.paramGroups.map(({ lr, momentum }) => ({ lr, momentum }));

  test.each(["before", "between", "after"])("resumes, the optimizer's state loaded %s", (order) => {
    const saved = start();
    for (let i = 0; i < 7; i++) saved.scheduler.step();
    const states = structuredClone([saved.optimizer.stateDict(), saved.scheduler.stateDict()]);
    const optimizer = optimizerOf([0.5, 0.6], 0.3);
    const load = () => optimizer.loadStateDict(states[0] as never);
    if (order === "before") load();
    const scheduler = make(name, optimizer);
    if (order === "between") load();
    scheduler.loadStateDict(states[1] as never);
    if (order === "after") load();
    const resumed = { optimizer, scheduler };
    for (let i = 0; i < 9; i++) {
      expect(both(resumed)).toEqual(both(saved));
      expect(resumed.scheduler.lastEpoch).toBe(saved.scheduler.lastEpoch);
      for (const one of [resumed, saved]) one.scheduler.step();
    }
  });

  test("goes away without a trace", () => {
    const { optimizer, scheduler } = start();
    scheduler.step(5);
    scheduler.detach();
    expect(both({ optimizer, scheduler })).toEqual([
      { lr: 0.1, momentum: 0.9 },
      { lr: 0.02, momentum: 0.9 },
    ]);
    expect(() => scheduler.step()).toThrow("a scheduler that was detached");
  });

  test("says what it is", () => {
    const { scheduler } = start();
    scheduler.step(2);
    expect(scheduler.name).toBe(name);
    expect(String(scheduler)).toMatch(new RegExp(`^${name} \\(.*\\) at step 2: lr [\\d.e-]+, `));
  });
});

describe("several schedulers of one optimizer", () => {
  const three = [
    (optimizer: Sgd) => new StepLR(optimizer, { stepSize: 3, gamma: 0.5 }),
    (optimizer: Sgd) => new ExponentialLR(optimizer, { gamma: 0.9 }),
    (optimizer: Sgd) => new LinearLR(optimizer, { startFactor: 0.5, totalIters: 4 }),
  ];
  // torch 1.13
  const product = [
    0.05, 0.05625, 0.06075, 0.03189375, 0.032805, 0.0295245, 0.013286025, 0.0119574225,
    0.01076168025,
  ];

  test.each([
    [0, 1, 2],
    [2, 1, 0],
    [1, 2, 0],
  ])("multiply, in whatever order they are made and stepped: %d, %d, %d", (...order) => {
    const optimizer = optimizerOf([0.1]);
    const all = order.map((i) => three[i]!(optimizer));
    expectClose(run(optimizer, all.toReversed(), 9), product);
    expect(all[0]!.getBase()).toEqual([0.1]);
  });

  test("a chain of them is the same", () => {
    const optimizer = optimizerOf([0.1]);
    const chain = new ChainedScheduler(optimizer, {
      schedulers: three.map((one) => one(optimizer)),
    });
    expectClose(run(optimizer, [chain], 9), product);
  });

  test("cosine annealing and decays (torch 1.13)", () => {
    const optimizer = optimizerOf([0.1]);
    const all = [
      new CosineAnnealingLR(optimizer, { tMax: 10, etaMin: 1e-10 }),
      new MultiStepLR(optimizer, { milestones: [3, 6] }),
    ];
    const wanted = [
      0.1, 0.097552825817, 0.090450849728, 0.007938926264, 0.006545084991, 0.005000000038,
      0.000345491509, 0.000206107418, 9.5491577e-5,
    ];
    expect(
      Math.max(...run(optimizer, all, 9).map((lr, i) => Math.abs(lr - wanted[i]!))),
    ).toBeLessThan(1e-10);
  });

  test("averaging anneals from where another schedule stands (torch 1.13)", () => {
    const optimizer = optimizerOf([0.1, 0.02]);
    const before = new ExponentialLR(optimizer, { gamma: 0.9 });
    const averaging = new SWALR(optimizer, { swaLr: [0.05, 0.01], annealEpochs: 4 });
    const got = Array.from({ length: 9 }, (_, epoch) => {
      const now = lrsOf(optimizer);
      (epoch < 3 ? before : averaging).step();
      return now;
    });
    const wanted = [
      [0.1, 0.09, 0.081, 0.0729, 0.06954637264459, 0.06145, 0.05335362735541, 0.05, 0.05],
      [0.02, 0.018, 0.0162, 0.01458, 0.01390927452892, 0.01229, 0.01067072547108, 0.01, 0.01],
    ];
    wanted.forEach((row, i) =>
      expectClose(
        got.map((lrs) => lrs[i]!),
        row,
      ),
    );
    const at = optimizerOf([0.1]);
    new SWALR(at, { swaLr: 0.05, annealEpochs: 0 });
    expect(lrsOf(at)).toEqual([0.05]);
  });

  test("one that ends lets the others go on", () => {
    const optimizer = optimizerOf([0.1]);
    const [first, second] = [three[0]!(optimizer), three[1]!(optimizer)];
    for (let i = 0; i < 3; i++) for (const one of [first, second]) one!.step();
    first.detach();
    expectClose(lrsOf(optimizer), [0.1 * 0.9 ** 3]);
    second.step();
    expectClose(lrsOf(optimizer), [0.1 * 0.9 ** 4]);
    second.detach();
    optimizer.paramGroups[0].lr = 0.7; // nobody acts on it: this is a new base value
    new StepLR(optimizer, { stepSize: 1 }).step();
    expectClose(lrsOf(optimizer), [0.07]);
  });
});

describe("one scheduler after the other", () => {
  test("OneCycleLR leaves the base values of its neighbours alone", () => {
    const optimizer = optimizerOf([0.1, 0.02], 0.6);
    const parts = [
      new OneCycleLR(optimizer, { maxLr: 1, totalSteps: 3, divFactor: 10 }),
      new LinearLR(optimizer, { startFactor: 0.5, totalIters: 2 }),
      new MultiplicativeLR(optimizer, { lrLambda: () => 0.5 }),
    ];
    expect(lrsOf(optimizer)).not.toEqual([0.1, 0.02]);
    const scheduler = new SequentialLR(optimizer, { schedulers: parts, milestones: [3, 6] });
    const second: number[] = [];
    const momenta: number[] = [];
    for (let i = 0; i < 9; i++) {
      if (i > 0) scheduler.step();
      second.push(optimizer.paramGroups[1]!.lr);
      momenta.push(optimizer.paramGroups[1]!.momentum);
    }
    expectClose(second, [1, 0.500005, 1e-5, 0.01, 0.015, 0.02, 0.02, 0.01, 0.005]);
    expectClose(momenta, [0.85, 0.9, 0.95, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6]);
  });

  test("parts may be plain schedules, or sequences themselves", () => {
    const optimizer = optimizerOf([0.1]);
    const inner = new SequentialLR(optimizer, {
      schedulers: [schedule.linear({ startFactor: 0, totalIters: 2 }), (_, base) => base],
      milestones: [2],
    });
    const chain = new ChainedScheduler(optimizer, {
      schedulers: [inner, schedule.exponential({ gamma: 0.5 })],
    });
    expectClose(run(optimizer, [chain], 4), [0, 0.025, 0.025, 0.0125]);
  });

  test("parts are stepped by the whole alone", () => {
    const optimizer = optimizerOf([0.1]);
    const part = new StepLR(optimizer, { stepSize: 1 });
    new ChainedScheduler(optimizer, { schedulers: [part] });
    expect(() => part.step()).toThrow(
      "StepLR: got a part of ChainedScheduler, expected one that acts on its own. Call step() of that one.",
    );
    expect(part.lastEpoch).toBe(0);
  });
});

describe("groups", () => {
  test("that are added later have the present value of their own base", () => {
    const optimizer = optimizerOf([0.1]);
    const all = [
      new LinearLR(optimizer, { startFactor: 0.5, totalIters: 4 }),
      new StepLR(optimizer, { stepSize: 3, gamma: 0.5 }),
    ];
    for (let i = 0; i < 2; i++) for (const one of all) one.step();
    optimizer.addParamGroup({ params: [parameter([1], { name: "late" })], lr: 0.4 });
    for (const one of all.toReversed()) one.step();
    expectClose(lrsOf(optimizer), [0.1 * 0.875 * 0.5, 0.4 * 0.875 * 0.5]);
    expect(all[0]!.getBase()).toEqual([0.1, 0.4]);
    optimizer.addParamGroup({ params: [parameter([1], { name: "later" })], lr: 0.8 });
    for (const one of all) one.apply();
    expectClose(
      lrsOf(optimizer),
      [0.1, 0.4, 0.8].map((lr) => lr * 0.875 * 0.5),
    );
  });

  test.each(Object.keys(examples) as SchedulerName[])("are no problem for %s", (name) => {
    const optimizer = optimizerOf([0.1, 0.02], 0.9);
    const scheduler = make(name, optimizer);
    scheduler.step();
    optimizer.addParamGroup({ params: [parameter([1], { name: "late" })], lr: 0.1 });
    const lists = Object.values(examples[name](optimizerOf([1, 1]))).some(
      (value) => Array.isArray(value) && value.length === 2 && name !== "MultiStepLR",
    );
    if (lists && !["SequentialLR", "ChainedScheduler"].includes(name)) {
      const before = optimizer.toString();
      expect(() => scheduler.step()).toThrow("expected a value for paramGroups[2] as well");
      expect(scheduler.lastEpoch).toBe(1);
      expect(optimizer.toString()).toBe(before);
    } else {
      scheduler.step();
      expect(lrsOf(optimizer)[2]).toBe(lrsOf(optimizer)[0]);
    }
  });

  test("have schedulers in the order in which these were made, whichever steps first", () => {
    const optimizer = optimizerOf([0.1]);
    const other = new ExponentialLR(optimizer, { gamma: 0.1 });
    const late = new SWALR(optimizer, { swaLr: 0.05, annealEpochs: 2, annealStrategy: "linear" });
    optimizer.addParamGroup({ params: [parameter([1], { name: "late" })], lr: 0.1 });
    for (const one of [late, other]) one.step();
    expectClose(lrsOf(optimizer), [0.03, 0.03]);
  });

  test("are counted anew where another one comes before them", () => {
    const [first, second] = [{ lr: 1 }, { lr: 1 }];
    const some = { paramGroups: [second] };
    const scheduler = new LambdaLR(some, { lrLambda: (_, group) => 10 ** group });
    some.paramGroups = [first, second];
    scheduler.step();
    expect([first.lr, second.lr]).toEqual([1, 10]);
  });

  test("may come from several optimizers, or from anything that has some", () => {
    const [one, two] = [adam(0.2), optimizerOf([0.1], 0.5)];
    const composite = { paramGroups: [...one.paramGroups, ...two.paramGroups] };
    const scheduler = new OneCycleLR(composite, { maxLr: [1, 2], totalSteps: 10 });
    expect(one.paramGroups[0].betas).toEqual([0.95, 0.999]);
    expect(two.paramGroups[0].momentum).toBe(0.95);
    scheduler.step(2);
    expect(one.paramGroups[0].betas[0]).toBe(two.paramGroups[0].momentum);
    expect(two.paramGroups[0].lr).toBe(2 * one.paramGroups[0].lr);
    const plain = { paramGroups: [{ lr: 1 }] };
    new ExponentialLR(plain, { gamma: 0.5 }).step(2);
    expect(plain.paramGroups[0]!.lr).toBe(0.25);
  });
});

describe("any hyperparameter", () => {
  test("follows a schedule", () => {
    const optimizer = new Adam([parameter([1], { name: "w" })], { lr: 0.1, weightDecay: 0.04 });
    const pair = optimizer.paramGroups[0].betas;
    const scheduler = new Scheduler(optimizer, {
      weightDecay: schedule.linear({ startFactor: 0.5, totalIters: 4 }),
      "betas[1]": (step, base) => base + step / 1e4,
      eps: (step) => 10 ** -(step + 3),
    });
    scheduler.step(2);
    const { lr, weightDecay, betas, eps } = optimizer.paramGroups[0];
    expectClose([lr, weightDecay, ...betas, eps], [0.1, 0.03, 0.9, 0.9992, 1e-5]);
    expect(pair).toEqual([0.9, 0.999]); // whoever holds the old pair sees no change
    expect(scheduler.getLastLr()).toEqual([0.1]);
    expectClose(scheduler.getLast("betas[1]"), [0.9992]);
    expect(scheduler.getBase("weightDecay")).toEqual([0.04]);
    expectClose(scheduler.preview(3, { name: "weightDecay" }), [0.02, 0.025, 0.03]);
    optimizer.step();
  });

  test("momentum cycles where there is one, or else the first beta", () => {
    const options = { baseLr: 0.01, maxLr: 0.1, stepSizeUp: 4 };
    const rms = new RMSprop([parameter([1], { name: "w" })]);
    new CyclicLR(rms, options).step(4);
    expect(rms.paramGroups[0].momentum).toBe(0.8);
    const still = optimizerOf([0.1], 0.3);
    new CyclicLR(still, { ...options, cycleMomentum: false }).step(4);
    expect(still.paramGroups[0]).toMatchObject({ lr: 0.1, momentum: 0.3 });
    const plain = { paramGroups: [{ lr: 0.1 }] };
    expect(() => new CyclicLR(plain, options)).toThrow("CyclicLR: momentum or betas[0]");
    new CyclicLR(plain, { ...options, cycleMomentum: false });
    expect(plain.paramGroups[0]!.lr).toBe(0.01);
  });
});

describe("what somebody else writes", () => {
  test("lasts until the next step; setBase is for good", () => {
    const optimizer = optimizerOf([0.1, 0.02]);
    const scheduler = new ExponentialLR(optimizer, { gamma: 0.5 });
    scheduler.step();
    optimizer.paramGroups[0].lr = 7;
    expect(scheduler.getLastLr()).toEqual([0.05, 0.01]);
    scheduler.step();
    expect(lrsOf(optimizer)).toEqual([0.025, 0.005]);
    scheduler.setBase(0.4);
    expect(lrsOf(optimizer)).toEqual([0.1, 0.1]);
    scheduler.setBase([0.8, 0.4]);
    scheduler.step();
    expect(lrsOf(optimizer)).toEqual([0.1, 0.05]);
  });

  test("is what apply() puts right", () => {
    const optimizer = optimizerOf([0.1]);
    const saved = optimizer.stateDict();
    const scheduler = new ExponentialLR(optimizer, { gamma: 0.5 });
    scheduler.step();
    optimizer.loadStateDict(saved);
    expect(lrsOf(optimizer)).toEqual([0.1]);
    scheduler.apply();
    expect(lrsOf(optimizer)).toEqual([0.05]);
  });
});

describe("what fails changes nothing", () => {
  test("a schedule that throws or gives no number", () => {
    const optimizer = optimizerOf([0.1, 0.02]);
    const scheduler = new LambdaLR(optimizer, {
      lrLambda: (step, group) => {
        if (step === 2 && group === 1) throw new Error("mine");
        return step === 4 && group === 1 ? wrong<number>(undefined) : 1 / (1 + step);
      },
    });
    scheduler.step();
    expect(() => scheduler.step()).toThrow("mine");
    expect([scheduler.lastEpoch, ...lrsOf(optimizer)]).toEqual([1, 0.05, 0.01]);
    scheduler.step(3);
    expect(() => scheduler.step()).toThrow("LambdaLR: value at step 4: got NaN");
    expect([scheduler.lastEpoch, ...lrsOf(optimizer)]).toEqual([3, 0.025, 0.005]);
    expect(() => new LambdaLR(optimizer, { lrLambda: () => NaN })).toThrow(
      "got NaN, expected a finite number",
    );
    scheduler.step(1); // the one that failed at birth left nothing behind
    expect(lrsOf(optimizer)).toEqual([0.05, 0.01]);
  });

  test("a state dict that does not fit", () => {
    const optimizer = optimizerOf([0.1, 0.02]);
    const scheduler = new StepLR(optimizer, { stepSize: 2 });
    scheduler.step(3);
    const good = scheduler.stateDict();
    const load = (change: object) => () =>
      scheduler.loadStateDict(wrong({ ...good, lastEpoch: 9, ...change }));
    const plateau = new ReduceLROnPlateau(optimizerOf([0.1]));
    const state = plateau.stateDict();
    const loadPlateau = (change: object) => () =>
      plateau.loadStateDict(wrong({ ...state, ...change }));
    expect(
      refusals({
        "of another scheduler": load({ scheduler: "LinearLR" }),
        "no state dict": () => scheduler.loadStateDict(wrong(null)),
        version: load({ version: 2 }),
        lastEpoch: load({ lastEpoch: -1 }),
        groups: load({ base: [{ lr: 1 }] }),
        "a base value": load({ base: [{ lr: 1 }, { lr: "1" }] }),
        "another number": load({ base: [{ lr: 1 }, { momentum: 1 }] }),
        best: loadPlateau({ best: "1" }),
        numBadEpochs: loadPlateau({ numBadEpochs: 0.5 }),
        cooldownCounter: loadPlateau({ cooldownCounter: undefined }),
        scale: loadPlateau({ scale: [1, 1] }),
      }),
    ).toMatchInlineSnapshot(`
      {
        "a base value": "StateDictError STATE_MISMATCH: StepLR: base[1].lr: got "1", expected a finite number.",
        "another number": "StateDictError STATE_MISMATCH: StepLR: base[1].lr: got undefined, expected a finite number.",
        "best": "StateDictError STATE_MISMATCH: ReduceLROnPlateau: best: got "1", expected a number, or null.",
        "cooldownCounter": "StateDictError STATE_MISMATCH: ReduceLROnPlateau: cooldownCounter: got undefined, expected a whole number from 0 on.",
        "groups": "StateDictError STATE_MISMATCH: StepLR: base: got [an object {lr}], expected an array of 2: one for each group.",
        "lastEpoch": "StateDictError STATE_MISMATCH: StepLR: lastEpoch: got -1, expected a number from 0 on.",
        "no state dict": "StateDictError STATE_MISMATCH: StepLR: state dict: got null, expected what stateDict() of a StepLR returned.",
        "numBadEpochs": "StateDictError STATE_MISMATCH: ReduceLROnPlateau: numBadEpochs: got 0.5, expected a whole number from 0 on.",
        "of another scheduler": "StateDictError STATE_MISMATCH: StepLR: state dict: got "LinearLR", expected what stateDict() of a StepLR returned.",
        "scale": "StateDictError STATE_MISMATCH: ReduceLROnPlateau: scale: got [1, 1], expected an array of 1: a number for each group.",
        "version": "StateDictError STATE_MISMATCH: StepLR: version: got 2, expected 1.",
      }
    `);
    expect(scheduler.stateDict()).toEqual(good);
    expect(plateau.stateDict()).toEqual(state);
    expect(distance(lrsOf(optimizer), [0.01, 0.002])).toBeLessThan(1e-15);
  });
});

test("wrong use is refused in words", () => {
  const optimizer = optimizerOf([0.1, 0.02]);
  const other = optimizerOf([0.1]);
  const moved = new StepLR(other, { stepSize: 2 });
  moved.step();
  const step = new StepLR(other, { stepSize: 2 });
  const sequence = (parts: unknown) => () =>
    new SequentialLR(optimizer, { schedulers: wrong(parts), milestones: [] });
  expect(
    refusals({
      "no optimizer": () => new StepLR(wrong([]), { stepSize: 1 }),
      "no such number": () => new Scheduler(adam(), { weight_decay: () => 0 }),
      "no such element": () => new Scheduler(adam(), { "betas[2]": () => 0 }),
      "no schedules": () => new Scheduler(optimizer, {}),
      "no function": () => new Scheduler(optimizer, wrong({ lr: 0.1 })),
      "a short list": () => new LambdaLR(optimizer, { lrLambda: [() => 1] }),
      "a long list": () => new SWALR(optimizer, { swaLr: [1, 2, 3] }),
      "a step before the first": () => step.step(-1),
      "a metric for a schedule": () => step.step(NaN),
      "no metric": () => new ReduceLROnPlateau(optimizer).step(wrong(undefined)),
      factor: () => new ReduceLROnPlateau(optimizer, { factor: 1 }),
      "a plateau as a part": sequence([new ReduceLROnPlateau(optimizer)]),
      "of another optimizer": sequence([step]),
      "in mid-run": () => new ChainedScheduler(other, { schedulers: [moved] }),
      "no parts": sequence([]),
      base: () => step.setBase([1, 2]),
      preview: () => step.preview(3, { name: "momentum" }),
      "preview of no group": () => step.preview(3, { group: 7 }),
    }),
  ).toMatchInlineSnapshot(`
    {
      "a long list": "OptionError BAD_OPTION: SWALR: swaLr: got [1, 2, 3], expected one for all groups, or an array of 2.",
      "a metric for a schedule": "OptionError BAD_OPTION: StepLR: step: got NaN, expected a number from 0 on.",
      "a plateau as a part": "OptionError BAD_OPTION: SequentialLR: schedulers[0]: got a ReduceLROnPlateau, expected a scheduler that follows the step, or a schedule.",
      "a short list": "OptionError BAD_OPTION: LambdaLR: lrLambda: got [a function], expected one for all groups, or an array of 2.",
      "a step before the first": "OptionError BAD_OPTION: StepLR: step: got -1, expected a number from 0 on.",
      "base": "OptionError BAD_OPTION: StepLR: base of lr: got [1, 2], expected a finite number, or an array of 1.",
      "factor": "OptionError BAD_OPTION: ReduceLROnPlateau: factor: got 1, expected a finite number in [0, 1).",
      "in mid-run": "OptionError BAD_OPTION: ChainedScheduler: schedulers[0]: got a scheduler at step 1, expected a new one, at step 0.",
      "no function": "OptionError BAD_OPTION: Scheduler: schedules: got an object {lr}, expected an object with functions, such as { lr: (step, base) => base / (1 + step) }.",
      "no metric": "OptionError BAD_METRIC: plateau: metric: got undefined, expected a number.",
      "no optimizer": "OptionError BAD_OPTION: StepLR: optimizer: got [], expected an optimizer, or an object with paramGroups.",
      "no parts": "OptionError BAD_OPTION: SequentialLR: schedulers: got [], expected an array of schedulers, at least one.",
      "no schedules": "OptionError BAD_OPTION: Scheduler: schedules: got an object {}, expected an object with functions, such as { lr: (step, base) => base / (1 + step) }.",
      "no such element": "OptionError UNKNOWN_HYPERPARAMETER: Scheduler: betas[2]: got an optimizer without such a number, expected one of lr, betas[0], betas[1], eps, weightDecay.",
      "no such number": "OptionError UNKNOWN_HYPERPARAMETER: Scheduler: weight_decay: got an optimizer without such a number, expected one of lr, betas[0], betas[1], eps, weightDecay.",
      "of another optimizer": "OptionError BAD_OPTION: SequentialLR: schedulers[0]: got a scheduler of another optimizer, expected one of the same optimizer.",
      "preview": "OptionError BAD_OPTION: StepLR: preview: name: got "momentum", expected lr.",
      "preview of no group": "OptionError BAD_OPTION: StepLR: preview: group: got 7, expected the number of a group that there is.",
    }
  `);
  expect([lrsOf(optimizer), lrsOf(other)]).toEqual([[0.1, 0.02], [0.1]]);
});
