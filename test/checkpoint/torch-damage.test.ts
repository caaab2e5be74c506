/**
 * Broken files for the reader of PyTorch's: each gets an error of ours, soon and in little memory. A million mutated
 * files where nothing may be missing, some ten thousand otherwise.
 */
import { readFileSync } from "node:fs";
import { crc32 as crc32OfNode } from "node:zlib";
import { describe, expect, test } from "vitest";
import { CheckpointError, readTorch } from "../../src/checkpoint/index.ts";
import { SavedTensor } from "../../src/checkpoint/torch/tensor.ts";
import { crc32 } from "../../src/checkpoint/torch/zip.ts";
import { Chance, COUNT, fuzz, mutate } from "../helpers/fuzz.ts";
import { malformed, nested, shaped, untyped, whole } from "../helpers/torch-corpus.ts";
import { file, join, mend, pickleRange, text, zip } from "../helpers/torch-file.ts";

const codeOf = (bytes: Uint8Array): string => {
  try {
    readTorch(bytes);
  } catch (error) {
    return error instanceof CheckpointError ? error.code : `${String(error)}`;
  }
  return "accepted";
};

const table = Object.entries(malformed).flatMap(([code, files]) =>
  Object.entries(files).map(([title, bytes]) => ({ code, title, bytes })),
);

test.each(table)("refuses: $title ($code)", ({ code, bytes }) => {
  expect(codeOf(bytes)).toBe(code);
});

test("accepts what is odd and whole", () => {
  const odd: Record<string, Uint8Array> = {
    "what the others are changed from": zip(whole),
    "64 lists": nested(64),
    "an empty tensor at the end": shaped({ shape: [0], offset: 2 }),
    "sizes in zip64": zip(whole.map((entry) => ({ ...entry, wide: [7, 0, 1, 0, 9] }))),
    "an untyped storage": shaped({ ...untyped, numel: 8, dtype: "torch float8_e5m2" }),
    "a key of __proto__": file(["}", text("__proto__"), "}s"]),
    "an entry that nothing refers to": zip([...whole, { name: "x/.other", bytes: join("1") }]),
  };
  for (const [title, bytes] of Object.entries(odd)) expect(codeOf(bytes), title).toBe("accepted");
  expect({}).not.toHaveProperty("x");
});

test("CRC-32 is CRC-32", () => {
  for (const length of [0, 1, 2, 3, 4, 5, 100, 1023]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 7919) >> 3);
    expect(crc32(bytes)).toBe(crc32OfNode(bytes));
  }
});

const titles = ["sgd-float32", "adam-float64", "odd", "model", "schedulers", "2.13/newer"];
const recorded = titles.map((title) => {
  const bytes = readFileSync(new URL(`../torch-checkpoints/${title}.pt`, import.meta.url));
  return { title, bytes: new Uint8Array(bytes) };
});

/** Everything in a file, as text. */
const contents = (bytes: Uint8Array): string =>
  JSON.stringify(readTorch(bytes), (_, value: unknown) =>
    value instanceof SavedTensor
      ? [value.dtype, value.shape, [...value.data].map(String)]
      : typeof value === "bigint"
        ? `${value}n`
        : value,
  );

test.each(recorded)("refuses $title cut off anywhere", ({ bytes }) => {
  for (let length = 0; length < bytes.length; length++) {
    expect(["TRUNCATED", "BAD_ZIP"]).toContain(codeOf(bytes.subarray(0, length)));
  }
});

test("refuses two ends that differ, and says what is wrong with an entry", () => {
  const { bytes } = recorded[0]!;
  const other = bytes.slice();
  other[other.length - 6]! ^= 1;
  expect(() => readTorch(other)).toThrow("zip: got two ends that differ");
  const { compressed, ...others } = malformed["BAD_ZIP"]!;
  expect(() => readTorch(compressed!)).toThrow('zip entry "x/data/0": got compression 8');
  const extra = others["an extra field beyond its end"]!;
  expect(() => readTorch(extra)).toThrow("got an extra field beyond its end");
});

test("no bit that is turned changes a number", () => {
  const { bytes } = recorded[0]!;
  const expected = contents(bytes);
  let refused = 0;
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const copy = bytes.slice();
    copy[bit >> 3]! ^= 1 << (bit & 7);
    try {
      if (contents(copy) !== expected) throw new Error(`bit ${bit} changed something`);
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      refused++;
    }
  }
  // The rest are dates, versions and the bytes that align storages.
  expect(refused).toBeGreaterThan(4 * bytes.length);
});

describe("takes", () => {
  const corpus = [...recorded.slice(0, 1), ...recorded.slice(3)].map(({ bytes }) => bytes);
  const small = table.map(({ bytes }) => bytes);
  const sound = zip(whole);
  /** The pickle is changed and its checksum is right again, so that the machine gets to see it. */
  const pickle = (chance: Chance): Uint8Array => {
    const copy = chance.pick(corpus).slice();
    const [begin, end] = pickleRange(copy);
    for (let times = 1 + chance.below(3); times > 0; times--) {
      const at = begin + chance.below(end - begin);
      if (chance.below(2)) copy[at] = chance.pick(copy.subarray(begin, end) as never);
      else {
        const from = begin + chance.below(end - begin);
        copy.copyWithin(at, from, from + Math.min(8, end - at));
      }
    }
    return mend(copy);
  };
  const program = (chance: Chance): Uint8Array => {
    const [first, ...rest] = whole;
    return zip([{ ...first!, bytes: mutate(first!.bytes, chance) }, ...rest]);
  };
  const inputs: Record<string, [share: number, input: (chance: Chance) => Uint8Array]> = {
    "mutated files of PyTorch's": [0.3, (chance) => mutate(chance.pick(corpus), chance)],
    "PyTorch's with mutated pickles": [0.4, pickle],
    "mutated files of the corpus": [
      0.25,
      (chance) => mutate(chance.below(4) ? chance.pick(small) : sound, chance),
    ],
    "small files with mutated pickles": [0.05, program],
  };

  test.each(Object.entries(inputs).map(([title, [share, input]]) => ({ title, share, input })))(
    "$share of the inputs as $title",
    ({ share, input }) => {
      const accepted = fuzz(share * COUNT, input, (bytes) => void contents(bytes));
      expect(accepted).toBeLessThan(0.9 * share * COUNT);
      expect(accepted).toBeGreaterThan(10);
    },
    600_000,
  );
});
