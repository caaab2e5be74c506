/**
 * When a metric has stopped getting better: the one schedule that follows what is measured. It is a
 * step from a small state to the next, so it can be replayed and saved as well.
 */
import { OptionError } from "../errors.ts";
import { oneOf, readOptions, real, whole } from "./options.ts";

/** When {@link plateau} takes it that a metric has stopped getting better. */
export interface PlateauOptions {
  /** Whether smaller (`"min"`, default) or larger metrics are better. */
  readonly mode?: "min" | "max";
  /** Metrics in a row that may be no better before the next one that is not counts; default 10. */
  readonly patience?: number;
  /** By how much a metric must be better than the best one, default 1e-4. */
  readonly threshold?: number;
  /** Whether `threshold` is a part of the best metric's size (`"rel"`, default) or a difference. */
  readonly thresholdMode?: "rel" | "abs";
  /** Metrics after a reduction that do not count, default 0. */
  readonly cooldown?: number;
}

/** All that {@link plateau} remembers from one metric to the next. */
export interface PlateauState {
  /** The best metric so far; `null` before there is one. */
  readonly best: number | null;
  /** Metrics since the best one, or since the last reduction, that were no better. */
  readonly numBadEpochs: number;
  /** Metrics that still do not count. */
  readonly cooldownCounter: number;
  /** Whether the last metric asks for a reduction. */
  readonly reduce: boolean;
}

/** The state before the first metric. */
export const initialPlateau: PlateauState = /* @__PURE__ */ Object.freeze({
  best: null,
  numBadEpochs: 0,
  cooldownCounter: 0,
  reduce: false,
});

/**
 * The state after a metric. NaN is never better. A relative threshold is a part of |best|, so that a
 * metric may be negative.
 *
 * @example
 * const next = plateau({ patience: 3 });
 * for (const loss of losses) if ((state = next(state, loss)).reduce) lr *= 0.1;
 *
 * @throws {OptionError} for wrong options, and for a metric that is not a number.
 */
export function plateau(
  options: PlateauOptions = {},
): (state: PlateauState, metric: number) => PlateauState {
  const read = readOptions("plateau", options, plateauKinds());
  const { mode, patience, threshold, thresholdMode, cooldown } = read;
  const sign = mode === "min" ? 1 : -1;
  const isBetter = (metric: number, best: number | null): boolean => {
    if (best === null || !Number.isFinite(best)) return sign * metric < sign * (best ?? sign / 0);
    const margin = thresholdMode === "rel" ? Math.abs(best) * threshold : threshold;
    return sign * metric < sign * best - margin;
  };
  return ({ best, numBadEpochs, cooldownCounter }, metric) => {
    if (typeof metric !== "number") {
      throw new OptionError("BAD_METRIC", {
        subject: "plateau: metric",
        got: metric,
        expected: "a number",
      });
    }
    const better = isBetter(metric, best);
    const cooling = cooldownCounter > 0;
    const bad = better || cooling ? 0 : numBadEpochs + 1;
    const reduce = bad > patience;
    return {
      best: better ? metric : best,
      numBadEpochs: reduce ? 0 : bad,
      cooldownCounter: reduce ? cooldown : Math.max(0, cooldownCounter - 1),
      reduce,
    };
  };
}

export const plateauKinds = () => ({
  mode: oneOf(["min", "max"], "min"),
  patience: whole(0, 10),
  threshold: real({ min: 0 }, 1e-4),
  thresholdMode: oneOf(["rel", "abs"], "rel"),
  cooldown: whole(0, 0),
});
