// `downhill compare`, the main job: several optimizers from the same start, beside PyTorch.
//
// PyTorch's curves are those recorded with the package, if they belong to this very experiment, or
// are recorded now with --torch. The truth is PyTorch's float64 curve; its float32 curve says how far
// rounding alone leads from it, and that is what ours is measured by.

import type { PlanOptions } from "../index.ts";
import {
  comparedOptimizers,
  stepsOf,
  type ComparedOptimizer,
  type Experiment,
} from "./experiment.ts";
import { loadMnist, type Mnist } from "./mnist.ts";
import { createNetwork, type Network } from "./network.ts";
import {
  hasColor,
  isFancy,
  note,
  prepareFolder,
  print,
  terminalWidth,
  writeOutput,
} from "./output.ts";
import {
  largestDistance,
  movingAverage,
  smoothingWindow,
  type ComparisonRow,
  type Curve,
} from "./report/curves.ts";
import { allFigure, comparisonFigure } from "./report/figure.ts";
import { formatScientific } from "./report/format.ts";
import { htmlReport } from "./report/html.ts";
import { createProgress } from "./report/progress.ts";
import { comparisonTable, terminalPlot } from "./report/terminal.ts";
import { curveOf, loadRecordedCurves, recordTorchCurves, type TorchRecord } from "./torch.ts";
import { checkedSteps, train, type TrainedRun } from "./training.ts";
import { UsageError } from "./errors.ts";
import { showOptions } from "./usage.ts";

export interface CompareFlags {
  readonly optimizers: readonly string[];
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
  const optimizers = chosen(flags.optimizers);
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
  files.push(writeOutput(flags.out, "report.html", reportOf(flags, rows, figures, torch)));
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
    `\n${verdict(rows, torch)}\n\nFigures and report:\n${files.map((file) => `  ${file}`).join("\n")}`,
  );
}

function chosen(keys: readonly string[]): ComparedOptimizer[] {
  const twice = keys.find((key, index) => keys.indexOf(key) !== index);
  if (twice !== undefined) {
    throw new UsageError(`--optimizers: got ${JSON.stringify(twice)} twice, expected each once.`);
  }
  return keys.map((key) => {
    const optimizer = comparedOptimizers.find((known) => known.key === key.trim());
    if (optimizer) return optimizer;
    const names = comparedOptimizers.map((known) => known.key).join(", ");
    throw new UsageError(`--optimizers: got ${JSON.stringify(key)}, expected some of ${names}.`);
  });
}

async function torchCurves(
  { experiment, live }: CompareFlags,
  optimizers: readonly ComparedOptimizer[],
  mnist: Mnist,
): Promise<TorchRecord | null> {
  if (!live) return loadRecordedCurves(experiment, optimizers);
  const steps = 2 * optimizers.length * stepsOf(experiment, mnist.train.count);
  const progress = createProgress(process.stderr, { label: "PyTorch", total: steps });
  try {
    return await recordTorchCurves(
      experiment,
      optimizers,
      mnist,
      ({ run, step, steps: each, loss }) => progress.update(run * each + step, { loss }),
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
  const truth = torch && curveOf(torch, optimizer, "float64");
  const single = torch && curveOf(torch, optimizer, "float32");
  const row: ComparisonRow = {
    key: optimizer.key,
    label: optimizer.label,
    options: showOptions(optimizer.options),
    finalLoss: movingAverage(run.losses, smoothingWindow(run.steps)).at(-1)!,
    testAccuracy: run.testAccuracy,
    torchAccuracy: truth?.accuracy ?? null,
    distance: truth ? largestDistance(run.losses, truth.losses) : null,
    torchDistance: truth && single ? largestDistance(single.losses, truth.losses) : null,
    gradientMs: run.gradientMs,
    optimizerMs: run.optimizerMs,
    parameters: network.size,
    steps: run.steps,
  };
  const curve = (label: string, losses?: ArrayLike<number>): Curve | undefined =>
    losses && { label, losses };
  return {
    optimizer,
    run,
    row,
    ours: { label: optimizer.label, losses: run.losses },
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
      caption: `${showOptions(optimizer.options)}. Below: distance from PyTorch's float64 curve, step by step.`,
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
  return `MNIST, ${layers.join("-")} ${activation}, batches of ${batchSize}, ${epochs} epochs, seed ${seed}`;
}

function reportOf(
  { experiment }: CompareFlags,
  rows: readonly ComparisonRow[],
  figures: readonly NamedFigure[],
  torch: TorchRecord | null,
): string {
  return htmlReport({
    title: "Downhill beside PyTorch",
    intro: `${settingOf(experiment)}. ${verdict(rows, torch)}`,
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

/** What the distances say, in a sentence. */
function verdict(rows: readonly ComparisonRow[], torch: TorchRecord | null): string {
  if (!torch) {
    return "No PyTorch curves for this experiment are recorded; --torch records them now.";
  }
  const ratios = rows.map((row) => (row.distance ?? 0) / (row.torchDistance || Number.EPSILON));
  const worst = rows[ratios.indexOf(Math.max(...ratios))]!;
  return (
    `Distance from PyTorch ${torch.torch}'s float64 curve, in units of PyTorch's own float32 distance: ` +
    rows.map((row, i) => `${row.label} ${ratios[i]!.toFixed(2)}`).join(", ") +
    `. The largest is ${formatScientific(worst.distance ?? 0)} for ${worst.label}.`
  );
}
