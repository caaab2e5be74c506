/** Files that a reader of PyTorch's must refuse, by the code of the refusal. */
import {
  entriesOf,
  file,
  int,
  join,
  name,
  tensor,
  text,
  zip,
  type TensorParts,
  type ZipEntry,
} from "./torch-file.ts";

const two = { "0": new Uint8Array(8) };
export const whole = entriesOf([tensor()], two);
/** The file of one tensor, with one entry otherwise. */
const changed = (index: number, change: Partial<ZipEntry>) =>
  zip(whole.map((entry, i) => (i === index ? { ...entry, ...change } : entry)));
export const shaped = (parts: TensorParts, storages: Record<string, Uint8Array> = two) =>
  file([tensor(parts)], storages);
const spoiled = (bytes: Uint8Array, at: number, value: number) => {
  const copy = bytes.slice();
  copy.set([value], at < 0 ? copy.length + at : at);
  return copy;
};
const directoryOf = (bytes: Uint8Array) =>
  new DataView(bytes.buffer).getUint32(bytes.length - 6, true);
const sound = zip(whole);
const ordered = name("collections OrderedDict");
export const untyped = { type: "torch.storage UntypedStorage", shape: [2] };
export const nested = (depth: number) => file(["]".repeat(depth), "a".repeat(depth - 1)]);
/** A tuple that holds the one before twice: 2^40 values for who walks through it. */
const doubled = Array.from({ length: 40 }, (_, i) => join("(h", [i], "h", [i], "tq", [i + 1]));

export const malformed: Record<string, Record<string, Uint8Array>> = {
  TRUNCATED: {
    "nothing at all": new Uint8Array(0),
    "21 bytes": new Uint8Array(21),
    "a byte after the end": join(zip(whole), [0]),
    "a comment": spoiled(zip(whole), -2, 1),
  },
  BAD_ZIP: {
    "no zip": new Uint8Array(100),
    "one entry too many": zip(whole, 4),
    "one entry too few": zip(whole, 2),
    "a directory elsewhere": spoiled(zip(whole), -6, 1),
    "an extra field beyond its end": changed(1, { wide: [7, 0, 99, 0] }),
    "an entry within another": zip([
      { name: "x/.other", bytes: zip([whole[1]!]).subarray(0, 30 + "x/data/0".length + 8) },
      whole[0]!,
      { ...whole[1]!, at: 30 + "x/.other".length },
      whole[2]!,
    ]),
    "bytes before the end": join(sound.subarray(0, -22), [0, 0], sound.subarray(-22)),
    "another size when packed": spoiled(sound, directoryOf(sound) + 20, 1),
    "another checksum before the bytes": spoiled(sound, 14, sound[14]! ^ 1),
    compressed: changed(1, { method: 8 }),
    encrypted: changed(1, { flags: 1 }),
    "strongly encrypted": changed(1, { flags: 0x41 }),
    "a masked header": changed(1, { flags: 0x2000 }),
    "another name before the bytes": changed(1, { localName: "x/data/1" }),
    "another length of the name": changed(1, { localName: "x/data/01" }),
    "overlapping entries": changed(1, { at: 0, localName: "x/data.pkl" }),
    "an entry beyond the file": changed(2, { at: 1e6 }),
    "an entry into the directory": changed(2, { size: 60 }),
    "an entry in the middle of another": changed(1, { at: 10 }),
  },
  BAD_CHECKSUM: {
    "a storage's checksum": changed(1, { crc: 1 }),
    "the pickle's checksum": changed(0, { crc: 1 }),
  },
  BAD_LAYOUT: {
    "no entries": zip([]),
    "no pickle": zip(whole.slice(1)),
    "no version": zip(whole.slice(0, 2)),
    "another version": changed(2, { bytes: join("4\n") }),
    "two pickles": zip([...whole, { ...whole[0]!, name: "y/data.pkl" }]),
    "a pickle in no folder": changed(0, { name: "data.pkl", localName: "data.pkl" }),
    "an entry in another folder": zip([...whole, { name: "y/data/0", bytes: new Uint8Array(1) }]),
    "big-endian": zip([...whole, { name: "x/byteorder", bytes: join("big") }]),
  },
  DUPLICATE_KEY: {
    "an entry twice": zip([...whole, whole[1]!]),
    "a key twice": file(["}(", text("a"), "N", text("a"), "Nu"]),
    "0 and its text": file(["}(", int(0), "N", text("0"), "Nu"]),
  },
  BAD_TEXT: {
    "a text that is none": file(["X", [1, 0, 0, 0, 0xff]]),
    "half a surrogate pair": file(["X", [3, 0, 0, 0, 0xed, 0xa0, 0x80]]),
    "a name that is none": file(["c", [0xff], "\nx\n"]),
  },
  BAD_PICKLE: {
    "no pickle at all": changed(0, { bytes: new Uint8Array(0) }),
    "protocol 3": changed(0, { bytes: join([0x80, 3], "N.") }),
    "no protocol": changed(0, { bytes: join("N.") }),
    "protocol twice": file([[0x80, 2], "N"]),
    "no end": changed(0, { bytes: join([0x80, 2], "N") }),
    "bytes after the end": file(["N.N"]),
    "two values": file(["NN"]),
    "no value": file([]),
    "an open mark": file(["N("]),
    "a text beyond the end": file(["X", [255, 255, 255, 255], "a"]),
    "a name beyond the end": file(["ccollections"]),
    "a number beyond the end": file(["G1234"]),
    "a long beyond the end": file([[0x8a, 255, 1]]),
    "a memo that was not put": file(["h", [7]]),
    "a memo twice": file(["Nq", [1], "q", [1]]),
    "a memo of nothing": file(["q", [1]]),
    "a tuple of nothing": file(["N", [0x86]]),
    "a value below the mark": file(["N(", [0x85], "t", [0x86]]),
    "a tuple without a mark": file(["Nt"]),
    "an append to a tuple": file([")Na"]),
    "an append to a dictionary": file(["}Na"]),
    "an item of a list": file(["]NNs"]),
    "three keys and values": file(["}(", text("a"), "N", text("b"), "u"]),
    "a tuple as a key": file(["}(", ")Nu"]),
    "a fraction as a key": file(["}(G", [0x3f, 0xe0, 0, 0, 0, 0, 0, 0], "Nu"]),
    "true as a key": file(["}(", [0x88], "Nu"]),
    "a call of no name": file([text("os.system"), ")R"]),
    "a call without a tuple": file([ordered, "]R"]),
    "attributes of a list": file(["]}b"]),
    "attributes that are a tuple": file(["})b"]),
    "attributes of a tensor": file([tensor(), "}b"], two),
    "a list within itself": file(["]q", [0], "h", [0], "a"]),
    ...Object.fromEntries(
      // INST, OBJ, NEWOBJ, EXT1, STACK_GLOBAL, STRING, SHORT_BINSTRING, PERSID, DUP, POP, EMPTY_SET, BINBYTES, LONG4
      [..."io\x81\x82\x93SUP20\x8fB\x8b\0\xff"].map((code) => [
        `instruction 0x${code.charCodeAt(0).toString(16)}`,
        file(["N", [code.charCodeAt(0)], "x\nx\n"]),
      ]),
    ),
  },
  FORBIDDEN_NAME: {
    "os.system": file([name("os system"), "(", text("echo"), "tR"]),
    "builtins.eval": file([name("builtins eval"), "(", text("1"), "tR"]),
    "__builtin__.getattr": file([name("__builtin__ getattr")]),
    "torch.load": file([name("torch load")]),
    "torch.__proto__": file([name("torch __proto__")]),
    "collections.__proto__": file([name("collections __proto__")]),
    "a space in a name": file([name("torch FloatStorage"), "cx y\nz\n"]),
    "a name as the value": file([ordered]),
    "a name within": file(["]", ordered, "a"]),
    "a storage as the value": file(
      ["(", text("storage"), name("torch FloatStorage"), text("0"), text("cpu"), int(2), "tQ"],
      two,
    ),
    "an ordered dictionary of something": file([ordered, "(]tR"]),
    "a call of a type": file([name("torch FloatStorage"), ")R"]),
    "a counter of a list": file([name("collections Counter"), "(]tR"]),
  },
  BAD_TENSOR: {
    "no storage": shaped({ key: "1" }),
    "a key of a path": shaped({ key: "../version" }),
    "a type of storage that is none": shaped({ type: "collections OrderedDict" }),
    "more elements than bytes": shaped({ numel: 3 }),
    "fewer elements than bytes": shaped({ numel: 1 }),
    "a negative size": shaped({ numel: -2 }),
    "double where there are bytes of float": shaped({ type: "torch DoubleStorage" }),
    "an offset beyond the end": shaped({ offset: 1 }),
    "a negative offset": shaped({ offset: -1 }),
    "a shape beyond the end": shaped({ shape: [3] }),
    "strides beyond the end": shaped({ strides: [2] }),
    "a negative stride": shaped({ offset: 1, strides: [-1] }),
    "a negative shape": shaped({ shape: [-1] }),
    "fewer strides than dimensions": shaped({ shape: [1, 2] }),
    "expanded: 2^31 - 1 elements of one": shaped({ shape: [2 ** 31 - 1], strides: [0] }),
    "a product beyond 2^53": shaped({ shape: Array(3).fill(2 ** 30), strides: [0, 0, 0] }),
    "a product beyond 2^53, then 0": shaped({
      shape: [2 ** 30, 2 ** 30, 0],
      strides: [0, 0, 0],
    }),
    "an empty one beyond the end": shaped({ shape: [0], offset: 3 }),
    "65 dimensions": shaped({ shape: Array(65).fill(1), strides: Array(65).fill(0) }),
    "hooks that are a list": shaped({ hooks: "]" }),
    "hooks with something": shaped({ hooks: `}(K\x01Nu` }),
    "no tensor in a parameter": file([
      name("torch._utils _rebuild_parameter"),
      "(N",
      [0x89],
      ordered,
      ")RtR",
    ]),
    "an untyped storage without a type": shaped({ ...untyped, numel: 8 }),
    "an untyped storage with a storage as type": shaped({
      ...untyped,
      numel: 8,
      dtype: "torch FloatStorage",
    }),
    "an untyped storage of half an element": shaped(
      { ...untyped, numel: 6, dtype: "torch float32" },
      { "0": new Uint8Array(6) },
    ),
    "half an element at the end of an untyped storage": shaped(
      { ...untyped, numel: 6, dtype: "torch float32", shape: [1], offset: 1 },
      { "0": new Uint8Array(6) },
    ),
    "a reference to no storage": file(["NQ"]),
  },
  TOO_DEEP: {
    "65 lists": nested(65),
    "129 marks": file(["(".repeat(129)]),
    "deep by sharing": file([
      join("]".repeat(60), "a".repeat(59), "q", [0]),
      join("]".repeat(5), "h", [0], "a".repeat(5), [0x86]),
    ]),
  },
  TOO_LARGE: { "values that are shared": file(["()q", [0], ...doubled, "t"]) },
};
