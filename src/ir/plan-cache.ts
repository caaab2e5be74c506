/** Plans by the tapes they were made from, so that each structure is compiled once. */
import { planOf, type Plan } from "./plan.ts";
import { programOf, type PassOptions } from "./program.ts";
import type { Trace } from "./trace.ts";

export interface PlanCacheOptions extends PassOptions {
  /** All operations in as few kernels as possible, or one kernel for each. */
  readonly fuse: boolean;
}

export class PlanCache {
  private readonly options: PlanCacheOptions;
  private readonly known: { readonly tape: Int32Array; readonly plan: Plan }[] = [];

  constructor(options: PlanCacheOptions) {
    this.options = options;
  }

  /** The plan of what the trace holds, if it has been made. */
  find(trace: Trace): Plan | undefined {
    for (let i = 0; i < this.known.length; i++) {
      if (trace.matches(this.known[i]!.tape)) return this.known[i]!.plan;
    }
    return undefined;
  }

  /** @throws {RuleError} if what the trace holds is not a program. */
  make(trace: Trace): Plan {
    const plan = planOf(programOf(trace, this.options), this.options.fuse);
    this.known.push({ tape: trace.tape.slice(0, trace.length), plan });
    return plan;
  }
}
