/**
 * Freezing: parameters with `requiresGrad` false have no gradient, and optimizers skip them whole. They
 * may stay in the optimizer all the time; when they are unfrozen their state begins, or goes on.
 */
import { OptionError } from "../errors.ts";
import type { Parameter } from "../memory/parameter.ts";
import { checkParams, checkSelector, matches, nothingMatched, type Selector } from "./select.ts";

/**
 * Freezes the parameters that match, or all; their gradients become `null`.
 *
 * @returns the parameters that match, in order.
 * @throws {ParameterError} `NOTHING_MATCHED` | {OptionError} `BAD_OPTION`; nothing has changed then.
 *
 * @example
 * freeze(params, /^backbone\./);
 */
export function freeze(params: readonly Parameter[], which?: Selector): Parameter[] {
  return setAll("freeze", params, which, false);
}

/** Unfreezes the parameters that match, or all. Returns and throws as {@link freeze}. */
export function unfreeze(params: readonly Parameter[], which?: Selector): Parameter[] {
  return setAll("unfreeze", params, which, true);
}

function setAll(
  subject: string,
  params: readonly Parameter[],
  which: Selector | undefined,
  requiresGrad: boolean,
): Parameter[] {
  const all = checkParams(subject, params);
  if (which !== undefined) checkSelector(subject, which);
  const matching = all.filter((parameter) => which === undefined || matches(which, parameter));
  if (which !== undefined && matching.length === 0) nothingMatched(subject, which, all);
  for (const parameter of matching) parameter.requiresGrad = requiresGrad;
  return matching;
}

/**
 * Unfreezes one stage after another, most often from the head down to the input. What it returns sets
 * all stages for a number from 0 on: stages up to it are trained, later ones are frozen. So it may be
 * called in every epoch, and after a resume. Parameters of no stage are left alone.
 * As ULMFiT; Howard and Ruder (2018), https://arxiv.org/abs/1801.06146.
 *
 * @param stages by what their parameters match; one that matches several belongs to the first.
 * @returns a function that gives the parameters that are trained at a stage, in order.
 * @throws {ParameterError} `NOTHING_MATCHED` for a stage without parameters; {OptionError} `BAD_OPTION`.
 *
 * @example
 * const unfreezeTo = gradualUnfreezing(params, [/^head/, /^block1/, /^block0/]);
 * for (let epoch = 0; epoch < 10; epoch++) unfreezeTo(epoch);
 */
export function gradualUnfreezing(
  params: readonly Parameter[],
  stages: readonly Selector[],
): (stage: number) => Parameter[] {
  const subject = "gradualUnfreezing";
  const all = checkParams(subject, params);
  if (!Array.isArray(stages)) {
    throw new OptionError("BAD_OPTION", {
      subject: `${subject}: stages`,
      got: stages,
      expected: "a list of stages such as [/^head/, /^body/]",
    });
  }
  checkSelector(subject, stages);
  const stageOf = (parameter: Parameter) => stages.findIndex((each) => matches(each, parameter));
  const members = all.map((parameter) => ({ parameter, at: stageOf(parameter) }));
  stages.forEach((selector: Selector, index) => {
    if (members.some(({ at }) => at === index)) return;
    nothingMatched(`${subject}: stage ${index}`, selector, all);
  });
  return (stage) => {
    if (typeof stage !== "number" || !(stage >= 0)) {
      throw new OptionError("BAD_OPTION", {
        subject: `${subject}: stage`,
        got: stage,
        expected: "a number ≥ 0",
      });
    }
    const staged = members.filter(({ at }) => at >= 0);
    for (const { parameter, at } of staged) parameter.requiresGrad = at <= stage;
    return staged.flatMap(({ parameter, at }) => (at <= stage ? [parameter] : []));
  };
}
