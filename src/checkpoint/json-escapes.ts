/** Escapes in JSON's texts, as bytes. */

export const ZERO = 0x30;
export const BACKSLASH = 0x5c;
/** Four digits in base 16 follow it. */
export const SMALL_U = 0x75;

/** A text in UTF-8, among other bytes. */
export interface Utf8 {
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly to: number;
}

/** What stands for something after a backslash, and for what. */
export const ESCAPES: ReadonlyMap<number, number> = /* @__PURE__ */ new Map([
  [0x22, 0x22],
  [BACKSLASH, BACKSLASH],
  [0x2f, 0x2f],
  [0x62, 0x08],
  [0x66, 0x0c],
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
]);

/** A text without its escapes, of which each is known to be one. */
export function unescape({ bytes, from, to }: Utf8): Utf8 {
  const plain = new Uint8Array(to - from);
  let length = 0;
  for (let at = from; at < to;) {
    const c = bytes[at++]!;
    const kind = c === BACKSLASH ? bytes[at++]! : 0;
    if (kind !== SMALL_U) {
      plain[length++] = kind === 0 ? c : ESCAPES.get(kind)!;
      continue;
    }
    let code = hexAt(bytes, at);
    at += 4;
    if (code >= 0xd800 && code <= 0xdfff) {
      code = 0x10000 + 1024 * (code - 0xd800) + hexAt(bytes, at + 2) - 0xdc00;
      at += 6;
    }
    length = put(plain, length, code);
  }
  return { bytes: plain, from: 0, to: length };
}

/** The number of four digits in base 16; NaN if they are none. */
export function hexAt(bytes: Uint8Array, at: number): number {
  let code = 0;
  for (let i = 0; i < 4; i++) {
    const c = bytes[at + i]!;
    const letter = c | 0x20;
    if (c >= ZERO && c <= ZERO + 9) code = 16 * code + c - ZERO;
    else if (letter >= 0x61 && letter <= 0x66) code = 16 * code + letter - 0x57;
    else return NaN;
  }
  return code;
}

/** Bits that the first byte of a character begins with, by how many follow. */
const LEADS = [0, 0xc0, 0xe0, 0xf0] as const;

/** Writes a character in UTF-8. @returns where the next one goes. */
function put(bytes: Uint8Array, at: number, code: number): number {
  const more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  bytes[at] = LEADS[more]! | (code >> (6 * more));
  for (let i = 1; i <= more; i++) bytes[at + i] = 0x80 | ((code >> (6 * (more - i))) & 0x3f);
  return at + more + 1;
}
