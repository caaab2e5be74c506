/**
 * One optimizer at work for a chain: the memory of a part of it that runs in a single pass.
 *
 * Gradients go in as plain arrays and updates come out as views, so the parts of a chain hand each other
 * numbers without a way through jax-js.
 */
import { scaleAll, getTotalNorm } from "../../../optim/clip.ts";
import { Optimizer } from "../../../optim/optimizer.ts";
import type { ParamGroupInput, OptimizerOptions } from "../../../optim/options.ts";
import type { Loading } from "../../../optim/load.ts";
import type { StateDict } from "../../../optim/state-dict.ts";
import type { HyperDefaults, Rule } from "../../../ir/rule.ts";
import { parameter } from "../../../memory/create.ts";
import type { DType, TypedArray } from "../../../memory/dtype.ts";
import type { Parameter } from "../../../memory/parameter.ts";
import { UPDATE, type Schedule } from "./link.ts";

/** What is known of a leaf before there are numbers. */
export interface LeafFacts {
  readonly name: string | undefined;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** A part of a chain: what it does, and where its numbers come from. */
export interface Segment {
  readonly rule: Rule;
  readonly options: OptimizerOptions<HyperDefaults>;
  readonly schedules: ReadonlyMap<string, Schedule>;
  /** The largest norm of what comes in, or Infinity. */
  readonly maxNorm: number;
  readonly usesParams: boolean;
  /** Hyperparameters of single leaves, and state that is there from the beginning. */
  readonly perLeaf: (leaf: number) => LeafSettings;
}

export interface LeafSettings {
  readonly hyper: Readonly<Record<string, number>>;
  readonly state: Readonly<Record<string, TypedArray>>;
}

export class Run {
  readonly segment: Segment;
  readonly parameters: readonly Parameter[];
  readonly optimizer: Optimizer;
  private views: readonly TypedArray[] | undefined;

  constructor(segment: Segment, leaves: readonly LeafFacts[]) {
    this.segment = segment;
    this.parameters = leaves.map(({ name, shape, dtype }) =>
      parameter({ ...(name !== undefined && { name }), shape, dtype }),
    );
    const { groups, state } = settle(segment, this.parameters);
    this.optimizer = new Optimizer(segment.rule, groups, segment.options);
    if (Object.keys(state).length === 0) return;
    this.optimizer.loadStateDict({ ...this.optimizer.stateDict(), state });
  }

  /** Sets what goes by a schedule. @throws what a schedule throws. */
  schedule(count: number): void {
    const values = [...this.segment.schedules].map(
      ([name, value]) => [name, value(count)] as const,
    );
    for (const group of this.optimizer.paramGroups)
      Object.assign(group, Object.fromEntries(values));
  }

  /**
   * Takes a step.
   *
   * @returns the updates, as views that the next step changes; undefined if the step was left out, see the
   *   option `nonFinite`.
   */
  step(gradients: readonly TypedArray[]): readonly TypedArray[] | undefined {
    const { optimizer, parameters, segment } = this;
    parameters.forEach((each, i) => (each.grad = gradients[i]!));
    if (segment.maxNorm !== Infinity) {
      const norm = getTotalNorm(optimizer);
      if (!(norm < segment.maxNorm)) scaleAll([optimizer], segment.maxNorm / norm);
    }
    const skipped = optimizer.skippedSteps;
    optimizer.step();
    return optimizer.skippedSteps === skipped ? this.updates() : undefined;
  }

  /** A copy that goes its own way. */
  fork(): Run {
    const copy = new Run(this.segment, this.parameters);
    copy.parameters.forEach((each, i) => (each.data = this.parameters[i]!.data));
    copy.optimizer.loadStateDict(this.optimizer.stateDict());
    return copy;
  }

  /** The optimizer's state dict, without the last update, which is only passing through. */
  stateDict(): StateDict {
    const dict = this.optimizer.stateDict();
    for (const state of Object.values(dict.state)) delete state[UPDATE];
    return dict;
  }

  /** Loads what was prepared; hyperparameters stay. */
  load(loading: Loading): void {
    const { optimizer } = this;
    const hyper = optimizer.paramGroups.map(({ params: _, ...numbers }) => numbers);
    optimizer.commitLoad(loading);
    optimizer.paramGroups.forEach((group, i) => Object.assign(group, hyper[i]));
  }

  private updates(): readonly TypedArray[] {
    const [first] = this.views ?? [];
    if (first !== undefined && first.length === this.parameters[0]!.size) return this.views!;
    const states = new Map(this.optimizer.states());
    return (this.views = this.parameters.map((each) => states.get(each)![UPDATE] as TypedArray));
  }
}

/** Leaves of equal hyperparameters become a group. */
function settle({ perLeaf }: Segment, parameters: readonly Parameter[]) {
  const groups = new Map<string, ParamGroupInput<HyperDefaults> & { params: Parameter[] }>();
  const state: Record<string, Record<string, number | TypedArray>> = Object.create(null);
  parameters.forEach((each, i) => {
    const settings = perLeaf(i);
    const key = JSON.stringify(settings.hyper);
    const group = groups.get(key);
    if (group) group.params.push(each);
    else groups.set(key, { ...settings.hyper, params: [each] });
    if (Object.keys(settings.state).length > 0) {
      state[each.name ?? String(i)] = { step: 0, ...settings.state };
    }
  });
  return { groups: [...groups.values()], state };
}
