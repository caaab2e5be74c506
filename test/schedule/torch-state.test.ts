/** Schedulers go on from the states that PyTorch's saved: each of them, after 7 of 20 steps. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { readTorch, type TorchValue } from "../../src/checkpoint/index.ts";
import {
  ConstantLR,
  ExponentialLR,
  fromTorchSchedulerState,
  ReduceLROnPlateau,
  WarmupCosineLR,
  type SGD,
  type TorchSchedulerState,
} from "../../src/index.ts";
import { refusals, wrong } from "../helpers/refusals.ts";
import { optimizerOf, schedulers, type SchedulerName } from "../helpers/schedulers.ts";

interface Recorded {
  readonly metrics: readonly number[];
  readonly rates: Readonly<Record<string, readonly (readonly number[])[]>>;
}
const recordings = fileURLToPath(new URL("../torch-checkpoints", import.meta.url));
const versions = [".", "2.13"];
const recorded = (version = "."): Recorded =>
  JSON.parse(readFileSync(join(recordings, version, "schedules.json"), "utf8")) as Recorded;
type States = Readonly<Record<string, Readonly<Record<string, TorchValue>>>>;
const saved = (name: string, version = "."): TorchSchedulerState => {
  const states = readTorch(readFileSync(join(recordings, version, "schedules.pt"))) as States;
  return states[name]!["scheduler"] as TorchSchedulerState;
};

/** As in scripts/torch_checkpoints.py. */
const options: Record<string, object | ((optimizer: SGD) => object)> = {
  StepLR: { stepSize: 3, gamma: 0.5 },
  MultiStepLR: { milestones: [5, 5, 9], gamma: 0.5 },
  ConstantLR: { factor: 0.5, totalIters: 9 },
  LinearLR: { startFactor: 0.25, endFactor: 0.75, totalIters: 12 },
  ExponentialLR: { gamma: 0.9 },
  PolynomialLR: { totalIters: 15, power: 2 },
  CosineAnnealingLR: { tMax: 12, etaMin: 0.01 },
  CosineAnnealingWarmRestarts: { t0: 3, tMult: 2, etaMin: 0.001 },
  CyclicLR: {
    baseLr: [0.01, 0.02],
    maxLr: [0.1, 0.3],
    stepSizeUp: 4,
    stepSizeDown: 5,
    mode: "exp_range",
    gamma: 0.95,
  },
  OneCycleLR: { maxLr: [0.1, 0.3], totalSteps: 20 },
  LambdaLR: { lrLambda: (step: number) => 0.9 ** step },
  MultiplicativeLR: { lrLambda: () => 0.9 },
  SequentialLR: (optimizer) => ({ schedulers: several(optimizer), milestones: [5] }),
  ChainedScheduler: (optimizer) => ({ schedulers: several(optimizer) }),
  SWALR: { swaLr: [0.05, 0.3], annealEpochs: 12 },
  ReduceLROnPlateau: { factor: 0.5, patience: 1, cooldown: 1, minLr: 0.004 },
};
const several = (optimizer: SGD) => [
  new ConstantLR(optimizer, { factor: 0.5, totalIters: 4 }),
  new ExponentialLR(optimizer, { gamma: 0.9 }),
];

const classes = { ...schedulers, ReduceLROnPlateau };
type AnyScheduler = InstanceType<(typeof classes)[keyof typeof classes]>;

function create(name: string, given: object = {}): AnyScheduler {
  const optimizer = optimizerOf([0.1, 0.02], 0.9);
  const all = options[name]!;
  const read = typeof all === "function" ? (all as (o: SGD) => object)(optimizer) : all;
  const Class = classes[name as SchedulerName] as new (...args: unknown[]) => AnyScheduler;
  return new Class(optimizer, { ...read, ...given });
}

const all = versions.flatMap((version) => Object.keys(options).map((name) => ({ name, version })));
test.each(all)("$name of $version", ({ name, version }) => {
  const scheduler = create(name);
  const { metrics, rates } = recorded(version);
  scheduler.loadStateDict(wrong(fromTorchSchedulerState(saved(name, version), scheduler)));
  expect(scheduler.lastEpoch).toBe(7);
  // After its end PyTorch's OneCycleLR goes up again, if it is let.
  const steps = name === "OneCycleLR" ? 12 : 13;
  rates[name]!.slice(0, steps).forEach((expected, i) => {
    if (scheduler instanceof ReduceLROnPlateau) scheduler.step(metrics[i]!);
    else scheduler.step();
    scheduler.getLastLr().forEach((lr, group) => {
      expect(Math.abs(lr - expected[group]!)).toBeLessThanOrEqual(1e-12 * expected[group]!);
    });
  });
});

test("all that PyTorch has is here", () => {
  expect(Object.keys(options).toSorted()).toEqual(Object.keys(recorded().rates).toSorted());
});

describe("what does not fit is refused", () => {
  const from = (name: string, state: unknown, given?: object) => () =>
    fromTorchSchedulerState(wrong(state), create(name, given));

  test("in words", () => {
    const own = new WarmupCosineLR(optimizerOf([0.1]), { warmupSteps: 1, totalSteps: 9 });
    const one = new ExponentialLR(optimizerOf([0.1]), { gamma: 0.9 });
    const act = refusals({
      "another option": from("StepLR", saved("StepLR"), { gamma: 0.1 }),
      "other milestones": from("MultiStepLR", saved("MultiStepLR"), { milestones: [5, 9] }),
      "other bounds": from("CyclicLR", saved("CyclicLR"), { maxLr: 0.3 }),
      "another peak": from("OneCycleLR", saved("OneCycleLR"), { maxLr: 0.1 }),
      "another way up": from("OneCycleLR", saved("OneCycleLR"), { pctStart: 0.5 }),
      "another way down": from("OneCycleLR", saved("OneCycleLR"), { threePhase: true }),
      "another floor": from("ReduceLROnPlateau", saved("ReduceLROnPlateau"), { minLr: 0 }),
      "another scheduler's": from("StepLR", saved("CosineAnnealingLR")),
      "more groups": () => fromTorchSchedulerState(saved("ExponentialLR"), one),
      "a big integer": from("StepLR", { ...saved("StepLR"), gamma: 2n ** 70n }),
      nothing: from("StepLR", undefined),
      "no step": from("ExponentialLR", { ...saved("ExponentialLR"), last_epoch: -1 }),
      "rates that are none": from("ExponentialLR", {
        ...saved("ExponentialLR"),
        base_lrs: [1, NaN],
      }),
      "a scheduler that PyTorch does not have": () => fromTorchSchedulerState(saved("StepLR"), own),
    });
    expect(act).toMatchInlineSnapshot(`
      {
        "a big integer": "StateDictError STATE_MISMATCH: StepLR: PyTorch's gamma: got "1180591620717411303424", expected 0.5. Make the scheduler with the options that it had in PyTorch.",
        "a scheduler that PyTorch does not have": "StateDictError STATE_MISMATCH: fromTorchSchedulerState: scheduler: got "WarmupCosineLR", expected one of StepLR, MultiStepLR, ConstantLR, LinearLR, ExponentialLR, PolynomialLR, CosineAnnealingLR, CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR, LambdaLR, MultiplicativeLR, SWALR, SequentialLR, ChainedScheduler, ReduceLROnPlateau.",
        "another floor": "StateDictError STATE_MISMATCH: ReduceLROnPlateau: PyTorch's min_lrs: got [0.004,0.004], expected [0,0]. Make the scheduler with the options that it had in PyTorch.",
        "another option": "StateDictError STATE_MISMATCH: StepLR: PyTorch's gamma: got 0.5, expected 0.1. Make the scheduler with the options that it had in PyTorch.",
        "another peak": "StateDictError STATE_MISMATCH: OneCycleLR: PyTorch's base_lrs: got [0.004,0.012], expected [0.004,0.004]. Make the scheduler with the options that it had in PyTorch.",
        "another scheduler's": "StateDictError STATE_MISMATCH: StepLR: PyTorch's state dict: got ["T_max", "eta_min", "base_lrs", "last_epoch", "verbose", "_step_count", "_get_lr_called_within_step", "_last_lr"], expected step_size among them. Is it the state of a StepLR?",
        "another way down": "StateDictError STATE_MISMATCH: OneCycleLR: PyTorch's _schedule_phases: got [{"end_step":5,"start_lr":"initial_lr","end_lr":"max_lr","start_momentum":"max_momentum","end_momentum":"base_momentum"},{"end_step":19,"start_lr":"max_lr","end_lr":"min_lr","start_momentum":"base_momentum","end_momentum":"max_momentum"}], expected [{"end_step":5,"start_lr":"initial_lr","end_lr":"max_lr","start_momentum":"max_momentum","end_momentum":"base_momentum"},{"end_step":10,"start_lr":"max_lr","end_lr":"initial_lr","start_momentum":"base_momentum","end_momentum":"max_momentum"},{"end_step":19,"start_lr":"initial_lr","end_lr":"min_lr","start_momentum":"max_momentum","end_momentum":"max_momentum"}]. Make the scheduler with the options that it had in PyTorch.",
        "another way up": "StateDictError STATE_MISMATCH: OneCycleLR: PyTorch's _schedule_phases: got [{"end_step":5,"start_lr":"initial_lr","end_lr":"max_lr","start_momentum":"max_momentum","end_momentum":"base_momentum"},{"end_step":19,"start_lr":"max_lr","end_lr":"min_lr","start_momentum":"base_momentum","end_momentum":"max_momentum"}], expected [{"end_step":9,"start_lr":"initial_lr","end_lr":"max_lr","start_momentum":"max_momentum","end_momentum":"base_momentum"},{"end_step":19,"start_lr":"max_lr","end_lr":"min_lr","start_momentum":"base_momentum","end_momentum":"max_momentum"}]. Make the scheduler with the options that it had in PyTorch.",
        "more groups": "StateDictError STATE_MISMATCH: ExponentialLR: PyTorch's state dict: base_lrs: got [0.1, 0.02], expected an array of 1: one for each group.",
        "no step": "StateDictError STATE_MISMATCH: ExponentialLR: PyTorch's last_epoch: got -1, expected a whole number from 0 on.",
        "nothing": "StateDictError STATE_MISMATCH: StepLR: PyTorch's state dict: got undefined, expected what state_dict() returned.",
        "other bounds": "StateDictError STATE_MISMATCH: CyclicLR: PyTorch's max_lrs: got [0.1,0.3], expected [0.3,0.3]. Make the scheduler with the options that it had in PyTorch.",
        "other milestones": "StateDictError STATE_MISMATCH: MultiStepLR: PyTorch's milestones: got {"5":2,"9":1}, expected {"5":1,"9":1}. Make the scheduler with the options that it had in PyTorch.",
        "rates that are none": "StateDictError STATE_MISMATCH: ExponentialLR: PyTorch's state dict: base_lrs: got [1, NaN], expected an array of 2: one for each group.",
      }
    `);
  });
});

test("what a plateau remembers", () => {
  const scheduler = create("ReduceLROnPlateau");
  const counts = { best: 0.25, num_bad_epochs: 1, cooldown_counter: 3 };
  const load = (more: object) => {
    const state = { ...saved("ReduceLROnPlateau"), ...counts, ...more };
    scheduler.loadStateDict(wrong(fromTorchSchedulerState(state, scheduler)));
  };
  load({});
  const expected = { best: 0.25, numBadEpochs: 1, cooldownCounter: 3, scale: [1, 1] };
  expect(scheduler.stateDict()).toMatchObject(expected);
  load({ best: Infinity }); // before the first metric
  expect(scheduler.stateDict()).toMatchObject({ best: null });
});

test("parts of an epoch", () => {
  const scheduler = create("CosineAnnealingWarmRestarts");
  const state = { ...saved("CosineAnnealingWarmRestarts"), T_cur: 4.25, last_epoch: 7 };
  expect(fromTorchSchedulerState(state, scheduler).lastEpoch).toBe(7.25);
});
