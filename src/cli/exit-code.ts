/** How the program ends when something has gone wrong: a line on stderr, and an exit code. */
import { CommanderError } from "commander";
import { DownhillError, OptionError } from "../errors.ts";
import { MathError } from "../math/errors.ts";
import { Interrupted, UsageError } from "./errors.ts";

/** Exit code for an error, after saying what it was. */
export function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const expected =
    error instanceof UsageError ||
    error instanceof Interrupted ||
    error instanceof DownhillError ||
    (error instanceof Error && typeof (error as { code?: unknown }).code === "string");
  const text = expected ? (error as Error).message : String((error as Error)?.stack ?? error);
  process.stderr.write(`downhill: ${text}\n`);
  if (error instanceof Interrupted) return error.exitCode;
  const isMisuse = [UsageError, OptionError, MathError].some((kind) => error instanceof kind);
  return isMisuse ? 2 : 1;
}
