/** Plans by the tapes they were made from, so that each structure is compiled once. */
import { Op } from "./op.ts";
import { planOf, type Plan } from "./plan.ts";
import { programOf, type PassOptions } from "./program.ts";
import type { Trace } from "./trace.ts";

export interface PlanCacheOptions extends PassOptions {
  /** All operations in as few kernels as possible, or one kernel for each. */
  readonly fuse: boolean;
}

/** The plans of one structure: with and without a flush of the state; often one and the same. */
export interface Plans {
  readonly usual: Plan;
  readonly flushing: Plan;
}

export class PlanCache {
  private readonly options: PlanCacheOptions;
  /** The plans of the last run. */
  private last: Plans | undefined;
  private readonly known: { readonly tape: Int32Array; readonly plans: Plans }[] = [];

  constructor(options: PlanCacheOptions) {
    this.options = options;
  }

  /**
   * The plans of what the trace holds, if they have been made. It is to be asked after every run of
   * the rule: one that repeats the run before it has the same plans.
   */
  find(trace: Trace): Plans | undefined {
    if (this.last && trace.repeats) return this.last;
    this.last = this.known.find(({ tape }) => trace.matches(tape))?.plans;
    return this.last;
  }

  /** @throws {RuleError} if what the trace holds is not a program. */
  make(trace: Trace): Plans {
    const { flush, fuse } = this.options;
    const flushing = planOf(programOf(trace, { flush }), fuse);
    const flushes = flushing.program.nodes.some(({ op }) => op === Op.flush);
    const usual = flushes ? planOf(programOf(trace, { flush: false }), fuse) : flushing;
    const plans = { usual, flushing };
    this.known.push({ tape: trace.tape.slice(0, trace.length), plans });
    return (this.last = plans);
  }
}
