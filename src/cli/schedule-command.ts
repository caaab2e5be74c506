// `downhill schedule`: what a learning-rate schedule looks like before anything is trained with it.

import { scheduleValues } from "../schedule/schedule.ts";
import { UsageError } from "./errors.ts";
import { hasColor, note, prepareFolder, print, terminalWidth, writeOutput } from "./output.ts";
import { scheduleFigure, schedulePlot, type DrawnSchedule } from "./report/schedule-figure.ts";
import { shareOptions } from "./schedule-options.ts";
import {
  findSchedule,
  schedules,
  type CataloguedSchedule,
  type ScheduleOptions,
} from "./schedules.ts";

export interface ScheduleFlags {
  readonly options: ScheduleOptions;
  readonly steps: number;
  readonly lr: number;
  /** Draw learning rates on a logarithmic axis. */
  readonly log: boolean;
  readonly out: string;
  readonly json: boolean;
}

export function scheduleCommand(names: readonly string[], flags: ScheduleFlags): void {
  if (names.length === 0) return printList(flags.json);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new UsageError(`schedule: got ${JSON.stringify(twice)} twice, expected each once.`);
  }
  if (!(flags.lr > 0)) {
    throw new UsageError(`--lr: got ${flags.lr}, expected a number above 0.`);
  }
  const chosen = names.map(findSchedule);
  const given = shareOptions(chosen, flags.options);
  const drawn = chosen.map((one, i) => draw(one, given[i]!, flags));
  prepareFolder(flags.out);
  const file = writeOutput(flags.out, "schedule.svg", scheduleFigure(drawn, flags));
  if (flags.json) {
    const all = drawn.map(({ lr, momentum, ...rest }) => ({
      ...rest,
      lr: [...lr],
      ...(momentum ? { momentum: [...momentum] } : {}),
    }));
    return print(JSON.stringify({ steps: flags.steps, lr: flags.lr, schedules: all, file }));
  }
  const width = Math.min(100, terminalWidth());
  print(schedulePlot(drawn, { width, color: hasColor(), log: flags.log }));
  print(`\n${drawn.map(({ code }) => code).join("\n")}`);
  note(`figure: ${file}`);
}

/** The curve with the options that were given over those that suit the run. */
function draw(
  { key, scheduler, kinds, example, lr, momentum }: CataloguedSchedule,
  given: ScheduleOptions,
  { steps, lr: base }: ScheduleFlags,
): DrawnSchedule {
  const isReplaced = (name: string) => name === "totalSteps" && given["epochs"] !== undefined;
  const suitable = Object.entries(example(steps, base)).filter(([name]) => !isReplaced(name));
  const options = { ...Object.fromEntries(suitable), ...given };
  const cycles = momentum && (options["cycleMomentum"] ?? kinds["cycleMomentum"]?.fallback);
  return {
    key,
    scheduler,
    options,
    code: codeOf(scheduler, options),
    lr: scheduleValues(lr(options), steps, base),
    ...(cycles ? { momentum: scheduleValues(momentum(options), steps) } : {}),
  };
}

/** What to write in a program. */
function codeOf(scheduler: string, options: ScheduleOptions): string {
  const given = Object.entries(options).map(
    ([name, value]) => `${name}: ${JSON.stringify(value).replaceAll(",", ", ")}`,
  );
  return `new ${scheduler}(optimizer, { ${given.join(", ")} })`;
}

function printList(json: boolean): void {
  if (json) {
    const all = schedules.map(({ key, scheduler, about, kinds }) => {
      const options = Object.entries(kinds).map(([name, { expected, fallback }]) => [
        name,
        { expected, default: fallback },
      ]);
      return { key, scheduler, about, options: Object.fromEntries(options) as unknown };
    });
    return print(JSON.stringify(all));
  }
  const widths = [
    Math.max(...schedules.map(({ key }) => key.length)),
    Math.max(...schedules.map(({ scheduler }) => scheduler.length)),
  ];
  for (const { key, scheduler, about } of schedules) {
    print(`${key.padEnd(widths[0]!)}  ${scheduler.padEnd(widths[1]!)}  ${about}`);
  }
  print(
    "\nDraw them with: downhill schedule <name> [more names], e.g. downhill schedule one-cycle",
  );
}
