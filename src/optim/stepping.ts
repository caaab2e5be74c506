/** `step`, as optimizers have it whose update needs the gradients once. */
import { Steppable } from "./hooks.ts";
import type { StepOptions } from "./options.ts";

export abstract class Stepping extends Steppable {
  /**
   * Updates every parameter that has a gradient, in place.
   *
   * @param closure computes gradients and returns the loss; it is called once, before the update.
   * @param options what to do in the same pass, see {@link StepOptions}.
   * @returns what the closure returned.
   * @throws {OptionError} if an option, or a hyperparameter that was changed, has a value that it must
   *   not have. Nothing has changed then: no parameter, no state, no count of steps.
   * @throws {BackendError} `WORKER_DIED` if a worker thread ended in the middle. Part of the numbers is
   *   then updated and part is not: `step` and `stateDict` are refused with `NEEDS_RELOAD` until
   *   {@link loadStateDict}.
   */
  step(options?: StepOptions): void;
  step(closure: undefined, options?: StepOptions): void;
  step<T>(closure: () => T extends PromiseLike<unknown> ? never : T, options?: StepOptions): T;
  step<T>(first?: (() => T) | StepOptions, second?: StepOptions): T | undefined {
    const hasClosure = first !== undefined && (typeof first === "function" || second !== undefined);
    const closure = hasClosure ? (first as () => T) : undefined;
    const options = hasClosure ? second : (second ?? (first as StepOptions | undefined));
    if (this.isHooked) return this.stepHooked({ closure, options }) as T | undefined;
    return this.take(closure, options) as T | undefined;
  }
}
