/**
 * PyTorch's own checkpoints: what is in them, and that a run goes on here as it does there. The files are
 * those of scripts/torch_checkpoints.py, recorded with PyTorch 1.13, in a folder each with later ones, and made
 * anew where there is a PyTorch.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import {
  readTorch,
  torchStateDict,
  torchTensors,
  type SavedTensor,
  type TorchValue,
} from "../../src/checkpoint/index.ts";
import { readZip } from "../../src/checkpoint/torch/zip.ts";
import { findTorch } from "../../src/cli/torch.ts";
import {
  Adam,
  AdamW,
  fromTorchStateDict,
  parameter,
  RMSprop,
  SGD,
  type DType,
  type Optimizer,
  type Parameter,
} from "../../src/index.ts";
import { expectParameters } from "../helpers/golden-law.ts";
import { refusals } from "../helpers/refusals.ts";

const recordings = fileURLToPath(new URL("../torch-checkpoints", import.meta.url));
const later = readdirSync(recordings, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);
type Dict = Record<string, TorchValue>;
const read = (name: string, folder = recordings) =>
  readTorch(readFileSync(join(folder, `${name}.pt`))) as Dict;

type Values = Record<string, number[]>;
interface Continuations {
  readonly runs: Record<string, { readonly params: Values[]; readonly truth: Values[] }>;
}
const classes = { sgd: SGD, adam: Adam, adamw: AdamW, rmsprop: RMSprop };
type AnyClass = new (groups: unknown) => Optimizer;
const continuations = (folder: string) =>
  (JSON.parse(readFileSync(join(folder, "continuations.json"), "utf8")) as Continuations).runs;

/** As in scripts/torch_checkpoints.py. */
const gradient = (offset: number, count: number, step: number): number[] =>
  Array.from(
    { length: count },
    (_, i) => (((step * 7919 + (offset + i) * 104729) % 2003) - 1001) / 1024,
  );

/** Goes on from a file, and holds the run to PyTorch's. Only what the state dict says is known of options. */
function expectContinuation(key: string, folder: string): void {
  const { params, truth } = continuations(folder)[key]!;
  const [name, dtype] = key.split("-") as [keyof typeof classes, DType];
  const saved = read(key, folder);
  expect(saved["epoch"]).toBe(100);
  const parameters = Object.fromEntries(
    [...torchTensors(saved["model"])].map(([id, { data, shape, dtype: type }]) => {
      expect(type).toBe(dtype);
      return [id, parameter(data as Float32Array, { name: id, shape })];
    }),
  ) as Record<string, Parameter>;
  const groups = Object.values(parameters).map((p) => ({ params: [p] }));
  const optimizer = new (classes[name] as unknown as AnyClass)(groups);
  optimizer.loadStateDict(fromTorchStateDict(torchStateDict(saved["optimizer"]), optimizer));
  const trajectory: Record<string, ArrayLike<number>>[] = [];
  for (let step = 100; step < 200; step++) {
    let offset = 0;
    for (const p of Object.values(parameters)) {
      p.grad = gradient(offset, p.data.length, step);
      offset += p.data.length;
    }
    optimizer.step();
    if (step % 10 !== 9) continue;
    trajectory.push(
      Object.fromEntries(Object.entries(parameters).map(([id, p]) => [id, p.data.slice()])),
    );
  }
  expect(trajectory).toHaveLength(10);
  const golden = { options: {}, dtype, shapes: {}, init: {}, grads: [], state: {} };
  expectParameters({ ...golden, params }, { ...golden, params: truth }, trajectory);
}

const recorded = [".", ...later].flatMap((version) => {
  const folder = join(recordings, version);
  return Object.keys(continuations(folder)).map((key) => ({ key, version, folder }));
});
test.each(recorded)("$key of $version goes on from step 100 as PyTorch does", ({ key, folder }) => {
  expectContinuation(key, folder);
});

test("every optimizer and type was recorded, with PyTorch 2 too", () => {
  const runs = Object.keys(classes).flatMap((name) => [`${name}-float32`, `${name}-float64`]);
  for (const version of [".", "2.13"]) {
    const keys = recorded.filter((one) => one.version === version).map(({ key }) => key);
    expect(keys).toEqual(expect.arrayContaining(runs));
  }
});

const required = process.env["DOWNHILL_REQUIRE_ALL"] === "1";
const torch = findTorch();
test.skipIf(torch === null && !required)("the PyTorch that is here writes such files", () => {
  const folder = mkdtempSync(join(tmpdir(), "downhill-checkpoints-"));
  try {
    const script = fileURLToPath(new URL("../../scripts/torch_checkpoints.py", import.meta.url));
    const { status, stderr } = spawnSync(torch!.python, [script, folder], { encoding: "utf8" });
    expect(status, stderr).toBe(0);
    for (const key of Object.keys(continuations(folder))) expectContinuation(key, folder);
    expect(read("odd", folder)).toEqual(read("odd"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

describe("PyTorch 2", () => {
  const folders = later.map((version) => ({ version, folder: join(recordings, version) }));

  test.each(folders)("$version writes the same data as 1.13", ({ folder }) => {
    expect(read("odd", folder)).toEqual(read("odd"));
    expect(Object.keys(read("model", folder))).toEqual(Object.keys(read("model")));
    expect(read("onecycle", folder)).toMatchObject({ total_steps: 10, _anneal_func_type: "cos" });
  });

  test.each(folders)("$version has types of its own, in untyped storages", ({ folder }) => {
    const newer = Object.entries(read("newer", folder) as Record<string, SavedTensor>);
    expect(newer.map(([name, { dtype, data }]) => [name, dtype === name, [...data].join(" ")]))
      .toMatchInlineSnapshot(`
      [
        [
          "uint16",
          true,
          "0 1 1 96",
        ],
        [
          "uint32",
          true,
          "0 1 1 96",
        ],
        [
          "uint64",
          true,
          "0 1 1 96",
        ],
        [
          "float8_e4m3fn",
          true,
          "0 56 60 108",
        ],
        [
          "float8_e5m2",
          true,
          "0 60 62 86",
        ],
      ]
    `);
  });

  test("its zip files have notes that say nothing about data, and storages at multiples of 64", () => {
    const bytes = readFileSync(join(recordings, "2.13", "adam-float32.pt"));
    const names = [...readZip(bytes).keys()].map((name) => name.slice("adam-float32/".length));
    expect(names).toEqual(
      expect.arrayContaining(["byteorder", ".format_version", ".storage_alignment"]),
    );
    for (const [name, { byteOffset }] of readZip(new Uint8Array(bytes))) {
      if (name.includes("/data/")) expect(byteOffset % 64, name).toBe(0);
    }
  });
});

describe("what is in a file", () => {
  const odd = read("odd");
  const shown = (value: TorchValue | undefined) =>
    Object.fromEntries(
      Object.entries(value as Record<string, SavedTensor>).map(([name, { dtype, shape, data }]) => [
        name,
        [`${dtype} [${shape.join(", ")}] ${data.constructor.name}`, ...data].join(" "),
      ]),
    );

  test("all types: what JavaScript has no array for comes as float32", () => {
    expect(shown(odd["types"])).toMatchInlineSnapshot(`
      {
        "bfloat16": "bfloat16 [4] Float32Array 0 1 1.5 100",
        "bool": "bool [4] Uint8Array 0 1 1 1",
        "float16": "float16 [7] Float32Array 1 -2 65504 5.960464477539063e-8 0.00006103515625 Infinity NaN",
        "float32": "float32 [4] Float32Array 0 1 1.5 100",
        "float64": "float64 [4] Float64Array 0 1 1.5 100",
        "int16": "int16 [4] Int16Array 0 1 1 100",
        "int32": "int32 [4] Int32Array 0 1 1 100",
        "int64": "int64 [2] BigInt64Array 4611686018427387904 -1",
        "int8": "int8 [4] Int8Array 0 1 1 100",
        "uint8": "uint8 [4] Uint8Array 0 1 1 100",
      }
    `);
  });

  test("views are copied out of their storage, row by row, each by itself", () => {
    expect(shown(odd["views"])).toMatchInlineSnapshot(`
      {
        "empty": "float32 [0, 3] Float32Array",
        "part": "float32 [2, 2] Float32Array 4 6 8 10",
        "scalar": "float32 [] Float32Array 3.5",
        "turned": "float32 [4, 3] Float32Array 0 4 8 1 5 9 2 6 10 3 7 11",
      }
    `);
    const { turned, part } = odd["views"] as Record<string, SavedTensor>;
    expect(turned!.data).toBe(turned!.data);
    turned!.data.fill(0 as never);
    expect(part!.data[0]).toBe(4);
  });

  test("plain data, and no prototype to be changed", () => {
    expect({ ...(odd["plain"] as object) }).toEqual({
      none: null,
      yes: true,
      big: 2n ** 70n,
      negative: -(2 ** 40),
      tuple: [1, -2, 300, 70000],
      text: "ü",
    });
    expect(Object.keys(odd)).toContain("__proto__");
    expect(Object.getPrototypeOf(odd)).toBeNull();
    expect({}).not.toHaveProperty("x");
  });

  test("a model's state dict, with the buffers that are no parameters", () => {
    const tensors = torchTensors(read("model"));
    expect([...tensors].map(([name, { dtype, shape }]) => [name, dtype, shape])).toEqual([
      ["0.weight", "float32", [3, 2]],
      ["0.bias", "float32", [3]],
      ["1.weight", "float32", [3]],
      ["1.bias", "float32", [3]],
      ["1.running_mean", "float32", [3]],
      ["1.running_var", "float32", [3]],
      ["1.num_batches_tracked", "int64", []],
    ]);
    expect(tensors.get("1.num_batches_tracked")!.data).toEqual(new BigInt64Array(1));
  });

  test("schedulers", () => {
    const { step, multi } = read("schedulers") as Record<string, Dict>;
    expect(step).toMatchObject({ step_size: 30, gamma: 0.5, base_lrs: [1], last_epoch: 0 });
    expect({ ...(multi!["milestones"] as object) }).toEqual({ 5: 2, 9: 1 });
    expect(read("onecycle-data")).toMatchObject({ total_steps: 10, last_epoch: 0 });
  });
});

test("what is refused says why", () => {
  const act = refusals({
    "a function": () => read("onecycle"),
    "the format before PyTorch 1.6": () => read("legacy"),
    "a file as a state dict": () => torchStateDict(read("sgd-float32")),
    "an optimizer as a model": () => torchTensors(read("sgd-float32")["optimizer"]),
    "nothing as a model": () => torchTensors(undefined),
    "more than the budget": () =>
      readTorch(readFileSync(join(recordings, "model.pt")), { maxInstructions: 100 }),
  });
  expect(act).toMatchInlineSnapshot(`
    {
      "a file as a state dict": "CheckpointError BAD_DATA: PyTorch's state dict: got an object {model, optimizer, epoch}, expected { state, param_groups }. Is it under a key of the file, such as optimizer?",
      "a function": "CheckpointError FORBIDDEN_NAME: data.pkl, at byte 274: got the Python name "__builtin__.getattr", expected one of data. Save state dicts: tensors, numbers, texts, lists and dictionaries.",
      "an optimizer as a model": "CheckpointError BAD_DATA: PyTorch's model: "state": got an object {0, 1}, expected a dictionary of tensors.",
      "more than the budget": "CheckpointError TOO_LARGE: data.pkl, at byte 298: got more, expected at most 100 instructions. { maxInstructions } allows more.",
      "nothing as a model": "CheckpointError BAD_DATA: PyTorch's model: got undefined, expected a dictionary of tensors.",
      "the format before PyTorch 1.6": "CheckpointError BAD_ZIP: zip: got other bytes, expected the directory's end at the file's. torch.save has written zip files since PyTorch 1.6; save older files anew.",
    }
  `);
});
