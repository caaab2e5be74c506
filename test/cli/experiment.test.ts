// The experiment must come out the same on every machine, or recorded curves would be worthless.
// The hashes pin the bits; the other tests say what the bits must mean.

import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";

import {
  batchOrder,
  defaultExperiment,
  initialWeights,
  stepsOf,
} from "../../src/training/experiment.ts";
import { catalog } from "../../src/training/catalog.ts";
import { createOptimizer } from "../../src/training/create-optimizer.ts";
import type { Experiment } from "../../src/training/experiment.ts";
import { parameter } from "../../src/index.ts";
import { chooseOptimizers } from "../../src/cli/choose-optimizers.ts";
import { comparedOptimizers, defaultOptimizers } from "../../src/training/optimizers.ts";

const small: Experiment = {
  layers: [5, 4, 3],
  activation: "tanh",
  batchSize: 3,
  epochs: 4,
  seed: 7,
};

describe("initialWeights", () => {
  test("are the same bits everywhere", () => {
    expect(digestOfWeights(defaultExperiment)).toMatchInlineSnapshot(
      `"498f12b508b82f5a7aa300e9c0c42788d88aeb0212fc65bfc4b1e5042aab744e"`,
    );
    expect(digestOfWeights(small)).toMatchInlineSnapshot(
      `"df9a23cda4b4aa99db860a9f2e6594533ed97c81d714ef8bafd55b8cdb6758ad"`,
    );
    expect(initialWeights(small)[3]).toMatchInlineSnapshot(`
      {
        "data": Float32Array [
          -0.03964090347290039,
          0.46025925874710083,
          -0.4817120134830475,
        ],
        "name": "layers.1.bias",
        "shape": [
          3,
        ],
      }
    `);
  });

  test("have the names and shapes of nn.Linear", () => {
    const layout = initialWeights(defaultExperiment).map(({ name, shape }) => ({ name, shape }));
    expect(layout).toEqual([
      { name: "layers.0.weight", shape: [128, 784] },
      { name: "layers.0.bias", shape: [128] },
      { name: "layers.1.weight", shape: [64, 128] },
      { name: "layers.1.bias", shape: [64] },
      { name: "layers.2.weight", shape: [10, 64] },
      { name: "layers.2.bias", shape: [10] },
    ]);
  });

  test("are spread evenly between -1/sqrt(in) and 1/sqrt(in)", () => {
    const inputs = [784, 784, 128, 128, 64, 64];
    for (const [i, { shape, data }] of initialWeights(defaultExperiment).entries()) {
      const bound = 1 / Math.sqrt(inputs[i]!);
      expect(data).toHaveLength(shape.reduce((product, length) => product * length, 1));
      expect(data.every((value) => Math.abs(value) <= Math.fround(bound))).toBe(true);
      if (data.length < 600) continue;
      const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
      const variance = data.reduce((sum, value) => sum + value * value, 0) / data.length;
      expect(Math.abs(mean / bound)).toBeLessThan(0.08);
      expect(variance / (bound * bound)).toBeCloseTo(1 / 3, 1);
    }
  });

  test("follow the seed", () => {
    expect(digestOfWeights({ ...small, seed: 8 })).not.toBe(digestOfWeights(small));
  });
});

describe("batchOrder", () => {
  test("is the same everywhere", () => {
    expect(digest(batchOrder(defaultExperiment, 60_000))).toMatchInlineSnapshot(
      `"53d759a18cd6d7b1d132e1bfb9c8befb56003d9387426f0a54dc4da7d327a811"`,
    );
    expect([...batchOrder(small, 7)].join(" ")).toMatchInlineSnapshot(
      `"0 5 2 4 6 1 4 3 1 0 2 6 3 4 2 5 0 6 6 0 2 4 1 5"`,
    );
  });

  test("is a fresh permutation in every epoch", () => {
    const experiment = { ...small, batchSize: 5 };
    const order = batchOrder(experiment, 30);
    const epochs = Array.from({ length: 4 }, (_, i) => [...order.subarray(30 * i, 30 * (i + 1))]);
    const all = Array.from({ length: 30 }, (_, i) => i);
    for (const epoch of epochs) expect(epoch.toSorted((a, b) => a - b)).toEqual(all);
    expect(new Set(epochs.map(String)).size).toBe(4);
  });

  test("drops the partial batch at the end of each epoch", () => {
    const order = batchOrder(small, 7);
    expect(order).toHaveLength(4 * 6);
    for (let i = 0; i < order.length; i += 6) {
      const epoch = [...order.subarray(i, i + 6)];
      expect(new Set(epoch).size).toBe(6);
      expect(Math.max(...epoch)).toBeLessThan(7);
    }
  });

  test("has batchSize indices for each of stepsOf steps", () => {
    expect(stepsOf(defaultExperiment, 60_000)).toBe(2811);
    expect(stepsOf(small, 7)).toBe(8);
    expect(stepsOf(small, 2)).toBe(0);
    expect(batchOrder(small, 7)).toHaveLength(8 * small.batchSize);
    expect(batchOrder(small, 2)).toHaveLength(0);
  });
});

describe("the compared optimizers", () => {
  test("have distinct keys and labels, the default ones first", () => {
    expect(new Set(comparedOptimizers.map(({ key }) => key)).size).toBe(comparedOptimizers.length);
    expect(comparedOptimizers.slice(0, 4).map(({ key }) => key)).toEqual(defaultOptimizers);
    expect(comparedOptimizers.slice(0, 4).map(({ label }) => label)).toEqual([
      "SGD",
      "SGD with momentum",
      "RMSprop",
      "Adam",
    ]);
  });

  test("are all that there are, with options that they have", () => {
    const classes = Object.values(catalog).map(({ name }) => name);
    const compared = new Set(comparedOptimizers.map(({ torchClass }) => torchClass));
    expect([...compared].toSorted()).toEqual([...classes, "LBFGS"].toSorted());
    for (const optimizer of comparedOptimizers) {
      const both = [parameter([[1, 2]], { name: "w" }), parameter([3], { name: "b" })];
      const trainer = createOptimizer(optimizer, both, {});
      let calls = 0;
      const loss = trainer.step(() => {
        calls++;
        for (const one of both) one.grad = one.data.map((x) => 2 * x);
        return both.flatMap(({ data }) => [...data]).reduce((sum, x) => sum + x * x, 0);
      });
      expect(loss).toBe(14);
      expect(both[0]!.data[0]).toBeLessThan(1);
      expect(both[1]!.data[0]).toBeLessThan(3);
      expect(calls > 1).toBe(optimizer.key === "lbfgs");
    }
  });

  test("are chosen by name, or all", () => {
    const keys = (names: string[]) => chooseOptimizers(names).map(({ key }) => key);
    expect(keys(["adam", " SGD"])).toEqual(["adam", "sgd"]);
    expect(keys(["all"])).toEqual(comparedOptimizers.map(({ key }) => key));
    expect(() => chooseOptimizers(["sgd", "lion"])).toThrow(
      '--optimizers: got "lion", expected all, or some of sgd, momentum, rmsprop, adam, adamw, ',
    );
    expect(() => chooseOptimizers(["adam", "Adam"])).toThrow('got "adam" twice');
  });
});

function digestOfWeights(experiment: Experiment): string {
  const hash = createHash("sha256");
  for (const { data } of initialWeights(experiment)) hash.update(data);
  return hash.digest("hex");
}

function digest(data: Uint32Array): string {
  return createHash("sha256").update(data).digest("hex");
}
