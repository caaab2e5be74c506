/** What the type checker must accept and refuse; most of it counts at `npm run typecheck`. */
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, expectTypeOf, test } from "vitest";
import { tfOptimizer } from "../src/adapters/tfjs.ts";
import {
  Adam,
  AdamW,
  CosineAnnealingLR,
  defineOptimizer,
  LBFGS,
  norm,
  type Optimizer,
  parameter,
  type Parameter,
  RMSprop,
  rule,
  schedule,
  Scheduler,
  SGD,
  StepLR,
} from "../src/index.ts";

describe("optimizers", () => {
  const w = parameter([1, 2], { name: "w" });

  test("of all kinds are Optimizers", () => {
    const all: Optimizer[] = [new Adam([w]), new SGD([w]), new RMSprop([w])];
    const zeroAll = (optimizers: readonly Optimizer[]) => optimizers.forEach((o) => o.zeroGrad());
    zeroAll(all);
    expect(all.map((optimizer) => optimizer.paramGroups[0].params.length)).toEqual([1, 1, 1]);
  });

  test("have typed groups, of which there is always one", () => {
    const adam = new Adam([{ params: [w], betas: [0.5, 0.9] }]);
    expectTypeOf(adam.paramGroups[0].betas).toEqualTypeOf<readonly [number, number]>();
    adam.paramGroups[0].lr = 0.5;
    expect(adam.paramGroups[0].lr).toBe(0.5);
    // @ts-expect-error: SGD has no betas
    expect(new SGD([w]).paramGroups[0].betas).toBeUndefined();
  });

  test("refuse wrong options", () => {
    // @ts-expect-error: betas are two numbers
    expect(() => new Adam([w], { betas: 0.9 })).toThrow("betas");
    // @ts-expect-error: an average is made with its parameters
    expect(() => new Adam([w], { average: { ema: 0.999 } })).toThrow("new AveragedModel(params");
    // @ts-expect-error: PyTorch's spelling
    expect(() => new Adam([w], { weight_decay: 0.1 })).toThrow("Did you mean weightDecay?");
  });

  test("give back what the closure returns", () => {
    expectTypeOf(new SGD([w]).step(() => 1.5)).toEqualTypeOf<number>();
    expect(new SGD([w]).step(() => 1.5)).toBe(1.5);
  });
});

describe("parameters", () => {
  test("know their type", () => {
    expectTypeOf(parameter(new Float64Array(1))).toEqualTypeOf<Parameter<"float64">>();
    expectTypeOf(parameter([1]).data).toEqualTypeOf<Float32Array>();
    expectTypeOf(parameter([1], { dtype: "float64" }).grad).toEqualTypeOf<Float64Array | null>();
    const either = new Float32Array(2) as Float32Array | Float64Array;
    expectTypeOf(parameter(either)).toEqualTypeOf<Parameter>();
    expect(parameter({ shape: [2, 3], dtype: "float64" }).data).toHaveLength(6);
  });
});

describe("rules", () => {
  test("have pairs, of which a number may be open", () => {
    const made = rule({ name: "R", hyper: { eps: [null, 1e-3] }, step: ({ p }) => ({ p }) });
    expectTypeOf(made.hyper.eps).toEqualTypeOf<readonly [number | null, number]>();
    // @ts-expect-error: the second number has a default
    expect(() => made.validate({ eps: [null, null] } satisfies typeof made.hyper)).toThrow(
      "eps[1]",
    );
  });

  test("are held to their state and hyperparameters", () => {
    const Rule = defineOptimizer({
      name: "Rule",
      hyper: { lr: 0.1 },
      state: ["m"],
      // @ts-expect-error: m is missing
      step: ({ p, g }, { lr }) => ({ p: p.sub(g.mul(lr)) }),
    });
    const w = parameter([1], { name: "w" });
    w.grad = [1];
    expect(() => new Rule([w]).step()).toThrow("Return every slot");
    defineOptimizer({
      name: "Another",
      hyper: { lr: 0.1 },
      // @ts-expect-error: no operators between tensors
      step: ({ p, g }, { lr }) => ({ p: p - g * lr }),
    });
    defineOptimizer({
      name: "Third",
      hyper: { lr: 0.1 },
      // @ts-expect-error: a scalar is no tensor
      step: ({ p }) => ({ p: norm(p) }),
    });
  });
});

describe("optimizers for TensorFlow.js", () => {
  test("have the hyperparameters of their rule", () => {
    const optimizer = tfOptimizer(tf, AdamW, {
      lr: 0.1,
      groups: [{ match: /bias$/, weightDecay: 0 }],
      schedule: (groups) => new StepLR(groups, { stepSize: 2, gamma: groups.paramGroups[0].lr }),
    });
    expectTypeOf(optimizer).toExtend<tf.Optimizer>();
    expectTypeOf(optimizer.paramGroups[0].betas).toEqualTypeOf<readonly [number, number]>();
    expectTypeOf(optimizer.paramGroups[0].params).toEqualTypeOf<readonly tf.Variable[]>();
    // @ts-expect-error: tfjs's name
    expect(() => tfOptimizer(tf, AdamW, { learningRate: 0.1 })).toThrow("Did you mean lr?");
    const wrong = { match: /bias$/, betas: 0.9 };
    // @ts-expect-error: betas are two numbers
    expect(() => tfOptimizer(tf, AdamW, { groups: [wrong] })).toThrow("betas");
    // @ts-expect-error: it has no rule
    expect(() => tfOptimizer(tf, LBFGS)).toThrow("tfLBFGS");
  });
});

describe("schedulers", () => {
  const optimizer = new SGD([parameter([1, 2], { name: "w" })]);

  test("take options by name, and any function of the step", () => {
    const all: Scheduler[] = [
      new CosineAnnealingLR(optimizer, { tMax: 10 }),
      new Scheduler(optimizer, {
        lr: schedule.linear(),
        momentum: (step, base) => base / (1 + step),
      }),
    ];
    expectTypeOf(schedule.linear()(3)).toEqualTypeOf<number>();
    // @ts-expect-error: PyTorch's spelling
    expect(() => new CosineAnnealingLR(optimizer, { T_max: 10 })).toThrow("Did you mean tMax?");
    // @ts-expect-error: a schedule is a function
    expect(() => new Scheduler(optimizer, { lr: 0.1 })).toThrow("an object with functions");
    expect(all.map((scheduler) => scheduler.lastEpoch)).toEqual([0, 0]);
  });
});
