/** Runs as flags: the command line reads from them what they were made of. */
import { Command } from "commander";
import { describe, expect, test } from "vitest";
import {
  addExperimentOptions,
  addHyperOptions,
  experimentFrom,
  hyperFrom,
} from "../../src/cli/usage.ts";
import { trainable } from "../../src/training/catalog.ts";
import { defaultExperiment } from "../../src/training/experiment.ts";
import { inShell, trainFlags, withoutFlag } from "../../src/training/flags.ts";
import { comparedOptimizers } from "../../src/training/optimizers.ts";
import { parseRule } from "../../src/math/index.ts";

function read(args: readonly string[]) {
  const command = new Command().option("--optimizer <name>").option("--rule <text>");
  addExperimentOptions(addHyperOptions(command, trainable)).parse(args, { from: "user" });
  const flags = command.opts<Record<string, unknown>>();
  const { optimizer = "adam", rule } = flags;
  return { optimizer, rule, options: hyperFrom(flags), experiment: experimentFrom(flags) };
}

describe("the flags of a run", () => {
  const experiment = {
    layers: [784, 32, 10],
    activation: "relu" as const,
    batchSize: 16,
    epochs: 7,
    seed: 5,
  };

  test.each(comparedOptimizers)("$key", ({ torchClass, options }) => {
    const optimizer = torchClass.toLowerCase();
    expect(withoutFlag(options)).toEqual([]);
    for (const each of [experiment, defaultExperiment]) {
      const flags = trainFlags({ torchClass, options }, each);
      expect(read(flags)).toEqual({ optimizer, options, experiment: each });
    }
  });

  test("are few where all is usual, and can be typed in a shell", () => {
    const adam = { torchClass: "Adam", options: { betas: [0.8, 1e-7], amsgrad: true, lr: 3 } };
    expect(trainFlags({ ...adam, options: {} }, defaultExperiment)).toEqual([]);
    expect(inShell(trainFlags(adam, experiment))).toBe(
      "--betas 0.8,1e-7 --amsgrad --lr 3 --layers 32 --activation relu --batch-size 16 --epochs 7 --seed 5",
    );
    const rule = parseRule("p = p - lr * g # it's mine");
    const own = { torchClass: rule.name, rule, options: { lr: 0.1, gamma: 2, nesterov: false } };
    expect(read(trainFlags({ ...own, options: { lr: 0.1 } }, experiment))).toMatchObject({
      rule: rule.formula,
      options: { lr: 0.1 },
    });
    expect(inShell(trainFlags(own, defaultExperiment))).toBe(
      `--rule 'p = p - lr * g # it'\\''s mine' --lr 0.1 --gamma 2`,
    );
    expect(withoutFlag(own.options)).toEqual(["gamma", "nesterov"]);
  });
});
