/** What optimizers on a GPU take. */
import { OptionError } from "../errors.ts";
import type { Hyper, HyperDefaults, Rule } from "../ir/rule.ts";
import { GpuParameter } from "../memory/webgpu/parameter.ts";
import type { ParamGroup, ParamGroupInput, ParamGroups, ParamsInput } from "../optim/options.ts";
import { fillIn, refuseUnknown, requireObject, type ParameterKind } from "../optim/read-groups.ts";
import { stateKeys, type StateOptions } from "../optim/state-storage.ts";
import type { Way } from "./run.ts";

/** How a step is run. */
export interface GpuPlanOptions {
  /** All tensors at once (default true), or a dispatch for each. */
  readonly foreach?: boolean;
  /** All operations of the rule in one pass (default true), or a dispatch for each. */
  readonly compile?: boolean;
}

/** What a step does about gradients that it should not be taken with. */
export interface GpuStepPolicy {
  /**
   * `"propagate"` (default) takes a step even if gradients are infinite or NaN; `"skip"` lets the GPU leave
   * it out, without a word to the CPU: no parameter and no state changes, but the count of steps goes on,
   * because only the GPU knows. It costs one more read of the gradients. State that was to begin in a step
   * that is left out begins at 0 in the next one: Adagrad's without `initialAccumulatorValue`, Rprop's step
   * sizes from the smallest.
   */
  readonly nonFinite?: "propagate" | "skip";
}

/** Hyperparameters that differ from the defaults, and how to run. */
export type GpuOptimizerOptions<H extends HyperDefaults> = Partial<Hyper<H>> &
  GpuPlanOptions &
  GpuStepPolicy &
  StateOptions;

/** A group as it is given: parameters, and the hyperparameters that differ from the optimizer's. */
export type GpuParamGroupInput<H extends HyperDefaults> = ParamGroupInput<H, GpuParameter>;
/** A group of an optimizer: its parameters and its hyperparameters, which may be changed between steps. */
export type GpuParamGroup<H extends HyperDefaults> = ParamGroup<H, GpuParameter>;
/** The groups of an optimizer, in order. */
export type GpuParamGroups<H extends HyperDefaults> = ParamGroups<H, GpuParameter>;
/** What `new Adam(...)` takes first. */
export type GpuParamsInput<H extends HyperDefaults> = ParamsInput<H, GpuParameter>;

export const onGpu: ParameterKind<GpuParameter> = {
  is: (value) => value instanceof GpuParameter,
  advice: 'Make them with parameter(device, values, { name, shape }) of "downhill/webgpu".',
};

const switches = ["foreach", "compile"] as const;

/** Splits options into hyperparameters and plan, and refuses what is neither. @throws {OptionError} */
export function checkGpuOptions(
  rule: Rule,
  options: GpuOptimizerOptions<HyperDefaults>,
): {
  readonly defaults: Hyper<HyperDefaults>;
  readonly way: Way;
  readonly nonFinite: "propagate" | "skip";
} {
  requireObject(rule.name, "options", options);
  refuseUnknown(rule, options, [...switches, "nonFinite", ...stateKeys]);
  const given: GpuOptimizerOptions<Record<never, number>> = options;
  for (const name of switches) {
    const value = given[name];
    if (value === undefined || typeof value === "boolean") continue;
    throw new OptionError("BAD_OPTION", {
      subject: `${rule.name}: ${name}`,
      got: value,
      expected: "true or false",
    });
  }
  const { foreach = true, compile = true, nonFinite = "propagate" } = given;
  if (nonFinite !== "propagate" && nonFinite !== "skip") {
    throw new OptionError("BAD_OPTION", {
      subject: `${rule.name}: nonFinite`,
      got: nonFinite,
      expected: '"propagate" or "skip"',
      advice: "The CPU learns of a step only when it asks, so nothing can be thrown.",
    });
  }
  return { defaults: fillIn(rule, rule.hyper, options), way: { foreach, compile }, nonFinite };
}
