/**
 * Schedules bound to an optimizer: what all schedulers have in common.
 *
 * A scheduler knows the step it is at, and writes its value into every parameter group. Values come
 * from the step and the base values alone. So a group that is added later has the present value of its
 * own base, and what somebody else wrote into a group lasts until the next step: `setBase` is the way
 * to change a learning rate for good.
 */
import { OptionError, Prose, StateDictError } from "../errors.ts";
import { cellOf, noSuchNumber, type Actor, type Cell } from "./cells.ts";

/** What schedulers act on: an optimizer, several that are stepped as one, or anything alike. */
export interface HasParamGroups {
  readonly paramGroups: readonly object[];
}

/** What a scheduler remembers, as plain data, also for JSON. */
export interface SchedulerState {
  /** Name of the scheduler, e.g. `"StepLR"`. */
  readonly scheduler: string;
  /** Version of this layout. */
  readonly version: 1;
  /** The step it is at. */
  readonly lastEpoch: number;
  /** For each group the base values of the numbers that it acts on, by name. */
  readonly base: readonly Readonly<Record<string, number>>[];
}

/** How a scheduler presents itself. */
export interface Identity {
  readonly name: string;
  readonly options: object;
  /** The options that may be an array with one value for each group. */
  readonly lists?: readonly string[];
}

let made = 0;

/** What all schedulers are: something that writes hyperparameters into the groups of an optimizer, step by step. */
export abstract class GroupScheduler implements Actor {
  readonly optimizer: HasParamGroups;
  /** Which scheduler it is, e.g. `"StepLR"`. */
  readonly name: string;
  /** @internal */ readonly order: number = made++;
  /** @internal Those that were given. */
  readonly options: object;
  private readonly targets: readonly string[];
  private at = 0;
  /** Why it acts no more, if it does not. */
  private retired: { readonly got: string; readonly advice: string } | undefined;

  constructor(optimizer: HasParamGroups, targets: readonly string[], identity: Identity) {
    this.optimizer = optimizer;
    this.targets = targets;
    this.name = identity.name;
    this.options = identity.options;
    const groups = optimizer?.paramGroups;
    if (!Array.isArray(groups)) {
      throw this.refusal("optimizer", optimizer, "an optimizer, or an object with paramGroups");
    }
    for (const target of targets) {
      const found = groups.some((group: object) => cellOf(group, target));
      if (!found) throw noSuchNumber(identity.name, target, groups as object[]);
    }
    for (const list of identity.lists ?? []) {
      const value = (identity.options as Record<string, unknown>)[list];
      if (!Array.isArray(value) || value.length === groups.length) continue;
      throw this.refusal(list, value, `one for all groups, or an array of ${groups.length}`);
    }
  }

  /** @internal */
  abstract value(target: string, base: number, index: number, group: object): number;

  /** The step it is at: 0 after construction, and one more with each `step()`. */
  get lastEpoch(): number {
    return this.at;
  }

  /**
   * Writes the present values into all groups again: into groups that were added, or after an
   * optimizer's state was loaded. `step()` does so by itself.
   *
   * @throws {OptionError} for a value that is not a finite number; nothing is written then.
   */
  apply(): void {
    this.advance(this.at);
  }

  /** The learning rate in force in each group. */
  getLastLr(): number[] {
    return this.getLast("lr");
  }

  /** The value in force of any number, in each group that has it: `getLast("betas[0]")`. */
  getLast(name: string): number[] {
    return this.named(name).map((cell) => cell.value);
  }

  /** The base values, from which schedules start, in each group that has such a number. */
  getBase(name = "lr"): number[] {
    return this.named(name).map((cell) => cell.base);
  }

  /**
   * Gives the groups other base values and writes what follows from them.
   *
   * @param values one for all groups, or an array with one for each.
   * @throws {OptionError} if there are too many or too few; nothing has changed then.
   */
  setBase(values: number | readonly number[], name = "lr"): void {
    const cells = this.named(name);
    const list = typeof values === "number" ? cells.map(() => values) : values;
    if (!Array.isArray(list) || list.length !== cells.length || !list.every(Number.isFinite)) {
      const expected = `a finite number, or an array of ${cells.length}`;
      throw this.refusal(`base of ${name}`, values, expected);
    }
    this.advance(this.at, () => cells.forEach((cell, i) => (cell.base = list[i] as number)));
  }

  /** Ends its influence: all numbers are what they would be without it, and it may not step again. */
  detach(): void {
    this.retire({ got: "a scheduler that was detached", advice: "Make a new one." });
  }

  /** A copy of what it remembers; options and functions are not part of it. */
  stateDict(): SchedulerState {
    const base = this.optimizer.paramGroups.map((group, index) =>
      Object.fromEntries(this.cellsOf(group, index).map((cell) => [cell.name, cell.base])),
    );
    return { scheduler: this.name, version: 1, lastEpoch: this.at, base };
  }

  /**
   * Continues where a scheduler of the same kind stood, and writes the values of that step. The
   * optimizer's own state may be loaded before or after.
   *
   * @throws {StateDictError} if it does not fit; nothing has changed then.
   */
  loadStateDict(state: SchedulerState): void {
    this.checkState(state);
    this.advance(state.lastEpoch, () => this.restore(state));
  }

  /** Its name, its options and where it stands. */
  toString(): string {
    const { name: own, options } = this;
    const given = Object.entries(options).map(([key, value]) => `${key}: ${text(value)}`);
    const values = this.targets.map((target) => {
      const names = new Set(this.cells().map((cell) => cell.name));
      const name = target.split("|").find((one) => names.has(one))!;
      return `${name} ${this.getLast(name).join(", ")}`;
    });
    return `${own} (${given.join(", ")}) at step ${this.at}: ${values.join("; ")}`;
  }

  /** @internal */
  retire(reason: { readonly got: string; readonly advice: string }): void {
    this.refuseRetired();
    const cells = this.cells();
    for (const cell of cells) cell.unlink(this);
    for (const cell of cells) cell.write(cell.value);
    this.retired = reason;
  }

  /** To be called at the end of construction: writes the first values. */
  protected begin(): void {
    try {
      this.apply();
    } catch (error) {
      for (const cell of this.cells()) cell.unlink(this);
      throw error;
    }
  }

  /** Goes to a step after changing something else, and writes: all of it, or nothing. */
  protected advance(to: number, change: () => void = () => {}): void {
    this.refuseRetired();
    const cells = this.cells();
    const undo = this.snapshot(cells);
    try {
      change();
      this.at = to;
      const values = cells.map((cell) => this.checked(cell.value));
      cells.forEach((cell, i) => cell.write(values[i]!));
    } catch (error) {
      undo();
      throw error;
    }
  }

  /** How to get back to what it remembers now. */
  protected snapshot(cells: readonly Cell[]): () => void {
    const { at } = this;
    const bases = cells.map((cell) => cell.base);
    return () => {
      this.at = at;
      cells.forEach((cell, i) => (cell.base = bases[i]!));
    };
  }

  /** The numbers that it acts on in a group; from here on it does. */
  protected cellsOf(group: object, index: number): Cell[] {
    return this.targets.flatMap((target) => {
      const cell = cellOf(group, target);
      if (!this.retired) cell?.link(this, target, index);
      return cell ?? [];
    });
  }

  protected restore(state: SchedulerState): void {
    this.optimizer.paramGroups.forEach((group, i) => {
      for (const cell of this.cellsOf(group, i)) cell.base = state.base[i]![cell.name]!;
    });
  }

  protected checkState(state: SchedulerState): void {
    const { name } = this;
    if (typeof state !== "object" || state === null || state.scheduler !== name) {
      const expected = `what stateDict() of a ${name} returned`;
      throw this.mismatch("state dict", state?.scheduler ?? state, expected);
    }
    if (state.version !== 1) throw this.mismatch("version", state.version, "1");
    if (!(Number.isFinite(state.lastEpoch) && state.lastEpoch >= 0)) {
      throw this.mismatch("lastEpoch", state.lastEpoch, "a number from 0 on");
    }
    const groups = this.optimizer.paramGroups;
    if (!Array.isArray(state.base) || state.base.length !== groups.length) {
      throw this.mismatch("base", state.base, `an array of ${groups.length}: one for each group`);
    }
    groups.forEach((group, i) => {
      for (const cell of this.cellsOf(group, i)) {
        const value = (state.base[i] as Record<string, unknown> | undefined)?.[cell.name];
        if (!Number.isFinite(value)) {
          throw this.mismatch(`base[${i}].${cell.name}`, value, "a finite number");
        }
      }
    });
  }

  protected mismatch(what: string, got: unknown, expected: string): StateDictError {
    const subject = `${this.name}: ${what}`;
    return new StateDictError("STATE_MISMATCH", { subject, got, expected });
  }

  protected refusal(what: string, got: unknown, expected: string): OptionError {
    const subject = `${this.name}: ${what}`;
    return new OptionError("BAD_OPTION", { subject, got, expected });
  }

  private cells(): Cell[] {
    return this.optimizer.paramGroups.flatMap((group, index) => this.cellsOf(group, index));
  }

  private named(name: string): Cell[] {
    this.cells();
    const groups = this.optimizer.paramGroups;
    const cells = groups.flatMap((group) => cellOf(group, name) ?? []);
    if (cells.length === 0) throw noSuchNumber(this.name, name, groups);
    return cells;
  }

  private checked(value: number): number {
    if (Number.isFinite(value)) return value;
    throw new OptionError("BAD_SCHEDULE", {
      subject: `${this.name}: value at step ${this.at}`,
      got: value,
      expected: "a finite number",
    });
  }

  private refuseRetired(): void {
    if (!this.retired) return;
    throw new OptionError("SCHEDULER_RETIRED", {
      subject: this.name,
      got: new Prose(this.retired.got),
      expected: "one that acts on its own",
      advice: this.retired.advice,
    });
  }
}

function text(value: unknown): string {
  return typeof value === "function" ? "a function" : JSON.stringify(value);
}
