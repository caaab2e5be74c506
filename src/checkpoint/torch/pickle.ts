/**
 * The pickles in PyTorch's files, as data.
 *
 * A pickle is a program for a small stack machine, and Python's runs whatever functions it names. This machine
 * knows the 31 instructions that `torch.save` uses and a list of names; a name becomes a tag, and the few
 * things that may be done with tags (make a tensor, an ordered dictionary) are written out in ./rebuild.ts.
 * Nothing is looked up, nothing is called. Dictionaries have no prototype, tuples are frozen arrays.
 */
import { decode, refuse } from "./refuse.ts";
import { isDict, rebuild, setItem, setState, storageOf, tagOf, type Stored } from "./rebuild.ts";

/** How large the structure of a file may be. */
export interface TorchBudget {
  /**
   * Instructions of the pickle, of which a tensor takes about 30. By default 100,000, or one for every 128 bytes
   * of the file if these are more: what is made of them takes at most 32 MiB then, or three times the file.
   */
  readonly maxInstructions?: number;
}

const MAX_MARKS = 128;
const MAX_NAME = 200;
const STOP = 0x2e;

/** What the pickle stands for, not yet known to be only data. */
export function unpickle(bytes: Uint8Array, storages: Stored, maxInstructions: number): unknown {
  return new Machine(bytes, storages).run(maxInstructions);
}

class Machine {
  readonly stored: Stored;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly stack: unknown[] = [];
  /** Lengths of the stack at the marks that are open. */
  private readonly marks: number[] = [];
  private readonly memo = new Map<number, unknown>();
  private at = 0;
  private start = 0;

  constructor(bytes: Uint8Array, stored: Stored) {
    this.bytes = bytes;
    this.stored = stored;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get place(): string {
    return `data.pkl, at byte ${this.start}`;
  }

  run(most: number): unknown {
    if (this.byte() !== 0x80 || this.byte() !== 2)
      this.bad("other bytes", "a pickle of protocol 2");
    for (let count = 0; ; count++) {
      this.start = this.at;
      if (count >= most) {
        const advice = "{ maxInstructions } allows more.";
        refuse("TOO_LARGE", this.place, "more", `at most ${most} instructions`, advice);
      }
      const code = this.byte();
      if (code === STOP) return this.end();
      const instruction = INSTRUCTIONS[code];
      if (instruction) instruction(this);
      else this.bad(`the instruction 0x${code.toString(16)}`, "one that torch.save writes");
    }
  }

  private end(): unknown {
    if (this.marks.length > 0 || this.stack.length !== 1) {
      this.bad(`an end with ${this.stack.length} values`, "one value");
    }
    const rest = this.bytes.length - this.at;
    if (rest > 0) this.bad(`${rest} bytes after the end`, "none");
    return this.stack[0];
  }

  bad(got: string, expected: string): never {
    return refuse("BAD_PICKLE", this.place, got, expected);
  }

  /** The next `count` bytes' place. */
  take(count: number): number {
    const from = this.at;
    if (count > this.bytes.length - from) this.bad("the end of the bytes", `${count} bytes more`);
    this.at += count;
    return from;
  }
  byte(): number {
    return this.bytes[this.take(1)]!;
  }
  uint16(): number {
    return this.view.getUint16(this.take(2), true);
  }
  uint32(): number {
    return this.view.getUint32(this.take(4), true);
  }
  int32(): number {
    return this.view.getInt32(this.take(4), true);
  }
  double(): number {
    return this.view.getFloat64(this.take(8));
  }
  text(length: number): string {
    const from = this.take(length);
    return decode(this.bytes.subarray(from, from + length), this.place);
  }
  line(): string {
    const from = this.at;
    const end = this.bytes.subarray(from, from + MAX_NAME).indexOf(10);
    if (end < 0) this.bad("no end of a name", `one within ${MAX_NAME} bytes`);
    this.at += end + 1;
    return decode(this.bytes.subarray(from, from + end), this.place);
  }
  /** An integer in two's complement: big where a number could not hold it. */
  long(): number | bigint {
    const length = this.byte();
    const from = this.take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[from + i]!);
    value = BigInt.asIntN(8 * length, value);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }

  push(value: unknown): void {
    this.stack.push(value);
  }
  pop(): unknown {
    if (this.stack.length <= (this.marks.at(-1) ?? 0)) this.bad("nothing on the stack", "a value");
    return this.stack.pop();
  }
  top(): unknown {
    const value = this.pop();
    this.stack.push(value);
    return value;
  }
  mark(): void {
    if (this.marks.length >= MAX_MARKS) {
      refuse("TOO_DEEP", this.place, "one more", `at most ${MAX_MARKS} marks`);
    }
    this.marks.push(this.stack.length);
  }
  /** What has been pushed since the last mark. */
  sinceMark(): unknown[] {
    const from = this.marks.pop();
    return from === undefined ? this.bad("no mark", "a mark") : this.stack.splice(from);
  }
  tuple(length: number): void {
    const items: unknown[] = [];
    for (let i = 0; i < length; i++) items.unshift(this.pop());
    this.push(Object.freeze(items));
  }

  put(index: number): void {
    if (this.memo.has(index)) this.bad(`the memo ${index} again`, "each once");
    this.memo.set(index, this.top());
  }
  get(index: number): void {
    if (!this.memo.has(index)) this.bad(`the memo ${index}`, "one that was put");
    this.push(this.memo.get(index));
  }
  append(items: readonly unknown[]): void {
    const list = this.top();
    if (!Array.isArray(list) || Object.isFrozen(list)) this.bad("an append to no list", "a list");
    for (const item of items) (list as unknown[]).push(item);
  }
  set(items: readonly unknown[]): void {
    const dict = this.top();
    if (!isDict(dict)) return this.bad("an item of no dictionary", "a dictionary");
    if (items.length % 2) this.bad(`${items.length} keys and values`, "pairs");
    for (let i = 0; i < items.length; i += 2) setItem(dict, items[i], items[i + 1], this.place);
  }
}

const dict = (): unknown => Object.create(null) as unknown;

/** By the byte that stands for each. */
const INSTRUCTIONS: Readonly<Record<number, (m: Machine) => void>> = {
  0x28: (m) => m.mark(), // MARK
  0x29: (m) => m.tuple(0), // EMPTY_TUPLE
  0x47: (m) => m.push(m.double()), // BINFLOAT
  0x4a: (m) => m.push(m.int32()), // BININT
  0x4b: (m) => m.push(m.byte()), // BININT1
  0x4d: (m) => m.push(m.uint16()), // BININT2
  0x4e: (m) => m.push(null), // NONE
  0x51: (m) => m.push(storageOf(m.pop(), m.stored, m.place)), // BINPERSID
  0x52: (m) => {
    const given = m.pop();
    m.push(rebuild(m.pop(), given, m.place)); // REDUCE
  },
  0x58: (m) => m.push(m.text(m.uint32())), // BINUNICODE
  0x5d: (m) => m.push([]), // EMPTY_LIST
  0x61: (m) => m.append([m.pop()]), // APPEND
  0x62: (m) => {
    const state = m.pop();
    setState(m.top(), state, m.place); // BUILD
  },
  0x63: (m) => {
    const module = m.line();
    m.push(tagOf(`${module} ${m.line()}`, m.place)); // GLOBAL
  },
  0x65: (m) => m.append(m.sinceMark()), // APPENDS
  0x68: (m) => m.get(m.byte()), // BINGET
  0x6a: (m) => m.get(m.uint32()), // LONG_BINGET
  0x71: (m) => m.put(m.byte()), // BINPUT
  0x72: (m) => m.put(m.uint32()), // LONG_BINPUT
  0x73: (m) => {
    const value = m.pop();
    m.set([m.pop(), value]); // SETITEM
  },
  0x74: (m) => m.push(Object.freeze(m.sinceMark())), // TUPLE
  0x75: (m) => m.set(m.sinceMark()), // SETITEMS
  0x7d: (m) => m.push(dict()), // EMPTY_DICT
  0x85: (m) => m.tuple(1), // TUPLE1
  0x86: (m) => m.tuple(2), // TUPLE2
  0x87: (m) => m.tuple(3), // TUPLE3
  0x88: (m) => m.push(true), // NEWTRUE
  0x89: (m) => m.push(false), // NEWFALSE
  0x8a: (m) => m.push(m.long()), // LONG1
};
