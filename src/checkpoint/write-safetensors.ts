/**
 * Writes safetensors files: the same content always as the same bytes.
 *
 * Tensors come widest type first, so that each lies at a multiple of its elements' size, and by name
 * within a type; metadata by key; the header is padded with spaces to a multiple of 8 bytes.
 */
import { CheckpointError, Prose } from "../errors.ts";
import { bitsOf, dtypeOfArray, rankOf, type AnyTypedArray, type SafeDType } from "./dtypes.ts";

/** A tensor to be written. */
export interface TensorInput {
  /** Row by row. */
  readonly data: AnyTypedArray;
  readonly shape: readonly number[];
  /** By default that of the array: F32 for a Float32Array. `"BF16"` says what a Uint16Array holds. */
  readonly dtype?: SafeDType;
}

/** Tensors by name. */
export type TensorInputs = ReadonlyMap<string, TensorInput> | Readonly<Record<string, TensorInput>>;
/** Texts by key. */
export type MetadataInput = ReadonlyMap<string, string> | Readonly<Record<string, string>>;

/**
 * A safetensors file of tensors by name, and texts.
 *
 * @throws {CheckpointError} `BAD_TENSOR` for a shape that is not that of the data, `BAD_TEXT` for names
 *   with half a surrogate pair.
 */
export function writeSafetensors(
  tensors: TensorInputs,
  metadata: MetadataInput = {},
): Uint8Array<ArrayBuffer> {
  const layout = new FileLayout(tensors);
  const header = layout.header(metadata);
  const file = layout.file(header);
  file.set(header, START);
  return file;
}

/** Where the tensors begin; the length of the header stands before it. */
const START = 8;

interface Place extends TensorInput {
  readonly name: string;
  readonly dtype: SafeDType;
  readonly begin: number;
  readonly end: number;
}

/** Where each tensor goes. */
export class FileLayout {
  /** In the order of the file. */
  readonly places: readonly Place[];
  /** Bytes of all tensors. */
  readonly size: number;

  constructor(tensors: TensorInputs) {
    const list = entriesOf(tensors).map(([name, tensor]) => check(name, tensor));
    list.sort((a, b) => rankOf(b.dtype) - rankOf(a.dtype) || (a.name < b.name ? -1 : 1));
    let at = 0;
    this.places = list.map((tensor) => {
      const begin = at;
      at += tensor.data.byteLength;
      return { ...tensor, begin, end: at };
    });
    this.size = at;
  }

  header(metadata: MetadataInput): Uint8Array {
    const texts = entriesOf(metadata).toSorted(([a], [b]) => (a < b ? -1 : 1));
    for (const text of texts.flat()) checkText(text);
    const entries = this.places.map(({ name, dtype, shape, begin, end }) => {
      const entry = { dtype, shape, data_offsets: [begin, end] };
      return `${JSON.stringify(name)}:${JSON.stringify(entry)}`;
    });
    if (texts.length > 0) {
      const pairs = texts.map(([key, text]) => `${JSON.stringify(key)}:${JSON.stringify(text)}`);
      entries.unshift(`"__metadata__":{${pairs.join(",")}}`);
    }
    const bytes = new TextEncoder().encode(`{${entries.join(",")}}`);
    const header = new Uint8Array(Math.ceil(bytes.length / 8) * 8).fill(0x20);
    header.set(bytes);
    return header;
  }

  /** A file with all tensors, and room for a header of this length. */
  file({ length }: Uint8Array): Uint8Array<ArrayBuffer> {
    const file = new Uint8Array(START + length + this.size);
    new DataView(file.buffer).setUint32(0, length, true);
    for (const { data, begin } of this.places) {
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      file.set(bytes, START + length + begin);
    }
    return file;
  }
}

function entriesOf<T>(given: ReadonlyMap<string, T> | Readonly<Record<string, T>>): [string, T][] {
  return Symbol.iterator in given ? [...(given as Iterable<[string, T]>)] : Object.entries(given);
}

function check(name: string, tensor: TensorInput): Omit<Place, "begin" | "end"> {
  checkText(name);
  const subject = `tensor ${JSON.stringify(name)}`;
  const refuse = (got: unknown, expected: string): never => {
    throw new CheckpointError("BAD_TENSOR", { subject, got, expected });
  };
  if (name === "__metadata__") refuse(new Prose("the name of the metadata"), "another name");
  const { data, shape } = tensor;
  const dtype = tensor.dtype ?? dtypeOfArray(data) ?? refuse(data, "a typed array");
  const elements = shape.reduce((product, n) => product * n, 1);
  const isShape = shape.every((n) => Number.isSafeInteger(n) && n >= 0);
  if (!isShape || elements * bitsOf(dtype) !== data.byteLength * 8) {
    const got = new Prose(`${data.byteLength} bytes for shape [${shape.join(", ")}]`);
    refuse(got, `${(elements * bitsOf(dtype)) / 8} bytes of ${dtype}`);
  }
  return { name, data, shape, dtype };
}

function checkText(text: unknown): void {
  if (typeof text === "string" && text.isWellFormed()) return;
  throw new CheckpointError("BAD_TEXT", {
    subject: "safetensors",
    got: text,
    expected: "names and metadata that are text, without half a surrogate pair",
  });
}
