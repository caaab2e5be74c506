// What the memory can do, as WebAssembly reaches it: reading and writing one array in place, over as much
// memory as the step uses, by the same backend and the same threads as the steps.

import { BoundPlan } from "../backend/bound-plan.ts";
import { selectBackend } from "../backend/select.ts";
import { planOf } from "../ir/plan.ts";
import { programOf } from "../ir/program.ts";
import { Trace } from "../ir/trace.ts";
import { Arena } from "../memory/arena.ts";
import type { BenchedOptimizer, Contender, Runner, Workload } from "./contender.ts";
import { subjectOf } from "./subject.ts";
import { timed } from "./values.ts";

/** On one thread and on all, as rows that take turns with the steps. */
export function copies(
  optimizer: BenchedOptimizer,
  workload: Workload,
  threads: number,
): readonly Contender[] {
  const bytes = subjectOf(optimizer).workingSet * workload.parameters;
  const shared = new SharedArray(bytes);
  return (threads > 1 ? [1, threads] : [1]).map((count) => ({
    key: count === 1 ? "copy-1" : "copy",
    label: `The memory, ${count} thread${count > 1 ? "s" : ""}`,
    family: "memory",
    threads: count,
    bytes: 2 * bytes,
    prepare: () => Promise.resolve(runnerOf(shared, count)),
  }));
}

/** One array for all who read and write it. */
class SharedArray {
  readonly bytes: number;
  private users = 0;
  private made: { readonly pass: (threads: number) => void } | null = null;

  constructor(bytes: number) {
    this.bytes = bytes;
  }

  acquire(): (threads: number) => void {
    this.users++;
    this.made ??= { pass: scaling(this.bytes / Float32Array.BYTES_PER_ELEMENT) };
    return this.made.pass;
  }

  release(): void {
    if (--this.users === 0) this.made = null;
  }
}

function runnerOf(shared: SharedArray, threads: number): Runner {
  const backend = selectBackend("auto");
  const user = {};
  const pass = shared.acquire();
  const step = (): void => pass(backend.threadsFor?.(2 * shared.bytes, threads, user) ?? 1);
  return {
    run: (steps) => Promise.resolve(timed(step, steps)),
    close: () => {
      backend.release?.(user);
      shared.release();
      return Promise.resolve();
    },
  };
}

/** Multiplies all elements of an array by one. */
function scaling(size: number): (threads: number) => void {
  const trace = new Trace("copy", ["p", "g"]);
  trace.begin(0);
  trace.finish({ p: trace.slot(0).mul(1) });
  const plan = planOf(programOf(trace, { flush: false }), true);
  const arena = new Arena("float32", 4 * size);
  const at = arena.allocate(4 * size);
  (arena.view(at, size) as Float32Array).fill(0.5);
  const bound = new BoundPlan(plan, selectBackend("auto"), arena, [], size);
  bound.load(trace.uniforms.slice(0, trace.uniformCount), 0);
  bound.place([at]);
  const range = [0, size];
  return (threads) => bound.runKernelByKernel(range, 1, threads);
}
