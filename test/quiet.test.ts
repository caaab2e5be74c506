/**
 * A step is quiet: after the first ones it compiles nothing, keeps nothing and leaves next to nothing
 * for the garbage collector, also while hyperparameters change in every step.
 *
 * Memory is looked at in two ways. What a collection cannot free must not grow: less than a byte a
 * step, so not one object. What it can free must stay small: an object or two for the rule's result.
 * The engine itself allocates and frees in between (it optimizes functions and drops code), which is
 * why the median of several tries counts.
 */
import { afterEach, describe, expect, test, vi } from "vitest";
import { WasmBackend } from "../src/backend/wasm/backend.ts";
import type { Optimizer, Parameter } from "../src/index.ts";
import { noisyParameters, ruleCases, setNoisyGrads, type RuleCase } from "./helpers/rules.ts";

const STEPS = 1000;
const TRIES = 9;
const MOST_TRIES = 120;

afterEach(() => {
  vi.restoreAllMocks();
});

function setUp({ create }: RuleCase, way: object = {}): { optimizer: Optimizer; all: Parameter[] } {
  const all = noisyParameters([5, 64, 3]).concat(noisyParameters([7], "float64"));
  all.forEach((p, i) => Object.assign(p, { name: `w${i}` }));
  const optimizer = create([{ params: all.slice(0, 2) }, { params: all.slice(2) }], way);
  setNoisyGrads(all, 0);
  // RAdam becomes another formula in its sixth step.
  for (let step = 0; step < 8; step++) optimizer.step();
  return { optimizer, all };
}

/** Moves every number that is not 0 a little, up and down; none crosses a limit of its domain. */
function wobble(optimizer: Optimizer, step: number): void {
  const factor = step % 2 === 0 ? 0.999 : 1 / 0.999;
  for (const group of optimizer.paramGroups as unknown as Record<string, unknown>[]) {
    for (const [name, value] of Object.entries(group)) {
      if (name === "nsSteps") group[name] = 4 + (step % 2);
      // Adafactor's d begins at its lower limit.
      else if (name === "d") group[name] = (value as number) / factor;
      else if (typeof value === "number") group[name] = value * factor;
      if (name === "betas") group[name] = (value as number[]).map((beta) => beta * factor);
    }
  }
}

describe("compiles nothing after the first steps", () => {
  test.each(ruleCases)("$title", (ruleCase) => {
    const backend = new WasmBackend();
    const Module = vi.spyOn(WebAssembly, "Module");
    const { optimizer, all } = setUp(ruleCase, { backend });
    const { compiled } = backend;
    const modules = Module.mock.calls.length;
    expect(compiled).toBeGreaterThan(0);
    expect(modules).toBeGreaterThanOrEqual(compiled);
    for (let step = 0; step < STEPS; step++) {
      wobble(optimizer, step);
      optimizer.step();
    }
    expect(backend.compiled).toBe(compiled);
    expect(Module).toHaveBeenCalledTimes(modules);
    expect(Number.isFinite(all[0]!.data[0])).toBe(true);
  });

  test("but a number that becomes 0 is another kernel, once", () => {
    const backend = new WasmBackend();
    const { optimizer } = setUp(ruleCases[2]!, { backend });
    const { compiled } = backend;
    const seen = [0, 0.1, 0, 0.1].map((weightDecay) => {
      for (const group of optimizer.paramGroups) Object.assign(group, { weightDecay });
      optimizer.step();
      return backend.compiled - compiled;
    });
    expect(seen).toEqual([4, 4, 4, 4]); // with flush and without, for each type
  });

  test("and optimizers of one rule share their kernels", () => {
    const backend = new WasmBackend();
    setUp(ruleCases[0]!, { backend });
    const { compiled } = backend;
    setUp(ruleCases[0]!, { backend });
    expect(backend.compiled).toBe(compiled);
  });
});

const collect = (): number => {
  globalThis.gc!();
  return process.memoryUsage().heapUsed;
};

function takeSteps(optimizer: Optimizer, count: number): void {
  const [group] = optimizer.paramGroups as unknown as { lr: number }[];
  for (let step = 0; step < count; step++) {
    group!.lr = step % 2 === 0 ? 1e-3 : 2e-3;
    optimizer.step();
  }
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)]!;

/**
 * Bytes per step that a collection leaves behind, and bytes that it finds: the median of the last tries.
 * What is interpreted leaves more, and the engine compiles when it sees fit, and keeps some kilobytes of
 * what it makes of a step; so there are more tries until it is done. What a step keeps or leaves by
 * itself is there in every try.
 *
 * @param enough how little garbage will do.
 * @param mostTries how long it may take until little enough is left.
 */
function memoryPerStep(
  optimizer: Optimizer,
  steps: number,
  enough = Infinity,
  mostTries = MOST_TRIES,
): { kept: number; garbage: number } {
  const [kept, garbage]: [number[], number[]] = [[], []];
  const last = () => ({
    kept: median(kept.slice(-TRIES)),
    garbage: median(garbage.slice(-TRIES)),
  });
  const isDone = () => last().kept < 1 && last().garbage < enough;
  takeSteps(optimizer, steps);
  let before = collect();
  while (kept.length < TRIES || (!isDone() && kept.length < mostTries)) {
    takeSteps(optimizer, steps);
    const after = process.memoryUsage().heapUsed;
    garbage.push((after - before) / steps);
    const now = collect();
    kept.push((now - before) / steps);
    before = now;
  }
  return last();
}

describe("memory", () => {
  test.each(ruleCases)("$title", ({ create, name, rule }) => {
    const all = noisyParameters([5, 64, 3]);
    const calls = rule.matrices ? all.length : 1; // of the rule: one for each shape
    const optimizer = create(all);
    setNoisyGrads(all, 0);
    // Collections make the engine forget and compile again what works on short-lived objects such as
    // conditions: some kilobytes, whatever the number of steps.
    const many = ["Normed", "Balanced", "Rprop"].includes(name) ? 20 * STEPS : STEPS;
    // What a rule computes on the host lives in heap numbers of 12 to 16 bytes, and what it returns in
    // one object: 60 to 250 bytes in all, twice that right after a collection on newer engines.
    const little = 512 * calls;
    const { kept, garbage } = memoryPerStep(optimizer, many, little);
    expect(kept).toBeLessThan(1);
    expect(garbage).toBeGreaterThan(0);
    expect(garbage).toBeLessThan(little);
  });

  test("a step that keeps something would be noticed", () => {
    const all = noisyParameters([5]);
    const optimizer = ruleCases[0]!.create(all);
    const kept: unknown[] = [];
    const step = optimizer.step.bind(optimizer) as () => void;
    optimizer.step = (() => {
      kept.push({ step: kept.length });
      step();
    }) as typeof optimizer.step;
    setNoisyGrads(all, 0);
    const tries = MOST_TRIES / 3;
    expect(memoryPerStep(optimizer, STEPS, Infinity, tries).kept).toBeGreaterThan(10);
    expect(kept).toHaveLength(STEPS * (tries + 1));
  });
});
