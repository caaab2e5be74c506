/** `LBFGS` as a class: options, closures, state dicts. The method itself is in minimizer.ts. */
import { selectBackend } from "../../backend/select.ts";
import { OptionError, Prose } from "../../errors.ts";
import { requireValues } from "../../memory/adopt.ts";
import { checkClosure, describe, evaluate, zeroGrads } from "../common.ts";
import { checkDistinct, keyOf, type Member } from "../entry.ts";
import { Steppable, type StepCall } from "../hooks.ts";
import type { Parameter } from "../../memory/parameter.ts";
import type { StepOptions } from "../options.ts";
import type { StateDict } from "../state-dict.ts";
import { refuseSwapped } from "../swapped.ts";
import { Minimizer, type Steps } from "./minimizer.ts";
import {
  info,
  readOptions,
  type LBFGSGroup,
  type LBFGSOptions,
  type LBFGSParams,
} from "./options.ts";
import { loadState, saveState } from "./state.ts";
import { Vectors } from "./vectors.ts";

/** Vectors besides the history: the direction, two places, four gradients, and a pair to try. */
const OTHERS = 9;

/**
 * L-BFGS: Newton's method with an inverse Hessian made of the last few steps. For smooth losses whose
 * gradients are exact (full batches), in as few evaluations as may be.
 *
 *     d ← -H·g by the two-loop recursion,   p ← p + t·d
 *
 * `step` makes up to `maxIter` such iterations and needs a closure, which it calls once or more for
 * each. t is `lr`, in the very first iteration lr·min(1, 1/Σ|g|); with `lineSearchFn: "strong_wolfe"`
 * (recommended) that is where a search for a t begins that satisfies the strong Wolfe conditions.
 *
 * Options and defaults: `lr` 1, `maxIter` 20, `maxEval` 5/4 of `maxIter`, `toleranceGrad` 1e-7,
 * `toleranceChange` 1e-9, `historySize` 100, `lineSearchFn` null; `backend` and `threads` as for all
 * optimizers. One group only; a parameter without a gradient counts as one with zeros. State, under
 * the name of the first parameter: `func_evals`, `n_iter`, `d`, `t`, `old_dirs` and `old_stps` (one
 * after another, the oldest first), `ro`, `H_diag`, `prev_flat_grad`, `prev_loss`. Memory: twice the
 * parameters for each pair of the history, and 9 times besides.
 * As `torch.optim.LBFGS`; Liu and Nocedal (1989), https://doi.org/10.1007/BF01589116; Nocedal and
 * Wright, Numerical Optimization, 2nd ed., algorithms 7.4, 7.5, 3.5 and 3.6.
 *
 * @example
 * const optimizer = new LBFGS([w], { lineSearchFn: "strong_wolfe" });
 * const loss = optimizer.step(() => {
 *   w.grad = gradientAt(w.data);
 *   return lossAt(w.data);
 * });
 */
export class LBFGS extends Steppable {
  /** The one group. Its numbers may be changed between steps; they are checked again in the next. */
  readonly paramGroups: readonly [LBFGSGroup];
  private readonly members: readonly Member<Parameter>[];
  private readonly vectors: Vectors;
  private readonly minimizer: Minimizer;
  private busy = false;
  readonly backend: "wasm" | "interp";

  /**
   * @throws {OptionError} for a wrong or unknown option; {ParameterError} for parameters that are
   *   missing, double or have equal names, and for several groups; {BackendError} `OUT_OF_MEMORY`.
   */
  constructor(params: LBFGSParams, options: LBFGSOptions = {}) {
    super();
    const { group, backend: choice, threads } = readOptions(params, options);
    checkDistinct("LBFGS", group.params, []);
    group.params.forEach(requireValues);
    const backend = selectBackend(choice);
    this.backend = backend.name;
    this.paramGroups = Object.freeze([group] as const);
    this.members = group.params.map((parameter, i) => ({
      parameter,
      key: keyOf(parameter, i),
      group: 0,
    }));
    const most = 2 * group.historySize + OTHERS;
    this.vectors = new Vectors(group.params, most, backend, threads);
    this.minimizer = new Minimizer(group.params, this.vectors);
  }

  /**
   * Up to `maxIter` iterations.
   *
   * @param closure computes the gradients of all parameters and returns the loss, a number.
   * @returns the loss before the first iteration.
   * @throws {OptionError} if there is no closure, or if it returns something else than a number; and if
   *   a hyperparameter that was changed has a value that it must not have.
   * @throws {GradientError} `NON_FINITE` if loss or gradient are not finite where the step begins or,
   *   without a line search, where it got to. A line search turns back before such points.
   * @throws what the closure throws. After any error parameters and state are those of the last
   *   iteration that ended, and the next step goes on from there.
   */
  step(closure: () => number): number {
    if (this.isHooked) return this.stepHooked({ closure }) as number;
    return this.take(closure, undefined);
  }

  protected override take(closure: StepCall["closure"], options: StepOptions | undefined): number {
    const steps = this.begin(closure, options);
    try {
      let turn = steps.next();
      while (!turn.done) {
        try {
          turn = steps.next(evaluate("LBFGS", closure!, "Call stepAsync() instead."));
        } catch (error) {
          turn = steps.throw(error);
        }
      }
      return turn.value;
    } finally {
      this.busy = false;
    }
  }

  /**
   * The same with a closure that returns a promise of the loss, as where gradients come from a GPU.
   * Until it settles, parameters must not be changed and no other step may begin.
   */
  async stepAsync(closure: () => number | PromiseLike<number>): Promise<number> {
    const call = this.isHooked ? this.beforeStep({ closure }) : { closure };
    const steps = this.begin(call.closure, call.options);
    try {
      let turn = steps.next();
      while (!turn.done) {
        try {
          turn = steps.next(await call.closure!());
        } catch (error) {
          turn = steps.throw(error);
        }
      }
      if (this.isHooked) this.afterStep(call);
      return turn.value;
    } finally {
      this.busy = false;
    }
  }

  /** Forgets all gradients, see {@link Optimizer.zeroGrad}. */
  zeroGrad(options: { setToNull?: boolean } = {}): void {
    zeroGrads("LBFGS", this.members, options);
  }

  /** A copy of the state; see {@link StateDict}. */
  stateDict(): StateDict {
    return this.saveHooked(() => {
      this.refuseUnlessReady();
      return saveState(this.minimizer, this.vectors, this.members, this.paramGroups[0]);
    });
  }

  /**
   * Continues from a copy of the state. From here on steps are bit for bit those of the saved optimizer.
   *
   * @throws {StateDictError} if optimizer, parameters (also their order) or state do not fit, and
   *   {OptionError} for hyperparameters out of range; the optimizer is unchanged then.
   */
  loadStateDict(stateDict: StateDict): void {
    const dict = this.beforeLoad(stateDict);
    this.refuseUnlessReady();
    loadState(this.minimizer, this.vectors, this.members, this.paramGroups[0], dict);
    this.afterLoad();
  }

  /** Ends the worker threads, unless other optimizers use them; see {@link Optimizer.dispose}. */
  dispose(): void {
    this.vectors.release();
  }

  /** Like PyTorch's: the name and the hyperparameters. */
  override toString(): string {
    return describe("LBFGS", info.hyperNames, this.paramGroups as never);
  }

  private begin(closure: unknown, options: StepOptions | undefined): Steps {
    checkClosure("LBFGS", closure);
    if (options !== undefined) refuseOptions(options);
    this.refuseUnlessReady();
    const [group] = this.paramGroups;
    info.validate(group as never, 0);
    this.busy = true;
    return this.minimizer.step({ ...group }); // a closure that changes it does so for the next step
  }

  private refuseUnlessReady(): void {
    refuseSwapped("LBFGS", this.members);
    if (!this.busy) return;
    throw new OptionError("BUSY", {
      subject: "LBFGS",
      got: new Prose("a call in the middle of a step"),
      expected: "one after it",
      advice: "Await what stepAsync() returns, and call nothing of this in a closure.",
    });
  }
}

function refuseOptions(options: unknown): never {
  throw new OptionError("BAD_OPTION", {
    subject: "LBFGS: step",
    got: options,
    expected: "a closure alone",
    advice: "Scale loss and gradients in the closure.",
  });
}
