/**
 * Clipping gradients, as `torch.nn.utils` does it, but without rewriting any.
 *
 * A norm takes one pass over the gradients. What follows from it, one number for each parameter group, is
 * remembered by the optimizer and multiplied in by its next step, whose kernels read the gradients anyway;
 * a clamp too. Until that step, or until `zeroGrad`, `parameter.grad` shows gradients as they were.
 */
import { check, checkNames, optimizersOf, type GradientSource } from "./gradient-source.ts";
import { refuseNonFinite } from "./non-finite.ts";
import { appendNorms, joinNorms } from "./norms.ts";
import type { Optimizer } from "./optimizer.ts";

/** Which norm, and what to do if there is none. */
export interface NormOptions {
  /**
   * The p of (Σ |g|ᵖ)^(1/p), by default 2; Infinity for max |g|, 0 for the number of tensors that are not
   * zero all over. Those of order 1, 2 and Infinity run at the speed of memory, all others in TypeScript.
   */
  readonly normType?: number;
  /** Throws if the norm is infinite or NaN, before anything has changed (default false). */
  readonly errorIfNonfinite?: boolean;
}

/** As {@link NormOptions}, and whether each group has a norm of its own. */
export interface ClipNormOptions extends NormOptions {
  /** Clips each parameter group to `maxNorm` by itself (default false: one norm over all of them). */
  readonly perGroup?: boolean;
}

/** So that a norm of 0 divides nothing; PyTorch has the same number. */
const EPSILON = 1e-6;
/** Largest number of float32. */
const MAX_VALUE = 3.4028234663852886e38;

/**
 * Scales all gradients down to a norm of `maxNorm` if theirs is larger: the next step multiplies them by
 * min(1, maxNorm / (norm + 1e-6)).
 *
 * The norm is taken over all parameters of the optimizer that have a gradient, or of several optimizers,
 * as if their gradients were one vector. With gradients that are infinite or NaN the norm is too, and
 * the factor 0 or NaN: the optimizer's option `nonFinite` says what the step does about them.
 *
 * Call it before the step, or at the end of a closure that is passed to `step`. Until the step, a second
 * call sees the gradients that the first one has clipped.
 *
 * @param source the optimizer, or several.
 * @param maxNorm a number ≥ 0; Infinity measures and clips nothing.
 * @returns the norm before clipping; with `perGroup` those of all groups, in order.
 * @throws {OptionError} `BAD_OPTION`, and {GradientError} `NON_FINITE` with `errorIfNonfinite`.
 *
 * @example
 * const norm = clipGradNorm(optimizer, 1);
 * optimizer.step();
 */
export function clipGradNorm(
  source: GradientSource,
  maxNorm: number,
  options: ClipNormOptions & { readonly perGroup: true },
): number[];
export function clipGradNorm(
  source: GradientSource,
  maxNorm: number,
  options?: ClipNormOptions & { readonly perGroup?: false },
): number;
export function clipGradNorm(
  source: GradientSource,
  maxNorm: number,
  options: ClipNormOptions = {},
): number | number[] {
  const name = "clipGradNorm";
  const optimizers = optimizersOf(name, source);
  checkMaxNorm(name, maxNorm);
  const norms = measure(name, optimizers, options, ["normType", "errorIfNonfinite", "perGroup"]);
  const { perGroup = false, normType = 2 } = options;
  check(`${name}: perGroup`, perGroup, typeof perGroup === "boolean", "true or false");
  const total = joinNorms(norms, normType);
  let at = 0;
  for (const { gradients } of optimizers) {
    const { change, groupCount } = gradients;
    change.cover(groupCount);
    for (let group = 0; group < groupCount; group++) {
      const norm = norms[at++]!;
      if (normType > 0) change.bound(group, norm);
      change.scale(group, factorFor(maxNorm, perGroup ? norm : total));
    }
  }
  return perGroup ? norms : total;
}

/**
 * The norm of all gradients as the next step will see them; as `torch.nn.utils.get_total_norm`. It
 * changes nothing.
 *
 * @throws as {@link clipGradNorm}.
 */
export function getTotalNorm(source: GradientSource, options: NormOptions = {}): number {
  const optimizers = optimizersOf("getTotalNorm", source);
  const norms = measure("getTotalNorm", optimizers, options, ["normType", "errorIfNonfinite"]);
  return joinNorms(norms, options.normType ?? 2);
}

/**
 * Clips as {@link clipGradNorm} does, by a norm that is known: as `torch.nn.utils.clip_grads_with_norm_`.
 * For norms over more gradients than are here, say those of several processes.
 *
 * @throws {OptionError} `BAD_OPTION`.
 */
export function clipGradsWithNorm(
  source: GradientSource,
  maxNorm: number,
  totalNorm: number,
): void {
  const name = "clipGradsWithNorm";
  const optimizers = optimizersOf(name, source);
  checkMaxNorm(name, maxNorm);
  const isNorm = typeof totalNorm === "number" && !(totalNorm < 0);
  check(`${name}: totalNorm`, totalNorm, isNorm, "a number ≥ 0");
  scaleAll(optimizers, factorFor(maxNorm, totalNorm));
}

/**
 * Clamps every element of every gradient to [-clipValue, clipValue], in the next step. NaN stays NaN.
 *
 * @param clipValue a number from 0 to 3.4e38.
 * @throws {OptionError} `BAD_OPTION`.
 */
export function clipGradValue(source: GradientSource, clipValue: number): void {
  const optimizers = optimizersOf("clipGradValue", source);
  const fits = typeof clipValue === "number" && clipValue >= 0 && clipValue <= MAX_VALUE;
  check("clipGradValue: clipValue", clipValue, fits, "a number from 0 to 3.4e38");
  for (const { gradients } of optimizers) {
    const { change, groupCount } = gradients;
    change.cover(groupCount);
    for (let group = 0; group < groupCount; group++) change.limit(group, clipValue);
  }
}

/**
 * Multiplies all gradients by a number, in the next step: 1 / n after adding up n of them, so that a
 * norm taken afterwards is that of their mean.
 *
 * @param factor a finite number.
 * @throws {OptionError} `BAD_OPTION`.
 */
export function scaleGrads(source: GradientSource, factor: number): void {
  const optimizers = optimizersOf("scaleGrads", source);
  check("scaleGrads: factor", factor, Number.isFinite(factor), "a finite number");
  scaleAll(optimizers, factor);
}

/** @internal The same, of what has been checked. */
export function scaleAll(optimizers: readonly Optimizer[], factor: number): void {
  for (const { gradients } of optimizers) {
    const { change, groupCount } = gradients;
    change.cover(groupCount);
    for (let group = 0; group < groupCount; group++) change.scale(group, factor);
  }
}

function measure(
  name: string,
  optimizers: readonly Optimizer[],
  options: NormOptions,
  known: readonly string[],
): number[] {
  checkNames(name, options, known);
  const { normType = 2, errorIfNonfinite = false } = options;
  const isOrder = typeof normType === "number" && normType >= 0;
  check(`${name}: normType`, normType, isOrder, "a number ≥ 0, or Infinity");
  const isSwitch = typeof errorIfNonfinite === "boolean";
  check(`${name}: errorIfNonfinite`, errorIfNonfinite, isSwitch, "true or false");
  const norms: number[] = [];
  for (const { gradients } of optimizers) appendNorms(gradients, normType, norms);
  if (errorIfNonfinite && !norms.every(Number.isFinite)) {
    const all = optimizers.map(({ gradients }) => gradients);
    refuseNonFinite(name, all);
  }
  return norms;
}

function checkMaxNorm(name: string, maxNorm: unknown): void {
  const fits = typeof maxNorm === "number" && maxNorm >= 0;
  check(`${name}: maxNorm`, maxNorm, fits, "a number ≥ 0");
}

function factorFor(maxNorm: number, norm: number): number {
  return maxNorm === Infinity ? 1 : Math.min(1, maxNorm / (norm + EPSILON));
}
