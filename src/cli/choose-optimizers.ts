// The optimizers that `downhill compare` races, by the names that are typed.

import { comparedOptimizers, type ComparedOptimizer } from "../training/optimizers.ts";
import { UsageError } from "./errors.ts";

/** The optimizers with these names; `all` means every one. @throws {UsageError} */
export function chooseOptimizers(keys: readonly string[]): ComparedOptimizer[] {
  const named = keys.map((key) => key.trim().toLowerCase());
  if (named.length === 1 && named[0] === "all") return [...comparedOptimizers];
  const twice = named.find((key, index) => named.indexOf(key) !== index);
  if (twice !== undefined) {
    throw new UsageError(`--optimizers: got ${JSON.stringify(twice)} twice, expected each once.`);
  }
  return named.map((key) => {
    const optimizer = comparedOptimizers.find((known) => known.key === key);
    if (optimizer) return optimizer;
    const names = comparedOptimizers.map((known) => known.key).join(", ");
    throw new UsageError(
      `--optimizers: got ${JSON.stringify(key)}, expected all, or some of ${names}.`,
    );
  });
}
