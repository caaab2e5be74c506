/** The safetensors reader and writer: what is refused and how, what is read, and how it is written. */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  CheckpointError,
  readSafetensors,
  writeSafetensors,
  type TensorInput,
} from "../../src/checkpoint/index.ts";
import { sha256, sha256Plain } from "../../src/checkpoint/sha256.ts";
import { Chance } from "../helpers/fuzz.ts";
import { refusals } from "../helpers/refusals.ts";
import { entry, file, malformed, wellFormed } from "../helpers/safetensors-corpus.ts";

const codeOf = (bytes: Uint8Array): string => {
  try {
    readSafetensors(bytes);
  } catch (error) {
    return error instanceof CheckpointError ? error.code : String(error);
  }
  return "accepted";
};

describe("the reader", () => {
  test.each(malformed)("refuses: $name", ({ bytes, code }) => {
    expect(codeOf(bytes)).toBe(code);
  });

  test.each(Object.entries(wellFormed))("accepts: %s", (_, bytes) => {
    expect(codeOf(bytes)).toBe("accepted");
  });

  test("gives tensors under the names that they have, in the order of the file", () => {
    const { tensors } = readSafetensors(wellFormed["strange names"]!);
    const names = ["", "__proto__", "constructor", "\0", "😀", 'ü"\\/\b\f\n\r\t'];
    expect([...tensors.keys()]).toEqual(names);
    expect([...readSafetensors(wellFormed["out of order"]!).tensors.keys()]).toEqual(["a", "b"]);
    expect({}).not.toHaveProperty("dtype");
  });

  test("finds each of many names, however it is written, and no others", () => {
    const chance = new Chance(7);
    const letters = ["a", "b", "\\", '"', "/", "\n", "\u0000", "ü", "あ", "😀", "\u2028"];
    const word = () => Array.from({ length: chance.below(6) }, () => chance.pick(letters)).join("");
    // Many begin with another; and what stands for half a pair of surrogates is no such half.
    const long = Array.from({ length: 1500 }, (_, i) => "a".repeat(i));
    const names = [...new Set(["\ufffd", ...long, ...Array.from({ length: 3000 }, word)])];
    /** With more escapes than need be. */
    const written = (name: string) =>
      `"${[...name].map((c) => (chance.below(2) ? escaped(c) : JSON.stringify(c).slice(1, -1))).join("")}"`;
    const escaped = (c: string) =>
      Array.from({ length: c.length }, (_, i) => {
        const digits = c.charCodeAt(i).toString(16).padStart(4, "0");
        return `\\u${chance.below(2) ? digits : digits.toUpperCase()}`;
      }).join("");
    const even = names.filter((_, i) => i % 2 === 0);
    const odd = names.filter((_, i) => i % 2);
    const texts = odd.map((name, i) => `${written(name)}:${written(String(i))}`);
    const tensors = even.map((name, i) => `${written(name)}:${entry(0, 0, `[0,${i}]`)}`);
    const read = readSafetensors(
      file(`{"__metadata__":{${texts.join(",")}},${tensors.join(",")}}`),
    );
    expect([...read.metadata]).toEqual(odd.map((name, i) => [name, String(i)]));
    expect([...read.tensors.keys()]).toEqual(even);
    even.forEach((name, i) => {
      expect(read.tensors.get(name)!.shape).toEqual([0, i]);
      expect(read.metadata.get(name)).toBeUndefined();
    });
    odd.forEach((name, i) => {
      expect(read.metadata.get(name)).toBe(String(i));
      expect(read.tensors.has(name)).toBe(false);
    });
    expect([read.tensors.size, read.metadata.size]).toEqual([even.length, odd.length]);
    expect(read.tensors.has("\ud800")).toBe(false);
    const seen: string[] = [];
    read.tensors.forEach((tensor, name, map) => {
      expect(map.get(name)).toEqual(tensor);
      seen.push(name);
    });
    expect(seen).toEqual(even);
    expect([...read.tensors.values()]).toHaveLength(even.length);
  });

  test("a character may stand anywhere", () => {
    for (const character of ["ü", "あ", "😀"]) {
      for (let shift = 0; shift < 4; shift++) {
        const text = "x".repeat(shift) + character.repeat(30_000);
        const { metadata } = readSafetensors(file(`{"__metadata__":{"a":"${text}"}}`));
        expect(metadata.get("a") === text).toBe(true);
      }
    }
  });

  test("copies no tensor that is aligned, and reads those that are not", () => {
    const aligned = writeSafetensors({ a: { data: new Float32Array([1, 2]), shape: [2] } });
    const { data } = readSafetensors(aligned).tensors.get("a")!;
    expect(data.buffer).toBe(aligned.buffer);
    expect(data).toEqual(new Float32Array([1, 2]));
    const header = `{"a":${entry(0, 1)},"b":${entry(1, 5, "[]", "F32")}}`;
    const crooked = file(header.padEnd(120), 5);
    new DataView(crooked.buffer).setFloat32(129, 1.5, true);
    expect(readSafetensors(crooked).tensors.get("b")!.data).toEqual(new Float32Array([1.5]));
  });

  test("has a budget for the header, which can be raised", () => {
    const many = file(`{"a":${entry(0, 0)},"b":${entry(0, 0)}}`);
    const texts = file(`{"__metadata__":{"a":"","b":""}}`);
    const large = file("{}".padEnd(2 ** 23 + 1));
    const act = refusals({
      "too many tensors": () => readSafetensors(many, { maxTensors: 1 }),
      "too many texts": () => readSafetensors(texts, { maxTexts: 1 }),
      "too many bytes": () => readSafetensors(many, { maxHeaderBytes: 100 }),
      "too many by default": () => readSafetensors(large),
      "more than the format has": () =>
        readSafetensors(file("{}", 0, 100_000_001n), { maxHeaderBytes: Infinity }),
    });
    expect(act).toMatchInlineSnapshot(`
      {
        "more than the format has": "CheckpointError HEADER_TOO_LARGE: safetensors: got a header of 100000001 bytes, expected at most 100000000.",
        "too many by default": "CheckpointError HEADER_TOO_LARGE: safetensors: got a header of 8388609 bytes, expected at most 8388608. { maxHeaderBytes } allows more.",
        "too many bytes": "CheckpointError HEADER_TOO_LARGE: safetensors: got a header of 105 bytes, expected at most 100. { maxHeaderBytes } allows more.",
        "too many tensors": "CheckpointError HEADER_TOO_LARGE: safetensors header, at byte 57: got 2, expected at most 1 tensors. { maxTensors } allows more.",
        "too many texts": "CheckpointError HEADER_TOO_LARGE: safetensors header, at byte 28: got 2, expected at most 1 texts. { maxTexts } allows more.",
      }
    `);
    expect(readSafetensors(large, { maxHeaderBytes: 2 ** 25 }).tensors.size).toBe(0);
  });

  test("says what it is about", () => {
    const shown = ["7 bytes", "header beyond the end", "bad UTF-8", "a trailing comma"].concat(
      ["a tensor twice, once escaped", "dtype unknown", "shape missing", "another field"],
      ["product overflows", "an odd number of F4", "a BOOL of 2", "offsets of one", "a hole"],
      ["shape 1e0", "bytes after the last tensor", "body truncated", "range larger than the shape"],
    );
    const table = malformed.filter(({ name }) => shown.includes(name));
    expect(table).toHaveLength(shown.length);
    expect(
      refusals(
        Object.fromEntries(table.map(({ name, bytes }) => [name, () => readSafetensors(bytes)])),
      ),
    ).toMatchInlineSnapshot(`
      {
        "7 bytes": "CheckpointError TRUNCATED: safetensors: got 7 bytes, expected at least 8.",
        "a BOOL of 2": "CheckpointError BAD_TENSOR: tensor "a": got the byte 2 at 0, expected 0 or 1 in a BOOL.",
        "a hole": "CheckpointError BAD_LAYOUT: tensor "b": got one that begins at byte 3, expected 2.",
        "a tensor twice, once escaped": "CheckpointError DUPLICATE_KEY: safetensors header, at byte 62: got "a", expected each key once.",
        "a trailing comma": "CheckpointError BAD_JSON: safetensors header, at byte 53: got "}", expected a text in double quotes.",
        "an odd number of F4": "CheckpointError BAD_TENSOR: tensor "a": got 12 bits, expected whole bytes.",
        "another field": "CheckpointError BAD_TENSOR: safetensors header, at byte 56: got "x", expected only dtype, shape and data_offsets.",
        "bad UTF-8": "CheckpointError BAD_TEXT: safetensors header: got bytes that are no text, expected UTF-8.",
        "body truncated": "CheckpointError TRUNCATED: safetensors: got 3 bytes of tensors, expected 4.",
        "bytes after the last tensor": "CheckpointError BAD_LAYOUT: safetensors: got 1 bytes after the last tensor, expected none.",
        "dtype unknown": "CheckpointError BAD_TENSOR: safetensors header, at byte 20: got "F128", expected one of BOOL, F4, F6_E2M3, F6_E3M2, U8, I8, F8_E5M2, F8_E4M3, F8_E8M0, F8_E4M3FNUZ, F8_E5M2FNUZ, I16, U16, F16, BF16, I32, U32, F32, C64, F64, I64, U64.",
        "header beyond the end": "CheckpointError TRUNCATED: safetensors: got 10 bytes, expected at least 11: the header's end.",
        "offsets of one": "CheckpointError BAD_TENSOR: safetensors header, at byte 49: got [2], expected data_offsets of two numbers.",
        "product overflows": "CheckpointError BAD_TENSOR: tensor "a": got [4294967296, 4294967296], expected a shape of at most 2^53 - 1 bits.",
        "range larger than the shape": "CheckpointError BAD_TENSOR: tensor "a": got data_offsets 0 to 2, expected 1 bytes.",
        "shape 1e0": "CheckpointError BAD_JSON: safetensors header, at byte 29: got "0e0],\\"data_offsets\\":", expected a whole number from 0 to 2^53 - 1.",
        "shape missing": "CheckpointError BAD_TENSOR: tensor "a": got no shape, expected a shape.",
      }
    `);
  });
});

describe("the writer", () => {
  const tensors: Record<string, TensorInput> = {
    b: { data: new Float32Array([1, -0]), shape: [1, 2] },
    a: { data: new Float32Array([2]), shape: [] },
    bytes: { data: new Uint8Array([1]), shape: [1] },
    doubles: { data: new Float64Array([Math.PI]), shape: [1] },
    half: { data: new Uint16Array([0x3f80]), shape: [1], dtype: "BF16" },
    integers: { data: new BigInt64Array([-1n]), shape: [1] },
  };

  test("writes the widest types first, names in order, and pads the header", () => {
    const bytes = writeSafetensors(tensors, { z: "1", a: "ü" });
    const length = new DataView(bytes.buffer).getUint32(0, true);
    expect(length % 8).toBe(0);
    const text = new TextDecoder().decode(bytes.subarray(8, 8 + length));
    expect(text.trimEnd()).toMatchInlineSnapshot(
      `"{"__metadata__":{"a":"ü","z":"1"},"integers":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"doubles":{"dtype":"F64","shape":[1],"data_offsets":[8,16]},"a":{"dtype":"F32","shape":[],"data_offsets":[16,20]},"b":{"dtype":"F32","shape":[1,2],"data_offsets":[20,28]},"half":{"dtype":"BF16","shape":[1],"data_offsets":[28,30]},"bytes":{"dtype":"U8","shape":[1],"data_offsets":[30,31]}}"`,
    );
  });

  test("writes the same bytes whatever the order", () => {
    const shuffled = Object.fromEntries(Object.entries(tensors).toReversed());
    const bytes = writeSafetensors(shuffled, { a: "ü", z: "1" });
    expect(bytes).toEqual(writeSafetensors(new Map(Object.entries(tensors)), { z: "1", a: "ü" }));
  });

  test("writes what the reader reads, bit for bit", () => {
    const nan = new Float32Array(new Uint32Array([0x7fa00001, 0x80000000, 1]).buffer);
    const given = { ...tensors, nan: { data: nan, shape: [3] } };
    const read = readSafetensors(writeSafetensors(given));
    for (const [name, { data, shape }] of Object.entries(given)) {
      const tensor = read.tensors.get(name)!;
      expect(tensor.shape).toEqual(shape);
      expect(tensor.bytes).toEqual(new Uint8Array(data.buffer));
      expect(tensor.data.constructor).toBe(data.constructor);
    }
    expect(read.tensors.get("half")!.dtype).toBe("BF16");
  });

  test("refuses what it could not read", () => {
    const one = new Float32Array(1);
    const act = refusals({
      "a shape of another size": () => writeSafetensors({ a: { data: one, shape: [2] } }),
      "a fraction": () => writeSafetensors({ a: { data: one, shape: [0.5, 2] } }),
      "no typed array": () => writeSafetensors({ a: { data: [1] as never, shape: [1] } }),
      "the metadata's name": () => writeSafetensors({ __metadata__: { data: one, shape: [1] } }),
      "half a surrogate pair": () => writeSafetensors({ "\ud800": { data: one, shape: [1] } }),
      "metadata that is no text": () => writeSafetensors({}, { a: 1 as never }),
    });
    expect(act).toMatchInlineSnapshot(`
      {
        "a fraction": "CheckpointError BAD_TENSOR: tensor "a": got 4 bytes for shape [0.5, 2], expected 4 bytes of F32.",
        "a shape of another size": "CheckpointError BAD_TENSOR: tensor "a": got 4 bytes for shape [2], expected 8 bytes of F32.",
        "half a surrogate pair": "CheckpointError BAD_TEXT: safetensors: got "\\ud800", expected names and metadata that are text, without half a surrogate pair.",
        "metadata that is no text": "CheckpointError BAD_TEXT: safetensors: got 1, expected names and metadata that are text, without half a surrogate pair.",
        "no typed array": "CheckpointError BAD_TENSOR: tensor "a": got [1], expected a typed array.",
        "the metadata's name": "CheckpointError BAD_TENSOR: tensor "__metadata__": got the name of the metadata, expected another name.",
      }
    `);
  });
});

test("SHA-256 is SHA-256, with WebCrypto and without", async () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000, 4095, 4096, 100_000]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 7919) >> 3);
    const expected = createHash("sha256").update(bytes).digest("hex");
    expect(sha256Plain(bytes)).toBe(expected);
    expect(await sha256(bytes)).toBe(expected);
    expect(await sha256(new Uint8Array(new SharedArrayBuffer(length)))).toBe(
      createHash("sha256").update(new Uint8Array(length)).digest("hex"),
    );
  }
});
