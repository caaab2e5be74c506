// A rule that is typed at the command line, or stands in a file.

import { readFileSync } from "node:fs";
import { Option, type Command } from "commander";

import type { Rule } from "../index.ts";
import { parseRule } from "../math/index.ts";
import { UsageError } from "./errors.ts";

export function addRuleOption(command: Command): Command {
  const about = "a rule of your own: its equations, parted by semicolons or lines";
  return command.addOption(new Option("--rule <text|file>", about).conflicts("optimizer"));
}

/**
 * The rule that was typed, if one was. Texts have an equals sign; what has none is a file.
 *
 * @param other the name of another one.
 * @throws {UsageError} if the file cannot be read, or if there are two; {MathError} for a text that is no rule.
 */
export function typedRule(
  flags: Readonly<Record<string, unknown>>,
  other?: string,
): Rule | undefined {
  const given = flags["rule"] as string | undefined;
  if (given === undefined) return undefined;
  if (other !== undefined) {
    throw new UsageError(
      `--rule: got it with ${JSON.stringify(other)}, expected one or the other.`,
    );
  }
  const isText = given.includes("=");
  return parseRule(isText ? given : readRule(given));
}

function readRule(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(
      `--rule: got ${JSON.stringify(file)}, expected equations such as "p = p - lr * g", or a file of them ` +
        `(${(error as Error).message}).`,
    );
  }
}
