/**
 * What a schedule is, and how schedules are put together.
 *
 * A schedule is a plain function of the step: it remembers nothing, so it may be asked for any step in
 * any order, drawn before a run, and resumed anywhere. Classes such as `CosineAnnealingLR` write its
 * values into an optimizer; nothing here knows optimizers.
 */
import { OptionError } from "../errors.ts";
import { functions, numbers, readOptions } from "./options.ts";

/**
 * The value in force at `step`, from 0 on and not necessarily whole, where the hyperparameter itself
 * is `base` and its parameter group is number `group`.
 */
export type Schedule = (step: number, base: number, group: number) => number;

/** A schedule that can be called with the step alone: `base` is 1 then, `group` 0. */
export type Curve = (step: number, base?: number, group?: number) => number;

/**
 * One schedule after the other; each starts at its own step 0 from the base value.
 *
 * @param milestones the steps at which the second, third, … schedule begins, in order.
 * @throws {OptionError} unless there is one milestone less than schedules.
 *
 * @example
 * sequential([linear({ startFactor: 0.1, totalIters: 5 }), cosineAnnealing({ tMax: 95 })], [5]);
 */
export function sequential(schedules: readonly Schedule[], milestones: readonly number[]): Curve {
  const owner = "sequential";
  readOptions(owner, { schedules, milestones }, { schedules: functions(), milestones: numbers() });
  if (milestones.length !== schedules.length - 1) {
    throw new OptionError("BAD_OPTION", {
      subject: `${owner}: milestones`,
      got: milestones,
      expected: `one less than there are schedules, ${schedules.length - 1}`,
    });
  }
  const starts = [0, ...milestones];
  return (step, base = 1, group = 0) => {
    let at = milestones.length;
    while (at > 0 && step < starts[at]!) at--;
    return schedules[at]!(step - starts[at]!, base, group);
  };
}

/**
 * All schedules at once: the value of one is the base value of the next. Schedules that multiply
 * their base value, as most do, make the product of their factors.
 *
 * @example
 * chained([constant({ factor: 0.1, totalIters: 4 }), exponential({ gamma: 0.9 })]);
 */
export function chained(schedules: readonly Schedule[]): Curve {
  readOptions("chained", { schedules }, { schedules: functions() });
  return (step, base = 1, group = 0) => {
    let value = base;
    for (const schedule of schedules) value = schedule(step, value, group);
    return value;
  };
}

/**
 * The values of steps 0 to `steps - 1`, to be drawn or looked at.
 *
 * @example
 * scheduleValues(cosineAnnealing({ tMax: 100 }), 100, 0.1);
 */
export function scheduleValues(
  schedule: Schedule,
  steps: number,
  base = 1,
  group = 0,
): Float64Array {
  return Float64Array.from({ length: steps }, (_, step) => schedule(step, base, group));
}
