/**
 * The safetensors format: https://github.com/huggingface/safetensors.
 *
 * A length of 8 bytes, a header in JSON, and the tensors' bytes. The reader accepts what the format's own
 * text allows and nothing else: every byte belongs to one tensor, every key stands once. It copies
 * nothing and allocates nothing for a tensor before its whole entry has been checked. Where the reference
 * reader accepts more, docs/checkpoints.md says why this one does not.
 */
import { CheckpointError, Prose } from "../errors.ts";
import {
  bitsOf,
  elementsOf,
  isDType,
  typeNames,
  type AnyTypedArray,
  type SafeDType,
} from "./dtypes.ts";
import { JsonScanner } from "./json.ts";

/** How large a header may be. */
export interface ReadBudget {
  /** Bytes of the header (default 16 MiB; the format itself ends at 100,000,000). */
  readonly maxHeaderBytes?: number;
  /** Number of tensors (default 200,000). */
  readonly maxTensors?: number;
}

/** Where the header begins; its length stands before it. */
export const START = 8;
const METADATA = "__metadata__";
/** As many as PyTorch and NumPy take. */
const MAX_RANK = 64;

/** A tensor of a file that was read. */
export class StoredTensor {
  readonly dtype: SafeDType;
  readonly shape: readonly number[];
  /** @internal From and to which byte, counted from the first tensor. */
  readonly begin: number;
  /** @internal */
  readonly end: number;
  private readonly body: Uint8Array;

  /** @internal */
  constructor(body: Uint8Array, dtype: SafeDType, shape: readonly number[], range: Range) {
    this.body = body;
    this.dtype = dtype;
    this.shape = shape;
    [this.begin, this.end] = range;
  }

  /** Its bytes in the file, not copied. */
  get bytes(): Uint8Array {
    return this.body.subarray(this.begin, this.end);
  }

  /**
   * Its elements, row by row: a view of the file where it lies at a multiple of the element's size, else
   * a copy. F16 and BF16 show as their bits, C64 as pairs, F8, F6 and F4 as bytes.
   */
  get data(): AnyTypedArray {
    return elementsOf(this.dtype, this.bytes);
  }
}

type Range = readonly [begin: number, end: number];

/** A safetensors file: tensors by name in the order of the file, and texts. */
export interface Safetensors {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Reads a safetensors file.
 *
 * @throws {CheckpointError} `TRUNCATED`, `HEADER_TOO_LARGE`, `BAD_TEXT`, `BAD_JSON`, `DUPLICATE_KEY`,
 *   `BAD_TENSOR` or `BAD_LAYOUT`.
 */
export function readSafetensors(bytes: Uint8Array, budget: ReadBudget = {}): Safetensors {
  const end = START + headerLength(bytes, bytes.length, budget);
  const body = bytes.subarray(end);
  const file = readHeader(bytes.subarray(START, end), body.length, budget, body);
  for (const [name, { dtype, bytes: own }] of file.tensors) {
    if (dtype === "BOOL") checkSwitches(name, own);
  }
  return file;
}

/**
 * What a header says of a file of which no more is at hand: its tensors have no bytes then.
 *
 * @param length bytes of all tensors.
 */
export function readHeader(
  header: Uint8Array,
  length: number,
  budget: ReadBudget = {},
  body: Uint8Array = new Uint8Array(0),
): Safetensors {
  const scanner = new JsonScanner(decode(header), "safetensors header");
  return new HeaderReader(scanner, body, length, budget).read();
}

/** The header of a file that {@link readSafetensors} has read. */
export function headerOf(bytes: Uint8Array): Uint8Array {
  const budget = { maxHeaderBytes: Infinity };
  return bytes.subarray(START, START + headerLength(bytes, bytes.length, budget));
}

/**
 * Bytes of the header.
 *
 * @param bytes at least the first 8 of the file, if it has as many.
 * @param byteLength of the whole file.
 */
export function headerLength(
  bytes: Uint8Array,
  byteLength: number,
  { maxHeaderBytes = 2 ** 24 }: ReadBudget = {},
): number {
  const refuse = (code: string, got: string, expected: string, advice = ""): never => {
    throw new CheckpointError(code, {
      subject: "safetensors",
      got: new Prose(got),
      expected,
      advice,
    });
  };
  if (byteLength < START) refuse("TRUNCATED", `${byteLength} bytes`, `at least ${START}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, START);
  const size = view.getUint32(4, true) * 2 ** 32 + view.getUint32(0, true);
  const most = Math.min(maxHeaderBytes, 100_000_000);
  if (size > most) {
    const advice = most < 100_000_000 ? "{ maxHeaderBytes } allows more." : "";
    refuse("HEADER_TOO_LARGE", `a header of ${size} bytes`, `at most ${most}`, advice);
  }
  if (START + size > byteLength) {
    refuse("TRUNCATED", `${byteLength} bytes`, `at least ${START + size}: the header's end`);
  }
  return size;
}

const decoder = /* @__PURE__ */ new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new CheckpointError("BAD_TEXT", {
      subject: "safetensors header",
      got: new Prose("bytes that are no text"),
      expected: "UTF-8",
    });
  }
}

class HeaderReader {
  private readonly scanner: JsonScanner;
  private readonly body: Uint8Array;
  private readonly length: number;
  private readonly maxTensors: number;
  private readonly metadata = new Map<string, string>();
  private readonly found = new Map<string, StoredTensor>();

  constructor(
    scanner: JsonScanner,
    body: Uint8Array,
    length: number,
    { maxTensors = 200_000 }: ReadBudget,
  ) {
    this.scanner = scanner;
    this.body = body;
    this.length = length;
    this.maxTensors = maxTensors;
  }

  read(): Safetensors {
    const { scanner, found, metadata } = this;
    const readTexts = () =>
      scanner.object((name) => metadata.set(name, scanner.string()), metadata);
    let hasTexts = false;
    const seen = { has: (key: string) => (key === METADATA ? hasTexts : found.has(key)) };
    scanner.object((key) => {
      if (key === METADATA) {
        hasTexts = true;
        readTexts();
      } else if (found.size < this.maxTensors) found.set(key, this.tensor(key));
      else {
        scanner.refuse("HEADER_TOO_LARGE", found.size + 1, `at most ${this.maxTensors} tensors`);
      }
    }, seen);
    scanner.end();
    const tensors = inOrder(found);
    this.checkCover(tensors);
    return { tensors, metadata };
  }

  private tensor(name: string): StoredTensor {
    const { scanner } = this;
    let dtype: SafeDType | undefined;
    let shape: number[] | undefined;
    let range: Range | undefined;
    scanner.object((key) => {
      if (key === "dtype") dtype = this.dtype();
      else if (key === "shape") shape = this.shape();
      else if (key === "data_offsets") range = this.range();
      else scanner.refuse("BAD_TENSOR", key, "only dtype, shape and data_offsets");
    });
    if (!dtype || !shape || !range) {
      const missing = !dtype ? "a dtype" : !shape ? "a shape" : "data_offsets";
      return refuseTensor(name, new Prose(`no ${missing.replace("a ", "")}`), missing);
    }
    const size = this.sizeOf(name, dtype, shape);
    const [begin, end] = range;
    if (end - begin === size) return new StoredTensor(this.body, dtype, shape, range);
    return refuseTensor(name, new Prose(`data_offsets ${begin} to ${end}`), `${size} bytes`);
  }

  private dtype(): SafeDType {
    const name = this.scanner.string();
    if (!isDType(name)) this.scanner.refuse("BAD_TENSOR", name, `one of ${typeNames()}`);
    return name;
  }

  private shape(): number[] {
    const shape: number[] = [];
    this.scanner.array((axis) => {
      if (axis >= MAX_RANK) this.scanner.unexpected(`the end of at most ${MAX_RANK} dimensions`);
      shape.push(this.scanner.natural());
    });
    return shape.slice(); // of just that length
  }

  private range(): Range {
    const { scanner } = this;
    const numbers: number[] = [];
    scanner.array((index) => {
      if (index > 1) scanner.unexpected("the end of two data_offsets");
      numbers.push(scanner.natural());
    });
    const [begin, end] = numbers;
    if (end === undefined)
      return scanner.refuse("BAD_TENSOR", numbers, "data_offsets of two numbers");
    return [begin!, end];
  }

  /** Bytes of a tensor. The product of what is not zero must be a number that JavaScript holds exactly. */
  private sizeOf(name: string, dtype: SafeDType, shape: readonly number[]): number {
    let bits = bitsOf(dtype);
    for (const n of shape) bits *= n || 1;
    if (bits > Number.MAX_SAFE_INTEGER)
      refuseTensor(name, shape, "a shape of at most 2^53 - 1 bits");
    if (shape.includes(0)) return 0;
    if (bits % 8 !== 0) refuseTensor(name, new Prose(`${bits} bits`), "whole bytes");
    return bits / 8;
  }

  /** One after another, from the first byte to the last, without gaps. */
  private checkCover(tensors: ReadonlyMap<string, StoredTensor>): void {
    let at = 0;
    for (const [name, { begin, end }] of tensors) {
      if (begin !== at) {
        refuseLayout(`tensor ${JSON.stringify(name)}`, `one that begins at byte ${begin}`, `${at}`);
      }
      at = end;
    }
    const { length } = this;
    if (at > length)
      refuseLayout("safetensors", `${length} bytes of tensors`, `${at}`, "TRUNCATED");
    if (at < length)
      refuseLayout("safetensors", `${length - at} bytes after the last tensor`, "none");
  }
}

/** By where they begin; most files have them so. */
function inOrder(found: Map<string, StoredTensor>): Map<string, StoredTensor> {
  let [begin, end] = [0, 0];
  for (const tensor of found.values()) {
    if (tensor.begin < begin || (tensor.begin === begin && tensor.end < end)) {
      return new Map([...found].toSorted(([, a], [, b]) => a.begin - b.begin || a.end - b.end));
    }
    ({ begin, end } = tensor);
  }
  return found;
}

function checkSwitches(name: string, bytes: Uint8Array): void {
  const at = bytes.findIndex((byte) => byte > 1);
  if (at >= 0) refuseTensor(name, new Prose(`the byte ${bytes[at]} at ${at}`), "0 or 1 in a BOOL");
}

function refuseTensor(name: string, got: unknown, expected: string): never {
  const subject = `tensor ${JSON.stringify(name.slice(0, 80))}`;
  throw new CheckpointError("BAD_TENSOR", { subject, got, expected });
}

function refuseLayout(subject: string, got: string, expected: string, code = "BAD_LAYOUT"): never {
  throw new CheckpointError(code, { subject, got: new Prose(got), expected });
}
