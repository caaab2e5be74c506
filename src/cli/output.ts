// Where results of a run go: files of an output folder, the terminal, and how both are written.

import { accessSync, constants, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { UsageError } from "./errors.ts";

/**
 * Makes the folder before anything long begins.
 *
 * @throws {UsageError} if it cannot be written to.
 */
export function prepareFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new UsageError(
      `--out: got ${JSON.stringify(folder)}, expected a folder that can be written to ` +
        `(${(error as Error).message}).`,
    );
  }
}

/** Writes a file and its folders; returns its path. */
export function writeOutput(folder: string, name: string, content: string): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Remarks that are not results. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Whether tables and plots may use colours and box drawing. */
export function isFancy(): boolean {
  return process.stdout.isTTY && process.env["TERM"] !== "dumb";
}

/** Whether colours are welcome, see https://no-color.org. */
export function hasColor(): boolean {
  return isFancy() && !process.env["NO_COLOR"];
}

/** Columns of the terminal. */
export function terminalWidth(): number {
  return process.stdout.columns ?? 120;
}
