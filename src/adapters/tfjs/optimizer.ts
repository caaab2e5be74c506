/**
 * An optimizer as TensorFlow.js knows it, with a rule of Downhill inside.
 *
 * tfjs takes anything for an optimizer that has `minimize`, `computeGradients` and `applyGradients`, so
 * there is no base class to import. What is remembered belongs to a variable, the object: not to its name,
 * which another one may have once it is disposed, nor to its position, which is whatever a call lists.
 */
import type { Scalar, Tensor, Variable, NamedTensorMap } from "@tensorflow/tfjs-core";
import { BackendError, CallError, Prose } from "../../errors.ts";
import type { HyperDefaults, Rule } from "../../ir/rule.ts";
import { GroupWatch } from "../../optim/hyper-watch.ts";
import type { ParamGroups } from "../../optim/options.ts";
import type { ParameterState } from "../../optim/state-dict.ts";
import { choosePath } from "./choose.ts";
import { Groups } from "./groups.ts";
import { readGradients, type VariableGradients } from "./moves.ts";
import { readOptions, type ReadOptions, type StepScheduler, type TfOptions } from "./options.ts";
import type { InPlace, Member, Move, Path } from "./path.ts";
import type { Tf } from "./tf.ts";

export class TfOptimizer<H extends HyperDefaults = HyperDefaults> {
  /** Made by the option `schedule`. */
  readonly scheduler: StepScheduler | undefined;
  private readonly tf: Tf;
  private readonly rule: Rule;
  private readonly options: ReadOptions;
  private readonly groups: Groups;
  private readonly watch: GroupWatch;
  private readonly members = new Map<Variable, Member>();
  private path: Path | undefined;
  private reasons: readonly string[] = [];
  private taken = 0;
  private skipped = 0;
  private disposed = false;
  private queue: Promise<unknown> = Promise.resolve();
  private waiting = 0;

  /** @internal Made by `tfOptimizer`. */
  constructor(tf: Tf, rule: Rule, options: TfOptions) {
    this.tf = tf;
    this.rule = rule;
    this.options = readOptions(rule, options);
    this.groups = new Groups(rule, this.options.groups, this.options.defaults);
    this.watch = new GroupWatch(rule);
    this.scheduler = this.options.schedule?.(this);
  }

  /**
   * The groups: first that of variables that match no rule, then one for each rule of the option `groups`,
   * then those of variables that match several. Their numbers may be changed between steps.
   */
  get paramGroups(): ParamGroups<H, Variable> {
    return this.groups.list as unknown as ParamGroups<H, Variable>;
  }

  /** How many steps have been taken. */
  get iterations(): number {
    return this.taken;
  }

  /** How many steps were left out because gradients were infinite or NaN, see `nonFinite`. */
  get skippedSteps(): number {
    return this.skipped;
  }

  /** Where steps update variables: in the memory of that backend, or in copies. Known after the first step. */
  get inPlace(): InPlace | undefined {
    return this.path?.inPlace;
  }

  /** Why steps go by copies, if they do. */
  get why(): string | undefined {
    return this.reasons.length > 0 ? this.reasons.join("; ") : undefined;
  }

  /**
   * Computes a loss and its gradients, and takes a step.
   *
   * @param f returns the loss, a scalar.
   * @param returnCost whether to return the loss, which is then the caller's to dispose.
   * @param varList the variables to train, by default all that are trainable.
   * @throws {DownhillError} as {@link applyGradients} does.
   */
  minimize(f: () => Scalar, returnCost = false, varList?: Variable[]): Scalar | null {
    this.requireFree("minimize");
    const { value, grads } = this.computeGradients(f, varList);
    try {
      this.applyGradients(grads);
    } catch (error) {
      value.dispose();
      throw error;
    } finally {
      disposeAll(grads);
    }
    return costOf(value, returnCost);
  }

  /** As {@link minimize}, on every backend: WebGPU in Node can be read asynchronously alone. */
  minimizeAsync(f: () => Scalar, returnCost = false, varList?: Variable[]): Promise<Scalar | null> {
    return this.enqueue(async () => {
      this.requireAlive("minimizeAsync");
      const { value, grads } = this.computeGradients(f, varList);
      try {
        await this.applyNow("minimizeAsync", grads);
      } catch (error) {
        value.dispose();
        throw error;
      } finally {
        disposeAll(grads);
      }
      return costOf(value, returnCost);
    });
  }

  /** The loss and its gradients, which are the caller's to dispose, as `tf.variableGrads` gives them. */
  computeGradients(
    f: () => Scalar,
    varList?: Variable[],
  ): { value: Scalar; grads: NamedTensorMap } {
    return this.tf.variableGrads(f, varList);
  }

  /**
   * Takes a step with these gradients, which stay the caller's. Variables without one are left alone.
   *
   * @throws {ParameterError} `UNKNOWN_PARAMETER` for a variable that is not registered, `BAD_DTYPE`;
   *   {GradientError} `BAD_GRADIENT`; {OptionError} for a hyperparameter that was changed; {BackendError}
   *   `ASYNC_ONLY`, `DISPOSED`; {CallError} `BUSY`. Nothing has changed then.
   */
  applyGradients(gradients: VariableGradients): void {
    this.requireFree("applyGradients");
    const moves = this.read("applyGradients", gradients);
    if (moves.length === 0) return;
    const leaving = this.leavingStates(moves);
    if (leaving instanceof Promise) {
      leaving.catch(() => {});
      throw this.asyncOnly();
    }
    this.finish(this.ready(moves, leaving).step(moves));
  }

  /** As {@link applyGradients}, on every backend. The gradients must live until the promise resolves. */
  applyGradientsAsync(gradients: VariableGradients): Promise<void> {
    return this.enqueue(() => this.applyNow("applyGradientsAsync", gradients));
  }

  /** Lets go of the state. It must not be called afterwards. */
  dispose(): void {
    this.disposed = true;
    this.path?.dispose();
    this.path = undefined;
    this.members.clear();
  }

  private async applyNow(call: string, gradients: VariableGradients): Promise<void> {
    this.requireAlive(call);
    const moves = this.read(call, gradients);
    if (moves.length === 0) return;
    const path = this.ready(moves, await this.leavingStates(moves));
    this.finish(await (path.stepAsync ? path.stepAsync(moves) : path.step(moves)));
  }

  /** Checks all that can be checked before a path comes in. */
  private read(call: string, gradients: VariableGradients): Move[] {
    const pairs = readGradients(this.tf, `${this.rule.name}: ${call}`, gradients);
    this.groups.requireMatches(Object.values(this.tf.engine().registeredVariables));
    const taken = new Set([...this.members.values()].map(({ key }) => key));
    const moves = pairs.map(([variable, gradient]): Move => {
      const known = this.members.get(variable);
      if (known) return [known, gradient];
      const key = freeKey(variable.name, taken);
      taken.add(key);
      const group = this.groups.get(this.groups.keyFor(variable));
      return [{ variable, key, group }, gradient];
    });
    this.watch.check(this.groups.list);
    return moves;
  }

  /** The state of all variables, if the path that has it cannot go on. */
  private leavingStates(
    moves: readonly Move[],
  ): readonly ParameterState[] | Promise<readonly ParameterState[]> | null {
    if (!this.path || this.path.unfit(moves) === null) return null;
    return this.path.states([...this.members.values()]);
  }

  /** The path, with all variables of this step. All or nothing. */
  private ready(moves: readonly Move[], leaving: readonly ParameterState[] | null): Path {
    const fresh = moves.flatMap(([member]) => (this.members.has(member.variable) ? [] : [member]));
    if (this.path && leaving === null) {
      if (fresh.length > 0)
        this.path.add(
          fresh,
          fresh.map(() => undefined),
        );
    } else {
      const { rule, tf, options } = this;
      const { path, why } = choosePath(
        { tf, rule, options: options.options, clip: options.clip },
        moves,
      );
      const old = [...this.members.values()];
      path.add(
        [...old, ...fresh],
        [...old.map((_, i) => leaving?.[i]), ...fresh.map(() => undefined)],
      );
      this.path?.dispose();
      this.path = path;
      this.reasons = why;
    }
    if (fresh.length > 0) this.admit(fresh);
    return this.path;
  }

  private admit(fresh: readonly Member[]): void {
    for (const [variable] of this.members) if (variable.isDisposed) this.members.delete(variable);
    for (const member of fresh) this.members.set(member.variable, member);
    for (const group of this.groups.list) {
      const own = [...this.members.values()].filter((member) => member.group === group);
      (group.params as Variable[]).splice(0, Infinity, ...own.map(({ variable }) => variable));
    }
  }

  private finish(taken: boolean): void {
    if (!taken) {
      this.skipped++;
      return;
    }
    this.taken++;
    this.scheduler?.step();
  }

  /** Asynchronous calls run one after another. */
  private enqueue<T>(work: () => Promise<T>): Promise<T> {
    this.waiting++;
    const result = this.queue.then(work).finally(() => this.waiting--);
    this.queue = result.catch(() => {});
    return result;
  }

  private requireAlive(call: string): void {
    if (!this.disposed) return;
    throw new BackendError("DISPOSED", {
      subject: `${this.rule.name}: ${call}`,
      got: new Prose("a call after dispose()"),
      expected: "calls before it",
    });
  }

  private requireFree(call: string): void {
    this.requireAlive(call);
    if (this.waiting === 0) return;
    throw new CallError("BUSY", {
      subject: `${this.rule.name}: ${call}`,
      got: new Prose("a call while an asynchronous step is under way"),
      expected: "a call after it",
      advice: "Await minimizeAsync() and applyGradientsAsync().",
    });
  }

  private asyncOnly(): BackendError {
    return new BackendError("ASYNC_ONLY", {
      subject: `${this.rule.name}: step`,
      got: new Prose("variables that have left the device on which their state is"),
      expected: "a step that can wait for the state",
      advice:
        "Use minimizeAsync() or applyGradientsAsync() for the first step after tf.setBackend().",
    });
  }
}

function costOf(value: Scalar, returnCost: boolean): Scalar | null {
  if (returnCost) return value;
  value.dispose();
  return null;
}

function disposeAll(gradients: NamedTensorMap): void {
  for (const gradient of Object.values(gradients) as (Tensor | null)[]) gradient?.dispose();
}

/** A name that nothing else has: variables of equal names follow one another. */
function freeKey(name: string, taken: ReadonlySet<string>): string {
  let key = name;
  for (let n = 2; taken.has(key); n++) key = `${name}#${n}`;
  return key;
}
