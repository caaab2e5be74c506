/**
 * The MNIST digits: four idx files, what is in them, and how one knows that they are the canonical ones.
 *
 * Each must have the SHA-256 of the canonical data set, or a learning curve would be compared with one from
 * other data. Pixels stay bytes until a batch needs them: as float32 numbers they would take 220 MB, and
 * longer to make than all else.
 */

/** One half of the data set: `images` holds `count` rows of 784 pixels from 0 to 255. */
export interface DigitSet {
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
  readonly count: number;
}

/** The whole data set: 60,000 digits to train on, 10,000 to test with. */
export interface Digits {
  readonly train: DigitSet;
  readonly test: DigitSet;
}

/** What a file has to be. */
export interface IdxFile {
  readonly name: string;
  readonly dimensions: readonly number[];
  readonly sha256: string;
}

/** Number of digits to train on. */
export const trainingExamples = 60_000;

/** Of a digit: 28 rows of 28. */
export const pixels = 784;

export const mnistFiles = {
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

/** What each byte of a pixel stands for: from 0 to 1, rounded to float32 once. */
export const brightness: Float32Array = Float32Array.from({ length: 256 }, (_, byte) => byte / 255);

/** Where the page of the lab finds a file, gzipped. */
export const packedName = ({ name }: IdxFile): string => `data/${name}.gz`;

/** Length of a file in bytes. */
export function sizeOf({ dimensions }: IdxFile): number {
  return headerOf(dimensions) + dimensions.reduce((product, length) => product * length, 1);
}

/** What is wrong with a file's length or its header, as in "it has 3 bytes instead of 8"; or `null`. */
export function shapeProblem(bytes: Uint8Array, file: IdxFile): string | null {
  const { dimensions } = file;
  const size = sizeOf(file);
  if (bytes.length !== size) return `it has ${bytes.length} bytes instead of ${size}`;
  const header = new DataView(bytes.buffer, bytes.byteOffset, headerOf(dimensions));
  // An idx file opens with 0, 0, the element type (8 = unsigned byte) and the number of dimensions.
  const magic = header.getUint32(0);
  const expected = 0x0800 | dimensions.length;
  if (magic !== expected) return `its magic number is ${magic} instead of ${expected}`;
  const got = dimensions.map((_, i) => header.getUint32(4 + 4 * i));
  if (got.every((length, i) => length === dimensions[i])) return null;
  return `its shape is ${got.join(" x ")} instead of ${dimensions.join(" x ")}`;
}

/** As {@link shapeProblem}, for what {@link shapeProblem} does not see. */
export function digestProblem(digest: string, { sha256 }: IdxFile): string | null {
  return digest === sha256 ? null : `its SHA-256 is ${digest} instead of ${sha256}`;
}

/** The data set in the files' bytes, which must be sound. */
export function digitsFrom(bytesOf: (file: IdxFile) => Uint8Array): Digits {
  const values = (file: IdxFile) => bytesOf(file).subarray(headerOf(file.dimensions));
  const part = (imageFile: IdxFile, labelFile: IdxFile): DigitSet => {
    const labels = values(labelFile);
    return { images: values(imageFile), labels, count: labels.length };
  };
  const { trainImages, trainLabels, testImages, testLabels } = mnistFiles;
  return { train: part(trainImages, trainLabels), test: part(testImages, testLabels) };
}

/** Some of a part's examples: as many as that from its beginning. */
export function firstOf({ images, labels }: DigitSet, count: number): DigitSet {
  return { images: images.subarray(0, count * pixels), labels: labels.subarray(0, count), count };
}

/** Share of a part's examples that are taken for what they are, from 0 to 1. */
export function shareRight(taken: Uint8Array, { labels, count }: DigitSet): number {
  return taken.filter((digit, i) => digit === labels[i]).length / count;
}

const headerOf = (dimensions: readonly number[]): number => 4 + 4 * dimensions.length;
