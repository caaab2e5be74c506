// Optax-shaped transformations: the numbers are those that optax itself computes (test/golden/optax.json,
// recorded by scripts/optax_golden.py), and ownership is that of @jax-js/optax.

import { readFileSync } from "node:fs";
import { init, tree, type numpy as np } from "@jax-js/jax";
import { beforeAll, describe, expect, test } from "vitest";
import * as optax from "../../src/adapters/jax.ts";
import {
  adam,
  adamw,
  applyUpdates,
  chain,
  clipByGlobalNorm,
  sgd,
  type Transformation,
} from "../../src/adapters/jax.ts";
import { toJax } from "../../src/adapters/jax/loan.ts";
import { distance } from "./line.ts";

interface Point {
  readonly g: readonly number[];
  readonly u: readonly number[];
  readonly p: readonly number[];
}
const golden = JSON.parse(
  readFileSync(new URL("../golden/optax.json", import.meta.url), "utf8"),
) as { readonly cases: Readonly<Record<string, readonly Point[]>> };

const schedule = (count: number) => 0.1 / (1 + 0.5 * count);

const cases: Readonly<Record<string, () => Transformation>> = {
  sgd: () => sgd(0.1),
  "sgd momentum": () => sgd(0.1, { momentum: 0.9 }),
  "sgd nesterov": () => sgd(0.1, { momentum: 0.9, nesterov: true }),
  "sgd schedule": () => sgd(schedule),
  adam: () => adam(0.1),
  "adam options": () => adam(0.05, { b1: 0.8, b2: 0.95, eps: 1e-3, epsRoot: 1e-4 }),
  "adam schedule": () => adam(schedule),
  adamw: () => adamw(0.1),
  "adamw options": () => adamw(0.1, { b1: 0.8, weightDecay: 0.3 }),
  "adamw nesterov": () => adamw(0.1, { nesterov: true, weightDecay: 0.05 }),
  "adamw mask": () => adamw(0.1, { weightDecay: 0.3, mask: { w: true, b: false } }),
  "adamw decay schedule": () => adamw(0.1, { weightDecay: (count) => 0.1 * (count + 1) }),
  nadam: () => optax.nadam(0.1),
  nadamw: () => optax.nadamw(0.1, { weightDecay: 0.2 }),
  adamax: () => optax.adamax(0.1, { eps: 1e-3 }),
  rmsprop: () => optax.rmsprop(0.1),
  "rmsprop options": () =>
    optax.rmsprop(0.1, {
      decay: 0.7,
      eps: 1e-3,
      initialScale: 0.5,
      epsInSqrt: false,
      momentum: 0.9,
      nesterov: true,
    }),
  adagrad: () => optax.adagrad(0.1),
  "adagrad zero": () => optax.adagrad(0.1, { initialAccumulatorValue: 0, eps: 1e-5 }),
  lion: () => optax.lion(0.1),
  clip: () => chain(clipByGlobalNorm(0.7), adamw(0.1)),
  "clip after": () => chain(adam(0.1), clipByGlobalNorm(0.05), optax.scale(0.5)),
  "clip elements": () => chain(optax.clip(0.3), sgd(0.1)),
  parts: () =>
    chain(
      optax.trace({ decay: 0.8 }),
      optax.addDecayedWeights({ weightDecay: 0.1 }),
      optax.trace({ decay: 0.5, nesterov: true }),
      optax.scaleBySchedule((count) => -0.1 * 0.9 ** count),
    ),
  "set to zero": () => chain(adam(0.1), optax.setToZero()),
};

type Params = { readonly w: np.Array; readonly b: np.Array };
const start = [0.5, -1, 2, 0.1, 0, -0.3, 1, -2];

/** A tree of the golden files' shapes. */
const treeOf = (values: readonly number[], type: typeof Float32Array | typeof Float64Array) => ({
  w: toJax(type.from(values.slice(0, 6)), [2, 3]),
  b: toJax(type.from(values.slice(6)), [2]),
});
const read = ({ w, b }: Params) => [...w.ref.dataSync(), ...b.ref.dataSync()];

beforeAll(async () => {
  await init("wasm");
});

describe("numbers are optax's", () => {
  test("every case is tried", () => {
    expect(Object.keys(cases)).toEqual(Object.keys(golden.cases));
  });

  test.each(Object.keys(cases))("%s", (name) => {
    for (const [type, bound] of [
      [Float64Array, 1e-12],
      [Float32Array, 3e-6],
    ] as const) {
      const tx = cases[name]!();
      let params = treeOf(start, type);
      let state = tx.init(tree.ref(params));
      for (const { g, u, p } of golden.cases[name]!) {
        let updates: Params;
        [updates, state] = tx.update(treeOf(g, type), state, tree.ref(params));
        expect(distance(read(updates), u)).toBeLessThan(bound);
        params = applyUpdates(params, updates);
        expect(distance(read(params), p)).toBeLessThan(bound);
      }
      expect(state.count).toBe(8);
      tree.dispose(params);
    }
  });
});
