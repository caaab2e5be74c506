// One memory for rows that are to be compared on it: Downhill's fused step and the C limit update the
// very same numbers, so that pages, caches and neighbours are the same for both.

import type { Optimizer, Parameter } from "../index.ts";
import { giveGradients, makeOptimizer, parametersOf } from "./make.ts";
import type { BenchedOptimizer, Workload } from "./contender.ts";

/** Parameters with gradients, and an optimizer for each number of threads, whose state exists. */
export interface SharedArena {
  readonly parameters: readonly Parameter[];
  /** The optimizer on so many threads; it has taken no step yet, or only those that others took. */
  optimizer(threads: number): Optimizer<never>;
  /**
   * Flat views from the first parameter to the last, gaps included: p, g, and that optimizer's state in
   * its rule's order. Take them anew before use: memory may have grown.
   */
  slots(threads: number): readonly Float32Array[];
  /** Gives it up; the last one to do so ends the optimizers. */
  release(): void;
}

class Share implements SharedArena {
  users = 0;
  readonly parameters: Parameter[];
  private readonly kind: BenchedOptimizer;
  private readonly workload: Workload;
  private readonly byThreads = new Map<number, Optimizer<never>>();

  constructor(kind: BenchedOptimizer, workload: Workload) {
    this.kind = kind;
    this.workload = workload;
    this.parameters = parametersOf(workload);
  }

  optimizer(threads: number): Optimizer<never> {
    let optimizer = this.byThreads.get(threads);
    if (!optimizer) {
      optimizer = makeOptimizer(this.kind, this.parameters, { threads });
      if (this.byThreads.size === 0) giveGradients(this.parameters, this.workload);
      this.giveState(optimizer);
      this.byThreads.set(threads, optimizer);
    }
    return optimizer;
  }

  slots(threads: number): readonly Float32Array[] {
    const [state] = this.optimizer(threads).arenas;
    const { arena, regions, start, span } = state!;
    return regions
      .filter((_, slot) => state!.has(slot))
      .map((at) => arena.view(at + 4 * start, span) as Float32Array);
  }

  release(): void {
    if (--this.users > 0) return;
    shares.get(this.workload)?.delete(this.kind);
    for (const optimizer of this.byThreads.values()) optimizer.dispose();
  }

  /** State comes into being with the first step; that step is then undone. */
  private giveState(optimizer: Optimizer<never>): void {
    const before = optimizer.stateDict();
    const values = this.parameters.map(({ data }) => data.slice());
    optimizer.step();
    optimizer.loadStateDict(before);
    this.parameters.forEach((parameter, i) => parameter.data.set(values[i]!));
  }
}

const shares = new WeakMap<Workload, Map<BenchedOptimizer, Share>>();

/** The memory for an optimizer on this very workload: the same one for all who hold it at a time. */
export function acquire(optimizer: BenchedOptimizer, workload: Workload): SharedArena {
  let byOptimizer = shares.get(workload);
  if (!byOptimizer) shares.set(workload, (byOptimizer = new Map()));
  let share = byOptimizer.get(optimizer);
  if (!share) byOptimizer.set(optimizer, (share = new Share(optimizer, workload)));
  share.users++;
  return share;
}
