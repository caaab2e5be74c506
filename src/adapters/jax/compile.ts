/**
 * Functions over the parameters, compiled by jax-js: a loss with its gradients, or any other.
 *
 * jax-js traces and compiles at the first call, and again for arguments of other shapes. A loss is
 * also compiled once per set of frozen parameters, so those cost no backward pass.
 */
import { jit, valueAndGrad, type JsTree, type OwnedFunction } from "@jax-js/jax";
import { BackendError, GradientError, OptionError, Prose } from "../../errors.ts";
import type { Outcome } from "./gradients.ts";
import { explained } from "./engine.ts";
import { Loan } from "./loan.ts";
import { join, type Place } from "./pack.ts";
import { fill, type ArrayTree, type JaxArray } from "./tree.ts";

/** The user's function: the tree of parameters as jax arrays, then the arguments. */
export type TreeFunction = (tree: never, ...args: never[]) => unknown;

type Split = (trained: JaxArray[], frozen: JaxArray[], args: JaxArray[]) => JaxArray;
type WithGradients = (
  trained: JaxArray[],
  frozen: JaxArray[],
  args: unknown[],
) => [JaxArray, JaxArray[]];

/** A compiled loss, and where its gradients are. */
interface CompiledLoss {
  readonly call: OwnedFunction<WithGradients>;
  readonly places: readonly Place[] | undefined;
}

/** Parameters in the nesting of a tree, wherever their values are. */
export interface Leaves<P> {
  readonly parameters: readonly P[];
  readonly skeleton: unknown;
  /** A jax array with a parameter's values of this moment, to be used up by the call. */
  lend(parameter: P, loan: Loan): JaxArray;
  /** How gradients are put together; by default each is an array of its own. */
  placesOf?(trained: readonly P[]): readonly Place[] | undefined;
}

/** A loss and its gradients. */
export class DifferentiatedLoss<P extends { readonly requiresGrad: boolean }> {
  private readonly leaves: Leaves<P>;
  private readonly loss: TreeFunction;
  private readonly subject: string;
  /** By which parameters are trained: one digit each. */
  private readonly compiled = new Map<string, CompiledLoss>();
  private disposed = false;

  constructor(leaves: Leaves<P>, loss: TreeFunction, subject: string) {
    this.leaves = leaves;
    this.loss = loss;
    this.subject = subject;
  }

  /** Computes (or queues) loss and gradients. The caller must read or dispose the outcome. */
  run(args: readonly unknown[]): Outcome<P> {
    refuseDisposed(this.disposed, this.subject);
    const { leaves } = this;
    const trained = leaves.parameters.filter((parameter) => parameter.requiresGrad);
    if (trained.length === 0) throw allFrozen(this.subject);
    const { call, places } = this.compiledFor(trained);
    const loan = new Loan();
    try {
      const inputs = loan.borrow(args, this.subject);
      const frozen = leaves.parameters.filter((parameter) => !parameter.requiresGrad);
      const [loss, gradients] = call(
        trained.map((parameter) => leaves.lend(parameter, loan)),
        frozen.map((parameter) => leaves.lend(parameter, loan)),
        inputs,
      );
      return { loss, gradients, trained, places };
    } catch (error) {
      loan.release();
      throw explained(error);
    }
  }

  dispose(): void {
    if (!this.disposed) for (const { call } of this.compiled.values()) call.dispose();
    this.disposed = true;
  }

  private compiledFor(trained: readonly P[]): CompiledLoss {
    const flags = this.leaves.parameters.map((parameter) => parameter.requiresGrad);
    const key = flags.map(Number).join("");
    let compiled = this.compiled.get(key);
    if (!compiled) {
      const split: Split = (given, frozen, args) => {
        const [first, second] = [given.values(), frozen.values()];
        const arrays = flags.map((isTrained) => (isTrained ? first : second).next().value);
        const tree = fill(this.leaves.skeleton, arrays.values()) as never;
        return checkLoss(this.loss(tree, ...(args as never[])), this.subject);
      };
      const places = this.leaves.placesOf?.(trained);
      const differentiated = valueAndGrad(split) as WithGradients;
      const joined: WithGradients = (...given) => {
        const [loss, gradients] = differentiated(...given);
        return [loss, join(gradients, places)];
      };
      compiled = { call: jit(joined as never) as unknown as CompiledLoss["call"], places };
      this.compiled.set(key, compiled);
    }
    return compiled;
  }
}

/** A function without gradients, as {@link DifferentiatedLoss}. */
export class CompiledFunction<P> {
  private readonly leaves: Leaves<P>;
  private readonly compiled: OwnedFunction<
    (leaves: JaxArray[], args: unknown[]) => JsTree<JaxArray>
  >;
  private disposed = false;

  constructor(leaves: Leaves<P>, fn: TreeFunction) {
    this.leaves = leaves;
    const { skeleton } = leaves;
    const whole = (arrays: JaxArray[], args: JaxArray[]) =>
      fn(fill(skeleton, arrays.values()) as never, ...(args as never[])) as JsTree<JaxArray>;
    this.compiled = jit(whole) as typeof this.compiled;
  }

  /** The result belongs to the caller. */
  run(args: readonly unknown[]): ArrayTree {
    refuseDisposed(this.disposed, "forward");
    const loan = new Loan();
    try {
      const inputs = loan.borrow(args, "forward");
      const { parameters } = this.leaves;
      const arrays = parameters.map((parameter) => this.leaves.lend(parameter, loan));
      return this.compiled(arrays, inputs) as ArrayTree;
    } catch (error) {
      loan.release();
      throw explained(error);
    }
  }

  dispose(): void {
    if (!this.disposed) this.compiled.dispose();
    this.disposed = true;
  }
}

/** A function that can be disposed. */
export function owned<F extends { dispose(): void }>(
  call: (...args: readonly unknown[]) => unknown,
  owner: { dispose(): void },
): F {
  return Object.assign(call, { dispose: () => owner.dispose() }) as unknown as F;
}

function checkLoss(loss: unknown, subject: string): JaxArray {
  const { shape, dtype, then } = (loss ?? {}) as Partial<JaxArray> & { then?: unknown };
  const isArray = Array.isArray(shape) && typeof dtype === "string";
  if (isArray && shape.length === 0 && dtype.startsWith("float")) return loss as JaxArray;
  let got = loss;
  if (isArray) got = new Prose(`${dtype}[${shape.join(", ")}]`);
  else if (typeof then === "function") got = new Prose("a promise");
  throw new OptionError("BAD_LOSS", {
    subject: `${subject}: what the loss returned`,
    got,
    expected: "a jax array of floats with shape []",
    advice: "Reduce it to one number, for instance with np.mean().",
  });
}

function refuseDisposed(disposed: boolean, subject: string): void {
  if (!disposed) return;
  throw new BackendError("DISPOSED", {
    subject,
    got: new Prose("a call after dispose()"),
    expected: "calls before it",
  });
}

function allFrozen(subject: string): GradientError {
  return new GradientError("FROZEN", {
    subject,
    got: new Prose("parameters that are all frozen"),
    expected: "at least one to train",
    advice: "Set requiresGrad to true, or use forward() for the loss alone.",
  });
}
