/**
 * Averages of a parameter p along its way.
 *
 *     a ← p                         the first time
 *     a ← a + (1 - d)·(p - a)       exponential, d the decay: EMA
 *     a ← a + (p - a) / (n + 1)     equal weights, n the number of averages so far: SWA
 *
 * As `torch.optim.swa_utils`. SWA: Izmailov et al. (2018), https://arxiv.org/abs/1803.05407. The
 * warm-up, d ← min(d, (1 + n) / (10 + n)), is TensorFlow's `num_updates`: it lets the average forget
 * its first values soon, as a correction of bias would.
 */
import { OptionError } from "../errors.ts";
import type { Tensor } from "../ir/expr.ts";
import { lerp } from "../ir/words.ts";

/**
 * The new average of the old one and the parameter, as a formula: traced, pure, in the words of rules.
 * `n` says how many values are in the average; it is at least 1, because the first is copied.
 */
export type AvgFn = (average: Tensor, p: Tensor, n: number) => Tensor;

/** @throws {OptionError} unless it is a share: a number from 0 to 1. */
export function checkDecay(decay: unknown): number {
  if (typeof decay === "number" && decay >= 0 && decay <= 1) return decay;
  throw new OptionError("BAD_OPTION", {
    subject: "average: decay",
    got: decay,
    expected: "a number from 0 to 1, such as 0.999",
  });
}

/**
 * The exponential average: a ← a + (1 - decay)·(p - a).
 *
 * @param decay a function where it changes from time to time.
 * @param options with `warmup` the decay is at most (1 + n) / (10 + n).
 */
export function getEmaAvgFn(
  decay: number | (() => number) = 0.999,
  { warmup = false }: { readonly warmup?: boolean } = {},
): AvgFn {
  const now = typeof decay === "function" ? decay : () => decay;
  checkDecay(now());
  return (average, p, n) => {
    const most = warmup ? (1 + n) / (10 + n) : 1;
    return lerp(average, p, 1 - Math.min(now(), most));
  };
}

/** The average of equal weights: a ← a + (p - a) / (n + 1). */
export function getSwaAvgFn(): AvgFn {
  return (average, p, n) => average.add(p.sub(average).div(n + 1));
}
