// What stands at the edges: names and types of the tree, refusals, failures half way, and jax-js's
// memory. It is measured from outside, because jax-js never collects an array that was forgotten: one
// lost array per step must fail these tests.

import { grad as gradientOf, init, jit, numpy as np, tree as pytree } from "@jax-js/jax";
import { beforeAll, describe, expect, expectTypeOf, test, vi } from "vitest";
import {
  adamw,
  applyUpdates,
  chain,
  clipByGlobalNorm,
  trainable,
  trainableAsync,
} from "../../src/adapters/jax.ts";
import { receive } from "../../src/adapters/jax/gradients.ts";
import { Adam, BackendError, GradientError, OptionError, type Parameter } from "../../src/index.ts";
import { complaint, line, makeLine, meanSquare, noise, type LineTree } from "./line.ts";

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

const sum = ({ w }: LineTree) => w.sum();
const attempt = async (run: () => unknown) => run();
const layer = (n: number) => ({ weight: np.ones([n, 2]), bias: np.zeros([2]) });

/** Bytes of jax-js's heap: it grows when more arrays are alive than ever before, and never shrinks. */
const heap = () => memories[0]!.buffer.byteLength;

beforeAll(async () => {
  await init("wasm");
});

describe("trainable", () => {
  test("names parameters by their path, and keeps nesting, shapes and types", async () => {
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
    const trees = [
      { w, n: [np.array([1, 2], { dtype: np.int32 })] },
      { w, x: { y: 3 } },
      { w, used },
      { w, again: w },
      { w: [] },
    ];
    expect(trees.map((tree) => complaint(() => trainable(tree as { w: np.Array }))))
      .toMatchInlineSnapshot(`
        [
          "ParameterError: parameter "n.0": got int32, expected float32 or float64. Pass numbers that are not trained as arguments of the loss, or convert: .astype().",
          "ParameterError: parameter "x.y": got 3, expected a jax array. Make it one with np.array(values), of the same copy of @jax-js/jax.",
          "ParameterError: parameter "used": got a jax array that is used up, expected a live one. jax-js arrays are used up by use; hand in array.ref where you need it again.",
          "ParameterError: parameter "again": got the array that is also parameter "w", expected each array once. To tie weights, keep one of the two and use it twice in the loss (w.ref, then w).",
          "ParameterError: trainable: tree: got an object {w}, expected at least one jax array.",
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
    const call = (loss: unknown, ...args: unknown[]) => {
      const untyped = model as unknown as { backward(f: unknown): (...given: unknown[]) => number };
      return complaint(() => untyped.backward(loss)(...args));
    };
    expect([
      call(({ w }: LineTree) => w),
      call(() => 3),
      call(async () => 3),
      call(sum, "text"),
      call(sum, 1, { images: new Uint8Array(3) }),
      call(sum, used),
      call("loss"),
    ]).toMatchInlineSnapshot(`
      [
        "OptionError: backward: what the loss returned: got float32[3], expected a jax array of floats with shape []. Reduce it to one number, for instance with np.mean().",
        "OptionError: backward: what the loss returned: got 3, expected a jax array of floats with shape []. Reduce it to one number, for instance with np.mean().",
        "OptionError: backward: what the loss returned: got a promise, expected a jax array of floats with shape []. Reduce it to one number, for instance with np.mean().",
        "OptionError: backward: argument 1: got "text", expected a jax array, a Float32Array, Float64Array, Int32Array or Uint32Array, or a number. Everything else can be captured by the function itself.",
        "OptionError: backward: argument 2.images: got Uint8Array(3), expected a jax array, a Float32Array, Float64Array, Int32Array or Uint32Array, or a number. Everything else can be captured by the function itself.",
        "OptionError: backward: argument 1: got a jax array that is used up, expected a live one. This function leaves its arguments alive; hand array.ref to whatever used it up before.",
        "OptionError: backward: loss: got "loss", expected a function of the parameters and the arguments.",
      ]
    `);
    const backward = model.backward(sum);
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
    const forward = model.forward(loss);
    const caught: unknown[] = [];
    const fail = async (count: number) => {
      for (let i = 0; i < count; i++) {
        for (const run of [backward, forward, backwardAsync]) {
          // oxlint-disable-next-line no-await-in-loop
          await attempt(() => run(jx, i % 2 ? jy : y)).catch((error) => caught.push(error));
        }
      }
    };
    await fail(2);
    const before = heap();
    // The smallest array takes 64 bytes, and the heap grows by 64 KiB: 1,100 lost ones would show.
    await fail(1_100);
    expect(heap()).toBe(before);
    expect(caught.length).toBe(3 * 1_102);
    expect(new Set(caught)).toEqual(new Set([boom]));
    expect([jx.refCount, jy.refCount]).toEqual([1, 1]);
    expect(model.tree.w.grad).toBeNull();
    expect([...model.tree.b.grad!]).toEqual([7]);
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
    expect(model.parameters.map(({ grad }) => Array.from(grad!))).toEqual([[1, 2, 3], [4]]);
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

  test("10,000 updates leave nothing behind: in jax-js, in Downhill, in the process", () => {
    const tx = chain(
      clipByGlobalNorm(1),
      adamw((count) => 1e-3 / (1 + count)),
    );
    const gradient = jit(gradientOf(meanSquare));
    const [x, y] = [np.array(noise(8 * 3), { shape: [8, 3] }), np.array(noise(8))];
    let params: LineTree = { w: np.array(noise(3)), b: np.array(noise(1), { shape: [] }) };
    let state = tx.init(pytree.ref(params));
    const step = (kept: LineTree | undefined) => {
      let updates: LineTree;
      const grads = gradient(pytree.ref(params), x.ref, y.ref) as LineTree;
      [updates, state] = tx.update(grads, state, kept);
      params = applyUpdates(params, updates);
    };
    const run = (count: number) => {
      for (let i = 0; i < count; i++) step(pytree.ref(params));
    };
    const bytes = () => state.optimizers[0]!.arenas[0]!.arena.memory.buffer.byteLength;
    run(2_000);
    const before = [heap(), bytes()];
    globalThis.gc!();
    const used = process.memoryUsage().heapUsed;
    run(8_000);
    expect([heap(), bytes()]).toEqual(before);
    globalThis.gc!();
    // 100 bytes for each update would be 1 MB.
    expect(process.memoryUsage().heapUsed - used).toBeLessThan(1e6);
    // Calls that are refused leave nothing either.
    for (let i = 0; i < 1_100; i++) {
      const grads = gradient(pytree.ref(params), x.ref, y.ref) as LineTree;
      expect(() => tx.update(grads, state)).toThrow(OptionError);
      expect(() => tx.update({ w: grads.w } as LineTree, state, params)).toThrow(GradientError);
      pytree.dispose(grads);
    }
    expect(heap()).toBe(before[0]);
    pytree.dispose([params, x, y] as never);
    gradient.dispose();
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
