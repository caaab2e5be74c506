// jax-js computes the gradients here, Downhill takes the steps. The gradients are compared with ones
// derived by hand, and the memory of jax-js is measured from outside, because jax-js never collects
// an array that was forgotten: one lost array per step must fail these tests.

import { defaultDevice, init, nn, numpy as np } from "@jax-js/jax";
import { afterEach, beforeAll, describe, expect, expectTypeOf, test, vi } from "vitest";
import { trainable, trainableAsync, type Trainable } from "../../src/adapters/jax.ts";
import { receive } from "../../src/adapters/jax/gradients.ts";
import {
  Adam,
  BackendError,
  GradientError,
  OptionError,
  ParameterError,
  SGD,
  type Parameter,
} from "../../src/index.ts";

// jax-js makes its only WebAssembly.Memory when it is imported, so the spy must be there before.
const memories = vi.hoisted(() => {
  const seen: WebAssembly.Memory[] = [];
  const Original = WebAssembly.Memory;
  WebAssembly.Memory = class extends Original {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      super(descriptor);
      if (seen.length === 0) seen.push(this);
    }
  };
  return seen;
});

/** Bytes of jax-js's heap: it grows when more arrays are alive than ever before, and never shrinks. */
const heap = () => memories[0]!.buffer.byteLength;

const random = (() => {
  let state = 1;
  return () => (state = (state * 48271) % 2147483647) / 2147483647 - 0.5;
})();
const noise = (n: number) => Float32Array.from({ length: n }, random);

/** Mean squared error of x·w + b, and its gradients, in float64. */
function byHand(w: ArrayLike<number>, b: number, x: ArrayLike<number>, y: ArrayLike<number>) {
  const [n, k] = [y.length, w.length];
  const grad = { loss: 0, w: Array.from({ length: k }, () => 0), b: 0 };
  for (let i = 0; i < n; i++) {
    let error = b - y[i]!;
    for (let j = 0; j < k; j++) error += x[i * k + j]! * w[j]!;
    grad.loss += error ** 2 / n;
    grad.b += (2 * error) / n;
    for (let j = 0; j < k; j++) grad.w[j]! += (2 * error * x[i * k + j]!) / n;
  }
  return grad;
}

interface LineTree {
  readonly [key: string]: np.Array;
  readonly w: np.Array;
  readonly b: np.Array;
}
const line = ({ w, b }: LineTree, x: np.Array) => np.dot(x, w).add(b);
const meanSquare = (tree: LineTree, x: np.Array, y: np.Array) =>
  np.square(line(tree, x).sub(y)).mean();
const makeLine = (w: Float32Array, b: number): Trainable<LineTree> =>
  trainable({ w: np.array(w), b: np.array(new Float32Array([b]), { shape: [] }) });

/** |a - b| within float32 rounding of sums of some tens of terms of order 1. */
const expectClose = (got: ArrayLike<number>, wanted: ArrayLike<number>, bound = 2e-6) => {
  expect(got.length).toBe(wanted.length);
  for (let i = 0; i < got.length; i++) expect(Math.abs(got[i]! - wanted[i]!)).toBeLessThan(bound);
};

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
    expectClose([loss], [wanted.loss]);
    expectClose(model.tree.w.grad!, wanted.w);
    expectClose(model.tree.b.grad!, [wanted.b]);
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
    expectClose([backward(batch)], [wanted.loss]);
    model.tree.w.grad = null;
    expectClose([backward({ ...batch, scale: 3 })], [3 * wanted.loss]);
    expectClose(
      model.tree.w.grad!,
      wanted.w.map((g) => 3 * g),
    );
    expectClose(model.tree.b.grad!, [4 * wanted.b]);
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
    expectClose(model.tree.w.grad!, byHand(model.tree.w.data, 0.5, x, y).w);
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
    expectClose(model.tree.logits.grad!, [a / sum, b / sum, c / sum - 1]);
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
    expectClose([loss], [backward(x, y)]);
    expectClose(sum, model.tree.w.grad!);
    backward.dispose();
  });

  test("frozen parameters are inputs without a gradient, until they are trained again", () => {
    const model = makeLine(w0, 0.25);
    const backward = model.backward((tree, a: np.Array, b: np.Array) =>
      meanSquare(tree, a.reshape([12, 5]), b),
    );
    const wanted = byHand(w0, 0.25, x, y);
    model.tree.w.requiresGrad = false;
    expectClose([backward(x, y)], [wanted.loss]);
    expect(model.tree.w.grad).toBeNull();
    expectClose(model.tree.b.grad!, [wanted.b]);
    model.tree.w.requiresGrad = true;
    model.tree.b.requiresGrad = false;
    backward(x, y);
    expect(model.tree.b.grad).toBeNull();
    expectClose(model.tree.w.grad!, wanted.w);
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
    expectClose(model.tree.w.grad!, wanted, 1e-15);
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
    expectClose([await pending], [wanted.loss]);
    expectClose(model.tree.w.grad!, wanted.w);
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

describe("trainable", () => {
  test("names parameters by their path, and keeps nesting, shapes and types", async () => {
    const layer = (n: number) => ({ weight: np.ones([n, 2]), bias: np.zeros([2]) });
    const model = trainable({
      layers: [layer(3), layer(2)],
      head: [np.array(7), { scale: np.ones([1], { dtype: np.float64 }) }] as const,
    });
    expect(model.parameters.map(({ name, shape, dtype }) => [name, shape, dtype])).toEqual([
      ["layers.0.weight", [3, 2], "float32"],
      ["layers.0.bias", [2], "float32"],
      ["layers.1.weight", [2, 2], "float32"],
      ["layers.1.bias", [2], "float32"],
      ["head.0", [], "float32"],
      ["head.1.scale", [1], "float64"],
    ]);
    expect(model.tree.layers[1]!.bias).toBe(model.parameters[3]);
    expectTypeOf(model.tree.head[1].scale).toEqualTypeOf<Parameter>();
    const backward = model.backward(({ layers: [first, second], head: [bias, { scale }] }, x) => {
      expectTypeOf(second!.weight).toEqualTypeOf<np.Array>();
      expectTypeOf(x).toEqualTypeOf<np.Array>();
      scale.dispose();
      const hidden = np.dot(x, first!.weight).add(first!.bias);
      return np.dot(hidden, second!.weight).add(second!.bias).sum().add(bias);
    });
    expect(backward(np.ones([1, 3]))).toBe(3 * 2 * 2 + 7);
    expect([...model.tree.layers[0]!.weight.grad!]).toEqual([2, 2, 2, 2, 2, 2]);
    backward.dispose();

    const single = await trainableAsync(np.array([1, 2]));
    expect([single.tree.name, single.tree.shape, [...single.tree.data]]).toEqual([
      undefined,
      [2],
      [1, 2],
    ]);
  });

  test("uses the arrays up, and gives new ones", () => {
    const w = np.array([1, 2, 3]);
    const model = trainable({ w: w.ref });
    expect(w.refCount).toBe(1);
    const arrays = model.arrays();
    expect(arrays.w.add(w).js()).toEqual([2, 4, 6]);
    const double = model.forward(({ w: u }, k) => ({ all: [u.mul(k)] }));
    expect(double(2).all[0]!.js()).toEqual([2, 4, 6]);
    model.tree.w.data = [5, 5, 5];
    expect(double(3).all[0]!.js()).toEqual([15, 15, 15]);
    double.dispose();
    expect(() => double(1)).toThrow(BackendError);
  });

  test("refuses what is no float array, and uses nothing up then", () => {
    const w = np.array([1, 2]);
    const used = np.array([1]);
    used.dispose();
    const message = (tree: unknown) => {
      try {
        trainable(tree as np.Array);
      } catch (error) {
        expect(error).toBeInstanceOf(ParameterError);
        return (error as Error).message;
      }
      return "accepted";
    };
    expect([
      message({ w, n: [np.array([1, 2], { dtype: np.int32 })] }),
      message({ w, x: { y: 3 } }),
      message({ w, used }),
      message({ w, again: w }),
      message({ w: [] }),
    ]).toMatchInlineSnapshot(`
      [
        "parameter "n.0": got int32, expected float32 or float64. Pass numbers that are not trained as arguments of the loss, or convert: .astype().",
        "parameter "x.y": got 3, expected a jax array. Make it one with np.array(values), of the same copy of @jax-js/jax.",
        "parameter "used": got a jax array that is used up, expected a live one. jax-js arrays are used up by use; hand in array.ref where you need it again.",
        "parameter "again": got the array that is also parameter "w", expected each array once. To tie weights, keep one of the two and use it twice in the loss (w.ref, then w).",
        "trainable: tree: got an object {w}, expected at least one jax array.",
      ]
    `);
    expect(w.refCount).toBe(1);
    w.dispose();
  });
});

describe("a call that fails", () => {
  const x = noise(32 * 3);
  const y = noise(32);

  test("says what is wrong with the arguments or the loss", () => {
    const model = makeLine(noise(3), 0);
    const used = np.array([1]);
    used.dispose();
    const message = (
      loss: (tree: LineTree, x: np.Array) => unknown,
      ...args: readonly unknown[]
    ) => {
      const backward = model.backward(loss as never) as (...given: readonly unknown[]) => number;
      try {
        backward(...args);
      } catch (error) {
        expect(error).toBeInstanceOf(OptionError);
        return (error as Error).message;
      }
      return "accepted";
    };
    expect([
      message(({ w }) => w),
      message(() => 3),
      message(async () => 3),
      message(({ w }) => w.sum(), "text"),
      message(({ w }) => w.sum(), 1, { images: new Uint8Array(3) }),
      message(({ w }) => w.sum(), used),
    ]).toMatchInlineSnapshot(`
      [
        "backward: what the loss returned: got float32[3], expected a jax array of floats with shape []. Reduce it to one number, for instance with np.mean().",
        "backward: what the loss returned: got 3, expected a jax array of floats with shape []. Reduce it to one number, for instance with np.mean().",
        "backward: what the loss returned: got a promise, expected a jax array of floats with shape []. Reduce it to one number, for instance with np.mean().",
        "backward: argument 1: got "text", expected a jax array, a Float32Array, Float64Array, Int32Array or Uint32Array, or a number. Everything else can be captured by the function itself.",
        "backward: argument 2.images: got Uint8Array(3), expected a jax array, a Float32Array, Float64Array, Int32Array or Uint32Array, or a number. Everything else can be captured by the function itself.",
        "backward: argument 1: got a jax array that is used up, expected a live one. This function leaves its arguments alive; hand array.ref to whatever used it up before.",
      ]
    `);
    expect(() => model.backward("loss" as never)).toThrow(OptionError);
    const backward = model.backward(({ w }) => w.sum());
    backward.dispose();
    backward.dispose();
    expect(() => backward()).toThrow(BackendError);
  });

  test.each([
    ["before it uses anything", () => {}],
    [
      "after it used everything",
      (tree: LineTree, a: np.Array, b: np.Array) => meanSquare(tree, a, b),
    ],
  ])("leaves gradients and memory as they were: the loss throws %s", async (_, work) => {
    const model = makeLine(noise(3), 0);
    model.tree.b.grad = [7];
    const [jx, jy] = [np.array(x, { shape: [32, 3] }), np.array(y)];
    const boom = new Error("boom");
    const loss = (tree: LineTree, a: np.Array, b: np.Array): np.Array => {
      work(tree, a, b);
      throw boom;
    };
    const [backward, backwardAsync] = [model.backward(loss), model.backwardAsync(loss)];
    const before = heap();
    for (let i = 0; i < 500; i++) {
      expect(() => backward(jx, y)).toThrow(boom);
      // oxlint-disable-next-line no-await-in-loop
      await expect(backwardAsync(x, jy)).rejects.toBe(boom);
      expect(() => model.forward(loss)(jx, y)).toThrow(boom);
    }
    // 500 leaks of the smallest array (64 bytes) are 32 KB; x is 384 bytes: 192 KB.
    expect(heap() - before).toBeLessThan(65536);
    expect([jx.refCount, jy.refCount]).toEqual([1, 1]);
    expect(model.tree.w.grad).toBeNull();
    expect([...model.tree.b.grad]).toEqual([7]);
    for (const array of [jx, jy]) array.dispose();
  });

  test("checks every gradient before it writes the first", () => {
    const model = makeLine(noise(3), 0);
    const outcome = (b: np.Array) => ({
      loss: np.array(1),
      gradients: [np.array([1, 2, 3]), b],
      trained: model.parameters,
    });
    const wrong = [np.array([1, 2]), np.zeros([], { dtype: np.float64 })];
    for (const b of wrong) {
      const given = outcome(b);
      expect(() => receive(given)).toThrow(GradientError);
      expect([given.loss, ...given.gradients].map(({ refCount }) => refCount)).toEqual([0, 0, 0]);
    }
    expect(model.parameters.map(({ grad }) => grad)).toEqual([null, null]);
    expect(receive(outcome(np.array(4)))).toBe(1);
    expect(model.parameters.map(({ grad }) => [...grad!])).toEqual([[1, 2, 3], [4]]);
  });

  test("asks for the asynchronous variant where WebGPU cannot be read synchronously", () => {
    const loss = np.array(1);
    vi.spyOn(loss, "device", "get").mockReturnValue("webgpu");
    expect(() => receive({ loss, gradients: [], trained: [] })).toThrow(/backwardAsync/);
    expect(loss.refCount).toBe(0);
  });
});

describe("memory", () => {
  test("10,000 steps leave no array behind", async () => {
    const model = makeLine(noise(3), 0);
    const optimizer = new Adam(model.parameters, { lr: 1e-3 });
    const backward = model.backward(meanSquare);
    const backwardAsync = model.backwardAsync(meanSquare);
    const predict = model.forward(line);
    const [jx, y] = [np.array(noise(8 * 3), { shape: [8, 3] }), noise(8)];
    const step = () => {
      optimizer.zeroGrad();
      backward(jx, y);
      optimizer.step();
    };
    for (let i = 0; i < 50; i++) step();
    await backwardAsync(jx, y);
    predict(jx).dispose();
    const before = heap();
    for (let i = 0; i < 10_000; i++) step();
    expect(heap()).toBe(before);
    for (let i = 0; i < 2_000; i++) {
      // oxlint-disable-next-line no-await-in-loop
      await backwardAsync(jx, y);
      predict(jx).dispose();
      for (const array of Object.values(model.arrays())) array.dispose();
    }
    expect(heap()).toBe(before);
    // The gauge itself: one lost scalar per step is 640 KB.
    for (let i = 0; i < 10_000; i++) np.array(new Float32Array([i, 1]));
    expect(heap()).toBeGreaterThan(before + 500_000);
    for (const fn of [backward, backwardAsync, predict]) fn.dispose();
    jx.dispose();
  }, 30_000);

  test("dispose() gives captured arrays back", () => {
    const model = makeLine(noise(3), 0);
    const x = np.array(noise(24), { shape: [8, 3] });
    const backward = model.backward((tree, y) => meanSquare(tree, x.ref, y));
    backward(noise(8));
    backward(noise(8));
    expect(x.refCount).toBe(2);
    backward.dispose();
    expect(x.refCount).toBe(1);
    x.dispose();
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
    expectClose(model.tree.w.data, w, 1e-3);
    expectClose(model.tree.b.data, [b], 1e-3);
    const predict = model.forward((tree, x) => np.dot(x, tree.w).add(tree.b));
    expectClose(predict(np.array([[1, 1, 1]])).js() as number[], [0.75], 2e-3);
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
