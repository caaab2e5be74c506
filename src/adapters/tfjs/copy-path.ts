/**
 * The path that works on every backend: values and gradients are copied into Downhill's memory, the
 * step is taken there, and values are copied back into the variables. Variables are read in each step,
 * because anybody may assign to them.
 */
import type { Tensor, Variable } from "@tensorflow/tfjs-core";
import { BackendError, Prose } from "../../errors.ts";
import type { Rule } from "../../ir/rule.ts";
import { parameter } from "../../memory/create.ts";
import type { Parameter } from "../../memory/parameter.ts";
import { Optimizer } from "../../optim/optimizer.ts";
import { LocalPath, type NamedShape } from "./local-path.ts";
import type { Move } from "./path.ts";
import type { Tf } from "./tf.ts";

/** The numbers of a step: of each variable, and of its gradient. */
type Values = readonly (readonly [data: Float32Array, gradient: Float32Array])[];

export class CopyPath extends LocalPath<Parameter> {
  readonly inPlace = "no";

  prepare(moves: readonly Move[]): boolean {
    requireSyncRead(this.spec.tf, `${this.spec.rule.name}: step`);
    return this.bring(
      moves,
      moves.map(([{ variable }, gradient]) => [read(variable), read(gradient)]),
    );
  }

  async prepareAsync(moves: readonly Move[]): Promise<boolean> {
    const values = await Promise.all(
      moves.flatMap(([{ variable }, gradient]) => [variable.data(), gradient.data()]),
    );
    const pairs = moves.map((_, i) => [values[2 * i], values[2 * i + 1]]);
    return this.bring(moves, pairs as unknown as Values);
  }

  override run(moves: readonly Move[]): void {
    super.run(moves);
    for (const [member] of moves) assign(this.spec.tf, member.variable, this.parameterOf(member));
  }

  protected makeParameters(all: readonly NamedShape[]): readonly Parameter[] {
    return all.map((each) => parameter(each));
  }

  protected makeOptimizer(rule: Rule, groups: object[], options: object): Optimizer {
    return new Optimizer(rule as never, groups as never, options) as unknown as Optimizer;
  }

  private bring(moves: readonly Move[], values: Values): boolean {
    return this.prepareWith(moves, (own, i) => {
      [own.data, own.grad] = values[i]!;
    });
  }
}

/** Gives a variable the values of its parameter. */
export function assign(tf: Tf, variable: Variable, { data, shape }: Parameter): void {
  // A copy: backends keep what they are given, and `data` is where the next step happens.
  const value = tf.tensor(data.slice() as Float32Array, [...shape], "float32");
  variable.assign(value);
  value.dispose();
}

/**
 * tfjs reads WebGPU synchronously through a canvas, which Node does not have.
 *
 * @throws {BackendError} `ASYNC_ONLY`.
 */
export function requireSyncRead(tf: Tf, subject: string): void {
  if (typeof OffscreenCanvas !== "undefined" || tf.getBackend() !== "webgpu") return;
  throw new BackendError("ASYNC_ONLY", {
    subject,
    got: new Prose("tensors on WebGPU and no OffscreenCanvas, through which tfjs would read them"),
    expected: "a backend that can be read synchronously",
    advice: "Use minimizeAsync() or applyGradientsAsync() and await it.",
  });
}

export function read(tensor: Tensor): Float32Array {
  return tensor.dataSync<"float32">();
}
