// The options of `downhill schedule`, taken from the schedules themselves: a new option of a schedule
// is an option here, and it is the schedule that says what is wrong with a value.

import { Option, type Command } from "commander";

import type { OptionValue } from "../training/experiment.ts";
import { UsageError } from "./errors.ts";
import { schedules, type CataloguedSchedule, type ScheduleOptions } from "./schedules.ts";
import { kebab } from "../training/flags.ts";

const GROUP = "Options of schedules (of which; by default they suit the number of steps):";

/** What no command line can say: functions, and what only goes with them. */
const isSayable = (name: string, { kinds }: CataloguedSchedule): boolean =>
  name !== "scaleMode" && !kinds[name]!.fits(() => 1);

function ownersOf(name: string): CataloguedSchedule[] {
  return schedules.filter((one) => Object.hasOwn(one.kinds, name) && isSayable(name, one));
}

const names = (): string[] =>
  [...new Set(schedules.flatMap(({ kinds }) => Object.keys(kinds)))].filter(
    (name) => ownersOf(name).length > 0,
  );

/** One option for each option of any schedule. */
export function addScheduleOptions(command: Command): Command {
  for (const name of names()) {
    const owners = ownersOf(name);
    const { expected, fits, fallback } = owners[0]!.kinds[name]!;
    const of = `(${owners.map(({ key }) => key).join(", ")})`;
    const option = fits(true)
      ? new Option(`--${fallback === true ? "no-" : ""}${kebab(name)}`, of)
      : new Option(`--${kebab(name)} <value>`, `${expected.split(", or an array")[0]} ${of}`);
    if (!fits(true)) option.argParser(valueFrom);
    command.addOption(option.helpGroup(GROUP));
  }
  return command;
}

/** A number, several of them, or a word. */
function valueFrom(text: string): OptionValue | string {
  const parts = text.split(",").map((one) => (one.trim() === "" ? NaN : Number(one)));
  if (parts.some(Number.isNaN)) return text;
  return parts.length > 1 ? parts : parts[0]!;
}

/** The options that were given. */
export function scheduleOptionsFrom(flags: Readonly<Record<string, unknown>>): ScheduleOptions {
  const given = names().filter((name) => {
    const inverted = ownersOf(name)[0]!.kinds[name]!.fallback === true;
    return flags[name] !== undefined && !(inverted && flags[name] === true);
  });
  return Object.fromEntries(given.map((name) => [name, flags[name] as OptionValue]));
}

/** The options for each of the chosen schedules. @throws {UsageError} for one that none of them has. */
export function shareOptions(
  chosen: readonly CataloguedSchedule[],
  given: ScheduleOptions,
): ScheduleOptions[] {
  const stranger = Object.keys(given).find((name) =>
    chosen.every(({ kinds }) => !Object.hasOwn(kinds, name)),
  );
  if (stranger !== undefined) {
    const owners = ownersOf(stranger).map(({ key }) => key);
    throw new UsageError(
      `--${kebab(stranger)}: got it for ${chosen.map(({ key }) => key).join(", ")}, ` +
        `expected it only for ${owners.join(", ")}.`,
    );
  }
  return chosen.map(({ kinds }) =>
    Object.fromEntries(Object.entries(given).filter(([name]) => Object.hasOwn(kinds, name))),
  );
}
