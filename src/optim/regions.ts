/** How many regions of a tensor's size a rule needs: for data, gradient, state and temporaries. */
import { planOf } from "../ir/plan.ts";
import { programOf } from "../ir/program.ts";
import type { HyperDefaults, Rule } from "../ir/rule.ts";
import { Trace, type Shape } from "../ir/trace.ts";
import type { RegionCount } from "../memory/adopt.ts";
import type { Parameter } from "../memory/parameter.ts";
import type { ParamGroup } from "./options.ts";

type Group = ParamGroup<HyperDefaults>;

/** Operations on matrices turn them over in two more places, and in two for their products. */
const MATRIX_ROOM = 4;

/**
 * @param groups those of the parameters in question.
 * @param fuse whether all operations run in one pass; else there are temporaries.
 */
export function countRegions(rule: Rule, groups: readonly Group[], fuse: boolean): RegionCount {
  const slots = rule.slots.length;
  return {
    // As many temporaries as slots are enough for most rules; a step that finds too few fails whole.
    most: (fuse ? slots : 2 * slots) + (rule.matrices ? 1 + MATRIX_ROOM : 0),
    exactly: (parameter) =>
      regionsOf(
        rule,
        groups.find(({ params }) => params.includes(parameter))!,
        parameter,
        fuse,
      ),
  };
}

/** What the rule touches in a first step and in a later one. */
function regionsOf(rule: Rule, group: Group, { shape }: Parameter, fuse: boolean): number {
  const trace = new Trace(rule.name, rule.slots);
  let used = 3; // data and gradient, whether the rule looks at them or not
  let temporaries = 0;
  for (const t of [1, 2]) {
    trace.begin(t === 1 ? -1 : 0, rule.matrices ? (shape as Shape) : null);
    const tensors = Object.fromEntries(rule.slots.map((slot, index) => [slot, trace.slot(index)]));
    const remembered = Object.fromEntries(rule.numberLetters.map((letter) => [letter, 0]));
    const numbers = { ...group, ...remembered, t: rule.counted ? t : NaN };
    trace.finish(rule.step(tensors as never, numbers as never));
    const plan = planOf(programOf(trace, { flush: false }), fuse);
    used |= plan.usedMask;
    temporaries = Math.max(temporaries, plan.temporaries);
  }
  const scratch = rule.matrices ? MATRIX_ROOM : 0;
  return rule.slots.filter((_, slot) => (used >> slot) & 1).length + temporaries + scratch;
}
