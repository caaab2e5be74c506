/**
 * The safetensors format: https://github.com/huggingface/safetensors.
 *
 * A length of 8 bytes, a header in JSON, and the tensors' bytes. The reader accepts what the format's own
 * text allows and nothing else: every byte belongs to one tensor, every key stands once. It copies
 * nothing and allocates nothing for a tensor before its whole entry has been checked. Where the reference
 * reader accepts more, docs/checkpoints.md says why this one does not.
 */
import { CheckpointError, Prose } from "../errors.ts";
import { HeaderReader, type ReadBudget, type Safetensors } from "./header.ts";

export type { ReadBudget, Safetensors } from "./header.ts";
export type { StoredTensor } from "./stored-tensor.ts";

/** Where the header begins; its length stands before it. */
export const START = 8;

/**
 * Reads a safetensors file. Its tensors are views of the bytes, and its entries are read from them when they
 * are asked for, so the bytes must stay as they are.
 *
 * @throws {CheckpointError} `TRUNCATED`, `HEADER_TOO_LARGE`, `BAD_TEXT`, `BAD_JSON`, `DUPLICATE_KEY`,
 *   `BAD_TENSOR` or `BAD_LAYOUT`.
 */
export function readSafetensors(bytes: Uint8Array, budget: ReadBudget = {}): Safetensors {
  const end = START + headerLength(bytes, bytes.length, budget);
  const body = bytes.subarray(end);
  return readHeader(bytes.subarray(START, end), body.length, budget, body);
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
  checkText(header);
  return new HeaderReader(header, body, length, budget).read();
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
  { maxHeaderBytes = 2 ** 23 }: ReadBudget = {},
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
const PIECE = 2 ** 15;

/** Decodes piece by piece: a text of the whole header would take twice its memory. */
function checkText(bytes: Uint8Array): void {
  try {
    for (let from = 0; from < bytes.length;) {
      let to = Math.min(bytes.length, from + PIECE);
      for (let i = 0; i < 3 && (bytes[to]! & 0xc0) === 0x80; i++) to--; // not within a character
      decoder.decode(bytes.subarray(from, to));
      from = to;
    }
  } catch {
    throw new CheckpointError("BAD_TEXT", {
      subject: "safetensors header",
      got: new Prose("bytes that are no text"),
      expected: "UTF-8",
    });
  }
}
