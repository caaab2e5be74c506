/**
 * Steps with the mean gradient of several small batches, for batches too large to be computed at once.
 *
 * Gradients add up where they lie; the division is part of the step. What an interrupted run has added
 * up so far belongs to the state, so that it can go on where it was.
 */
import { StateDictError } from "../errors.ts";
import { dtypeOf, type TypedArray } from "../memory/dtype.ts";
import type { Parameter } from "../memory/parameter.ts";
import type { CoalescedGradient } from "../memory/rows.ts";
import { scaleAll } from "./clip.ts";
import type { Entry } from "./entry.ts";
import { check, optimizersOf, stepAll, type GradientSource } from "./gradient-source.ts";
import type { Optimizer } from "./optimizer.ts";

/** What an accumulator remembers; plain data that `structuredClone` and workers take. */
export interface GradAccumulatorState {
  /** Batches since the last step. */
  readonly count: number;
  /** For each optimizer the gradients added up since then, by parameter name; of rows as they are read. */
  readonly gradients: readonly Readonly<Record<string, TypedArray | CoalescedGradient>>[];
}

/**
 * Counts small batches and takes a step with their mean gradient after every so many of them.
 *
 * @example
 * const accumulator = new GradAccumulator(optimizer, 8, () => {
 *   clipGradNorm(optimizer, 1); // the norm of the mean
 *   optimizer.step();
 * });
 * for (const batch of batches) {
 *   backward(batch); // adds to the gradients, as parameter.addGrad() does
 *   accumulator.step();
 * }
 * accumulator.flush(); // the batches that are left over
 */
export class GradAccumulator {
  private readonly source: GradientSource;
  private readonly every: number;
  private readonly take: () => unknown;
  private batches = 0;

  /**
   * @param every a whole number of batches, from 1 on.
   * @param take takes the step; by default `optimizer.step()`. Gradients have their mean's size in it,
   *   and are `null` afterwards.
   * @throws {OptionError} `BAD_OPTION`.
   */
  constructor(source: GradientSource, every: number, take?: () => unknown) {
    optimizersOf("GradAccumulator", source);
    const isCount = Number.isSafeInteger(every) && every >= 1;
    check("GradAccumulator: every", every, isCount, "a whole number from 1 on");
    const isFunction = take === undefined || typeof take === "function";
    check("GradAccumulator: take", take, isFunction, "a function that takes a step");
    this.source = source;
    this.every = every;
    this.take = take ?? (() => stepAll(source));
  }

  /** Batches since the last step. */
  get count(): number {
    return this.batches;
  }

  /** To be called after each batch, once its gradients are added. @returns whether a step was taken. */
  step(): boolean {
    this.batches++;
    return this.batches >= this.every && this.flush();
  }

  /**
   * Takes a step with the mean of the batches since the last one, if there are any.
   *
   * @returns whether there were.
   * @throws what the step throws; gradients and count are what they were then, so that it can be called
   *   again.
   */
  flush(): boolean {
    if (this.batches === 0) return false;
    const optimizers = this.optimizers();
    scaleAll(optimizers, 1 / this.batches);
    try {
      this.take();
    } catch (error) {
      for (const { gradients } of optimizers) gradients.change.forget();
      throw error;
    }
    for (const optimizer of optimizers) optimizer.zeroGrad();
    this.batches = 0;
    return true;
  }

  /** A copy of the count and of the gradients added up so far. */
  stateDict(): GradAccumulatorState {
    const gradients = this.optimizers().map((optimizer) => {
      const saved = Object.create(null) as Record<string, TypedArray | CoalescedGradient>;
      for (const { key, parameter } of entriesOf(optimizer)) {
        const gradient = parameter.grad?.slice() ?? parameter.sparseGrad;
        if (this.batches > 0 && gradient) saved[key] = gradient;
      }
      return saved;
    });
    return { count: this.batches, gradients };
  }

  /**
   * Goes on from a copy: sets the count and all gradients.
   *
   * @throws {StateDictError} `STATE_MISMATCH` if it does not fit; nothing has changed then.
   */
  loadStateDict(stateDict: GradAccumulatorState): void {
    const optimizers = this.optimizers();
    checkState(stateDict, optimizers, this.every);
    optimizers.forEach((optimizer, i) => {
      const saved = stateDict.gradients[i]!;
      optimizer.zeroGrad();
      for (const { key, parameter } of entriesOf(optimizer)) {
        if (!Object.hasOwn(saved, key)) continue;
        const gradient = saved[key]!;
        if ("indices" in gradient) parameter.sparseGrad = gradient;
        else parameter.grad = gradient;
      }
    });
    this.batches = stateDict.count;
  }

  private optimizers(): readonly Optimizer[] {
    return optimizersOf("GradAccumulator", this.source);
  }
}

function entriesOf({ arenas }: Optimizer): Entry[] {
  return arenas.flatMap(({ entries }) => entries);
}

/** Whether it is a gradient of rows that the parameter has. */
function areRows(gradient: unknown, { shape, size, dtype }: Parameter): boolean {
  const { indices, values } = (gradient ?? {}) as Partial<CoalescedGradient>;
  const [rows] = shape;
  if (!(indices instanceof Uint32Array) || rows === undefined) return false;
  const fits = dtypeOf(values) === dtype && values!.length * rows === indices.length * size;
  return fits && indices.every((row) => row < rows);
}

function checkState(
  state: GradAccumulatorState,
  optimizers: readonly Optimizer[],
  every: number,
): void {
  const refuse = (what: string, got: unknown, expected: string): never => {
    const subject = `GradAccumulator: ${what}`;
    throw new StateDictError("STATE_MISMATCH", { subject, got, expected });
  };
  const { count, gradients } = (state ?? {}) as Partial<GradAccumulatorState>;
  const isCount = Number.isSafeInteger(count) && count! >= 0 && count! < every;
  if (!isCount) refuse("count", count, `a whole number from 0 to ${every - 1}`);
  if (!Array.isArray(gradients) || gradients.length !== optimizers.length) {
    refuse("gradients", gradients, `gradients for each of ${optimizers.length}`);
  }
  optimizers.forEach((optimizer, i) => {
    const entries = new Map(entriesOf(optimizer).map((entry) => [entry.key, entry]));
    for (const [key, values] of Object.entries(gradients![i] ?? {})) {
      const what = `gradient of ${JSON.stringify(key)}`;
      const parameter = entries.get(key)?.parameter;
      if (!parameter) refuse(what, key, "names of the optimizer's parameters");
      const { dtype, size, requiresGrad } = parameter!;
      const isDense = dtypeOf(values) === dtype && (values as TypedArray).length === size;
      if (!requiresGrad || !(isDense || areRows(values, parameter!))) {
        const wanted = `${dtype} values of size ${size}, or rows, for a parameter that is trained`;
        refuse(what, values, wanted);
      }
    }
  });
}
