/** Downhill's optimizers as TensorFlow.js's: steps over its variables, whoever asks for them. */
import { beforeEach, describe, expect, test } from "vitest";
import { isVector, tfOptimizer } from "../../src/adapters/tfjs.ts";
import { Adam, AdamW, parameter, SGD } from "../../src/index.ts";
import { backends, tf, useBackend } from "../helpers/tfjs.ts";

describe.each(backends)("on %s", (backend) => {
  beforeEach(async () => {
    await useBackend(backend);
    tf.disposeVariables();
  });

  test("minimize does what the optimizer does with the same gradients", () => {
    const w = tf.variable(tf.tensor2d([1, 2, 3, 4], [2, 2]), true, "w");
    const b = tf.variable(tf.tensor1d([5, 6]), true, "b");
    const loss = (): tf.Scalar => tf.add(tf.sum(tf.mul(w, w)), tf.sum(b)) as tf.Scalar;
    const options = { lr: 0.1, weightDecay: 0.5 };
    const optimizer = tfOptimizer(tf, AdamW, {
      ...options,
      groups: [{ match: isVector, weightDecay: 0 }],
    });
    const pw = parameter([1, 2, 3, 4]);
    const pb = parameter([5, 6]);
    const own = new AdamW([{ params: [pw] }, { params: [pb], weightDecay: 0 }], options);
    for (let step = 0; step < 3; step++) {
      const cost = optimizer.minimize(loss, true)!;
      const expected = pw.data.reduce((sum, x) => sum + x * x, 0) + pb.data[0]! + pb.data[1]!;
      expect(cost.dataSync()[0]).toBeCloseTo(expected, 3);
      pw.grad = [...pw.data].map((x) => 2 * x);
      pb.grad = [1, 1];
      own.step();
    }
    expect([...w.dataSync()]).toEqual([...pw.data]);
    expect([...b.dataSync()]).toEqual([...pb.data]);
    expect([optimizer.iterations, optimizer.inPlace]).toEqual([
      3,
      backend === "wasm" ? "wasm" : "no",
    ]);
  });

  test("subsets of variables have their own counts, and late ones come in", () => {
    const make = (name: string) => tf.variable(tf.tensor1d([1]), true, name);
    const [a, b] = [make("a"), make("b")];
    const optimizer = tfOptimizer(tf, SGD, { lr: 1, momentum: 0.9 });
    const ones = { a: tf.tensor1d([1]), b: tf.tensor1d([1]) };
    optimizer.applyGradients({ a: ones.a });
    optimizer.applyGradients([{ name: "b", tensor: ones.b }]);
    optimizer.applyGradients(ones);
    expect([a, b].map((v) => v.dataSync()[0])).toEqual([
      Math.fround(1 - 1 - 1.9),
      Math.fround(-1.9),
    ]);
  });

  test("numbers of tensors stay the same over steps", () => {
    const w = tf.variable(tf.tensor1d([1, 2]), true, "w");
    const optimizer = tfOptimizer(tf, Adam, { lr: 0.1 });
    const step = () => void optimizer.minimize(() => tf.sum(tf.mul(w, w)) as tf.Scalar);
    step();
    const { numTensors } = tf.memory();
    for (let i = 0; i < 100; i++) step();
    expect(tf.memory().numTensors).toBe(numTensors);
  });
});
