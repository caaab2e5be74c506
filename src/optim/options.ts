/** What an optimizer's constructor takes, and how it is checked: groups, overrides and the plan. */
import type { Backend } from "../backend/backend.ts";
import type { BackendName } from "../backend/select.ts";
import { defaultThreads } from "../backend/threads/pool.ts";
import { MAX_THREADS } from "../backend/threads/worker.ts";
import { OptionError } from "../errors.ts";
import type { Hyper, HyperDefaults, Rule } from "../ir/rule.ts";
import type { Parameter } from "../memory/parameter.ts";
import type { AveragedModel } from "./averaged-model.ts";
import type { NonFinite } from "./non-finite.ts";
import { fillIn, refuseUnknown, requireObject } from "./read-groups.ts";
import { stateKeys, type StateOptions } from "./state-storage.ts";

/** How a step is run. Results are bit for bit the same whatever is chosen. */
export interface PlanOptions {
  /** All tensors at once (default true), or one after another. */
  readonly foreach?: boolean;
  /** All operations of the rule in one pass (default true), or one pass for each. */
  readonly compile?: boolean;
  /** `"auto"` (default): WebAssembly where it may be compiled, else the interpreter. */
  readonly backend?: BackendName | Backend;
  /**
   * Keeps moving averages out of the subnormal range, where processors compute many times slower
   * (default true): in every seventh step of a parameter, averages below 2.4e-35 in float32 and
   * 9.3e-302 in float64 become 0; in every step where a rule does not count them.
   */
  readonly flushSubnormals?: boolean;
  /**
   * Most threads that share in a step, this one included; by default as many as the machine runs at
   * once, up to 8. Small steps run on one thread whatever it says. Worker threads start when a step
   * is first large enough, need shared memory (in browsers a cross-origin isolated page), and do not
   * keep a program from ending.
   */
  readonly threads?: number;
}

/** What a step does about gradients that it should not be taken with. */
export interface StepPolicy {
  /**
   * What becomes of a step if any gradient is infinite or NaN once it is scaled and clipped:
   * `"propagate"` (default) takes it, and the parameters become NaN, as in PyTorch; `"skip"` leaves it
   * out, which changes nothing and counts in `skippedSteps` alone; `"throw"` throws a
   * {@link GradientError} `NON_FINITE` that names a gradient. The latter two read the gradients before
   * the step, unless `clipGradNorm` has just done so.
   */
  readonly nonFinite?: NonFinite;
}

/** What a step does besides; all of it in the same pass over memory. */
export interface StepOptions {
  /**
   * A number that multiplies every gradient before the rule sees it: 1 / n after adding up n of them,
   * a factor that clips, the inverse of a loss scale. The gradients themselves stay as they are.
   */
  readonly gradScale?: number;
  /**
   * Sets the gradients to zero once they are used (default false), so that the next ones can be added
   * to them. They stay set: it is `zeroGrad({ setToNull: false })` without a pass of its own.
   */
  readonly zeroGrad?: boolean;
}

/** Hyperparameters that differ from the defaults, how to run, state's type, and an average to keep up to date. */
export type OptimizerOptions<H extends HyperDefaults> = Partial<Hyper<H>> &
  PlanOptions &
  StepPolicy &
  StateOptions & {
    /** An average of all parameters, which every step updates in its own pass over memory. */
    readonly average?: AveragedModel;
  };

/** Values by name, where it is open which hyperparameters there are. */
type Named<H extends HyperDefaults, Known> = string extends keyof H
  ? { [name: string]: unknown }
  : Known;

/** Some parameters and the hyperparameters that hold for them alone. */
export type ParamGroupInput<H extends HyperDefaults, P = Parameter> = Named<
  H,
  Partial<Hyper<H>>
> & {
  readonly params: readonly P[];
};

/** A group as the optimizer keeps it: its numbers may be changed between steps. */
export type ParamGroup<H extends HyperDefaults, P = Parameter> = Named<H, Hyper<H>> & {
  readonly params: readonly P[];
};

/** All groups, in order; there is always one. */
export type ParamGroups<H extends HyperDefaults, P = Parameter> = readonly [
  ParamGroup<H, P>,
  ...ParamGroup<H, P>[],
];

/** What `new Adam(...)` takes first. */
export type ParamsInput<H extends HyperDefaults, P = Parameter> =
  readonly P[] | readonly ParamGroupInput<H, P>[];

export interface CheckedPlan {
  readonly foreach: boolean;
  readonly compile: boolean;
  readonly backend: BackendName | Backend;
  readonly flushSubnormals: boolean;
  readonly threads: number;
  readonly nonFinite: NonFinite;
}

const noStepOptions: StepOptions = {};

/** Reads what `step` was given besides a closure. @throws {OptionError} */
export function checkStepOptions(rule: string, options: StepOptions | undefined): StepOptions {
  if (options === undefined) return noStepOptions;
  const fail = (name: string, got: unknown, expected: string): never => {
    throw new OptionError("BAD_OPTION", { subject: `${rule}: step${name}`, got, expected });
  };
  if (typeof options !== "object" || options === null) {
    fail("", options, "a closure, or options such as { zeroGrad: true }");
  }
  for (const key in options) {
    if (key !== "gradScale" && key !== "zeroGrad") fail("", key, "gradScale or zeroGrad");
  }
  const { gradScale, zeroGrad } = options;
  if (gradScale !== undefined && !Number.isFinite(gradScale)) {
    fail(": gradScale", gradScale, "a finite number");
  }
  if (zeroGrad !== undefined && typeof zeroGrad !== "boolean") {
    fail(": zeroGrad", zeroGrad, "true or false");
  }
  return options;
}

const switches = ["foreach", "compile", "flushSubnormals"] as const;
/** Names of {@link PlanOptions}. */
export const planKeys: readonly string[] = [...switches, "backend", "threads"];

/** Splits options into hyperparameters and plan, and refuses what is neither. */
export function checkOptions(
  rule: Rule,
  options: OptimizerOptions<HyperDefaults>,
): {
  readonly defaults: Hyper<HyperDefaults>;
  readonly plan: CheckedPlan;
  readonly average: AveragedModel | undefined;
} {
  requireObject(rule.name, "options", options);
  refuseUnknown(rule, options, [...planKeys, ...stateKeys, "nonFinite", "average"]);
  const given: OptimizerOptions<Record<never, number>> = options;
  const { average } = given;
  if (average !== undefined && typeof (average as AveragedModel | null)?.extend !== "function") {
    throw new OptionError("BAD_OPTION", {
      subject: `${rule.name}: average`,
      got: average,
      expected: "an average such as new AveragedModel(params, { ema: 0.999 })",
    });
  }
  for (const name of switches) {
    const value = given[name];
    if (value !== undefined && typeof value !== "boolean") {
      throw new OptionError("BAD_OPTION", {
        subject: `${rule.name}: ${name}`,
        got: value,
        expected: "true or false",
      });
    }
  }
  const { foreach = true, compile = true, backend = "auto", flushSubnormals = true } = given;
  const threads = checkThreads(rule.name, given.threads);
  const { nonFinite = "propagate" } = given;
  if (!["propagate", "skip", "throw"].includes(nonFinite)) {
    throw new OptionError("BAD_OPTION", {
      subject: `${rule.name}: nonFinite`,
      got: nonFinite,
      expected: '"propagate", "skip" or "throw"',
    });
  }
  const defaults = fillIn(rule, rule.hyper, options);
  const plan = { foreach, compile, backend, flushSubnormals, threads, nonFinite };
  return { defaults, average, plan };
}

/** The number of threads that was asked for, or the default. @throws {OptionError} */
export function checkThreads(optimizer: string, given: number | undefined): number {
  const threads = given ?? defaultThreads();
  if (Number.isInteger(threads) && threads >= 1 && threads <= MAX_THREADS) return threads;
  throw new OptionError("BAD_OPTION", {
    subject: `${optimizer}: threads`,
    got: threads,
    expected: `a whole number from 1 to ${MAX_THREADS}`,
  });
}
