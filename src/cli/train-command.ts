// `downhill train`: one optimizer, one run record, one figure.

import type { PlanOptions, Rule } from "../index.ts";
import { findTrainable } from "../training/catalog.ts";
import type { Experiment, OptionValue } from "../training/experiment.ts";
import { divergedAt } from "../training/losses.ts";
import {
  endLine,
  identityOf,
  runRecord,
  startLine,
  type RunSetting,
} from "../training/run-files.ts";
import { loadMnist } from "./mnist.ts";
import { createNetwork } from "./network.ts";
import { note, prepareFolder, print, writeOutput } from "./output.ts";
import { trainFigure } from "./report/figure.ts";
import { formatCount, formatDuration, formatLoss, percent } from "../bench/format.ts";
import { createProgress } from "./report/progress.ts";
import { Keeper, type CheckpointFlags } from "./train-checkpoints.ts";
import { checkedSteps, train, type TrainedRun } from "./training.ts";
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
  checkHyper(rule, hyper);
  prepareFolder(flags.out);
  const mnist = loadMnist();
  const total = checkedSteps(experiment, mnist);
  const network = await createNetwork(experiment);
  const optimizer = { torchClass: rule.name, options: hyper, ...(own && { rule: own }) };
  const setting: RunSetting = { optimizer, plan, experiment };
  const keeper = flags.checkpoint && (await Keeper.open(flags.checkpoint, identityOf(setting)));
  const progress = createProgress(process.stderr, { label: rule.name, total });
  let run: TrainedRun;
  try {
    run = await train({
      ...setting,
      mnist,
      network,
      keeper,
      onStep: (record) => progress.update(record.step, record),
    });
  } finally {
    progress.stop();
    network.dispose();
    await keeper?.close();
  }
  const { history, ...summary } = run;
  const { losses } = history;
  const record = runRecord(setting, history, summary);
  const recordFile = writeOutput(flags.out, "run.jsonl", record);
  const title = `${rule.name}${Object.keys(hyper).length > 0 ? `, ${showOptions(hyper)}` : ""}`;
  const figure = trainFigure({
    title,
    subtitle: `MNIST, ${experiment.layers.join("-")} ${experiment.activation}, batches of ${experiment.batchSize}`,
    curve: { label: rule.name, losses },
  });
  const figureFile = writeOutput(flags.out, "curve.svg", figure);
  if (flags.json) {
    const ends = { ...startLine(setting), ...endLine(summary, losses), type: "run" };
    return print(JSON.stringify({ ...ends, recordFile, figureFile }));
  }
  print(summaryText(title, run, network.size));
  note(`run record: ${recordFile}\nfigure: ${figureFile}`);
}

function summaryText(title: string, run: TrainedRun, parameters: number): string {
  const { steps, seconds, gradientMs, optimizerMs, testAccuracy, backend } = run;
  const { losses } = run.history;
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
