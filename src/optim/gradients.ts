/**
 * The gradients of an optimizer as a whole: what the next step does to them, and what they are like.
 *
 * A question such as "how large is the largest?" is a kernel that reduces. It reads the flat memory in
 * which the gradients lie side by side, once, on as many threads as the last step had, and sees them as the
 * rule will: scaled and clamped. The answer depends on the gradients alone, whatever the plan, the backend
 * and the number of threads are.
 */
import type { Backend, BoundKernel } from "../backend/backend.ts";
import { planOf, type KernelIr } from "../ir/plan.ts";
import { programOf } from "../ir/program.ts";
import type { Scalar, Tensor } from "../ir/expr.ts";
import { Trace } from "../ir/trace.ts";
import { maxAbs } from "../ir/words.ts";
import { gradientChanges } from "../memory/parameter.ts";
import type { ArenaState } from "./entry.ts";
import { changedGradient, GradChange } from "./grad-change.ts";
import { Ranges } from "./ranges.ts";

/** What may be asked of gradients. */
export interface Question {
  readonly reduce: (x: Tensor) => Scalar;
  /** The answer for c·x is |c|^degree times that for x. */
  readonly degree: 1 | 2;
  /** How the answers for two ranges make one. */
  readonly join: (a: number, b: number) => number;
}

/** max |x|, which is finite if and only if all gradients are. */
export const largest: Question = { reduce: maxAbs, degree: 1, join: Math.max };

/** Who takes the steps. */
interface Runner {
  readonly backend: Backend;
  /** How many threads the last step used. */
  readonly threads: number;
}

export class Gradients {
  readonly change = new GradChange();
  readonly arenas: readonly ArenaState[];
  private readonly runner: Runner;
  private readonly groups: readonly object[];
  /** By arena and group. */
  private readonly parts: Ranges[][] = [];
  /** By arena and question: for gradients as they are, and for clamped ones. */
  private readonly kernels: Map<Question, [BoundKernel?, BoundKernel?]>[] = [];
  private answers = new Float64Array(1);
  protected readonly total = new Float64Array(1);
  private changesSeen = -1;
  private entriesSeen = 0;

  constructor(runner: Runner, arenas: readonly ArenaState[], groups: readonly object[]) {
    this.runner = runner;
    this.arenas = arenas;
    this.groups = groups;
  }

  get groupCount(): number {
    return this.groups.length;
  }

  /**
   * The answer for each group, 0 where it has no gradient; valid until the next question.
   *
   * @param factor multiplies all gradients once they are changed.
   */
  ask(question: Question, factor = 1): Float64Array {
    this.gather();
    if (this.answers.length < this.groupCount) this.answers = new Float64Array(this.groupCount);
    const { answers, parts } = this;
    answers.fill(0);
    for (let a = 0; a < parts.length; a++) {
      const byGroup = parts[a]!;
      for (let group = 0; group < byGroup.length; group++) {
        if (byGroup[group]!.rangeCount === 0) continue;
        const answer = this.askPart(question, a, group, factor);
        answers[group] = question.join(answers[group]!, answer);
      }
    }
    return answers;
  }

  /** Whether all gradients are finite, multiplied by `factor`. Reads them unless a norm has told. */
  areFinite(factor = 1): boolean {
    const { change, groupCount } = this;
    if (change.isFinite(groupCount, factor)) return true;
    const answers = this.ask(largest, factor);
    for (let group = 0; group < groupCount; group++) {
      if (!Number.isFinite(answers[group])) return false;
    }
    return true;
  }

  private askPart(question: Question, a: number, group: number, factor: number): number {
    const { change } = this;
    const scale = change.scaleOf(group);
    const limit = change.limitOf(group);
    const kernel = this.kernelFor(question, a, limit !== undefined);
    if (limit !== undefined) {
      kernel.setUniform(0, scale);
      kernel.setUniform(1, -limit);
      kernel.setUniform(2, limit);
    }
    const answer = this.reduce(question, kernel, a, group);
    const outer = Math.abs(limit === undefined ? scale * factor : factor);
    if (question.degree === 2) return answer * outer * outer;
    const rounds = question === largest && this.arenas[a]!.arena.dtype === "float32";
    return rounds ? Math.fround(answer * Math.fround(outer)) : answer * outer;
  }

  /** The answer of one arena and group, of gradients before they are scaled. */
  protected reduce(question: Question, kernel: BoundKernel, a: number, group: number): number {
    const { ranges, rangeCount } = this.parts[a]![group]!;
    const { total } = this;
    let answer = 0;
    for (let r = 0; r < rangeCount; r++) {
      kernel.reduce(ranges[2 * r]!, ranges[2 * r + 1]!, total, this.runner.threads);
      answer = question.join(answer, total[0]!);
    }
    return answer;
  }

  private kernelFor(question: Question, a: number, clamped: boolean): BoundKernel {
    const kernels = (this.kernels[a] ??= new Map<Question, [BoundKernel?, BoundKernel?]>());
    let pair = kernels.get(question);
    if (!pair) kernels.set(question, (pair = []));
    return (pair[clamped ? 1 : 0] ??= this.bind(question, a, clamped));
  }

  private bind(question: Question, a: number, clamped: boolean): BoundKernel {
    const state = this.arenas[a]!;
    const { arena, regions, span } = state;
    const compiled = this.runner.backend.compile(this.kernelOf(question, clamped), arena.dtype);
    const kernel = compiled.bind(arena, (bytes) => state.allocate(bytes), span);
    kernel.setPointer(0, regions[1]!);
    return kernel;
  }

  protected kernelOf(question: Question, clamped: boolean): KernelIr {
    return kernelOf(question, clamped);
  }

  /** Forgets the kernels: their memory is about to be freed. */
  forgetKernels(): void {
    this.kernels.length = 0;
  }

  /** Finds out where gradients lie, unless it is known. */
  private gather(): void {
    const { arenas, parts } = this;
    let entries = 0;
    for (let a = 0; a < arenas.length; a++) entries += arenas[a]!.entries.length;
    if (gradientChanges.count === this.changesSeen && entries === this.entriesSeen) return;
    if (entries !== this.entriesSeen) this.forgetKernels(); // they know how large the largest range is
    this.changesSeen = gradientChanges.count;
    this.entriesSeen = entries;
    for (let a = 0; a < arenas.length; a++) {
      const byGroup = (parts[a] ??= []);
      while (byGroup.length < this.groupCount) byGroup.push(new Ranges());
      for (let group = 0; group < byGroup.length; group++) byGroup[group]!.clearRanges();
      const all = arenas[a]!.entries;
      for (let i = 0; i < all.length; i++) {
        const entry = all[i]!;
        if (entry.parameter.hasGrad) byGroup[entry.group]!.addGradient(entry, true);
      }
    }
  }
}

/** Its uniforms, where it clamps: the scale, the lower and the upper limit. */
function kernelOf({ reduce }: Question, clamped: boolean): KernelIr {
  const trace = new Trace("gradients", ["g"]);
  trace.begin(0);
  const g = trace.slot(0);
  trace.finish({ g }, false, reduce(clamped ? changedGradient(g, 1, 1) : g));
  return planOf(programOf(trace, { flush: false }), true).stages[0]!.kernel;
}
