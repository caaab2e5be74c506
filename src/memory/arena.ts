/**
 * One memory in which parameters, gradients and state lie side by side.
 *
 * An arena hands out regions. Those of a dropped optimizer come back for the next one; the whole is
 * freed by the garbage collector when nothing views it any more. The memory is a shared
 * WebAssembly.Memory wherever the engine makes one: views of a shared memory stay alive when it grows.
 */
import { BackendError, Prose } from "../errors.ts";
import { bytesOf, viewOf, type DType, type TypedArray } from "./dtype.ts";

/**
 * Every tensor starts on this many bytes: one cache line, a whole number of vectors. More would only
 * be more to read, as kernels run through the gaps between neighbours.
 */
export const ALIGNMENT = 64;

/**
 * Large regions begin so many bytes apart in their pages of 4 KiB, the later the lower. A processor
 * tells addresses apart by their place in such a page when it looks whether a load must wait for a
 * store before it: regions that kernels walk through side by side should differ there.
 */
const STAGGER = 832;
const SMALL_PAGE = 4096;
const LARGE_REGION = 4 * SMALL_PAGE;

const PAGE = 65_536;
/** One below 4 GiB, so that no region ends at the address that does not fit into 32 bits. */
const MAX_PAGES = 65_535;
/** What an arena can hold at most. */
export const MAX_BYTES = MAX_PAGES * PAGE;

/** A part of an arena. */
export interface Region {
  readonly at: number;
  readonly bytes: number;
}

/** What an arena needs of its memory; a WebAssembly.Memory has it. */
interface Growable {
  readonly buffer: ArrayBufferLike;
  grow(pages: number): number;
}

/** Stands in where an engine has no WebAssembly at all. */
class PlainMemory implements Growable {
  readonly buffer: ArrayBuffer;

  constructor(pages: number) {
    this.buffer = new ArrayBuffer(pages * PAGE, { maxByteLength: MAX_PAGES * PAGE });
  }

  grow(pages: number): number {
    const before = this.buffer.byteLength / PAGE;
    this.buffer.resize((before + pages) * PAGE);
    return before;
  }
}

export class Arena {
  readonly dtype: DType;
  readonly memory: WebAssembly.Memory | PlainMemory;
  /** Whether views survive growth and other threads may join. */
  readonly shared: boolean;
  private used = 0;
  private largeRegions = 0;
  private readonly spare: Region[] = [];
  /**
   * Takes regions back when the optimizer that held them is collected. It belongs to the arena, because
   * a registry keeps alive what it holds: one for all arenas would keep every one of them.
   */
  private readonly dropped = new FinalizationRegistry<readonly Region[]>((regions) => {
    this.spare.push(...regions);
  });
  private whole: TypedArray | undefined;

  /** @param bytes how much memory to begin with; it grows when more is allocated. */
  constructor(dtype: DType, bytes: number) {
    this.dtype = dtype;
    this.memory = createMemory(pagesFor(bytes));
    this.shared = !(this.memory.buffer instanceof ArrayBuffer);
    arenas.set(this.memory.buffer, this);
  }

  /** The memory as it is now. */
  get buffer(): ArrayBufferLike {
    return this.memory.buffer;
  }

  /** All of the memory as elements; made anew after growth. */
  get elements(): TypedArray {
    const { buffer } = this.memory;
    const known = this.whole;
    if (known && known.buffer === buffer && known.byteLength === buffer.byteLength) return known;
    const length = Math.floor(buffer.byteLength / bytesOf(this.dtype));
    return (this.whole = viewOf(this.dtype, buffer, 0, length));
  }

  /**
   * Byte offset of a new region, zero all over and aligned.
   *
   * @throws {BackendError} `OUT_OF_MEMORY` if the engine has no more; nothing has changed then.
   */
  allocate(bytes: number): number {
    const again = this.spare.findIndex((region) => region.bytes === bytes);
    if (again >= 0) {
      const { at } = this.spare[again]!;
      this.spare.splice(again, 1);
      new Uint8Array(this.memory.buffer, at, bytes).fill(0);
      return at;
    }
    const at = bytes < LARGE_REGION ? this.used : this.staggered();
    const end = at + Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    const missing = pagesFor(end) - this.memory.buffer.byteLength / PAGE;
    if (missing > 0) {
      grow(this.memory, missing, end);
      arenas.set(this.memory.buffer, this);
    }
    this.used = end;
    return at;
  }

  /** Where the next large region should begin. */
  private staggered(): number {
    const place = SMALL_PAGE - ((this.largeRegions++ * STAGGER) % SMALL_PAGE);
    const skip = (place - this.used) % SMALL_PAGE;
    return this.used + (skip < 0 ? skip + SMALL_PAGE : skip);
  }

  /**
   * Ties regions to the life of their holder: whoever makes one optimizer after another over the same
   * parameters, as a search for a learning rate does, must not run out of memory.
   */
  holdFor(holder: object, regions: readonly Region[]): void {
    this.dropped.register(holder, regions);
  }

  /** A live view of `length` elements from `byteOffset` on. */
  view(byteOffset: number, length: number): TypedArray {
    return viewOf(this.dtype, this.memory.buffer, byteOffset, length);
  }
}

/** Arenas by their buffers; a shared memory has another buffer object after each growth. */
const arenas = new WeakMap<ArrayBufferLike, Arena>();

/** The arena that a view looks into, if any. */
export function arenaOf(view: ArrayBufferView): Arena | undefined {
  return arenas.get(view.buffer);
}

function pagesFor(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / PAGE));
}

function createMemory(pages: number): WebAssembly.Memory | PlainMemory {
  if (pages > MAX_PAGES) throw outOfMemory(pages * PAGE);
  try {
    if (typeof WebAssembly === "undefined") return new PlainMemory(pages);
    return createWasmMemory(pages);
  } catch (error) {
    throw outOfMemory(pages * PAGE, error);
  }
}

function createWasmMemory(pages: number): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: MAX_PAGES, shared: true });
  } catch {
    return new WebAssembly.Memory({ initial: pages, maximum: MAX_PAGES });
  }
}

function grow(memory: Growable, pages: number, bytes: number): void {
  try {
    memory.grow(pages);
  } catch (error) {
    throw outOfMemory(bytes, error);
  }
}

function outOfMemory(bytes: number, cause?: unknown): BackendError {
  const error = new BackendError("OUT_OF_MEMORY", {
    subject: "memory of the optimizer",
    got: new Prose(`no memory for ${(bytes / 2 ** 20).toFixed(1)} MiB in one piece`),
    expected: "parameters, gradients and state to fit into memory, and into 4 GiB",
    advice:
      "Add large parameters in groups of their own with addParamGroup(); optimizers made one after " +
      "another over the same parameters share a memory until they are collected.",
  });
  if (cause !== undefined) error.cause = cause;
  return error;
}
