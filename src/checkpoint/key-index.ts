/**
 * The keys of a JSON object, found by what they say, without a copy of any.
 *
 * A slot of the table is the place of a key and five bits of its hash: 4 bytes. There are as many slots as are
 * expected to be needed, or at most three times as many as keys. The hash is another in each process, so that nobody
 * can choose keys that share one.
 */
import type { JsonScanner, Utf8 } from "./json-scanner.ts";

/** Bits of a place: headers have at most 100,000,000 bytes. */
const PLACE = 2 ** 27 - 1;
const encoder = /* @__PURE__ */ new TextEncoder();

const random = (): number => Math.floor(Math.random() * 2 ** 31) * 2 + 1;
let start = 0;
let factor = 0;

function hashOf({ bytes, from, to }: Utf8): number {
  if (factor === 0) [start, factor] = [random(), random()];
  let hash = start;
  for (let i = from; i < to; i++) {
    hash = Math.imul(hash ^ bytes[i]!, factor);
    hash ^= hash >>> 15;
  }
  return hash;
}

function keyOf(text: string): Utf8 {
  const bytes = encoder.encode(text);
  return { bytes, from: 0, to: bytes.length };
}

export class KeyIndex {
  /** How many keys there are. */
  size = 0;
  /** Looks at keys that there were. */
  private readonly scanner: JsonScanner;
  private slots: Uint32Array;

  /** @param expected how many keys there may be: more only take more time. */
  constructor(scanner: JsonScanner, expected: number) {
    this.scanner = scanner;
    this.slots = new Uint32Array(2 ** Math.ceil(Math.log2((4 / 3) * expected + 8)));
  }

  /** Takes in the last text of a scanner. @returns false if there is an equal one. */
  add(last: JsonScanner, place: number): boolean {
    const key = last.utf8();
    const hash = hashOf(key);
    const slot = this.slotOf(key, hash);
    if (this.slots[slot] !== 0) return false;
    this.slots[slot] = (hash & ~PLACE) | place;
    if (4 * ++this.size > 3 * this.slots.length) this.grow();
    return true;
  }

  /** Where a key stands; 0 if it is not there. */
  placeOf(text: string): number {
    if (!text.isWellFormed()) return 0;
    const key = keyOf(text);
    return this.slots[this.slotOf(key, hashOf(key))]! & PLACE;
  }

  /** The slot of a key, or the free one that it would get. */
  private slotOf(key: Utf8, hash: number): number {
    const { slots } = this;
    const mask = slots.length - 1;
    let slot = hash & mask;
    for (let found = slots[slot]!; found !== 0; found = slots[slot]!) {
      if (((found ^ hash) & ~PLACE) === 0 && this.isAt(found & PLACE, key)) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  private isAt(place: number, { bytes, from, to }: Utf8): boolean {
    const own = this.keyAt(place);
    if (own.to - own.from !== to - from) return false;
    for (let i = from, j = own.from; i < to; i++, j++) if (bytes[i] !== own.bytes[j]) return false;
    return true;
  }

  private keyAt(place: number): Utf8 {
    this.scanner.at = place;
    this.scanner.span();
    return this.scanner.utf8();
  }

  private grow(): void {
    const old = this.slots;
    this.slots = new Uint32Array(2 * old.length);
    const mask = this.slots.length - 1;
    for (const found of old) {
      if (found === 0) continue;
      let slot = hashOf(this.keyAt(found & PLACE)) & mask;
      while (this.slots[slot] !== 0) slot = (slot + 1) & mask;
      this.slots[slot] = found;
    }
  }
}
