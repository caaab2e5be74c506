/**
 * Operations over lists of tensors give what plain loops give, bit for bit, wherever the tensors lie:
 * parameters and gradients of an optimizer, pieces of them, arrays of one's own, or a mixture.
 */
import { describe, expect, test } from "vitest";
import { foreach, parameter, SGD, type Parameter, type TypedArray } from "../src/index.ts";
import { bits } from "./helpers/bits.ts";
import { noise, noisyParameters, setNoisyGrads } from "./helpers/rules.ts";
import { refusals, wrong } from "./helpers/refusals.ts";

type Tensors = readonly (Parameter | TypedArray)[];
type Loop = (a: number, b: number, c: number, x: number) => number;

const round = Math.fround;
const weight = (x: number): number => Math.abs(x) % 1;

/** Each function as it is called, and as a loop over float32 says it, one rounding at a time. */
const table: Record<
  string,
  readonly [call: (a: Tensors, b: Tensors, c: Tensors, x: number | number[]) => void, loop: Loop]
> = {
  "add tensors": [(a, b) => foreach.add(a, b), (a, b) => a + b],
  "add a number": [(a, _b, _c, x) => foreach.add(a, x), (a, _b, _c, x) => a + x],
  "sub tensors": [(a, b) => foreach.sub(a, b), (a, b) => a - b],
  "sub a number": [(a, _b, _c, x) => foreach.sub(a, x), (a, _b, _c, x) => a - x],
  "mul tensors": [(a, b) => foreach.mul(a, b), (a, b) => a * b],
  "mul by a number": [(a, _b, _c, x) => foreach.mul(a, x), (a, _b, _c, x) => a * x],
  "div tensors": [(a, b) => foreach.div(a, b), (a, b) => a / b],
  "div by a number": [(a, _b, _c, x) => foreach.div(a, x), (a, _b, _c, x) => a / x],
  "maximum of tensors": [(a, b) => foreach.maximum(a, b), (a, b) => Math.max(a, b)],
  "maximum and a number": [
    (a, _b, _c, x) => foreach.maximum(a, x),
    (a, _b, _c, x) => Math.max(a, x),
  ],
  "minimum of tensors": [(a, b) => foreach.minimum(a, b), (a, b) => Math.min(a, b)],
  "minimum and a number": [
    (a, _b, _c, x) => foreach.minimum(a, x),
    (a, _b, _c, x) => Math.min(a, x),
  ],
  neg: [(a) => foreach.neg(a), (a) => -a],
  abs: [(a) => foreach.abs(a), Math.abs],
  sqrt: [(a) => foreach.sqrt(a), Math.sqrt],
  sign: [(a) => foreach.sign(a), (a) => Number(a > 0) - Number(a < 0)],
  copy: [(a, b) => foreach.copy(a, b), (_, b) => b],
  zero: [(a) => foreach.zero(a), () => 0],
  addcmul: [
    (a, b, c, x) => foreach.addcmul(a, b, c, x),
    (a, b, c, x) => a + round(round(b * x) * c),
  ],
  "addcmul by 1": [(a, b, c) => foreach.addcmul(a, b, c), (a, b, c) => a + round(b * c)],
  addcdiv: [
    (a, b, c, x) => foreach.addcdiv(a, b, c, x),
    (a, b, c, x) => a + round(round(b * x) / c),
  ],
  lerp: [
    (a, b, _c, x) => foreach.lerp(a, b, typeof x === "number" ? weight(x) : x.map(weight)),
    (a, b, _c, x) => {
      const w = weight(x);
      const difference = round(b - a);
      return w < 0.5 ? a + round(difference * round(w)) : b - round(difference * round(1 - w));
    },
  ],
};

const SIZES = [5, 64, 0, 1, 700, 130];

/** Three lists of tensors in the same places: in arenas, in pieces of them, or of one's own. */
const layouts: Record<string, () => [Tensors, Tensors, Tensors]> = {
  "parameters, gradients and arrays": () => {
    const all = noisyParameters(SIZES);
    new SGD(all);
    setNoisyGrads(all, 1);
    return [all, all.map((p) => p.grad!), outside(3)];
  },
  "parameters of one optimizer, one after another": () => {
    const all = noisyParameters([...SIZES, ...SIZES, ...SIZES]);
    new SGD(all);
    return [all.slice(0, 6), all.slice(6, 12), all.slice(12)];
  },
  "parameters of three optimizers": () => {
    const make = (seed: number): Tensors => {
      const all = noisyParameters([...SIZES, seed]).slice(0, 6);
      new SGD(all);
      return all;
    };
    return [make(1), make(2), make(3)];
  },
  "parameters without an optimizer": () => [
    noisyParameters(SIZES),
    outside(1),
    noisyParameters(SIZES),
  ],
  "arrays of one's own": () => [outside(1), outside(2), outside(3)],
  "gradients in reverse": () => {
    const all = noisyParameters(SIZES);
    new SGD(all);
    setNoisyGrads(all, 1);
    const reversed = all.toReversed();
    return [reversed.map((p) => p.grad!), reversed, outside(2).toReversed()];
  },
  "a mixture within each list": () => {
    const all = noisyParameters(SIZES);
    new SGD(all);
    const [a, b, c] = [outside(4), outside(5), outside(6)];
    const every = (n: number, mine: TypedArray[]) =>
      mine.map((view, i) => (i % n === 0 ? all[i]! : view));
    return [every(2, a), every(3, b), every(4, c)];
  },
  "pieces of one parameter with gaps": () => {
    const [w] = noisyParameters([1000]) as [Parameter];
    new SGD([w]);
    setNoisyGrads([w], 1);
    const pieces = (view: TypedArray) => [0, 64, 129, 300].map((at) => view.subarray(at, at + 40));
    return [pieces(w.data), pieces(w.grad!), pieces(w.data.slice())];
  },
};

function outside(seed: number): TypedArray[] {
  const next = noise(seed);
  return SIZES.map((size) => Float32Array.from({ length: size }, next));
}

const viewOf = (tensor: Parameter | TypedArray): TypedArray =>
  "data" in tensor ? tensor.data : tensor;

/** The norm, summed in the order of the elements. */
function plainNorm(view: TypedArray): number {
  let sum = 0;
  for (const x of view) sum += x * x;
  return Math.sqrt(sum);
}

describe.each(Object.entries(layouts))("%s", (_, layout) => {
  test.each(Object.entries(table))("%s", (_name, [call, loop]) => {
    for (const listed of [false, true]) {
      const lists = layout();
      const [a, b, c] = lists.map((list) => list.map((tensor) => viewOf(tensor).slice())) as [
        TypedArray[],
        TypedArray[],
        TypedArray[],
      ];
      const numbers = a.map((_view, i) => (listed ? round(-0.3 * i - 0.7) : round(-0.7)));
      call(...lists, listed ? numbers : numbers[0]!);
      const expected = a.map((view, t) =>
        view.map((x, i) => loop(x, b[t]![i]!, c[t]![i]!, numbers[t]!)),
      );
      expect(lists[0].map((tensor) => bits(viewOf(tensor)))).toEqual(expected.map(bits));
    }
  });

  test("norm", () => {
    const [tensors] = layout();
    const exact = tensors.map((tensor) => plainNorm(viewOf(tensor)));
    foreach.norm(tensors).forEach((value, i) => {
      expect(Math.abs(value - exact[i]!)).toBeLessThanOrEqual(1e-12 * exact[i]!);
    });
    const copies = tensors.map((tensor) => viewOf(tensor).slice());
    expect(foreach.norm(copies)).toEqual(foreach.norm(tensors));
  });
});

test("arrays longer than the room they are copied through", () => {
  const [a, b] = [1, 2].map((seed) => Float32Array.from({ length: 200_003 }, noise(seed))) as [
    Float32Array,
    Float32Array,
  ];
  const w = parameter(a);
  new SGD([w]);
  expect(foreach.norm([a, w])).toEqual([foreach.norm([w])[0], foreach.norm([a])[0]]);
  expect(Math.abs(foreach.norm([a])[0]! - plainNorm(a))).toBeLessThan(1e-9);
  const expected = a.map((x, i) => x - b[i]!);
  foreach.sub([a, w], [b, b]);
  expect([bits(a), bits(w.data)]).toEqual([bits(expected), bits(expected)]);
});

test("nothing beside the pieces is touched", () => {
  const [w] = noisyParameters([300]) as [Parameter];
  new SGD([w]);
  const before = w.data.slice();
  foreach.mul([w.data.subarray(0, 40), w.data.subarray(64, 100)], 3);
  const touched = (i: number): boolean => i < 40 || (i >= 64 && i < 100);
  expect(bits(w.data)).toBe(bits(before.map((x, i) => (touched(i) ? x * 3 : x))));
});

test("the step by hand is SGD's, bit for bit", () => {
  const [mine, its] = [noisyParameters(SIZES), noisyParameters(SIZES)];
  const lr = 0.01;
  new SGD(mine);
  const optimizer = new SGD(its, { lr });
  for (let step = 0; step < 5; step++) {
    setNoisyGrads(mine, step);
    setNoisyGrads(its, step);
    const grads = mine.map((p) => p.grad!);
    foreach.mul(grads, -lr);
    foreach.add(mine, grads);
    optimizer.step();
  }
  expect(mine.map((p) => bits(p.data))).toEqual(its.map((p) => bits(p.data)));
});

test("float64, mixed with float32 in one call", () => {
  const make = () => [parameter(Float64Array.of(0.1, 0.2)), parameter([0.5]), Float64Array.of(3)];
  const tensors = make();
  new SGD(tensors.slice(0, 2) as Parameter[]);
  foreach.add(tensors, make());
  foreach.mul(tensors, [3, 2, 0.1]);
  expect(tensors.map((tensor) => [...viewOf(tensor)])).toEqual([
    [0.2 * 3, 0.4 * 3],
    [2],
    [6 * 0.1],
  ]);
  expect(foreach.norm([Float64Array.of(3e200, 4e100), Float32Array.of(3e30, 4e30)])[0]).toBe(
    Infinity,
  );
});

test("a tensor may stand on both sides, and twice in a list", () => {
  const [w] = [parameter([1, 2])];
  new SGD([w]);
  foreach.add([w], [w]);
  expect([...w.data]).toEqual([2, 4]);
  foreach.mul([w, w], 3);
  expect([...w.data]).toEqual([18, 36]);
});

test("empty lists do nothing", () => {
  foreach.add([], []);
  foreach.mul([], 2);
  foreach.mul([], []);
  expect(foreach.norm([])).toEqual([]);
});

test("what does not fit is refused", () => {
  const [a, b] = [parameter([1, 2], { name: "a" }), Float32Array.of(1, 2)];
  expect(
    refusals({
      "no list": () => foreach.neg(wrong(b)),
      "lists of different lengths": () => foreach.add([a, b], [a]),
      "tensors of different lengths": () => foreach.add([a], [Float32Array.of(1)]),
      "tensors of different types": () => foreach.add([a], [Float64Array.of(1, 2)]),
      "another kind of array": () => foreach.neg([a, wrong(new Int32Array(2))]),
      "a number among tensors": () => foreach.add([a, b], wrong([b, 1])),
      "a tensor among numbers": () => foreach.add([a, b], wrong([1, b])),
      "a gradient that is null": () => foreach.mul([a, wrong(a.grad)], 2),
      NaN: () => foreach.mul([a], NaN),
      "an infinity among numbers": () => foreach.mul([a, b], [1, Infinity]),
      "too few numbers": () => foreach.mul([a, b], [1]),
      "a text": () => foreach.mul([a], wrong("2")),
      "a value that is a text": () => foreach.addcmul([a], [a], [a], wrong("2")),
      "zero of no tensor": () => foreach.zero([wrong(undefined)]),
      "norm of no tensor": () => foreach.norm([wrong({})]),
    }),
  ).toMatchInlineSnapshot(`
    {
      "NaN": "OptionError BAD_NUMBER: foreach.mul: got NaN, expected a finite number, or 1 of them.",
      "a gradient that is null": "ParameterError BAD_TENSORS: foreach.mul: tensor 1: got null, expected a parameter or a float array.",
      "a number among tensors": "ParameterError BAD_TENSORS: foreach.add: tensor 1: got 1, expected as the target, a Float32Array of 2 elements.",
      "a tensor among numbers": "OptionError BAD_NUMBER: foreach.add: got [1, Float32Array(2)], expected a finite number, or 2 of them.",
      "a text": "ParameterError BAD_TENSORS: foreach.mul: got "2", expected a list of tensors.",
      "a value that is a text": "OptionError BAD_NUMBER: foreach.addcmul: got "2", expected a finite number, or 1 of them.",
      "an infinity among numbers": "OptionError BAD_NUMBER: foreach.mul: got [1, Infinity], expected a finite number, or 2 of them.",
      "another kind of array": "ParameterError BAD_TENSORS: foreach.neg: tensor 1: got Int32Array(2), expected a parameter or a float array.",
      "lists of different lengths": "ParameterError BAD_TENSORS: foreach.add: got lists of 2 and 1 tensors, expected lists of equal length.",
      "no list": "ParameterError BAD_TENSORS: foreach.neg: got Float32Array(2), expected a list of tensors.",
      "norm of no tensor": "ParameterError BAD_TENSORS: foreach.norm: tensor 0: got an object {}, expected a parameter or a float array.",
      "tensors of different lengths": "ParameterError BAD_TENSORS: foreach.add: tensor 0: got Float32Array(1), expected as the target, a Float32Array of 2 elements.",
      "tensors of different types": "ParameterError BAD_TENSORS: foreach.add: tensor 0: got Float64Array(2), expected as the target, a Float32Array of 2 elements.",
      "too few numbers": "OptionError BAD_NUMBER: foreach.mul: got [1], expected a finite number, or 2 of them.",
      "zero of no tensor": "ParameterError BAD_TENSORS: foreach.zero: tensor 0: got undefined, expected a parameter or a float array.",
    }
  `);
  expect([...a.data, ...b]).toEqual([1, 2, 1, 2]);
});
