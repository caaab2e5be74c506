/**
 * Optimizers in someone else's memory, where values and gradients lie anywhere and move between steps: the
 * bits are those of Downhill's own arenas, gradients are never written, and memory goes back to its owner.
 */
import { afterAll, describe, expect, test } from "vitest";
import { Pool } from "../src/backend/threads/pool.ts";
import { WasmBackend } from "../src/backend/wasm/backend.ts";
import {
  AveragedModel,
  clipGradNorm,
  clipGradValue,
  getTotalNorm,
  type Optimizer,
  type Parameter,
} from "../src/index.ts";
import { arenaOn, foreignParameters, type ForeignParameter } from "../src/memory/foreign.ts";
import { ForeignOptimizer } from "../src/optim/foreign.ts";
import { backends, ways } from "./helpers/backends.ts";
import { bits, imprint } from "./helpers/bits.ts";
import { TestHeap } from "./helpers/heap.ts";
import { refusals } from "./helpers/refusals.ts";
import { noisyParameters, ruleCases, setNoisyGrads, type RuleCase } from "./helpers/rules.ts";
import { untilReady } from "./helpers/threads.ts";

const STEPS = 7;
const adam = ruleCases.find(({ name }) => name === "Adam")!;

/** Parameters on a heap beside others in an arena of ours: the same numbers in both. */
class Twins {
  readonly heap: TestHeap;
  readonly own: readonly Parameter[];
  readonly foreign: readonly ForeignParameter[];
  private readonly places: number[];

  constructor(heap: TestHeap, sizes: readonly (number | readonly number[])[]) {
    this.heap = heap;
    this.own = noisyParameters(sizes);
    this.places = this.own.map(({ data }) => heap.floats(data as Float32Array));
    const specs = this.own.map(({ name, shape }) => ({ name: name!, shape }));
    this.foreign = foreignParameters(arenaOn(heap), specs);
  }

  optimizers(
    { create, rule, options }: RuleCase,
    more: object = {},
    foreignMore: object = more,
  ): readonly [own: Optimizer, foreign: ForeignOptimizer] {
    const groups = <P>(all: readonly P[]) => [
      { params: all.slice(0, 2) },
      { params: all.slice(2), lr: 0.02 },
    ];
    return [
      create(groups(this.own), more),
      new ForeignOptimizer(
        rule,
        groups(this.foreign) as never,
        { ...options, ...foreignMore } as never,
      ),
    ];
  }

  /** New gradients for `act`, which must leave them alone, after every third parameter has moved. */
  withGradients(step: number, act: () => void): void {
    const { heap, own, foreign, places } = this;
    setNoisyGrads(own, step);
    own[4]!.grad = own[3]!.grad; // one and the same tensor
    const grads = own.map(({ grad }, i) => (i === 4 ? -1 : heap.floats(grad as Float32Array)));
    grads[4] = grads[3]!;
    own.forEach(({ data }, i) => {
      if ((i + step) % 3 !== 0) return;
      const to = heap.allocate(4 * data.length);
      heap.view(to, data.length).set(heap.view(places[i]!, data.length));
      heap.free(places[i]!);
      places[i] = to;
    });
    foreign.forEach((p, i) => p.place(places[i]!, grads[i]!));
    for (const i of [1, 5]) if (step === i % 3) own[i]!.grad = foreign[i]!.grad = null;
    const before = this.own.map(({ size }, i) => bits(heap.view(grads[i]!, size)));
    act();
    const after = this.own.map(({ size }, i) => bits(heap.view(grads[i]!, size)));
    if (after.some((each, i) => each !== before[i])) throw new Error("a gradient was written");
    for (const at of new Set(grads)) heap.free(at);
  }

  /** Data and state on the heap; nothing must have been written there where memory is free. */
  seen(foreign: ForeignOptimizer): Record<string, unknown> {
    this.heap.check();
    return seenOf(foreign, this.foreign);
  }

  /** The same in our own arena. */
  expected(own: Optimizer): Record<string, unknown> {
    return seenOf(own, this.own);
  }
}

function seenOf(optimizer: Optimizer, all: readonly Parameter[]): Record<string, unknown> {
  for (const p of all) p.grad = null;
  return imprint(optimizer, all);
}

const shapes = [5, 64, [3, 4, 5], [7, 3], [7, 3], 1, 0, 130] as const;
const matrices = [
  [5, 3],
  [8, 8],
  [4, 5],
  [7, 3],
  [7, 3],
  [1, 9],
  [0, 2],
  [16, 6],
] as const;
const shapesFor = ({ rule }: RuleCase) => (rule.matrices ? matrices : shapes);

// Tensors side by side run as one in ours; in those of others each runs by itself in any case.
describe.each(ways.filter(({ options }) => options.foreach))("$name", ({ options }) => {
  test.each(ruleCases)("$title", (ruleCase) => {
    const twins = new Twins(new TestHeap(), shapesFor(ruleCase));
    const both = twins.optimizers(ruleCase, options);
    for (let step = 0; step < STEPS; step++) {
      twins.withGradients(step, () => both.forEach((each) => each.step()));
    }
    expect(twins.seen(both[1])).toEqual(twins.expected(both[0]));
  });
});

describe.each(["nearest", "stochastic"])("state in bfloat16, %s", (stateRounding) => {
  test.each(ruleCases)("$title", (ruleCase) => {
    const twins = new Twins(new TestHeap(), shapesFor(ruleCase));
    const both = twins.optimizers(ruleCase, { stateDtype: "bfloat16", stateRounding });
    for (let step = 0; step < STEPS; step++) {
      twins.withGradients(step, () => both.forEach((each) => each.step()));
    }
    expect(twins.seen(both[1])).toEqual(twins.expected(both[0]));
  });
});

test.each(ruleCases)("an average in the step, $title", (ruleCase) => {
  const twins = new Twins(new TestHeap(), shapesFor(ruleCase));
  const averages = [new AveragedModel(twins.own), new AveragedModel(twins.foreign)] as const;
  const both = twins.optimizers(ruleCase, { average: averages[0] }, { average: averages[1] });
  for (let step = 0; step < STEPS; step++) {
    twins.withGradients(step, () => both.forEach((each) => each.step()));
  }
  expect(twins.seen(both[1])).toEqual(twins.expected(both[0]));
});

describe("what gradients are like as a whole", () => {
  // Blocks of 65,536 elements end in the middle of tensors, at the end of one, and in a gap.
  const sizes = [40_000, 25_536, 70_001, 20, 20, 65_535, 1, 131_072, 9];

  describe.each(Object.entries(backends))("%s", (_, backend) => {
    test.each([1, 2, 3, 0, Infinity])("the norm of order %d", (normType) => {
      const twins = new Twins(new TestHeap(), sizes);
      const both = twins.optimizers(adam, { backend });
      for (let step = 0; step < 3; step++) {
        twins.withGradients(step, () => {
          const norms = both.map((each) => getTotalNorm(each, { normType }));
          expect(norms[0]).toBeGreaterThan(0.9);
          expect(norms[1]).toBe(norms[0]);
          both.forEach((each) => clipGradValue(each, 0.5));
          const clipped = both.map((each) => clipGradNorm(each, 0.1, { normType }));
          expect(clipped[1]).toBe(clipped[0]);
          both.forEach((each) => each.step({ gradScale: 0.5 }));
        });
      }
      expect(twins.seen(both[1])).toEqual(twins.expected(both[0]));
    });
  });

  test("a step with gradients that are not finite is left out", () => {
    const twins = new Twins(new TestHeap(), shapes);
    const both = twins.optimizers(adam, { nonFinite: "skip" });
    twins.withGradients(0, () => both.forEach((each) => each.step()));
    const before = twins.seen(both[1]);
    twins.withGradients(2, () => {
      const [at, length] = [twins.foreign[3]!.gradAt, twins.foreign[3]!.size];
      const old = twins.heap.view(at, length).slice();
      twins.heap.view(at, length)[2] = Infinity;
      both[1].step();
      twins.heap.view(at, length).set(old);
    });
    expect(both[1].skippedSteps).toBe(1);
    expect(twins.seen(both[1])).toEqual(before);
  });
});

describe("threads", () => {
  // One pool for all rules; it would end its workers when a memory that they know is collected.
  const pool = new Pool({ worthWaking: 0 });
  const kept: Twins[] = [];
  afterAll(() => pool.end());

  const large = [40_001, 70_003, 5, [300, 300], [300, 300], 66_000, [3, 43_691], 9];
  const wide = [
    [200, 300],
    [513, 7],
    [40, 40],
    [99, 300],
    [99, 300],
    [2, 1000],
    [9, 9],
    [31, 8],
  ];

  const first = ruleCases.filter(
    ({ name }, i) => ruleCases.findIndex((other) => other.name === name) === i,
  );
  test.each(first)("share in a memory that lets them, $title", async (ruleCase) => {
    const { jobs } = pool;
    const heap = new TestHeap({ shared: true });
    const twins = new Twins(heap, ruleCase.rule.matrices ? wide : large);
    kept.push(twins);
    const backend = new WasmBackend(true, pool);
    const both = twins.optimizers(ruleCase, { threads: 1 }, { threads: 3, backend });
    for (let step = 0; step < 5; step++) {
      twins.withGradients(step, () => both.forEach((each) => each.step()));
      await untilReady(pool, 2);
    }
    expect(pool.jobs).toBeGreaterThan(jobs);
    expect(twins.seen(both[1])).toEqual(twins.expected(both[0]));
  });
});

describe("memory", () => {
  test("may grow between steps, which leaves all views of it empty", () => {
    const twins = new Twins(new TestHeap(), shapes);
    const both = twins.optimizers(adam, {});
    for (let step = 0; step < STEPS; step++) {
      const { buffer } = twins.heap.memory;
      twins.heap.memory.grow(1);
      expect(buffer.byteLength).toBe(0);
      twins.withGradients(step, () => both.forEach((each) => each.step()));
    }
    expect(twins.seen(both[1])).toEqual(twins.expected(both[0]));
  });

  test.each(ruleCases)("all of it goes back to the heap, $title", (ruleCase) => {
    const heap = new TestHeap();
    const twins = new Twins(heap, shapesFor(ruleCase));
    const before = heap.bytes;
    const [own, foreign] = twins.optimizers(ruleCase, {});
    let high = 0;
    for (let round = 0; round < 100; round++) {
      twins.withGradients(0, () => {
        clipGradNorm(foreign, 1);
        foreign.step();
      });
      expect(heap.bytes).toBeGreaterThan(before);
      foreign.dispose();
      expect(heap.bytes).toBe(before);
      expect(foreign.stateDict().state).toEqual(own.stateDict().state);
      heap.check();
      high ||= heap.high;
    }
    expect(heap.high).toBe(high);
  });

  test("goes back when an optimizer is forgotten", async () => {
    const heap = new TestHeap();
    const twins = new Twins(heap, shapes);
    const before = heap.bytes;
    (() => {
      const [, foreign] = twins.optimizers(adam, {});
      twins.withGradients(0, () => foreign.step());
    })();
    expect(heap.bytes).toBeGreaterThan(before);
    await expect
      .poll(() => {
        globalThis.gc!();
        return heap.bytes;
      })
      .toBe(before);
  });

  test("an optimizer that was disposed of begins anew", () => {
    const twins = new Twins(new TestHeap(), shapes);
    const both = twins.optimizers(adam, {});
    const fresh = twins.optimizers(adam, {});
    twins.withGradients(0, () => both[1].step());
    both[1].dispose();
    twins.own.forEach((p, i) => p.data.set(twins.foreign[i]!.data as never));
    twins.withGradients(1, () => {
      both[1].step();
      fresh[0].step();
    });
    expect(twins.seen(both[1])).toEqual(twins.expected(fresh[0]));
  });
});

test("state goes from one kind to the other", () => {
  const twins = new Twins(new TestHeap(), shapes);
  const both = twins.optimizers(adam, {});
  twins.withGradients(0, () => both.forEach((each) => each.step()));
  const next = twins.optimizers(adam, {});
  next[0].loadStateDict(both[1].stateDict());
  next[1].loadStateDict(both[0].stateDict());
  twins.withGradients(1, () => next.forEach((each) => each.step()));
  expect(twins.seen(next[1])).toEqual(twins.expected(next[0]));
});

test("what cannot be done is refused before anything has changed", () => {
  const heap = new TestHeap({ most: 2 });
  const twins = new Twins(heap, [5, 64, 12_000, 7, 7]);
  const [, foreign] = twins.optimizers(adam, {});
  const [a] = twins.foreign;
  const gradient = heap.allocate(4 * 12_000);
  twins.foreign.forEach((p) => p.place(gradient, gradient));
  const before = bits(heap.view(gradient, 12_000));
  const acts: Record<string, () => unknown> = {
    "no room for state": () => foreign.step(),
    "between floats": () => a!.place(gradient + 2, gradient),
    "behind the memory": () => a!.place(gradient, 2 * 65_536 - 16),
    "no address": () => a!.place(undefined as never, gradient),
    "writing a gradient": () => (a!.grad = new Float32Array(5)),
    "adding to one": () => a!.addGrad(new Float32Array(5)),
    "asking for its memory": () => a!.ensureGrad(),
    "rows of one": () => (a!.sparseGrad = { indices: [0], values: [1] }),
    "zeros in the step": () => foreign.step({ zeroGrad: true }),
    "zeros after it": () => foreign.zeroGrad({ setToNull: false }),
  };
  expect(refusals(acts)).toMatchInlineSnapshot(`
    {
      "adding to one": "GradientError READ_ONLY: parameter "w0": got a gradient to be written, expected gradients to be left alone, as their memory belongs to someone else.",
      "asking for its memory": "GradientError READ_ONLY: parameter "w0": got a gradient to be written, expected gradients to be left alone, as their memory belongs to someone else.",
      "behind the memory": "ParameterError BAD_ADDRESS: parameter "w0": got 131056, expected an address on its heap: a multiple of 4 from 0 to 131052.",
      "between floats": "ParameterError BAD_ADDRESS: parameter "w0": got 48426, expected an address on its heap: a multiple of 4 from 0 to 131052.",
      "no address": "ParameterError BAD_ADDRESS: parameter "w0": got undefined, expected an address on its heap: a multiple of 4 from 0 to 131052.",
      "no room for state": "BackendError OUT_OF_MEMORY: state of the optimizer: got no room for 47.3 KiB on the heap that its parameters are on, expected a heap with room for the state beside them. Dispose of tensors and optimizers that are not needed, or take one with less state.",
      "rows of one": "GradientError READ_ONLY: parameter "w0": got a gradient to be written, expected gradients to be left alone, as their memory belongs to someone else.",
      "writing a gradient": "GradientError READ_ONLY: parameter "w0": got a gradient to be written, expected gradients to be left alone, as their memory belongs to someone else.",
      "zeros after it": "OptionError READ_ONLY: Adam: zeroGrad: got gradients that are to become zero, expected gradients to be left alone, as their memory belongs to someone else.",
      "zeros in the step": "OptionError READ_ONLY: Adam: step: got gradients that are to become zero, expected gradients to be left alone, as their memory belongs to someone else.",
    }
  `);
  expect(bits(heap.view(gradient, 12_000))).toBe(before);
  expect(foreign.stateDict().state).toEqual({});
});
