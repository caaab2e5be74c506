/** What tfjs's own optimizers get wrong, and all that may happen to variables between steps. */
import { beforeEach, describe, expect, test } from "vitest";
import { isVector, tfOptimizer } from "../../src/adapters/tfjs.ts";
import { decodeCheckpoint, encodeCheckpoint } from "../../src/checkpoint/index.ts";
import { Adam, AdamW, Muon, RMSprop, SGD, StepLR } from "../../src/index.ts";
import { backends, tf, useBackend } from "../helpers/tfjs.ts";

const variable = (name: string, ...values: number[]): tf.Variable =>
  tf.tidy(() => tf.variable(tf.tensor1d(values), true, name));
const ones = (...names: string[]): tf.NamedTensorMap =>
  Object.fromEntries(names.map((name) => [name, tf.tensor1d([1])]));
/** The same as tfjs's own optimizers have it in their types. */
const listed = (gradients: tf.NamedTensorMap) =>
  Object.entries(gradients).map(([name, tensor]) => ({ name, tensor }));
const value = (of: tf.Tensor): number => of.dataSync()[0]!;

describe.each(backends)("on %s", (backend) => {
  beforeEach(async () => {
    await useBackend(backend);
    tf.disposeVariables();
  });

  describe("what tf.train gets wrong", () => {
    test("centered RMSprop with a gradient of zero", () => {
      const [theirs, ours] = [variable("a", 1), variable("b", 1)];
      const zero = tf.tensor1d([0]);
      tf.train.rmsprop(0.1, 0.9, 0, 1e-8, true).applyGradients({ a: zero });
      tfOptimizer(tf, RMSprop, { lr: 0.1, centered: true }).applyGradients({ b: zero });
      expect([value(theirs), value(ours)]).toEqual([NaN, 1]);
    });

    test("a momentum that is set to 0", () => {
      const [theirs, ours] = [variable("a", 1), variable("b", 1)];
      const momentum = tf.train.momentum(1, 0.9);
      const sgd = tfOptimizer(tf, SGD, { lr: 1, momentum: 0.9 });
      const step = () => {
        momentum.applyGradients(listed(ones("a")));
        sgd.applyGradients(ones("b"));
      };
      step();
      momentum.setMomentum(0);
      sgd.paramGroups[0].momentum = 0;
      step();
      expect(value(theirs)).toBeCloseTo(-1.9, 6); // as with 0.9
      expect(value(ours)).toBe(-1);
    });

    test("state of the variable that another call had at this position", () => {
      const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => variable(name, 0));
      const momentum = tf.train.momentum(1, 0.9);
      const sgd = tfOptimizer(tf, SGD, { lr: 1, momentum: 0.9 });
      for (const name of ["a", "b"]) momentum.applyGradients(listed(ones(name)));
      for (const name of ["c", "d"]) sgd.applyGradients(ones(name));
      expect([value(a!), value(b!)]).toEqual([-1, Math.fround(-1.9)]);
      expect([value(c!), value(d!)]).toEqual([-1, -1]);
      const wide = variable("wide", 0, 0);
      const gradients = { wide: tf.tensor1d([1, 1]) };
      expect(() => momentum.applyGradients(listed(gradients))).toThrow("must match");
      sgd.applyGradients(gradients);
      expect(value(wide)).toBe(-1);
    });
  });

  test("variables that are disposed and made anew begin anew, and nothing piles up", () => {
    const keeper = variable("keeper", 0);
    const optimizer = tfOptimizer(tf, SGD, { lr: 1, momentum: 0.9 });
    const values: number[] = [];
    let numTensors = 0;
    for (let round = 0; round < 5; round++) {
      const w = variable("w", 0);
      const gradients = ones("w", "keeper");
      optimizer.applyGradients(gradients);
      values.push(value(w));
      w.dispose();
      tf.dispose(gradients);
      if (round === 0) ({ numTensors } = tf.memory());
    }
    expect(values).toEqual([-1, -1, -1, -1, -1]);
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(optimizer.paramGroups[0].params.length).toBe(2); // the last w has not been missed yet
    expect(value(keeper)).toBeCloseTo(-(1 + 1.9 + 2.71 + 3.439 + 4.0951), 5);
  });

  test("variables may be assigned to between steps", () => {
    const w = variable("w", 1);
    const optimizer = tfOptimizer(tf, SGD, { lr: 1 });
    optimizer.applyGradients(ones("w"));
    w.assign(tf.tensor1d([10]));
    optimizer.applyGradients(ones("w"));
    expect(value(w)).toBe(9);
  });

  test("variables share no memory with others that they were made of, nor with gradients", () => {
    const first = tf.tensor1d([1]);
    const w = tf.variable(first, true, "w");
    const twin = tf.variable(w, true, "twin");
    const gradient = tf.tensor1d([1]);
    const optimizer = tfOptimizer(tf, SGD, { lr: 1, clipGradValue: 0.5 });
    optimizer.applyGradients({ w: gradient, twin: gradient });
    optimizer.applyGradients({ w: gradient });
    expect([first, w, twin, gradient].map(value)).toEqual([1, 0, 0.5, 1]);
  });

  test("a step that was refused leaves nothing to the next one", () => {
    const w = variable("w", 0);
    const optimizer = tfOptimizer(tf, SGD, { lr: 1, nonFinite: "throw", clipGradNorm: 0.5 });
    expect(() => optimizer.applyGradients({ w: tf.tensor1d([Infinity]) })).toThrow("Infinity");
    optimizer.applyGradients({ w: tf.tensor1d([0.25]) });
    expect(value(w)).toBe(-0.25);
  });

  test("two optimizers on one variable take turns", () => {
    const w = variable("w", 0);
    const optimizers = [0.9, 0].map((momentum) => tfOptimizer(tf, SGD, { lr: 1, momentum }));
    for (let step = 0; step < 4; step++) optimizers[step % 2]!.applyGradients(ones("w"));
    expect(value(w)).toBeCloseTo(-1 - 1 - 1.9 - 1, 6);
  });

  test("groups: a variable gets the options of all rules that it matches", () => {
    const names = ["conv/kernel", "conv/bias_1", "out/kernel", "out/bias"];
    for (const name of names) variable(name, 1);
    const optimizer = tfOptimizer(tf, AdamW, {
      lr: 0.1,
      weightDecay: 0.5,
      groups: [
        { match: /bias$/, weightDecay: 0 },
        { match: ({ name }) => name.startsWith("out/"), lr: 0.2 },
      ],
    });
    const table = () =>
      optimizer.paramGroups.map(({ params, lr, weightDecay }) => [
        params.map(({ name }) => name).join(),
        lr,
        weightDecay,
      ]);
    expect(table()).toEqual([
      ["", 0.1, 0.5],
      ["", 0.1, 0],
      ["", 0.2, 0.5],
    ]);
    optimizer.applyGradients(ones(...names));
    expect(table()).toEqual([
      ["conv/kernel", 0.1, 0.5],
      ["conv/bias_1", 0.1, 0],
      ["out/kernel", 0.2, 0.5],
      ["out/bias", 0.2, 0],
    ]);
    const all = names.map((name) => value(tf.engine().registeredVariables[name]!));
    const expected = [1 - 0.05 - 0.1, 0.9, 1 - 0.1 - 0.2, 0.8];
    all.forEach((each, i) => expect(each).toBeCloseTo(expected[i]!, 5));
  });

  test("clipping counts all gradients of a step, and a schedule follows the steps", () => {
    const [a, b] = [variable("a", 0), variable("b", 0)];
    const optimizer = tfOptimizer(tf, SGD, {
      lr: 1,
      clipGradValue: 4,
      clipGradNorm: 1,
      schedule: (groups) => new StepLR(groups, { stepSize: 1, gamma: 0.5 }),
    });
    const gradients = { a: tf.tensor1d([3]), b: tf.tensor1d([40]) };
    optimizer.applyGradients(gradients);
    expect(value(a)).toBeCloseTo(-3 / 5, 5);
    expect(value(b)).toBeCloseTo(-4 / 5, 5);
    optimizer.applyGradients(gradients);
    expect(value(b)).toBeCloseTo(-4 / 5 - 2 / 5, 5);
    expect(optimizer.paramGroups[0].lr).toBe(0.25);
  });

  test("a step with gradients that are not finite is left out", () => {
    const w = variable("w", 1);
    const optimizer = tfOptimizer(tf, Adam, { nonFinite: "skip" });
    optimizer.applyGradients({ w: tf.tensor1d([NaN]) });
    expect([value(w), optimizer.iterations, optimizer.skippedSteps]).toEqual([1, 0, 1]);
  });

  test("what is not trainable is left out of minimize, null too of applyGradients", () => {
    const [a, b] = [variable("a", 1), variable("b", 1)];
    b.trainable = false;
    const optimizer = tfOptimizer(tf, SGD, { lr: 1 });
    const loss = (): tf.Scalar => tf.sum(tf.add(a, b));
    expect(optimizer.minimize(loss)).toBe(null);
    optimizer.applyGradients({ a: null as unknown as tf.Tensor });
    optimizer.applyGradients([]);
    expect([value(a), value(b), optimizer.iterations]).toEqual([0, 1, 1]);
  });

  test("state may move from one backend to another", async () => {
    const w = variable("w", 0);
    const optimizer = tfOptimizer(tf, SGD, { lr: 1, momentum: 0.9 });
    optimizer.applyGradients(ones("w"));
    await useBackend(backend === "cpu" ? "wasm" : "cpu");
    optimizer.applyGradients(ones("w"));
    expect(value(w)).toBeCloseTo(-2.9, 6);
    expect(optimizer.inPlace).toBe(backend === "cpu" ? "wasm" : "no");
  });

  test("a state dict is that of the optimizer, and is loaded by names", async () => {
    const names = ["a", "b"];
    for (const name of names) variable(name, 0);
    const make = () => tfOptimizer(tf, SGD, { lr: 1, momentum: 0.9 });
    const first = make();
    first.applyGradients({ a: tf.tensor1d([1]), b: tf.tensor1d([2]) });
    const dict = await first.stateDict();
    expect(dict).toMatchObject({
      optimizer: "SGD",
      state: {
        a: { momentum_buffer: new Float32Array([1]) },
        b: { momentum_buffer: new Float32Array([2]) },
      },
      paramGroups: [{ params: [{ name: "a", shape: [1] }, { name: "b" }], lr: 1, momentum: 0.9 }],
    });
    const second = make();
    second.loadStateDict(dict);
    second.applyGradients({ b: tf.tensor1d([0]), a: tf.tensor1d([0]) });
    const all = names.map((name) => value(tf.engine().registeredVariables[name]!));
    expect(all[0]).toBeCloseTo(-1.9, 6);
    expect(all[1]).toBeCloseTo(-3.8, 6);
  });

  test("state goes in order where names differ, in the groups that it had", async () => {
    const sizes = [1, 1, 2];
    const make = (names: readonly string[]) =>
      names.map((name, i) => variable(name, ...Array.from({ length: sizes[i]! }, () => 0)));
    const sgd = () =>
      tfOptimizer(tf, SGD, { lr: 1, momentum: 0.9, groups: [{ match: /2/, momentum: 0.5 }] });
    const gradients = (of: readonly tf.Variable[], ...values: number[]) =>
      of.map(({ name, shape }, i) => ({ name, tensor: tf.fill(shape, values[i]!) }));
    const before = make(["a", "b2", "c"]);
    const first = sgd();
    first.applyGradients(gradients(before, 1, 2, 3));
    const after = make(["x", "y2", "z"]);
    const second = sgd();
    await second.setWeights(await first.getWeights());
    const moves = gradients(after, 0, 0, 0);
    for (const i of [1, 0, 2]) second.applyGradients([moves[i]!]);
    const expected = [-0.9, -1, -2.7];
    after.forEach((each, i) => expect(value(each)).toBeCloseTo(expected[i]!, 6));
  });

  test("asynchronous steps that nobody awaits take place in order", async () => {
    const [a, b] = [variable("a", 1), variable("b", 1)];
    const options = { lr: 0.2, momentum: 0.9 };
    const [sync, async] = [tfOptimizer(tf, SGD, options), tfOptimizer(tf, SGD, options)];
    const steps: Promise<unknown>[] = [];
    for (let step = 0; step < 4; step++) {
      sync.minimize(() => tf.sum(tf.square(a)), false, [a]);
      steps.push(async.minimizeAsync(() => tf.sum(tf.square(b)), false, [b]));
    }
    const weights = await async.getWeights();
    await Promise.all(steps);
    expect(value(b)).toBe(value(a));
    expect([async.iterations, weights[0]!.tensor.dataSync()[0]]).toEqual([4, 4]);
  });

  test("a checkpoint holds it with its schedule", async () => {
    const w = variable("w", 0);
    const make = () =>
      tfOptimizer(tf, SGD, {
        lr: 1,
        momentum: 0.9,
        groups: [{ match: "w", momentum: 0.5 }],
        schedule: (groups) => new StepLR(groups, { stepSize: 1, gamma: 0.5 }),
      });
    const first = make();
    first.applyGradients(ones("w"));
    const schedulers = [first.scheduler!];
    const bytes = await encodeCheckpoint({ optimizer: await first.stateDict(), schedulers });
    const second = make();
    const checkpoint = await decodeCheckpoint(bytes);
    checkpoint.restore({ optimizer: second, schedulers: [second.scheduler!] });
    second.applyGradients(ones("w"));
    expect([value(w), second.paramGroups[1]!.lr]).toEqual([-1 - 0.5 * 1.5, 0.25]);
  });

  test("Muon trains matrices", () => {
    const w = tf.variable(tf.tensor2d([1, 2, 3, 4], [2, 2]), true, "w");
    const optimizer = tfOptimizer(tf, Muon, { lr: 0.1, weightDecay: 0 });
    const loss = (): tf.Scalar => tf.sum(tf.square(w));
    const before = value(loss());
    for (let step = 0; step < 5; step++) optimizer.minimize(loss, false, [w]);
    expect(value(loss())).toBeLessThan(before);
  });
});

test("numbers of tensors stay the same over 1,000 steps, saved now and then", async () => {
  await useBackend("wasm");
  tf.disposeVariables();
  const w = tf.variable(tf.tensor2d([1, 2, 3, 4], [2, 2]), true, "w");
  const b = variable("b", 1, 2);
  const before = tf.memory().numTensors;
  const optimizer = tfOptimizer(tf, AdamW, {
    lr: 0.1,
    groups: [{ match: isVector, weightDecay: 0 }],
    clipGradNorm: 1,
  });
  const loss = (): tf.Scalar => tf.sum(tf.square(tf.add(w, b)));
  const step = () => void optimizer.minimize(loss);
  step();
  await optimizer.getWeights();
  const { numTensors } = tf.memory();
  for (let i = 0; i < 1000; i++) {
    step();
    if (i % 100 === 0) await optimizer.getWeights();
    if (i % 10 === 0) await optimizer.minimizeAsync(loss);
  }
  expect(tf.memory().numTensors).toBe(numTensors);
  optimizer.dispose();
  expect(tf.memory().numTensors).toBe(before);
});
