/** Gradients that add up, and steps with the mean of several small batches. */
import { describe, expect, test } from "vitest";
import {
  Adam,
  clipGradNorm,
  GradAccumulator,
  GradScaler,
  parameter,
  SGD,
  type GradAccumulatorState,
  type Parameter,
} from "../src/index.ts";
import { bits } from "./helpers/bits.ts";
import { refusals, wrong } from "./helpers/refusals.ts";
import { noise, noisyParameters } from "./helpers/rules.ts";

describe("addGrad", () => {
  test("adds in place, or becomes the gradient", () => {
    for (const dtype of ["float32", "float64"] as const) {
      for (const adopted of [false, true]) {
        const w = parameter({ shape: [3, 3], dtype });
        if (adopted) new SGD([w]);
        const first = w.data.map((_, i) => i / 3);
        w.addGrad(first);
        expect(w.grad).toEqual(first);
        const grad = w.grad!;
        first[0] = 7;
        w.addGrad([[1, 2, 3], [4, 5, 6], [7, 8, 9]]); // prettier-ignore
        expect(w.grad).toBe(grad);
        const sums = w.data.map((_, i) => i / 3).map((x, i) => x + (i + 1));
        expect([...grad]).toEqual([...sums]);
        w.addGrad(w.grad!);
        expect([...grad]).toEqual(Array.from(sums, (x) => x + x));
      }
    }
  });

  test("makes a gradient of rows a whole one", () => {
    const table = parameter({ shape: [3, 2] });
    table.sparseGrad = { indices: [1], values: [[1, 2]] };
    table.addGrad([1, 1, 1, 1, 1, 1]);
    expect([...table.grad!]).toEqual([1, 1, 2, 3, 1, 1]);
  });

  test("checks what `grad =` checks, before anything changes", () => {
    const w = parameter([[1, 2]], { name: "w" });
    w.grad = [[1, 2]];
    const frozen = parameter([1], { name: "frozen", requiresGrad: false });
    expect(
      refusals({
        "another shape": () => w.addGrad([[1], [2]]),
        "another type": () => w.addGrad(wrong(new Float64Array(2))),
        "too many": () => w.addGrad(new Float32Array(3)),
        null: () => w.addGrad(wrong(null)),
        "a frozen parameter": () => frozen.addGrad([1]),
      }),
    ).toMatchInlineSnapshot(`
      {
        "a frozen parameter": "GradientError FROZEN: parameter "frozen": got a gradient although requiresGrad is false, expected no gradient. Set requiresGrad to true first.",
        "another shape": "GradientError BAD_GRADIENT: parameter "w": got shape [2, 1], expected shape [1, 2].",
        "another type": "GradientError BAD_GRADIENT: parameter "w": got Float64Array(2), expected a Float32Array. Convert it: new Float32Array(values).",
        "null": "GradientError BAD_GRADIENT: parameter "w": got null, expected a Float32Array, or nested arrays of numbers.",
        "too many": "GradientError BAD_GRADIENT: parameter "w": got Float32Array(3), expected 2 elements, shape [1, 2].",
      }
    `);
    expect([...w.grad!, frozen.grad]).toEqual([1, 2, null]);
  });
});

const SIZES = [5, 64, 0, 3];

/** The gradients of batch number `batch`; one parameter is used by every other batch only. */
function addBatch(all: readonly Parameter[], batch: number): void {
  const next = noise(batch + 3);
  all.forEach((p, i) => {
    const values = p.data.map(next);
    if (i !== 1 || batch % 2 === 0) p.addGrad(values);
  });
}

describe("GradAccumulator", () => {
  test("takes a step with the mean of every 3 batches, and of those left over", () => {
    const [all, others] = [noisyParameters(SIZES), noisyParameters(SIZES)];
    const [optimizer, plain] = [new Adam(all), new Adam(others)];
    const accumulator = new GradAccumulator(optimizer, 3);
    const took: boolean[] = [];
    for (let batch = 0; batch < 8; batch++) {
      addBatch(all, batch);
      took.push(accumulator.step());
      addBatch(others, batch);
      if (batch % 3 !== 2 && batch !== 7) continue;
      plain.step({ gradScale: batch === 7 ? 1 / 2 : 1 / 3 });
      plain.zeroGrad();
    }
    expect(took).toEqual([false, false, true, false, false, true, false, false]);
    expect([accumulator.count, accumulator.flush(), accumulator.flush()]).toEqual([2, true, false]);
    expect(accumulator.count).toBe(0);
    expect(all.map((p) => bits(p.data))).toEqual(others.map((p) => bits(p.data)));
    expect(all.map((p) => p.grad)).toEqual([null, null, null, null]);
  });

  test("the norm that is clipped is the mean's", () => {
    const w = parameter([0, 0]);
    const optimizer = new SGD([w], { lr: 1 });
    const norms: number[] = [];
    const accumulator = new GradAccumulator(optimizer, 2, () => {
      norms.push(clipGradNorm(optimizer, 1));
      optimizer.step();
    });
    for (const grad of [
      [3, 8],
      [3, 0],
    ]) {
      // prettier-ignore
      w.addGrad(grad);
      accumulator.step();
    }
    expect(norms).toEqual([5]);
    expect([...w.data].map((x) => x * 5.000001)).toEqual([-3, -4].map((x) => expect.closeTo(x, 5)));
  });

  test("with a GradScaler, over two optimizers", () => {
    const [v, w] = [parameter([0]), parameter([0], { dtype: "float64" })];
    const optimizers = [new SGD([v], { lr: 1 }), new SGD([w], { lr: 1 })];
    const scaler = new GradScaler({ initScale: 8 });
    const accumulator = new GradAccumulator(optimizers, 2, () => {
      scaler.step(optimizers);
      scaler.update();
    });
    for (const x of [1, 3, Infinity, 1, 5, 7]) {
      v.addGrad([scaler.scale(x)]);
      w.addGrad([scaler.scale(2)]);
      accumulator.step();
    }
    expect([v.data[0], w.data[0], scaler.getScale()]).toEqual([-8, -4, 4]);
  });

  test("without a function it steps whatever it was given", () => {
    const w = parameter([0]);
    const optimizer = new SGD([w], { lr: 1 });
    let steps = 0;
    const whole = { optimizers: [optimizer], step: () => steps++ };
    for (const source of [[optimizer], whole, optimizer]) {
      w.addGrad([1]);
      new GradAccumulator(source, 1).step();
    }
    expect([steps, w.data[0]]).toEqual([1, -2]);
  });

  test("goes on from its state in the middle of a step, bit for bit", () => {
    const train = (interrupt: boolean): string[] => {
      let all = noisyParameters(SIZES);
      let optimizer = new Adam(all);
      let accumulator = new GradAccumulator(optimizer, 4);
      for (let batch = 0; batch < 10; batch++) {
        addBatch(all, batch);
        accumulator.step();
        if (!interrupt || batch !== 5) continue;
        const saved = structuredClone([optimizer.stateDict(), accumulator.stateDict()] as const);
        const data = all.map((p) => p.data.slice());
        addBatch(all, 99);
        all = noisyParameters(SIZES);
        optimizer = new Adam(all);
        accumulator = new GradAccumulator(optimizer, 4);
        all.forEach((p, i) => (p.data = data[i]!));
        addBatch(all, 77);
        optimizer.loadStateDict(saved[0]);
        accumulator.loadStateDict(saved[1]);
        expect(accumulator.count).toBe(2);
      }
      accumulator.flush();
      return all.map((p) => bits(p.data));
    };
    expect(train(true)).toEqual(train(false));
  });

  test("gradients of rows are part of its state", () => {
    const start = () => {
      const table = parameter({ shape: [4, 2], name: "table" });
      const optimizer = new SGD([table], { lr: 1 });
      return { table, accumulator: new GradAccumulator(optimizer, 2) };
    };
    const [one, other] = [start(), start()];
    one.table.sparseGrad = { indices: [2, 0], values: [1, 2, 3, 4] };
    one.accumulator.step();
    other.accumulator.loadStateDict(structuredClone(one.accumulator.stateDict()));
    expect(other.table.sparseGrad).toEqual(one.table.sparseGrad);
    for (const { accumulator } of [one, other]) accumulator.flush();
    expect([...other.table.data]).toEqual([-3, -4, 0, 0, -1, -2, 0, 0]);
    expect(other.table.data).toEqual(one.table.data);
  });

  test("a step that fails can be taken again", () => {
    const w = parameter([0]);
    const optimizer = new SGD([w], { lr: 1 });
    const accumulator = new GradAccumulator(optimizer, 2);
    w.addGrad([1]);
    accumulator.step();
    w.addGrad([5]);
    optimizer.paramGroups[0].lr = -1;
    expect(() => accumulator.step()).toThrow("lr");
    optimizer.paramGroups[0].lr = 1;
    expect([accumulator.count, accumulator.flush(), w.data[0]]).toEqual([2, true, -3]);
  });

  test("what is refused", () => {
    const w = parameter([0, 0], { name: "w" });
    const frozen = parameter([0], { name: "frozen", requiresGrad: false });
    const optimizer = new SGD([w, frozen]);
    const accumulator = new GradAccumulator(optimizer, 2);
    w.addGrad([1, 2]);
    accumulator.step();
    const load = (state: unknown) => () => accumulator.loadStateDict(state as GradAccumulatorState);
    const of = (gradients: unknown) => load({ count: 1, gradients: [gradients] });
    expect(
      refusals({
        "no optimizer": () => new GradAccumulator(wrong({}), 2),
        "every 0": () => new GradAccumulator(optimizer, 0),
        "every 1.5": () => new GradAccumulator(optimizer, 1.5),
        "no function": () => new GradAccumulator(optimizer, 2, wrong("step")),
        nothing: load(undefined),
        "a count that is too large": load({ count: 2, gradients: [{}] }),
        "no gradients": load({ count: 1 }),
        "gradients of two": load({ count: 1, gradients: [{}, {}] }),
        "an unknown name": of({ v: new Float32Array(2) }),
        "another type": of({ w: new Float64Array(2) }),
        "another size": of({ w: new Float32Array(3) }),
        "a frozen one": of({ frozen: new Float32Array(1) }),
        "rows that are not there": of({
          w: { indices: Uint32Array.of(2), values: new Float32Array(1) },
        }),
        "rows of another width": of({
          w: { indices: Uint32Array.of(1), values: new Float32Array(2) },
        }),
      }),
    ).toMatchInlineSnapshot(`
      {
        "a count that is too large": "StateDictError STATE_MISMATCH: GradAccumulator: count: got 2, expected a whole number from 0 to 1.",
        "a frozen one": "StateDictError STATE_MISMATCH: GradAccumulator: gradient of "frozen": got Float32Array(1), expected float32 values of size 1, or rows, for a parameter that is trained.",
        "an unknown name": "StateDictError STATE_MISMATCH: GradAccumulator: gradient of "v": got "v", expected names of the optimizer's parameters.",
        "another size": "StateDictError STATE_MISMATCH: GradAccumulator: gradient of "w": got Float32Array(3), expected float32 values of size 2, or rows, for a parameter that is trained.",
        "another type": "StateDictError STATE_MISMATCH: GradAccumulator: gradient of "w": got Float64Array(2), expected float32 values of size 2, or rows, for a parameter that is trained.",
        "every 0": "OptionError BAD_OPTION: GradAccumulator: every: got 0, expected a whole number from 1 on.",
        "every 1.5": "OptionError BAD_OPTION: GradAccumulator: every: got 1.5, expected a whole number from 1 on.",
        "gradients of two": "StateDictError STATE_MISMATCH: GradAccumulator: gradients: got [an object {}, an object {}], expected gradients for each of 1.",
        "no function": "OptionError BAD_OPTION: GradAccumulator: take: got "step", expected a function that takes a step.",
        "no gradients": "StateDictError STATE_MISMATCH: GradAccumulator: gradients: got undefined, expected gradients for each of 1.",
        "no optimizer": "OptionError BAD_OPTION: GradAccumulator: optimizer: got an object {}, expected an optimizer made of a rule, or several. Gradients are scaled and clipped by the step that uses them, so it needs the optimizer.",
        "nothing": "StateDictError STATE_MISMATCH: GradAccumulator: count: got undefined, expected a whole number from 0 to 1.",
        "rows of another width": "StateDictError STATE_MISMATCH: GradAccumulator: gradient of "w": got an object {indices, values}, expected float32 values of size 2, or rows, for a parameter that is trained.",
        "rows that are not there": "StateDictError STATE_MISMATCH: GradAccumulator: gradient of "w": got an object {indices, values}, expected float32 values of size 2, or rows, for a parameter that is trained.",
      }
    `);
    expect([accumulator.count, ...w.grad!]).toEqual([1, 1, 2]);
  });
});
