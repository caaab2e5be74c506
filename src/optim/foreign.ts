/**
 * An optimizer for parameters in someone else's memory: each has its values and its gradient at addresses
 * of their own, which may be others in each step, while state lies side by side as always.
 *
 * Kernels see elements counted from one pointer for each tensor of the rule. So a parameter runs by itself,
 * with pointers from which the elements of its values and of its gradient have the numbers that its state
 * has. All else is as in any optimizer, and the bits are.
 */
import { REDUCTION_BLOCK, type Backend, type BoundKernel } from "../backend/backend.ts";
import { BoundPlan } from "../backend/bound-plan.ts";
import { OptionError, Prose } from "../errors.ts";
import type { KernelIr } from "../ir/plan.ts";
import type { HyperDefaults, Rule } from "../ir/rule.ts";
import { ALIGNMENT } from "../memory/arena.ts";
import type { ForeignParameter } from "../memory/foreign.ts";
import type { Batch } from "./batch.ts";
import type { Entry } from "./entry.ts";
import { Gradients, type Question } from "./gradients.ts";
import { Optimizer } from "./optimizer.ts";
import type { CheckedPlan, OptimizerOptions, ParamsInput, StepOptions } from "./options.ts";
import { Stepper } from "./stepper.ts";

const BYTES = Float32Array.BYTES_PER_ELEMENT;
const ELEMENTS_APART = ALIGNMENT / BYTES;

/** Where element 0 would lie if a parameter's elements had the numbers that its state has. */
const origin = (address: number, { home }: Entry) => address - home.offset * BYTES;

class ForeignStepper extends Stepper {
  private readonly range: [number, number] = [0, 0];

  constructor(rule: Rule, options: CheckedPlan, backend: Backend) {
    super(rule, { ...options, foreach: false }, backend);
  }

  protected override runBatch(batch: Batch): void {
    const { entries, entryCount, shape, plan } = batch;
    const { range, threads } = this;
    // Nothing belongs to the tensor at hand but its pointers.
    const isPlain = !plan.perTensor && plan.temporaries === 0;
    const { bound: plans, regions } = batch.arena;
    const bound = plans.get(plan)!;
    bound.load(batch.uniforms, batch.version);
    for (let i = 0; i < entryCount; i++) {
      const entry = entries[i]!;
      const { dataAt, gradAt, size } = entry.parameter as ForeignParameter;
      regions[0] = origin(dataAt, entry);
      regions[1] = origin(gradAt, entry);
      bound.place(regions);
      range[0] = entry.home.offset;
      range[1] = entry.home.offset + size;
      if (!(bound instanceof BoundPlan)) bound.run(entry.matrix!, threads);
      else if (isPlain) bound.runKernelByKernel(range, 1, threads);
      else bound.runRangeByRange(range, 1, threads, shape);
    }
  }
}

/** Reduces tensor by tensor what would be one range if the gradients lay side by side. */
class ForeignGradients extends Gradients {
  protected override reduce(
    question: Question,
    kernel: BoundKernel,
    a: number,
    group: number,
  ): number {
    const { total } = this;
    let answer = 0;
    let block = 0;
    let next = -1;
    const finish = (): void => {
      kernel.finishBlock(total);
      answer = question.join(answer, total[0]!);
      total[0] = 0;
    };
    total[0] = 0;
    for (const entry of this.arenas[a]!.entries) {
      const parameter = entry.parameter as ForeignParameter;
      if (entry.group !== group || !parameter.hasGrad) continue;
      const begin = entry.home.offset;
      const end = begin + parameter.size;
      if (begin !== next) {
        if (next >= 0) finish();
        block = begin;
      }
      kernel.setPointer(0, origin(parameter.gradAt, entry));
      for (let from = begin; from < end;) {
        if (from === block + REDUCTION_BLOCK) {
          kernel.finishBlock(total);
          block = from;
        }
        const to = Math.min(end, block + REDUCTION_BLOCK);
        kernel.reducePiece(from, to);
        from = to;
      }
      next = Math.ceil(end / ELEMENTS_APART) * ELEMENTS_APART;
    }
    if (next >= 0) finish();
    return answer;
  }

  protected override kernelOf(question: Question, clamped: boolean): KernelIr {
    return { ...super.kernelOf(question, clamped), continues: true };
  }
}

/** @internal Its parameters are made by `foreignParameters`; each step wants them placed anew. */
export class ForeignOptimizer extends Optimizer {
  /** @throws as any optimizer's constructor, and {BackendError} `OUT_OF_MEMORY`. */
  constructor(
    rule: Rule,
    params: ParamsInput<HyperDefaults, ForeignParameter>,
    options: OptimizerOptions<HyperDefaults>,
  ) {
    super(rule as never, params as never, options as never);
  }

  protected override get machinery(): { Stepper: typeof Stepper; Gradients: typeof Gradients } {
    return { Stepper: ForeignStepper, Gradients: ForeignGradients };
  }

  override prepareStep(options: StepOptions): boolean {
    if (options.zeroGrad) this.refuseZeros("step");
    return super.prepareStep(options);
  }

  override zeroGrad(options: { setToNull?: boolean } = {}): void {
    if (options?.setToNull === false) this.refuseZeros("zeroGrad");
    super.zeroGrad(options);
  }

  /** Frees all memory on the heap: the optimizer is then as it was before its first step. */
  override dispose(): void {
    super.dispose();
    this.stepper.startOver();
    this.gradients.forgetKernels();
    for (const arena of this.arenas) arena.free();
  }

  private refuseZeros(method: string): never {
    throw new OptionError("READ_ONLY", {
      subject: `${this.rule.name}: ${method}`,
      got: new Prose("gradients that are to become zero"),
      expected: "gradients to be left alone, as their memory belongs to someone else",
    });
  }
}
