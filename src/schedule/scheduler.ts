/** Schedules that follow the step, bound to an optimizer; one after the other, or all at once. */
import { OptionError, Prose } from "../errors.ts";
import { GroupScheduler, type HasParamGroups, type Identity } from "./group-scheduler.ts";
import { numbers, readOptions, type Kind } from "./options.ts";
import { chained, sequential, type Schedule } from "./schedule.ts";

/** A schedule for each number: `{ lr: …, weightDecay: …, "betas[0]": … }`. */
export type Schedules = Readonly<Record<string, Schedule>>;

/**
 * Writes schedules into the parameter groups of an optimizer: of the learning rate or of any other
 * hyperparameter that is a number. Groups without such a number are left alone.
 *
 * @example
 * const scheduler = new Scheduler(optimizer, {
 *   lr: schedule.warmupCosine({ warmupSteps: 100, totalSteps: 2000 }),
 *   weightDecay: schedule.linear({ startFactor: 1, endFactor: 0.1, totalIters: 2000 }),
 *   "betas[0]": (step) => Math.min(0.95, 0.85 + step / 1e4),
 * });
 *
 * @throws {OptionError} for a number that no group has, and for a value that is not finite.
 */
export class Scheduler extends GroupScheduler {
  /** The schedule of each number. */
  readonly schedules: Schedules;

  constructor(optimizer: HasParamGroups, schedules: Schedules, identity?: Identity) {
    const isObject = typeof schedules === "object" && schedules !== null;
    const list = isObject ? Object.values(schedules) : [];
    if (list.length === 0 || list.some((schedule) => typeof schedule !== "function")) {
      throw new OptionError("BAD_OPTION", {
        subject: "Scheduler: schedules",
        got: schedules,
        expected: "an object with functions, such as { lr: (step, base) => base / (1 + step) }",
      });
    }
    super(optimizer, Object.keys(schedules), identity ?? { name: "Scheduler", options: {} });
    this.schedules = { ...schedules };
    this.begin();
  }

  /** @internal */ value(target: string, base: number, index: number): number {
    return this.schedules[target]!(this.lastEpoch, base, index);
  }

  /**
   * Goes to the next step, or to any other one, and writes its values.
   *
   * @param epoch where to go, from 0 on and not necessarily whole: 2.5 is the middle of the third epoch.
   * @throws {OptionError} if a value is not a finite number; nothing has changed then.
   */
  step(epoch: number = this.lastEpoch + 1): void {
    if (!(Number.isFinite(epoch) && epoch >= 0)) {
      throw this.refusal("step", epoch, "a number from 0 on");
    }
    this.advance(epoch);
  }

  /**
   * The values of steps 0 to `steps - 1` for one group, as they would be if this scheduler acted alone:
   * for a plot before the run.
   */
  preview(steps: number, { name = "lr", group = 0 } = {}): number[] {
    const found = this.optimizer.paramGroups[group];
    if (!found) throw this.refusal("preview: group", group, "the number of a group that there is");
    const cells = this.cellsOf(found, group);
    const cell = cells.find((one) => one.name === name);
    const target = Object.keys(this.schedules).find((one) => one.split("|").includes(name));
    if (target === undefined || !cell) {
      const known = cells.map((one) => one.name).join(" or ");
      throw this.refusal("preview: name", name, known || "a group that it acts on");
    }
    const schedule = this.schedules[target]!;
    return Array.from({ length: steps }, (_, step) => schedule(step, cell.base, group));
  }
}

/** Schedulers of the same optimizer, or plain schedules of the learning rate. */
export type Parts = readonly (Scheduler | Schedule)[];

export interface SequentialOptions {
  readonly schedulers: Parts;
  /** The steps at which the second, third, … scheduler begins, in order. */
  readonly milestones: readonly number[];
}

/**
 * One scheduler after the other, as `torch.optim.lr_scheduler.SequentialLR`: each starts at its own step
 * 0 from the base value. The schedulers become part of this one and are stepped by it alone.
 *
 * @example
 * new SequentialLR(optimizer, {
 *   schedulers: [
 *     new LinearLR(optimizer, { startFactor: 0.1, totalIters: 5 }),
 *     new CosineAnnealingLR(optimizer, { tMax: 95 }),
 *   ],
 *   milestones: [5],
 * });
 */
export class SequentialLR extends Scheduler {
  constructor(optimizer: HasParamGroups, options: SequentialOptions) {
    const read = readOptions("SequentialLR", options, { schedulers: parts, milestones: numbers() });
    const { schedulers, milestones } = read;
    const combine = (all: readonly Schedule[]) => sequential(all, milestones);
    const merged = merge("SequentialLR", optimizer, schedulers, combine);
    super(optimizer, merged, identify("SequentialLR", schedulers, { milestones }));
  }
}

/**
 * All schedulers at once, as `torch.optim.lr_scheduler.ChainedScheduler`: factors multiply. The
 * schedulers become part of this one and are stepped by it alone. Schedulers of one optimizer that are
 * stepped one by one combine in the same way.
 */
export class ChainedScheduler extends Scheduler {
  constructor(optimizer: HasParamGroups, options: { readonly schedulers: Parts }) {
    const { schedulers } = readOptions("ChainedScheduler", options, { schedulers: parts });
    const merged = merge("ChainedScheduler", optimizer, schedulers, chained);
    super(optimizer, merged, identify("ChainedScheduler", schedulers, {}));
  }
}

const parts: Kind<Parts> = {
  expected: "an array of schedulers, at least one",
  fits: (value) => Array.isArray(value) && value.length > 0,
};

function identify(name: string, schedulers: Parts, options: object): Identity {
  const names = schedulers.map((part) => part.name || "a function");
  return { name, options: { schedulers: names, ...options } };
}

const unchanged: Schedule = (_, base) => base;

/** One schedule for each number that any part acts on. The parts act no more by themselves. */
function merge(
  owner: string,
  optimizer: HasParamGroups,
  schedulers: Parts,
  combine: (schedules: readonly Schedule[]) => Schedule,
): Schedules {
  const complain = (what: string, got: unknown, expected: string): never => {
    throw new OptionError("BAD_OPTION", { subject: `${owner}: ${what}`, got, expected });
  };
  const all = schedulers.map((part, i) => {
    if (typeof part === "function") return { lr: part };
    const where = `schedulers[${i}]`;
    if (!(part instanceof Scheduler)) {
      return complain(where, part, "a scheduler that follows the step, or a schedule");
    }
    if (part.optimizer !== optimizer) {
      complain(where, new Prose("a scheduler of another optimizer"), "one of the same optimizer");
    }
    if (part.lastEpoch !== 0) {
      const got = new Prose(`a scheduler at step ${part.lastEpoch}`);
      complain(where, got, "a new one, at step 0");
    }
    return part.schedules;
  });
  const names = new Set(all.flatMap((schedules) => Object.keys(schedules)));
  const merged = Object.fromEntries(
    [...names].map((name) => [name, combine(all.map((one) => one[name] ?? unchanged))]),
  );
  const reason = { got: `a part of ${owner}`, advice: `Call step() of that one.` };
  for (const part of schedulers) if (part instanceof Scheduler) part.retire(reason);
  return merged;
}
