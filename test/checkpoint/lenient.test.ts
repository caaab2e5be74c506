/** Restoring what fits, and converting what has another type of floating point. */
import { describe, expect, test } from "vitest";
import {
  Checkpoint,
  decodeCheckpoint,
  encodeCheckpoint,
  readSafetensors,
  toFloat32,
  writeSafetensors,
  type SafeDType,
  type TensorInput,
} from "../../src/checkpoint/index.ts";
import { Adam, parameter, type DType, type Parameter } from "../../src/index.ts";
import { refusals } from "../helpers/refusals.ts";

const named = (names: readonly string[], dtype: DType = "float32") =>
  names.map((name, i) => parameter([i + 1, -i], { name, dtype }));

async function saved(parameters: readonly Parameter[]) {
  const optimizer = new Adam(parameters);
  for (const p of parameters) p.grad = [1, 2];
  optimizer.step();
  return decodeCheckpoint(await encodeCheckpoint({ parameters, optimizer }));
}
const values = (parameters: readonly Parameter[]) => parameters.map(({ data }) => [...data]);

describe("strict: false", () => {
  test("takes what fits, and tells of the rest", async () => {
    const source = named(["a", "b", "c"]);
    const checkpoint = await saved(source);
    const parameters = [
      ...named(["c", "a"]),
      parameter([7, 7, 7], { name: "b" }),
      parameter([9], { name: "new" }),
    ];
    const optimizer = new Adam(parameters);
    const report = checkpoint.restore({ parameters, optimizer }, { strict: false });
    expect(report.parameters).toEqual({
      loaded: ["c", "a"],
      missing: ["new"],
      unexpected: [],
      mismatched: [
        {
          name: "b",
          saved: { shape: [2], dtype: "F32" },
          expected: { shape: [3], dtype: "F32" },
        },
      ],
    });
    expect(report.optimizer).toMatchObject({
      loaded: ["c", "a"],
      missing: ["new"],
      mismatched: [{ name: "b" }],
    });
    const [a, , c] = values(source);
    expect(values(parameters)).toEqual([c, a, [7, 7, 7], [9]]);
    expect(Object.keys(optimizer.stateDict().state)).toEqual(["c", "a"]);
  });

  test("what nobody asks for is unexpected", async () => {
    const report = (await saved(named(["a", "b"]))).restore(
      { parameters: named(["b"]) },
      { strict: false },
    );
    expect(report).toEqual({
      parameters: { loaded: ["b"], missing: [], unexpected: ["a"], mismatched: [] },
      optimizer: null,
    });
  });

  test("everything is told of where all of it fits", async () => {
    const parameters = named(["a"]);
    const checkpoint = await saved(named(["a"]));
    expect(checkpoint.restore({ parameters }).parameters!.loaded).toEqual(["a"]);
    expect(checkpoint.restore({}).parameters).toBeNull();
  });
});

describe('dtype: "cast"', () => {
  test.each(["float32", "float64"] as const)("between float32 and float64, to %s", async (to) => {
    const from = to === "float32" ? "float64" : "float32";
    const source = named(["a", "b"], from);
    const checkpoint = await saved(source);
    const parameters = named(["a", "b"], to);
    const optimizer = new Adam(parameters);
    checkpoint.restore({ parameters, optimizer }, { dtype: "cast" });
    expect(values(parameters)).toEqual(values(source).map((data) => data.map(Math.fround)));
    expect(optimizer.stateDict().state["a"]).toMatchObject({ step: 1 });
  });

  const checkpointOf = (tensors: Record<string, TensorInput>) =>
    new Checkpoint(readSafetensors(writeSafetensors(tensors)));

  test.each(["float32", "float64"] as const)("weights of half the size, to %s", (to) => {
    const parameters = named(["a"], to);
    const data = Uint16Array.from([0x3fc0, 0xc000]);
    const checkpoint = checkpointOf({ "model.a": { data, shape: [2], dtype: "BF16" } });
    checkpoint.restore({ parameters }, { dtype: "cast" });
    expect(values(parameters)).toEqual([[1.5, -2]]);
  });

  test("nothing is written if one does not fit", () => {
    const parameters = named(["a", "b"]);
    const before = values(parameters);
    const a = { data: new Float64Array(2), shape: [2] };
    const restore = (b: TensorInput) => () =>
      checkpointOf({ "model.a": a, "model.b": b }).restore({ parameters }, { dtype: "cast" });
    const act = refusals({
      "too large": restore({ data: new Float64Array([0, 1e300]), shape: [2] }),
      integers: restore({ data: new Int32Array(2), shape: [2] }),
      "another shape": restore({ data: new Float64Array(4), shape: [2, 2] }),
    });
    expect(act).toMatchInlineSnapshot(`
      {
        "another shape": "CheckpointError CHECKPOINT_MISMATCH: checkpoint: parameters: got "b" as F64 [2, 2] instead of F32 [2], expected just these parameters, each with its shape and type. { strict: false } takes what fits, { dtype: "cast" } converts types.",
        "integers": "CheckpointError CHECKPOINT_MISMATCH: checkpoint: parameters: got "b" as I32 [2] instead of F32 [2], expected just these parameters, each with its shape and type. { strict: false } takes what fits, { dtype: "cast" } converts types.",
        "too large": "CheckpointError BAD_TENSOR: checkpoint: parameters: "b": got 1e+300, expected numbers that float32 can hold.",
      }
    `);
    expect(values(parameters)).toEqual(before);
  });
});

const tensor = (dtype: SafeDType, data: Uint8Array | Uint16Array | Float32Array | Float64Array) => {
  const file = writeSafetensors({ a: { data, shape: [data.length], dtype } });
  return readSafetensors(file).tensors.get("a")!;
};

describe("toFloat32", () => {
  test.each<[SafeDType, Uint8Array | Uint16Array | Float32Array | Float64Array, number[]]>([
    ["F32", new Float32Array([1.5, -0, NaN]), [1.5, -0, NaN]],
    ["F64", new Float64Array([0.1, Infinity, NaN]), [Math.fround(0.1), Infinity, NaN]],
    ["BF16", Uint16Array.from([0x3fc0, 0x8000, 0x7f80, 0x7fc0]), [1.5, -0, Infinity, NaN]],
    [
      "F16",
      Uint16Array.from([0x3e00, 0x8000, 0xfc00, 0x7e00, 1]),
      [1.5, -0, -Infinity, NaN, 2 ** -24],
    ],
    ["F8_E5M2", Uint8Array.from([0x3e, 0x80, 0xfc, 0x7e, 1]), [1.5, -0, -Infinity, NaN, 2 ** -16]],
    ["F8_E4M3", Uint8Array.from([0x3c, 0x80, 0x7e, 0x7f, 1]), [1.5, -0, 448, NaN, 2 ** -9]],
  ])("%s", (dtype, data, expected) => {
    expect(toFloat32(tensor(dtype, data))).toEqual(Float32Array.from(expected));
  });

  test("is a copy, and no tensor of integers", () => {
    const one = tensor("F32", new Float32Array(1));
    toFloat32(one)[0] = 1;
    expect(one.data).toEqual(new Float32Array(1));
    const act = refusals({
      integers: () => toFloat32(tensor("U8", new Uint8Array(1))),
      "too large": () => toFloat32(tensor("F64", new Float64Array([1, 1e300]))),
    });
    expect(act).toMatchInlineSnapshot(`
      {
        "integers": "CheckpointError BAD_TENSOR: toFloat32: got a tensor of U8, expected F64, F32, F16, BF16, F8_E4M3, F8_E5M2.",
        "too large": "CheckpointError BAD_TENSOR: toFloat32: got 1e+300, expected numbers that float32 can hold.",
      }
    `);
  });
});
