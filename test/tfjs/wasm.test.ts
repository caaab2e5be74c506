/**
 * Steps in place in the memory of tfjs's WASM backend: they give the bits of steps by copies, whatever
 * happens to variables and gradients, and where tfjs is not what it should be, steps go by copies.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { tfOptimizer } from "../../src/adapters/tfjs.ts";
import { CopyPath } from "../../src/adapters/tfjs/copy-path.ts";
import type { Member, Move, Path, PathSpec } from "../../src/adapters/tfjs/path.ts";
import { wasmPath } from "../../src/adapters/tfjs/wasm.ts";
import { Adam, SGD } from "../../src/index.ts";
import { bits } from "../helpers/bits.ts";
import { noise, ruleCases, type RuleCase } from "../helpers/rules.ts";
import { tf, useBackend } from "../helpers/tfjs.ts";

const STEPS = 7;

/** The backend, as far as tests look into it. */
interface Internals {
  readonly wasm: { readonly HEAPU8: Uint8Array } & Record<string, unknown>;
  readonly dataIdMap: { get(id: object): { readonly memoryOffset: number } };
}
const internals = (): Internals => tf.engine().backend as unknown as Internals;
const addressOf = (tensor: tf.Tensor): number =>
  internals().dataIdMap.get(tensor.dataId).memoryOffset;
const heapBytes = (): number => internals().wasm.HEAPU8.length;
const values = (tensor: tf.Tensor): Float32Array => tensor.dataSync<"float32">();
/** A variable with memory of its own. */
const made = (name: string, make: () => tf.Tensor): tf.Variable =>
  tf.tidy(() => tf.variable(make(), true, name));
const product = (x: tf.Tensor, w: tf.Tensor): number[] => [...values(tf.matMul(x, w))];

beforeEach(async () => {
  await useBackend("wasm");
  tf.disposeVariables();
  tf.engine().startScope();
});
afterEach(() => {
  tf.engine().endScope();
  vi.restoreAllMocks();
});

const shapes = [[5], [64], [3, 4, 5], [7, 3], [7, 3], [], [0], [130]];
const matrices = [
  [5, 3],
  [8, 8],
  [4, 5],
  [7, 3],
  [7, 3],
  [1, 9],
  [0, 2],
  [16, 6],
];

/** Variables of one path. */
class Side {
  readonly path: Path;
  readonly members: Member[];

  constructor(
    { rule, options }: RuleCase,
    path: Path,
    make: (shape: number[], i: number) => tf.Variable,
  ) {
    this.path = path;
    const hyper = { ...rule.hyper, ...options };
    const groups = [hyper, { ...hyper, lr: 0.02 }];
    this.members = (rule.matrices ? matrices : shapes).map((shape, i) => ({
      variable: make(shape, i),
      key: `w${i}`,
      group: groups[i < 2 ? 0 : 1]!,
    }));
  }

  /** @param gradients none for a variable that is left out. */
  step(gradients: readonly (tf.Tensor | null)[]): boolean {
    const moves = this.members.flatMap((member, i): Move[] =>
      gradients[i] ? [[member, gradients[i]]] : [],
    );
    const isTaken = this.path.prepare(moves);
    if (isTaken) this.path.run(moves);
    else this.path.skip();
    return isTaken;
  }

  get variables(): tf.Variable[] {
    return this.members.map(({ variable }) => variable);
  }

  seen(): unknown {
    const states = this.path.states(this.members) as Record<string, Float32Array | number>[];
    return {
      data: this.variables.map((each) => bits(values(each))),
      states: states.map((state) =>
        Object.entries(state).map(([slot, value]) => [
          slot,
          typeof value === "number" ? value : bits(value),
        ]),
      ),
    };
  }
}

/** The same variables twice: one path copies, one works in place. */
function bothSides(
  ruleCase: RuleCase,
  more: object = {},
  clip: PathSpec["clip"] = {},
): [Side, Side] {
  const spec: PathSpec = {
    tf,
    rule: ruleCase.rule,
    options: { ...ruleCase.options, ...more } as never,
    clip,
  };
  const inPlace = wasmPath(spec);
  if (typeof inPlace === "string") throw new Error(inPlace);
  return [new CopyPath(spec), inPlace].map((path) => {
    const next = noise(5);
    return new Side(ruleCase, path, (shape) => tf.variable(noisy(shape, next)));
  }) as [Side, Side];
}

function noisy(shape: number[], next: () => number): tf.Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return tf.tensor(Float32Array.from({ length: size }, next), shape, "float32");
}

/** All that may happen to variables between steps. */
const events: Record<number, (variables: tf.Variable[]) => unknown> = {
  1: ([, , assigned]) => assigned!.assign(tf.mul(assigned!, 0.5)),
  2: ([first, second]) => {
    const ones = [first!, second!].map((v) => ({ name: v.name, tensor: tf.onesLike(v) }));
    tf.train.sgd(0.1).applyGradients(ones);
  },
  3: (variables) => variables[3]!.assign(variables[4]! as never), // both have one memory now
};

/** @param grows whether the memory has to grow before the last step. */
function train([copied, inPlace]: [Side, Side], grows = false): void {
  const next = noise(9);
  for (const { path, members } of [copied, inPlace]) {
    const some = members.slice(0, 5);
    path.add(
      some,
      some.map(() => undefined),
    );
  }
  for (let step = 0; step < STEPS; step++) {
    const gradients = copied.variables.map(({ shape }) => noisy(shape, next));
    gradients[4] = gradients[3]!;
    const used = gradients.map((gradient, i) =>
      (step === 0 && i >= 5) || (step === 5 && i === 1) ? null : gradient,
    );
    const before = gradients.map((gradient) => bits(values(gradient)));
    if (grows && step === STEPS - 1) tf.zeros([heapBytes() / 4]);
    for (const side of [copied, inPlace]) {
      if (step === 1) side.path.add(side.members.slice(5), [undefined, undefined, undefined]);
      events[step]?.(side.variables);
      side.step(used);
    }
    const after = gradients.map((gradient) => bits(values(gradient)));
    if (after.some((each, i) => each !== before[i])) throw new Error("a gradient was written");
  }
}

describe("in place as by copies", () => {
  const run = (ruleCase: RuleCase, options = {}, clip = {}, grows = false) => {
    const sides = bothSides(ruleCase, options, clip);
    train(sides, grows);
    const [copied, inPlace] = sides.map((side) => side.seen());
    sides.forEach(({ path }) => path.dispose());
    return { copied, inPlace };
  };

  test.each(ruleCases)("$title", (ruleCase) => {
    const { copied, inPlace } = run(ruleCase);
    expect(inPlace).toEqual(copied);
  });

  test.each(ruleCases)("clipped, with state in bfloat16, $title", (ruleCase) => {
    const options = { stateDtype: "bfloat16", stateRounding: "stochastic", nonFinite: "throw" };
    const { copied, inPlace } = run(ruleCase, options, { value: 0.9, norm: 0.5 });
    expect(inPlace).toEqual(copied);
  });

  const few = ["Adam", "Muon", "Adafactor"].map((name) => ruleCases.find((c) => c.name === name)!);
  test.each(few)("while the memory grows, $title", (ruleCase) => {
    const { buffer } = internals().wasm.HEAPU8;
    const { copied, inPlace } = run(ruleCase, {}, { norm: 0.5 }, true);
    expect(inPlace).toEqual(copied);
    expect(buffer.byteLength).toBe(0); // views of it are empty now
  });
});

describe("variables and what shares their memory", () => {
  const square = (value: number) => tf.mul(tf.ones([2, 2]), value) as tf.Tensor2D;

  test("products of matrices are those with the new weights", () => {
    const w = made("w", () => square(1));
    const x = tf.ones([1, 2]);
    const optimizer = tfOptimizer(tf, SGD, { lr: 1 });
    const seen: number[][] = [product(x, w)];
    for (let step = 0; step < 2; step++) {
      const at = addressOf(w);
      optimizer.applyGradients({ w: square(-1) });
      expect(addressOf(w)).toBe(at);
      seen.push(product(x, w));
    }
    expect(seen).toEqual([
      [2, 2],
      [4, 4],
      [6, 6],
    ]);
    expect(optimizer.inPlace).toBe("wasm");
  });

  test("so are those with a bias, and products with the transposed weights", () => {
    const w = made("w", () => square(1));
    const b = made("b", () => tf.tensor1d([1, 1]));
    const x = tf.ones([1, 2]) as tf.Tensor2D;
    const layer = () => [...values(tf.fused.matMul({ a: x, b: w, bias: b, activation: "relu" }))];
    const turned = () => [...values(tf.matMul(x, w, false, true))];
    const optimizer = tfOptimizer(tf, SGD, { lr: 1 });
    expect([layer(), turned()]).toEqual([
      [3, 3],
      [2, 2],
    ]);
    optimizer.applyGradients({ b: tf.tensor1d([-1, -2]) });
    expect(layer()).toEqual([4, 5]);
    optimizer.applyGradients({ w: tf.tensor2d([-1, 0, 0, 0], [2, 2]) });
    expect([layer(), turned()]).toEqual([
      [5, 5],
      [3, 2],
    ]);
  });

  test("a variable that shares its memory gets some of its own", () => {
    const first = tf.tensor1d([1, 1]);
    const w = tf.variable(first, true, "w");
    const twin = tf.variable(w, true, "twin");
    const flat = tf.reshape(twin, [2, 1]);
    const optimizer = tfOptimizer(tf, SGD, { lr: 1 });
    const ones = tf.ones([2]);
    optimizer.applyGradients({ w: ones, twin: tf.mul(ones, 2) });
    const seen = () => [first, w, twin, flat, ones].map((each) => [...values(each)]);
    expect(seen()).toEqual([
      [1, 1],
      [0, 0],
      [-1, -1],
      [1, 1],
      [1, 1],
    ]);
    const places = [w, twin].map(addressOf);
    optimizer.applyGradients({ w: ones });
    expect([w, twin].map(addressOf)).toEqual(places);
    const shifted = tf.reshape(w, [2]);
    optimizer.applyGradients({ w: shifted }); // its gradient is its own memory
    expect([values(w), values(shifted)].map((each) => [...each])).toEqual([
      [0, 0],
      [-1, -1],
    ]);
  });

  test("variables and gradients may come from another backend", async () => {
    await useBackend("cpu");
    const w = tf.variable(tf.tensor1d([1, 2]), true, "w");
    const gradient = tf.tensor1d([1, 1]);
    await useBackend("wasm");
    const optimizer = tfOptimizer(tf, SGD, { lr: 1 });
    optimizer.applyGradients({ w: gradient });
    expect([...values(w), optimizer.inPlace]).toEqual([0, 1, "wasm"]);
  });
});

/** tfjs with a backend of which some things are otherwise. */
function altered(changes: { wasm?: object; backend?: object }): typeof tf {
  const real = internals();
  const but = (object: object, own: object): object =>
    Object.create(object, Object.getOwnPropertyDescriptors(own)) as object;
  const wasm = but(real.wasm, changes.wasm ?? {});
  const backend = but(real, { wasm, ...changes.backend });
  const engine = but(tf.engine(), { backend });
  return { ...tf, engine: () => engine } as typeof tf;
}

/** tfjs with a heap that counts, and has so many places left. */
function counting() {
  const { _malloc, _free } = internals().wasm as unknown as Record<string, (x: number) => number>;
  const heap = { inUse: new Set<number>(), left: Infinity };
  const wasm = {
    _malloc(bytes: number): number {
      if (heap.left-- <= 0) return 0;
      const at = _malloc!(bytes);
      heap.inUse.add(at);
      return at;
    },
    _free(at: number): void {
      if (!heap.inUse.delete(at)) throw new Error(`${at} is not in use`);
      _free!(at);
    },
  };
  return { heap, counted: altered({ wasm }) };
}

describe("the heap", () => {
  const gradients = () => ({ w: tf.ones([50_000]) });

  test("does not grow over 1,000 optimizers", () => {
    const { heap, counted } = counting();
    made("w", () => tf.zeros([50_000]));
    const ones = gradients();
    let first: number[] | undefined;
    for (let i = 0; i < 1000; i++) {
      const optimizer = tfOptimizer(counted, Adam, { clipGradNorm: 1 });
      optimizer.applyGradients(ones);
      expect([optimizer.inPlace, heap.inUse.size > 0]).toEqual(["wasm", true]);
      optimizer.dispose();
      expect(heap.inUse.size).toBe(0);
      first ??= [heapBytes(), tf.memory().numTensors];
    }
    expect([heapBytes(), tf.memory().numTensors]).toEqual(first);
  });

  test("has the state of variables that live, and of no others", () => {
    const { heap, counted } = counting();
    const optimizer = tfOptimizer(counted, Adam);
    const sizes = Array.from({ length: 20 }, () => {
      const w = made("w", () => tf.zeros([50_000]));
      optimizer.applyGradients(gradients());
      w.dispose();
      return heap.inUse.size;
    });
    expect(new Set(sizes.slice(1)).size).toBe(1);
    expect(sizes[1]).toBe(sizes[0]);
    optimizer.dispose();
    expect(heap.inUse.size).toBe(0);
  });

  test("that is full changes nothing", async () => {
    const { heap, counted } = counting();
    const w = made("w", () => tf.zeros([50_000]));
    const late = made("late", () => tf.zeros([10]));
    const optimizer = tfOptimizer(counted, Adam, { lr: 0.5 });
    optimizer.applyGradients(gradients());
    const seen = async () => [
      [w, late].map((each) => bits(values(each))),
      await optimizer.stateDict(),
      optimizer.iterations,
      heap.inUse.size,
    ];
    const before = await seen();
    heap.left = 1; // so that a part of the state finds room
    const both = { ...gradients(), late: tf.ones([10]) };
    expect(() => optimizer.applyGradients(both)).toThrow("no room for");
    expect(await seen()).toEqual(before);
    heap.left = Infinity;
    optimizer.applyGradients(both);
    expect(values(late)[0]).toBeCloseTo(-0.5, 5);
  });

  test("with a number that is out of range, too", async () => {
    const w = made("w", () => tf.zeros([50_000]));
    const optimizer = tfOptimizer(tf, Adam, { lr: 0.5 });
    optimizer.applyGradients(gradients());
    const seen = async () => [bits(values(w)), await optimizer.stateDict(), optimizer.iterations];
    const before = await seen();
    optimizer.paramGroups[0].lr = -1;
    expect(() => optimizer.applyGradients(gradients())).toThrow("lr");
    optimizer.paramGroups[0].lr = 0.5;
    expect(await seen()).toEqual(before);
  });
});

describe("a backend that is not what it should be", () => {
  type Changes = Parameters<typeof altered>[0];
  /** What is read of a tensor's data is otherwise; what is written to it is not. */
  const located = (change: (data: Record<string, number>) => object): Changes => {
    const { dataIdMap } = internals();
    const get = (id: object) => {
      const data = dataIdMap.get(id) as never as Record<string, number>;
      const own = change(data);
      return new Proxy(data, { get: (_, key) => (key in own ? own : data)[key as never] });
    };
    return { backend: { dataIdMap: Object.create(dataIdMap, { get: { value: get } }) as object } };
  };

  const cases: Record<string, readonly [() => Changes, why: string]> = {
    "without a list of tensors": [() => ({ backend: { dataIdMap: undefined } }), "no dataIdMap"],
    "without allocation": [() => ({ wasm: { _malloc: undefined } }), "no wasm._malloc"],
    "without freeing": [() => ({ wasm: { _free: undefined } }), "no wasm._free"],
    "without registration": [
      () => ({ wasm: { _register_tensor: undefined } }),
      "no wasm._register_tensor",
    ],
    "without forgetting": [() => ({ wasm: { _dispose_data: undefined } }), "no wasm._dispose_data"],
    "without exports": [() => ({ wasm: { asm: undefined } }), "no wasm.wasmMemory or"],
    "without a memory": [() => ({ wasm: { asm: {} } }), "no wasm.wasmMemory or"],
    "with another memory": [
      () => ({ wasm: { wasmMemory: new WebAssembly.Memory({ initial: 1 }) } }),
      "no wasm.HEAPU8 over that memory",
    ],
    "without bytes": [() => ({ wasm: { HEAPU8: undefined } }), "no wasm.HEAPU8 over that memory"],
    "with tensors elsewhere": [
      () => located((data) => ({ memoryOffset: data["memoryOffset"]! + 8 })),
      "tensors are not where they should be in memory",
    ],
    "that throws": [
      () => ({
        wasm: {
          _register_tensor: () => {
            throw new Error("it is closed");
          },
        },
      }),
      "a step on trial failed (Error: it is closed)",
    ],
    "with addresses of another kind": [
      () => located(() => ({ memoryOffset: undefined })),
      "tensors are not where they should be in memory",
    ],
    "that does not count who shares memory": [
      () => located(() => ({ refCount: 1 })),
      "a step changes tensors that share memory with a variable",
    ],
    "that forgets nothing": [
      () => ({ wasm: { _dispose_data: () => {} } }),
      "products go on with the weights from before a step",
    ],
  };

  test.each(Object.entries(cases))("%s", (_, [changes, why]) => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const w = made("w", () => tf.ones([2, 2]));
    const other = altered(changes());
    for (let i = 0; i < 2; i++) {
      const optimizer = tfOptimizer(other, SGD, { lr: 1 });
      const { numTensors } = tf.memory();
      optimizer.applyGradients({ w: tf.ones([2, 2]) });
      expect(tf.memory().numTensors).toBe(numTensors + 1);
      expect(optimizer.inPlace).toBe("no");
      expect(optimizer.why).toContain(why);
      expect([...values(w)]).toEqual([0 - i, 0 - i, 0 - i, 0 - i]);
    }
    expect(Object.keys(tf.engine().registeredVariables)).toEqual(["w"]);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]![0]).toContain(why);
  });

  test("that is as it should be gives no warning", () => {
    const warn = vi.spyOn(console, "warn");
    const optimizer = tfOptimizer(altered({}), SGD, { lr: 1 });
    tf.variable(tf.tensor1d([1]), true, "w");
    optimizer.applyGradients({ w: tf.tensor1d([1]) });
    expect([optimizer.inPlace, optimizer.why]).toEqual(["wasm", undefined]);
    expect(warn).not.toHaveBeenCalled();
  });
});
