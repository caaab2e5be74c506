/**
 * Zip archives as `torch.save` writes them: entries that are stored, not compressed.
 *
 * So nothing here inflates. What the directory at the end says is compared with what stands before each
 * entry; entries do not overlap, no name stands twice, and every checksum is computed, before any of it is
 * understood. Format: PKWARE's APPNOTE, with zip64.
 */
import { decode, quoted, refuse } from "./refuse.ts";

const END = 22;
const LOCATOR = 20;
const END64 = 56;
const CENTRAL = 46;
const LOCAL = 30;
const ENCRYPTED = 0x2041;
/** The sizes and the checksum stand behind the entry, and in the directory. */
const DESCRIPTOR = 8;
const FULL = 0xffffffff;

interface Directory {
  readonly at: number;
  readonly end: number;
  readonly count: number;
}
interface Entry {
  readonly name: string;
  readonly nameBytes: Uint8Array;
  readonly flags: number;
  readonly crc: number;
  readonly size: number;
  readonly at: number;
}

/** Bytes by name, in the order of the directory; they are views of the file. */
export function readZip(bytes: Uint8Array): Map<string, Uint8Array> {
  return new ZipReader(bytes).read();
}

class ZipReader {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor({ buffer, byteOffset, byteLength }: Uint8Array) {
    // A Buffer of Node's copies nothing in slice().
    this.bytes = new Uint8Array(buffer, byteOffset, byteLength);
    this.view = new DataView(buffer, byteOffset, byteLength);
  }

  read(): Map<string, Uint8Array> {
    const directory = this.directory();
    const entries = this.entries(directory);
    const content = new Map<string, Uint8Array>();
    for (const { name } of entries) {
      if (content.has(name)) refuse("DUPLICATE_KEY", "zip", quoted(name), "each name once");
      content.set(name, this.bytes.subarray(0, 0));
    }
    let free = 0;
    for (const entry of entries.toSorted((a, b) => a.at - b.at)) {
      const begin = this.begin(entry, free);
      free = begin + entry.size;
      if (free > directory.at) {
        refuse("BAD_ZIP", where(entry.name), `an end at byte ${free}`, `at most ${directory.at}`);
      }
      content.set(entry.name, this.bytes.subarray(begin, free));
    }
    for (const { name, crc } of entries) {
      if (crc32(content.get(name)!) !== crc) {
        refuse("BAD_CHECKSUM", where(name), "bytes of another checksum", `CRC-32 ${hex(crc)}`);
      }
    }
    return content;
  }

  private directory(): Directory {
    const { view, bytes } = this;
    const { byteLength } = bytes;
    const at = byteLength - END;
    if (at < 0) refuse("TRUNCATED", "zip", `${byteLength} bytes`, `at least ${END}`);
    if (view.getUint32(at, true) !== 0x06054b50 || view.getUint16(at + 20, true) !== 0) {
      const begins = view.getUint32(0, true) === 0x04034b50;
      const advice = "torch.save has written zip files since PyTorch 1.6; save older files anew.";
      const code = begins ? "TRUNCATED" : "BAD_ZIP";
      refuse(code, "zip", "other bytes", "the directory's end at the file's", begins ? "" : advice);
    }
    if (view.getUint32(at + 4, true) !== 0) refuse("BAD_ZIP", "zip", "several disks", "one");
    const small = {
      count: view.getUint16(at + 10, true),
      size: view.getUint32(at + 12, true),
      at: view.getUint32(at + 16, true),
    };
    const isWide = at >= LOCATOR && view.getUint32(at - LOCATOR, true) === 0x07064b50;
    const { count, size, begin, end } = isWide
      ? this.wide(at - LOCATOR, small)
      : { count: small.count, size: small.size, begin: small.at, end: at };
    if (begin + size !== end || count > size / CENTRAL) {
      refuse(
        "BAD_ZIP",
        "zip",
        `a directory of ${size} bytes at ${begin}`,
        `one that ends at ${end}`,
      );
    }
    return { at: begin, end, count };
  }

  /** The zip64 record before the end; PyTorch always writes one. */
  private wide(locator: number, small: { count: number; size: number; at: number }) {
    const { view } = this;
    const end = this.natural(locator + 8);
    if (end + END64 !== locator || view.getUint32(end, true) !== 0x06064b50) {
      refuse("BAD_ZIP", "zip", `a zip64 record at ${end}`, `one at ${locator - END64}`);
    }
    const count = this.natural(end + 32);
    const size = this.natural(end + 40);
    const begin = this.natural(end + 48);
    const agrees =
      (small.count === 0xffff || small.count === count) &&
      (small.size === FULL || small.size === size) &&
      (small.at === FULL || small.at === begin);
    if (!agrees) refuse("BAD_ZIP", "zip", "two ends that differ", "the same in zip64");
    return { count, size, begin, end };
  }

  private entries({ at, end, count }: Directory): Entry[] {
    const entries: Entry[] = [];
    let next = at;
    for (let i = 0; i < count; i++) {
      if (next + CENTRAL > end || this.view.getUint32(next, true) !== 0x02014b50) {
        refuse("BAD_ZIP", "zip directory", `no entry at byte ${next}`, `${count} entries`);
      }
      const lengths = [28, 30, 32].map((field) => this.view.getUint16(next + field, true));
      const length = CENTRAL + lengths[0]! + lengths[1]! + lengths[2]!;
      if (next + length > end) {
        refuse("BAD_ZIP", "zip directory", `an entry to ${next + length}`, `at most ${end}`);
      }
      entries.push(this.entry(next, lengths[0]!, lengths[1]!));
      next += length;
    }
    if (next !== end) refuse("BAD_ZIP", "zip directory", `an end at ${next}`, `${end}`);
    return entries;
  }

  private entry(at: number, nameLength: number, extraLength: number): Entry {
    const { view } = this;
    const nameBytes = this.bytes.subarray(at + CENTRAL, at + CENTRAL + nameLength);
    const name = decode(nameBytes, "zip directory");
    const flags = view.getUint16(at + 8, true);
    const method = view.getUint16(at + 10, true);
    if (flags & ENCRYPTED) refuse("BAD_ZIP", where(name), "an encrypted entry", "a plain one");
    if (method !== 0) {
      refuse("BAD_ZIP", where(name), `compression ${method}`, "stored bytes, as torch.save writes");
    }
    const wide = this.extra(name, at + CENTRAL + nameLength, extraLength);
    const number = (field: number) => {
      const narrow = view.getUint32(at + field, true);
      return narrow === FULL && wide.length > 0 ? wide.shift()! : narrow;
    };
    const size = number(24);
    const packed = number(20);
    if (size !== packed) refuse("BAD_ZIP", where(name), `${packed} bytes stored`, `${size}`);
    return { name, nameBytes, flags, size, crc: view.getUint32(at + 16, true), at: number(42) };
  }

  /** The numbers of the zip64 field among the extra ones. */
  private extra(name: string, from: number, length: number): number[] {
    const { view } = this;
    const end = from + length;
    for (let at = from; at < end;) {
      const next = at + 4 <= end ? at + 4 + view.getUint16(at + 2, true) : Infinity;
      if (next > end) refuse("BAD_ZIP", where(name), "an extra field beyond its end", `${end}`);
      if (view.getUint16(at, true) === 1) {
        const count = Math.min(3, Math.floor((next - at - 4) / 8));
        return Array.from({ length: count }, (_, i) => this.natural(at + 4 + 8 * i));
      }
      at = next;
    }
    return [];
  }

  /** Where the bytes of an entry begin; `free` is the first byte that no other entry has. */
  private begin({ name, nameBytes, flags, size, crc, at }: Entry, free: number): number {
    const { view, bytes } = this;
    if (at < free) refuse("BAD_ZIP", where(name), `a beginning at byte ${at}`, `at least ${free}`);
    if (at + LOCAL > bytes.length || view.getUint32(at, true) !== 0x04034b50) {
      refuse("BAD_ZIP", where(name), `no entry at byte ${at}`, "one");
    }
    const length = view.getUint16(at + 26, true);
    const own = bytes.subarray(at + LOCAL, at + LOCAL + length);
    const agrees =
      view.getUint16(at + 6, true) === flags &&
      view.getUint16(at + 8, true) === 0 &&
      own.length === nameBytes.length &&
      own.every((byte, i) => byte === nameBytes[i]);
    if (!agrees)
      refuse("BAD_ZIP", where(name), "another entry at its place", "that of the directory");
    const sizes = [18, 22].map((field) => view.getUint32(at + field, true));
    const isSame = sizes.every((n) => n === size || n === FULL);
    if (!(flags & DESCRIPTOR) && !(isSame && view.getUint32(at + 14, true) === crc)) {
      refuse("BAD_ZIP", where(name), "a size or checksum", "that of the directory");
    }
    return at + LOCAL + length + view.getUint16(at + 28, true);
  }

  private natural(at: number): number {
    const n = this.view.getUint32(at + 4, true) * 2 ** 32 + this.view.getUint32(at, true);
    if (n <= Number.MAX_SAFE_INTEGER) return n;
    return refuse("BAD_ZIP", "zip", `the number ${n} at byte ${at}`, "at most 2^53 - 1");
  }
}

const where = (name: string): string => `zip entry ${quoted(name)}`;
const hex = (n: number): string => n.toString(16).padStart(8, "0");

let tables: Uint32Array | undefined;

/** Tables for four bytes at a time. */
function makeTables(): Uint32Array {
  const made = new Uint32Array(1024);
  for (let i = 0; i < 256; i++) {
    let c = i;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
    made[i] = c;
  }
  for (let i = 256; i < 1024; i++) made[i] = (made[i - 256]! >>> 8) ^ made[made[i - 256]! & 255]!;
  return made;
}

/** CRC-32 of bytes. */
export function crc32(bytes: Uint8Array): number {
  const t = (tables ??= makeTables());
  const { length } = bytes;
  let c = -1;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    c ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    c =
      t[768 + (c & 255)]! ^
      t[512 + ((c >>> 8) & 255)]! ^
      t[256 + ((c >>> 16) & 255)]! ^
      t[c >>> 24]!;
  }
  for (; i < length; i++) c = (c >>> 8) ^ t[(c ^ bytes[i]!) & 255]!;
  return ~c >>> 0;
}
