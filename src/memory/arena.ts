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
/** So many bytes may lie unused before a region. */
export const MAX_GAP = SMALL_PAGE;

const PAGE = 65_536;

/** How many bytes a memory may have. Tests set less: they need several memories, not large ones. */
export const limits = {
  /** With addresses of 32 bits: a page below 4 GiB, so that no region ends at one that has 33. */
  narrow: 65_535 * PAGE,
  /** With addresses of 64 bits: what engines allow. 0 does without such memories. */
  wide: 262_144 * PAGE,
};

/** A part of an arena. */
export interface Region {
  readonly at: number;
  readonly bytes: number;
}

/** What an arena needs of its memory; a WebAssembly.Memory has it. */
interface Growable {
  readonly buffer: ArrayBufferLike;
  grow(pages: number): unknown;
}

/** Stands in where an engine has no WebAssembly at all. */
class PlainMemory implements Growable {
  readonly buffer: ArrayBuffer;

  constructor(pages: number, maximum: number) {
    this.buffer = new ArrayBuffer(pages * PAGE, { maxByteLength: maximum * PAGE });
  }

  /** @param pages also a BigInt, as WebAssembly's wide memories take it. */
  grow(pages: number): void {
    this.buffer.resize(this.buffer.byteLength + Number(pages) * PAGE);
  }
}

/**
 * The memory of one type of numbers, in which the parameters of optimizers lie side by side. It grows
 * by itself, and goes when nothing views it any more.
 */
export class Arena {
  readonly dtype: DType;
  /** Whether addresses have 64 bits. */
  readonly wide: boolean;
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
    this.takeBack(regions);
  });
  private whole: TypedArray | undefined;
  private wholeHalves: Uint16Array | undefined;

  /**
   * @param bytes how much memory to begin with; it grows when more is allocated.
   * @param wide for more than 32 bits can address, see {@link wideLimit}. Engines check every access
   *   there, which costs kernels some speed; with 32 bits they need not.
   * @param given memory of someone else, for subclasses that know how it is shared out.
   */
  constructor(dtype: DType, bytes: number, wide = false, given?: WebAssembly.Memory) {
    this.dtype = dtype;
    this.wide = wide;
    this.memory = given ?? createMemory(pagesFor(bytes), wide);
    this.shared = !(this.memory.buffer instanceof ArrayBuffer);
    if (!given) arenas.set(this.memory.buffer, this);
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

  /** All of the memory as halves of 32 bits, in which bfloat16 lies. */
  get halves(): Uint16Array {
    const { buffer } = this.memory;
    const known = this.wholeHalves;
    if (known && known.buffer === buffer && known.byteLength === buffer.byteLength) return known;
    return (this.wholeHalves = new Uint16Array(buffer, 0, Math.floor(buffer.byteLength / 2)));
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
      this.grow(missing, end);
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

  /** Regions that nobody uses any more. */
  takeBack(regions: readonly Region[]): void {
    this.spare.push(...regions);
  }

  private grow(pages: number, bytes: number): void {
    try {
      this.memory.grow(this.wide ? bigInt(pages) : pages);
    } catch (error) {
      throw outOfMemory(bytes, this.wide, error);
    }
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

/** Bytes that a memory with 64-bit addresses can have here; 0 where the engine makes none. */
export function wideLimit(): number {
  try {
    makeMemory(1, true);
    return limits.wide;
  } catch {
    return 0;
  }
}

function createMemory(pages: number, wide: boolean): WebAssembly.Memory | PlainMemory {
  try {
    return makeMemory(pages, wide);
  } catch (error) {
    throw outOfMemory(pages * PAGE, wide, error);
  }
}

function makeMemory(pages: number, wide: boolean): WebAssembly.Memory | PlainMemory {
  const maximum = limitOf(wide) / PAGE;
  if (typeof WebAssembly === "undefined") return new PlainMemory(pages, maximum);
  const size = wide
    ? { address: "i64" as const, initial: bigInt(pages), maximum: bigInt(maximum) }
    : { initial: pages, maximum };
  try {
    return new WebAssembly.Memory({ ...size, shared: true });
  } catch {
    return new WebAssembly.Memory(size);
  }
}

/** What a memory with 64-bit addresses takes for a number of pages; TypeScript does not know it yet. */
function bigInt(pages: number): number {
  return BigInt(pages) as unknown as number;
}

function limitOf(wide: boolean): number {
  return wide ? limits.wide : limits.narrow;
}

/** A number of bytes for people. */
export function showBytes(bytes: number): string {
  const power = bytes < 2 ** 20 ? 1 : bytes < 2 ** 30 ? 2 : 3;
  return `${(bytes / 1024 ** power).toFixed(1)} ${["KiB", "MiB", "GiB"][power - 1]}`;
}

function outOfMemory(bytes: number, wide: boolean, cause: unknown): BackendError {
  const error = new BackendError("OUT_OF_MEMORY", {
    subject: "memory of the optimizer",
    got: new Prose(`no memory for ${showBytes(bytes)} in one piece`),
    expected: `parameters, gradients and state to fit into memory, and into ${showBytes(limitOf(wide))}`,
    advice:
      "State that comes later, of this optimizer or of another over the same parameters, has to fit " +
      "in beside them: make the optimizer with the most state first. One that is dropped gives its " +
      "room back when it is collected.",
  });
  error.cause = cause;
  return error;
}
