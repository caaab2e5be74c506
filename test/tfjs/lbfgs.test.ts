/** L-BFGS over TensorFlow.js's variables. */
import { beforeEach, describe, expect, test } from "vitest";
import { tfLBFGS } from "../../src/adapters/tfjs.ts";
import { LBFGS, parameter } from "../../src/index.ts";
import { backends, layers, tf, useBackend } from "../helpers/tfjs.ts";
import { fit, save, smallModel, weightsOf } from "../helpers/tfjs-model.ts";

const options = { lineSearchFn: "strong_wolfe", maxIter: 8 } as const;

/** Rosenbrock's valley. */
const valley = (w: tf.Variable) => (): tf.Scalar => {
  const [x, y] = tf.split(w, 2) as [tf.Tensor, tf.Tensor];
  const rise = tf.mul(tf.square(tf.sub(y, tf.square(x))), 100);
  return tf.sum(tf.add(rise, tf.square(tf.sub(1, x))));
};

describe.each(backends)("on %s", (backend) => {
  beforeEach(async () => {
    await useBackend(backend);
    tf.disposeVariables();
  });

  test("it goes the way that it goes over parameters", async () => {
    const w = tf.variable(tf.tensor1d([-1.2, 1]), true, "w");
    const optimizer = tfLBFGS(tf, options);
    const p = parameter([-1.2, 1]);
    const own = new LBFGS([p], options);
    const at = tf.variable(tf.tensor1d([0, 0]), false, "at");
    const expected = () =>
      own.step(() => {
        at.assign(tf.tensor1d(p.data.slice()));
        const gradient = tf.grad(() => valley(at)())(at);
        p.grad = gradient.dataSync() as Float32Array;
        return valley(at)().dataSync()[0]!;
      });
    for (let step = 0; step < 5; step++) {
      const loss = step % 2 === 0 ? optimizer.minimize(valley(w), true) : null;
      const later = loss ?? (await optimizer.minimizeAsync(valley(w), true));
      expect(later!.dataSync()[0]).toBe(Math.fround(expected()));
      expect([...w.dataSync()]).toEqual([...p.data]);
    }
    expect(w.dataSync()[0]).toBeCloseTo(1, 3);
    expect(optimizer.iterations).toBe(5);
  });

  test("a model learns with fit, and goes on exactly once it is loaded", async () => {
    const made = smallModel();
    made.compile({ optimizer: tfLBFGS(tf, options), loss: "meanSquaredError" });
    const losses = await fit(made, 6, 64);
    expect(losses.at(-1)).toBeLessThan(losses[0]! / 20);
    const saved = await save(made);
    const loaded = await layers.loadLayersModel(tf.io.fromMemory(saved));
    const again = await save(loaded);
    expect(new Uint8Array(again.weightData as ArrayBuffer).length).toBe(
      new Uint8Array(saved.weightData as ArrayBuffer).length,
    );
    expect(await fit(loaded, 2, 64)).toEqual(await fit(made, 2, 64));
    expect(weightsOf(loaded)).toEqual(weightsOf(made));
    expect(loaded.optimizer.iterations).toBe(8);
  });

  test("nothing is left behind in tfjs", () => {
    const w = tf.variable(tf.tensor1d([-1.2, 1]), true, "w");
    const optimizer = tfLBFGS(tf, options);
    const { numTensors } = tf.memory();
    const loss = () => tf.tidy(valley(w));
    for (let step = 0; step < 3; step++) expect(optimizer.minimize(loss)).toBe(null);
    expect(tf.memory().numTensors).toBe(numTensors);
    const fails = () => {
      throw new Error("no");
    };
    const before = [...w.dataSync()];
    expect(() => optimizer.minimize(fails)).toThrow("no");
    expect([...w.dataSync()]).toEqual(before);
    expect(tf.memory().numTensors).toBe(numTensors);
  });
});

test("what it cannot do is refused by name", async () => {
  await useBackend("cpu");
  tf.disposeVariables();
  const w = tf.variable(tf.tensor1d([1, 2]), true, "w");
  const optimizer = tfLBFGS(tf);
  const gradients = { w: tf.tensor1d([1, 1]) };
  const message = "got gradients of one point, expected minimize(f)";
  expect(() => optimizer.applyGradients(gradients)).toThrow(message);
  await expect(optimizer.applyGradientsAsync(gradients)).rejects.toThrow(message);
  optimizer.minimize(valley(w), false, [w]);
  tf.variable(tf.tensor1d([1]), true, "other");
  expect(() => optimizer.minimize(valley(w))).toThrow(
    'LBFGS: variables: got ["w", "other"], expected those of the first step: w.',
  );
  expect(() => tfLBFGS(tf, { lineSearchFn: "armijo" as never })).toThrow('"strong_wolfe" or null');
  const weights = await optimizer.getWeights();
  const another = tfLBFGS(tf);
  await another.setWeights(weights);
  expect(() => another.minimize(valley(w))).toThrow("LBFGS: paramGroups[0].params");
  optimizer.dispose();
  expect(() => optimizer.minimize(valley(w))).toThrow("got a call after dispose()");
});
