// The usage of `downhill lab`.

import { InvalidArgumentError, Option, type Command } from "commander";

import { numberFrom } from "./usage.ts";

export function addLab(program: Command): void {
  program
    .command("lab")
    .description("see optimizers move: serves a page to this machine, until Ctrl-C")
    .addOption(
      new Option("--port <n>", "where to listen; 0 takes a free one")
        .argParser(portFrom)
        .default(0),
    )
    .addOption(new Option("--open", "open it in the browser"))
    .addOption(
      new Option("--no-isolation", "without the headers that allow threads, as on some hosts"),
    )
    .addHelpText(
      "after",
      `
Examples:
  $ downhill lab --open
  $ downhill lab --port 8080`,
    )
    .action(async (flags: Readonly<Record<string, unknown>>) => {
      const { labCommand } = await import("./lab-command.ts");
      await labCommand({
        port: flags["port"] as number,
        open: flags["open"] === true,
        isolation: flags["isolation"] === true,
      });
    });
}

function portFrom(text: string): number {
  const value = numberFrom(text);
  if (Number.isInteger(value) && value >= 0 && value <= 65_535) return value;
  throw new InvalidArgumentError(`got ${text}, expected a port from 0 to 65535.`);
}
