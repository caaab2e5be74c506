// PyTorch's curves: a live recording where PyTorch is installed, stand-ins for everything that can
// go wrong, and the recorded file, which must never be used for another experiment.
// DOWNHILL_REQUIRE_ALL=1 turns a missing PyTorch from a skipped test into a failed one.

import { createHash } from "node:crypto";
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";

import { batchOrder, defaultExperiment, initialWeights } from "../../src/training/experiment.ts";
import type { Experiment } from "../../src/training/experiment.ts";
import { comparedOptimizers, type ComparedOptimizer } from "../../src/training/optimizers.ts";
import { loadMnist } from "../../src/cli/mnist.ts";
import { trainingExamples } from "../../src/training/mnist.ts";
import type { Mnist } from "../../src/cli/mnist.ts";
import {
  curveOf,
  findTorch,
  hasCurves,
  loadRecordedCurves,
  recordedCurvesFile,
  recordTorchCurves,
  TorchError,
  whyNotInTorch,
} from "../../src/cli/torch.ts";
import type { TorchProgress, TorchRecord } from "../../src/cli/torch.ts";

const tiny: Experiment = {
  layers: [784, 8, 10],
  activation: "tanh",
  batchSize: 3000,
  epochs: 1,
  seed: 3,
};
const two: ComparedOptimizer[] = [
  { key: "sgd", label: "SGD", torchClass: "SGD", options: { lr: 0.1, weightDecay: 1e-3 } },
  { key: "adam", label: "Adam", torchClass: "Adam", options: { lr: 1e-3, betas: [0.8, 0.99] } },
];
const folders: string[] = [];

afterEach(() => {
  vi.unstubAllEnvs();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

const required = process.env["DOWNHILL_REQUIRE_ALL"] === "1";
describe.skipIf(findTorch() === null && !required)("a live recording", () => {
  test("trains every optimizer in both types and cleans up", async () => {
    const folder = temporaryFolder();
    vi.stubEnv("TMPDIR", folder);
    const seen: TorchProgress[] = [];
    const record = await recordTorchCurves(tiny, two, loadMnist(), (p) => seen.push(p));

    expect(record.torch).toBe(findTorch()?.version);
    expect(record.experiment).toEqual(tiny);
    expect(record.curves.map(({ key, dtype }) => `${key} ${dtype}`)).toEqual([
      "sgd float32",
      "sgd float64",
      "adam float32",
      "adam float64",
    ]);
    for (const optimizer of two) {
      const single = curveOf(record, optimizer, "float32")!;
      const double = curveOf(record, optimizer, "float64")!;
      expect(single.losses).toHaveLength(20);
      expect(single.losses).toEqual(single.losses.map(Math.fround).map(nineDigits));
      const distances = single.losses.map((loss, i) => Math.abs(loss - double.losses[i]!));
      expect(Math.max(...distances)).toBeLessThan(1e-5);
      expect(Math.max(...distances)).toBeGreaterThan(0);
      expect(double.losses.at(-1)!).toBeLessThan(double.losses[0]!);
      expect(double.accuracy).toBeGreaterThan(0.1);
      expect(double.secondsPerStep).toBeGreaterThan(0);
    }
    expect(seen.map(({ run, step, steps }) => [run, step, steps])).toEqual(
      [0, 1, 2, 3].map((run) => [run, 20, 20]),
    );
    expect(readdirSync(folder)).toEqual([]);
  });

  test("says when an optimizer diverges", async () => {
    const wild = { key: "wild", label: "", torchClass: "SGD", options: { lr: 1e38 } };
    const relu: Experiment = { ...tiny, activation: "relu" };
    const error = await failure(recordTorchCurves(relu, [wild], loadMnist()));
    expect(error.message).toMatch(/wild in float32 diverged: the loss of step \d+ is (nan|inf)/);
  });
});

describe("what goes wrong", () => {
  const mnist = {
    train: { images: new Uint8Array(0), labels: new Uint8Array(0), count: trainingExamples },
    test: { images: new Uint8Array(0), labels: new Uint8Array(0), count: 0 },
    directory: "/nowhere",
  } satisfies Mnist;

  test("there is no PyTorch", async () => {
    vi.stubEnv("DOWNHILL_PYTHON", "/no/such/python");
    expect(findTorch()).toBeNull();
    const error = await failure(recordTorchCurves(tiny, two, mnist));
    expect(error.code).toBe("TORCH_NOT_FOUND");
    expect(error.message).toMatchInlineSnapshot(
      `"No Python with PyTorch and NumPy was found (tried: /no/such/python). Install both (pip install torch numpy), or set DOWNHILL_PYTHON to an interpreter that has them."`,
    );
  });

  test("the script fails", async () => {
    const python = standIn(`echo "a warning" >&2; echo "RuntimeError: out of digits" >&2; exit 3`);
    const error = await failure(recordTorchCurves(tiny, two, mnist));
    expect(error.code).toBe("TORCH_FAILED");
    expect(error.message.replace(python, "PYTHON").replace(/\S+(?=scripts)/, ""))
      .toMatchInlineSnapshot(`
      "PYTHON scripts/torch_curves.py failed: it ended with status 3.
      a warning
      RuntimeError: out of digits"
    `);
  });

  test("the script answers for another experiment", async () => {
    standIn(`echo '{"torch":"9.9","experiment":{},"curves":[]}' > "$2/result.json"`);
    const error = await failure(recordTorchCurves(tiny, two, mnist));
    expect(error.code).toBe("TORCH_FAILED");
    expect(error.message).toMatchInlineSnapshot(
      `"PyTorch 9.9 answered for another experiment than it was given. Was scripts/torch_curves.py changed? Reinstall Downhill."`,
    );
  });
});

test("which version of PyTorch has which optimizer", () => {
  const some = { key: "x", label: "X", torchClass: "X", options: {} };
  const since = { ...some, torchSince: "2.9" };
  const versions = ["1.13.0a0", "2.8.1", "2.9.0+cpu", "2.13.0", "3.0"];
  expect(versions.map((version) => whyNotInTorch(since, version))).toEqual([
    "X, which PyTorch has from 2.9 on (this is 1.13.0a0)",
    "X, which PyTorch has from 2.9 on (this is 2.8.1)",
    null,
    null,
    null,
  ]);
  expect(whyNotInTorch(some, "1.13")).toBeNull();
  expect(whyNotInTorch({ ...some, torchDiffers: "because" }, "2.13")).toBe("because");
});

describe("the recorded curves", () => {
  test("cover the default experiment and stay small", () => {
    const record = loadRecordedCurves(defaultExperiment)!;
    const lacking = comparedOptimizers.filter((optimizer) => !hasCurves(record, optimizer));
    expect(lacking.map(({ key }) => key)).toEqual(["adafactor", "muon", "lbfgs"]);
    for (const optimizer of comparedOptimizers) {
      if (lacking.includes(optimizer)) continue;
      expect(curveOf(record, optimizer, "float32")!.losses).toHaveLength(2811);
      expect(curveOf(record, optimizer, "float64")!.losses).toHaveLength(2811);
      const floor = ["sgd", "asgd", "rprop"].includes(optimizer.key) ? 0.92 : 0.96;
      expect(curveOf(record, optimizer, "float32")!.accuracy).toBeGreaterThan(floor);
    }
    expect(statSync(recordedCurvesFile()).size).toBeLessThan(950_000);
  });

  test.each<[string, Partial<Experiment>]>([
    ["other layers", { layers: [784, 64, 10] }],
    ["another batch size", { batchSize: 32 }],
    ["another number of epochs", { epochs: 2 }],
    ["another seed", { seed: 2 }],
  ])("are not used for %s", (_, change) => {
    expect(loadRecordedCurves({ ...defaultExperiment, ...change })).toBeNull();
  });

  test.each<[string, Partial<ComparedOptimizer>]>([
    ["another value of an option", { options: { lr: 0.2 } }],
    ["an option more", { options: { lr: 0.1, nesterov: true } }],
    ["an option less", { options: {} }],
    ["another class", { torchClass: "Adagrad" }],
  ])("are not used for %s", (_, change) => {
    const changed = { ...comparedOptimizers[0]!, ...change };
    const record = loadRecordedCurves(defaultExperiment)!;
    expect(hasCurves(record, changed)).toBe(false);
    expect(curveOf(record, changed, "float64")).toBeNull();
  });

  test("are found by class and options, whatever their name", () => {
    const renamed = { ...comparedOptimizers[3]!, key: "a", label: "A" };
    const record = loadRecordedCurves(defaultExperiment)!;
    expect(curveOf(record, renamed, "float64")!.key).toBe("adam");
  });

  test("are not used when they were recorded from other weights or batches", () => {
    const record: TorchRecord = {
      torch: "9.9",
      experiment: tiny,
      weights: sha256(...initialWeights(tiny).map(({ data }) => data)),
      order: sha256(batchOrder(tiny, trainingExamples)),
      curves: [],
    };
    expect(loadRecordedCurves(tiny, fileWith(record))).toEqual(record);
    expect(loadRecordedCurves(tiny, fileWith({ ...record, weights: "0" }))).toBeNull();
    expect(loadRecordedCurves(tiny, fileWith({ ...record, order: "0" }))).toBeNull();
  });

  test("are not used when the file is missing or no record", () => {
    expect(loadRecordedCurves(defaultExperiment, "/no/such/file.json")).toBeNull();
    expect(loadRecordedCurves(defaultExperiment, fileWith({ curves: [] }))).toBeNull();
    const cut = readFileSync(recordedCurvesFile(), "utf8").slice(0, 5000);
    expect(loadRecordedCurves(defaultExperiment, fileWithText(cut))).toBeNull();
  });
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "downhill-test-"));
  folders.push(folder);
  return folder;
}

/** A shell script in Python's place: it claims to have PyTorch 9.9, then runs `body`. */
function standIn(body: string): string {
  const python = join(temporaryFolder(), "python");
  writeFileSync(python, `#!/bin/sh\nif [ "$1" = -c ]; then echo 9.9; exit; fi\n${body}\n`);
  chmodSync(python, 0o755);
  vi.stubEnv("DOWNHILL_PYTHON", python);
  return python;
}

function fileWith(value: unknown): string {
  return fileWithText(JSON.stringify(value));
}

function fileWithText(text: string): string {
  const file = join(temporaryFolder(), "curves.json");
  writeFileSync(file, text);
  return file;
}

function sha256(...parts: (Float32Array | Uint32Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

function nineDigits(value: number): number {
  return Number(value.toPrecision(9));
}

async function failure(promise: Promise<unknown>): Promise<TorchError> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof TorchError) return error;
  throw error ?? new Error("the recording succeeded, although it should not have");
}
