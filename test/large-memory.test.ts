/**
 * More parameters than one memory holds go into several, with the bits of one. Here memories hold some
 * kilobytes instead of 4 GiB.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { Pool } from "../src/backend/threads/pool.ts";
import { WasmBackend } from "../src/backend/wasm/backend.ts";
import { Adam, BackendError, foreach, type Optimizer, type Parameter } from "../src/index.ts";
import { limits } from "../src/memory/arena.ts";
import { arenasOf, PAGE, parametersOf, stepNoisily, train } from "./helpers/arenas.ts";
import { ways } from "./helpers/backends.ts";
import { bits, imprint } from "./helpers/bits.ts";
import { noisyParameters, ruleCases, setNoisyGrads } from "./helpers/rules.ts";
import { untilReady } from "./helpers/threads.ts";

const usual = { ...limits };

afterEach(() => {
  Object.assign(limits, usual);
  vi.restoreAllMocks();
});

describe("several memories give the bits of one", () => {
  const sizes = [1600, 5, 1500, 64, 1600, 1, 1400, 333, 7, 1600, 1300, 400, 1600, 1500, 1600, 1600];

  describe.each(ruleCases)("$title", (ruleCase) => {
    const together = parametersOf(sizes);
    let expected: object;
    beforeAll(() => {
      expected = imprint(train(ruleCase, together), together);
    });

    test("one for each type", () => {
      expect(arenasOf(together)).toHaveLength(2);
    });

    test.each(ways)("$name", ({ options }) => {
      // Matrices are turned over sixteen at a time: 14 pages for the largest of these in float64.
      limits.narrow = (ruleCase.rule.matrices ? 18 : 4) * PAGE;
      const apart = parametersOf(sizes);
      const optimizer = train(ruleCase, apart, options);
      expect(imprint(optimizer, apart)).toEqual(expected);
      const arenas = arenasOf(apart);
      expect(arenas.length).toBeGreaterThan(3);
      expect(arenas.every(({ wide }) => !wide)).toBe(true);
      for (const { buffer } of arenas) expect(buffer.byteLength).toBeLessThanOrEqual(limits.narrow);
    });
  });

  describe("on 1 and 3 threads", () => {
    // One pool for all rules; it would end its workers when a memory that they know is collected.
    const pool = new Pool({ worthWaking: 0 });
    const kept: Optimizer[] = [];
    afterAll(() => pool.end());

    test.each(ruleCases)("$title", async (ruleCase) => {
      const large = [40_001, 70_003, 5, 66_000, [3, 43_691]];
      const together = noisyParameters(large);
      const expected = imprint(train(ruleCase, together, { threads: 1 }), together);

      limits.narrow = (ruleCase.rule.matrices ? 110 : 60) * PAGE;
      for (const threads of [1, 3]) {
        const { jobs } = pool;
        const apart = noisyParameters(large);
        const optimizer = ruleCase.create([{ params: apart.slice(0, 3) }], {
          backend: new WasmBackend(true, pool),
          threads,
        });
        if (threads > 1) kept.push(optimizer);
        optimizer.addParamGroup({ params: apart.slice(3), lr: 0.02 });
        expect(arenasOf(apart).length).toBeGreaterThan(1);
        for (let step = 0; step < 5; step++) {
          stepNoisily(optimizer, apart, step);
          await untilReady(pool, threads - 1);
        }
        expect(pool.jobs > jobs).toBe(threads > 1);
        expect(imprint(optimizer, apart)).toEqual(expected);
      }
    });
  });

  test("and the same state dicts, which go from one kind to the other", () => {
    const adam = ruleCases.find(({ title }) => title.includes("amsgrad"))!;
    const together = parametersOf(sizes);
    const one = train(adam, together, {});
    limits.narrow = 4 * PAGE;
    const apart = parametersOf(sizes);
    const several = train(adam, apart, {});
    expect(several.stateDict()).toEqual(one.stateDict());

    const fresh = parametersOf(sizes);
    const loaded = train(adam, fresh, {}, 0);
    loaded.loadStateDict(one.stateDict());
    fresh.forEach((p, i) => (p.data = together[i]!.data));
    for (const all of [together, fresh]) setNoisyGrads(all, 7);
    one.step();
    loaded.step();
    expect(arenasOf(fresh).length).toBeGreaterThan(3);
    expect(imprint(loaded, fresh)).toEqual(imprint(one, together));
  });

  test("and list operations work across them", () => {
    const run = (): unknown[] => {
      const all = noisyParameters(sizes);
      new Adam(all);
      setNoisyGrads(all, 0);
      const grads = all.map((p) => p.grad!);
      foreach.mul(grads, -0.1);
      foreach.addcmul(all, grads, all, 2);
      return [arenasOf(all).length, all.map((p) => bits(p.data)), foreach.norm(all)];
    };
    const [one, ...expected] = run();
    limits.narrow = 4 * PAGE;
    const [several, ...seen] = run();
    expect([one, Number(several) > 1]).toEqual([1, true]);
    expect(seen).toEqual(expected);
  });
});

test("where one of several memories cannot be had, nothing has moved", () => {
  limits.narrow = 4 * PAGE;
  const { Memory } = WebAssembly;
  const spy = vi.spyOn(WebAssembly, "Memory").mockImplementation(function (descriptor) {
    if (spy.mock.calls.length > 2) throw new RangeError("no memory");
    return new Memory(descriptor);
  });
  const all = noisyParameters([5000, 5000, 5000]);
  const views = all.map(({ data }) => data);
  expect(() => new Adam(all)).toThrow(BackendError);
  expect(views.map(({ length }) => length)).toEqual([5000, 5000, 5000]);
  expect(all.every(({ home }) => home === null)).toBe(true);
});

describe("where parameters go", () => {
  /** The sizes of the tensors in each memory. */
  const places = (all: readonly Parameter[]): string[] =>
    arenasOf(all).map((arena) => {
      const inside = all.filter(({ home }) => home!.arena === arena);
      return inside.map(({ size }) => size).join(" ");
    });

  test("side by side into one memory for each type, as large as all regions", () => {
    const all = parametersOf([50_000, 3, 1000]);
    new Adam(all);
    expect(places(all)).toEqual(["50000 3 1000", "50000 3 1000"]);
    const [single, double] = arenasOf(all).map(({ buffer }) => buffer.byteLength / PAGE);
    expect([single, double]).toEqual([17, 33]); // 5 regions, and a page for kernels
  });

  test("in order, as many as fit; small ones go on where a large one did not fit", () => {
    limits.narrow = 4 * PAGE;
    const all = noisyParameters([5000, 5000, 3000, 11_000, 500, 5000]);
    new Adam(all);
    // There is room for 8,700 elements with all the state that Adam may have, for 11,200 with that in use.
    expect(places(all)).toEqual(["5000", "5000 3000 500", "11000", "5000"]);
  });
});
