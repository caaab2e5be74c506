/** Recorded learning rates of PyTorch's schedulers, and all scheduler classes by name. */
import { readFileSync } from "node:fs";
import {
  ChainedScheduler,
  ConstantLR,
  CosineAnnealingLR,
  CosineAnnealingWarmRestarts,
  CyclicLR,
  ExponentialLR,
  InverseSqrtLR,
  LambdaLR,
  LinearLR,
  MultiplicativeLR,
  MultiStepLR,
  OneCycleLR,
  parameter,
  PolynomialLR,
  type Scheduler,
  SequentialLR,
  SGD,
  StepLR,
  SWALR,
  WarmupCosineLR,
  WarmupStableDecayLR,
} from "../../src/index.ts";

export const schedulers = {
  ChainedScheduler,
  ConstantLR,
  CosineAnnealingLR,
  CosineAnnealingWarmRestarts,
  CyclicLR,
  ExponentialLR,
  InverseSqrtLR,
  LambdaLR,
  LinearLR,
  MultiplicativeLR,
  MultiStepLR,
  OneCycleLR,
  PolynomialLR,
  SequentialLR,
  StepLR,
  SWALR,
  WarmupCosineLR,
  WarmupStableDecayLR,
};
export type SchedulerName = keyof typeof schedulers;

type Options = Readonly<Record<string, unknown>>;

export interface ScheduleCase {
  readonly scheduler: string;
  readonly options: Options;
  readonly optimizer: { readonly momentum?: number; readonly lrs: readonly number[] };
  /** For each step the learning rate of each group, from step 0 on. */
  readonly lrs: readonly number[][];
  readonly momenta?: readonly number[][];
  readonly metrics?: readonly number[];
}

export function scheduleCases(): ScheduleCase[] {
  const file = new URL("../golden/schedulers.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { cases: ScheduleCase[] }).cases;
}

/** An optimizer with a group for each learning rate. */
export function optimizerOf(lrs: readonly number[], momentum = 0): SGD {
  const groups = lrs.map((lr, i) => ({ params: [parameter([1], { name: `p${i}` })], lr }));
  return new SGD(groups, { momentum });
}

/** PyTorch's option names in camelCase: `T_max` is `tMax`. */
export const camelCase = (options: Options): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(options).map(([name, value]) => [
      name.toLowerCase().replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]),
  );

/** A scheduler by name, also with others as its parts. */
export function makeScheduler(name: string, optimizer: SGD, options: Options): Scheduler {
  const made = camelCase(options);
  if (Array.isArray(made["schedulers"])) {
    made["schedulers"] = (made["schedulers"] as [string, Options][]).map(([part, own]) =>
      makeScheduler(part, optimizer, own),
    );
  }
  return new (schedulers[name as SchedulerName] as typeof StepLR)(optimizer, made as never);
}

/** The largest relative difference of two equally long lists. */
export function distance(got: readonly number[], wanted: readonly number[]): number {
  if (got.length !== wanted.length) return Infinity;
  const parts = got.map((value, i) => {
    const goal = wanted[i]!;
    return value === goal ? 0 : Math.abs(value - goal) / Math.abs(goal);
  });
  return Math.max(0, ...parts);
}
