/** Whole runs with a warm-up, as language models are trained: put together from the simple schedules. */
import { OptionError } from "../errors.ts";
import { left } from "./anneal.ts";
import { cosineAnnealing } from "./cosine.ts";
import { linear } from "./decay.ts";
import { oneOf, optional, readOptions, real, whole } from "./options.ts";
import { sequential, type Curve } from "./schedule.ts";

export interface WarmupCosineOptions {
  /** Steps in which the value rises in a line to the base value. */
  readonly warmupSteps: number;
  /** Steps of the whole run; the value stays at `etaMin` after it. */
  readonly totalSteps: number;
  /** Factor at step 0, default 0. */
  readonly startFactor?: number;
  /** The value at the end, default 0. */
  readonly etaMin?: number;
}

export const warmupCosineKinds = () => ({
  warmupSteps: whole(0),
  totalSteps: whole(1),
  startFactor: real({ min: 0 }, 0),
  etaMin: real({}, 0),
});

/**
 * A line from b · startFactor to b, then half a cosine down to etaMin: what GPT-3 and most models since
 * were trained with (Brown et al., 2020, https://arxiv.org/abs/2005.14165).
 */
export function warmupCosine(options: WarmupCosineOptions): Curve {
  const { warmupSteps, totalSteps, startFactor, etaMin } = readOptions(
    "warmupCosine",
    options,
    warmupCosineKinds(),
  );
  if (totalSteps <= warmupSteps) {
    throw new OptionError("BAD_OPTION", {
      subject: "warmupCosine: totalSteps",
      got: totalSteps,
      expected: `more than warmupSteps, which are ${warmupSteps}`,
    });
  }
  return sequential(
    [
      linear({ startFactor, totalIters: warmupSteps }),
      cosineAnnealing({ tMax: totalSteps - warmupSteps, etaMin, clamp: true }),
    ],
    [warmupSteps],
  );
}

export interface WarmupStableDecayOptions {
  /** Steps in which the value rises in a line to the base value. */
  readonly warmupSteps: number;
  /** Steps at the base value. */
  readonly stableSteps: number;
  /** Steps in which it falls. */
  readonly decaySteps: number;
  /** Factor at step 0, default 0. */
  readonly startFactor?: number;
  /** Factor at the end and after it, default 0. */
  readonly endFactor?: number;
  /** The form of the fall: default `"linear"`; `"cos"`; or `"sqrt"`, which is 1 - √q. */
  readonly decay?: "linear" | "cos" | "sqrt";
}

export const warmupStableDecayKinds = () => ({
  warmupSteps: whole(0),
  stableSteps: whole(0),
  decaySteps: whole(0),
  startFactor: real({ min: 0 }, 0),
  endFactor: real({ min: 0 }, 0),
  decay: oneOf(["linear", "cos", "sqrt"], "linear"),
});

/**
 * Warm-up, stable, decay (WSD): a line up, a plateau of any length, and a short fall at the end, so
 * that a run can go on from the plateau. Hu et al. (2024), https://arxiv.org/abs/2404.06395; the
 * form 1 - √q: Hägele et al. (2024), https://arxiv.org/abs/2405.18392.
 */
export function warmupStableDecay(options: WarmupStableDecayOptions): Curve {
  const read = readOptions("warmupStableDecay", options, warmupStableDecayKinds());
  const { warmupSteps, stableSteps, decaySteps, startFactor, endFactor, decay } = read;
  const rest = decay === "sqrt" ? (q: number) => 1 - Math.sqrt(q) : left[decay];
  const fall = (step: number, base: number) => {
    const part = step < decaySteps ? rest(step / decaySteps) : 0;
    return base * (endFactor + (1 - endFactor) * part);
  };
  const start = linear({ startFactor, totalIters: warmupSteps });
  return sequential([start, fall], [warmupSteps + stableSteps]);
}

export interface InverseSqrtOptions {
  /** Steps in which the value rises in a line to the base value. */
  readonly warmupSteps: number;
  /** Steps after which it has fallen to 1/√2; default `warmupSteps`, and 10,000 where these are 0. */
  readonly timescale?: number;
  /** Factor at step 0, default 0. */
  readonly startFactor?: number;
}

export const inverseSqrtKinds = () => ({
  warmupSteps: whole(0),
  timescale: optional(real({ above: 0 })),
  startFactor: real({ min: 0 }, 0),
});

/**
 * A line up to b, then b · √(timescale / (e - warmupSteps + timescale)): without an end, as the
 * Transformer was trained. Vaswani et al. (2017), https://arxiv.org/abs/1706.03762.
 */
export function inverseSqrt(options: InverseSqrtOptions): Curve {
  const read = readOptions("inverseSqrt", options, inverseSqrtKinds());
  const { warmupSteps, startFactor } = read;
  const timescale = read.timescale ?? (warmupSteps || 10_000);
  const fall = (step: number, base: number) => base * Math.sqrt(timescale / (step + timescale));
  return sequential([linear({ startFactor, totalIters: warmupSteps }), fall], [warmupSteps]);
}
