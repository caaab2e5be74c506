/**
 * L-BFGS over TensorFlow.js's variables. It evaluates the loss several times in a step, so it has `minimize`
 * alone: with gradients of one point there is nothing it could do.
 *
 * Its vectors run through all variables, which are therefore those of the first step for good.
 */
import type { Scalar, Tensor, Variable } from "@tensorflow/tfjs-core";
import { CallError, ParameterError, Prose } from "../../errors.ts";
import { parameter } from "../../memory/create.ts";
import type { Parameter } from "../../memory/parameter.ts";
import { LBFGS } from "../../optim/lbfgs/lbfgs.ts";
import {
  info,
  readOptions,
  type LBFGSGroup,
  type LBFGSOptions,
} from "../../optim/lbfgs/options.ts";
import { checkHead } from "../../optim/state-check.ts";
import type { StateDict } from "../../optim/state-dict.ts";
import { TfOptimizerBase } from "./base.ts";
import { classNameOf, fromConfig, registerClass, toConfig, type Config } from "./config.ts";
import { assign, read, requireSyncRead } from "./copy-path.ts";
import { freeName } from "./members.ts";
import { checkVariable, type NamedTensor } from "./moves.ts";
import type { Tf } from "./tf.ts";
import { fromWeights, toWeights } from "./weights.ts";

const NAME = "LBFGS";

interface Inner {
  readonly optimizer: LBFGS;
  readonly variables: readonly Variable[];
  readonly parameters: readonly Parameter[];
}

/** The loss, and the gradient of each variable, at one point. */
type Point = readonly [loss: Scalar, ...gradients: (Tensor | null)[]];

/** L-BFGS as an optimizer of TensorFlow.js; made by {@link tfLBFGS}. */
export class TfLBFGS extends TfOptimizerBase {
  private readonly options: LBFGSOptions;
  private inner: Inner | undefined;
  private loaded: StateDict | undefined;
  private taken = 0;

  /** @internal Made by `tfLBFGS`. */
  constructor(tf: Tf, options: LBFGSOptions) {
    super(tf, NAME);
    readOptions([parameter([0])], options); // checks them
    this.options = { ...options };
  }

  /** How many steps have been taken, each of many iterations. */
  get iterations(): number {
    return this.taken;
  }

  /** The one group; none before the first step. Its numbers may be changed between steps. */
  get paramGroups(): readonly LBFGSGroup[] {
    return this.inner?.optimizer.paramGroups ?? [];
  }

  /**
   * Up to `maxIter` iterations.
   *
   * @param f returns the loss, a scalar, and always the same one: over the same data, without dropout.
   * @param returnCost whether to return the loss before the first iteration, which is the caller's to dispose.
   * @param varList the variables to train, by default all that are trainable; the same in every step.
   * @throws {ParameterError} `BAD_DTYPE`, `NO_PARAMS`, `OTHER_PARAMETERS`; {GradientError} `NON_FINITE`;
   *   {BackendError} `ASYNC_ONLY`, `DISPOSED`; {CallError} `BUSY`; {StateDictError} for state that was loaded
   *   and does not fit. Variables are then those of the last iteration that ended.
   */
  override minimize(f: () => Scalar, returnCost = false, varList?: Variable[]): Scalar | null {
    this.requireFree("minimize");
    requireSyncRead(this.tf, `${NAME}: minimize`);
    const inner = this.ready(varList);
    receive(inner, inner.variables.map(read));
    let loss: number;
    try {
      loss = inner.optimizer.step(() => {
        const point = this.evaluate(f, inner);
        try {
          return use(
            inner,
            point.map((tensor) => tensor && read(tensor)),
          );
        } finally {
          disposeAll(point);
        }
      });
    } finally {
      this.show(inner);
    }
    return this.finish(loss, returnCost);
  }

  /** As {@link minimize}, on every backend. */
  override minimizeAsync(
    f: () => Scalar,
    returnCost = false,
    varList?: Variable[],
  ): Promise<Scalar | null> {
    return this.enqueue("minimizeAsync", async () => {
      const inner = this.ready(varList);
      receive(
        inner,
        await Promise.all(inner.variables.map((variable) => variable.data<"float32">())),
      );
      let loss: number;
      try {
        loss = await inner.optimizer.stepAsync(async () => {
          const point = this.evaluate(f, inner);
          try {
            return use(inner, await Promise.all(point.map((tensor) => tensor?.data<"float32">())));
          } finally {
            disposeAll(point);
          }
        });
      } finally {
        this.show(inner);
      }
      return this.finish(loss, returnCost);
    });
  }

  /** @internal */ prepare(call: string): never {
    return refusePoint(call);
  }

  /** @internal */ async prepareAsync(call: string): Promise<never> {
    return refusePoint(call);
  }

  getClassName(): string {
    return classNameOf(NAME);
  }

  /** The options, as tfjs-layers saves them with a model. */
  getConfig(): Config {
    return toConfig(this.options as object);
  }

  /** @internal */ async makeWeights(): Promise<NamedTensor[]> {
    const empty: StateDict = { optimizer: NAME, version: 1, state: {}, paramGroups: [] };
    const dict = this.inner?.optimizer.stateDict() ?? this.loaded ?? empty;
    const keys = dict.paramGroups.map(() => "");
    return toWeights(this.tf, { dict, keys, iterations: this.taken, schedule: null });
  }

  /** @internal */ async readWeights(weights: readonly NamedTensor[]): Promise<() => void> {
    const { dict, iterations } = await fromWeights(weights, NAME);
    checkHead(info, dict);
    return () => {
      this.release();
      this.loaded = dict.paramGroups.length > 0 ? dict : undefined;
      this.taken = iterations;
    };
  }

  protected release(): void {
    this.inner?.optimizer.dispose();
    this.inner = undefined;
  }

  /** The optimizer over these variables; in the first step it is made, with what was loaded. */
  private ready(varList: readonly Variable[] | undefined): Inner {
    const registered = Object.values(this.tf.engine().registeredVariables);
    const variables = (varList ?? registered).filter(({ trainable }) => trainable);
    if (this.inner) {
      const known = this.inner.variables;
      const isSame = variables.length === known.length && known.every((v) => variables.includes(v));
      return isSame ? this.inner : refuseOthers(variables, known);
    }
    const taken = new Set<string>();
    const parameters = variables.map((variable) => {
      checkVariable(variable, `${NAME}: variable ${JSON.stringify(variable.name)}`);
      return parameter({ name: freeName(variable.name, taken), shape: variable.shape });
    });
    const optimizer = new LBFGS(parameters, this.options);
    if (this.loaded) optimizer.loadStateDict(renamed(this.loaded, parameters));
    this.loaded = undefined;
    return (this.inner = { optimizer, variables, parameters });
  }

  /** The loss and its gradients where the parameters are. */
  private evaluate(f: () => Scalar, inner: Inner): Point {
    this.show(inner);
    const { value, grads } = this.computeGradients(f, [...inner.variables]);
    return [value, ...inner.variables.map(({ name }) => grads[name] ?? null)];
  }

  private show({ variables, parameters }: Inner): void {
    variables.forEach((variable, i) => assign(this.tf, variable, parameters[i]!));
  }

  private finish(loss: number, returnCost: boolean): Scalar | null {
    this.taken++;
    return returnCost ? this.tf.scalar(loss) : null;
  }
}

/** Lets layers make one of a configuration. */
export function registerLBFGSClass(tf: Tf): void {
  registerClass(tf, classNameOf(NAME), (config) => {
    return new TfLBFGS(tf, fromConfig({ name: NAME }, config, {}) as LBFGSOptions);
  });
}

function receive({ parameters }: Inner, values: readonly Float32Array[]): void {
  parameters.forEach((own, i) => (own.data = values[i]!));
}

/** Takes gradients over. @returns the loss. */
function use({ parameters }: Inner, values: readonly (Float32Array | null | undefined)[]): number {
  const [loss, ...gradients] = values;
  parameters.forEach((own, i) => (own.grad = gradients[i] ?? null));
  return loss![0]!;
}

function disposeAll(point: Point): void {
  for (const tensor of point) tensor?.dispose();
}

/** State of the same variables in the same order, under the names that they have now. */
function renamed(dict: StateDict, parameters: readonly Parameter[]): StateDict {
  const [group] = dict.paramGroups;
  const infos = group?.params ?? [];
  if (!group || infos.length !== parameters.length) return dict; // refused when it is loaded
  const params = infos.map((each, i) => ({ ...each, name: parameters[i]!.name! }));
  const [state] = Object.values(dict.state);
  return {
    ...dict,
    paramGroups: [{ ...group, params }],
    state: state ? { [params[0]!.name]: state } : {},
  };
}

function refusePoint(call: string): never {
  throw new CallError("NEEDS_CLOSURE", {
    subject: `${NAME}: ${call}`,
    got: new Prose("gradients of one point"),
    expected: "minimize(f), which evaluates the loss several times",
  });
}

function refuseOthers(variables: readonly Variable[], known: readonly Variable[]): never {
  throw new ParameterError("OTHER_PARAMETERS", {
    subject: `${NAME}: variables`,
    got: variables.map(({ name }) => name),
    expected: `those of the first step: ${known.map(({ name }) => name).join(", ")}`,
    advice: "Pass them as varList, or make another optimizer.",
  });
}
