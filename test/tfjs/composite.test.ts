/** Several optimizers as one. */
import { beforeEach, describe, expect, test } from "vitest";
import {
  isMatrix,
  isVector,
  registerOptimizer,
  tfComposite,
  tfOptimizer,
} from "../../src/adapters/tfjs.ts";
import { AdamW, Muon, SGD } from "../../src/index.ts";
import { layers, tf, useBackend } from "../helpers/tfjs.ts";
import { fit, save, smallModel, weightsOf } from "../helpers/tfjs-model.ts";

beforeEach(async () => {
  await useBackend("wasm");
  tf.disposeVariables();
});

const muonAndAdamW = () =>
  tfComposite(tf, {
    muon: { match: isMatrix, optimizer: tfOptimizer(tf, Muon, { lr: 0.02 }) },
    adamw: { optimizer: tfOptimizer(tf, AdamW, { lr: 0.01 }) },
  });

test("each variable goes to the first member that matches", () => {
  const w = tf.variable(tf.tensor2d([[1]]), true, "w");
  const b = tf.variable(tf.tensor1d([1]), true, "b");
  const optimizer = tfComposite(tf, {
    first: { match: isVector, optimizer: tfOptimizer(tf, SGD, { lr: 0.5 }) },
    rest: { optimizer: tfOptimizer(tf, SGD, { lr: 0.25 }) },
  });
  const { numTensors } = tf.memory();
  for (let i = 0; i < 2; i++) optimizer.minimize(() => tf.add(tf.sum(w), tf.sum(b)));
  expect([w.dataSync()[0], b.dataSync()[0]]).toEqual([0.5, 0]);
  expect(optimizer.iterations).toBe(2);
  expect(optimizer.members.first.optimizer.paramGroups[0].params).toEqual([b]);
  expect(optimizer.paramGroups.map(({ params }) => params)).toEqual([[b], [w]]);
  expect(tf.memory().numTensors).toBe(numTensors);
});

test("a model that is loaded goes on exactly", async () => {
  const made = smallModel();
  made.compile({ optimizer: muonAndAdamW(), loss: "meanSquaredError" });
  const losses = await fit(made, 2);
  expect(losses[1]).toBeLessThan(losses[0]!);
  const saved = await save(made);
  registerOptimizer(tf, Muon);
  const loaded = await layers.loadLayersModel(tf.io.fromMemory(saved));
  expect(await fit(loaded, 2)).toEqual(await fit(made, 2));
  expect(weightsOf(loaded)).toEqual(weightsOf(made));
});

test("steps may be asynchronous", async () => {
  const w = tf.variable(tf.tensor1d([1]), true, "w");
  const optimizer = tfComposite(tf, { sgd: { optimizer: tfOptimizer(tf, SGD, { lr: 0.5 }) } });
  await optimizer.minimizeAsync(() => tf.sum(w));
  expect(w.dataSync()[0]).toBe(0.5);
});

describe("nothing happens if a member cannot take its step", () => {
  test.each([
    ["a vector for Muon", { other: { match: /b$/ }, muon: {} }, "expected a matrix"],
    [
      "a variable without a member",
      { other: { match: /b$/ } },
      "a variable that no member matches",
    ],
  ])("%s", (_, shape: Record<string, { match?: RegExp }>, message) => {
    const b = tf.variable(tf.tensor1d([1]), true, "b");
    const v = tf.variable(tf.tensor1d([1]), true, "v");
    const optimizer = tfComposite(
      tf,
      Object.fromEntries(
        Object.entries(shape).map(([name, member]) => [
          name,
          { ...member, optimizer: name === "muon" ? tfOptimizer(tf, Muon) : tfOptimizer(tf, SGD) },
        ]),
      ),
    );
    expect(() => optimizer.minimize(() => tf.add(tf.sum(b), tf.sum(v)))).toThrow(message);
    expect([b.dataSync()[0], v.dataSync()[0]]).toEqual([1, 1]);
  });
});

describe.each(["cpu", "wasm"] as const)("gradients that are not finite, on %s", (backend) => {
  const begin = async (nonFinite: "throw" | "skip") => {
    await useBackend(backend);
    const w = tf.variable(tf.tensor1d([1]), true, "w");
    const b = tf.variable(tf.tensor1d([1]), true, "b");
    const careful = tfOptimizer(tf, AdamW, { nonFinite });
    const optimizer = tfComposite(tf, {
      other: { match: /w$/, optimizer: tfOptimizer(tf, SGD, { lr: 0.5, momentum: 0.9 }) },
      careful: { optimizer: careful },
    });
    const take = (gradientOfB: number) => ({ w: tf.tensor1d([1]), b: tf.tensor1d([gradientOfB]) });
    const seen = () => [w.dataSync()[0], b.dataSync()[0], optimizer.iterations];
    optimizer.applyGradients(take(1));
    return { optimizer, careful, take, seen, before: seen() };
  };

  test("no member takes a step that one of them refuses", async () => {
    const { optimizer, take, seen, before } = await begin("throw");
    expect(() => optimizer.applyGradients(take(NaN))).toThrow("AdamW: step");
    await expect(optimizer.applyGradientsAsync(take(Infinity))).rejects.toThrow("AdamW: step");
    expect(seen()).toEqual(before);
    optimizer.applyGradients(take(1)); // nothing is left of it
    const after = seen();
    tf.disposeVariables();
    const other = await begin("throw");
    await other.optimizer.applyGradientsAsync(other.take(1));
    expect(other.seen()).toEqual(after);
  });

  test("nor one that one of them leaves out", async () => {
    const { optimizer, careful, take, seen, before } = await begin("skip");
    optimizer.applyGradients(take(NaN));
    await optimizer.applyGradientsAsync(take(NaN));
    expect(seen()).toEqual(before);
    expect(careful.skippedSteps).toBe(2);
    await optimizer.applyGradientsAsync(take(1));
    expect(seen()[2]).toBe(2);
  });
});

test("an asynchronous step of all keeps members from steps of their own until it is taken", async () => {
  const w = tf.variable(tf.tensor1d([1]), true, "w");
  const member = tfOptimizer(tf, SGD, { lr: 0.5 });
  const [one, two] = [0, 1].map(() => tfComposite(tf, { member: { optimizer: member } }));
  const g = { w: tf.tensor1d([1]) };
  await Promise.all([
    one!.applyGradientsAsync(g),
    member.applyGradientsAsync(g),
    two!.applyGradientsAsync(g),
  ]);
  expect([w.dataSync()[0], member.iterations]).toEqual([-0.5, 3]);
  member.dispose();
  await expect(two!.applyGradientsAsync(g)).rejects.toMatchObject({ code: "DISPOSED" });
});

test("members that are none are refused", () => {
  const sgd = tfOptimizer(tf, SGD);
  const cases: [unknown, string][] = [
    [{}, "Composite: members: got an object {}"],
    [{ adam: { optimizer: tf.train.adam(0.1) } }, "Composite: adam.optimizer: got an Adam"],
    [{ a: { optimizer: sgd, match: /a/ }, b: { optimizer: sgd } }, "another one for each member"],
    [{ a: { optimizer: sgd, match: 3 } }, "Composite: a: which parameters: got 3"],
  ];
  for (const [members, message] of cases) {
    expect(() => tfComposite(tf, members as never)).toThrow(message);
  }
});
