/**
 * Files that a safetensors reader must refuse, each with the code of the refusal, and odd ones that it must
 * accept. `reference` says where the reference reader (Python `safetensors` 0.8) accepts what is refused here.
 */

const encoder = new TextEncoder();
const ESCAPED_A = String.raw`"\u0061"`;

/** A file of a header and a body. */
export function file(header: string | Uint8Array, body = 0, length?: bigint): Uint8Array {
  const text = typeof header === "string" ? encoder.encode(header) : header;
  const bytes = new Uint8Array(8 + text.length + body);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

/** The entry of a tensor of bytes. */
export const entry = (
  begin: number,
  end: number,
  shape = `[${end - begin}]`,
  dtype = "U8",
): string => `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`;

const one = entry(0, 2);
/** A header whose one tensor has this shape, of no bytes. */
const shaped = (shape: string, dtype = "F32") =>
  file(`{"a":{"dtype":"${dtype}","shape":${shape},"data_offsets":[0,0]}}`);
const offsets = (text: string, shape = "[2]", body = 2) =>
  file(`{"a":{"dtype":"U8","shape":${shape},"data_offsets":${text}}}`, body);
const bytes = (...parts: (string | number[])[]) =>
  new Uint8Array(
    parts.flatMap((part) => (typeof part === "string" ? [...encoder.encode(part)] : part)),
  );

interface Malformed {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly code: string;
  /** Whether the reference reader accepts it. */
  readonly reference?: "accepts";
}

const bad = (code: string, table: Record<string, Uint8Array>, reference?: "accepts"): Malformed[] =>
  Object.entries(table).map(([name, given]) => ({
    name,
    bytes: given,
    code,
    ...(reference && { reference }),
  }));

const nested = `${"[".repeat(200)}${"]".repeat(200)}`;

export const malformed: readonly Malformed[] = [
  ...bad("TRUNCATED", {
    "nothing at all": new Uint8Array(0),
    "7 bytes": new Uint8Array(7),
    "header beyond the end": file("{}", 0, 3n),
    "header length 2^23 beyond the end": file("{}", 0, 2n ** 23n),
    "body truncated": file(`{"a":${entry(0, 4)}}`, 3),
    "entry without any body": file(`{"a":${one}}`),
    "offsets past the end": offsets("[0,3]", "[3]"),
  }),
  ...bad("HEADER_TOO_LARGE", {
    "header length 2^64 - 1": file("{}", 0, 2n ** 64n - 1n),
    "header length 2^53 + 1": file("{}", 0, 2n ** 53n + 1n),
    "header length 10^8 + 1": file("{}", 0, 100_000_001n),
    "header length 2^32 + its length": file("{}", 0, 2n ** 32n + 2n),
  }),
  ...bad("BAD_TEXT", {
    "bad UTF-8": file(bytes('{"', [0xff], `":${one}}`), 2),
    "overlong UTF-8": file(bytes('{"', [0xc0, 0xaf], `":${one}}`), 2),
    "a surrogate in UTF-8": file(bytes('{"', [0xed, 0xa0, 0x80], `":${one}}`), 2),
  }),
  ...bad("BAD_JSON", {
    "8 zero bytes": new Uint8Array(8),
    "header cut short": file(`{"a":${one}`, 2),
    "header length that cuts the JSON": file(`{"a":${one}}`, 2, 10n),
    "a byte order mark": file(bytes([0xef, 0xbb, 0xbf], "{}")),
    "half a surrogate pair, escaped": file(String.raw`{"\ud800":${one}}`, 2),
    "half a surrogate pair, and more": file(String.raw`{"\ud800 and more":${one}}`, 2),
    "two first halves of a pair": file(String.raw`{"\ud800\ud800":${one}}`, 2),
    "the second half before the first": file(String.raw`{"\udc00\ud800":${one}}`, 2),
    "control character in a name": file(`{"a\n":${one}}`, 2),
    "zero byte after the header": file("{}\0"),
    "two objects": file("{}{}"),
    "an array": file("[]"),
    null: file("null"),
    "a text": file('"x"'),
    "a comment": file("{/**/}"),
    "a trailing comma": file(`{"a":${one},}`, 2),
    "a leading comma": file(`{,"a":${one}}`, 2),
    "a comma missing": file(`{"a":${one} "b":${entry(2, 2)}}`, 2),
    "a colon missing": file(`{"a" ${one}}`, 2),
    NaN: shaped("[NaN]"),
    "single quotes": file(`{'a':${one}}`, 2),
    "a bad escape": file(String.raw`{"\x41":${one}}`, 2),
    "an escape cut short": file(String.raw`{"\u00":${one}}`, 2),
    "a name without an end": file('{"a'),
    "metadata a list": file('{"__metadata__":[]}'),
    "metadata a text": file('{"__metadata__":"x"}'),
    "metadata with a number": file('{"__metadata__":{"a":1}}'),
    "metadata with an object": file('{"__metadata__":{"a":{}}}'),
    "metadata with null": file('{"__metadata__":{"a":null}}'),
    "metadata shaped as a tensor": file(`{"__metadata__":${one}}`, 2),
    "tensor true": file('{"a":true}'),
    "tensor null": file('{"a":null}'),
    "dtype a number": file('{"a":{"dtype":1,"shape":[2],"data_offsets":[0,2]}}', 2),
    "shape a number": shaped("0"),
    "shape -1": shaped("[-1]"),
    "shape -0": shaped("[-0]"),
    "shape 1.0": shaped("[0.0]"),
    "shape 1e0": shaped("[0e0]"),
    "shape of text": shaped('["0"]'),
    "shape of null": shaped("[null]"),
    "shape with a leading zero": shaped("[01]"),
    "shape of 2^64": shaped("[18446744073709551616]"),
    "offset negative": offsets("[-1,1]"),
    "offset a float": offsets("[0,2.0]"),
    "offsets of three": offsets("[0,2,2]"),
    "offsets an object": offsets('{"0":0,"1":2}'),
  }),
  ...bad(
    "BAD_JSON",
    {
      "a shape of 65 dimensions": shaped(`[${"1,".repeat(64)}0]`),
      "metadata null": file('{"__metadata__":null}'),
      "shape [2^53 + 1, 0]": shaped("[9007199254740993,0]"),
      "shape [2^64 - 1, 0]": shaped("[18446744073709551615,0]"),
    },
    "accepts",
  ),
  ...bad("DUPLICATE_KEY", {
    "dtype twice": file(`{"a":{"dtype":"U8","dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, 2),
    "shape twice": file(`{"a":{"shape":[2],"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, 2),
    "offsets twice": file(
      `{"a":{"data_offsets":[0,2],"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`,
      2,
    ),
    "metadata twice": file('{"__metadata__":{},"__metadata__":{}}'),
  }),
  ...bad(
    "DUPLICATE_KEY",
    {
      "a tensor twice, the same": file(`{"a":${one},"a":${one}}`, 2),
      "a tensor twice, the last one fits": file(`{"a":${entry(0, 9)},"a":${one}}`, 2),
      "a tensor twice, once escaped": file(`{"a":${one},${ESCAPED_A}:${one}}`, 2),
      "a key of the metadata twice": file('{"__metadata__":{"a":"1","a":"2"}}'),
    },
    "accepts",
  ),
  ...bad("BAD_TENSOR", {
    "dtype unknown": shaped("[0]", "F128"),
    "dtype in lower case": shaped("[0]", "f32"),
    "dtype of a prototype": shaped("[0]", "constructor"),
    "dtype missing": file('{"a":{"shape":[0],"data_offsets":[0,0]}}'),
    "shape missing": file('{"a":{"dtype":"U8","data_offsets":[0,0]}}'),
    "offsets missing": file('{"a":{"dtype":"U8","shape":[0]}}'),
    "product overflows": shaped("[4294967296,4294967296]"),
    "product overflows before a zero": shaped("[4294967296,4294967296,0]"),
    "size in bits overflows": shaped("[9007199254740991]", "F64"),
    "offsets reversed": offsets("[2,0]"),
    "offsets of one": offsets("[2]"),
    "range larger than the shape": offsets("[0,2]", "[1]"),
    "range smaller than the shape": offsets("[0,2]", "[3]"),
    "an odd number of F4": file(`{"a":${entry(0, 2, "[3]", "F4")}}`, 2),
    "another field with deep nesting": file(
      `{"a":{"x":${nested},"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`,
    ),
  }),
  ...bad(
    "BAD_TENSOR",
    {
      "product overflows after a zero": shaped("[0,4294967296,4294967296]"),
      "another field": file('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1}}'),
      "a BOOL of 2": ((given) => given.fill(2, -1))(file(`{"a":${entry(0, 1, "[1]", "BOOL")}}`, 1)),
    },
    "accepts",
  ),
  ...bad("BAD_LAYOUT", {
    "the first tensor not at 0": offsets("[1,3]", "[2]", 3),
    "a hole": file(`{"a":${entry(0, 2)},"b":${entry(3, 4)}}`, 4),
    "an overlap": file(`{"a":${entry(0, 2)},"b":${entry(1, 3)}}`, 3),
    "the same range twice": file(`{"a":${one},"b":${one}}`, 2),
    "nothing inside another": file(`{"a":${entry(0, 2)},"b":${entry(1, 1)}}`, 2),
    "nothing beyond the end": file(`{"a":${entry(0, 2)},"b":${entry(3, 3)}}`, 2),
    "bytes after the last tensor": file(`{"a":${one}}`, 3),
    "a body without tensors": file("{}", 1),
  }),
];

/** Odd, and right. */
export const wellFormed: Readonly<Record<string, Uint8Array>> = {
  "no tensors": file("{}"),
  "metadata alone": file('{"__metadata__":{}}'),
  "space around everything": file(` \t\r\n{ "a" : ${one} , "b" : ${entry(2, 2)} } \n`, 2),
  "out of order": file(`{"b":${entry(2, 3)},"a":${one}}`, 3),
  "strange names": file(
    String.raw`{"":${entry(0, 1)},"__proto__":${entry(1, 2)},"constructor":${entry(2, 3)},"\u0000":${entry(3, 4)},"\ud83d\ude00":${entry(4, 5)},"ü\"\\\/\b\f\n\r\t":${entry(5, 6)}}`,
    6,
  ),
  "tensors of nothing, anywhere between": file(
    `{"a":${entry(0, 0)},"b":${entry(0, 2)},"c":${entry(2, 2)},"d":${entry(2, 2, "[3,0]", "F64")}}`,
    2,
  ),
  "not aligned": file(`{"a":${entry(0, 1)},"b":${entry(1, 5, "[]", "F32")}}`, 5),
  "four bits each": file(
    `{"a":${entry(0, 2, "[4]", "F4")},"b":${entry(2, 5, "[4]", "F6_E2M3")}}`,
    5,
  ),
};
