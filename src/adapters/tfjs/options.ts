/** What `tfOptimizer` takes besides an optimizer's own options. */
import type { Variable } from "@tensorflow/tfjs-core";
import { OptionError } from "../../errors.ts";
import type { Hyper, HyperDefaults, Rule } from "../../ir/rule.ts";
import {
  checkOptions,
  type OptimizerOptions,
  type ParamGroups,
  type PlanOptions,
  type StepPolicy,
} from "../../optim/options.ts";
import type { StateOptions } from "../../optim/state-storage.ts";
import type { VariableRule } from "./groups.ts";
import type { Clipping } from "./path.ts";

/** What schedulers are handed: groups whose hyperparameters they write into. */
export interface VariableGroups<H extends HyperDefaults = HyperDefaults> {
  readonly paramGroups: ParamGroups<H, Variable>;
}

/** A scheduler, as far as it is needed here: every class of Downhill that follows the step fits. */
export interface StepScheduler {
  step(): void;
  stateDict(): object;
  loadStateDict(state: never): void;
}

/** Hyperparameters, how to run, and what else happens in each step. */
export type TfOptions<H extends HyperDefaults = HyperDefaults> = Partial<Hyper<H>> &
  PlanOptions &
  StepPolicy &
  StateOptions & {
    /**
     * Options for variables that match, as `groupParams` has it: a variable gets those of all rules that it
     * matches, the later ones first of all.
     */
    readonly groups?: readonly VariableRule<Partial<Hyper<H>>>[];
    /** Scales the gradients of each step down to this norm, as `clipGradNorm`: after `clipGradValue`. */
    readonly clipGradNorm?: number;
    /** Clamps every element of each gradient to [-x, x], as `clipGradValue`. */
    readonly clipGradValue?: number;
    /**
     * Makes the scheduler that is stepped after each step of the optimizer, and saved with it. One that
     * is to be stepped less often is made and stepped outside: `new StepLR(optimizer, …)`.
     */
    readonly schedule?: (optimizer: VariableGroups<H>) => StepScheduler;
  };

/** The same, sorted and checked. */
export interface ReadOptions {
  readonly defaults: Record<string, unknown>;
  readonly options: OptimizerOptions<HyperDefaults>;
  readonly groups: unknown;
  readonly clip: Clipping;
  readonly schedule: ((optimizer: VariableGroups) => StepScheduler) | undefined;
}

/** @throws {OptionError} `BAD_OPTION`, `BAD_HYPERPARAMETER`, `UNKNOWN_OPTION`. */
export function readOptions(rule: Rule, given: TfOptions): ReadOptions {
  const { groups, clipGradNorm, clipGradValue, schedule, ...rest } = given;
  const options = rest as OptimizerOptions<HyperDefaults>;
  const { defaults, average } = checkOptions(rule, options);
  const bad = (name: string, got: unknown, expected: string, advice = ""): never => {
    throw new OptionError("BAD_OPTION", {
      subject: `${rule.name}: ${name}`,
      got,
      expected,
      advice,
    });
  };
  if (average !== undefined) {
    bad("average", average, "no average", "Its parameters would have to be known in advance.");
  }
  for (const [name, value] of Object.entries({ clipGradNorm, clipGradValue })) {
    const fits = value === undefined || (typeof value === "number" && value >= 0);
    if (!fits) bad(name, value, "a number ≥ 0");
  }
  if (schedule !== undefined && typeof schedule !== "function") {
    bad("schedule", schedule, "a function such as (optimizer) => new StepLR(optimizer, …)");
  }
  return {
    defaults,
    options,
    groups,
    clip: {
      ...(clipGradValue === undefined ? {} : { value: clipGradValue }),
      ...(clipGradNorm === undefined ? {} : { norm: clipGradNorm }),
    },
    schedule,
  };
}
