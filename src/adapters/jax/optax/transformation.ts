/**
 * Gradient transformations in the shape of optax: `init` makes a state, `update` turns gradients into updates,
 * `applyUpdates` adds those to the parameters.
 *
 * Gradients come down from jax-js, go through one pass over Downhill's memory, and updates go up. What the
 * updates make of the parameters is computed in the same pass, so `applyUpdates` has nothing left to add up
 * but only to upload, where it gets the parameters that `update` saw.
 */
import type { Hyper, HyperDefaults, Rule } from "../../../ir/rule.ts";
import { check } from "../../../optim/gradient-source.ts";
import type { OptimizerClass } from "../../../optim/define.ts";
import type { OptimizerOptions } from "../../../optim/options.ts";
import { checkSyncRead } from "../loan.ts";
import { anyLeaves, JaxArray, leavesOf, refAll, type ArrayTree } from "../tree.ts";
import { Call, checkReferences } from "./call.ts";
import type { AnyLink, Link, Schedule } from "./link.ts";
import type { MaskOption } from "./mask.ts";
import { plan, type Part } from "./plan.ts";
import { Run } from "./run.ts";
import { Body, TransformState } from "./state.ts";

/** A state: a {@link TransformState}, or what other libraries have for one. */
export type OptState = TransformState | ArrayTree | readonly OptState[];

/** What every gradient transformation has: Downhill's, those of @jax-js/optax, and your own. */
export interface GradientTransformation<State = OptState> {
  /** Makes the state for parameters, which it uses up. */
  init(params: ArrayTree): State;
  /** Turns gradients into updates, and uses all up that it is given. */
  update<T extends ArrayTree>(updates: T, state: State, params?: T): [T, State];
}

/** A gradient transformation of Downhill's; made by `adamw` and the like, and by {@link chain}. */
export class Transformation implements GradientTransformation<TransformState> {
  /** @internal */ readonly parts: readonly Part[];
  /** @internal */ readonly name: string;

  /** @internal */
  constructor(parts: readonly Part[], name: string) {
    this.parts = parts;
    this.name = name;
    for (const part of parts) checkNumbers(part);
  }

  /** @internal The same under another name. */
  named(name: string): Transformation {
    return new Transformation(this.parts, name);
  }

  /**
   * Makes the state, for arrays of these shapes and types; it uses the arrays up, as optax's does.
   *
   * @throws {ParameterError} `BAD_VALUES`, `BAD_DTYPE`, {OptionError} `BAD_MASK`, and
   *   for options of the optimizer; {CallError} `USED_UP`. No array is used up then.
   */
  init(params: ArrayTree): TransformState {
    const arrays = anyLeaves(params);
    checkReferences(
      `${this.name}: init`,
      arrays.map(({ array }) => array),
    );
    const leaves = arrays.map(({ name, array }) => ({
      name,
      shape: [...array.shape],
      dtype: array.dtype as "float32" | "float64",
    }));
    const segments = leaves.length === 0 ? [] : plan(this.name, this.parts, params, leaves);
    const runs = segments.map((segment) => new Run(segment, leaves));
    for (const { array } of arrays) array.dispose();
    return new TransformState(this, new Body(leaves, runs));
  }

  /**
   * Turns gradients into updates. Gradients, state and parameters are used up, as by optax's: keep the
   * parameters with `tree.ref(params)`.
   *
   * @param params needed where weights decay, and by whole optimizers; otherwise they only make
   *   {@link applyUpdates} faster.
   * @returns new jax arrays, and the next state.
   * @throws {OptionError} `TRACED` inside `jit`, `BAD_STATE`, `NO_PARAMS`, `BAD_ARGUMENT`;
   *   {GradientError} | {ParameterError} for arrays that do not fit; {CallError} `USED_UP`;
   *   {BackendError} `ASYNC_ONLY` where arrays cannot be read synchronously. Nothing is used up then.
   *
   * @example
   * [updates, state] = tx.update(grads, state, tree.ref(params));
   * params = applyUpdates(params, updates);
   */
  update<T extends ArrayTree>(updates: T, state: OptState, params?: T): [T, TransformState] {
    const call = new Call(this, this.name, updates, state, params);
    for (const array of call.toRead) checkSyncRead(array, "updateAsync");
    return call.finish(call.toRead.map((array) => array.ref.dataSync()));
  }

  /** As {@link update}, for every device: it reads without blocking. */
  async updateAsync<T extends ArrayTree>(
    updates: T,
    state: OptState,
    params?: T,
  ): Promise<[T, TransformState]> {
    const call = new Call(this, this.name, updates, state, params);
    // The first by itself: it dispatches all pending work, which every array would do again.
    const [first, ...others] = call.toRead;
    const values = first ? [await first.ref.data()] : [];
    values.push(...(await Promise.all(others.map((array) => array.ref.data()))));
    return call.finish(values);
  }
}

/** @internal A link, with its types, as a transformation by itself. */
export function transformationOf<K extends string = never, S extends string = never>(
  link: Link<K, S>,
  mask: MaskOption = null,
): Transformation {
  const part: Part = { kind: "link", link: link as unknown as AnyLink, mask };
  return new Transformation([part], link.owner);
}

/**
 * One transformation after the other, each on what the one before it made of the gradients.
 *
 * Downhill's run in one pass over memory; a pass ends where a norm of all is needed, or a whole optimizer follows.
 * Others may stand among them: any object with `init` and `update`, to which arrays are handed.
 *
 * @example
 * const tx = chain(clipByGlobalNorm(1), adamw(1e-3));
 */
export function chain(...transformations: readonly Transformation[]): Transformation;
export function chain(
  ...transformations: readonly GradientTransformation[]
): GradientTransformation;
export function chain(
  ...transformations: readonly GradientTransformation[]
): GradientTransformation {
  const isOurs = (tx: unknown): tx is Transformation => tx instanceof Transformation;
  if (transformations.every(isOurs)) {
    const name = transformations.map((tx) => tx.name).join(" + ");
    return new Transformation(
      transformations.flatMap(({ parts }) => parts),
      name || "chain",
    );
  }
  for (const tx of transformations) {
    const { init, update } = (tx ?? {}) as Partial<GradientTransformation>;
    const fits = typeof init === "function" && typeof update === "function";
    check("chain: a transformation", tx, fits, "an object with init() and update()");
  }
  return mixed(transformations);
}

function mixed(transformations: readonly GradientTransformation[]): GradientTransformation {
  return {
    init(params) {
      const states = transformations.map((tx) => tx.init(refAll(params)));
      disposeAll(params);
      return states;
    },
    update(updates, state, params) {
      const held = leavesOf(params ?? null).flatMap(({ value }) =>
        value instanceof JaxArray ? [[value, value.refCount] as const] : [],
      );
      let current = updates;
      try {
        const states = transformations.map((tx, i) => {
          const given = params === undefined ? undefined : refAll(params);
          const [next, after] = tx.update(current, (state as OptState[])[i]!, given);
          current = next;
          return after;
        });
        if (params !== undefined) disposeAll(params);
        return [current, states];
      } catch (error) {
        for (const [array, count] of held) while (array.refCount > count) array.dispose();
        if (current !== updates) disposeAll(current);
        throw error;
      }
    },
  };
}

/**
 * Any optimizer class as a gradient transformation, with its own options, which are PyTorch's: for rules that
 * optax has not, or has otherwise.
 *
 * @param cls `Adam`, `Muon`, or a class of your own from `defineOptimizer`.
 * @param options as the class takes them; numbers may be schedules, functions of how many updates there were.
 *
 * @example
 * const tx = chain(clipByGlobalNorm(1), gradientTransformation(Muon, { lr: (count) => 0.02 / (1 + count) }));
 *
 * @throws {OptionError} as the class does, from `init`.
 */
export function gradientTransformation<H extends HyperDefaults>(
  cls: OptimizerClass<H>,
  options: TransformationOptions<H> = {},
): Transformation {
  const { rule } = (cls ?? {}) as unknown as { rule?: Rule };
  const fits = typeof rule?.step === "function";
  check("gradientTransformation: class", cls, fits, "an optimizer class such as Adam");
  check("gradientTransformation: options", options, isObject(options), "an object");
  const schedules = new Map<string, Schedule>();
  const constants: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (typeof value === "function") schedules.set(name, value as Schedule);
    else constants[name] = value;
  }
  const kept = constants as OptimizerOptions<HyperDefaults>;
  return new Transformation([{ kind: "rule", rule: rule!, options: kept, schedules }], rule!.name);
}

/** Options of a class in which numbers may be schedules. */
export type TransformationOptions<H extends HyperDefaults> = {
  [K in keyof Hyper<H>]?: Hyper<H>[K] extends number ? Hyper<H>[K] | Schedule : Hyper<H>[K];
} & Omit<OptimizerOptions<Record<never, number>>, "average">;

function disposeAll(params: ArrayTree): void {
  for (const { value } of leavesOf(params)) if (value instanceof JaxArray) value.dispose();
}

const isObject = (value: unknown) => typeof value === "object" && value !== null;

/** Numbers are numbers, or functions that give some. */
function checkNumbers(part: Part): void {
  if (part.kind === "clip") {
    const fits = typeof part.maxNorm === "number" && part.maxNorm > 0;
    check(`${part.owner}: maxNorm`, part.maxNorm, fits, "a number > 0");
  }
  if (part.kind !== "link") return;
  for (const [name, value] of Object.entries(part.link.numbers)) {
    const fits = Number.isFinite(value) || typeof value === "function";
    check(
      `${part.link.owner}: ${name}`,
      value,
      fits,
      "a finite number, or a function of the count",
    );
  }
}
