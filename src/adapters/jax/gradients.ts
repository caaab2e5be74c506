/**
 * From jax-js's gradients to the parameters' gradients, all or nothing.
 *
 * Everything is read and checked before the first gradient is written; then each is set where there
 * was none and added where there was one, as PyTorch's `backward()` does.
 */
import { GradientError, Prose } from "../../errors.ts";
import { dtypeOf, type TypedArray } from "../../memory/dtype.ts";
import type { Parameter } from "../../memory/parameter.ts";
import { checkSyncRead, Loan } from "./loan.ts";
import type { Place } from "./pack.ts";
import type { JaxArray } from "./tree.ts";

/** What a differentiated loss gives back: arrays whose reading uses them up. */
export interface Outcome<P> {
  readonly loss: JaxArray;
  /** One per parameter of `trained`, or fewer if there are places. */
  readonly gradients: readonly JaxArray[];
  readonly trained: readonly P[];
  /** Where each gradient is, if several of them share an array. */
  readonly places?: readonly Place[] | undefined;
}

/** Reads the outcome, writes the gradients, and returns the loss. Nothing stays in jax-js. */
export function receive(outcome: Outcome<Parameter>): number {
  const { loss, gradients, trained, places } = outcome;
  const loan = lend(loss, gradients);
  try {
    checkSyncRead(loss, "backwardAsync");
    if (!places) checkShapes(trained, gradients);
    const value = Number(loss.dataSync()[0]);
    addGradients(
      outcome,
      gradients.map((gradient) => gradient.dataSync()),
    );
    return value;
  } finally {
    loan.release();
  }
}

/** As {@link receive}, for every device. */
export async function receiveAsync(outcome: Outcome<Parameter>): Promise<number> {
  const { loss, gradients, trained, places } = outcome;
  const loan = lend(loss, gradients);
  try {
    if (!places) checkShapes(trained, gradients);
    // The loss first: reading it dispatches all pending work, which every array would do again.
    const [value] = await loss.data();
    const results = await Promise.allSettled(gradients.map((gradient) => gradient.data()));
    const failed = results.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
    addGradients(
      outcome,
      results.map((result) => (result as PromiseFulfilledResult<ArrayBufferView>).value),
    );
    return Number(value);
  } finally {
    loan.release();
  }
}

function lend(loss: JaxArray, gradients: readonly JaxArray[]): Loan {
  const loan = new Loan();
  loan.own(loss);
  for (const gradient of gradients) loan.own(gradient);
  return loan;
}

/** What a gradient has to fit. */
export type Fitted = Pick<Parameter, "dtype" | "label" | "shape">;

/** @throws {GradientError} `BAD_GRADIENT` */
export function checkShapes(trained: readonly Fitted[], gradients: readonly JaxArray[]): void {
  trained.forEach((parameter, i) => {
    const { shape, dtype } = gradients[i]!;
    const fits =
      dtype === parameter.dtype &&
      shape.length === parameter.shape.length &&
      shape.every((n, axis) => n === parameter.shape[axis]);
    if (!fits) throw misfit(parameter, `${dtype}[${shape.join(", ")}]`);
  });
}

function addGradients(
  { trained, places }: Outcome<Parameter>,
  values: readonly ArrayBufferView[],
): void {
  const checked = trained.map((parameter, i): TypedArray => {
    const place = places?.[i];
    const whole = values[place ? place.array : i] as TypedArray;
    const given = place ? whole.subarray(place.start, place.start + parameter.size) : whole;
    if (dtypeOf(given) !== parameter.dtype || given.length !== parameter.size) {
      throw misfit(parameter, `${given.constructor.name}(${given.length})`);
    }
    return given;
  });
  // A parameter that was frozen while an asynchronous call was under way has no gradient.
  trained.forEach((parameter, i) => {
    if (parameter.requiresGrad) parameter.addGrad(checked[i]!);
  });
}

function misfit(parameter: Fitted, got: string): GradientError {
  return new GradientError("BAD_GRADIENT", {
    subject: `${parameter.label}: gradient from jax-js`,
    got: new Prose(got),
    expected: `${parameter.dtype}[${parameter.shape.join(", ")}]`,
  });
}
