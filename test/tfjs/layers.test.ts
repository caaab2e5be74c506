/** Models of tfjs-layers with Downhill's optimizers: `fit` learns as with tfjs's own, `save` and load go on exactly. */
import { beforeEach, describe, expect, test } from "vitest";
import {
  isMatrix,
  isVector,
  registerOptimizer,
  tfOptimizer,
  type TfOptions,
  type VariableGroups,
} from "../../src/adapters/tfjs.ts";
import {
  Adafactor,
  Adam,
  AdamW,
  ASGD,
  NAdam,
  RMSprop,
  SGD,
  StepLR,
  type HyperDefaults,
  type Rule,
} from "../../src/index.ts";
import { backends, layers, tf, useBackend } from "../helpers/tfjs.ts";
import { fit, fitNew, save, smallModel, weightsOf } from "../helpers/tfjs-model.ts";

interface Case {
  readonly name: string;
  readonly type: { readonly rule: Rule<HyperDefaults> };
  readonly options: TfOptions;
}

const cases = [
  { name: "SGD with momentum", type: SGD, options: { lr: 0.05, momentum: 0.9 } },
  { name: "RMSprop", type: RMSprop, options: { lr: 0.01, centered: true, momentum: 0.5 } },
  { name: "NAdam, which remembers a product", type: NAdam, options: { lr: 0.01 } },
  { name: "ASGD, which counts", type: ASGD, options: { lr: 0.05 } },
  { name: "Adafactor, with rows and columns", type: Adafactor, options: {} },
  { name: "state in bfloat16", type: Adam, options: { lr: 0.01, stateDtype: "bfloat16" } },
  {
    name: "AdamW with groups, clipping and a schedule",
    type: AdamW,
    options: {
      lr: 0.02,
      weightDecay: 0.1,
      clipGradNorm: 0.5,
      groups: [
        { match: isVector, weightDecay: 0 },
        { match: [/kernel$/, "nobody"], lr: 0.01 },
      ],
      schedule: (optimizer: VariableGroups) => new StepLR(optimizer, { stepSize: 3, gamma: 0.7 }),
    },
  },
] as unknown as readonly Case[];

describe.each(backends)("on %s", (backend) => {
  beforeEach(async () => {
    await useBackend(backend);
    tf.disposeVariables();
  });

  test("Adam's losses are those of tf.train.adam", async () => {
    const expected = await fitNew(tf.train.adam(0.01));
    const losses = await fitNew(tfOptimizer(tf, Adam, { lr: 0.01, eps: 1e-7 }));
    expect(losses.at(-1)).toBeLessThan(losses[0]! / 2);
    losses.forEach((loss, i) => expect(loss / expected[i]!).toBeCloseTo(1, 4));
  });

  test.each(cases)("$name: a model that is loaded goes on exactly", async ({ type, options }) => {
    const made = smallModel();
    const optimizer = tfOptimizer(tf, type, options);
    made.compile({ optimizer, loss: "meanSquaredError" });
    await fit(made, 2);
    optimizer.paramGroups[0]["lr"] = 0.03; // changed by hand
    const saved = await save(made);

    const loaded = await layers.loadLayersModel(tf.io.fromMemory(saved));
    const again = await save(loaded); // before any step
    expect(new Uint8Array(again.weightData as ArrayBuffer).length).toBe(
      new Uint8Array(saved.weightData as ArrayBuffer).length,
    );
    expect(loaded.optimizer.iterations).toBe(8);
    expect(await fit(loaded, 2)).toEqual(await fit(made, 2));
    expect(weightsOf(loaded)).toEqual(weightsOf(made));
    expect(loaded.optimizer.iterations).toBe(16);
    const groups = (of: unknown) =>
      (of as typeof optimizer).paramGroups.map(({ params: _, ...hyper }) => hyper);
    expect(groups(loaded.optimizer)).toEqual(groups(optimizer));
  });
});

test("a file holds all options that are no functions", async () => {
  await useBackend("cpu");
  const options = {
    lr: 0.02,
    betas: [0.5, 0.9],
    amsgrad: true,
    clipGradNorm: Infinity,
    clipGradValue: 0.25,
    nonFinite: "skip",
    groups: [
      { match: isVector, lr: 0.03 },
      { match: [isMatrix, "nobody"], weightDecay: 0 },
      { match: /KERNEL/i, eps: 1e-5 },
      { match: "dense_1/bias", lr: 0.04 },
    ],
  };
  const make = (of: object) => tfOptimizer(tf, AdamW, of);
  tf.disposeVariables();
  tf.variable(tf.ones([2]), true, "dense_1/bias");
  tf.variable(tf.ones([2, 2]), true, "dense_1/kernel");
  const config = make(options).getConfig();
  registerOptimizer(tf, AdamW);
  const { classNameMap } = tf.serialization.SerializationMap.getMap();
  const [type, fromConfig] = classNameMap["DownhillAdamW"]!;
  const made = fromConfig(type, config) as unknown as ReturnType<typeof make>;
  expect(made.getConfig()).toEqual(config);
  const loss = () => {
    const sums = Object.values(tf.engine().registeredVariables).map((variable) => tf.sum(variable));
    return tf.addN(sums) as tf.Scalar;
  };
  const step = (optimizer: typeof made) => {
    optimizer.minimize(loss);
    return optimizer.paramGroups.map(({ params, ...hyper }) => [params.map((v) => v.name), hyper]);
  };
  expect(step(made)).toEqual(step(make(options)));
});

describe("what a file does not hold", () => {
  beforeEach(() => useBackend("cpu"));

  const groups = [{ match: ({ shape }: tf.Variable) => shape.length < 2, weightDecay: 0 }];
  const schedule: TfOptions["schedule"] = (optimizer) => new StepLR(optimizer, { stepSize: 2 });

  test.each([
    ["groups[0].match", { groups }],
    ["schedule", { schedule }],
  ])("%s comes from registerOptimizer", async (name, options) => {
    const made = smallModel();
    made.compile({
      optimizer: tfOptimizer(tf, AdamW, options as TfOptions<never>),
      loss: "meanSquaredError",
    });
    await fit(made, 1);
    const saved = await save(made);
    registerOptimizer(tf, AdamW);
    await expect(layers.loadLayersModel(tf.io.fromMemory(saved))).rejects.toThrow(
      `AdamW: ${name}: got a configuration in which it was a function, expected the function`,
    );
    registerOptimizer(tf, AdamW, options as TfOptions<never>);
    const loaded = await layers.loadLayersModel(tf.io.fromMemory(saved));
    expect(await fit(loaded, 1)).toEqual(await fit(made, 1));
  });
});
