// The options of `downhill inspect`.

import { Option, type Command } from "commander";

import { naturalFrom } from "../usage.ts";
import type { Order } from "./report-text.ts";

export function addInspect(program: Command): void {
  const command = program
    .command("inspect")
    .description("show what is in a checkpoint, and whether it is whole; of a folder: which are")
    .argument("<path>", "a safetensors file, one of torch.save, or a folder of them")
    .addOption(
      new Option("--tensors <pattern>", "only some: a part of the name, or a pattern with * and ?"),
    )
    .addOption(
      new Option("--sort <by>", "order of the table")
        .choices(["name", "file", "bytes", "norm"])
        .default("name"),
    )
    .addOption(
      new Option("--limit <n>", "lines of the table; 0 for all").argParser(naturalFrom).default(50),
    )
    .addOption(new Option("--quick", "read headers alone: no digests, norms or bounds"))
    .addOption(new Option("--json", "print all of it as one line of JSON"))
    .addHelpText(
      "after",
      `
Exit code 1 if something is damaged.

Examples:
  $ downhill inspect runs/a
  $ downhill inspect runs/a/step-0000000100.safetensors --tensors 'state.*' --sort norm
  $ downhill inspect run.pt --json`,
    );
  command.action(async (path: string, flags: Readonly<Record<string, unknown>>) => {
    const { inspectCommand } = await import("./inspect-command.ts");
    process.exitCode = await inspectCommand(path, {
      tensors: flags["tensors"] as string | undefined,
      sort: flags["sort"] as Order,
      limit: flags["limit"] as number,
      quick: flags["quick"] === true,
      json: flags["json"] === true,
    });
  });
}
