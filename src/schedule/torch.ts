/**
 * From the state dicts of PyTorch's schedulers to ours.
 *
 * PyTorch's say the options as well, and loading them there overwrites those of the scheduler. Here they are
 * compared: a run that goes on with another schedule than it began with should be somebody's decision.
 */
import { Prose } from "../errors.ts";
import { refusal } from "../optim/state-check.ts";
import { cosineAnnealingKinds, cosineWarmRestartsKinds } from "./cosine.ts";
import { cyclicKinds, oneCycleKinds } from "./cycle.ts";
import {
  constantKinds,
  exponentialKinds,
  linearKinds,
  multiStepDecayKinds,
  polynomialKinds,
  stepDecayKinds,
} from "./decay.ts";
import type { GroupScheduler, SchedulerState } from "./group-scheduler.ts";
import { readOptions, type Kind } from "./options.ts";
import { reducingKinds, type ReduceLROnPlateauState } from "./reduce-on-plateau.ts";
import { swaKinds } from "./swa.ts";

/** What a scheduler's `state_dict()` returns, as `readTorch` or JSON has it. */
export type TorchSchedulerState = Readonly<Record<string, unknown>>;

type Options = Readonly<Record<string, unknown>>;
/** What PyTorch's state must say, by its names; what it does not say is not compared. */
type Expected = Readonly<Record<string, unknown>>;
type Kinds = Readonly<Record<string, Kind<unknown>>>;

interface Layout {
  readonly kinds?: () => Kinds;
  /** @param groups how many there are. */
  readonly expect?: (options: Options, groups: number) => Expected;
  /** Whether PyTorch's base values are ours, and not a bound of the schedule. */
  readonly hasBase?: false;
}

const same =
  (names: Readonly<Record<string, string>>) =>
  (options: Options): Expected =>
    Object.fromEntries(Object.entries(names).map(([torch, own]) => [torch, options[own]]));

const forEach = (value: unknown, groups: number): unknown =>
  Array.isArray(value) ? value : Array.from({ length: groups }, () => value);

const LAYOUTS: Readonly<Record<string, Layout>> = {
  StepLR: { kinds: stepDecayKinds, expect: same({ step_size: "stepSize", gamma: "gamma" }) },
  MultiStepLR: {
    kinds: multiStepDecayKinds,
    expect: ({ milestones, gamma }) => ({ milestones: countsOf(milestones as number[]), gamma }),
  },
  ConstantLR: {
    kinds: constantKinds,
    expect: same({ factor: "factor", total_iters: "totalIters" }),
  },
  LinearLR: {
    kinds: linearKinds,
    expect: same({
      start_factor: "startFactor",
      end_factor: "endFactor",
      total_iters: "totalIters",
    }),
  },
  ExponentialLR: { kinds: exponentialKinds, expect: same({ gamma: "gamma" }) },
  PolynomialLR: {
    kinds: polynomialKinds,
    expect: same({ total_iters: "totalIters", power: "power" }),
  },
  CosineAnnealingLR: {
    kinds: cosineAnnealingKinds,
    expect: same({ T_max: "tMax", eta_min: "etaMin" }),
  },
  CosineAnnealingWarmRestarts: {
    kinds: cosineWarmRestartsKinds,
    expect: same({ T_0: "t0", T_mult: "tMult", eta_min: "etaMin" }),
  },
  CyclicLR: { kinds: cyclicKinds, expect: cyclicOptions, hasBase: false },
  OneCycleLR: { kinds: oneCycleKinds, expect: oneCycleOptions, hasBase: false },
  LambdaLR: {},
  MultiplicativeLR: {},
  SWALR: {
    kinds: swaKinds,
    expect: same({ anneal_epochs: "annealEpochs", _anneal_strategy: "annealStrategy" }),
  },
  SequentialLR: { expect: same({ _milestones: "milestones" }) },
  ChainedScheduler: {},
  ReduceLROnPlateau: {
    kinds: reducingKinds,
    expect: ({ minLr, ...options }, groups) => ({
      ...same({
        factor: "factor",
        patience: "patience",
        cooldown: "cooldown",
        eps: "eps",
        mode: "mode",
        threshold: "threshold",
        threshold_mode: "thresholdMode",
      })(options),
      min_lrs: forEach(minLr, groups),
    }),
  },
};

function countsOf(milestones: readonly number[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const milestone of milestones) counts[milestone] = (counts[milestone] ?? 0) + 1;
  return counts;
}

function cyclicOptions(options: Options, groups: number): Expected {
  const up = options["stepSizeUp"] as number;
  const total = up + ((options["stepSizeDown"] as number | undefined) ?? up);
  const cycle = options["cycleMomentum"];
  return {
    total_size: total,
    step_ratio: up / total,
    ...same({ mode: "mode", gamma: "gamma" })(options),
    base_lrs: forEach(options["baseLr"], groups),
    max_lrs: forEach(options["maxLr"], groups),
    cycle_momentum: cycle,
    ...(cycle === true && {
      base_momentums: forEach(options["baseMomentum"], groups),
      max_momentums: forEach(options["maxMomentum"], groups),
    }),
  };
}

function oneCycleOptions(options: Options, groups: number): Expected {
  const { maxLr, divFactor, totalSteps, epochs, stepsPerEpoch } = options;
  const total = (totalSteps as number) ?? (epochs as number) * (stepsPerEpoch as number);
  const first = (forEach(maxLr, groups) as number[]).map((peak) => peak / (divFactor as number));
  return {
    total_steps: total,
    base_lrs: first,
    _schedule_phases: phases(total, options["pctStart"] as number, options["threePhase"] === true),
    _anneal_func_type: options["annealStrategy"],
    cycle_momentum: options["cycleMomentum"],
  };
}

function phases(total: number, start: number, isThree: boolean): readonly Expected[] {
  const phase = (end_step: number, lr: [string, string], momentum: [string, string]) => ({
    end_step,
    start_lr: `${lr[0]}_lr`,
    end_lr: `${lr[1]}_lr`,
    start_momentum: `${momentum[0]}_momentum`,
    end_momentum: `${momentum[1]}_momentum`,
  });
  const peak = start * total - 1;
  const first = phase(peak, ["initial", "max"], ["max", "base"]);
  if (!isThree) return [first, phase(total - 1, ["max", "min"], ["base", "max"])];
  return [
    first,
    phase(2 * peak, ["max", "initial"], ["base", "max"]),
    phase(total - 1, ["initial", "min"], ["max", "max"]),
  ];
}

/**
 * What `state_dict()` of a scheduler of `torch.optim.lr_scheduler` is for this one, which must have the same
 * options: to be passed to its `loadStateDict`. Functions are not in it. What a `ReduceLROnPlateau` has reduced so
 * far is in the learning rates that it wrote last.
 *
 * @throws {StateDictError} `STATE_MISMATCH` if it is another scheduler's, has other options or other groups.
 *
 * @example
 * // Python: torch.save({"scheduler": scheduler.state_dict(), ...}, "run.pt")
 * scheduler.loadStateDict(fromTorchSchedulerState(saved.scheduler, scheduler));
 */
export function fromTorchSchedulerState(
  saved: TorchSchedulerState | undefined,
  scheduler: GroupScheduler,
): SchedulerState {
  const { name } = scheduler;
  const layout = Object.hasOwn(LAYOUTS, name) ? LAYOUTS[name]! : refuseOwn(scheduler);
  const what = "PyTorch's state dict";
  if (typeof saved !== "object" || saved === null) {
    throw refusal(scheduler, what, saved, "what state_dict() returned");
  }
  const own = scheduler.stateDict();
  checkOptions(saved, scheduler, layout);
  const first = partOf(saved, "_schedulers") ?? saved;
  const bases = first["base_lrs"];
  const groups = own.base.length;
  const isPlateau = name === "ReduceLROnPlateau";
  const rates = isPlateau ? saved["_last_lr"] : bases;
  if (!isNumbers(rates) || rates.length !== groups) {
    const expected = `an array of ${groups}: one for each group`;
    throw refusal(scheduler, `${what}: ${isPlateau ? "_last_lr" : "base_lrs"}`, rates, expected);
  }
  const lastEpoch = stepOf(saved["last_epoch"] ?? first["last_epoch"], saved, scheduler);
  const base =
    layout.hasBase === false ? own.base : own.base.map((each, i) => ({ ...each, lr: rates[i]! }));
  const state = { ...own, lastEpoch, base };
  return isPlateau ? plateauState(saved, state as ReduceLROnPlateauState) : state;
}

function refuseOwn(scheduler: GroupScheduler): never {
  const known = Object.keys(LAYOUTS).join(", ");
  throw refusal(
    { name: "fromTorchSchedulerState" },
    "scheduler",
    scheduler?.name,
    `one of ${known}`,
  );
}

function checkOptions(saved: TorchSchedulerState, scheduler: GroupScheduler, layout: Layout): void {
  const { name, options } = scheduler;
  const read = layout.kinds ? readOptions(name, options, layout.kinds()) : (options as Options);
  const expected = layout.expect?.(read, scheduler.optimizer.paramGroups.length) ?? {};
  for (const [key, value] of Object.entries(expected)) {
    // Private notes have come and gone.
    if (!Object.hasOwn(saved, key)) {
      if (key.startsWith("_")) continue;
      const advice = `Is it the state of a ${name}?`;
      throw refusal(
        scheduler,
        "PyTorch's state dict",
        Object.keys(saved),
        `${key} among them`,
        advice,
      );
    }
    if (isSame(saved[key], value)) continue;
    const advice = "Make the scheduler with the options that it had in PyTorch.";
    const got = new Prose(textOf(saved[key]));
    throw refusal(scheduler, `PyTorch's ${key}`, got, JSON.stringify(value), advice);
  }
}

function textOf(value: unknown): string {
  const text = JSON.stringify(value, (_, item: unknown) =>
    typeof item === "bigint" ? String(item) : item,
  );
  return String(text).slice(0, 500);
}

/** Numbers to a few ulps: PyTorch keeps some as what it has computed from the options. */
function isSame(a: unknown, b: unknown): boolean {
  if (typeof a === "number" && typeof b === "number") {
    return a === b || Math.abs(a - b) <= 1e-12 * Math.max(Math.abs(a), Math.abs(b));
  }
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  const [left, right] = [Object.entries(a), Object.entries(b)];
  return (
    left.length === right.length &&
    left.every(([key, value]) => isSame(value, (b as Record<string, unknown>)[key]))
  );
}

const isNumbers = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every(Number.isFinite);

/** The first of the schedulers that one is made of. */
function partOf(saved: TorchSchedulerState, key: string): TorchSchedulerState | undefined {
  const list: unknown = saved[key];
  const first: unknown = Array.isArray(list) ? list[0] : undefined;
  return typeof first === "object" && first !== null ? (first as TorchSchedulerState) : undefined;
}

/** Restarts may have been stepped by parts of an epoch, of which only the time in its cycle knows. */
function stepOf(last: unknown, saved: TorchSchedulerState, scheduler: GroupScheduler): number {
  const inCycle = saved["T_cur"];
  const part = typeof inCycle === "number" ? inCycle - Math.floor(inCycle) : 0;
  if (Number.isSafeInteger(last) && (last as number) >= 0) return (last as number) + part;
  const expected = "a whole number from 0 on";
  throw refusal(scheduler, "PyTorch's last_epoch", last ?? new Prose("none"), expected);
}

/** The rates that it wrote last are the bases, of which nothing has been reduced yet. */
function plateauState(
  saved: TorchSchedulerState,
  state: ReduceLROnPlateauState,
): ReduceLROnPlateauState {
  const best = saved["best"] as number;
  return {
    ...state,
    best: Number.isFinite(best) ? best : null,
    numBadEpochs: saved["num_bad_epochs"] as number,
    cooldownCounter: saved["cooldown_counter"] as number,
    scale: state.scale.map(() => 1),
  };
}
