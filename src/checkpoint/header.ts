/**
 * The header of a safetensors file, which is its own index.
 *
 * It is read through once, and all of it is checked. What stays is where each key stands; an entry is read
 * again when it is asked for. So a header costs less memory than its own bytes, however many tensors it names.
 */
import { CheckpointError, Prose } from "../errors.ts";
import { bitsOf, dtypeThat, typeNames, type SafeDType } from "./dtypes.ts";
import { Entries } from "./entries.ts";
import { JsonScanner } from "./json-scanner.ts";
import { KeyIndex } from "./key-index.ts";
import { StoredTensor } from "./stored-tensor.ts";

/** How large a header may be. */
export interface ReadBudget {
  /** Bytes of the header (default 8 MiB; the format itself ends at 100,000,000). */
  readonly maxHeaderBytes?: number;
  /** Number of tensors (default 65,536). */
  readonly maxTensors?: number;
  /** Number of texts in the metadata (default 65,536). */
  readonly maxTexts?: number;
}

/** A safetensors file: tensors by name in the order of the file, and texts. */
export interface Safetensors {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: ReadonlyMap<string, string>;
}

const SUBJECT = "safetensors header";
/** As many as PyTorch and NumPy take. */
const MAX_RANK = 64;
/** Tensors, and texts, that a header may have by default. */
const MOST = 65_536;
/** Bytes that a tensor takes in a header, at least. */
const SHORTEST = 50;
const encoder = /* @__PURE__ */ new TextEncoder();
const METADATA = /* @__PURE__ */ encoder.encode("__metadata__");
const DTYPE = /* @__PURE__ */ encoder.encode("dtype");
const SHAPE = /* @__PURE__ */ encoder.encode("shape");
const OFFSETS = /* @__PURE__ */ encoder.encode("data_offsets");

export class HeaderReader {
  private readonly scanner: JsonScanner;
  private readonly body: Uint8Array;
  private readonly length: number;
  private readonly maxTensors: number;
  private readonly maxTexts: number;
  private readonly names: KeyIndex;
  private readonly keys: KeyIndex;
  /** Where the names of tensors stand, in the order of their bytes in the end. */
  private places = new Uint32Array(16);
  /** Where the next tensor begins if each does where the last one ended; NaN when one has not. */
  private free = 0;
  /** Of tensors of switches. */
  private readonly switches: number[] = [];
  /** The place of the first text; 0 before there are metadata. */
  private firstText = 0;

  /** What is known of the tensor that was read last. */
  private place = 0;
  private dtype: SafeDType | undefined;
  private readonly shape: number[] = [];
  private hasShape = false;
  private readonly range: number[] = [];
  private hasRange = false;
  private begin = 0;
  private end = 0;

  /**
   * @param header that is known to be UTF-8.
   * @param body all tensors; empty if there is nothing at hand but the header.
   * @param length bytes of all tensors.
   */
  constructor(header: Uint8Array, body: Uint8Array, length: number, budget: ReadBudget) {
    this.body = body;
    this.length = length;
    this.maxTensors = budget.maxTensors ?? MOST;
    this.maxTexts = budget.maxTexts ?? MOST;
    this.scanner = new JsonScanner(header, SUBJECT);
    const indexOf = (most: number, shortest: number) => {
      const expected = Math.min(most, header.length / shortest);
      return new KeyIndex(new JsonScanner(header, SUBJECT), expected);
    };
    this.names = indexOf(this.maxTensors, SHORTEST);
    this.keys = indexOf(this.maxTexts, SHORTEST / 2);
  }

  read(): Safetensors {
    const { scanner, names, keys } = this;
    scanner.entries((place) => {
      if (scanner.says(METADATA)) this.readTexts();
      else this.readTensor(place);
    });
    scanner.end();
    this.places = this.places.slice(0, names.size);
    if (Number.isNaN(this.free)) this.sort();
    this.checkEnd();
    if (this.body.length > 0) for (const place of this.switches) this.checkSwitches(place);
    const metadata = new Entries(
      scanner,
      keys,
      () => this.textPlaces(),
      () => scanner.string(),
    );
    const tensors = new Entries(
      scanner,
      names,
      () => this.places,
      () => this.stored(),
    );
    return { tensors, metadata };
  }

  private readTexts(): void {
    const { scanner, keys } = this;
    if (this.firstText > 0) this.refuseTwice();
    this.firstText = scanner.at;
    scanner.entries((place) => {
      if (keys.size === 0) this.firstText = place;
      this.take(keys, place, this.maxTexts, "texts", "maxTexts");
      scanner.span();
    });
  }

  private readTensor(place: number): void {
    const { names, places } = this;
    this.take(names, place, this.maxTensors, "tensors", "maxTensors");
    if (names.size > places.length) {
      this.places = new Uint32Array(2 * places.length);
      this.places.set(places);
    }
    this.places[names.size - 1] = place;
    this.entry(place);
    this.free = this.begin === this.free ? this.end : NaN;
    if (this.dtype === "BOOL" && this.end > this.begin) this.switches.push(place);
  }

  /** Takes in the key that was read last. */
  private take(index: KeyIndex, place: number, most: number, what: string, option: string): void {
    const { scanner } = this;
    if (!index.add(scanner, place)) this.refuseTwice();
    if (index.size <= most) return;
    const advice = `{ ${option} } allows more.`;
    scanner.refuse("HEADER_TOO_LARGE", index.size, `at most ${most} ${what}`, advice);
  }

  private refuseTwice(): never {
    return this.scanner.refuse("DUPLICATE_KEY", this.scanner.text(), "each key once");
  }

  private *textPlaces(): Generator<number> {
    const { scanner, keys, firstText } = this;
    for (let i = 0, next = firstText; i < keys.size; i++) {
      scanner.at = next;
      const place = scanner.key();
      scanner.span();
      scanner.hasNext();
      next = scanner.at;
      yield place;
    }
  }

  /** The tensor whose name was read last. */
  private stored(): StoredTensor {
    this.entry(this.scanner.from - 1);
    return new StoredTensor(this.body, this.dtype!, this.shape.slice(), this.begin, this.end);
  }

  /** Reads the tensor whose name stands there; its value is what comes next. */
  private entry(place: number): void {
    const { scanner, shape } = this;
    this.place = place;
    this.dtype = undefined;
    this.hasShape = false;
    this.hasRange = false;
    scanner.entries(this.field);
    const { dtype, begin, end } = this;
    if (!dtype || !this.hasShape || !this.hasRange) {
      const missing = !dtype ? "a dtype" : !this.hasShape ? "a shape" : "data_offsets";
      return this.refuse(new Prose(`no ${missing.replace("a ", "")}`), missing);
    }
    // The product of what is not zero must be a number that JavaScript holds exactly.
    let bits = bitsOf(dtype);
    let isEmpty = false;
    for (let axis = 0; axis < shape.length; axis++) {
      if (shape[axis] === 0) isEmpty = true;
      else bits *= shape[axis]!;
    }
    if (bits > Number.MAX_SAFE_INTEGER) this.refuse(shape, "a shape of at most 2^53 - 1 bits");
    if (isEmpty) bits = 0;
    if (bits % 8 !== 0) this.refuse(new Prose(`${bits} bits`), "whole bytes");
    if (end - begin === bits / 8) return;
    this.refuse(new Prose(`data_offsets ${begin} to ${end}`), `${bits / 8} bytes`);
  }

  private readonly field = (): void => {
    const { scanner } = this;
    if (scanner.says(DTYPE)) {
      if (this.dtype) this.refuseTwice();
      scanner.span();
      this.dtype = dtypeThat(scanner);
      if (!this.dtype) scanner.refuse("BAD_TENSOR", scanner.text(), `one of ${typeNames()}`);
    } else if (scanner.says(SHAPE)) {
      if (this.hasShape) this.refuseTwice();
      this.hasShape = true;
      scanner.naturals(this.shape, MAX_RANK);
    } else if (scanner.says(OFFSETS)) {
      if (this.hasRange) this.refuseTwice();
      this.hasRange = true;
      scanner.naturals(this.range, 2);
      const { range } = this;
      if (range.length < 2) scanner.refuse("BAD_TENSOR", range, "data_offsets of two numbers");
      [this.begin, this.end] = range as [number, number];
    } else {
      scanner.refuse("BAD_TENSOR", scanner.text(), "only dtype, shape and data_offsets");
    }
  };

  /** By where they begin; then each must begin where the last one ends. */
  private sort(): void {
    const { places, scanner } = this;
    const begins = new Float64Array(places.length);
    const ends = new Float64Array(places.length);
    places.forEach((place, i) => {
      scanner.at = place;
      scanner.key();
      this.entry(place);
      begins[i] = this.begin;
      ends[i] = this.end;
    });
    const order = Uint32Array.from(places, (_, i) => i);
    order.sort((a, b) => begins[a]! - begins[b]! || ends[a]! - ends[b]!);
    this.places = order.map((i) => places[i]!);
    this.free = 0;
    for (const i of order) {
      if (begins[i] !== this.free) {
        const subject = `tensor ${quoted(this.nameAt(places[i]!))}`;
        refuseLayout(subject, `one that begins at byte ${begins[i]}`, `${this.free}`);
      }
      this.free = ends[i]!;
    }
  }

  private checkEnd(): void {
    const { length, free } = this;
    const rest = length - free;
    if (rest < 0) refuseLayout("safetensors", `${length} bytes of tensors`, `${free}`, "TRUNCATED");
    if (rest > 0) refuseLayout("safetensors", `${rest} bytes after the last tensor`, "none");
  }

  private checkSwitches(place: number): void {
    this.nameAt(place);
    this.entry(place);
    const bytes = this.body.subarray(this.begin, this.end);
    const at = bytes.findIndex((byte) => byte > 1);
    if (at >= 0) this.refuse(new Prose(`the byte ${bytes[at]} at ${at}`), "0 or 1 in a BOOL");
  }

  /** Its value comes next then. */
  private nameAt(place: number): string {
    this.scanner.at = place;
    this.scanner.key();
    return this.scanner.text();
  }

  /** Refuses the tensor that was read last. */
  private refuse(got: unknown, expected: string): never {
    const subject = `tensor ${quoted(this.nameAt(this.place))}`;
    throw new CheckpointError("BAD_TENSOR", { subject, got, expected });
  }
}

const quoted = (name: string): string => JSON.stringify(name.slice(0, 80));

function refuseLayout(subject: string, got: string, expected: string, code = "BAD_LAYOUT"): never {
  throw new CheckpointError(code, { subject, got: new Prose(got), expected });
}
