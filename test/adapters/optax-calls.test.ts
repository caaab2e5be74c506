// What transformations do besides computing: who owns which array, what is refused, states that are kept,
// saved and loaded, and other libraries' transformations among ours.

import { grad, init, jit, numpy as np, tree } from "@jax-js/jax";
import { beforeAll, describe, expect, expectTypeOf, test, vi } from "vitest";
import {
  adam,
  adamw,
  addDecayedWeights,
  applyUpdates,
  chain,
  clipByGlobalNorm,
  gradientTransformation,
  l2Loss,
  scale,
  lion,
  rmsprop,
  sgd,
  squaredError,
  treeBiasCorrection,
  treeMax,
  treeNorm,
  treeOnesLike,
  treeSum,
  treeUpdateMoment,
  treeZerosLike,
  type GradientTransformation,
  type OptState,
} from "../../src/adapters/jax.ts";
import { toJax } from "../../src/adapters/jax/loan.ts";
import * as downhill from "../../src/index.ts";
import { AdamW, CallError, Muon, parameter, SGD, type Optimizer } from "../../src/index.ts";
import { complaint, distance, noise } from "./line.ts";

type Params = { readonly w: np.Array; readonly b: np.Array };
const make = (): Params => ({ w: toJax(noise(6), [2, 3]), b: toJax(noise(2), [2]) });
const read = ({ w, b }: Params) => [...w.ref.dataSync(), ...b.ref.dataSync()];
const counts = ({ w, b }: Params) => [w.refCount, b.refCount];

beforeAll(async () => {
  await init("wasm");
});

describe("what @jax-js/optax's own tests do, after a change of the import", () => {
  const f = (x: np.Array) => squaredError(x, np.ones([3])).sum();

  test("stochastic gradient descent, without parameters in update", () => {
    let params = np.array([1, 2, 3]);
    const solver = sgd(0.11);
    let state: OptState = solver.init(params.ref);
    let updates: np.Array;
    [updates, state] = solver.update(grad(f)(params.ref), state);
    params = applyUpdates(params, updates);
    expect(distance(params.js() as number[], [1, 1.78, 2.56])).toBeLessThan(1e-6);
  });

  test("adamw with a mask that is a function and gives factors for single elements", () => {
    let params = np.array([1, 2, 3]);
    const solver = adamw(0.001, {
      weightDecay: 0.1,
      mask: (p: np.Array) => {
        p.dispose();
        return np.array([1, 0, 0]);
      },
    });
    let state = solver.init(params.ref);
    let updates: np.Array;
    [updates, state] = solver.update(grad(f)(params.ref), state, params.ref);
    params = applyUpdates(params, updates);
    expectTypeOf(params).toEqualTypeOf<np.Array>();
    // The first element has no gradient, so that it only decays; the others only follow theirs.
    const wanted = [1 - 0.001 * 0.1, 2 - 0.001, 3 - 0.001];
    expect(distance(params.js() as number[], wanted)).toBeLessThan(1e-6);
    expect(state.stateDict().passes[0]!.state["0"]!["maskValues"]).toEqual(
      new Float32Array([1, 0, 0]),
    );
  });
});

describe("whole classes", () => {
  const classes = Object.entries(downhill).filter(
    ([name, value]) => typeof value === "function" && "rule" in value && name !== "SparseAdam",
  ) as unknown as [string, downhill.OptimizerClass<downhill.HyperDefaults>][];

  test("there are all of them", () => {
    expect(classes.length).toBe(13);
  });

  test.each(classes)("%s takes the class's own steps, bit for bit", (_, cls) => {
    const initial = [noise(12), noise(4)];
    const own = initial.map((values, i) =>
      parameter(values, { name: "ab"[i]!, shape: i ? [2, 2] : [3, 4] }),
    );
    const optimizer = new cls(own);
    const tx = gradientTransformation(cls);
    let params = { a: toJax(initial[0]!, [3, 4]), b: toJax(initial[1]!, [2, 2]) };
    let state = tx.init(tree.ref(params));
    for (let step = 0; step < 4; step++) {
      const gradients = [noise(12), noise(4)];
      own.forEach((each, i) => (each.grad = gradients[i]!));
      optimizer.step();
      const given = { a: toJax(gradients[0]!, [3, 4]), b: toJax(gradients[1]!, [2, 2]) };
      let updates: typeof params;
      [updates, state] = tx.update(given, state, tree.ref(params));
      params = applyUpdates(params, updates);
      expect(params.a.ref.dataSync()).toEqual(own[0]!.data.slice());
      expect(params.b.ref.dataSync()).toEqual(own[1]!.data.slice());
    }
    tree.dispose(params);
  });

  test("numbers may be schedules, which are asked once in each update", () => {
    const lr = vi.fn<(count: number) => number>((count) => 0.1 * (count + 1));
    const tx = gradientTransformation(SGD, { lr });
    const params = np.array([0]);
    let state = tx.init(params.ref);
    const steps = [1, 2, 3].map(() => {
      let updates: np.Array;
      [updates, state] = tx.update(np.array([1]), state, params.ref);
      return updates.item();
    });
    expect(distance(steps, [-0.1, -0.2, -0.3])).toBeLessThan(1e-7);
    expect(lr.mock.calls).toEqual([[0], [1], [2]]);
    expect(state.optimizers[0]).toBeInstanceOf(downhill.Optimizer);
    expect((state.optimizers[0] as Optimizer).paramGroups[0]["lr"]).toBeCloseTo(0.3);
  });

  test("a step that is left out updates nothing and counts for nothing", () => {
    const tx = gradientTransformation(AdamW, { nonFinite: "skip" });
    const params = np.array([1, 2]);
    let state = tx.init(params.ref);
    let updates: np.Array;
    [updates, state] = tx.update(np.array([NaN, 1]), state, params.ref);
    expect(updates.js()).toEqual([0, 0]);
    expect(state.count).toBe(0);
    [updates, state] = tx.update(np.array([1, 1]), state, params.ref);
    expect(distance(updates.js() as number[], [-0.00101, -0.00102])).toBeLessThan(1e-7);
    expect(state.count).toBe(1);
  });
});

describe("ownership", () => {
  test("update uses up gradients, state and parameters; applyUpdates parameters and updates", () => {
    const tx = adamw(0.1);
    const [params, grads] = [make(), make()];
    const state = tx.init(tree.ref(params));
    expect(counts(params)).toEqual([1, 1]);
    const [updates, next] = tx.update(grads, state, tree.ref(params));
    expect([...counts(params), ...counts(grads), ...counts(updates)]).toEqual([1, 1, 0, 0, 1, 1]);
    expect([state.refCount, next.refCount]).toEqual([0, 1]);
    const after = applyUpdates(params, updates);
    expect([...counts(params), ...counts(updates), ...counts(after)]).toEqual([0, 0, 0, 0, 1, 1]);
    expect(complaint(() => tx.update(make(), state, after))).toMatchInlineSnapshot(
      `"CallError: state of a transformation: update: got a state that is used up, expected a live one. update() uses the state up and returns the next; hand in state.ref to keep it."`,
    );
    expect(complaint(() => state.ref)).toContain("CallError");
    expect(counts(after)).toEqual([1, 1]);
    tree.dispose(after);
    next.dispose();
    expect(next.refCount).toBe(0);
  });

  test("applyUpdates gives the sum, whether Downhill has it already or jax-js adds it up", () => {
    const tx = adam(0.1);
    let params = make();
    let state = tx.init(tree.ref(params));
    for (let step = 0; step < 5; step++) {
      let updates: Params;
      const given = step % 2 === 0 ? tree.ref(params) : undefined;
      [updates, state] = tx.update(make(), state, given);
      const sum = [read(params), read(updates)];
      const wanted = Float32Array.from(sum[0]!, (p, i) => p + sum[1]![i]!);
      const elsewhere = tree.map((x: np.Array) => x.mul(1), tree.ref(params));
      const slow = applyUpdates(elsewhere, tree.ref(updates));
      params = applyUpdates(params, updates);
      expect(read(params)).toEqual([...wanted]);
      expect(read(slow)).toEqual([...wanted]);
      tree.dispose(slow);
    }
    // Parameters that somebody else has changed are read again.
    params = tree.map((x: np.Array) => x.mul(2), params) as Params;
    const before = read(params);
    const [updates] = tx.update(make(), state, tree.ref(params));
    const change = read(updates);
    expect(read(applyUpdates(params, updates))).toEqual([
      ...Float32Array.from(before, (p, i) => p + change[i]!),
    ]);
  });

  test("updates of an earlier step are added to what they are applied to", () => {
    const tx = sgd(1);
    const params = np.array([10]);
    let state = tx.init(params.ref);
    let first: np.Array, second: np.Array;
    [first, state] = tx.update(np.array([1]), state, params.ref);
    [second, state] = tx.update(np.array([2]), state, params.ref);
    expect(applyUpdates(params.ref, first).js()).toEqual([9]);
    expect(applyUpdates(params, second).js()).toEqual([8]);
    state.dispose();
  });

  test("updates of a step before one that was refused or left out keep their meaning", () => {
    const tx = gradientTransformation(SGD, { lr: 1, nonFinite: "skip" });
    const params = np.array([10]);
    let state = tx.init(params.ref);
    let [first, none]: np.Array[] = [];
    [first, state] = tx.update(np.array([1]), state, params.ref);
    [none, state] = tx.update(np.array([NaN]), state, params.ref);
    expect(applyUpdates(params.ref, first!).js()).toEqual([9]);
    expect(applyUpdates(params, none!).js()).toEqual([10]);
    expect(state.count).toBe(1);
  });

  test("a state that is kept goes its own way", () => {
    const tx = adamw(0.1);
    const params = make();
    let state = tx.init(tree.ref(params));
    let updates: Params;
    [updates, state] = tx.update(make(), state, tree.ref(params));
    tree.dispose(updates);
    const [one, other] = [make(), make()];
    const kept = state.ref;
    const [, a] = tx.update(one, state, tree.ref(params));
    expect([kept.refCount, kept.count, a.count]).toEqual([1, 1, 2]);
    const [second] = tx.update(tree.ref(other), kept, tree.ref(params));
    const fresh = tx.init(tree.ref(params));
    fresh.loadStateDict(a.stateDict());
    expect(read(second)).not.toEqual(read(tx.update(other, fresh, params)[0]));
  });

  test("twice the same array, and a tree without arrays", () => {
    const w = np.array([1, 2]);
    const tx = sgd(1, { momentum: 0.5 });
    const state = tx.init({ a: w.ref, b: w.ref });
    const g = np.array([1, 1]);
    const [updates] = tx.update({ a: g.ref, b: g }, state, { a: w.ref, b: w.ref });
    expect(applyUpdates({ a: w.ref, b: w }, updates)).toMatchObject({ a: { refCount: 1 } });
    expect(g.refCount).toBe(0);

    const empty = { a: [], b: null, c: {} };
    const [none, next] = tx.update(empty, tx.init(empty), empty);
    expect([none, next.count, applyUpdates(empty, none)]).toEqual([empty, 1, empty]);
  });

  test("null leaves stay", () => {
    const tx = adamw(0.1);
    const params = { w: np.array([1]), rest: [null, np.array(2)] };
    const state = tx.init(tree.ref({ w: params.w, rest: [params.rest[1]!] }));
    state.dispose();
    const held = tx.init({ w: params.w.ref, rest: [null, params.rest[1]!.ref] });
    const grads = { w: np.array([1]), rest: [null, np.array(1)] };
    const [updates, next] = tx.update(grads, held, {
      w: params.w.ref,
      rest: [null, params.rest[1]!.ref],
    });
    const after = applyUpdates(params, updates);
    expect([after.rest[0], after.w.shape, after.rest[1]!.shape]).toEqual([null, [1], []]);
    expect(Object.keys(next.stateDict().passes[0]!.state)).toEqual(["w", "rest.1"]);
  });
});

describe("refused before anything is used up", () => {
  test("what does not fit", () => {
    const tx = chain(clipByGlobalNorm(1), adamw(0.1));
    const params = make();
    const state = tx.init(tree.ref(params));
    const grads = make();
    const used = np.array([1, 2]);
    used.dispose();
    const other = sgd(0.1).init(tree.ref(params));
    const update = (...args: unknown[]) => complaint(() => tx.update(...(args as [never, never])));
    expect([
      update(grads, other, params),
      update(grads, state),
      update({ w: grads.w }, state, params),
      update({ w: grads.w, c: grads.b }, state, params),
      update({ w: grads.b, b: grads.b }, state, params),
      update({ w: grads.w, b: 3 }, state, params),
      update({ w: grads.w, b: used }, state, params),
      update(grads, state, { w: params.b, b: params.w }),
      update(grads, state, grads),
    ]).toMatchInlineSnapshot(`
      [
        "OptionError: clipByGlobalNorm + adamw: update: state: got that of another transformation, expected a state that this transformation's init() or update() has made.",
        "OptionError: clipByGlobalNorm + adamw: update: params: got undefined, expected the parameters, which this transformation requires. Call update(grads, state, tree.ref(params)).",
        "GradientError: clipByGlobalNorm + adamw: update: gradient: got a tree of 1 arrays, of which this is none of the parameters', expected the tree that init() got, of 2.",
        "GradientError: clipByGlobalNorm + adamw: update: gradient "c": got a tree of 2 arrays, of which this is none of the parameters', expected the tree that init() got, of 2.",
        "GradientError: clipByGlobalNorm + adamw: update: gradient "w": got float32[2], expected float32[2, 3].",
        "OptionError: clipByGlobalNorm + adamw: update: gradient "b": got 3, expected a jax array.",
        "CallError: clipByGlobalNorm + adamw: update: got a jax array that is used up, expected a live one, with a reference for each use. It uses up what it is given: hand in tree.ref(params) to keep them.",
        "ParameterError: clipByGlobalNorm + adamw: update: parameter "w": got float32[2], expected float32[2, 3].",
        "CallError: clipByGlobalNorm + adamw: update: got a jax array 2 times, with fewer references, expected a live one, with a reference for each use. It uses up what it is given: hand in tree.ref(params) to keep them.",
      ]
    `);
    expect([...counts(params), ...counts(grads), state.refCount]).toEqual([1, 1, 1, 1, 1]);

    const step = jit((p: Params, g: Params) => {
      const [updates] = tx.update(g, state, p);
      return updates;
    });
    expect(complaint(() => step(tree.ref(params), tree.ref(grads)))).toMatchInlineSnapshot(
      `"OptionError: clipByGlobalNorm + adamw: update: gradient "w": got an array without numbers, inside jit, grad or vmap, expected a jax array. Compile the loss alone, jit(valueAndGrad(loss)): an update is one pass as it is."`,
    );
    tree.dispose([params, grads]);
  });

  test("what makes no transformation", () => {
    const w = np.array([1, 2]);
    expect([
      complaint(() => adam("fast" as never)),
      complaint(() => adam(0.1, { b1: 1 }).init(w)),
      complaint(() => adam(0.1, { beta1: 0.9 } as never)),
      complaint(() => sgd(0.1, { momentum: NaN })),
      complaint(() => sgd(0.1, { decay: 0.9 } as never)),
      complaint(() => adamw(0.1, { weightdecay: 0.9 } as never)),
      complaint(() => rmsprop(0.1, { centered: true } as never)),
      complaint(() => lion(0.1, { eps: 1 } as never)),
      complaint(() => clipByGlobalNorm(0)),
      complaint(() => chain(adam(0.1), {} as never)),
      complaint(() => gradientTransformation({} as never)),
      complaint(() => gradientTransformation(AdamW, { lr: -1 }).init(w)),
      complaint(() => gradientTransformation(AdamW, { beta: 1 } as never).init(w)),
      complaint(() => gradientTransformation(Muon).init(w)),
      complaint(() => adamw(0.1, { mask: [true] }).init([w, np.ones([1])])),
      complaint(() => adamw(0.1, { mask: "all" as never }).init(w)),
      complaint(() => adamw(0.1, { mask: np.ones([3]) }).init(w)),
      complaint(() => adam(0.1).init(np.array([1], { dtype: np.int32 }))),
      complaint(() => adam(0.1).init([w, w])),
      complaint(() => applyUpdates([w], [])),
      complaint(() => applyUpdates([w], [1 as never])),
    ]).toMatchInlineSnapshot(`
      [
        "OptionError: scaleByLearningRate: learningRate: got "fast", expected a finite number, or a function of the count.",
        "OptionError: adam: b1: got 1, expected a finite number in [0, 1).",
        "OptionError: scaleByAdam: "beta1": got an unknown name, expected one of b1, b2, eps, epsRoot, nesterov.",
        "OptionError: trace: decay: got NaN, expected a finite number, or a function of the count.",
        "OptionError: sgd: "decay": got an unknown name, expected one of momentum, nesterov.",
        "OptionError: adamw: "weightdecay": got an unknown name, expected one of b1, b2, eps, epsRoot, nesterov, weightDecay, mask. Did you mean weightDecay?",
        "OptionError: rmsprop: "centered": got an unknown name, expected one of decay, eps, initialScale, epsInSqrt, momentum, nesterov.",
        "OptionError: lion: "eps": got an unknown name, expected one of b1, b2, weightDecay, mask.",
        "OptionError: clipByGlobalNorm: maxNorm: got 0, expected a number > 0.",
        "OptionError: chain: a transformation: got an object {}, expected an object with init() and update().",
        "OptionError: gradientTransformation: class: got an object {}, expected an optimizer class such as Adam.",
        "OptionError: AdamW: lr: got -1, expected a finite number in [0, inf).",
        "OptionError: AdamW: "beta": got an unknown name, expected one of lr, betas, eps, weightDecay, amsgrad, maximize, foreach, compile, flushSubnormals, backend, threads, stateDtype, stateRounding, nonFinite, average. Did you mean betas?",
        "ParameterError: Muon: parameter: got shape [2], expected a matrix, shape [rows, columns]. Give vectors, scalars and kernels of convolutions to another optimizer, such as AdamW.",
        "OptionError: addDecayedWeights: mask: got ["0"], expected a factor for each of 2 parameters.",
        "OptionError: addDecayedWeights: mask: got "all", expected a number, a boolean or a live jax array for the parameter.",
        "OptionError: addDecayedWeights: mask: got shape [3], expected one that broadcasts to [2].",
        "ParameterError: parameter: got int32, expected float32 or float64. Pass numbers that are not trained as arguments of the loss, or convert: .astype().",
        "CallError: adam: init: got a jax array 2 times, with fewer references, expected a live one, with a reference for each use. It uses up what it is given: hand in tree.ref(params) to keep them.",
        "OptionError: applyUpdates: updates: got a tree of 0 leaves, expected the tree of the parameters, of 1.",
        "OptionError: applyUpdates: "0": got 1, expected a jax array.",
      ]
    `);
    w.dispose();
  });

  test("a schedule that gives no number, and one that throws", () => {
    const w = np.array([1]);
    let bad = true;
    const tx = sgd(() => (bad ? NaN : 1));
    const state = tx.init(w.ref);
    const g = np.array([3]);
    expect(complaint(() => tx.update(g, state, w))).toMatchInlineSnapshot(
      `"OptionError: sgd: paramGroups[0].learningRate: got NaN, expected a finite number."`,
    );
    expect([g.refCount, w.refCount, state.count]).toEqual([1, 1, 0]);
    bad = false;
    expect(tx.update(g, state, w)[0].js()).toEqual([-3]);
  });
});

describe("states", () => {
  test("go on from a copy, bit for bit, with the new transformation's numbers", () => {
    const make2 = (lr: number) => chain(adamw(lr, { weightDecay: 0.1 }), clipByGlobalNorm(0.2));
    const run = (tx: GradientTransformation, state: OptState, params: Params, g: Params[]) => {
      for (const grads of g) {
        let updates: Params;
        [updates, state] = tx.update(grads, state, tree.ref(params));
        params = applyUpdates(params, updates);
      }
      return read(params);
    };
    const params = make();
    const gradients = [make(), make(), make(), make()];
    const tx = make2(0.1);
    let state = tx.init(tree.ref(params));
    let updates: Params;
    [updates, state] = tx.update(gradients[0]!, state, tree.ref(params));
    tree.dispose(updates);
    const dict = structuredClone(state.stateDict());
    expect(Object.keys(dict.passes[0]!.state["w"]!)).toEqual(["step", "mu", "nu"]);
    const rest = gradients.slice(1);
    const copy = tx.init(tree.ref(params));
    copy.loadStateDict(dict);
    const [a, b] = [tree.ref(rest), rest];
    expect(run(tx, copy, tree.ref(params), a)).toEqual(run(tx, state, params, b));

    const other = make2(0.7);
    const slower = other.init(make());
    slower.loadStateDict(dict);
    expect((slower.optimizers[0] as Optimizer).paramGroups[0]["learningRate"]).toBe(0.7);
    expect([
      complaint(() => slower.loadStateDict(3 as never)),
      complaint(() => slower.loadStateDict({ ...dict, passes: dict.passes.slice(1) })),
      complaint(() => slower.loadStateDict({ ...dict, passes: dict.passes.toReversed() })),
    ]).toMatchInlineSnapshot(`
      [
        "StateDictError: state of a transformation: got 3, expected { count, passes } with 2 state dicts.",
        "StateDictError: state of a transformation: got an object {count, passes}, expected { count, passes } with 2 state dicts.",
        "StateDictError: adamw + clipByGlobalNorm: optimizer of the state dict: got "adamw + clipByGlobalNorm (pass 2)", expected "adamw + clipByGlobalNorm".",
      ]
    `);
  });

  test("masks by leaf make groups; factors that broadcast are kept with the state", () => {
    const params = { w: np.ones([2, 3]), b: np.ones([3]) };
    const mask = { w: np.array([1, 0, 2]), b: np.array(0) };
    const tx = addDecayedWeights({ weightDecay: 0.5, mask });
    const state = tx.init(tree.ref(params));
    const [updates] = tx.update(treeZerosLike(tree.ref(params)) as typeof params, state, params);
    expect(read(updates)).toEqual([0.5, 0, 1, 0.5, 0, 1, 0, 0, 0]);
    expect(counts(mask)).toEqual([1, 1]);
    const twice = chain(
      addDecayedWeights({ weightDecay: 1, mask: { w: true, b: false } }),
      addDecayedWeights({ weightDecay: 1, mask: { w: false, b: true } }),
    );
    const ones = { w: np.ones([1]), b: np.ones([1]) };
    const [both] = twice.update(tree.ref(ones), twice.init(tree.ref(ones)), ones);
    expect(read(both)).toEqual([2, 2]);
  });
});

describe("among others", () => {
  /** As a user would write one: u = -g, counting. */
  const flip: GradientTransformation<np.Array> = {
    init: (params) => {
      tree.dispose(params as never);
      return np.array(0);
    },
    update: (updates, state, params) => {
      tree.dispose(params as never);
      return [tree.map((g: np.Array) => g.neg(), updates as never) as never, state.add(1)];
    },
  };

  test("a transformation of somebody else's stands in a chain", () => {
    const tx = chain(scale(2), flip, adamw(0.1, { weightDecay: 0 }));
    const params = make();
    let state = tx.init(tree.ref(params));
    let updates: Params;
    [updates, state] = tx.update(make(), state, tree.ref(params));
    expect(read(updates).every((u) => Math.abs(Math.abs(u) - 0.1) < 1e-4)).toBe(true);
    expect(read(applyUpdates(params, updates)).length).toBe(8);
    const grads = make();
    const kept = make();
    expect(() => tx.update(grads, state, { w: kept.b, b: kept.w })).toThrow(
      downhill.ParameterError,
    );
    expect(counts(kept)).toEqual([1, 1]);
    expect((state as [unknown, np.Array])[1].refCount).toBe(1);
    tree.dispose([grads, kept]);
  });

  test("a refusal in the middle of a chain leaves no array behind", () => {
    const made: np.Array[] = [];
    const spy: GradientTransformation = {
      init: () => [],
      update: (updates, state, params) => {
        tree.dispose(params as never);
        const out = tree.map((g: np.Array) => g.neg(), updates as never) as never;
        made.push(...(tree.leaves(out) as np.Array[]));
        return [out, state];
      },
    };
    const tx = chain(spy, adamw(0.1));
    const params = make();
    const state = tx.init(tree.ref(params));
    expect(complaint(() => tx.update(make(), state))).toContain(
      "which this transformation requires",
    );
    expect(made.map(({ refCount }) => refCount)).toEqual([0, 0]);
    tree.dispose(params);
  });

  test("updateAsync does what update does", async () => {
    const tx = adamw(0.1);
    const [params, grads] = [make(), make()];
    const [a, b] = [tx.init(tree.ref(params)), tx.init(tree.ref(params))];
    const [updates] = tx.update(tree.ref(grads), a, tree.ref(params));
    const [same, next] = await tx.updateAsync(grads, b, tree.ref(params));
    expect(read(same)).toEqual(read(updates));
    expect([...counts(grads), next.count]).toEqual([0, 0, 1]);
    await expect(tx.updateAsync(params, b, params)).rejects.toThrow(CallError);
  });

  test("losses and arithmetic over trees", () => {
    const t = () => [np.array([3, -4]), { x: np.array([[1, 0]]) }];
    const number = (x: np.Array) => x.js() as number;
    expect(l2Loss(np.array([1, 4]), np.array([0, 2])).js()).toEqual([0.5, 2]);
    expect(squaredError(np.array([1, -4])).js()).toEqual([1, 16]);
    expect([number(treeSum(t())), number(treeMax(t()))]).toEqual([0, 3]);
    expect([number(treeSum([])), number(treeMax({}))]).toEqual([0, -Infinity]);
    expect(number(treeNorm(t()))).toBeCloseTo(Math.sqrt(26), 5);
    expect(number(treeNorm(t(), 2, true))).toBe(26);
    expect([number(treeNorm(t(), 1)), number(treeNorm(t(), "inf", true))]).toEqual([8, 16]);
    expect(() => treeNorm(t(), 3)).toThrow(downhill.OptionError);
    const leaf = (x: unknown) => (x as np.Array).js() as number[];
    expect(leaf(treeOnesLike(np.array([3, 4])))).toEqual([1, 1]);
    expect(leaf(treeUpdateMoment(np.array([2]), np.array([1]), 0.5, 3))).toEqual([4.5]);
    const corrected = jit((m: np.Array, count: np.Array) => treeBiasCorrection(m, 0.9, count));
    expect(leaf(corrected(np.array([0.19]), np.array(2)))[0]).toBeCloseTo(1, 5);
    expect(leaf(treeBiasCorrection(np.array([0.19]), 0.9, 2))[0]).toBeCloseTo(1, 5);
  });
});
