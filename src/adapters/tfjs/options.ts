/** What `tfOptimizer` takes besides an optimizer's own options. */
import type { Variable } from "@tensorflow/tfjs-core";
import { OptionError } from "../../errors.ts";
import type { Hyper, HyperDefaults, Rule } from "../../ir/rule.ts";
import {
  checkOptions,
  planKeys,
  type OptimizerOptions,
  type ParamGroups,
  type PlanOptions,
  type StepPolicy,
} from "../../optim/options.ts";
import { refuseUnknown, requireObject } from "../../optim/read-groups.ts";
import { stateKeys, type StateOptions } from "../../optim/state-storage.ts";
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

const own = ["groups", "clipGradNorm", "clipGradValue", "schedule"];
const known = [...planKeys, ...stateKeys, "nonFinite", ...own];

/** @throws {OptionError} `BAD_OPTION`, `BAD_HYPERPARAMETER`, `UNKNOWN_OPTION`. */
export function readOptions(rule: Rule, given: TfOptions): ReadOptions {
  requireObject(rule.name, "options", given);
  const { groups, clipGradNorm, clipGradValue, schedule, ...rest } = given;
  const options = rest as OptimizerOptions<HyperDefaults>;
  const bad = (name: string, got: unknown, expected: string, advice = ""): never => {
    throw new OptionError("BAD_OPTION", {
      subject: `${rule.name}: ${name}`,
      got,
      expected,
      advice,
    });
  };
  if (options.average !== undefined) {
    const advice = "Variables would have to be known in advance.";
    bad("average", options.average, "no average", advice);
  }
  refuseUnknown(rule, given, known);
  const { defaults } = checkOptions(rule, options);
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
