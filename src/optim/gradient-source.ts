/** What functions over gradients take: an optimizer, or several whose gradients count as one. */
import { OptionError } from "../errors.ts";
import { Gradients } from "./gradients.ts";
import { refuseUnknown } from "./names.ts";
import type { Optimizer } from "./optimizer.ts";
import type { StepOptions } from "./options.ts";

/** One optimizer made of others. */
export interface OptimizerGroup {
  readonly optimizers: readonly object[];
  step(options?: StepOptions): unknown;
}

/** An optimizer, a list of them, or one that is made of others. */
export type GradientSource = Optimizer | readonly Optimizer[] | OptimizerGroup;

/** The optimizers of a source, in order. @throws {OptionError} `BAD_OPTION` if it is none. */
export function optimizersOf(subject: string, source: GradientSource): readonly Optimizer[] {
  const { optimizers } = (source ?? {}) as { optimizers?: unknown };
  const list: unknown = Array.isArray(source) ? source : (optimizers ?? [source]);
  if (!Array.isArray(list)) refuse(subject, source);
  for (const each of list) {
    const { gradients } = (each ?? {}) as { gradients?: unknown };
    if (!(gradients instanceof Gradients)) refuse(subject, each);
  }
  return list as Optimizer[];
}

/** One step of all of them. */
export function stepAll(source: GradientSource, options?: StepOptions): void {
  if ("step" in source) source.step(options);
  else for (const optimizer of source) optimizer.step(options);
}

function refuse(subject: string, got: unknown): never {
  throw new OptionError("BAD_OPTION", {
    subject: `${subject}: optimizer`,
    got,
    expected: "an optimizer made of a rule, or several",
    advice:
      "Gradients are scaled and clipped by the step that uses them, so it needs the optimizer.",
  });
}

/** @throws {OptionError} unless it is an object with known names alone. */
export function checkNames(subject: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== "object" || options === null) {
    const expected = `an object with some of ${known.join(", ")}`;
    throw new OptionError("BAD_OPTION", { subject: `${subject}: options`, got: options, expected });
  }
  refuseUnknown(subject, options, known);
}

/** @throws {OptionError} unless `fits`. */
export function check(subject: string, got: unknown, fits: boolean, expected: string): void {
  if (!fits) throw new OptionError("BAD_OPTION", { subject, got, expected });
}
