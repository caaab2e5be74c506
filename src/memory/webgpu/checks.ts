/** What must hold before something happens to a parameter or its gradient. */
import { BackendError, GradientError, ParameterError, Prose } from "../../errors.ts";
import type { BufferPart, Chunk } from "./chunk.ts";

/** Where the gradient is. @throws {GradientError} `NO_GRADIENT` */
export function requireGradient(subject: string, { location }: Chunk): BufferPart {
  if (location.grad) return location.grad;
  throw new GradientError("NO_GRADIENT", {
    subject,
    got: new Prose("no buffer with its gradient"),
    expected: "one",
    advice: "Lend it one: rebind(parameter, { grad }).",
  });
}

/** @throws {BackendError} `NOT_WRITABLE` for a gradient that is lent. */
export function requireOwnGradient(subject: string, { isGradLent }: Chunk): void {
  if (!isGradLent) return;
  throw new BackendError("NOT_WRITABLE", {
    subject,
    got: new Prose("a gradient that is lent, to be written into"),
    expected: "one of its own",
    advice: "optimizer.zeroGrad() lets go of lent gradients, and writes nothing.",
  });
}

/** @throws {ParameterError} `BAD_OPTION` unless it is true or false. */
export function requireSwitch(subject: string, value: unknown): void {
  if (typeof value === "boolean") return;
  throw new ParameterError("BAD_OPTION", { subject, got: value, expected: "true or false" });
}

/** @throws {GradientError} `FROZEN` */
export function requireTrained(one: {
  readonly label: string;
  readonly requiresGrad: boolean;
}): void {
  if (one.requiresGrad) return;
  throw new GradientError("FROZEN", {
    subject: one.label,
    got: new Prose("a gradient although requiresGrad is false"),
    expected: "no gradient",
    advice: "Set requiresGrad to true first.",
  });
}
