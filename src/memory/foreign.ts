/**
 * Parameters in a WebAssembly memory that belongs to someone else, such as another library's heap.
 *
 * Values and gradients stay where their owner has put them, at any multiple of four bytes, and may be
 * somewhere else in each step. Gradients may be one another's memory and are never written. State is
 * allocated on the same heap, where all parameters of an optimizer have it side by side as in any arena.
 */
import { BackendError, GradientError, ParameterError, Prose } from "../errors.ts";
import { ALIGNMENT, Arena, showBytes, type Region } from "./arena.ts";
import { Parameter, type ParameterOptions } from "./parameter.ts";

/** A heap: its memory, and how its owner shares it out. */
export interface Heap {
  readonly memory: WebAssembly.Memory;
  /** Address of so many bytes, whatever is in them; 0 if there are no more. */
  readonly allocate: (bytes: number) => number;
  readonly free: (address: number) => void;
}

const BYTES = Float32Array.BYTES_PER_ELEMENT;
const ELEMENTS_APART = ALIGNMENT / BYTES;

/** An arena whose regions come from a heap. There are no addresses of 64 bits, and all is float32. */
export class ForeignArena extends Arena {
  private readonly heap: Heap;
  /** What the heap gave for each region. */
  private readonly addresses = new Map<number, number>();
  /** Bytes that the memory has at least: asking it takes longer than all else that an address needs. */
  private known = 0;

  constructor(heap: Heap) {
    super("float32", 0, false, heap.memory);
    this.heap = heap;
  }

  override allocate(bytes: number): number {
    const address = this.heap.allocate(bytes + ALIGNMENT) >>> 0;
    if (address === 0) refuseSize(bytes);
    const at = Math.ceil(address / ALIGNMENT) * ALIGNMENT;
    this.addresses.set(at, address);
    new Uint8Array(this.buffer, at, bytes).fill(0);
    return at;
  }

  /** Whether so many bytes from an address on lie in the memory, as floats do. */
  holds(address: number, bytes: number): boolean {
    if (!(address >= 0) || address % BYTES !== 0) return false;
    if (address + bytes > this.known) this.known = this.buffer.byteLength;
    return address + bytes <= this.known;
  }

  /** Gives regions back to the heap. */
  override takeBack(regions: readonly Region[]): void {
    for (const { at } of regions) {
      this.heap.free(this.addresses.get(at)!);
      this.addresses.delete(at);
    }
  }
}

const arenas = new WeakMap<Heap, ForeignArena>();

/** The arena of a heap: one for all optimizers, so that kernels are made for it once. */
export function arenaOn(heap: Heap): ForeignArena {
  let arena = arenas.get(heap);
  if (!arena) arenas.set(heap, (arena = new ForeignArena(heap)));
  return arena;
}

/** A parameter whose values and gradient have addresses of their own. */
export class ForeignParameter extends Parameter<"float32"> {
  /** Byte offsets in the arena's memory. */
  dataAt = 0;
  gradAt = 0;
  private readonly arena: ForeignArena;

  /** @param offset elements from the start of regions of state; see {@link foreignParameters}. */
  constructor(
    arena: ForeignArena,
    offset: number,
    shape: readonly number[],
    options: ParameterOptions,
  ) {
    const size = shape.reduce((product, n) => product * n, 1);
    super(arena.view(0, size) as Float32Array, "float32", shape, options);
    this.arena = arena;
    this.home = { arena, offset, dataRegion: 0, gradRegion: 0 };
  }

  /**
   * Says where its values are from now on, and its gradient, which then counts.
   *
   * @throws {ParameterError} `BAD_ADDRESS` unless both lie in the memory, as floats do.
   */
  place(dataAt: number, gradAt: number): void {
    const bytes = this.size * BYTES;
    if (!this.arena.holds(dataAt, bytes)) this.refuseAddress(dataAt);
    if (!this.arena.holds(gradAt, bytes)) this.refuseAddress(gradAt);
    this.dataAt = dataAt;
    this.gradAt = gradAt;
    this.hasGrad = true;
  }

  private refuseAddress(got: unknown): never {
    const last = this.arena.buffer.byteLength - this.size * BYTES;
    throw new ParameterError("BAD_ADDRESS", {
      subject: this.label,
      got,
      expected: `an address on its heap: a multiple of ${BYTES} from 0 to ${last}`,
    });
  }

  /** Its values may have moved, and views may be those of a memory before it grew. */
  protected override isStale(): boolean {
    return true;
  }

  protected override lookAgain(): void {
    const { arena } = this;
    this.dataView = arena.view(this.dataAt, this.size) as Float32Array;
    this.gradView = arena.view(this.gradAt, this.size) as Float32Array;
  }

  /** @throws {GradientError} `READ_ONLY`: whoever asks is about to write. */
  protected override refuseIfFrozen(): void {
    throw new GradientError("READ_ONLY", {
      subject: this.label,
      got: new Prose("a gradient to be written"),
      expected: "gradients to be left alone, as their memory belongs to someone else",
    });
  }
}

/**
 * Parameters whose state lies side by side, in the given order and with the gaps that it has in any arena:
 * so whatever depends on an element's place has the same bits as there.
 */
export function foreignParameters(
  arena: ForeignArena,
  all: readonly { readonly name: string; readonly shape: readonly number[] }[],
): ForeignParameter[] {
  let offset = 0;
  return all.map(({ name, shape }) => {
    const parameter = new ForeignParameter(arena, offset, shape, { name });
    offset += Math.ceil(parameter.size / ELEMENTS_APART) * ELEMENTS_APART;
    return parameter;
  });
}

function refuseSize(bytes: number): never {
  throw new BackendError("OUT_OF_MEMORY", {
    subject: "state of the optimizer",
    got: new Prose(`no room for ${showBytes(bytes)} on the heap that its parameters are on`),
    expected: "a heap with room for the state beside them",
    advice: "Dispose of tensors and optimizers that are not needed, or take one with less state.",
  });
}
