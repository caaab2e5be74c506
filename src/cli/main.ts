#!/usr/bin/env node
// The command line: train, compare, explain, schedule, bench, lab, inspect.
//
// Results go to standard output, progress and errors to standard error. Exit codes: 0 done, 1 failed,
// 2 used wrongly, 130 interrupted. Each command loads what it needs when it runs, so that `--help`
// and `explain` are quick.

import { Command, Option } from "commander";

import { catalog, trainable } from "../training/catalog.ts";
import { UsageError } from "./errors.ts";
import { report } from "./exit-code.ts";
import {
  addExperimentOptions,
  addHyperOptions,
  addPlanOptions,
  experimentFrom,
  hyperFrom,
  numberFrom,
  planFrom,
  wholeNumberFrom,
} from "./usage.ts";
import { addLab } from "./lab-usage.ts";
import { comparedOptimizers, defaultOptimizers } from "../training/optimizers.ts";
import { addRuleOption, typedRule } from "./typed-rule.ts";
import { addScheduleOptions, scheduleOptionsFrom } from "./schedule-options.ts";
import type { CheckpointFlags } from "./train-checkpoints.ts";
import { addBench } from "./bench/bench-usage.ts";
import { addInspect } from "./inspect/inspect-usage.ts";
import { version } from "./package.ts";

type Flags = Readonly<Record<string, unknown>>;

function createProgram(): Command {
  const program = new Command("downhill")
    .description(
      "Optimizers from their equations: train with them, compare them with PyTorch's, look inside.",
    )
    .version(version())
    .showHelpAfterError("(--help shows what there is)")
    .exitOverride();
  addTrain(program);
  addCompare(program);
  addExplain(program);
  addSchedule(program);
  addBench(program);
  addLab(program);
  addInspect(program);
  return program;
}

function addTrain(program: Command): void {
  const command = program
    .command("train")
    .description("train a small network on MNIST with one optimizer")
    .addOption(new Option("--optimizer <name>", Object.keys(trainable).join(", ")).default("adam"))
    .addOption(new Option("--out <folder>", "for run record and figure").default("runs/train"))
    .addOption(new Option("--checkpoint <folder>", "save the run there on its way, and at Ctrl-C"))
    .addOption(
      new Option("--save-every <n>", "steps from one checkpoint to the next")
        .argParser(wholeNumberFrom)
        .default(100),
    )
    .addOption(new Option("--resume", "go on with the run that is saved there"))
    .addOption(new Option("--json", "print the result as one line of JSON"))
    .addHelpText(
      "after",
      `
Examples:
  $ downhill train --optimizer sgd --lr 0.05 --momentum 0.9
  $ downhill train --optimizer adamw --layers 256,64 --epochs 1 --json
  $ downhill train --rule "m = ema(m, g, b1); p = p - lr * sign(m)" --lr 3e-4
  $ downhill train --checkpoint runs/a --resume`,
    );
  addHyperOptions(addPlanOptions(addExperimentOptions(addRuleOption(command))), trainable);
  command.action(async (flags: Flags) => {
    const { trainCommand } = await import("./train-command.ts");
    await trainCommand({
      optimizer: typedRule(flags) ?? (flags["optimizer"] as string),
      hyper: hyperFrom(flags),
      experiment: experimentFrom(flags),
      plan: planFrom(flags),
      out: flags["out"] as string,
      json: flags["json"] === true,
      checkpoint: checkpointFrom(flags),
    });
  });
}

function checkpointFrom(flags: Flags): CheckpointFlags | undefined {
  const folder = flags["checkpoint"] as string | undefined;
  const resume = flags["resume"] === true;
  if (folder !== undefined) return { folder, resume, every: flags["saveEvery"] as number };
  if (resume) throw new UsageError("--resume: got no --checkpoint, expected the folder of a run.");
  return undefined;
}

function addCompare(program: Command): void {
  const known = comparedOptimizers.map(({ key }) => key);
  const command = program
    .command("compare")
    .description("train with several optimizers from the same start, beside PyTorch's curves")
    .addOption(
      new Option("--optimizers <names>", `all, or some of ${known.join(",")}`).default(
        defaultOptimizers.join(","),
      ),
    )
    .addOption(new Option("--torch", "record PyTorch's curves now (needs Python with torch)"))
    .addOption(new Option("--out <folder>", "for figures and report").default("runs/compare"))
    .addOption(new Option("--json", "print the result as one line of JSON"))
    .addHelpText(
      "after",
      `
Examples:
  $ downhill compare
  $ downhill compare --optimizers all
  $ downhill compare --optimizers sgd,adam --epochs 1 --torch`,
    );
  addPlanOptions(addExperimentOptions(addRuleOption(command)));
  command.action(async (flags: Flags) => {
    const { compareCommand } = await import("./compare-command.ts");
    await compareCommand({
      optimizers: (flags["optimizers"] as string).split(","),
      rule: typedRule(flags),
      experiment: experimentFrom(flags),
      plan: planFrom(flags),
      live: flags["torch"] === true,
      out: flags["out"] as string,
      json: flags["json"] === true,
    });
  });
}

function addExplain(program: Command): void {
  const command = program
    .command("explain")
    .description("show a rule's formula, memory traffic, IR and WebAssembly; alone: list the rules")
    .argument("[rule]", Object.keys(catalog).join(", "))
    .addOption(
      new Option("--dtype <type>", "of the generated code")
        .choices(["float32", "float64"])
        .default("float32"),
    )
    .addOption(
      new Option("--state-dtype <type>", "what the state is kept in")
        .choices(["same", "bfloat16"])
        .default("same"),
    )
    .addOption(
      new Option("--state-rounding <how>", "how it gets there")
        .choices(["nearest", "stochastic"])
        .default("nearest"),
    )
    .addOption(new Option("--t <step>", "which step of a parameter to show").default("2"))
    .addOption(new Option("--vector", "for a parameter without rows and columns"))
    .addOption(new Option("--wgsl", "show the shaders of a GPU as well"))
    .addOption(new Option("--tex", "show the formula as TeX as well"))
    .addOption(new Option("--json", "print as one line of JSON"))
    .addHelpText(
      "after",
      `
Examples:
  $ downhill explain
  $ downhill explain adam
  $ downhill explain adam --state-dtype bfloat16
  $ downhill explain adam --wgsl
  $ downhill explain --rule "m = ema(m, g, b1); p = p - lr * m" --tex
  $ downhill explain sgd --momentum 0.9 --nesterov --dtype float64`,
    );
  addHyperOptions(addRuleOption(command), catalog);
  command.action(async (rule: string | undefined, flags: Flags) => {
    const { explainCommand } = await import("./explain-command.ts");
    explainCommand(typedRule(flags, rule) ?? rule, {
      hyper: hyperFrom(flags),
      dtype: flags["dtype"] as "float32" | "float64",
      stateDtype: flags["stateDtype"] as "same" | "bfloat16",
      stateRounding: flags["stateRounding"] as "nearest" | "stochastic",
      t: flags["t"] as string,
      vector: flags["vector"] === true,
      wgsl: flags["wgsl"] === true,
      tex: flags["tex"] === true,
      json: flags["json"] === true,
    });
  });
}

function addSchedule(program: Command): void {
  const command = program
    .command("schedule")
    .description("draw learning-rate schedules; alone: list them")
    .argument("[names...]", "e.g. cosine-annealing, or the name of its class")
    .addOption(
      new Option("--steps <n>", "how many steps to draw").argParser(wholeNumberFrom).default(300),
    )
    .addOption(new Option("--lr <number>", "the base value").argParser(numberFrom).default(0.1))
    .addOption(new Option("--log", "draw on a logarithmic axis"))
    .addOption(new Option("--out <folder>", "for the figure").default("runs/schedule"))
    .addOption(new Option("--json", "print all values as one line of JSON"))
    .addHelpText(
      "after",
      `
Examples:
  $ downhill schedule
  $ downhill schedule one-cycle --pct-start 0.1
  $ downhill schedule warmup-cosine warmup-stable-decay inverse-sqrt --warmup-steps 30
  $ downhill schedule step-decay --step-size 50 --gamma 0.5 --log`,
    );
  addScheduleOptions(command);
  command.action(async (names: string[], flags: Flags) => {
    const { scheduleCommand } = await import("./schedule-command.ts");
    scheduleCommand(names, {
      options: scheduleOptionsFrom(flags),
      steps: flags["steps"] as number,
      lr: flags["lr"] as number,
      log: flags["log"] === true,
      out: flags["out"] as string,
      json: flags["json"] === true,
    });
  });
}

process.on("SIGINT", () => process.exit(130));
// A reader that closes the pipe early (`| head`) is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

try {
  await createProgram().parseAsync();
} catch (error) {
  process.exitCode = report(error);
}
