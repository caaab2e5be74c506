/** What a run leaves behind: its record, line by line, and checkpoints that it goes on from. */
import type { CheckpointContent, PlainData } from "../checkpoint/index.ts";
import type { PlanOptions } from "../index.ts";
import { findTrainable } from "./catalog.ts";
import type { Experiment } from "./experiment.ts";
import { divergedAt } from "./losses.ts";
import type { OptimizerChoice } from "./optimizers.ts";
import type { History, LearnerState } from "./run.ts";

/** What is trained, and how. */
export interface RunSetting {
  readonly optimizer: OptimizerChoice;
  readonly plan: PlanOptions;
  readonly experiment: Experiment;
}

/** How a run ended. */
export interface RunSummary {
  /** Share of the test digits recognized, from 0 to 1. */
  readonly testAccuracy: number;
  /** Means per step. */
  readonly gradientMs: number;
  readonly optimizerMs: number;
  readonly steps: number;
  readonly seconds: number;
  /** Where the optimizer's steps ran. */
  readonly backend: string;
}

/** What must be the same where a run goes on. It may go on for longer, so epochs are no part of it. */
export function identityOf({ optimizer, experiment }: RunSetting): PlainData {
  const { epochs: _, ...same } = experiment;
  return {
    optimizer: optimizer.torchClass,
    ...textOf(optimizer),
    options: { ...optimizer.options },
    experiment: { ...same },
  } as PlainData;
}

/** A checkpoint's content after the last step of a history. */
export function checkpointOf(
  state: LearnerState,
  { losses, gradientMs, optimizerMs }: History,
  identity: PlainData,
): CheckpointContent & { readonly step: number } {
  const metadata = { run: identity, history: { losses, gradientMs, optimizerMs } };
  return { ...state, step: losses.length, metadata };
}

/** The record's first line. */
export function startLine({ optimizer, plan, experiment }: RunSetting) {
  const { hyper } = optimizer.rule ?? findTrainable(optimizer.torchClass);
  return {
    type: "start",
    optimizer: optimizer.torchClass,
    ...textOf(optimizer),
    options: { ...hyper, ...optimizer.options },
    plan,
    experiment,
  };
}

/** The record's last line. */
export function endLine(summary: RunSummary, losses: Float64Array) {
  return { type: "end", ...summary, finalLoss: losses.at(-1), divergedAt: divergedAt(losses) };
}

/** The record of a run, as `run.jsonl` has it; without a summary it is still under way. */
export function runRecord(setting: RunSetting, history: History, summary?: RunSummary): string {
  const { losses, gradientMs, optimizerMs } = history;
  const steps = Array.from(losses, (loss, i) => ({
    type: "step",
    step: i + 1,
    loss,
    gradientMs: gradientMs[i],
    optimizerMs: optimizerMs[i],
  }));
  const lines = [startLine(setting), ...steps, ...(summary ? [endLine(summary, losses)] : [])];
  return `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`;
}

/** Mean of a value per step. */
export function meanOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

const textOf = ({ rule }: OptimizerChoice) => rule && { rule: rule.formula };
