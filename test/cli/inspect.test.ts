/** `downhill inspect`: what it prints of whole files and of broken ones, to people and to programs. */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { encodeCheckpoint, readSafetensors, writeSafetensors } from "../../src/checkpoint/index.ts";
import { CheckpointDirectory } from "../../src/checkpoint/node.ts";
import { inspectCommand, type InspectFlags } from "../../src/cli/inspect/inspect-command.ts";
import type { FileReport } from "../../src/cli/inspect/file-report.ts";
import { inspectFile } from "../../src/cli/inspect/inspect-file.ts";
import { reportText } from "../../src/cli/inspect/report-text.ts";
import {
  Adam,
  AveragedModel,
  CompositeOptimizer,
  CosineAnnealingLR,
  parameter,
  SGD,
} from "../../src/index.ts";

const recordings = fileURLToPath(new URL("../torch-checkpoints", import.meta.url));
let folder: string;
const at = (...names: string[]) => join(folder, ...names);

/** Thirty steps of a run, saved at every tenth. */
async function train(): Promise<void> {
  const w = parameter(
    [
      [1, -2],
      [3, 4],
    ],
    { name: "layers.0.weight" },
  );
  const b = parameter([0.5], { name: "layers.0.bias" });
  const groups = [{ params: [w] }, { params: [b], lr: 0.5 }];
  const optimizer = new Adam(groups, {
    lr: 0.25,
    average: new AveragedModel([w, b], { ema: 0.5 }),
  });
  const schedulers = [new CosineAnnealingLR(optimizer, { tMax: 60 })];
  const averages = [new AveragedModel([b], { ema: 0.5 })];
  await using checkpoints = await CheckpointDirectory.open(at("run"));
  for (let step = 1; step <= 30; step++) {
    w.grad = [0, 1, 2, 3];
    b.grad = [1];
    optimizer.step();
    schedulers[0]!.step();
    averages[0]!.updateParameters();
    if (step % 10 > 0) continue;
    const run = { parameters: [w, b], optimizer, schedulers, averages };
    await checkpoints.save({ ...run, step, random: new Uint32Array(2), metadata: { note: "ü\n" } });
  }
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "downhill-inspect-"));
  await train();
});
afterAll(() => rmSync(folder, { recursive: true }));

const usual: InspectFlags = {
  tensors: undefined,
  sort: "name",
  limit: 50,
  quick: false,
  json: false,
};

/** What is printed, and the exit code; the folder is called `~`. */
async function inspect(path: string, flags: Partial<InspectFlags> = {}): Promise<string> {
  let text = "";
  const take = (chunk: unknown) => {
    text += String(chunk);
    return true;
  };
  const spies = [process.stdout, process.stderr].map((stream) =>
    vi.spyOn(stream, "write").mockImplementation(take),
  );
  try {
    const code = await inspectCommand(path, { ...usual, ...flags });
    return `${text}=> ${code}`.replaceAll(folder, "~").replaceAll(recordings, "~");
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

/** A copy of the last checkpoint with one byte changed. */
function damaged(name: string, where: (bytes: Uint8Array) => number): string {
  const bytes = readFileSync(at("run", "step-0000000030.safetensors"));
  bytes[where(bytes)]! ^= 1;
  writeFileSync(at(name), bytes);
  return at(name);
}
const lastByte = ({ length }: Uint8Array) => length - 1;

describe("checkpoints of ours", () => {
  test("all that a run has to remember", async () => {
    expect(await inspect(at("run", "step-0000000030.safetensors"))).toMatchInlineSnapshot(`
      "~/run/step-0000000030.safetensors: a checkpoint of Downhill's, version 1, 3.92 kB

        step        30
        optimizer   Adam, 2 groups, 30 steps of each parameter
          group 0   1 parameter of 4 elements; lr=0.12500000000000003, betas=0.9,0.999, eps=1e-8, weightDecay=0, amsgrad=false, maximize=false, decoupledWeightDecay=false
          group 1   1 parameter of 1 element; lr=0.25000000000000006, betas=0.9,0.999, eps=1e-8, weightDecay=0, amsgrad=false, maximize=false, decoupledWeightDecay=false
        averages.0  AveragedModel, 1 group, 30 steps of each parameter
          group 0   1 parameter of 1 element
        scheduler   CosineAnnealingLR at step 30
        random      {"$tensor":"random"}
        metadata    {"note":"ü\\n"}
        digests     all match (SHA-256 of the header and 10 tensors)

      Name                                          What       Type  Shape   Bytes     Norm      Min      Max  NaN  Inf
      averages.0.state.layers.0.bias.param_average  average    F32   [1]       4 B    11.62   -11.62   -11.62    0    0
      model.layers.0.bias                           parameter  F32   [1]       4 B     11.9    -11.9    -11.9    0    0
      model.layers.0.weight                         parameter  F32   [2, 2]   16 B    9.127   -8.199        1    0    0
      random                                        data       U32   [2]       8 B        0        0        0    0    0
      state.layers.0.bias.exp_avg                   state      F32   [1]       4 B   0.9576   0.9576   0.9576    0    0
      state.layers.0.bias.exp_avg_sq                state      F32   [1]       4 B  0.02957  0.02957  0.02957    0    0
      state.layers.0.bias.param_average             average    F32   [1]       4 B    11.62   -11.62   -11.62    0    0
      state.layers.0.weight.exp_avg                 state      F32   [2, 2]   16 B    3.583        0    2.873    0    0
      state.layers.0.weight.exp_avg_sq              state      F32   [2, 2]   16 B   0.2927        0   0.2661    0    0
      state.layers.0.weight.param_average           average    F32   [2, 2]   16 B    8.922   -8.061        1    0    0

      average     3 tensors   6 elements  24 B
      parameter   2 tensors   5 elements  20 B
      state       4 tensors  10 elements  40 B
      data         1 tensor   2 elements   8 B
      total      10 tensors  23 elements  92 B
      => 0"
    `);
  });

  test("a tensor that is damaged is named, and the exit code says so", async () => {
    const text = await inspect(damaged("flipped.safetensors", lastByte), { limit: 1 });
    expect(text).toMatchInlineSnapshot(`
      "~/flipped.safetensors: a checkpoint of Downhill's, version 1, 3.92 kB

        step        30
        optimizer   Adam, 2 groups, 30 steps of each parameter
          group 0   1 parameter of 4 elements; lr=0.12500000000000003, betas=0.9,0.999, eps=1e-8, weightDecay=0, amsgrad=false, maximize=false, decoupledWeightDecay=false
          group 1   1 parameter of 1 element; lr=0.25000000000000006, betas=0.9,0.999, eps=1e-8, weightDecay=0, amsgrad=false, maximize=false, decoupledWeightDecay=false
        averages.0  AveragedModel, 1 group, 30 steps of each parameter
          group 0   1 parameter of 1 element
        scheduler   CosineAnnealingLR at step 30
        random      {"$tensor":"random"}
        metadata    {"note":"ü\\n"}
        digests     DAMAGED: random (SHA-256)

      Name    What  Type  Shape  Bytes     Norm  Min      Max  NaN  Inf  Digest
      random  data  U32   [2]      8 B  1.678e7    0  1.678e7    0    0  DAMAGED
      … and 9 more (--limit 0 shows all, --tensors narrows)

      average     3 tensors   6 elements  24 B
      parameter   2 tensors   5 elements  20 B
      state       4 tensors  10 elements  40 B
      data         1 tensor   2 elements   8 B
      total      10 tensors  23 elements  92 B
      downhill: ~/flipped.safetensors: damaged: 1 of 11 digests differ
      => 1"
    `);
  });

  test("so is the header", async () => {
    const inNote = (bytes: Uint8Array) => Buffer.from(bytes).indexOf('"note') + 3;
    const path = damaged("header.safetensors", inNote);
    expect(await inspect(path, { limit: 1 })).toMatch(/DAMAGED: the header \(.*=> 1$/s);
    // In what is no JSON then, too.
    const inJson = (bytes: Uint8Array) => Buffer.from(bytes).indexOf('{\\"note');
    const text = await inspect(damaged("header.safetensors", inJson), { limit: 1 });
    expect(text).toMatch(/DAMAGED: the header \(.*=> 1$/s);
  });

  test("fewer digests than tensors are damage", async () => {
    const bytes = await encodeCheckpoint({
      parameters: { w: { data: new Float32Array(1), shape: [1] } },
    });
    const { metadata } = readSafetensors(bytes);
    const two = {
      "model.w": { data: new Float32Array(1), shape: [1] },
      x: { data: new Int8Array(1), shape: [1] },
    };
    writeFileSync(at("few.safetensors"), writeSafetensors(two, metadata));
    expect(await inspect(at("few.safetensors"))).toContain("DAMAGED: the header, x (SHA-256)");
  });

  test("headers alone", async () => {
    const path = damaged("flipped.safetensors", lastByte);
    const text = await inspect(path, { quick: true, limit: 1 });
    expect(text).toMatchInlineSnapshot(`
      "~/flipped.safetensors: a checkpoint of Downhill's, version 1, 3.92 kB

        step        30
        optimizer   Adam, 2 groups, 30 steps of each parameter
          group 0   1 parameter of 4 elements; lr=0.12500000000000003, betas=0.9,0.999, eps=1e-8, weightDecay=0, amsgrad=false, maximize=false, decoupledWeightDecay=false
          group 1   1 parameter of 1 element; lr=0.25000000000000006, betas=0.9,0.999, eps=1e-8, weightDecay=0, amsgrad=false, maximize=false, decoupledWeightDecay=false
        averages.0  AveragedModel, 1 group, 30 steps of each parameter
          group 0   1 parameter of 1 element
        scheduler   CosineAnnealingLR at step 30
        random      {"$tensor":"random"}
        metadata    {"note":"ü\\n"}
        digests     the header matches; tensors were not compared (SHA-256)

      Name                                          What     Type  Shape  Bytes
      averages.0.state.layers.0.bias.param_average  average  F32   [1]      4 B
      … and 9 more (--limit 0 shows all, --tensors narrows)

      average     3 tensors   6 elements  24 B
      parameter   2 tensors   5 elements  20 B
      state       4 tensors  10 elements  40 B
      data         1 tensor   2 elements   8 B
      total      10 tensors  23 elements  92 B
      => 0"
    `);
  });

  test("several optimizers", async () => {
    const [a, b] = [parameter([1], { name: "a" }), parameter([1, 2], { name: "b" })];
    const optimizer = new CompositeOptimizer({
      slow: new Adam([a]),
      fast: new SGD([b], { lr: 0.1 }),
    });
    writeFileSync(at("both.safetensors"), await encodeCheckpoint({ optimizer }));
    expect(await inspect(at("both.safetensors"))).toMatchInlineSnapshot(`
      "~/both.safetensors: a checkpoint of Downhill's, version 1, 1.14 kB

        optimizer  CompositeOptimizer, 2 groups
          group 0  slow: Adam; 1 parameter of 1 element; lr=0.001, betas=0.9,0.999, eps=1e-8, weightDecay=0, amsgrad=false, maximize=false, decoupledWeightDecay=false
          group 1  fast: SGD; 1 parameter of 2 elements; lr=0.1, momentum=0, dampening=0, weightDecay=0, nesterov=false, maximize=false
        digests    all match (SHA-256 of the header and 0 tensors)

      total  0 tensors  0 elements  0 B
      => 0"
    `);
  });
});

const floats = (values: number[]) => ({ data: Float32Array.from(values), shape: [values.length] });
const bits = (values: number[], dtype: "F16" | "BF16") => ({
  data: Uint16Array.from(values),
  shape: [values.length],
  dtype,
});
const bytesAs = (values: number[], dtype: "F8_E4M3" | "F8_E5M2" | "F8_E8M0" | "BOOL") => ({
  data: Uint8Array.from(values),
  shape: [values.length],
  dtype,
});

describe("any safetensors file", () => {
  test("every type, with its numbers where there are some", async () => {
    const path = at("types.safetensors");
    const tensors = {
      BF16: bits([0x3f80, 0xc000, 0x7f80, 0x7fc0], "BF16"),
      BOOL: bytesAs([0, 1, 1], "BOOL"),
      C64: { data: new Float32Array([3, 4]), shape: [1], dtype: "C64" as const },
      F16: bits([0x3c00, 0xc000, 0xfc00, 0x0001], "F16"),
      F32: floats([1, NaN, -Infinity, 1e-30]),
      F4: { data: new Uint8Array(1), shape: [2], dtype: "F4" as const },
      F64: { data: new Float64Array([1e100, 12345678]), shape: [2, 1] },
      F8_E4M3: bytesAs([0x38, 0x7e, 0x81, 0x7f], "F8_E4M3"),
      F8_E5M2: bytesAs([0x3c, 0x7b, 0x7c, 0x81], "F8_E5M2"),
      F8_E8M0: bytesAs([1], "F8_E8M0"),
      I64: { data: new BigInt64Array([-(2n ** 62n), 7n]), shape: [2] },
      U8: { data: new Uint8Array([0, 255]), shape: [2] },
      none: { data: new Float32Array(0), shape: [0, 3] },
    };
    writeFileSync(path, writeSafetensors(tensors, { format: "pt", text: "x".repeat(100) }));
    expect(await inspect(path)).toMatchInlineSnapshot(`
      "~/types.safetensors: safetensors, 1.01 kB

        format  pt
        text    xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx… (100 characters)

      Name     What    Type     Shape   Bytes       Norm        Min        Max  NaN  Inf
      BF16     tensor  BF16     [4]       8 B      2.236         -2          1    1    1
      BOOL     tensor  BOOL     [3]       3 B      1.414          0          1    0    0
      C64      tensor  C64      [1]       8 B          5          3          4    0    0
      F4       tensor  F4       [2]       1 B          -          -          -    -    -
      F8_E4M3  tensor  F8_E4M3  [4]       4 B        448  -0.001953        448    1    0
      F8_E5M2  tensor  F8_E5M2  [4]       4 B      57340  -1.526e-5      57344    0    1
      F8_E8M0  tensor  F8_E8M0  [1]       1 B          -          -          -    -    -
      F16      tensor  F16      [4]       8 B      2.236         -2          1    0    1
      F32      tensor  F32      [4]      16 B          1  1.000e-30          1    1    1
      F64      tensor  F64      [2, 1]   16 B  1.000e100    1.235e7  1.000e100    0    0
      I64      tensor  I64      [2]      16 B   4.612e18  -4.612e18          7    0    0
      none     tensor  F32      [0, 3]    0 B          0          -          -    0    0
      U8       tensor  U8       [2]       2 B        255          0        255    0    0

      total  13 tensors  33 elements  87 B

      Not finite in 5 tensors: F32, BF16, F16, F8_E4M3, F8_E5M2
      => 0"
    `);
  });

  test("numbers of a tensor that is read in many pieces", async () => {
    const data = Float32Array.from({ length: 700_000 }, (_, i) => (i === 699_999 ? -3 : i % 2));
    writeFileSync(
      at("large.safetensors"),
      writeSafetensors({
        a: { data: new Uint8Array(1), shape: [1] },
        w: { data, shape: [7, 100_000] },
      }),
    );
    const text = await inspect(at("large.safetensors"), { tensors: "w" });
    expect(text).toMatch(/w +tensor +F32 +\[7, 100000\] +2\.8 MB +591\.6 +-3 +1 +0 +0\n/);
  });

  test("long tables: in order, cut, with what is not finite in sight", async () => {
    const names = Array.from({ length: 30 }, (_, i) => `model.layers.${i}.self_attention.weight`);
    const entries = names.map((name, i) => [
      name,
      floats(Array.from({ length: 30 - i }, () => (i === 20 ? NaN : i))),
    ]);
    writeFileSync(at("long.safetensors"), writeSafetensors(Object.fromEntries(entries) as never));
    expect(await inspect(at("long.safetensors"), { limit: 4 })).toMatchInlineSnapshot(`
      "~/long.safetensors: safetensors, 4.71 kB

      Name                                   What    Type  Shape  Bytes   Norm  Min  Max  NaN  Inf
      model.layers.0.self_attention.weight   tensor  F32   [30]   120 B      0    0    0    0    0
      model.layers.1.self_attention.weight   tensor  F32   [29]   116 B  5.385    1    1    0    0
      model.layers.2.self_attention.weight   tensor  F32   [28]   112 B  10.58    2    2    0    0
      model.layers.20.self_attention.weight  tensor  F32   [10]    40 B      0    -    -   10    0
      … and 26 more (--limit 0 shows all, --tensors narrows)

      total  30 tensors  465 elements  1.86 kB

      Not finite in 1 tensor: model.layers.20.self_attention.weight
      => 0"
    `);
    const first = async (flags: Partial<InspectFlags>) =>
      /^(model\S+)/m.exec(await inspect(at("long.safetensors"), flags))![1];
    expect(await first({ sort: "norm" })).toBe(names[19]);
    expect(await first({ sort: "bytes" })).toBe(names[0]);
    expect(await first({ sort: "name", limit: 1, tensors: "s.1" })).toBe(names[1]);
    const all = await inspect(at("long.safetensors"), { limit: 0 });
    expect(all.match(/^model/gm)).toHaveLength(30);
    const some = await inspect(at("long.safetensors"), { tensors: "*.1?.*" });
    expect(some.match(/^model/gm)).toHaveLength(10);
    const report = await inspectFile(at("long.safetensors"), {
      isDeep: true,
      hasStatistics: true,
      isWanted: () => true,
    });
    const narrow = reportText(report, {
      width: 60,
      limit: 2,
      order: "name",
      isWanted: () => true,
      color: true,
    });
    const lines = narrow.replaceAll("\u001b", "^").split("\n");
    expect(lines.slice(2, 6)).toMatchInlineSnapshot(`
      [
        "^[1mName              What    Type  Shape  Bytes  Norm  Min  Max  NaN  Inf^[22m",
        "model.la….weight  tensor  F32   [30]   120 B     0    0    0    0    0",
        "^[33mmodel.la….weight  tensor  F32   [10]    40 B     0    -    -   10    0^[39m",
        "… and 28 more (--limit 0 shows all, --tensors narrows)",
      ]
    `);
  });

  test("names cannot make a terminal do anything", async () => {
    const evil = "\u001b[2J\u202e";
    writeFileSync(
      at("evil.safetensors"),
      writeSafetensors({ [evil]: floats([NaN]) }, { [evil]: evil }),
    );
    // oxlint-disable-next-line no-control-regex
    expect(await inspect(at("evil.safetensors"))).not.toMatch(/[\u001b\u202e]/);
  });
});

describe("PyTorch's", () => {
  test("model, optimizer, and what else there is", async () => {
    expect(await inspect(join(recordings, "adamw-float32.pt"))).toMatchInlineSnapshot(`
      "~/adamw-float32.pt: PyTorch's, of torch.save, version 3, 3.47 kB

        optimizer  Adam or AdamW, 2 groups, 100 steps of each parameter
          group 0  1 parameter of 6 elements; lr=0.01, betas=0.9,0.999, eps=1e-8, weight_decay=0.1, amsgrad=true, foreach=null, maximize=false, capturable=false
          group 1  1 parameter of 3 elements; lr=0.02, betas=0.9,0.999, eps=1e-8, weight_decay=0.1, amsgrad=true, foreach=null, maximize=false, capturable=false
        epoch      100
        digests    all match (CRC-32 of each entry)

      Name                              What    Type     Shape   Bytes     Norm      Min      Max  NaN  Inf
      model.b                           tensor  float32  [3]      12 B    0.804  -0.3494   0.7212    0    0
      model.w                           tensor  float32  [3, 2]   24 B    1.179  -0.6511   0.7081    0    0
      optimizer.state.0.exp_avg         state   float32  [3, 2]   24 B   0.3152  -0.2068   0.1538    0    0
      optimizer.state.0.exp_avg_sq      state   float32  [3, 2]   24 B  0.07532  0.02806  0.03238    0    0
      optimizer.state.0.max_exp_avg_sq  state   float32  [3, 2]   24 B  0.07535  0.02806  0.03238    0    0
      optimizer.state.0.step            state   float32  []        4 B      100      100      100    0    0
      optimizer.state.1.exp_avg         state   float32  [3]      12 B   0.2801  -0.2189   0.1545    0    0
      optimizer.state.1.exp_avg_sq      state   float32  [3]      12 B  0.05235  0.02825  0.03238    0    0
      optimizer.state.1.max_exp_avg_sq  state   float32  [3]      12 B  0.05239  0.02825  0.03238    0    0
      optimizer.state.1.step            state   float32  []        4 B      100      100      100    0    0

      tensor   2 tensors   9 elements   36 B
      state    8 tensors  29 elements  116 B
      total   10 tensors  38 elements  152 B
      => 0"
    `);
  });

  test.each([
    ["sgd-float32", "SGD"],
    ["adam-float64", "Adam or AdamW"],
    ["rmsprop-float32", "RMSprop"],
  ])("the optimizer of %s may be %s", async (name, shown) => {
    expect(await inspect(join(recordings, `${name}.pt`))).toContain(
      `optimizer  ${shown}, 2 groups`,
    );
  });

  test("schedulers, and plain values", async () => {
    expect(await inspect(join(recordings, "schedulers.pt"))).toMatch(/scheduler +step at step 0\n/);
    expect(await inspect(join(recordings, "odd.pt"), { limit: 1 })).toMatchInlineSnapshot(`
      "~/odd.pt: PyTorch's, of torch.save, version 3, 3.91 kB

        plain.none      null
        plain.yes       true
        plain.big       1180591620717411303424
        plain.negative  -1099511627776
        plain.tuple     1,-2,300,70000
        plain.text      ü
        __proto__.x     1
        digests         all match (CRC-32 of each entry)

      Name           What    Type     Shape  Bytes   Norm  Min    Max  NaN  Inf
      types.float16  tensor  float16  [7]     14 B  65500   -2  65504    1    1
      … and 13 more (--limit 0 shows all, --tensors narrows)

      total  14 tensors  58 elements  190 B

      Not finite in 1 tensor: types.float16
      => 0"
    `);
  });
});

test("--json has all of it", async () => {
  const path = at("run", "step-0000000030.safetensors");
  const text = await inspect(path, { json: true, tensors: "model.", limit: 1 });
  expect(text).toMatch(/^\{[^\n]*\}\n=> 0$/);
  const report = JSON.parse(text.slice(0, text.lastIndexOf("\n"))) as FileReport;
  expect(report).toMatchInlineSnapshot(`
    {
      "also": {
        "metadata": {
          "note": "ü
    ",
        },
        "random": {
          "$tensor": "random",
        },
      },
      "bytes": 3916,
      "damaged": [],
      "digest": "SHA-256",
      "file": "~/run/step-0000000030.safetensors",
      "format": "downhill",
      "isHeaderWhole": true,
      "optimizers": [
        {
          "groups": [
            {
              "elements": 4,
              "options": {
                "amsgrad": false,
                "betas": [
                  0.9,
                  0.999,
                ],
                "decoupledWeightDecay": false,
                "eps": 1e-8,
                "lr": 0.12500000000000003,
                "maximize": false,
                "weightDecay": 0,
              },
              "parameters": 1,
            },
            {
              "elements": 1,
              "options": {
                "amsgrad": false,
                "betas": [
                  0.9,
                  0.999,
                ],
                "decoupledWeightDecay": false,
                "eps": 1e-8,
                "lr": 0.25000000000000006,
                "maximize": false,
                "weightDecay": 0,
              },
              "parameters": 1,
            },
          ],
          "name": "Adam",
          "place": "",
          "steps": [
            30,
            30,
          ],
        },
        {
          "groups": [
            {
              "elements": 1,
              "options": {},
              "parameters": 1,
            },
          ],
          "name": "AveragedModel",
          "place": "averages.0",
          "steps": [
            30,
            30,
          ],
        },
      ],
      "schedulers": [
        {
          "name": "CosineAnnealingLR",
          "step": 30,
        },
      ],
      "step": 30,
      "tensors": [
        {
          "bytes": 4,
          "dtype": "F32",
          "elements": 1,
          "isWhole": true,
          "name": "model.layers.0.bias",
          "shape": [
            1,
          ],
          "statistics": {
            "inf": 0,
            "max": -11.898557662963867,
            "min": -11.898557662963867,
            "nan": 0,
            "norm": 11.898557662963867,
          },
          "what": "parameter",
        },
        {
          "bytes": 16,
          "dtype": "F32",
          "elements": 4,
          "isWhole": true,
          "name": "model.layers.0.weight",
          "shape": [
            2,
            2,
          ],
          "statistics": {
            "inf": 0,
            "max": 1,
            "min": -8.199278831481934,
            "nan": 0,
            "norm": 9.126904417765408,
          },
          "what": "parameter",
        },
      ],
      "totals": [
        {
          "bytes": 24,
          "elements": 6,
          "tensors": 3,
          "what": "average",
        },
        {
          "bytes": 20,
          "elements": 5,
          "tensors": 2,
          "what": "parameter",
        },
        {
          "bytes": 40,
          "elements": 10,
          "tensors": 4,
          "what": "state",
        },
        {
          "bytes": 8,
          "elements": 2,
          "tensors": 1,
          "what": "data",
        },
        {
          "bytes": 92,
          "elements": 23,
          "tensors": 10,
          "what": "total",
        },
      ],
      "version": "1",
    }
  `);
});

describe("a folder", () => {
  test("which checkpoints are whole, and which is the latest of them", async () => {
    cpSync(at("run"), at("folder"), { recursive: true });
    const newest = at("folder", "step-0000000030.safetensors");
    writeFileSync(newest, readFileSync(damaged("flipped.safetensors", lastByte)));
    writeFileSync(at("folder", "step-0000000040.safetensors"), "{");
    cpSync(join(recordings, "model.pt"), at("folder", "model.pt"));
    for (const name of [
      "model.pt",
      ...[10, 20, 30, 40].map((n) => `step-00000000${n}.safetensors`),
    ])
      utimesSync(at("folder", name), 1e9, 1e9);
    expect(await inspect(at("folder"))).toMatchInlineSnapshot(`
      "~/folder: 5 files

      Step  File                           Bytes  Saved (UTC)          State
        40  step-0000000040.safetensors      1 B  2001-09-09 01:46:40  TRUNCATED: safetensors: got 1 bytes, expected at least 8.
        30  step-0000000030.safetensors  3.92 kB  2001-09-09 01:46:40  DIGEST_MISMATCH: damaged: random
        20  step-0000000020.safetensors  3.92 kB  2001-09-09 01:46:40  whole, the latest
        10  step-0000000010.safetensors  3.92 kB  2001-09-09 01:46:40  whole
         -  model.pt                     2.37 kB  2001-09-09 01:46:40  whole
      => 1"
    `);
    const json = await inspect(at("folder"), { json: true });
    expect(json).toContain('"latestValid":"step-0000000020.safetensors"');
    expect(await inspect(at("run"))).toMatch(
      /step-0000000030.* whole, the latest\n.* whole\n.* whole\n=> 0$/s,
    );
  });

  test("headers alone, and nothing at all", async () => {
    expect(await inspect(at("folder"), { quick: true })).toMatch(
      /step-0000000030.* whole, the latest/,
    );
    mkdirSync(at("empty"));
    expect(await inspect(at("empty"))).toBe("~/empty: no checkpoints\n=> 0");
  });
});

test("what is refused says why", async () => {
  writeFileSync(at("text"), "hello, this is no checkpoint");
  writeFileSync(at("short"), "hello");
  const whole = readFileSync(at("run", "step-0000000030.safetensors"));
  writeFileSync(at("cut"), whole.subarray(0, whole.length - 1));
  const torn = readFileSync(join(recordings, "model.pt"));
  torn[torn.indexOf("data/2") + 70]! ^= 1;
  writeFileSync(at("torn.pt"), torn);
  const refused: Record<string, string> = {};
  for (const [path, flags] of [
    [at("text"), {}],
    [at("short"), {}],
    [at("cut"), {}],
    [at("torn.pt"), {}],
    [at("missing"), {}],
    [join(recordings, "legacy.pt"), {}],
    [at("types.safetensors"), { tensors: "nothing" }],
  ] as const) {
    const error = (await inspect(path, flags).catch((e: unknown) => e)) as Error & {
      code?: string;
    };
    const text = `${error.name} ${error.code ?? ""}: ${error.message}`;
    refused[path.replace(folder, "~").replace(recordings, "~")] = text
      .replaceAll(folder, "~")
      .replaceAll(recordings, "~");
  }
  expect(refused).toMatchInlineSnapshot(`
    {
      "~/cut": "CheckpointError TRUNCATED: safetensors: got 91 bytes of tensors, expected 92.",
      "~/legacy.pt": "CheckpointError UNKNOWN_FORMAT: ~/legacy.pt: got a bare pickle, expected a safetensors file, or one of torch.save. torch.save has written zip files since PyTorch 1.6; save it anew.",
      "~/missing": "CheckpointError NOT_FOUND: ~/missing: got ENOENT (ENOENT: no such file or directory, stat '~/missing'), expected a file or a folder.",
      "~/short": "CheckpointError TRUNCATED: safetensors: got 5 bytes, expected at least 8.",
      "~/text": "CheckpointError UNKNOWN_FORMAT: ~/text: got other bytes, expected a safetensors file, or one of torch.save.",
      "~/torn.pt": "CheckpointError BAD_CHECKSUM: zip entry "model/data/2": got bytes of another checksum, expected CRC-32 dc7c4e94.",
      "~/types.safetensors": "UsageError : --tensors: got "nothing", expected a part of one of the 13 names, or a pattern for them.",
    }
  `);
});
