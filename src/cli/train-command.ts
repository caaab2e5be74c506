// `downhill train`: one optimizer, one run record, one figure.

import type { PlanOptions, Rule } from "../index.ts";
import { findTrainable } from "./catalog.ts";
import type { Experiment, OptionValue } from "./experiment.ts";
import { loadMnist } from "./mnist.ts";
import { createNetwork } from "./network.ts";
import { note, prepareFolder, print, writeOutput } from "./output.ts";
import { divergedAt } from "./report/curves.ts";
import { trainFigure } from "./report/figure.ts";
import { formatCount, formatDuration, formatLoss, percent } from "./report/format.ts";
import { createProgress } from "./report/progress.ts";
import { Keeper, type CheckpointFlags } from "./train-checkpoints.ts";
import { checkedSteps, train, type StepRecord, type TrainedRun } from "./training.ts";
import { checkHyper, showOptions } from "./usage.ts";

export interface TrainFlags {
  /** A name, or a rule of one's own. */
  readonly optimizer: string | Rule;
  readonly hyper: Readonly<Record<string, OptionValue>>;
  readonly experiment: Experiment;
  readonly plan: PlanOptions;
  readonly out: string;
  readonly json: boolean;
  /** Where to save the run on its way, if it is to be. */
  readonly checkpoint?: CheckpointFlags | undefined;
}

export async function trainCommand(flags: TrainFlags): Promise<void> {
  const { experiment, hyper, plan } = flags;
  const own = typeof flags.optimizer === "string" ? undefined : flags.optimizer;
  const rule = own ?? findTrainable(flags.optimizer as string);
  const text = own && { rule: own.formula };
  checkHyper(rule, hyper);
  prepareFolder(flags.out);
  const mnist = loadMnist();
  const records: StepRecord[] = [];
  const total = checkedSteps(experiment, mnist);
  const network = await createNetwork(experiment);
  const { epochs: _, ...same } = experiment; // a run may go on for longer
  const identity = {
    optimizer: rule.name,
    ...text,
    options: { ...hyper },
    experiment: { ...same },
  };
  const keeper = flags.checkpoint && (await Keeper.open(flags.checkpoint, identity));
  const progress = createProgress(process.stderr, { label: rule.name, total });
  let run: TrainedRun;
  try {
    run = await train({
      experiment,
      optimizer: { torchClass: rule.name, options: hyper, ...(own && { rule: own }) },
      plan,
      mnist,
      network,
      keeper,
      onStep: (record) => {
        records.push(record);
        progress.update(record.step, record);
      },
    });
  } finally {
    progress.stop();
    network.dispose();
    await keeper?.close();
  }
  const start = {
    type: "start",
    optimizer: rule.name,
    ...text,
    options: { ...rule.hyper, ...hyper },
    plan,
    experiment,
  };
  const { losses, ...summary } = run;
  const end = {
    type: "end",
    ...summary,
    finalLoss: losses.at(-1),
    divergedAt: divergedAt(losses),
  };
  const steps = records.map((record) => ({ type: "step", ...record }));
  const lines = [start, ...steps, end].map((line) => JSON.stringify(line));
  const recordFile = writeOutput(flags.out, "run.jsonl", `${lines.join("\n")}\n`);
  const title = `${rule.name}${Object.keys(hyper).length > 0 ? `, ${showOptions(hyper)}` : ""}`;
  const figure = trainFigure({
    title,
    subtitle: `MNIST, ${experiment.layers.join("-")} ${experiment.activation}, batches of ${experiment.batchSize}`,
    curve: { label: rule.name, losses },
  });
  const figureFile = writeOutput(flags.out, "curve.svg", figure);
  if (flags.json)
    return print(JSON.stringify({ ...start, ...end, type: "run", recordFile, figureFile }));
  print(summaryText(title, run, network.size));
  note(`run record: ${recordFile}\nfigure: ${figureFile}`);
}

function summaryText(title: string, run: TrainedRun, parameters: number): string {
  const { steps, seconds, gradientMs, optimizerMs, testAccuracy, losses, backend } = run;
  const diverged = divergedAt(losses);
  return [
    title,
    `parameters      ${formatCount(parameters)}`,
    `steps           ${formatCount(steps)} in ${formatDuration(1000 * seconds)}`,
    `final loss      ${formatLoss(losses.at(-1)!)}${diverged ? `, diverged at step ${formatCount(diverged)}` : ""}`,
    `test accuracy   ${percent(testAccuracy)}`,
    `gradient        ${gradientMs.toFixed(3)} ms/step`,
    `optimizer       ${optimizerMs.toFixed(3)} ms/step (${backend})`,
  ].join("\n");
}
