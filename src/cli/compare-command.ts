// `downhill compare`, the main job: several optimizers from the same start, beside PyTorch.
//
// PyTorch's curves are those recorded with the package, if they belong to this very experiment, or
// are recorded now with --torch. The truth is PyTorch's float64 curve; its float32 curve says how far
// rounding alone leads from it, and that is what ours is measured by.

import type { PlanOptions, Rule } from "../index.ts";
import { stepsOf, type Experiment } from "../training/experiment.ts";
import { loadMnist, type Mnist } from "./mnist.ts";
import type { Network } from "../training/network.ts";
import { createNetwork } from "./network.ts";
import { typedOptimizer, type ComparedOptimizer } from "../training/optimizers.ts";
import { chooseOptimizers } from "./choose-optimizers.ts";
import {
  hasColor,
  isFancy,
  note,
  prepareFolder,
  print,
  terminalWidth,
  writeOutput,
} from "./output.ts";
import { movingAverage, smoothingWindow } from "../training/losses.ts";
import { largestDistance, type ComparisonRow, type Curve } from "./report/curves.ts";
import { allFigure, comparisonFigure } from "./report/figure.ts";
import { htmlReport } from "./report/html.ts";
import { createProgress } from "./report/progress.ts";
import { comparisonTable, terminalPlot } from "./report/terminal.ts";
import {
  curveOf,
  findTorch,
  loadRecordedCurves,
  recordTorchCurves,
  whyNotInTorch,
  type TorchRecord,
} from "./torch.ts";
import { checkedSteps, train, type TrainedRun } from "./training.ts";
import { showOptions } from "./usage.ts";
import { verdict } from "./verdict.ts";

export interface CompareFlags {
  readonly optimizers: readonly string[];
  /** A rule of one's own that runs beside them. */
  readonly rule?: Rule | undefined;
  readonly experiment: Experiment;
  readonly plan: PlanOptions;
  /** Record PyTorch's curves now. */
  readonly live: boolean;
  readonly out: string;
  readonly json: boolean;
}

/** One optimizer's run beside PyTorch's two. */
interface Compared {
  readonly optimizer: ComparedOptimizer;
  readonly run: TrainedRun;
  readonly ours: Curve;
  readonly torch64: Curve | undefined;
  readonly torch32: Curve | undefined;
  readonly row: ComparisonRow;
}

interface NamedFigure {
  readonly file: string;
  readonly title: string;
  readonly caption: string;
  readonly svg: string;
}

export async function compareCommand(flags: CompareFlags): Promise<void> {
  const { rule } = flags;
  const optimizers = [
    ...chooseOptimizers(flags.optimizers),
    ...(rule ? [typedOptimizer(rule)] : []),
  ];
  prepareFolder(flags.out);
  const mnist = loadMnist();
  checkedSteps(flags.experiment, mnist);
  const torch = await torchCurves(flags, optimizers, mnist);
  const network = await createNetwork(flags.experiment);
  const results: Compared[] = [];
  try {
    for (const optimizer of optimizers) {
      results.push(await compareOne(flags, optimizer, mnist, network, torch));
    }
  } finally {
    network.dispose();
  }
  const figures = drawFigures(flags.experiment, results, torch);
  const files = figures.map(({ file, svg }) => writeOutput(flags.out, file, svg));
  const rows = results.map(({ row }) => row);
  const said = verdict(results, torch?.torch ?? null, flags.live);
  const intro = [`${settingOf(flags.experiment)}.`, ...said].join("\n\n");
  files.push(writeOutput(flags.out, "report.html", reportOf(flags, intro, rows, figures, torch)));
  if (flags.json) {
    return print(
      JSON.stringify({ experiment: flags.experiment, torch: torch?.torch ?? null, rows, files }),
    );
  }
  const shown = results.map(({ ours }) => ours);
  if (isFancy())
    print(`${terminalPlot(shown, { width: Math.min(100, terminalWidth()), color: hasColor() })}\n`);
  print(comparisonTable(rows, { plain: !isFancy(), color: hasColor(), width: terminalWidth() }));
  note(
    `\n${said.join("\n\n")}\n\nFigures and report:\n${files.map((file) => `  ${file}`).join("\n")}`,
  );
}

async function torchCurves(
  { experiment, live }: CompareFlags,
  optimizers: readonly ComparedOptimizer[],
  mnist: Mnist,
): Promise<TorchRecord | null> {
  if (!live) return loadRecordedCurves(experiment);
  const version = findTorch()?.version ?? "";
  const able = optimizers.filter((optimizer) => whyNotInTorch(optimizer, version) === null);
  const steps = 2 * able.length * stepsOf(experiment, mnist.train.count);
  const progress = createProgress(process.stderr, { label: "PyTorch", total: steps });
  try {
    return await recordTorchCurves(experiment, able, mnist, ({ run, step, steps: each, loss }) =>
      progress.update(run * each + step, { loss }),
    );
  } finally {
    progress.stop();
  }
}

async function compareOne(
  { experiment, plan }: CompareFlags,
  optimizer: ComparedOptimizer,
  mnist: Mnist,
  network: Network,
  torch: TorchRecord | null,
): Promise<Compared> {
  const total = stepsOf(experiment, mnist.train.count);
  const progress = createProgress(process.stderr, { label: optimizer.label, total });
  let run: TrainedRun;
  try {
    run = await train({
      experiment,
      optimizer,
      plan,
      mnist,
      network,
      onStep: (record) => progress.update(record.step, record),
    });
  } finally {
    progress.stop();
  }
  const { losses } = run.history;
  const truth = torch && curveOf(torch, optimizer, "float64");
  const single = torch && curveOf(torch, optimizer, "float32");
  const row: ComparisonRow = {
    key: optimizer.key,
    label: optimizer.label,
    options: showOptions(optimizer.options),
    finalLoss: movingAverage(losses, smoothingWindow(run.steps)).at(-1)!,
    testAccuracy: run.testAccuracy,
    torchAccuracy: truth?.accuracy ?? null,
    distance: truth ? largestDistance(losses, truth.losses) : null,
    torchDistance: truth && single ? largestDistance(single.losses, truth.losses) : null,
    gradientMs: run.gradientMs,
    optimizerMs: run.optimizerMs,
    parameters: network.size,
    steps: run.steps,
  };
  const curve = (label: string, values?: ArrayLike<number>): Curve | undefined =>
    values && { label, losses: values };
  return {
    optimizer,
    run,
    row,
    ours: { label: optimizer.label, losses },
    torch64: curve("PyTorch float64", truth?.losses),
    torch32: curve("PyTorch float32", single?.losses),
  };
}

function drawFigures(
  experiment: Experiment,
  results: readonly Compared[],
  torch: TorchRecord | null,
): NamedFigure[] {
  const setting = settingOf(experiment);
  const each = results.map(({ optimizer, ours, torch64, torch32 }): NamedFigure => {
    const title = `${optimizer.label}: Downhill and PyTorch`;
    return {
      file: `${optimizer.key}.svg`,
      title: optimizer.label,
      caption: [
        `${showOptions(optimizer.options)}.`,
        ...(torch64 ? ["Below: distance from PyTorch's float64 curve, step by step."] : []),
        ...(optimizer.note ? [optimizer.note] : []),
      ].join(" "),
      svg: comparisonFigure({
        title: torch64 ? title : optimizer.label,
        subtitle: `${showOptions(optimizer.options)}; ${setting}`,
        ours: { ...ours, label: "Downhill float32" },
        ...(torch64 ? { torch64 } : {}),
        ...(torch32 ? { torch32 } : {}),
      }),
    };
  });
  const all: NamedFigure = {
    file: "all.svg",
    title: "All optimizers",
    caption: torch ? "PyTorch's float64 curves lie pale below ours." : setting,
    svg: allFigure({
      title: "All optimizers, from the same weights and batches",
      subtitle: setting,
      curves: results.map(({ ours }) => ours),
      references: results.map(({ torch64 }) => torch64),
    }),
  };
  return [...each, all];
}

function settingOf({ layers, activation, batchSize, epochs, seed }: Experiment): string {
  const passes = epochs === 1 ? "1 epoch" : `${epochs} epochs`;
  return `MNIST, ${layers.join("-")} ${activation}, batches of ${batchSize}, ${passes}, seed ${seed}`;
}

function reportOf(
  { experiment }: CompareFlags,
  intro: string,
  rows: readonly ComparisonRow[],
  figures: readonly NamedFigure[],
  torch: TorchRecord | null,
): string {
  return htmlReport({
    title: "Downhill beside PyTorch",
    intro,
    rows: [...rows],
    figures: figures.map(({ title, caption, svg }) => ({ title, caption, svg })),
    facts: [
      ["Network", `${experiment.layers.join("-")}, ${experiment.activation}`],
      ["PyTorch", torch ? torch.torch : "no curves for this experiment"],
      ["Node", process.version],
      ["Processor", `${process.platform} ${process.arch}`],
    ],
  });
}
