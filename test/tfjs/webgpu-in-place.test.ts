/**
 * Steps in the memory of tfjs's WebGPU backend: the losses of tfjs's own optimizer, and nothing that shares a
 * buffer, waits in a queue or is kept on the CPU becomes wrong.
 */
import {
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  test,
  vi,
  type MockInstance,
} from "vitest";
import { registerOptimizer, tfOptimizer } from "../../src/adapters/tfjs.ts";
import { WebgpuMemory } from "../../src/adapters/tfjs/webgpu-memory.ts";
import { probe } from "../../src/adapters/tfjs/webgpu-probe.ts";
import { webgpuPath } from "../../src/adapters/tfjs/webgpu.ts";
import { Adam, AdamW, parameter, SGD } from "../../src/index.ts";
import { SHARED_USAGE } from "../../src/memory/webgpu/constants.ts";
import { countCalls, type Calls } from "../helpers/counting-device.ts";
import { noVulkan } from "../helpers/find-vulkan.ts";
import { gpuNames } from "../helpers/gpu-golden.ts";
import { noise, ruleCases } from "../helpers/rules.ts";
import { layers, tf, useBackend } from "../helpers/tfjs.ts";
import { fit, save, smallModel } from "../helpers/tfjs-model.ts";
import { adoptDevice, globalGpu, readBuffer } from "../helpers/webgpu.ts";

describe.skipIf(noVulkan)("tfjs on WebGPU", () => {
  let told: () => Calls;
  beforeAll(async () => {
    await globalGpu();
    await useBackend("cpu");
    await useBackend("webgpu");
    const { device } = tf.backend() as unknown as { device: GPUDevice };
    adoptDevice(device);
    told = countCalls(device);
  });
  afterEach(async () => {
    await tf.setBackend("webgpu");
    tf.disposeVariables();
  });

  const square = (v: tf.Tensor) => tf.sum(tf.mul(v, v)) as tf.Scalar;
  const numbers = async (tensor: tf.Tensor) => [...(await tensor.data())];
  const variable = (values: number[]) => tf.variable(tf.tensor1d(values));

  test("a model of layers learns what it learns with tf.train.adam", async () => {
    const learn = async (optimizer: tf.Optimizer): Promise<number[]> => {
      const model = smallModel();
      model.compile({ optimizer, loss: "meanSquaredError" });
      return fit(model, 2);
    };
    await tf.setBackend("cpu"); // where that one is fast
    const expected = await learn(tf.train.adam(0.05));
    await tf.setBackend("webgpu");
    const optimizer = tfOptimizer(tf, Adam, { lr: 0.05, eps: 1e-7 });
    const losses = await learn(optimizer);
    expect([optimizer.inPlace, optimizer.why]).toEqual(["webgpu", undefined]);
    expect(losses.at(-1)).toBeLessThan(losses[0]! / 2);
    losses.forEach((loss, i) => expect(loss / expected[i]!).toBeCloseTo(1, 4));
  });

  test("a model that is loaded goes on as the one that was saved", async () => {
    const model = smallModel();
    const options = { lr: 0.05, clipGradNorm: 1 };
    model.compile({ optimizer: tfOptimizer(tf, Adam, options), loss: "meanSquaredError" });
    await fit(model, 1);
    const saved = await save(model);
    registerOptimizer(tf, Adam, options);
    const loaded = await layers.loadLayersModel(tf.io.fromMemory(saved));
    const again = await fit(loaded as layers.LayersModel, 1);
    expect(again).toEqual(await fit(model, 1));
    expect((loaded.optimizer as unknown as { inPlace: string }).inPlace).toBe("webgpu");
  });

  test("minimize is synchronous, and reads nothing back", async () => {
    const v = variable([1, 2, 3, 4]);
    const optimizer = tfOptimizer(tf, AdamW, { lr: 0.1, weightDecay: 0.5, clipGradNorm: 1 });
    const own = parameter([1, 2, 3, 4]);
    const reference = new AdamW([own], { lr: 0.1, weightDecay: 0.5 });
    const step = () => void optimizer.minimize(() => square(v));
    for (let i = 0; i < 3; i++) step();
    const { numTensors } = tf.memory();
    told();
    for (let i = 3; i < 20; i++) step();
    expect([told()["mapAsync"], tf.memory().numTensors]).toEqual([undefined, numTensors]);
    for (let i = 0; i < 20; i++) {
      const norm = Math.hypot(...[...own.data].map((x) => 2 * x));
      own.grad = [...own.data].map((x) => (2 * x) / Math.max(1, norm + 1e-6));
      reference.step();
    }
    (await numbers(v)).forEach((x, i) => expect(x).toBeCloseTo(own.data[i]!, 4));
  });

  test("tensors that share a variable's buffer keep their values, and gradients as well", async () => {
    const start = tf.tensor1d([1, 2]);
    const v = tf.variable(start);
    const twin = tf.variable(v);
    const clone = tf.clone(v);
    const shape = tf.reshape(v, [2, 1]);
    const gradient = tf.tensor1d([10, 20]);
    const alias = tf.clone(v); // a gradient that is the variable, for tfjs
    const optimizer = tfOptimizer(tf, SGD, { lr: 1 });
    optimizer.applyGradients({ [v.name]: gradient, [twin.name]: alias });
    expect(await numbers(v)).toEqual([-9, -18]);
    expect(await numbers(twin)).toEqual([0, 0]);
    for (const tensor of [start, clone, shape, alias])
      expect(await numbers(tensor)).toEqual([1, 2]);
    expect(await numbers(gradient)).toEqual([10, 20]);
    const { dataId } = v;
    optimizer.applyGradients({ [v.name]: gradient });
    expect(v.dataId).toBe(dataId); // nobody shares it any more: it stays where it is
    tf.dispose([start, clone, shape, gradient, alias]);
  });

  test("what tfjs has collected and not submitted comes before the step", async () => {
    const v = variable([1, 2]);
    const optimizer = tfOptimizer(tf, SGD, { lr: 1 });
    const gradient = tf.tensor1d([1, 1]);
    optimizer.applyGradients({ [v.name]: gradient });
    const before = tf.mul(v, 100); // of [0, 1]
    optimizer.applyGradients({ [v.name]: gradient });
    const after = tf.mul(v, 100);
    expect(await numbers(before)).toEqual([0, 100]);
    expect(await numbers(after)).toEqual([-100, 0]);
    tf.dispose([gradient, before, after]);
  });

  test("values that were read are read again after a step, also by a read that was under way", async () => {
    const v = variable([1, 2]);
    const optimizer = tfOptimizer(tf, SGD, { lr: 1 });
    const gradient = tf.tensor1d([1, 1]);
    const step = () => optimizer.applyGradients({ [v.name]: gradient });
    step();
    expect(await numbers(v)).toEqual([0, 1]);
    expect([...v.dataSync()]).toEqual([0, 1]); // kept on the CPU
    step();
    expect(await numbers(v)).toEqual([-1, 0]);
    step();
    const reading = v.data();
    step();
    expect([...(await reading)]).toEqual([-2, -1]);
    expect(await numbers(v)).toEqual([-3, -2]);
    gradient.dispose();
  });

  test("variables that are assigned to, and moved by others, are found where they are", async () => {
    const v = variable([1, 2]);
    const optimizer = tfOptimizer(tf, SGD, { lr: 1, momentum: 0.5 });
    const own = parameter([1, 2]);
    const reference = new SGD([own], { lr: 1, momentum: 0.5 });
    const gradient = tf.tensor1d([1, -1]);
    for (let i = 0; i < 6; i++) {
      if (i % 2) {
        const moved = tf.tidy(() => tf.add(v, 1));
        v.assign(moved as tf.Tensor1D);
        moved.dispose();
        own.data = [...own.data].map((x) => x + 1);
      }
      optimizer.applyGradients({ [v.name]: gradient });
      own.grad = [1, -1];
      reference.step();
    }
    (await numbers(v)).forEach((x, i) => expect(x).toBeCloseTo(own.data[i]!, 5));
    gradient.dispose();
  });

  const byName = new Map(ruleCases.map((each) => [each.name, each]));
  // Adafactor's many shaders take SwiftShader seconds; test/webgpu/rebind.test.ts moves its parameters.
  test.each(gpuNames.filter((name) => name !== "Adafactor"))(
    "%s does what it does over parameters",
    async (name) => {
      const { rule, options, create } = byName.get(name)!;
      const shapes = [[4, 3], [7], [], [0]];
      const next = noise(3);
      const some = (shape: number[]) =>
        Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, next);
      const start = shapes.map(some);
      const variables = start.map((values, i) => tf.variable(tf.tensor(values, shapes[i]!)));
      const own = start.map((values, i) => parameter(values, { shape: shapes[i]! }));
      const reference = create(own);
      const optimizer = tfOptimizer(tf, { rule } as never, options as object);
      for (let step = 0; step < 3; step++) {
        const gradients = own.map((p) => (p.grad = some([...p.shape])));
        const map = gradients.map(
          (g, i) => [variables[i]!.name, tf.tensor(g, shapes[i]!)] as const,
        );
        optimizer.applyGradients(Object.fromEntries(map));
        reference.step();
      }
      expect(optimizer.inPlace).toBe("webgpu");
      for (const [i, v] of variables.entries()) {
        const far = (await numbers(v)).map((x, k) => Math.abs(x - own[i]!.data[k]!));
        expect(Math.max(0, ...far)).toBeLessThan(1e-6);
      }
    },
  );

  test("nothing is made for buffers that come again", () => {
    const v = variable([1, 2, 3]);
    const optimizer = tfOptimizer(tf, Adam);
    const take = (): string[] => {
      const gradient = tf.add(v, 1); // on the GPU, in a buffer of tfjs's pool
      const copy = tf.add(v, 0);
      v.assign(copy as tf.Tensor1D); // which moves it
      copy.dispose();
      told();
      optimizer.applyGradients({ [v.name]: gradient });
      const calls = Object.keys(told()).filter((call) => call.startsWith("create"));
      gradient.dispose();
      return calls;
    };
    for (let i = 0; i < 8; i++) take();
    // One encoder is ours, the other tfjs's, which it submits or begins.
    for (let i = 0; i < 8; i++) expect(take()).toEqual(["createCommandEncoder"]);
  });

  test("a buffer that somebody brought along is not written", async () => {
    const { device } = tf.backend() as unknown as { device: GPUDevice };
    const buffer = device.createBuffer({ size: 8, usage: SHARED_USAGE });
    device.queue.writeBuffer(buffer, 0, Float32Array.of(1, 2));
    const start = tf.tensor({ buffer, zeroCopy: true }, [2]) as tf.Tensor1D;
    const v = tf.variable(start);
    start.dispose();
    tfOptimizer(tf, SGD, { lr: 1 }).applyGradients({ [v.name]: tf.tensor1d([1, 1]) });
    expect(await numbers(v)).toEqual([0, 1]);
    expect([...new Float32Array(await readBuffer(device, buffer))]).toEqual([1, 2]);
  });

  test("subsets count for themselves, late ones come in, and those that are disposed go", async () => {
    const optimizer = tfOptimizer(tf, Adam, { lr: 0.1, groups: [{ match: /^late/, lr: 1 }] });
    const one = tf.tensor1d([1]);
    const [a, b] = [variable([1]), variable([1])];
    tf.variable(one, true, "later");
    optimizer.applyGradients({ [a.name]: one });
    optimizer.applyGradients({ [b.name]: one, [a.name]: one });
    for (let i = 0; i < 5; i++) {
      const late = tf.variable(tf.tensor1d([1]), true, "late");
      optimizer.applyGradients({ late: one, [b.name]: one });
      expect((await numbers(late))[0]).toBeCloseTo(0, 5);
      late.dispose();
    }
    expect((await numbers(a))[0]).toBeCloseTo(0.8, 5);
    expect((await numbers(b))[0]).toBeCloseTo(0.4, 5);
    expect(optimizer.inPlace).toBe("webgpu");
    one.dispose();
  });

  test("state is saved, loaded, and moves along to another backend", async () => {
    const options = { lr: 0.1, momentum: 0.9 };
    const gradient = { v: tf.tensor1d([1, 2]) };
    const optimizer = tfOptimizer(tf, SGD, options);
    const v = tf.variable(tf.tensor1d([0, 0]), true, "v");
    const expected = parameter([0, 0]);
    const reference = new SGD([expected], options);
    const takeReference = (steps: number): void => {
      for (let i = 0; i < steps; i++) {
        expected.grad = [1, 2];
        reference.step();
      }
    };
    const same = async () =>
      (await numbers(v)).forEach((x, i) => expect(x).toBeCloseTo(expected.data[i]!, 5));
    for (let i = 0; i < 3; i++) optimizer.applyGradients(gradient);
    const again = tfOptimizer(tf, SGD, options);
    await again.setWeights(await optimizer.getWeights());
    for (let i = 0; i < 3; i++) again.applyGradients(gradient);
    takeReference(6);
    expect(again.inPlace).toBe("webgpu");
    await same();
    await gradient.v.data(); // Node cannot read synchronously
    await tf.setBackend("cpu");
    expect(() => again.applyGradients(gradient)).toThrow("applyGradientsAsync");
    await again.applyGradientsAsync(gradient);
    takeReference(1);
    await same();
    optimizer.dispose();
  });

  describe("a version of tfjs that is different", () => {
    let warnings: MockInstance<typeof console.warn>;
    beforeEach(() => {
      warnings = vi.spyOn(console, "warn").mockImplementation(() => {});
    });
    afterEach(() => warnings.mockRestore());

    /** The path for a backend that differs in something. */
    function pathOn(change: object): ReturnType<typeof webgpuPath> {
      const backend = Object.assign(Object.create(tf.backend()) as object, change);
      const engine = Object.create(tf.engine(), { backend: { value: backend } }) as object;
      const other = { ...tf, engine: () => engine } as unknown as typeof tf;
      const spec = { tf: other, rule: SGD.rule as never, options: {}, clip: {} };
      webgpuPath(spec);
      return webgpuPath(spec); // it is tried, and warned of, once
    }

    test("without something that is needed", () => {
      expect(pathOn({ submitQueue: undefined })).toBe("tfjs's WebGPU backend has no submitQueue");
      expect(warnings.mock.calls).toEqual([
        [expect.stringContaining("steps go by copies instead of in place")],
      ]);
    });

    test("which does not tell of buffers that are shared", () => {
      expect(pathOn({ refCount: () => 1 })).toMatch("a variable shares its buffer");
      expect(warnings).toHaveBeenCalledTimes(1);
    });

    test("which submits its work later", async () => {
      const flush = { value: () => {} };
      const memory = Object.create(WebgpuMemory.of(tf) as object, { flush }) as WebgpuMemory;
      const tried = probe(tf, memory);
      expect(tried.failure).toBe(null); // so far
      await tried.done;
      expect(tried.failure).toMatch("was not what it should be in a trial, and variables may be");
      expect(warnings).toHaveBeenCalledTimes(1);
    });
  });
});
