/** The same fit three times: L-BFGS, Adam, and Levenberg and Marquardt's method from another library. */
import { Adam, CosineAnnealingLR, LBFGS, parameter } from "downhill";
import { levenbergMarquardt } from "ml-levenberg-marquardt";
import type { Measurements } from "./data.ts";
import { Misfit, model, unknowns, unscale } from "./model.ts";

export interface Fit {
  readonly method: string;
  readonly values: Float64Array;
  /** The root of the mean squared error, in ppm. */
  readonly error: number;
  /** Passes over the data. */
  readonly evaluations: number;
  readonly ms: number;
}

export function fitWithLBFGS(data: Measurements): Fit {
  return timed("LBFGS", data, () => {
    const misfit = new Misfit(data);
    const unknown = parameter(new Float64Array(unknowns.length));
    const optimizer = new LBFGS([unknown], {
      lineSearchFn: "strong_wolfe",
      maxIter: 200,
      toleranceGrad: 1e-10,
      toleranceChange: 1e-14,
    });
    optimizer.step(() => misfit.evaluate(unknown.data, unknown.ensureGrad())); // to the end: it stops by itself
    return { scaled: unknown.data, evaluations: misfit.evaluations };
  });
}

export function fitWithAdam(data: Measurements, steps = 1000): Fit {
  return timed("Adam", data, () => {
    const misfit = new Misfit(data);
    const unknown = parameter(new Float64Array(unknowns.length));
    const optimizer = new Adam([unknown], { lr: 0.05 });
    const schedule = new CosineAnnealingLR(optimizer, { tMax: steps });
    for (let step = 0; step < steps; step++) {
      misfit.evaluate(unknown.data, unknown.ensureGrad());
      optimizer.step();
      schedule.step();
    }
    return { scaled: unknown.data, evaluations: misfit.evaluations };
  });
}

/** It works on the unknowns themselves, whose scales make no difference to it, and never stops early. */
export function fitWithLevenbergMarquardt(data: Measurements): Fit {
  return timed("ml-levenberg-marquardt", data, () => {
    const slopes = new Float64Array(unknowns.length);
    let calls = 0;
    const valueAt = (values: readonly number[], x: number): number => {
      calls++;
      return model(values, x, slopes);
    };
    const { parameterValues } = levenbergMarquardt(data, (values) => (x) => valueAt(values, x), {
      initialValues: unknowns.map(({ start }) => start),
      jacobianFunction: (values) => (x) => {
        valueAt(values, x);
        return [...slopes];
      },
      maxIterations: 20,
    });
    const scaled = parameterValues.map(
      (value, k) => (value - unknowns[k]!.start) / unknowns[k]!.scale,
    );
    return { scaled, evaluations: calls / data.x.length };
  });
}

function timed(
  method: string,
  data: Measurements,
  fit: () => { scaled: ArrayLike<number>; evaluations: number },
): Fit {
  const begin = performance.now();
  const { scaled, evaluations } = fit();
  const ms = performance.now() - begin;
  const error = Math.sqrt(
    new Misfit(data).evaluate(Float64Array.from(scaled), new Float64Array(scaled.length)),
  );
  return {
    method,
    values: unscale(scaled, new Float64Array(scaled.length)),
    error,
    evaluations,
    ms,
  };
}
