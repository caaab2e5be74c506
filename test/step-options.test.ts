/** What a step does in the same pass: scaled gradients, and gradients set to zero. */
import { describe, expect, test } from "vitest";
import { Adam, parameter, SGD, type StepOptions } from "../src/index.ts";
import { ways } from "./helpers/backends.ts";
import { bits } from "./helpers/bits.ts";
import { noisyParameters, ruleCases, setNoisyGrads } from "./helpers/rules.ts";

const SIZES = [5, 64, 3];
const SCALE = 0.37;

describe.each(ways)("$name", ({ options }) => {
  test.each(ruleCases)("$title", ({ create }) => {
    const [merged, apart] = [noisyParameters(SIZES), noisyParameters(SIZES)];
    const [one, other] = [create(merged, options), create(apart, options)];
    for (let step = 0; step < 9; step++) {
      setNoisyGrads(merged, step);
      setNoisyGrads(apart, step);
      const before = merged.map((p) => bits(p.grad!));
      one.step({ gradScale: SCALE });
      expect(merged.map((p) => bits(p.grad!))).toEqual(before);
      for (const p of apart) p.grad = p.grad!.map((g) => g * Math.fround(SCALE));
      other.step();
      one.step({ zeroGrad: true, gradScale: 1 });
      expect(merged.every((p) => p.grad!.every((g) => Object.is(g, 0)))).toBe(true);
      setNoisyGrads(apart, step);
      other.step();
    }
    expect(merged.map((p) => bits(p.data))).toEqual(apart.map((p) => bits(p.data)));
  });
});

test("a zeroed gradient is one: momentum goes on", () => {
  const w = parameter([1]);
  const optimizer = new SGD([w], { lr: 1, momentum: 0.5 });
  w.grad = [1];
  optimizer.step({ zeroGrad: true });
  expect(w.grad).toEqual(new Float32Array([0]));
  optimizer.step();
  expect(w.data[0]).toBe(-0.5);
});

test("with a closure", () => {
  const w = parameter([1]);
  const optimizer = new SGD([w], { lr: 1 });
  const loss = optimizer.step(
    () => {
      w.grad = [4];
      return 7;
    },
    { gradScale: 0.25, zeroGrad: true },
  );
  expect([loss, w.data[0], w.grad![0]]).toEqual([7, 0, 0]);
});

test("with options alone behind an absent closure", () => {
  const w = parameter([1]);
  const optimizer = new SGD([w], { lr: 1 });
  w.grad = [4];
  optimizer.step(undefined, { gradScale: 0.25 });
  expect(w.data[0]).toBe(0);
});

test("what is refused, and changes nothing", () => {
  const w = parameter([1]);
  const optimizer = new Adam([w]);
  w.grad = [1];
  const bad: unknown[] = [{ gradScale: NaN }, { gradScale: "1" }, { zeroGrad: 1 }, { scale: 2 }, 3];
  const said = bad.map((options) => {
    try {
      return optimizer.step(options as StepOptions);
    } catch (error) {
      return (error as Error).message;
    }
  });
  expect(said).toMatchInlineSnapshot(`
    [
      "Adam: step: gradScale: got NaN, expected a finite number.",
      "Adam: step: gradScale: got "1", expected a finite number.",
      "Adam: step: zeroGrad: got 1, expected true or false.",
      "Adam: step: got "scale", expected gradScale or zeroGrad.",
      "Adam: step: got 3, expected a closure, or options such as { zeroGrad: true }.",
    ]
  `);
  expect([w.data[0], optimizer.stateDict().state]).toEqual([1, Object.create(null)]);
});
