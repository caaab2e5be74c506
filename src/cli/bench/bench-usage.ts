// The usage of `downhill bench`.

import { Option, type Command } from "commander";

import { addWorkloadOptions } from "../usage.ts";
import type { BenchOptions } from "./bench-command.ts";

export function addBench(program: Command): void {
  const command = program
    .command("bench")
    .description("time the optimizer step beside hand-written loops, C and other libraries")
    .addOption(
      new Option(
        "--optimizers <names>",
        "some of sgd, momentum, rmsprop, adam, adamw (default: these, of a sweep sgd and adam) and of the other rules, or all",
      ),
    )
    .addOption(new Option("--rows <keys>", "only these rows, e.g. plain,fused-1,native-1"))
    .addOption(
      new Option("--sweep <what>", "vary the size or the number of tensors: size, tensors"),
    )
    .addOption(
      new Option("--checks", "hold what is promised of small and many tensors against figures"),
    )
    .addOption(
      new Option(
        "--backend <name>",
        "where steps run: on the CPU, on a GPU (needs npm's webgpu), or on TensorFlow.js's heap",
      )
        .choices(["wasm", "webgpu", "tfjs"])
        .default("wasm"),
    )
    .addOption(
      new Option(
        "--host-cost",
        "what a step on a GPU costs the CPU, with one tensor and with many",
      ),
    )
    .addOption(new Option("--out <folder>", "for tables, charts and JSON").default("runs/bench"))
    .addOption(new Option("--json", "print the result as one line of JSON"))
    .addHelpText(
      "after",
      `
Examples:
  $ downhill bench
  $ downhill bench --optimizers adam --size 33554432 --rows fused,native
  $ downhill bench --layers 200 --width 128 --rounds 10
  $ downhill bench --optimizers all --size 33554432
  $ downhill bench --sweep size --optimizers adam
  $ downhill bench --checks
  $ downhill bench --backend webgpu --size 16777216
  $ downhill bench --backend webgpu --host-cost
  $ downhill bench --backend tfjs`,
    );
  addWorkloadOptions(command);
  command.action(async (flags: Readonly<Record<string, unknown>>) => {
    const { benchCommand } = await import("./bench-command.ts");
    await benchCommand({
      optimizers: (flags["optimizers"] as string | undefined)?.split(","),
      layers: flags["layers"] as number,
      width: flags["width"] as number,
      size: flags["size"] as number | undefined,
      matrices: flags["matrices"] as BenchOptions["matrices"],
      rows: (flags["rows"] as string | undefined)?.split(","),
      sweep: flags["sweep"] as string | undefined,
      checks: flags["checks"] === true,
      backend: flags["backend"] as BenchOptions["backend"],
      hostCost: flags["hostCost"] === true,
      rounds: flags["rounds"] as number,
      threads: flags["threads"] as number | undefined,
      out: flags["out"] as string,
      json: flags["json"] === true,
    });
  });
}
