// Trees of any shape: what jax-js's own `tree` makes of them is what names, parameters and states go by.

import fc from "fast-check";
import { init, numpy as np, tree } from "@jax-js/jax";
import { beforeAll, describe, expect, test } from "vitest";
import { applyUpdates, sgd, trainable } from "../../src/adapters/jax.ts";
import {
  arrayLeaves,
  fill,
  leavesOf,
  nameOf,
  type ArrayTree,
} from "../../src/adapters/jax/tree.ts";
import { complaint } from "./line.ts";

/** The nesting of a tree: a number stands for an array with that many dimensions. */
type Plan = number | null | Plan[] | { [key: string]: Plan };

const key = fc.oneof(
  fc.constantFrom("w", "a.b", "a", "b", "", '"', "0", "10", "2", "toString"),
  fc.string({ maxLength: 4 }).filter((text) => text !== "__proto__" && text !== "constructor"),
);
const plans = fc.letrec<{ plan: Plan }>((tie) => ({
  plan: fc.oneof(
    { maxDepth: 3 },
    fc.integer({ min: 0, max: 2 }),
    fc.constant(null),
    fc.array(tie("plan"), { maxLength: 4 }),
    fc.dictionary(key, tie("plan"), { maxKeys: 4, noNullPrototype: true }),
  ),
})).plan;

/** The tree with arrays whose numbers are all different. */
function grow(plan: Plan, next = { value: 0 }): ArrayTree {
  if (plan === null) return null;
  if (typeof plan === "number") {
    const size = 2 ** plan;
    const values = Float32Array.from({ length: size }, () => next.value++);
    return np.array(values, { shape: Array.from({ length: plan }, () => 2) });
  }
  if (Array.isArray(plan)) return plan.map((child) => grow(child, next));
  const children = Object.entries(plan).map(([name, child]) => [name, grow(child, next)]);
  return Object.fromEntries(children) as { [name: string]: ArrayTree };
}

const isArray = (value: unknown): value is np.Array => value instanceof np.Array;
const arraysOf = (value: ArrayTree): np.Array[] =>
  (tree.leaves(value as never) as unknown[]).filter(isArray);
const read = (value: ArrayTree) => arraysOf(value).map((x) => [x.shape, x.ref.js()]);
const dispose = (value: ArrayTree) => arraysOf(value).forEach((x) => x.dispose());

beforeAll(async () => {
  await init("wasm");
});

describe("trees of any shape", () => {
  test("have jax-js's own leaves, in its order, each with a name of its own", () => {
    fc.assert(
      fc.property(plans, (plan) => {
        const grown = grow(plan);
        const leaves = leavesOf(grown);
        const theirs = tree.leaves(grown as never) as unknown[];
        expect(leaves.length).toBe(theirs.length);
        expect(leaves.every(({ value }, i) => value === theirs[i])).toBe(true);
        const names = leaves.map(({ path }) => nameOf(path));
        expect(new Set(names).size).toBe(names.length);
        const [, structure] = tree.flatten(grown as never);
        const copy = fill(grown, arraysOf(grown).values());
        expect(tree.structure(copy as never).equals(structure)).toBe(true);
        dispose(grown);
      }),
    );
  });

  test("go through trainable and back with names, order, shapes and values", () => {
    fc.assert(
      fc.property(plans, (plan) => {
        const grown = grow(plan);
        const [values, names] = [read(grown), leavesOf(grown)];
        if (values.length === 0) {
          expect(complaint(() => trainable(grown))).toContain("expected at least one jax array");
          return;
        }
        const [, structure] = tree.flatten(grown as never);
        const model = trainable(grown);
        const alive = names.filter(({ value }) => value !== null);
        expect(model.parameters.map(({ name }) => name)).toEqual(
          alive.map(({ path }) => nameOf(path)),
        );
        const arrays = model.arrays();
        expect(tree.structure(arrays as never).equals(structure)).toBe(true);
        expect(read(arrays)).toEqual(values);
        dispose(arrays);
      }),
    );
  });

  test("go through init, update and applyUpdates", () => {
    fc.assert(
      fc.property(plans, (plan) => {
        const params = grow(plan);
        const before = read(params);
        const tx = sgd(1);
        const keep = (t: ArrayTree) =>
          fill(
            t,
            arraysOf(t)
              .map((x) => x.ref)
              .values(),
          ) as ArrayTree;
        const [updates, state] = tx.update(grow(plan), tx.init(keep(params)), keep(params));
        const [, structure] = tree.flatten(params as never);
        const after = applyUpdates(params, updates);
        expect(tree.structure(after as never).equals(structure)).toBe(true);
        // The gradient of each element is the element itself, so that a step of 1 leaves nothing.
        expect(read(after).map(([shape]) => shape)).toEqual(before.map(([shape]) => shape));
        const isZero = (x: np.Array) => [...x.ref.dataSync()].every((value) => value === 0);
        expect(arraysOf(after).every(isZero)).toBe(true);
        dispose(after);
        state.dispose();
      }),
      { numRuns: 30 },
    );
  });

  test("in the loss null stays null, and empty containers stay", () => {
    const model = trainable({ w: np.array([1, 2]), none: null, rest: [[], {}, null] as const });
    const seen: unknown[] = [];
    const backward = model.backward(({ w, none, rest }) => {
      seen.push(none, rest);
      return w.sum();
    });
    expect(backward()).toBe(3);
    expect(seen).toEqual([null, [[], {}, null]]);
    expect(model.tree.none).toBeNull();
    expect(model.parameters.length).toBe(1);
    backward.dispose();
  });

  test("what jax-js takes for a leaf is refused by name", () => {
    class Layer {
      readonly w = np.array([1]);
    }
    const trees = [
      { a: new Layer() },
      { a: new Map() },
      [undefined],
      { a: Object.create(null) },
      { a: { constructor: np.array([1]) } },
    ];
    expect(trees.map((given) => complaint(() => arrayLeaves(given as never))))
      .toMatchInlineSnapshot(`
      [
        "ParameterError: parameter "a": got a Layer, expected a jax array. Make it one with np.array(values), of the same copy of @jax-js/jax.",
        "ParameterError: parameter "a": got a Map, expected a jax array. Make it one with np.array(values), of the same copy of @jax-js/jax.",
        "ParameterError: parameter "0": got undefined, expected a jax array. Make it one with np.array(values), of the same copy of @jax-js/jax.",
        "ParameterError: parameter "a": got an object {}, expected a jax array. Make it one with np.array(values), of the same copy of @jax-js/jax.",
        "ParameterError: parameter "a": got an object {constructor}, expected a jax array. Make it one with np.array(values), of the same copy of @jax-js/jax.",
      ]
    `);
  });
});
