/**
 * Moving averages keep out of the subnormal range, where a CPU computes tens of times slower.
 *
 * After a few real gradients come thousands of zeros, as for a parameter that a layer no longer uses.
 * Without the flush every average ends among the subnormals, so the test can fail; with it none does,
 * and no parameter of any recorded run changes by a bit.
 */
import { describe, expect, test } from "vitest";
import {
  Adam,
  AdamW,
  defineOptimizer,
  ema,
  parameter,
  RMSprop,
  SGD,
  type DType,
  type Optimizer,
  type TypedArray,
} from "../src/index.ts";
import { FLUSH_PERIOD } from "../src/ir/op.ts";
import { ways } from "./helpers/backends.ts";
import { bits, isSubnormal } from "./helpers/bits.ts";
import { goldenCases, recorded, runCase, type OptimizerName } from "./helpers/golden.ts";
import { noise } from "./helpers/rules.ts";

const Turns = defineOptimizer({
  name: "Turns",
  hyper: { lr: 0.1, b: 0.5 },
  state: ["odd", "even", "slow"],
  step: ({ p, g, odd, even, slow }, { lr, b }) => {
    const average = ema(slow, g, b);
    return { p: p.sub(average.mul(lr)), odd: even, even: odd.mul(b).add(g), slow: average };
  },
});

type Maker = new (params: never, options: never) => unknown;

/** Rules, options that let every average decay within 2000 steps, and the slots that do. */
const table: readonly (readonly [Maker, object, readonly string[]])[] = [
  [SGD, { momentum: 0.5 }, ["momentum_buffer"]],
  [SGD, { momentum: 0.5, nesterov: true }, ["momentum_buffer"]],
  [SGD, { momentum: 0.5, dampening: 0.5 }, ["momentum_buffer"]],
  [RMSprop, { alpha: 0.5 }, ["square_avg"]],
  [
    RMSprop,
    { alpha: 0.5, momentum: 0.5, centered: true },
    ["square_avg", "momentum_buffer", "grad_avg"],
  ],
  [Adam, { betas: [0.5, 0.5] }, ["exp_avg", "exp_avg_sq"]],
  [Adam, { betas: [0.3, 0.7] }, ["exp_avg", "exp_avg_sq"]],
  [Adam, { betas: [0.5, 0.5], amsgrad: true }, ["exp_avg", "exp_avg_sq"]],
  [AdamW, { betas: [0.5, 0.6] }, ["exp_avg", "exp_avg_sq"]],
  [Turns, { b: 0.25 }, ["odd", "even", "slow"]],
];

/** Names of the state slots that held a subnormal after any of every so many steps. */
function slotsWithSubnormals(cls: Maker, dtype: DType, options: object, every = 1): string[] {
  const w = parameter(Array.from({ length: 11 }, noise(3)), { name: "w", dtype });
  const optimizer = new cls([w] as never, options as never) as Optimizer;
  const next = noise(5);
  const seen = new Set<string>();
  for (let step = 0; step < 2000; step++) {
    const grad = w.ensureGrad();
    for (let i = 0; i < grad.length; i++) grad[i] = step < 3 ? next() : 0;
    optimizer.step();
    const slots = (step + 1) % every === 0 ? optimizer.stateDict().state["w"]! : {};
    for (const [slot, values] of Object.entries(slots)) {
      if (typeof values === "number") continue;
      if (values.some((value) => isSubnormal(value, values))) seen.add(slot);
    }
  }
  return [...seen];
}

describe.each(["float32", "float64"] as const)("%s", (dtype) => {
  test.each(table)("%o %j", (cls, options, slots) => {
    const open = slotsWithSubnormals(cls, dtype, { ...options, flushSubnormals: false }, 10);
    expect(open.toSorted()).toEqual(slots.toSorted());
    // Averages that keep less than half of themselves get there between two flushes, for some steps.
    const rates = Object.values(options)
      .flat()
      .filter((rate) => typeof rate === "number");
    const every = Math.min(...rates) < 0.5 ? 2 * FLUSH_PERIOD : 1;
    expect(slotsWithSubnormals(cls, dtype, options, every)).toEqual([]);
  });
});

test("Adam with its usual betas, float32", () => {
  const open = slotsWithSubnormals(Adam, "float32", { flushSubnormals: false }, 10);
  expect(open).toEqual(["exp_avg"]);
  expect(slotsWithSubnormals(Adam, "float32", {})).toEqual([]);
});

describe("small gradients with a small eps move as far as without the flush", () => {
  const cases = [Adam, RMSprop].flatMap((cls) =>
    [0, 1e-15, 1e-20].flatMap((eps) => [1e-13, 1e-14, 1e-15].map((size) => ({ cls, eps, size }))),
  );
  test.each(cases)("$cls.name, eps $eps, gradients of $size", ({ cls, eps, size }) => {
    const end = (flushSubnormals: boolean): number => {
      const w = parameter([0], { name: "w" });
      const alpha = cls === RMSprop ? { alpha: 0.999 } : {};
      const optimizer = new cls([w], { lr: 1e-3, eps, ...alpha, flushSubnormals } as never);
      w.grad = [size];
      for (let step = 0; step < 100; step++) (optimizer as unknown as Optimizer).step();
      return w.data[0]!;
    };
    expect(end(false)).toBeLessThan(0);
    expect(end(true)).toBe(end(false));
  });
});

test.each(ways)("small averages come out the same on $name", ({ options }) => {
  const run = (way: object): string => {
    const w = parameter(
      new Float32Array(40).map((_, i) => 2 ** (-95 - i)),
      { name: "w" },
    );
    const optimizer = new SGD([w], { momentum: 0.75, lr: 0, ...way });
    w.grad = w.data.map((value, i) => (i % 2 === 0 ? value : -value));
    for (let step = 0; step < 3; step++) optimizer.step();
    return bits(optimizer.stateDict().state["w"]!["momentum_buffer"] as TypedArray);
  };
  expect(run(options)).toBe(run(ways[0]!.options));
});

describe.each(Object.keys(recorded) as OptimizerName[])("recorded runs of %s", (name) => {
  test("the flush changes no bit of any parameter", () => {
    for (const golden of goldenCases(name)) {
      const [on, off] = [true, false].map((flushSubnormals) =>
        runCase(name, golden, { flushSubnormals }).trajectory.map((values) =>
          Object.values(values).map(bits),
        ),
      );
      expect(on, JSON.stringify(golden.options)).toEqual(off);
    }
  });
});
