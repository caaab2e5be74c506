/** What tfOptimizer refuses, and that nothing has changed then. */
import { beforeEach, describe, expect, test } from "vitest";
import {
  registerOptimizer,
  tfComposite,
  tfLBFGS,
  tfOptimizer,
  type Tf,
} from "../../src/adapters/tfjs.ts";
import {
  Adam,
  AveragedModel,
  DownhillError,
  LBFGS,
  Muon,
  parameter,
  SGD,
} from "../../src/index.ts";
import { tf, useBackend } from "../helpers/tfjs.ts";

beforeEach(async () => {
  await useBackend("cpu");
  tf.disposeVariables();
});

/** Messages are snapshots, so that a review shows how they read. */
function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof DownhillError) return `${error.name} ${error.code}: ${error.message}`;
    throw error;
  }
  throw new Error("nothing was thrown");
}

async function refusalOf(promise: Promise<unknown>): Promise<string> {
  const outcome = await promise.then(
    () => () => {},
    (error: unknown) => () => {
      throw error;
    },
  );
  return refusal(outcome);
}

test("options", () => {
  const make = (options: object) => () => tfOptimizer(tf, Adam, options);
  const average = new AveragedModel([parameter([1])], { ema: 0.9 });
  expect(
    [
      () => tfOptimizer({} as Tf, Adam),
      () => tfOptimizer(null as unknown as Tf, Adam),
      () => tfOptimizer(tf, LBFGS as never),
      () => registerOptimizer(tf, { rule: null } as never),
      make({ lr: -1 }),
      make({ learningRate: 0.1 }),
      make({ clipGradsNorm: 1 }),
      make(3 as never),
      make({ clipGradNorm: -1 }),
      make({ clipGradValue: "1" }),
      make({ schedule: 3 }),
      make({ average }),
      make({ groups: { match: /bias/ } }),
      make({ groups: [{ weightDecay: 0 }] }),
      make({ groups: [{ match: /bias/, weight_decay: 0 }] }),
      make({ groups: [{ match: /bias/, lr: -1 }] }),
      make({ groups: ["bias"] }),
    ].map(refusal),
  ).toMatchInlineSnapshot(`
    [
      "BackendError NO_TFJS: tfOptimizer: tf: got something without engine, getBackend, scalar, tensor, variableGrads, serialization, expected TensorFlow.js, 4.22 or newer. Pass the module: import * as tf from "@tensorflow/tfjs-core".",
      "BackendError NO_TFJS: tfOptimizer: tf: got null, expected TensorFlow.js, 4.22 or newer. Pass the module: import * as tf from "@tensorflow/tfjs-core".",
      "OptionError BAD_OPTION: tfOptimizer: optimizer: got function LBFGS, expected a class such as AdamW, with a rule. For LBFGS there is tfLBFGS().",
      "OptionError BAD_OPTION: registerOptimizer: optimizer: got an object {rule}, expected a class such as AdamW, with a rule. For LBFGS there is tfLBFGS().",
      "OptionError BAD_HYPERPARAMETER: Adam: lr: got -1, expected a finite number in [0, inf).",
      "OptionError UNKNOWN_OPTION: Adam: "learningRate": got an unknown name, expected one of lr, betas, eps, weightDecay, amsgrad, maximize, decoupledWeightDecay, foreach, compile, flushSubnormals, backend, threads, stateDtype, stateRounding, nonFinite, groups, clipGradNorm, clipGradValue, schedule. Did you mean lr?",
      "OptionError UNKNOWN_OPTION: Adam: "clipGradsNorm": got an unknown name, expected one of lr, betas, eps, weightDecay, amsgrad, maximize, decoupledWeightDecay, foreach, compile, flushSubnormals, backend, threads, stateDtype, stateRounding, nonFinite, groups, clipGradNorm, clipGradValue, schedule.",
      "OptionError BAD_OPTION: Adam: options: got 3, expected an object such as { lr: 0.01 }.",
      "OptionError BAD_OPTION: Adam: clipGradNorm: got -1, expected a number ≥ 0.",
      "OptionError BAD_OPTION: Adam: clipGradValue: got "1", expected a number ≥ 0.",
      "OptionError BAD_OPTION: Adam: schedule: got 3, expected a function such as (optimizer) => new StepLR(optimizer, …).",
      "OptionError BAD_OPTION: Adam: average: got an AveragedModel, expected no average. Variables would have to be known in advance.",
      "OptionError BAD_OPTION: Adam: groups: got an object {match}, expected a list of rules such as { match: /bias$/, weightDecay: 0 }.",
      "OptionError BAD_OPTION: Adam: groups[0]: which parameters: got undefined, expected a pattern such as /bias$/, a name, a function, or a list of these.",
      "OptionError UNKNOWN_OPTION: Adam: "weight_decay": got an unknown name, expected one of lr, betas, eps, weightDecay, amsgrad, maximize, decoupledWeightDecay, match. Did you mean weightDecay?",
      "OptionError BAD_HYPERPARAMETER: Adam: lr: got -1, expected a finite number in [0, inf).",
      "OptionError BAD_OPTION: Adam: groups[0]: got "bias", expected a rule such as { match: /bias$/, weightDecay: 0 }.",
    ]
  `);
});

describe("a step", () => {
  const one = () => tf.tensor1d([1]);

  test("with gradients that do not fit changes nothing", () => {
    const w = tf.variable(one(), true, "w");
    tf.variable(tf.tensor1d([1], "int32"), true, "whole");
    const gone = one();
    gone.dispose();
    const optimizer = tfOptimizer(tf, SGD, { lr: 1, momentum: 0.9 });
    optimizer.applyGradients({ w: one() });
    const cases: Record<string, unknown>[] = [
      { w: one(), stranger: one() },
      { w: one(), whole: one() },
      { w: tf.tensor2d([[1]]) },
      { w: tf.tensor1d([1], "int32") },
      { w: gone },
      { w: [1] },
    ];
    const apply = (gradients: unknown) => () => optimizer.applyGradients(gradients as never);
    const twice = [
      { name: "w", tensor: one() },
      { name: "w", tensor: one() },
    ];
    const { numTensors } = tf.memory();
    expect([...cases, twice, null].map((each) => refusal(apply(each)))).toMatchInlineSnapshot(`
      [
        "ParameterError UNKNOWN_PARAMETER: SGD: applyGradients: variable "stranger": got a gradient of a variable that is not registered, expected one that is alive and of this copy of TensorFlow.js. Variables are made with tf.variable(); dispose() takes them away.",
        "ParameterError BAD_DTYPE: SGD: applyGradients: variable "whole": got int32, expected float32. Leave other variables out, or make them not trainable.",
        "GradientError BAD_GRADIENT: SGD: applyGradients: variable "w": gradient: got float32[1, 1], expected float32[1].",
        "GradientError BAD_GRADIENT: SGD: applyGradients: variable "w": gradient: got int32[1], expected float32[1].",
        "GradientError BAD_GRADIENT: SGD: applyGradients: variable "w": gradient: got a tensor that is disposed, expected a live one.",
        "GradientError BAD_GRADIENT: SGD: applyGradients: variable "w": gradient: got [1], expected a tensor.",
        "ParameterError DUPLICATE_PARAMETER: SGD: applyGradients: variable "w": got two gradients, expected one gradient for each variable.",
        "OptionError BAD_OPTION: SGD: applyGradients: gradients: got null, expected tensors by the names of their variables, or a list of { name, tensor }.",
      ]
    `);
    optimizer.paramGroups[0].momentum = -1;
    expect(refusal(apply({ w: one() }))).toMatchInlineSnapshot(
      `"OptionError BAD_HYPERPARAMETER: SGD: paramGroups[0].momentum: got -1, expected a finite number in [0, inf)."`,
    );
    optimizer.paramGroups[0].momentum = 0.9;
    expect([w.dataSync()[0], optimizer.iterations]).toEqual([0, 1]);
    expect(tf.memory().numTensors).toBe(numTensors + 1); // the last gradient
    optimizer.applyGradients({ w: one() });
    expect(w.dataSync()[0]).toBeCloseTo(-1.9, 6);
  });

  test("without the gradient's tensors left when it fails", () => {
    tf.variable(tf.tensor1d([1]), true, "vector");
    const muon = tfOptimizer(tf, Muon);
    const w = tf.engine().registeredVariables["vector"]!;
    const { numTensors } = tf.memory();
    expect(refusal(() => muon.minimize(() => tf.sum(w)))).toMatchInlineSnapshot(
      `"ParameterError NOT_A_MATRIX: Muon: parameter "vector": got shape [1], expected a matrix, shape [rows, columns]. Give vectors, scalars and kernels of convolutions to another optimizer, such as AdamW."`,
    );
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(muon.paramGroups[0].params).toEqual([]);
  });

  test("with rules that match nothing", () => {
    const w = tf.variable(one(), true, "dense/kernel");
    const optimizer = tfOptimizer(tf, SGD, { groups: [{ match: /bais$/, weightDecay: 0 }] });
    expect(refusal(() => optimizer.minimize(() => tf.sum(w)))).toMatchInlineSnapshot(
      `"ParameterError NOTHING_MATCHED: SGD: groups[0]: got /bais$/, which matches none of 1 parameters, expected one that matches at least one parameter. There are dense/kernel."`,
    );
  });

  test("after dispose(), or beside an asynchronous one", async () => {
    const w = tf.variable(one(), true, "w");
    const optimizer = tfOptimizer(tf, SGD);
    const first = optimizer.minimizeAsync(() => tf.sum(w));
    const calls = [
      () => optimizer.minimize(() => tf.sum(w)),
      () => optimizer.applyGradients({ w: one() }),
    ];
    const busy = calls.map(refusal);
    await first;
    optimizer.dispose();
    optimizer.dispose();
    expect([...busy, ...calls.map(refusal)]).toMatchInlineSnapshot(`
      [
        "CallError BUSY: SGD: minimize: got a call while an asynchronous one is under way, expected a call after it. Await minimizeAsync() and applyGradientsAsync().",
        "CallError BUSY: SGD: applyGradients: got a call while an asynchronous one is under way, expected a call after it. Await minimizeAsync() and applyGradientsAsync().",
        "BackendError DISPOSED: SGD: minimize: got a call after dispose(), expected calls before it.",
        "BackendError DISPOSED: SGD: applyGradients: got a call after dispose(), expected calls before it.",
      ]
    `);
    expect(await refusalOf(optimizer.getWeights())).toMatchInlineSnapshot(
      `"BackendError DISPOSED: SGD: getWeights: got a call after dispose(), expected calls before it."`,
    );
  });
});

describe("state", () => {
  test("that is not of such an optimizer", async () => {
    const w = tf.variable(tf.tensor1d([1]), true, "w");
    const sgd = tfOptimizer(tf, SGD, { momentum: 0.9 });
    sgd.minimize(() => tf.sum(w));
    const adam = tfOptimizer(tf, Adam);
    adam.minimize(() => tf.sum(w));
    const weights = await sgd.getWeights();
    const text = (value: string) => [weights[0]!, { name: "downhill", tensor: tf.scalar(value) }];
    const given = [
      [],
      await tf.train.adam(0.1).getWeights(),
      weights,
      text("{"),
      text("{}"),
      text('{"version":2,"dict":{"state":{},"paramGroups":[{}]},"keys":[""],"iterations":1}'),
      text('{"version":1,"dict":{"state":{},"paramGroups":[{}]},"keys":[],"iterations":1}'),
      text('{"version":1,"dict":{"state":{},"paramGroups":[{}]},"keys":[""],"iterations":1}'),
    ];
    const refusals: string[] = [];
    for (const each of given) refusals.push(await refusalOf(adam.setWeights(each as never)));
    refusals.push(await refusalOf(sgd.setWeights(weights.slice(0, 2))));
    const dict = await sgd.stateDict();
    refusals.push(refusal(() => adam.loadStateDict(dict)));
    const { paramGroups } = dict;
    refusals.push(refusal(() => sgd.loadStateDict({ ...dict, paramGroups: [{}] as never })));
    const groups = [0, 1].flatMap(() => paramGroups);
    refusals.push(refusal(() => sgd.loadStateDict({ ...dict, paramGroups: groups })));
    expect(refusals).toMatchInlineSnapshot(`
      [
        "StateDictError STATE_MISMATCH: Adam: weights: got [], expected what getWeights() of such an optimizer returned.",
        "StateDictError STATE_MISMATCH: Adam: weights: got those of another optimizer, expected what getWeights() of such an optimizer returned.",
        "StateDictError STATE_MISMATCH: Adam: optimizer of the state dict: got "SGD", expected "Adam".",
        "StateDictError STATE_MISMATCH: Adam: weights: got a text that is damaged, expected what getWeights() of such an optimizer returned.",
        "StateDictError STATE_MISMATCH: Adam: weights: got a text of version undefined, expected what getWeights() of such an optimizer returned.",
        "StateDictError STATE_MISMATCH: Adam: weights: got a text of version 2, expected what getWeights() of such an optimizer returned.",
        "StateDictError STATE_MISMATCH: Adam: weights: got a text that is damaged, expected what getWeights() of such an optimizer returned.",
        "StateDictError STATE_MISMATCH: Adam: version of the state dict: got undefined, expected 1.",
        "StateDictError STATE_MISMATCH: SGD: weights: got no momentum_buffer of w, expected what getWeights() of such an optimizer returned.",
        "StateDictError STATE_MISMATCH: Adam: optimizer of the state dict: got "SGD", expected "Adam".",
        "StateDictError STATE_MISMATCH: SGD: paramGroups[0].params: got undefined, expected a list of { name, shape, dtype }.",
        "StateDictError STATE_MISMATCH: SGD: paramGroups: got 2 groups, expected one group for each set of rules that a variable matches.",
      ]
    `);
    expect([sgd.iterations, adam.iterations]).toEqual([1, 1]);
  });

  test("of variables of other shapes, in a step", async () => {
    const w = tf.variable(tf.tensor1d([1, 2]), true, "w");
    const sgd = tfOptimizer(tf, SGD, { lr: 1, momentum: 0.9 });
    sgd.minimize(() => tf.sum(w));
    const dict = await sgd.stateDict();
    w.dispose();
    const other = tf.variable(tf.tensor1d([1]), true, "other");
    sgd.loadStateDict(dict);
    expect(refusal(() => sgd.minimize(() => tf.sum(other)))).toMatchInlineSnapshot(
      `"StateDictError STATE_MISMATCH: SGD: variable "other": got shape [1], expected [2], that of "w", whose state is next. State goes to variables of equal names, otherwise in the order in which it was saved."`,
    );
    expect(other.dataSync()[0]).toBe(1);
    const fits = tf.variable(tf.tensor1d([1, 2]), true, "w");
    sgd.minimize(() => tf.sum(fits), false, [fits]);
    expect(fits.dataSync()[0]).toBeCloseTo(1 - 1.9, 6);
  });
});

test("configurations that are none", () => {
  registerOptimizer(tf, Adam);
  tfComposite(tf, { all: { optimizer: tfOptimizer(tf, Adam) } });
  tfLBFGS(tf);
  const { classNameMap } = tf.serialization.SerializationMap.getMap();
  const refusals = ["Adam", "Composite", "LBFGS"].flatMap((name) => {
    const [type, fromConfig] = classNameMap[`Downhill${name}`]!;
    const given = [null, {}, { downhill: "{" }, { downhill: '{"version":2}' }];
    return given.map((config) => refusal(() => fromConfig(type, config as never)));
  });
  expect(refusals).toMatchInlineSnapshot(`
    [
      "OptionError BAD_OPTION: Adam: configuration: got null, expected what getConfig() returned.",
      "OptionError BAD_OPTION: Adam: configuration: got an object {}, expected what getConfig() returned.",
      "OptionError BAD_OPTION: Adam: configuration: got an object {downhill}, expected what getConfig() returned.",
      "OptionError BAD_OPTION: Adam: configuration: got an object {downhill}, expected what getConfig() returned.",
      "OptionError BAD_OPTION: Composite: configuration: got null, expected what getConfig() returned.",
      "OptionError BAD_OPTION: Composite: configuration: got an object {}, expected what getConfig() returned.",
      "OptionError BAD_OPTION: Composite: configuration: got an object {downhill}, expected what getConfig() returned.",
      "OptionError BAD_OPTION: Composite: configuration: got an object {downhill}, expected what getConfig() returned.",
      "OptionError BAD_OPTION: LBFGS: configuration: got null, expected what getConfig() returned.",
      "OptionError BAD_OPTION: LBFGS: configuration: got an object {}, expected what getConfig() returned.",
      "OptionError BAD_OPTION: LBFGS: configuration: got an object {downhill}, expected what getConfig() returned.",
      "OptionError BAD_OPTION: LBFGS: configuration: got an object {downhill}, expected what getConfig() returned.",
    ]
  `);
});
