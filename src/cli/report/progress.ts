/**
 * What is seen while a run trains: a bar on a terminal, a few plain lines anywhere else.
 *
 * The gradient's time and the optimizer's stand apart, because the optimizer is what this project is
 * about and the gradient is most of the work. The bar rewrites its line, which in a log file would
 * be one endless line; there a line is written at most every tenth of the way. Neither uses colour.
 */

import { SingleBar } from "cli-progress";
import { formatCount, formatDuration, formatLoss } from "../../bench/format.ts";

/** Where the progress goes: `process.stderr`, or anything that takes text. */
export interface ProgressStream extends NodeJS.WritableStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** What a step tells. */
export interface StepFigures {
  readonly loss: number;
  /** Milliseconds for the loss and its gradient, where they are known. */
  readonly gradientMs?: number;
  /** Milliseconds in the optimizer, where they are known. */
  readonly optimizerMs?: number;
}

/** A run's progress. Whoever made it must stop it, also after an error: the bar has a timer. */
export interface Progress {
  /** Tells that `step` steps (counted from 1) are done; may be called at every step. */
  update(step: number, figures: StepFigures): void;
  /** Removes the bar and writes `finalLine`, if there is one, in its place. */
  stop(finalLine?: string): void;
}

/** How a progress is made. */
export interface ProgressOptions {
  readonly label: string;
  /** How many steps the run has. */
  readonly total: number;
  /** Milliseconds on any clock. Default `performance.now`. */
  readonly now?: () => number;
}

/** Shows the progress of one run on a stream. */
export function createProgress(stream: ProgressStream, options: ProgressOptions): Progress {
  return stream.isTTY === true && process.env["TERM"] !== "dumb"
    ? barProgress(stream, options)
    : lineProgress(stream, options);
}

function barProgress(stream: ProgressStream, options: ProgressOptions): Progress {
  const { label, total, now = () => performance.now() } = options;
  const start = now();
  let figures: StepFigures | null = null;
  const bar = new SingleBar({
    stream,
    clearOnComplete: true,
    // Anything else would switch the terminal's own wrapping off, and leave it off after Ctrl-C.
    linewrap: true,
    format: (_, { value, maxWidth }) =>
      barLine({ label, step: value, total, figures, elapsed: now() - start, width: maxWidth }),
  });
  bar.start(total, 0);
  return {
    update(step, latest) {
      figures = latest;
      bar.update(step);
    },
    stop(finalLine) {
      bar.stop();
      if (finalLine !== undefined) stream.write(`${finalLine}\n`);
    },
  };
}

/** The bar's line, with as much of it as the terminal has room for. */
function barLine(state: {
  label: string;
  step: number;
  total: number;
  figures: StepFigures | null;
  elapsed: number;
  width: number;
}): string {
  const { step, total, figures, elapsed, width } = state;
  const done = fractionOf(step, total);
  const parts = [`${String(Math.floor(100 * done)).padStart(3)}%`];
  if (figures) parts.push(...partsOf(figures, "grad", "opt"));
  if (figures && step > 0) parts.push(timeLeft(step, total, elapsed));
  let label = state.label;
  const room = (): number => width - 1 - [label, "", ...parts].join("  ").length;
  if (room() < SHORTEST && label.length > 12) label = `${label.slice(0, 11)}…`;
  while (room() < SHORTEST && parts.length > 1) parts.splice(Math.min(2, parts.length - 1), 1);
  const size = Math.max(0, Math.min(30, room()));
  const full = Math.round(size * done);
  return [label, "█".repeat(full) + "░".repeat(size - full), ...parts].join("  ");
}

/** A bar shorter than this says less than the figures in its place. */
const SHORTEST = 6;

function lineProgress(stream: ProgressStream, options: ProgressOptions): Progress {
  const { label, total, now = () => performance.now() } = options;
  const start = now();
  let tenths = 0;
  return {
    update(step, figures) {
      const reached = Math.floor(10 * fractionOf(step, total) + 1e-9);
      if (reached <= tenths) return;
      tenths = reached;
      const percentage = Math.floor(100 * fractionOf(step, total) + 1e-9);
      const parts = [
        `step ${formatCount(step)}/${formatCount(total)} (${percentage}%)`,
        ...partsOf(figures, "gradient", "optimizer"),
        ...(step < total ? [timeLeft(step, total, now() - start)] : []),
      ];
      stream.write(`${label}: ${parts.join(", ")}\n`);
    },
    stop(finalLine) {
      if (finalLine !== undefined) stream.write(`${finalLine}\n`);
    },
  };
}

function partsOf(figures: StepFigures, gradient: string, optimizer: string): string[] {
  const { loss, gradientMs, optimizerMs } = figures;
  const parts = [`loss ${formatLoss(loss)}`];
  if (gradientMs !== undefined) parts.push(`${gradient} ${gradientMs.toFixed(2)} ms`);
  if (optimizerMs !== undefined) parts.push(`${optimizer} ${optimizerMs.toFixed(3)} ms`);
  return parts;
}

function timeLeft(step: number, total: number, elapsed: number): string {
  const left = Math.max(0, (elapsed / step) * (total - step));
  return `${left < 59_000 ? `${Math.ceil(left / 1000)} s` : formatDuration(left)} left`;
}

function fractionOf(step: number, total: number): number {
  return total > 0 ? Math.min(1, Math.max(0, step / total)) : 1;
}
