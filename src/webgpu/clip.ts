/**
 * Clipping gradients on a GPU: the next step measures them, decides, and multiplies the factor in where its
 * kernels read the gradients anyway. Nothing is read back, and no gradient is rewritten.
 */
import { MAX_GROUPS } from "../backend/webgpu/control.ts";
import { CallError, Prose } from "../errors.ts";
import { check, checkNames } from "../optim/gradient-source.ts";
import type { GpuGradients } from "./gradients.ts";
import { requireOptimizer, type GpuOptimizer } from "./optimizer.ts";

/** How {@link clipGradNorm} measures. */
export interface GpuClipNormOptions {
  /** 1, 2 (default) or Infinity: Σ|g|, √Σg² or max |g|. */
  readonly normType?: number;
  /** Clips each parameter group to `maxNorm` by itself (default false: one norm over all of them). */
  readonly perGroup?: boolean;
}

/** Largest number of float32. */
const MAX_VALUE = 3.4028234663852886e38;

/**
 * Scales all gradients down to a norm of `maxNorm` if theirs is larger, in the next step: it multiplies them
 * by min(1, maxNorm / (norm + 1e-6)). The norm is that of the gradients as they are when that step runs, and
 * {@link GpuOptimizer.gradientReport} reads it back for those who want to know. An infinite norm gives the
 * factor 0, NaN gives NaN: the optimizer's option `nonFinite: "skip"` leaves such steps out.
 *
 * @param maxNorm a number ≥ 0; Infinity measures and clips nothing.
 * @throws {OptionError} `BAD_OPTION`, {CallError} `CLIPPED_TWICE` before another step.
 *
 * @example
 * clipGradNorm(optimizer, 1);
 * optimizer.step();
 */
export function clipGradNorm(
  optimizer: GpuOptimizer,
  maxNorm: number,
  options: GpuClipNormOptions = {},
): void {
  const name = "clipGradNorm";
  const gradients = gradientsOf(name, optimizer);
  checkNames(name, options, ["normType", "perGroup"]);
  const { normType = 2, perGroup = false } = options;
  const isNorm = typeof maxNorm === "number" && maxNorm >= 0;
  check(`${name}: maxNorm`, maxNorm, isNorm, "a number ≥ 0");
  const isType = normType === 1 || normType === 2 || normType === Infinity;
  check(`${name}: normType`, normType, isType, "1, 2 or Infinity");
  check(`${name}: perGroup`, perGroup, typeof perGroup === "boolean", "true or false");
  const groups = gradients.groupCount;
  check(`${name}: groups`, groups, groups <= MAX_GROUPS, `at most ${MAX_GROUPS} groups`);
  refuseTwice(name, gradients);
  gradients.clipping = { maxNorm, normType, perGroup };
}

/**
 * Clamps every element of every gradient to [-clipValue, clipValue], in the next step.
 *
 * @param clipValue a number from 0 to 3.4e38.
 * @throws {OptionError} `BAD_OPTION`, {CallError} `CLIPPED_TWICE` after `clipGradNorm` and before its step.
 */
export function clipGradValue(optimizer: GpuOptimizer, clipValue: number): void {
  const gradients = gradientsOf("clipGradValue", optimizer);
  const fits = typeof clipValue === "number" && clipValue >= 0 && clipValue <= MAX_VALUE;
  check("clipGradValue: clipValue", clipValue, fits, "a number from 0 to 3.4e38");
  refuseTwice("clipGradValue", gradients);
  const { change, groupCount } = gradients;
  change.cover(groupCount);
  for (let group = 0; group < groupCount; group++) change.limit(group, clipValue);
}

/** Multiplies all gradients by a number, in the next step. @throws as {@link clipGradValue}. */
export function scaleGrads(optimizer: GpuOptimizer, factor: number): void {
  const gradients = gradientsOf("scaleGrads", optimizer);
  check("scaleGrads: factor", factor, Number.isFinite(factor), "a finite number");
  refuseTwice("scaleGrads", gradients);
  const { change, groupCount } = gradients;
  change.cover(groupCount);
  for (let group = 0; group < groupCount; group++) change.scale(group, factor);
}

function gradientsOf(subject: string, optimizer: GpuOptimizer): GpuGradients {
  requireOptimizer(subject, optimizer);
  return optimizer.gradients;
}

function refuseTwice(subject: string, { clipping }: GpuGradients): void {
  if (!clipping) return;
  throw new CallError("CLIPPED_TWICE", {
    subject,
    got: new Prose("gradients whose norm the next step will clip already"),
    expected: "to be called before clipGradNorm, once for each step",
    advice: "The norm is not known before the step runs on the GPU, so nothing can follow it.",
  });
}
