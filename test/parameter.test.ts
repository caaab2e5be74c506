/**
 * Parameters: what makes one, which of its views are live, when it has a gradient, and what is refused.
 */
import { describe, expect, test } from "vitest";
import { Adam, GradientError, parameter, ParameterError, SGD } from "../src/index.ts";
import { refusals, wrong } from "./helpers/refusals.ts";

const threeElements = () => parameter([1, 2, 3], { name: "w" });
const withGrad = (grad: unknown) => () => (threeElements().grad = wrong(grad));
const withData = (data: unknown) => () => (threeElements().data = wrong(data));

test("are made from arrays, nested numbers, one number or a shape", () => {
  const made = {
    nested: parameter(
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      { dtype: "float64" },
    ),
    "one number": parameter(7),
    "a flat array with a shape": parameter(Float32Array.of(1, 2, 3, 4), { shape: [2, 2] }),
    "a Float64Array": parameter(Float64Array.of(0.1)),
    converted: parameter(Float64Array.of(0.1), wrong({ dtype: "float32" })),
    "empty rows": parameter([[], []]),
    zeros: parameter({ shape: [2] }),
  };
  const seen = Object.entries(made).map(([name, { shape, dtype, data }]) => [
    name,
    `${dtype} [${shape.join(", ")}]: ${[...data].join(" ")}`,
  ]);
  expect(Object.fromEntries(seen)).toMatchInlineSnapshot(`
    {
      "a Float64Array": "float64 [1]: 0.1",
      "a flat array with a shape": "float32 [2, 2]: 1 2 3 4",
      "converted": "float32 [1]: 0.10000000149011612",
      "empty rows": "float32 [2, 0]: ",
      "nested": "float64 [2, 3]: 1 2 3 4 5 6",
      "one number": "float32 []: 7",
      "zeros": "float32 [2]: 0 0",
    }
  `);
});

test("copy what they are made from", () => {
  const given = Float32Array.of(1, 2);
  const made = parameter(given);
  given[0] = 9;
  expect([...made.data]).toEqual([1, 2]);
});

describe("a parameter in an optimizer", () => {
  test("the setter of grad copies, its getter is a live view", () => {
    const w = parameter([1, 2], { name: "w" });
    new SGD([w]);
    const given = Float32Array.of(3, 4);
    w.grad = given;
    const view = w.grad!;
    given[0] = 9;
    expect([...view]).toEqual([3, 4]);
    view[1] = 5;
    expect([...w.grad!]).toEqual([3, 5]);
    w.grad = null;
    expect(w.grad).toBeNull();
  });

  test("ensureGrad zeroes what was not there, and keeps what was", () => {
    const w = parameter([1, 2], { name: "w" });
    new SGD([w]);
    w.ensureGrad().set([7, 8]);
    expect([...w.ensureGrad()]).toEqual([7, 8]);
    w.grad = null;
    expect([...w.ensureGrad({ zero: false })]).toEqual([7, 8]);
    w.grad = null;
    expect([...w.ensureGrad()]).toEqual([0, 0]);
  });

  test("data is copied in and seen at once by the next step", () => {
    const w = parameter([[1], [2]], { name: "w" });
    const optimizer = new SGD([w], { lr: 1 });
    const view = w.data;
    w.data = [[5], [6]];
    w.grad = [1, 1];
    optimizer.step();
    expect([...view]).toEqual([4, 5]);
    view.set([0, 0]);
    expect([...w.data]).toEqual([0, 0]);
  });

  test("views taken before the optimizer was made are empty, with or without a gradient", () => {
    const all = [parameter([1, 2]), parameter([3, 4])] as const;
    const views = all.flatMap((w) => [w.data, w.ensureGrad()]);
    all[1].grad = null;
    new SGD([...all]);
    expect(views.map(({ length }) => length)).toEqual([0, 0, 0, 0]);
    expect(all.map(({ data, grad }) => [[...data], grad && [...grad]])).toEqual([
      [
        [1, 2],
        [0, 0],
      ],
      [[3, 4], null],
    ]);
  });

  test("a frozen parameter has no gradient and takes none", () => {
    const w = parameter([1], { name: "w", requiresGrad: false });
    const optimizer = new SGD([w]);
    expect(() => (w.grad = [1])).toThrow(GradientError);
    expect(() => w.ensureGrad()).toThrow(GradientError);
    optimizer.step();
    expect(w.data[0]).toBe(1);
    w.requiresGrad = true;
    w.grad = [1];
    w.requiresGrad = false;
    expect(w.grad).toBeNull();
  });

  test("names, or positions among all parameters, are the keys of the state", () => {
    const w = parameter([1], { name: "w" });
    const optimizer = new Adam([parameter([1]), w]);
    optimizer.addParamGroup({ params: [parameter([1])] });
    for (const { params } of optimizer.paramGroups) for (const p of params) p.grad = [1];
    optimizer.step();
    expect(Object.keys(optimizer.stateDict().state).toSorted()).toEqual(["0", "2", "w"]);
    const unlucky = new Adam([parameter([1], { name: "1" })]);
    expect(() => unlucky.addParamGroup({ params: [parameter([1])] })).toThrow(ParameterError);
  });
});

test("parameters, data and gradients", () => {
  expect(
    refusals({
      "uneven nesting": () => parameter(wrong([[1, 2], [3]])),
      "a text": () => parameter(wrong("1")),
      "numbers and texts": () => parameter(wrong([1, "2"])),
      "whole numbers": () => parameter(wrong(new Int32Array(3))),
      "no values and no shape": () => parameter(wrong({ name: "w" })),
      nothing: () => parameter(wrong(null)),
      "a shape that does not fit": () => parameter([1, 2, 3], { name: "w", shape: [2, 2] }),
      "a negative shape": () => parameter({ shape: [-1] }),
      "a broken shape": () => parameter({ name: "w", shape: [1.5] }),
      "a shape that is a number": () => parameter(wrong({ shape: 3 })),
      "a huge shape": () => parameter({ shape: [2 ** 30, 2 ** 30] }),
      "an unknown option": () => parameter([1], wrong({ requires_grad: true })),
      "an empty name": () => parameter([1], { name: "" }),
      "a name that is a number": () => parameter([1], wrong({ name: 1 })),
      "an unknown dtype": () => parameter([1], wrong({ dtype: "float16" })),
      "options a number": () => parameter([1], wrong(5)),
      "requiresGrad 0": () => parameter([1], wrong({ requiresGrad: 0 })),
      "requiresGrad set to 0": () => (threeElements().requiresGrad = wrong(0)),
      "a gradient too long": withGrad(new Float32Array(4)),
      "a gradient of another type": withGrad(new Float64Array(3)),
      "a gradient of whole numbers": withGrad(new Int32Array(3)),
      "a gradient that is a number": withGrad(1),
      "a gradient of another shape": withGrad([[1, 2, 3]]),
      "a gradient that is undefined": withGrad(undefined),
      "data too short": withData([1]),
      "data of another type": withData(new Float64Array(3)),
      "data null": withData(null),
      "a gradient for a frozen one": () =>
        parameter([1], { name: "w", requiresGrad: false }).ensureGrad(),
    }),
  ).toMatchInlineSnapshot(`
    {
      "a broken shape": "ParameterError BAD_SHAPE: parameter "w": shape: got [1.5], expected an array of whole numbers ≥ 0.",
      "a gradient for a frozen one": "GradientError FROZEN: parameter "w": got a gradient although requiresGrad is false, expected no gradient. Set requiresGrad to true first.",
      "a gradient of another shape": "GradientError BAD_GRADIENT: parameter "w": got shape [1, 3], expected shape [3].",
      "a gradient of another type": "GradientError BAD_GRADIENT: parameter "w": got Float64Array(3), expected a Float32Array. Convert it: new Float32Array(values).",
      "a gradient of whole numbers": "GradientError BAD_GRADIENT: parameter "w": got Int32Array(3), expected a Float32Array, or nested arrays of numbers.",
      "a gradient that is a number": "GradientError BAD_GRADIENT: parameter "w": got shape [], expected shape [3].",
      "a gradient that is undefined": "GradientError BAD_GRADIENT: parameter "w": got undefined, expected a Float32Array, or nested arrays of numbers.",
      "a gradient too long": "GradientError BAD_GRADIENT: parameter "w": got Float32Array(4), expected 3 elements, shape [3].",
      "a huge shape": "ParameterError BAD_SHAPE: parameter: shape: got [1073741824, 1073741824], expected an array of whole numbers ≥ 0.",
      "a name that is a number": "ParameterError BAD_OPTION: parameter 1: name: got 1, expected a text.",
      "a negative shape": "ParameterError BAD_SHAPE: parameter: shape: got [-1], expected an array of whole numbers ≥ 0.",
      "a shape that does not fit": "ParameterError BAD_SHAPE: parameter "w": shape: got [2, 2], expected a shape of 3 elements.",
      "a shape that is a number": "ParameterError BAD_SHAPE: parameter: shape: got 3, expected an array of whole numbers ≥ 0.",
      "a text": "ParameterError BAD_VALUES: parameter: got "1", expected a Float32Array, a Float64Array or evenly nested arrays of numbers. For zeros give the shape alone: parameter({ shape: [10, 100] }).",
      "an empty name": "ParameterError BAD_OPTION: parameter "": name: got "", expected a text.",
      "an unknown dtype": "ParameterError BAD_OPTION: parameter: dtype: got "float16", expected "float32" or "float64".",
      "an unknown option": "ParameterError BAD_OPTION: parameter: options: got "requires_grad", expected only name, shape, dtype, requiresGrad.",
      "data null": "ParameterError BAD_DATA: parameter "w": got null, expected a Float32Array, or nested arrays of numbers.",
      "data of another type": "ParameterError BAD_DATA: parameter "w": got Float64Array(3), expected a Float32Array. Convert it: new Float32Array(values).",
      "data too short": "ParameterError BAD_DATA: parameter "w": got shape [1], expected shape [3].",
      "no values and no shape": "ParameterError BAD_VALUES: parameter: got an object {name}, expected a Float32Array, a Float64Array or evenly nested arrays of numbers. For zeros give the shape alone: parameter({ shape: [10, 100] }).",
      "nothing": "ParameterError BAD_VALUES: parameter: got null, expected a Float32Array, a Float64Array or evenly nested arrays of numbers. For zeros give the shape alone: parameter({ shape: [10, 100] }).",
      "numbers and texts": "ParameterError BAD_VALUES: parameter: got [1, "2"], expected a Float32Array, a Float64Array or evenly nested arrays of numbers. For zeros give the shape alone: parameter({ shape: [10, 100] }).",
      "options a number": "ParameterError BAD_OPTION: parameter: options: got 5, expected an object.",
      "requiresGrad 0": "ParameterError BAD_OPTION: parameter: requiresGrad: got 0, expected true or false.",
      "requiresGrad set to 0": "ParameterError BAD_OPTION: parameter "w": requiresGrad: got 0, expected true or false.",
      "uneven nesting": "ParameterError BAD_VALUES: parameter: got [[1, 2], [3]], expected a Float32Array, a Float64Array or evenly nested arrays of numbers. For zeros give the shape alone: parameter({ shape: [10, 100] }).",
      "whole numbers": "ParameterError BAD_VALUES: parameter: got Int32Array(3), expected a Float32Array, a Float64Array or evenly nested arrays of numbers. For zeros give the shape alone: parameter({ shape: [10, 100] }).",
    }
  `);
});
