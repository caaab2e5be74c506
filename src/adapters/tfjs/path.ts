/**
 * How steps reach TensorFlow.js's variables: the interface between the optimizer object, which knows
 * tfjs's ways, and whatever runs the rule over the numbers, by copies or in place.
 *
 * Whoever calls has checked everything that is the same on all paths: that variables are registered,
 * float32 and alive, and that each gradient is a live float32 tensor of its variable's shape.
 */
import type { Tensor, Variable } from "@tensorflow/tfjs-core";
import type { HyperDefaults, Rule, RuleInfo } from "../../ir/rule.ts";
import type { OptimizerOptions } from "../../optim/options.ts";
import type { ParameterState } from "../../optim/state-dict.ts";
import type { Tf } from "./tf.ts";

/** Where the numbers are updated: in the memory of that backend, or in copies. */
export type InPlace = "wasm" | "webgpu" | "no";

/** What a path is made of. */
export interface PathSpec {
  readonly tf: Tf;
  readonly rule: Rule;
  /** Hyperparameters for groups that do not say otherwise, and how to run. */
  readonly options: OptimizerOptions<HyperDefaults>;
  readonly clip: Clipping;
}

/** What is done to gradients in each step, in this order. */
export interface Clipping {
  /** Largest absolute value of an element, as `clipGradValue` has it. */
  readonly value?: number;
  /** Largest norm of all gradients of a step, as `clipGradNorm` has it. */
  readonly norm?: number;
}

/** A group's hyperparameters by name. They may change between steps: read them in each. They are valid. */
export type HyperGroup = Readonly<Record<string, unknown>>;

/** What the optimizer that runs the rule gets in each step: what the group says now. */
export function copyHyper({ hyperNames }: RuleInfo, from: HyperGroup, to: object): void {
  for (const name of hyperNames) (to as Record<string, unknown>)[name] = from[name];
}

/** A variable of the optimizer. Members are compared by identity. */
export interface Member {
  readonly variable: Variable;
  /** What messages and state dicts call it: the variable's name, or one of its own if that is taken. */
  readonly key: string;
  readonly group: HyperGroup;
}

/** A variable and its gradient of this step, which belongs to the caller and must not be written. */
export type Move = readonly [member: Member, gradient: Tensor];

export interface Path {
  readonly inPlace: InPlace;

  /**
   * Whether it can take this step: for instance, whether all tensors are still where it works.
   *
   * @returns `null`, or why it cannot: another path is then chosen, and state moves there.
   */
  unfit(moves: readonly Move[]): string | null;

  /**
   * Takes variables in: for the first step, and whenever others come later. Those whose variable is
   * disposed by now may be forgotten.
   *
   * @param states where each goes on, in the same order; `undefined` begins anew.
   * @throws what the optimizer's constructor and `loadStateDict` throw; nothing has changed then.
   */
  add(members: readonly Member[], states: readonly (ParameterState | undefined)[]): void;

  /**
   * All of a step of these variables that can fail. All of them were added; all others are as without a
   * gradient. {@link run} or {@link skip} comes next, or another step if there was a failure elsewhere.
   *
   * @returns whether to take it: false where it is to be left out because of `nonFinite: "skip"`. A path that
   *   cannot know says true.
   * @throws {DownhillError} before anything is written.
   */
  prepare(moves: readonly Move[]): boolean;

  /** The same where it has to wait for the device; by default {@link prepare}. */
  prepareAsync?(moves: readonly Move[]): Promise<boolean>;

  /** Takes the step that was prepared, of the same variables. */
  run(moves: readonly Move[]): void;

  /** Leaves it out. */
  skip(): void;

  /** Copies of the state of each, empty before its first step; a promise where it has to be read back. */
  states(
    members: readonly Member[],
  ): readonly ParameterState[] | Promise<readonly ParameterState[]>;

  /** Lets go of memory, threads and tensors. Nothing is called afterwards. */
  dispose(): void;
}

/** Makes a path, or says in a clause why it cannot serve here, for `optimizer.why`. */
export type PathMaker = (spec: PathSpec) => Path | string;
