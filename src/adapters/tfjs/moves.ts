/** From what tfjs calls gradients to variables with their gradients; all of it is checked here. */
import type { NamedTensorMap, Tensor, Variable } from "@tensorflow/tfjs-core";
import { GradientError, OptionError, ParameterError, Prose } from "../../errors.ts";
import type { Tf } from "./tf.ts";

/** A gradient in a list. */
export interface NamedTensor {
  readonly name: string;
  readonly tensor: Tensor;
}

/** Gradients by the names of their variables; `null` where there is none. */
export type VariableGradients = NamedTensorMap | readonly NamedTensor[];

/**
 * Variables with a gradient, in order.
 *
 * @throws {ParameterError} `UNKNOWN_PARAMETER`, `DUPLICATE_PARAMETER`, `BAD_DTYPE`; {GradientError}
 *   `BAD_GRADIENT`; {OptionError} `BAD_OPTION`.
 */
export function readGradients(
  tf: Tf,
  subject: string,
  given: VariableGradients,
): (readonly [Variable, Tensor])[] {
  if (typeof given !== "object" || given === null) {
    throw new OptionError("BAD_OPTION", {
      subject: `${subject}: gradients`,
      got: given,
      expected: "tensors by the names of their variables, or a list of { name, tensor }",
    });
  }
  const pairs: (readonly [Variable, Tensor])[] = [];
  const seen = new Set<string>();
  const { registeredVariables } = tf.engine();
  const take = (name: string, gradient: Tensor | null | undefined): void => {
    if (gradient === null || gradient === undefined) return;
    const variable = registeredVariables[name];
    if (variable === undefined || seen.has(name) || !isSound(variable, gradient)) {
      const label = `${subject}: variable ${JSON.stringify(name)}`;
      if (variable === undefined) refuseUnknown(label);
      if (seen.has(name)) refuseTwice(label);
      checkVariable(variable, label);
      checkGradient(variable, gradient, label);
    }
    seen.add(name);
    pairs.push([variable, gradient]);
  };
  if (Array.isArray(given)) {
    for (const { name, tensor } of given as readonly NamedTensor[]) take(name, tensor);
  } else for (const name of Object.keys(given)) take(name, (given as NamedTensorMap)[name]);
  return pairs;
}

/** What is most often so, with no texts that nobody reads: thousands of gradients may come in a step. */
function isSound({ dtype, shape }: Variable, gradient: Tensor): boolean {
  if (dtype !== "float32" || gradient.dtype !== "float32" || gradient.isDisposed) return false;
  const { length } = shape;
  if (gradient.shape?.length !== length) return false;
  for (let i = 0; i < length; i++) if (gradient.shape[i] !== shape[i]) return false;
  return true;
}

/** @throws {ParameterError} `BAD_DTYPE` */
export function checkVariable(variable: Variable, label: string): void {
  if (variable.dtype === "float32") return;
  throw new ParameterError("BAD_DTYPE", {
    subject: label,
    got: new Prose(variable.dtype),
    expected: "float32",
    advice: "Leave other variables out, or make them not trainable.",
  });
}

function checkGradient({ shape }: Variable, gradient: Tensor, label: string): void {
  const refuse = (got: unknown, expected: string): never => {
    throw new GradientError("BAD_GRADIENT", { subject: `${label}: gradient`, got, expected });
  };
  if (!Array.isArray(gradient.shape)) refuse(gradient, "a tensor");
  if (gradient.isDisposed) refuse(new Prose("a tensor that is disposed"), "a live one");
  const fits =
    gradient.shape.length === shape.length && gradient.shape.every((n, i) => n === shape[i]);
  if (gradient.dtype === "float32" && fits) return;
  refuse(
    new Prose(`${gradient.dtype}[${gradient.shape.join(", ")}]`),
    `float32[${shape.join(", ")}]`,
  );
}

function refuseUnknown(subject: string): never {
  throw new ParameterError("UNKNOWN_PARAMETER", {
    subject,
    got: new Prose("a gradient of a variable that is not registered"),
    expected: "one that is alive and of this copy of TensorFlow.js",
    advice: "Variables are made with tf.variable(); dispose() takes them away.",
  });
}

function refuseTwice(subject: string): never {
  throw new ParameterError("DUPLICATE_PARAMETER", {
    subject,
    got: new Prose("two gradients"),
    expected: "one gradient for each variable",
  });
}
