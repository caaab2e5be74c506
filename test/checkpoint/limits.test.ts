/**
 * What a file may cost, whatever it holds: as much of it as may be by default is read or refused in 100 ms. Memory
 * is measured in a process of its own, at its peak: for safetensors less than twice the file besides the file,
 * for PyTorch's the larger of 32 MiB and three times the file.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CheckpointError, readSafetensors, readTorch } from "../../src/checkpoint/index.ts";
import { bundle } from "../helpers/bundle.ts";
import { peakMemory } from "../helpers/peak-memory.ts";
import { file, wellFormed } from "../helpers/safetensors-corpus.ts";
import { file as torchFile, tensor as torchTensor } from "../helpers/torch-file.ts";

/** What compiled code takes. */
const CODE = 2 ** 22;
/** As large as a header may be. */
const MOST = 2 ** 23;
/** As many entries as may be by default. */
const many = (entry: (i: number) => string, count = 65_536) =>
  `{${Array.from({ length: count }, (_, i) => entry(i)).join(",")}}`;
const tensor = (name: string, shape = "[0]", offsets = "0,0") =>
  `"${name}":{"dtype":"U8","shape":${shape},"data_offsets":[${offsets}]}`;
const short = (i: number) => i.toString(36);
const texts = (entry: (i: number) => string, count?: number) =>
  `{"__metadata__":${many(entry, count)}}`;
const fill = (start: string, item: string, end: string) =>
  start + item.repeat(Math.floor((MOST - 100) / new TextEncoder().encode(item).length)) + end;

const headers: Record<string, string> = {
  "tensors with short names": many((i) => tensor(short(i))),
  "tensors with long names": many((i) => tensor(short(i).padStart(30, "_"))),
  "tensors with escaped names": many((i) => tensor(`\\n\\u00fc${short(i)}`)),
  "tensors with space between": many((i) => tensor(short(i)).replaceAll(":", " \n : ")),
  "tensors of 64 dimensions": many((i) => tensor(short(i), `[${"0,".repeat(63)}0]`), 46_000),
  "tensors in no order": many((i) => tensor(short(i), "[1]", `${i ^ 1},${(i ^ 1) + 1}`)),
  "many tensors too many": many((i) => tensor(short(i)), 140_000),
  "many texts too many": texts((i) => `"${short(i)}":""`, 850_000),
  "escaped texts": texts((i) => `"\\t${short(i)}":"\\n"`),
  "one long text": fill(`{"__metadata__":{"a":"`, "x", `"}}`),
  "a text in another script": fill(`{"__metadata__":{"a":"`, "あ", `"}}`),
  "nothing but escapes": fill(`{"__metadata__":{"a":"`, "\\n", `"}}`),
  "long escapes": fill(`{"__metadata__":{"a":"`, "\\ud83d\\ude00", `"}}`),
  "a long name": fill(`{"`, "a", `":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`),
  "an endless shape": fill(`{"a":{"dtype":"U8","shape":[`, "0,", `0],"data_offsets":[0,0]}}`),
  "endless offsets": fill(`{"a":{"data_offsets":[`, "0,", "0]}}"),
  "an endless number": fill(`{"a":{"data_offsets":[`, "1", "]}}"),
  "endless brackets": fill(`{"__metadata__":`, "[", ""),
  "endless space": fill("", " ", ""),
};
const bodies: Record<string, number> = { "tensors in no order": 65_536 };
const inputs = Object.entries(headers).map(([name, header]) => ({
  name,
  bytes: file(header, bodies[name]),
}));

/** Almost as many instructions as may be, with the ends of a file around them. */
const N = 99_000;
const repeat = (count: number, each: (i: number) => number[]) =>
  new Uint8Array(Array.from({ length: count }, (_, i) => each(i)).flat());
const uint32 = (n: number) => [n & 255, (n >> 8) & 255, (n >> 16) & 255, n >>> 24];
const pickles: Record<string, Uint8Array> = {
  "lists of nothing": torchFile(["(", repeat(N, () => [0x5d]), "t"]),
  "dictionaries of nothing": torchFile(["(", repeat(N, () => [0x7d]), "t"]),
  "tuples of nothing": torchFile(["(", repeat(N, () => [0x29]), "t"]),
  "tuples of one": torchFile(["(", repeat(N / 2, () => [0x4e, 0x85]), "t"]),
  "lists that are remembered": torchFile([
    "(",
    repeat(N / 2, (i) => [0x5d, 0x72, ...uint32(i)]),
    "t",
  ]),
  "lists in lists": torchFile(["(", repeat(N / 3, () => [0x5d, 0x5d, 0x61]), "t"]),
  "a dictionary of numbers": torchFile([
    "}(",
    repeat(N / 2, (i) => [0x4a, ...uint32(i * 7919), 0x4e]),
    "u",
  ]),
  "short texts": torchFile(["(", repeat(N, (i) => [0x58, 2, 0, 0, 0, 65 + (i % 26), 97]), "t"]),
  "big integers": torchFile(["(", repeat(N, () => [0x8a, 8, 1, 2, 3, 4, 5, 6, 7, 100]), "t"]),
  "more than there may be": torchFile(["(", repeat(3 * N, () => [0x7d]), "t"]),
  "one long text": torchFile(["X", [0, 0, 64, 0], repeat(2 ** 22, () => [0x61])]),
  "views of a storage": torchFile(
    ["(", ...Array(2000).fill(torchTensor({ numel: 2 ** 18, shape: [2 ** 18] })), "t"],
    { "0": new Uint8Array(2 ** 20) },
  ),
};
const all = [
  ...inputs.map((input) => ({ ...input, read: readSafetensors, format: "safetensors" })),
  ...Object.entries(pickles).map(([name, bytes]) => ({
    name,
    bytes,
    read: readTorch,
    format: "PyTorch's",
  })),
];

test.each(all)("in 100 ms: $format, $name", ({ bytes, read }) => {
  let fastest = Infinity;
  for (let tries = 0; tries < 8 && fastest > 100; tries++) {
    const start = performance.now();
    const cpu = process.cpuUsage();
    try {
      read(bytes);
    } catch (error) {
      expect(error).toBeInstanceOf(CheckpointError);
    }
    // On a busy machine less than what a clock says.
    const { user, system } = process.cpuUsage(cpu);
    fastest = Math.min(fastest, performance.now() - start, (user + system) / 1000);
  }
  expect(fastest).toBeLessThan(100);
});

describe("in a process of its own", () => {
  let folder: string;
  let reader: string;
  let small: string;
  const recorded = fileURLToPath(new URL("../torch-checkpoints/adam-float32.pt", import.meta.url));
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "downhill-limits-"));
    reader = join(folder, "reader.mjs");
    const code = `
      ${peakMemory}
      import { readFileSync } from "node:fs";
      import { readSafetensors, readTorch } from "downhill/checkpoint";
      const [format, path, sample] = process.argv.slice(2);
      const read = (bytes) => {
        try {
          return format === "safetensors"
            ? readSafetensors(bytes, { maxTensors: Infinity, maxTexts: Infinity })
            : readTorch(bytes);
        } catch (error) { return error; }
      };
      const bytes = readFileSync(path);
      const used = () => {
        gc();
        const { heapUsed, external } = process.memoryUsage();
        return heapUsed + external;
      };
      const small = readFileSync(sample);
      for (let i = 0; i < 100; i++) read(small); // so that the code itself is there
      const before = used();
      const resident = peakMemory();
      const kept = read(bytes);
      const peak = peakMemory() - resident;
      console.log(JSON.stringify({ peak, kept: used() - before, isThere: kept !== undefined }));`;
    writeFileSync(reader, await bundle(code));
    small = join(folder, "small");
    writeFileSync(small, wellFormed["out of order"]!);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test.each(all)("at most so much memory: $format, $name", ({ bytes, format }) => {
    const path = join(folder, "input");
    writeFileSync(path, bytes);
    const flags = ["--expose-gc", "--max-semi-space-size=1"];
    const args = [...flags, reader, format, path, format === "safetensors" ? small : recorded];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect(stderr).toBe("");
    const { peak, kept } = JSON.parse(stdout) as { peak: number; kept: number };
    const { length } = bytes;
    if (format === "safetensors") {
      expect(peak).toBeLessThan(2 * length + CODE);
      expect(kept).toBeLessThan(1.5 * length);
    } else expect(peak).toBeLessThan(Math.max(2 ** 25, 3 * length) + CODE);
  });
});
