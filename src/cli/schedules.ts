// The schedules that `downhill schedule` draws, by the names the command line knows them by, and the
// options that make a sensible curve of each where none are given.

import { schedule, type Schedule } from "../index.ts";
import * as cosine from "../schedule/cosine.ts";
import * as cycle from "../schedule/cycle.ts";
import * as decay from "../schedule/decay.ts";
import type { Kind } from "../schedule/options.ts";
import { swaKinds } from "../schedule/swa.ts";
import * as warmup from "../schedule/warmup.ts";
import { UsageError } from "./errors.ts";
import type { OptionValue } from "../training/experiment.ts";

export type ScheduleOptions = Readonly<Record<string, OptionValue | string>>;

export interface CataloguedSchedule {
  /** Name on the command line, e.g. `cosine-annealing`. */
  readonly key: string;
  /** The class that binds it to an optimizer. */
  readonly scheduler: string;
  /** What the curve does. */
  readonly about: string;
  readonly kinds: Readonly<Record<string, Kind<unknown>>>;
  /** Options for a run of so many steps with this learning rate. */
  readonly example: (steps: number, lr: number) => ScheduleOptions;
  readonly lr: (options: ScheduleOptions) => Schedule;
  /** The momentum that goes with it. */
  readonly momentum?: (options: ScheduleOptions) => Schedule;
}

type Make = (options: never) => Schedule;

function entry(
  key: string,
  scheduler: string,
  about: string,
  lr: Make,
  kinds: () => CataloguedSchedule["kinds"],
  example: CataloguedSchedule["example"],
  momentum?: Make,
): CataloguedSchedule {
  type Taken = CataloguedSchedule["lr"];
  const optional = momentum ? { momentum: momentum as Taken } : {};
  return { key, scheduler, about, kinds: kinds(), example, lr: lr as Taken, ...optional };
}

/** A part of a run, in whole steps. */
const part = (steps: number, share: number): number => Math.max(1, Math.round(steps * share));

export const schedules: readonly CataloguedSchedule[] = [
  entry(
    "step-decay",
    "StepLR",
    "a factor at equal distances",
    schedule.stepDecay,
    decay.stepDecayKinds,
    (steps) => ({ stepSize: part(steps, 0.25), gamma: 0.5 }),
  ),
  entry(
    "multi-step-decay",
    "MultiStepLR",
    "a factor at given steps",
    schedule.multiStepDecay,
    decay.multiStepDecayKinds,
    (steps) => ({ milestones: [part(steps, 0.5), part(steps, 0.75)] }),
  ),
  entry(
    "constant",
    "ConstantLR",
    "a factor for the first steps",
    schedule.constant,
    decay.constantKinds,
    (steps) => ({ totalIters: part(steps, 0.25) }),
  ),
  entry(
    "linear",
    "LinearLR",
    "a line from one factor to another",
    schedule.linear,
    decay.linearKinds,
    (steps) => ({ totalIters: part(steps, 0.25) }),
  ),
  entry(
    "exponential",
    "ExponentialLR",
    "a factor in each step",
    schedule.exponential,
    decay.exponentialKinds,
    (steps) => ({ gamma: Number((0.05 ** (1 / steps)).toPrecision(3)) }),
  ),
  entry(
    "polynomial",
    "PolynomialLR",
    "a power of the part that is left",
    schedule.polynomial,
    decay.polynomialKinds,
    (steps) => ({ totalIters: steps, power: 2 }),
  ),
  entry(
    "cosine-annealing",
    "CosineAnnealingLR",
    "half a cosine down",
    schedule.cosineAnnealing,
    cosine.cosineAnnealingKinds,
    (steps) => ({ tMax: steps }),
  ),
  entry(
    "cosine-warm-restarts",
    "CosineAnnealingWarmRestarts",
    "half a cosine again and again",
    schedule.cosineWarmRestarts,
    cosine.cosineWarmRestartsKinds,
    (steps) => ({ t0: part(steps, 1 / 7), tMult: 2 }),
  ),
  entry(
    "cyclic",
    "CyclicLR",
    "up and down between two bounds",
    schedule.cyclic,
    cycle.cyclicKinds,
    (steps, lr) => ({ baseLr: lr / 10, maxLr: lr, stepSizeUp: part(steps, 1 / 8) }),
    schedule.cyclicMomentum,
  ),
  entry(
    "one-cycle",
    "OneCycleLR",
    "up once and down to almost nothing",
    schedule.oneCycle,
    cycle.oneCycleKinds,
    (steps, lr) => ({ maxLr: lr, totalSteps: steps }),
    schedule.oneCycleMomentum,
  ),
  entry(
    "swa",
    "SWALR",
    "to a constant, for averaging weights",
    schedule.swa,
    swaKinds,
    (steps, lr) => ({ swaLr: lr / 10, annealEpochs: part(steps, 0.25) }),
  ),
  entry(
    "warmup-cosine",
    "WarmupCosineLR",
    "a line up, then half a cosine down",
    schedule.warmupCosine,
    warmup.warmupCosineKinds,
    (steps) => ({ warmupSteps: Math.floor(steps / 10), totalSteps: steps }),
  ),
  entry(
    "warmup-stable-decay",
    "WarmupStableDecayLR",
    "a line up, a plateau, a fall (WSD)",
    schedule.warmupStableDecay,
    warmup.warmupStableDecayKinds,
    (steps) => {
      const [warmupSteps, decaySteps] = [part(steps, 0.1), part(steps, 0.2)];
      return {
        warmupSteps,
        stableSteps: Math.max(0, steps - warmupSteps - decaySteps),
        decaySteps,
      };
    },
  ),
  entry(
    "inverse-sqrt",
    "InverseSqrtLR",
    "a line up, then 1/√step",
    schedule.inverseSqrt,
    warmup.inverseSqrtKinds,
    (steps) => ({ warmupSteps: part(steps, 0.1) }),
  ),
];

/** By its name or that of its class, in any case. @throws {UsageError} for another name. */
export function findSchedule(name: string): CataloguedSchedule {
  const plain = (text: string) => text.toLowerCase().replaceAll("-", "");
  const found = schedules.find(
    ({ key, scheduler }) => plain(key) === plain(name) || plain(scheduler) === plain(name),
  );
  if (found) return found;
  const known = schedules.map(({ key }) => key).join(", ");
  throw new UsageError(`schedule: got ${JSON.stringify(name)}, expected one of ${known}.`);
}
