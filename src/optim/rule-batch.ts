/**
 * What running a rule for parameters that take a step together needs to know of them, and what comes of it:
 * the plans of what the rule did, and its numbers. Where the parameters live is up to the subclasses.
 */
import type { Plans } from "../ir/plan-cache.ts";
import type { Shape } from "../ir/trace.ts";
import type { DType } from "../memory/dtype.ts";
import type { GradChange } from "./grad-change.ts";
import { Ranges } from "./ranges.ts";

export abstract class RuleBatch extends Ranges {
  group = 0;
  steps = 0;
  written = 0;
  /** Whether their gradients consist of rows. */
  sparse = false;
  /** Whether they have rows and columns. */
  isMatrix = false;
  /** What the rule remembers besides tensors, and what it will remember once the step is taken. */
  numbers: number[] = [];
  nextNumbers: number[] = [];
  /** Rows and columns of each parameter, for rules that look at them. */
  shape: Shape | null = null;
  /** The plans of what the rule did last, and the state written when it did. */
  plans!: Plans;
  traced = -1;
  /** Whether the rule did not look at the time then. */
  timeless = false;
  uniforms = new Float64Array(32);
  /** Goes up whenever the numbers change. */
  version = 0;
  /** What the gradients are multiplied by and clamped to before the rule sees them, if anything. */
  gradScale: number | undefined;
  gradLimit: number | undefined;

  abstract get dtype(): DType;

  /**
   * Takes over what happens to the gradients: `change`, then a multiplication by `factor`. Says whether
   * it is what happened in the last step.
   */
  keepsChange(change: GradChange, factor: number | undefined): boolean {
    let scale = factor;
    let limit: number | undefined;
    if (change.scaled) scale = change.scaleOf(this.group) * (factor ?? 1);
    if (change.limited) limit = change.limitOf(this.group, factor);
    const same = scale === this.gradScale && limit === this.gradLimit;
    this.gradScale = scale;
    this.gradLimit = limit;
    return same;
  }

  /** Whether they remember these numbers, and no others. */
  protected remembers(numbers: readonly number[]): boolean {
    const count = Math.max(numbers.length, this.numbers.length);
    for (let i = 0; i < count; i++) if (numbers[i] !== this.numbers[i]) return false;
    return true;
  }

  /** Whether a shape is theirs, or does not matter. */
  protected hasShape(shape: readonly number[]): boolean {
    const own = this.shape;
    return !own || (own[0] === shape[0] && own[1] === shape[1]);
  }
}
