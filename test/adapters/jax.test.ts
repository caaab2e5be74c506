// jax-js computes the gradients here, Downhill takes the steps. The gradients are compared with ones
// derived by hand.

import { defaultDevice, init, nn, numpy as np } from "@jax-js/jax";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { trainable } from "../../src/adapters/jax.ts";
import { Adam, GradientError, OptionError, SGD } from "../../src/index.ts";
import { byHand, distance, makeLine, meanSquare, noise, rounding } from "./line.ts";

beforeAll(async () => {
  await init("wasm");
});

afterEach(() => {
  defaultDevice("wasm");
});

describe("backward", () => {
  const w0 = noise(5);
  const x = noise(12 * 5);
  const y = noise(12);

  test.each(["wasm", "cpu"] as const)("gives the gradients derived by hand, on %s", (device) => {
    defaultDevice(device);
    const model = makeLine(w0, 0.25);
    const [jx, jy] = [np.array(x, { shape: [12, 5] }), np.array(y)];
    const backward = model.backward(meanSquare);
    const loss = backward(jx, jy);
    const wanted = byHand(w0, 0.25, x, y);
    expect(distance([loss], [wanted.loss])).toBeLessThan(rounding);
    expect(distance(model.tree.w.grad!, wanted.w)).toBeLessThan(rounding);
    expect(distance(model.tree.b.grad!, [wanted.b])).toBeLessThan(rounding);
    expect([jx.refCount, jy.refCount]).toEqual([1, 1]);
    backward.dispose();
    for (const array of [jx, jy]) array.dispose();
  });

  test("takes typed arrays, numbers and trees of them as arguments", () => {
    const model = makeLine(w0, 0.25);
    const batch = { x, y, scale: 1 };
    const backward = model.backward((tree, data: { x: np.Array; y: np.Array; scale: np.Array }) =>
      meanSquare(tree, data.x.reshape([-1, 5]), data.y).mul(data.scale),
    );
    const wanted = byHand(w0, 0.25, x, y);
    expect(distance([backward(batch)], [wanted.loss])).toBeLessThan(rounding);
    model.tree.w.grad = null;
    expect(distance([backward({ ...batch, scale: 3 })], [3 * wanted.loss])).toBeLessThan(rounding);
    expect(
      distance(
        model.tree.w.grad!,
        wanted.w.map((g) => 3 * g),
      ),
    ).toBeLessThan(rounding);
    expect(distance(model.tree.b.grad!, [4 * wanted.b])).toBeLessThan(rounding);
    backward.dispose();
  });

  test("uses the values of the moment of the call", () => {
    const model = makeLine(w0, 0.25);
    const optimizer = new SGD(model.parameters, { lr: 0.1 });
    const backward = model.backward((tree, a: np.Array, b: np.Array) =>
      meanSquare(tree, a.reshape([12, 5]), b),
    );
    backward(x, y);
    optimizer.step();
    optimizer.zeroGrad();
    model.tree.b.data = [0.5];
    backward(x, y);
    expect(distance(model.tree.w.grad!, byHand(model.tree.w.data, 0.5, x, y).w)).toBeLessThan(
      rounding,
    );
    backward.dispose();
  });

  test("takes integer labels", () => {
    const model = trainable({ logits: np.array([[1, 2, 3]]) });
    const backward = model.backward(({ logits }, label) =>
      nn.oneHot(label, 3).mul(nn.logSoftmax(logits, -1)).sum().neg(),
    );
    backward(new Int32Array([2]));
    const [a, b, c] = [Math.exp(-2), Math.exp(-1), 1];
    const sum = a + b + c;
    expect(distance(model.tree.logits.grad!, [a / sum, b / sum, c / sum - 1])).toBeLessThan(
      rounding,
    );
    backward.dispose();
  });

  test("a parameter that the loss does not use gets zeros, and shapes [] and [0, 3] are shapes", () => {
    const model = trainable([np.zeros([0, 3]), np.ones([2]), np.array(2)]);
    const backward = model.backward(([empty, , scale]) => np.square(scale!).add(empty!.sum()));
    expect(backward()).toBe(4);
    expect(model.parameters.map(({ name, grad }) => [name, [...grad!]])).toEqual([
      ["0", []],
      ["1", [0, 0]],
      ["2", [4]],
    ]);
    backward.dispose();
  });

  test("several calls add up to the gradient of the large batch", () => {
    const model = makeLine(w0, 0.25);
    const backward = model.backward((tree, a: np.Array, b: np.Array) =>
      meanSquare(tree, a.reshape([-1, 5]), b),
    );
    let loss = 0;
    for (let i = 0; i < 12; i += 4) {
      loss += backward(x.subarray(5 * i, 5 * (i + 4)), y.subarray(i, i + 4)) / 3;
    }
    const sum = Array.from(model.tree.w.grad!, (g) => g / 3);
    model.tree.w.grad = null;
    expect(distance([loss], [backward(x, y)])).toBeLessThan(rounding);
    expect(distance(sum, model.tree.w.grad!)).toBeLessThan(rounding);
    backward.dispose();
  });

  test("adds to a gradient of rows, which becomes a whole one", () => {
    const model = trainable({ a: np.array([1, 2, 3]) });
    const backward = model.backward(({ a }) => a.mul(np.array([5, 7, 9])).sum());
    model.tree.a.sparseGrad = { indices: [1], values: [100] };
    backward();
    expect(model.tree.a.grad).toEqual(new Float32Array([5, 107, 9]));
    backward.dispose();
  });

  test("frozen parameters are inputs without a gradient, until they are trained again", () => {
    const model = makeLine(w0, 0.25);
    const backward = model.backward((tree, a: np.Array, b: np.Array) =>
      meanSquare(tree, a.reshape([12, 5]), b),
    );
    const wanted = byHand(w0, 0.25, x, y);
    model.tree.w.requiresGrad = false;
    expect(distance([backward(x, y)], [wanted.loss])).toBeLessThan(rounding);
    expect(model.tree.w.grad).toBeNull();
    expect(distance(model.tree.b.grad!, [wanted.b])).toBeLessThan(rounding);
    model.tree.w.requiresGrad = true;
    model.tree.b.requiresGrad = false;
    backward(x, y);
    expect(model.tree.b.grad).toBeNull();
    expect(distance(model.tree.w.grad!, wanted.w)).toBeLessThan(rounding);
    model.tree.w.requiresGrad = false;
    expect(() => backward(x, y)).toThrow(GradientError);
    backward.dispose();
  });

  test("float64 keeps float64 accuracy, with or without Float16Array", () => {
    const w = Float64Array.from(w0, (v) => v + 1e-12);
    const model = trainable({ w: np.zeros([5], { dtype: np.float64 }) });
    model.tree.w.data = w;
    const had = "Float16Array" in globalThis;
    const backward = model.backward((tree, a: np.Array) => np.square(tree.w.mul(a)).sum());
    const a = Float64Array.from({ length: 5 }, (_, i) => 1 / (i + 3));
    backward(a);
    const wanted = Array.from(w, (v, i) => 2 * v * a[i]! ** 2);
    expect(distance(model.tree.w.grad!, wanted)).toBeLessThan(1e-15);
    expect("Float16Array" in globalThis).toBe(had);
    backward.dispose();
  });
});

describe("backwardAsync", () => {
  test("does what backward does, and lets the arguments go at once", async () => {
    const [w0, x, y] = [noise(5), noise(60), noise(12)];
    const model = makeLine(w0, 0.25);
    const backward = model.backwardAsync(meanSquare);
    const [jx, jy] = [np.array(x, { shape: [12, 5] }), np.array(y)];
    const pending = backward(jx, jy);
    for (const array of [jx, jy]) array.dispose();
    expect(model.tree.w.grad).toBeNull();
    const wanted = byHand(w0, 0.25, x, y);
    expect(distance([await pending], [wanted.loss])).toBeLessThan(rounding);
    expect(distance(model.tree.w.grad!, wanted.w)).toBeLessThan(rounding);
    await expect(backward(jx, jy)).rejects.toThrow(OptionError);
    backward.dispose();
  });

  test("two calls under way add up; one that is frozen meanwhile gets no gradient", async () => {
    const model = trainable({ a: np.array([1, 2]), b: np.array([3, 4]) });
    const backward = model.backwardAsync(({ a, b }, s) => a.mul(b).sum().mul(s));
    const both = Promise.all([backward(1), backward(10)]);
    model.tree.b.requiresGrad = false;
    expect(await both).toEqual([11, 110]);
    expect(model.tree.a.grad).toEqual(new Float32Array([33, 44]));
    expect(model.tree.b.grad).toBeNull();
    backward.dispose();
  });
});

describe("training", () => {
  test("the loop of the documentation finds the line", () => {
    const [w, b] = [[1.5, -2, 0.5], 0.75];
    const model = trainable({ w: np.zeros([3]), b: np.zeros([]) });
    const optimizer = new Adam(model.parameters, { lr: 0.05 });
    const backward = model.backward((tree, x, y) =>
      np.square(np.dot(x, tree.w).add(tree.b).sub(y)).mean(),
    );
    const batches = Array.from({ length: 8 }, () => {
      const x = noise(16 * 3);
      const y = Float32Array.from(
        { length: 16 },
        (_, i) => b + w[0]! * x[3 * i]! + w[1]! * x[3 * i + 1]! + w[2]! * x[3 * i + 2]!,
      );
      return [np.array(x, { shape: [16, 3] }), np.array(y)] as const;
    });
    let loss = 1;
    for (let epoch = 0; epoch < 60; epoch++) {
      for (const [x, y] of batches) {
        optimizer.zeroGrad();
        loss = backward(x, y);
        optimizer.step();
      }
    }
    expect(loss).toBeLessThan(1e-6);
    expect(distance(model.tree.w.data, w)).toBeLessThan(1e-3);
    expect(distance(model.tree.b.data, [b])).toBeLessThan(1e-3);
    const predict = model.forward((tree, x) => np.dot(x, tree.w).add(tree.b));
    expect(distance(predict(np.array([[1, 1, 1]])).js() as number[], [0.75])).toBeLessThan(2e-3);
    for (const fn of [backward, predict]) fn.dispose();
    for (const array of batches.flat()) array.dispose();
  });

  test("parameters of a nested model go into groups", () => {
    const model = trainable({ layers: [{ w: np.ones([2]) }, { w: np.ones([2]) }] });
    const [first, second] = model.tree.layers;
    const optimizer = new SGD([{ params: [first!.w], lr: 1 }, { params: [second!.w] }], {
      lr: 0.5,
    });
    const backward = model.backward(({ layers: [a, b] }) => a!.w.add(b!.w).sum());
    backward();
    optimizer.step();
    expect([...first!.w.data, ...second!.w.data]).toEqual([0, 0, 0.5, 0.5]);
    expect(Object.keys(optimizer.stateDict().state)).toEqual([]);
    backward.dispose();
  });
});

describe("many small parameters", () => {
  test("have the gradients that each would have by itself, whatever their sizes", async () => {
    const shapes = Array.from({ length: 80 }, (_, i) =>
      i % 9 === 0 ? [] : i % 7 === 0 ? [0, 2] : i === 40 ? [1025] : [1 + (i % 3), 2],
    );
    const model = trainable(shapes.map((shape) => np.zeros(shape)));
    // The gradient of parameter i is i + 1 + 2·w.
    const loss = (ws: np.Array[]) =>
      ws
        .map((w, i) =>
          np
            .square(w.ref)
            .sum()
            .add(w.sum().mul(i + 1)),
        )
        .reduce((a, b) => a.add(b));
    const backward = model.backward(loss);
    const backwardAsync = model.backwardAsync(loss);
    for (const parameter of model.parameters) parameter.data.fill(0.25);
    backward();
    model.parameters.forEach(({ grad, size }, i) => {
      expect([...grad!]).toEqual(Array.from({ length: size }, () => i + 1.5));
    });
    model.parameters[3]!.requiresGrad = false;
    await backwardAsync();
    expect(model.parameters[3]!.grad).toBeNull();
    expect(model.parameters[4]!.grad![0]).toBe(2 * 5.5);
    expect(model.parameters[79]!.grad![0]).toBe(2 * 80.5);
    for (const fn of [backward, backwardAsync]) fn.dispose();
  });
});

describe("Node 20", () => {
  const weights = () => trainable({ w: np.ones([2, 2]) });

  test("np.einsum works, or the error says that the engine is too old for it", () => {
    const backward = weights().backward(({ w }) => np.einsum("ij,jk->ik", w.ref, w).sum());
    if ("Iterator" in globalThis) expect(backward()).toBe(8);
    else {
      const old = { name: "BackendError", code: "OLD_ENGINE", cause: expect.any(TypeError) };
      expect(backward).toThrow(expect.objectContaining(old));
    }
    backward.dispose();
  });

  test("a mistake in the loss itself stays what it is", () => {
    const backward = weights().backward(({ w }) => (w as unknown as { a: () => never }).a());
    expect(backward).toThrow(TypeError);
    backward.dispose();
  });

  test("init() works, or it misses the navigator and init('wasm') does not", async () => {
    if ("navigator" in globalThis) expect(await init()).toContain("wasm");
    else await expect(init()).rejects.toThrow("navigator is not defined");
    expect(await init("wasm")).toContain("wasm");
  });
});
