// jax-js computes on its WebGPU backend, Downhill steps in the same memory. The steps are compared with those of
// the CPU's path, which reads everything back: there the same shaders compute loss and gradients.

import { defaultDevice, getWebGPUDevice, init, lax, nn, numpy as np } from "@jax-js/jax";
import { beforeAll, describe, expect, test } from "vitest";
import * as copies from "../../src/adapters/jax.ts";
import { trainable } from "../../src/adapters/jax/webgpu.ts";
import * as cpu from "../../src/index.ts";
import { Adam, AdamW, clipGradNorm, SGD, type GpuOptimizer } from "../../src/webgpu/index.ts";
import { countCalls, type Calls } from "../helpers/counting-device.ts";
import { noVulkan, onSwiftShader } from "../helpers/find-vulkan.ts";
import { adoptDevice, globalGpu } from "../helpers/webgpu.ts";
import { complaint, distance, meanSquare, noise } from "./line.ts";

const sizes = [3, 8, 8, 1] as const;

const weights = sizes.slice(1).map((n, i) => noise(sizes[i]! * n));

/** A small network; a function, as its arrays are used up. */
const network = () =>
  sizes.slice(1).map((n, i) => ({
    weight: np.array(weights[i]!, { shape: [sizes[i]!, n] }),
    bias: np.zeros([n]),
  }));
type Network = ReturnType<typeof network>;

const loss = (layers: Network, x: np.Array, y: np.Array): np.Array => {
  let hidden = x.reshape([-1, 3]);
  layers.forEach(({ weight, bias }, i) => {
    hidden = np.dot(hidden, weight).add(bias);
    if (i < layers.length - 1) hidden = nn.relu(hidden);
  });
  return np.square(hidden.reshape([-1]).sub(y)).mean();
};
const line = () => ({ w: np.array(weights[0]!.slice(0, 3)), b: np.array(0.5) });
const x = noise(16 * 3);
const y = noise(16);

/** Buffers that are alive. */
const alive = ({ createBuffer = 0, destroy = 0 }: Calls) => createBuffer - destroy;

describe.skipIf(noVulkan)("jax-js on WebGPU", () => {
  let told: () => Calls;
  beforeAll(async () => {
    await globalGpu();
    await init("wasm", "webgpu");
    adoptDevice(getWebGPUDevice());
    defaultDevice("webgpu");
    told = countCalls(getWebGPUDevice());
  });

  test.each<[string, (params: never) => GpuOptimizer, (params: never) => cpu.Optimizer]>([
    [
      "SGD",
      (p) => new SGD(p, { lr: 0.2, momentum: 0.9 }),
      (p) => new cpu.SGD(p, { lr: 0.2, momentum: 0.9 }),
    ],
    ["Adam", (p) => new Adam(p, { lr: 0.01 }), (p) => new cpu.Adam(p, { lr: 0.01 })],
    [
      "AdamW",
      (p) => new AdamW(p, { lr: 0.01, weightDecay: 0.1 }),
      (p) => new cpu.AdamW(p, { lr: 0.01, weightDecay: 0.1 }),
    ],
  ])("%s: the losses of the CPU's path", async (_, onGpu, onCpu) => {
    const model = trainable(network());
    const optimizer = onGpu(model.parameters as never);
    const backward = model.backward(loss);
    const losses: Promise<number>[] = [];
    for (let step = 0; step < 30; step++) {
      losses.push(backward(x, y).read());
      optimizer.step();
      optimizer.zeroGrad();
    }
    const twin = await copies.trainableAsync(network());
    const reference = onCpu(twin.parameters as never);
    const backwardTwin = twin.backwardAsync(loss);
    const expected: number[] = [];
    for (let step = 0; step < 30; step++) {
      expected.push(await backwardTwin(x, y));
      reference.step();
      reference.zeroGrad();
    }
    expect(expected.at(-1)).toBeLessThan(0.8 * expected[0]!);
    const got = await Promise.all(losses);
    got.forEach((value, i) => expect(Math.abs(value / expected[i]! - 1)).toBeLessThan(1e-5));
    if (onSwiftShader) expect(got).toEqual(expected);
    const values = await Promise.all(model.parameters.map((p) => p.read()));
    twin.parameters.forEach(({ data }, k) =>
      expect(distance(values[k]!, data)).toBeLessThan(onSwiftShader ? 1e-9 : 1e-4),
    );
    for (const disposable of [backward, backwardTwin, model]) disposable.dispose();
  });

  test("1,000 steps read nothing back, and lose no array and no buffer", async () => {
    const model = trainable(line());
    const optimizer = new Adam(model.parameters, { lr: 0.01 });
    const backward = model.backward(meanSquare);
    const [jx, jy] = [np.array(x, { shape: [16, 3] }), np.array(y)];
    const step = (i = 0) => {
      clipGradNorm(optimizer, 1);
      if (i % 8 === 1) backward(jx, jy); // gradients that are added up
      const result = backward(jx, jy);
      optimizer.step();
      optimizer.zeroGrad();
      return result;
    };
    for (let i = 0; i < 20; i++) step(i);
    told();
    for (let i = 0; i < 1000; i++) step(i);
    const calls = told();
    expect(calls["mapAsync"]).toBeUndefined();
    expect(alive(calls)).toBe(0);
    await step().read();
    expect(told()).toMatchObject({ mapAsync: 1 });
    // What is disposed is used again.
    const count = (): number => {
      told();
      const twin = trainable(line());
      const again = twin.backward(meanSquare);
      again(jx, jy);
      again.dispose();
      twin.dispose();
      return alive(told());
    };
    count();
    expect([count(), count()]).toEqual([0, 0]);
    for (const disposable of [backward, model, jx, jy]) disposable.dispose();
  });

  test("our bind groups are made for buffers that are new, and jax-js's come again", () => {
    const model = trainable({ w: np.array(noise(7)) });
    const optimizer = new Adam(model.parameters);
    const backward = model.backward(({ w }) => np.square(w).sum());
    const make = (): number => {
      backward();
      told();
      optimizer.step();
      const { createBindGroup = 0 } = told();
      optimizer.zeroGrad();
      return createBindGroup;
    };
    for (let i = 0; i < 10; i++) make();
    expect(Array.from({ length: 10 }, make)).toEqual(Array(10).fill(0));
    for (const disposable of [backward, model]) disposable.dispose();
  });

  test("what goes in and out is a copy, and results are those of the moment of the call", async () => {
    const before = np.array([1, 2, 3, 4]);
    const view = before.ref.reshape([2, 2]);
    const model = trainable({ w: before.ref });
    const optimizer = new SGD(model.parameters, { lr: 1 });
    const backward = model.backward(({ w }) => w.sum());
    const same = model.forward(({ w }) => ({ w: w.ref, twice: w.mul(2) }));
    const [result, arrays] = [same(), model.arrays()];
    backward();
    optimizer.step();
    expect(await model.tree.w.read()).toEqual(Float32Array.of(0, 1, 2, 3));
    expect(await result.w.jsAsync()).toEqual([1, 2, 3, 4]);
    expect(await result.twice.jsAsync()).toEqual([2, 4, 6, 8]);
    expect(await arrays.w.jsAsync()).toEqual([1, 2, 3, 4]);
    expect(await before.jsAsync()).toEqual([1, 2, 3, 4]);
    expect(await view.jsAsync()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(await same().w.jsAsync()).toEqual([0, 1, 2, 3]);
    for (const disposable of [backward, same, model]) disposable.dispose();
  });

  test("a gradient or a loss that is itself a parameter, for jax-js", async () => {
    const model = trainable({ v: np.array([1, 2]), w: np.array([3, 4]), c: np.array(5) });
    const optimizer = new SGD(model.parameters, { lr: 1 });
    const products = model.backward(({ v, w, c }) => {
      c.dispose();
      return lax.stopGradient(w.ref).mul(v).add(lax.stopGradient(w.ref).mul(w)).sum();
    });
    products();
    optimizer.step();
    // The gradient of both is w as it was.
    expect([...(await model.tree.v.read()), ...(await model.tree.w.read())]).toEqual([
      -2, -2, 0, 0,
    ]);
    optimizer.zeroGrad();
    const alone = model.backward(({ v, w, c }) => {
      v.dispose();
      w.dispose();
      return c;
    });
    const last = alone();
    optimizer.step();
    expect([await last.read(), ...(await model.tree.c.read())]).toEqual([5, 4]);
    for (const disposable of [products, alone, model]) disposable.dispose();
  });

  test("gradients add up, also where a parameter is frozen or set in between", async () => {
    const model = trainable([np.array([1, 2]), np.array([3]), np.zeros([0, 3])]);
    const [a, b] = model.parameters;
    const backward = model.backward(([p, q, none], k) =>
      np.square(p!).mul(k.ref).sum().add(q!.mul(k).sum()).add(none!.sum()),
    );
    expect(a!.hasGrad).toBe(false);
    for (const k of [1, 2]) backward(k);
    expect([...(await a!.readGrad()), ...(await b!.readGrad())]).toEqual([6, 12, 3]);
    b!.requiresGrad = false;
    backward(10);
    expect([...(await a!.readGrad())]).toEqual([26, 52]);
    b!.requiresGrad = true;
    expect(b!.hasGrad).toBe(false);
    a!.hasGrad = false;
    a!.write([5, 5]);
    backward(1);
    expect([...(await a!.readGrad()), ...(await b!.readGrad())]).toEqual([10, 10, 1]);
    const optimizer = new Adam([a!, b!]);
    optimizer.step();
    const saved = (await optimizer.stateDict()).state["0"]!["exp_avg"] as Float32Array;
    expect(distance(saved, [1, 1])).toBeLessThan(1e-6);
    for (const disposable of [backward, model]) disposable.dispose();
  });

  test("says what is wrong, and leaves everything as it was", async () => {
    const trees = [
      { w: np.array([1], { dtype: np.int32 }) },
      { w: np.array([1], { dtype: np.float16 }) },
      { w: np.array([1], { device: "wasm" }) },
    ];
    expect(trees.map((tree) => complaint(() => trainable(tree)))).toMatchInlineSnapshot(`
      [
        "ParameterError: parameter "w": got int32, expected float32. Pass numbers that are not trained as arguments of the loss, or convert: .astype().",
        "ParameterError: parameter "w": got float16, expected float32. Pass numbers that are not trained as arguments of the loss, or convert: .astype().",
        "ParameterError: parameter "w": got an array on wasm, expected one on webgpu. Call defaultDevice("webgpu") before you make the arrays, or devicePut() them.",
      ]
    `);
    expect(trees.map(({ w }) => w.refCount)).toEqual([1, 1, 1]);
    const model = trainable({ w: np.array([1, 2]) });
    const square = model.backward(({ w }) => np.square(w).sum());
    const broken = model.backward(({ w }) => w);
    const first = square();
    expect(complaint(broken)).toMatch("what the loss returned: got float32[2]");
    expect([...(await model.tree.w.readGrad())]).toEqual([2, 4]);
    square();
    const gone = await first.read().catch(String);
    const optimizer = new SGD(model.parameters, { lr: 1 });
    for (const disposable of [square, broken, model]) disposable.dispose();
    optimizer.step(); // without a gradient
    expect([gone, complaint(square), complaint(() => model.arrays())]).toMatchInlineSnapshot(`
      [
        "BackendError: loss: read: got the loss of an earlier call, which has not been kept, expected that of the last one. Call read() before the next step; its promise may be awaited later.",
        "BackendError: backward: got a call after the model's dispose(), expected calls before it.",
        "BackendError: arrays: got a call after the model's dispose(), expected calls before it.",
      ]
    `);
    for (const { w } of trees) w.dispose();
  });
});
