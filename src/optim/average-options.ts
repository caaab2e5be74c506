/** What an average is made with, and how it is checked. */
import { OptionError, Prose } from "../errors.ts";
import { checkDecay, type AvgFn } from "../rules/average.ts";
import { refuseUnknown } from "./names.ts";
import { checkOptions, planKeys, type PlanOptions } from "./options.ts";
import { still } from "./with-average.ts";

/** Which average, of which steps; and how to run where it is updated by itself, see {@link PlanOptions}. */
export interface AverageOptions extends PlanOptions {
  /** Exponential, with this decay: the share of the old average that stays in an update, e.g. 0.999. */
  readonly ema?: number;
  /** Whether the decay is at most (1 + n) / (10 + n) after n updates (default false). */
  readonly warmup?: boolean;
  /** Another formula. Without it and without `ema` all values have the same weight, as in SWA. */
  readonly avgFn?: AvgFn;
  /** How many steps pass before the average begins (default 0). */
  readonly start?: number;
  /** From then on every so many steps one is taken in (default 1: each). */
  readonly every?: number;
}

/** Splits options into those of the average and those of the plan. @throws {OptionError} */
export function checkAverageOptions(options: AverageOptions) {
  const fail = (name: string, got: unknown, expected: string): never => {
    throw new OptionError("BAD_OPTION", { subject: `AveragedModel: ${name}`, got, expected });
  };
  if (typeof options !== "object" || options === null) {
    fail("options", options, "an object such as { ema: 0.999 }");
  }
  refuseUnknown(still.name, options, ["ema", "warmup", "avgFn", "start", "every", ...planKeys]);
  const { ema, warmup = false, avgFn, start = 0, every = 1, ...run } = options;
  checkOptions(still, run as object);
  if (ema !== undefined) checkDecay(ema);
  if (avgFn !== undefined && typeof avgFn !== "function") {
    fail("avgFn", avgFn, "a function (average, p, n) => tensor");
  }
  if (avgFn !== undefined && ema !== undefined) {
    fail("avgFn", new Prose("a formula, and ema as well"), "one of them");
  }
  if (typeof warmup !== "boolean") fail("warmup", warmup, "true or false");
  if (warmup && ema === undefined)
    fail("warmup", warmup, "ema beside it: it is the decay that grows");
  if (!Number.isSafeInteger(start) || start < 0) fail("start", start, "a whole number from 0 on");
  if (!Number.isSafeInteger(every) || every < 1) fail("every", every, "a whole number from 1 on");
  return { ema, warmup, avgFn, start, every, run };
}
