/** What `new LBFGS(...)` takes, and how it is checked. */
import { ParameterError, Prose } from "../../errors.ts";
import { validatorOf } from "../../ir/hyper.ts";
import type { HyperDefaults, RuleInfo } from "../../ir/rule.ts";
import type { Parameter } from "../../memory/parameter.ts";
import { checkThreads, type ParamsInput, type PlanOptions } from "../options.ts";
import { fillIn, readGroups, refuseUnknown, requireObject } from "../read-groups.ts";

/** The hyperparameters of {@link LBFGS}; they may be changed between steps. */
export interface LBFGSHyper {
  /** The length of a step; with a line search where that looks first (default 1). */
  lr: number;
  /** Most iterations in one call of `step` (default 20). */
  maxIter: number;
  /** Most evaluations of the closure in one call of `step` (default 5/4 of `maxIter`). */
  maxEval: number;
  /** Done when no component of the gradient is larger (default 1e-7). */
  toleranceGrad: number;
  /** Done when neither the loss nor any parameter changes by more (default 1e-9). */
  toleranceChange: number;
  /** Most pairs of steps and changes of the gradient that are remembered (default 100). */
  historySize: number;
  /** `"strong_wolfe"`, or `null` (default) for steps of length `lr`. */
  lineSearchFn: "strong_wolfe" | null;
}

/**
 * What {@link LBFGS} takes: its hyperparameters, of which `maxEval` may be `null` for its default,
 * and how to run.
 */
export interface LBFGSOptions
  extends Partial<Omit<LBFGSHyper, "maxEval">>, Pick<PlanOptions, "backend" | "threads"> {
  readonly maxEval?: number | null;
}

/** The group as the optimizer keeps it: its numbers may be changed between steps. */
export interface LBFGSGroup extends LBFGSHyper {
  readonly params: readonly Parameter[];
}

/** Parameters, or a single group of them with hyperparameters. */
export type LBFGSParams =
  readonly Parameter[] | readonly [Partial<LBFGSHyper> & { readonly params: readonly Parameter[] }];

const numbers = {
  lr: 1,
  maxIter: 20,
  maxEval: 25,
  toleranceGrad: 1e-7,
  toleranceChange: 1e-9,
  historySize: 100,
};
const hyperNames = [...Object.keys(numbers), "lineSearchFn"];

const validate = /* @__PURE__ */ validatorOf<HyperDefaults>(
  {
    name: "LBFGS",
    hyper: numbers,
    domain: {
      lr: "[0, inf)",
      maxIter: "[1, inf)",
      maxEval: "[1, inf)",
      toleranceGrad: "[0, inf)",
      toleranceChange: "[0, inf)",
      historySize: "[1, inf)",
    },
    check(values) {
      const { lineSearchFn } = values as unknown as LBFGSHyper;
      const broken = ["maxIter", "maxEval", "historySize"].find(
        (n) => !Number.isInteger(values[n]),
      );
      if (broken !== undefined) return { option: broken, expected: "a whole number" };
      if (lineSearchFn === null || lineSearchFn === "strong_wolfe") return undefined;
      return { option: "lineSearchFn", expected: '"strong_wolfe" or null' };
    },
  },
  Object.keys(numbers),
);

/** What groups and state dicts need to know, as of a rule. */
export const info: RuleInfo = {
  name: "LBFGS",
  formula: "",
  hyperNames,
  slots: [],
  slotRanks: [],
  stateNames: [],
  numberLetters: [],
  numberNames: [],
  counted: false,
  validate,
};

export interface CheckedOptions {
  readonly group: LBFGSGroup;
  readonly backend: NonNullable<PlanOptions["backend"]>;
  readonly threads: number;
}

/** @throws {OptionError} | {ParameterError} */
export function readOptions(params: LBFGSParams, options: LBFGSOptions): CheckedOptions {
  requireObject("LBFGS", "options", options);
  refuseUnknown(info, options, ["backend", "threads"]);
  const { backend = "auto", threads, maxEval, ...given } = options;
  const most = maxEval ?? Math.floor(((given.maxIter ?? numbers.maxIter) * 5) / 4);
  const defaults = fillIn(info, { ...numbers, lineSearchFn: null } as never, {
    ...given,
    maxEval: most,
  });
  const groups = readGroups(info, params as ParamsInput<HyperDefaults>, defaults);
  if (groups.length !== 1) {
    throw new ParameterError("ONE_GROUP", {
      subject: "LBFGS: params",
      got: new Prose(`${groups.length} groups`),
      expected: "one group",
      advice: "Its direction is one for all parameters; put them into one list.",
    });
  }
  const [group] = groups as unknown as [LBFGSGroup];
  if (group.params.length === 0) {
    throw new ParameterError("NO_PARAMS", {
      subject: "LBFGS: params",
      got: group.params,
      expected: "at least one parameter",
    });
  }
  return {
    group,
    backend,
    threads: checkThreads("LBFGS", threads),
  };
}
