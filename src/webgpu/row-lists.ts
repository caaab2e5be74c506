/** Row numbers and values of rows, as users give them. */
import type { RowList } from "../backend/webgpu/gather.ts";
import { Prose } from "../errors.ts";
import { Usage } from "../memory/webgpu/constants.ts";
import { acceptValues } from "../memory/values.ts";
import type { Surgery } from "./surgery.ts";

/** Row numbers that are on the GPU, as u32. */
export interface GpuRowBuffer {
  /** Needs `STORAGE`. */
  readonly buffer: GPUBuffer;
  /** How many; shapes follow from it, so the CPU has to know. */
  readonly count: number;
  /** In bytes, a multiple of 4 (default 0). */
  readonly offset?: number;
}

/**
 * Numbers of rows, from 0, in any order. Those in a buffer are not looked at before they are used: one that
 * is too large stands for the last row.
 */
export type GpuRows = Uint32Array | readonly number[] | GpuRowBuffer;

/** Row numbers that have been checked. */
export interface CheckedRows {
  readonly count: number;
  /** The same on the GPU. */
  list(): RowList;
}

const EXPECTED = "a Uint32Array, an array of whole numbers, or { buffer, count }";

export function readRows(surgery: Surgery, given: GpuRows): CheckedRows {
  if (typeof given === "object" && given !== null && "buffer" in given && "count" in given) {
    return readBuffer(surgery, given);
  }
  const isList = Array.isArray(given) || given instanceof Uint32Array;
  if (!isList) surgery.refuse("BAD_ROWS", "rows", given, EXPECTED);
  const rows = given as readonly number[];
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    if (Number.isInteger(row) && row >= 0 && row < surgery.rows) continue;
    surgery.refuse("BAD_ROWS", `rows[${i}]`, row, `a row's number, below ${surgery.rows}`);
  }
  let list: RowList | undefined;
  const upload = (): RowList => ({
    ...surgery.upload(Uint32Array.from(rows)),
    count: rows.length,
  });
  return { count: rows.length, list: () => (list ??= upload()) };
}

function readBuffer(surgery: Surgery, given: GpuRowBuffer): CheckedRows {
  const { buffer, count, offset = 0 } = given;
  const isWhole = (n: number) => Number.isSafeInteger(n) && n >= 0;
  if (typeof buffer !== "object" || buffer === null || !("usage" in buffer)) {
    surgery.refuse("BAD_ROWS", "rows.buffer", buffer, "a GPUBuffer");
  }
  if (!(buffer.usage & Usage.storage)) {
    const got = new Prose("a buffer without STORAGE among its usages");
    surgery.refuse("BAD_ROWS", "rows.buffer", got, "a storage buffer");
  }
  if (!isWhole(offset) || offset % 4 !== 0) {
    surgery.refuse("BAD_ROWS", "rows.offset", offset, "a multiple of 4");
  }
  if (!isWhole(count) || offset + 4 * count > buffer.size) {
    const most = Math.floor((buffer.size - offset) / 4);
    surgery.refuse("BAD_ROWS", "rows.count", count, `a whole number up to ${most}, as there are`);
  }
  if (count > 0 && surgery.rows === 0) {
    surgery.refuse("BAD_ROWS", "rows.count", count, "0, as there are no rows");
  }
  return { count, list: () => ({ buffer, count, offset }) };
}

/** Values of new rows: for each parameter as many. */
export function readValues(
  surgery: Surgery,
  given: unknown,
): { readonly count: number; readonly numbers: readonly Float32Array<ArrayBuffer>[] } {
  const { entries } = surgery;
  if (!Array.isArray(given) || given.length !== entries.length) {
    const got = Array.isArray(given) ? new Prose(`${given.length} of them`) : given;
    surgery.refuse("BAD_DATA", "values", got, `an array for each of ${entries.length} parameters`);
  }
  const list = given as unknown[];
  const count = rowsIn(list[0], entries[0]!.parameter.rowSize);
  const numbers = entries.map(({ parameter }, i) => {
    const shape = [count, ...parameter.shape.slice(1)];
    const values = acceptValues(list[i], "float32", shape, (got, expected, advice) =>
      surgery.refuse("BAD_DATA", `values of ${parameter.label}`, got, expected, advice),
    );
    return Float32Array.from(values);
  });
  return { count, numbers };
}

/** How many rows there seem to be; whether they are whole ones is looked at afterwards. */
function rowsIn(values: unknown, rowSize: number): number {
  const isNested = Array.isArray(values) && Array.isArray(values[0]);
  const { length = 0 } = (values ?? {}) as { readonly length?: number };
  return isNested || rowSize === 0 ? length : Math.floor(length / rowSize);
}
