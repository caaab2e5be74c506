/**
 * A rule and an average of what it makes of the parameter, as one rule: the average is one more state
 * tensor, so it is computed in the pass of the step, on every backend and plan.
 */
import { AverageError, Prose } from "../errors.ts";
import { checkNames } from "../ir/rule-check.ts";
import { rule, type Rule, type RuleOutputs } from "../ir/rule.ts";
import type { Tensor } from "../ir/expr.ts";
import { isFresh } from "../ir/words.ts";
import type { AvgFn } from "../rules/average.ts";

/** Names in state dicts: the tensor, how many values are in it, and the steps of rules that count none. */
export const AVERAGE = "param_average";
export const N_AVERAGED = "n_averaged";
const STEPS = "average_step";

interface Remembered {
  n_averaged: number;
  average_step: number;
}

type AveragedOutputs = RuleOutputs<string> & Partial<Remembered> & { param_average?: Tensor };

/** What to average, and when: at every `every`-th step after the first `start`. */
export interface AveragePlan {
  readonly avgFn: AvgFn;
  readonly start: number;
  readonly every: number;
}

/**
 * The rule, and the average of what it makes of the parameter. It takes no gradients of some rows: the
 * average of the others would stand still.
 *
 * @throws {RuleError} if names clash, {AverageError} if the rule takes gradients of rows alone.
 */
export function withAverage({ sparse, ...inner }: Rule, plan: AveragePlan): Rule {
  if (sparse?.only) refuseRows(inner.name);
  const slots = [...inner.slots, AVERAGE];
  const stateNames = [...inner.stateNames, AVERAGE];
  const own = inner.counted ? [N_AVERAGED] : [N_AVERAGED, STEPS];
  const numberLetters = [...inner.numberLetters, ...own];
  const numberNames = [...inner.numberNames, ...own];
  checkNames(
    inner.name,
    inner.hyperNames,
    { letters: slots.slice(2), names: stateNames },
    { letters: numberLetters, names: numberNames },
  );
  const step: Rule["step"] = (tensors, numbers) => {
    // Written into the rule's own object: copying it would take longer than all the rest.
    const given = inner.step(tensors, numbers);
    const outputs: AveragedOutputs = Object.isExtensible(given) ? given : { ...given };
    const remembered = numbers as unknown as Remembered;
    const average = tensors["param_average"]!;
    const t = inner.counted ? numbers.t : remembered.average_step + 1;
    const n = isFresh(average) ? 0 : remembered.n_averaged;
    const isDue = t > plan.start && (t - plan.start) % plan.every === 0;
    const p = outputs.p!;
    outputs.param_average = !isDue ? average : n === 0 ? p : plan.avgFn(average, p, n);
    outputs.n_averaged = isDue ? n + 1 : n;
    if (!inner.counted) outputs.average_step = t;
    return outputs as never;
  };
  const slotRanks = [...inner.slotRanks, "tensor"] as const;
  const names = { slots, slotRanks, stateNames, numberLetters, numberNames };
  const optionalNumbers = [...(inner.optionalNumbers ?? []), ...own];
  return { ...inner, ...names, optionalNumbers, step };
}

function refuseRows(name: string): never {
  throw new AverageError("SPARSE_ONLY", {
    subject: `${name}: average`,
    got: new Prose("an average in a step that moves some rows alone"),
    expected: "none",
    advice: "Leave it out, and call updateParameters() after each step.",
  });
}

/** Moves nothing: an average by itself joins this one. */
export const still = /* @__PURE__ */ rule({
  name: "AveragedModel",
  hyper: {},
  takesAll: true,
  step: ({ p }) => ({ p }),
});
