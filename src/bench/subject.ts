// What is benched: the rules of the catalog, with their defaults. What a step must move is read off
// each rule's own plan.

import type { HyperDefaults, OptimizerOptions, Rule } from "../index.ts";
import { countSlots, loadMaskOf, planOfRule } from "../ir/rule-plan.ts";
import { checkOptions } from "../optim/options.ts";
import { catalog, findRule } from "../training/catalog.ts";
import type { OptionValue } from "../training/experiment.ts";
import { benchedOptimizers, hyperparameters, type BenchedOptimizer } from "./contender.ts";

export interface Subject {
  readonly rule: Rule<HyperDefaults>;
  /** Whatever is left out has the rule's default. */
  readonly options: Readonly<Record<string, OptionValue>>;
  /** Bytes that a fused step must move per float32 parameter: every tensor read and written once. */
  readonly bytes: number;
  /** The same as the memory sees it: what is only written is read before, a line at a time. */
  readonly traffic: number;
  /** Bytes that lie in memory for each float32 parameter: p, g and the state. */
  readonly workingSet: number;
  /** Whether one kernel over each element is the whole step. */
  readonly isElementwise: boolean;
}

/** The first steps of some rules are unlike the rest. */
const LATER_STEP = 10;
const known = new Map<BenchedOptimizer, Subject>();

/** @param optimizer a rule of the catalog, or `momentum`, which is SGD's. */
export function subjectOf(optimizer: BenchedOptimizer): Subject {
  let subject = known.get(optimizer);
  if (!subject) known.set(optimizer, (subject = lookUp(optimizer)));
  return subject;
}

function lookUp(optimizer: BenchedOptimizer): Subject {
  const isMomentum = optimizer === "momentum";
  const name = isMomentum ? "sgd" : optimizer;
  const options = isMomentum ? hyperparameters.momentum : {};
  const rule = findRule(name);
  const { defaults } = checkOptions(rule, options as OptimizerOptions<HyperDefaults>);
  const { plan } = planOfRule(rule, defaults, { dtype: "float32", t: LATER_STEP });
  const [loads, stores] = [loadMaskOf(plan), plan.storeMask];
  const accesses = plan.lines ? plan.accesses : countSlots(loads) + countSlots(stores);
  return {
    rule,
    options,
    bytes: 4 * accesses,
    traffic: 4 * (countSlots(loads | stores) + countSlots(stores)),
    workingSet: 4 * (2 + countSlots(plan.usedMask & ~3)),
    isElementwise: plan.stages.length === 1,
  };
}

/** All names that can be benched: the article's five first. */
export function subjects(): BenchedOptimizer[] {
  return [...new Set<BenchedOptimizer>([...benchedOptimizers, ...Object.keys(catalog)])];
}

/** Those of which one kernel over each element is the whole step. */
export function elementwiseSubjects(): BenchedOptimizer[] {
  return subjects().filter((name) => subjectOf(name).isElementwise);
}
