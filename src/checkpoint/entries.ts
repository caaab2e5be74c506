/** An object in JSON as a map, of which nothing is in memory but where its keys stand. */
import type { JsonScanner } from "./json-scanner.ts";
import type { KeyIndex } from "./key-index.ts";

/** Entries by key, in the order of the file; each is read when it is asked for. */
export class Entries<T> implements ReadonlyMap<string, T> {
  private readonly scanner: JsonScanner;
  private readonly index: KeyIndex;
  private readonly places: () => Iterable<number>;
  private readonly read: () => T;

  /** @param read reads the value that the scanner has come to. */
  constructor(
    scanner: JsonScanner,
    index: KeyIndex,
    places: () => Iterable<number>,
    read: () => T,
  ) {
    this.scanner = scanner;
    this.index = index;
    this.places = places;
    this.read = read;
  }

  get size(): number {
    return this.index.size;
  }
  has(key: string): boolean {
    return this.index.placeOf(key) > 0;
  }
  get(key: string): T | undefined {
    const place = this.index.placeOf(key);
    if (place === 0) return undefined;
    this.seek(place);
    return this.read();
  }
  forEach(each: (value: T, key: string, map: ReadonlyMap<string, T>) => void): void {
    for (const [key, value] of this) each(value, key, this);
  }
  *keys(): Generator<string, undefined> {
    for (const place of this.places()) yield this.seek(place);
  }
  *values(): Generator<T, undefined> {
    for (const [, value] of this) yield value;
  }
  *entries(): Generator<[string, T], undefined> {
    for (const place of this.places()) yield [this.seek(place), this.read()];
  }
  [Symbol.iterator](): Generator<[string, T], undefined> {
    return this.entries();
  }

  /** Goes to the value of a key. */
  private seek(place: number): string {
    this.scanner.at = place;
    this.scanner.key();
    return this.scanner.text();
  }
}
