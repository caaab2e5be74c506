/**
 * A parameter on a GPU, and the gradient that it is improved by.
 *
 * Shaders read and write both where they are; nothing but `read` and `write` moves numbers between GPU and
 * CPU. Until an optimizer takes it in, or somebody asks where it is, a parameter has no memory at all, so
 * that all parameters of an optimizer can be laid side by side.
 */
import { GradientError, ParameterError, show } from "../../errors.ts";
import { inspectKey } from "../../symbols.ts";
import { gradientChanges } from "../parameter.ts";
import type { NestedNumbers } from "../shape.ts";
import { acceptValues } from "../values.ts";
import { aligned, Chunk } from "./chunk.ts";
import { requireGradient, requireOwnGradient, requireSwitch, requireTrained } from "./checks.ts";
import { readCapacity, readLrScale, type GpuParameterOptions } from "./options.ts";
import { readParts, requireCopies, writeNumbers } from "./read.ts";

/** Where a parameter lives. */
export interface GpuHome {
  readonly chunk: Chunk;
  /** Elements from the start of the chunk. */
  readonly offset: number;
}

const BYTES = Float32Array.BYTES_PER_ELEMENT;
const sizeOf = (shape: readonly number[]) => shape.reduce((product, n) => product * n, 1);

/** A trainable float32 tensor on a GPU; made by `parameter(device, ...)`. */
export class GpuParameter {
  readonly device: GPUDevice;
  /** Key in state dicts; without one, its position among all parameters of the optimizer. */
  readonly name: string | undefined;
  readonly dtype = "float32";
  /** @internal */ home: GpuHome | null = null;
  /** @internal Goes up when its rows change. */ revision = 0;
  private currentShape: readonly number[];
  private rowsWithMemory: number;
  private moves = 0;
  private factors: readonly number[] | null;
  private initial: Float32Array | null;
  private trainable: boolean;
  private counts: boolean;

  /** @internal @param initial its first values if it has no home yet; `null` for zeros. */
  constructor(
    device: GPUDevice,
    shape: readonly number[],
    home: GpuHome | null,
    initial: Float32Array | null,
    options: GpuParameterOptions,
  ) {
    this.device = device;
    this.name = options.name;
    this.currentShape = Object.freeze([...shape]);
    this.rowsWithMemory = readCapacity(this.label, shape, options.capacity);
    this.initial = initial;
    if (home) this.moveTo(home);
    this.counts = home?.chunk.location.grad !== null;
    this.trainable = options.requiresGrad ?? true;
    this.factors = readLrScale(this.label, this.shape, options.lrScale ?? null);
  }

  /** Its number of rows, the first, changes when rows are added or taken away. */
  get shape(): readonly number[] {
    return this.currentShape;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /**
   * Rows that there is memory for. With more of them the parameter moves to a larger place, while one in
   * buffers of yours has no other.
   */
  get capacity(): number {
    return this.rowsWithMemory;
  }

  /** Goes up when the parameter moves to another place, so that its bindings must be taken anew. */
  get generation(): number {
    return this.moves;
  }

  /**
   * Where the values are, to be bound in a shader: `{ buffer, offset, size }` in bytes. It stays the same
   * until rows are added or taken away: then `size` changes, and beyond the capacity the place. Make the
   * optimizer before you ask: it lays its parameters side by side and runs over all of them at once, while
   * one that has a place already is run over by itself.
   */
  get data(): Required<GPUBufferBinding> {
    return this.partOf("data");
  }

  /**
   * Where the gradient is: shaders write it there. It is zero to begin with.
   *
   * @throws {GradientError} `NO_GRADIENT` for a parameter in buffers of yours that has none.
   */
  get grad(): Required<GPUBufferBinding> {
    return this.partOf("grad");
  }

  /**
   * Whether the gradient counts (default true): a step skips parameters whose gradient does not, and leaves
   * their state and count of steps alone.
   */
  get hasGrad(): boolean {
    return this.counts && this.trainable;
  }

  set hasGrad(value: boolean) {
    requireSwitch(`${this.label}: hasGrad`, value);
    if (value) {
      requireTrained(this);
      if (this.home) requireGradient(this.label, this.home.chunk);
    }
    if (value !== this.counts) gradientChanges.count++;
    this.counts = value;
  }

  /** `false` freezes: the parameter takes no steps. */
  get requiresGrad(): boolean {
    return this.trainable;
  }

  set requiresGrad(value: boolean) {
    requireSwitch(`${this.label}: requiresGrad`, value);
    if (value !== this.trainable) gradientChanges.count++;
    this.trainable = value;
  }

  /**
   * Learning rates of the components of a row, as factors: one number for each element of `shape.slice(1)`,
   * finite and ≥ 0, or `null` (default). An element with the factor s gets that share of its update,
   *
   *     p ← p + s·(p' - p)
   *
   * where p' is what the rule makes of it, decoupled weight decay included. For Adam or SGD that is a learning
   * rate of s·lr; it is said of the update because rules use lr in many ways, or not at all. 0 freezes a
   * component, and 1 leaves its update alone to the bit. State is what it would be without, but for what is
   * made of the new parameter, such as ASGD's average.
   *
   * It may be changed between steps; nothing is compiled anew.
   *
   * @throws {ParameterError} `BAD_OPTION`.
   *
   * @example
   * const splats = parameter(device, { shape: [n, 4] }); // x, y, z, opacity
   * splats.lrScale = [1, 1, 1, 0.1];
   */
  get lrScale(): readonly number[] | null {
    return this.factors;
  }

  set lrScale(factors: Float32Array | NestedNumbers | null) {
    this.factors = readLrScale(this.label, this.shape, factors);
    gradientChanges.count++;
  }

  /** A copy of the values. @throws {BackendError} `DEVICE_LOST`. */
  async read(): Promise<Float32Array> {
    return this.readPart("data");
  }

  /** A copy of the gradient. @throws {BackendError} `DEVICE_LOST`. */
  async readGrad(): Promise<Float32Array> {
    return this.readPart("grad");
  }

  /** Copies values in: they are there for all that is submitted later. @throws {ParameterError} | {BackendError} */
  write(values: Float32Array | NestedNumbers): void {
    const numbers = this.accept(values, (parts) => new ParameterError("BAD_DATA", parts));
    if (this.home) {
      this.requireWritable("data", "write");
      writeNumbers(this.device, this.data, numbers);
    } else this.initial = numbers.slice();
  }

  /**
   * Copies a gradient in, which then counts; `null` says that there is none.
   *
   * @throws {GradientError} for values of another shape, or a frozen parameter, {BackendError}
   *   `NOT_WRITABLE` for a buffer of yours without COPY_DST, and for a gradient that is lent.
   */
  writeGrad(values: Float32Array | NestedNumbers | null): void {
    if (values === null) {
      this.hasGrad = false;
      return;
    }
    requireTrained(this);
    const numbers = this.accept(values, (parts) => new GradientError("BAD_GRADIENT", parts));
    this.requireWritable("grad", "writeGrad");
    writeNumbers(this.device, this.grad, numbers);
    this.hasGrad = true;
  }

  /** How messages call it. */
  get label(): string {
    return this.name === undefined ? "parameter" : `parameter ${JSON.stringify(this.name)}`;
  }

  /** What it is, without its values. */
  toString(): string {
    const { name, shape, requiresGrad } = this;
    const parts = Object.entries({ name, shape, requiresGrad })
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => `${key}: ${show(value)}`);
    return `GpuParameter { ${parts.join(", ")} }`;
  }

  /** What Node's `console.log` prints. */
  [inspectKey](): string {
    return this.toString();
  }

  /** @internal @throws {BackendError} `NOT_WRITABLE` for a buffer of the user's without COPY_DST. */
  requireWritable(role: "data" | "grad", call: string): void {
    const { buffer } = this.partOf(role);
    if (role === "grad") this.requireOwnGrad(call);
    requireCopies(`${this.label}: ${call}`, buffer, "to");
  }

  /** @internal @throws {BackendError} `NOT_WRITABLE` for a gradient that is lent. */
  requireOwnGrad(call: string): void {
    requireOwnGradient(`${this.label}: ${call}`, this.home!.chunk);
  }

  /** @internal Elements that there is memory for. */
  get room(): number {
    return this.shape.length === 0 ? 1 : this.capacity * this.rowSize;
  }

  /** @internal Elements of a row. */
  get rowSize(): number {
    return sizeOf(this.shape.slice(1));
  }

  /** @internal Changes the number of rows; `home` is a larger place for so many. */
  resize(rows: number, larger?: { readonly home: GpuHome; readonly capacity: number }): void {
    this.currentShape = Object.freeze([rows, ...this.shape.slice(1)]);
    this.revision++;
    gradientChanges.count++;
    if (!larger) return;
    this.rowsWithMemory = larger.capacity;
    this.moves++;
    this.moveTo(larger.home);
  }

  /** @internal Gives it a place in memory, and writes its first values there. */
  moveTo(home: GpuHome): void {
    this.home = home;
    home.chunk.enter();
    if (this.initial) writeNumbers(this.device, this.partOf("data"), this.initial);
    this.initial = null;
  }

  /** @internal Whether its gradient, if there is one, is lent. */
  get borrowsGrad(): boolean {
    return this.home !== null && (this.home.chunk.isGradLent || !this.home.chunk.location.grad);
  }

  /** @internal Says that its buffer is another one now. */
  moved(): void {
    this.moves++;
  }

  private partOf(role: "data" | "grad"): Required<GPUBufferBinding> {
    if (!this.home) {
      this.moveTo({ chunk: Chunk.create(this.device, aligned(this.room)), offset: 0 });
    }
    const { chunk, offset } = this.home!;
    const whole = role === "data" ? chunk.location.data : requireGradient(this.label, chunk);
    const size = Math.max(1, this.size) * BYTES;
    return { buffer: whole.buffer, offset: whole.offset + offset * BYTES, size };
  }

  private async readPart(role: "data" | "grad"): Promise<Float32Array> {
    const part = this.partOf(role);
    const call = role === "data" ? "read" : "readGrad";
    requireCopies(`${this.label}: ${call}`, part.buffer, "from");
    const size = this.size * BYTES;
    const [bytes] = await readParts(this.device, this.label, [{ ...part, size }]);
    return new Float32Array(bytes!);
  }

  private accept(
    values: unknown,
    error: (parts: ConstructorParameters<typeof GradientError>[1]) => Error,
  ): Float32Array {
    const numbers = acceptValues(values, "float32", this.shape, (got, expected, advice = "") => {
      throw error({ subject: this.label, got, expected, advice });
    });
    return numbers instanceof Float32Array ? numbers : Float32Array.from(numbers);
  }
}
