/** How many regions of a tensor's size a rule needs: for data, gradient, state and temporaries. */
import { lineRunnerOf } from "../backend/lines/engine.ts";
import { scratchBytes } from "../backend/matrix/operation.ts";
import { planOf, type Plan } from "../ir/plan.ts";
import { programOf } from "../ir/program.ts";
import type { Domain } from "../ir/rank.ts";
import type { HyperDefaults, Rule } from "../ir/rule.ts";
import { Trace, type Shape } from "../ir/trace.ts";
import type { RegionCount } from "../memory/adopt.ts";
import { bytesOf } from "../memory/dtype.ts";
import { matrixPlace } from "../memory/matrix-place.ts";
import type { Parameter } from "../memory/parameter.ts";
import type { ParamGroup } from "./options.ts";

type Group = ParamGroup<HyperDefaults>;

/**
 * @param groups those of the parameters in question.
 * @param fuse whether all operations run in one pass; else there are temporaries.
 */
export function countRegions(rule: Rule, groups: readonly Group[], fuse: boolean): RegionCount {
  const slots = rule.slots.length;
  // As many temporaries as slots are enough for most rules; a step that finds too few fails whole.
  const most = fuse ? slots : 2 * slots;
  const hasLines = rule.slotRanks.some((rank) => rank !== "tensor");
  return {
    // What rows and columns need may be as much as tensors do where there is but one of them.
    most: (hasLines ? 2 * most : most) + (rule.matrices ? 1 : 0),
    exactly: (parameter) => {
      const group = groups.find(({ params }) => params.includes(parameter))!;
      return regionsOf(rule, group, fuse, parameter);
    },
    scratch: (parameter) => {
      if (!rule.matrices) return 0;
      const group = groups.find(({ params }) => params.includes(parameter))!;
      const plans = plansOf(rule, group, fuse, parameter);
      const { shape, dtype } = parameter;
      return Math.max(...plans.map((plan) => scratchBytes(plan, shape as Shape, dtype)));
    },
  };
}

/** What the rule touches in a first step and in a later one. */
function regionsOf(rule: Rule, group: Group, fuse: boolean, parameter: Parameter): number {
  const { shape, dtype, size } = parameter;
  const place = matrixPlace(shape, { tensor: 0, row: 0, column: 0 });
  /** Which part of a tensor something has as many elements as. */
  const share = (rank: Domain) => (rank === "tensor" ? 1 : (place?.sizes[rank] ?? 0) / size);
  let used = 3; // data and gradient, whether the rule looks at them or not
  let temporaries = 0;
  for (const plan of plansOf(rule, group, fuse, parameter)) {
    used |= plan.usedMask;
    const needed = plan.temporaryRanks.reduce((sum, rank) => sum + share(rank), 0);
    const sums = place ? (lineRunnerOf(plan)?.sumBytes(plan, [place]) ?? 0) : 0;
    temporaries = Math.max(temporaries, needed + sums / (size * bytesOf(dtype)));
  }
  const shareOf = (slot: number) =>
    share(rule.slotRanks[slot]!) * (rule.stateStorage?.slots[slot] === "bfloat16" ? 0.5 : 1);
  const slots = rule.slots.map((_, slot) => ((used >> slot) & 1 ? shareOf(slot) : 0));
  return Math.ceil(slots.reduce((sum, part) => sum + part, 0) + temporaries);
}

/** The plans of a first step and of a later one. */
function plansOf(rule: Rule, group: Group, fuse: boolean, { shape, dtype }: Parameter): Plan[] {
  const place = matrixPlace(shape, { tensor: 0, row: 0, column: 0 });
  const trace = new Trace(rule.name, rule.slots, rule.slotRanks, rule.stateStorage);
  return [1, 2].map((t) => {
    const fixed = rule.matrices ? (shape as Shape) : null;
    trace.begin(t === 1 ? -1 : 0, fixed, place !== null, dtype);
    const tensors = Object.fromEntries(rule.slots.map((slot, index) => [slot, trace.slot(index)]));
    const remembered = Object.fromEntries(rule.numberLetters.map((letter) => [letter, 0]));
    const numbers = { ...group, ...remembered, t: rule.counted ? t : NaN };
    trace.finish(rule.step(tensors as never, numbers as never));
    return planOf(programOf(trace, { flush: false }), fuse);
  });
}
