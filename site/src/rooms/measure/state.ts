/**
 * What is to be measured, and how it stands in the address: only what differs from the usual. Whatever an
 * address says that makes no sense here is left out.
 */
import {
  MOST_ELEMENTS,
  optimizers,
  rowsFor,
  usualRows,
  type OptimizerKey,
  type Task,
} from "./tasks.ts";

export interface MeasureState {
  readonly optimizer: OptimizerKey;
  readonly task: Task;
  /** Keys of rows; `null` for the usual ones of the task. */
  readonly rows: readonly string[] | null;
  readonly rounds: number;
}

export const MOST_ROUNDS = 200;
export const usual: MeasureState = { optimizer: "adam", task: "mlp", rows: null, rounds: 15 };

/** The keys of the rows that are on, in the order of the table. */
export function chosenRows({ optimizer, task, rows }: MeasureState, threads: number): string[] {
  const on = rows ?? usualRows(task);
  return rowsFor(optimizer, threads)
    .map(({ key }) => key)
    .filter((key) => on.includes(key));
}

export function writeState({ optimizer, task, rows, rounds }: MeasureState): URLSearchParams {
  const params = new URLSearchParams({ optimizer, size: String(task) });
  if (rows !== null) params.set("rows", rows.join(","));
  if (rounds !== usual.rounds) params.set("rounds", String(rounds));
  return params;
}

export function readState(params: URLSearchParams): MeasureState {
  const optimizer = optimizers.find(({ key }) => key === params.get("optimizer"));
  const rows = params.get("rows");
  return {
    optimizer: optimizer?.key ?? usual.optimizer,
    task: wholeIn(params.get("size"), MOST_ELEMENTS) ?? usual.task,
    rows: rows === null ? null : knownRows(rows.split(",")),
    rounds: wholeIn(params.get("rounds"), MOST_ROUNDS) ?? usual.rounds,
  };
}

function knownRows(keys: readonly string[]): string[] {
  return rowsFor("sgd", 2)
    .map(({ key }) => key)
    .filter((key) => keys.includes(key));
}

function wholeIn(text: string | null, most: number): number | null {
  const value = Number(text);
  return Number.isInteger(value) && value >= 1 && value <= most ? value : null;
}
