/**
 * A parameter: numbers that an optimizer improves, and the gradient it improves them by.
 *
 * Until an optimizer takes it in, a parameter has memory of its own. Then its data and gradient move
 * into the optimizer's arena, side by side with the others, and stay there for good.
 */
import { GradientError, ParameterError, Prose, show } from "../errors.ts";
import { inspectKey } from "../symbols.ts";
import type { Arena } from "./arena.ts";
import { bytesOf, viewOf, type DType, type TypedArray } from "./dtype.ts";
import { TouchedRows, type CoalescedGradient, type SparseGradient } from "./rows.ts";
import type { NestedNumbers } from "./shape.ts";
import { acceptValues } from "./values.ts";

/**
 * How often any parameter has got or lost its gradient, or has got one of other rows: while it stays the
 * same, an optimizer of thousands of parameters need not ask each of them.
 */
export const gradientChanges = { count: 0 };

/** Kinds of gradients; each that consists of rows has a greater number of its own. */
const NONE = 0;
const DENSE = 1;

/** Where a parameter lives in an arena. */
export interface Home {
  readonly arena: Arena;
  /** Elements from the start of each region to this parameter. */
  readonly offset: number;
  /** Byte offsets of the regions of data and of gradients. */
  readonly dataRegion: number;
  readonly gradRegion: number;
}

/** A trainable tensor; made by `parameter()`. */
export class Parameter<D extends DType = DType> {
  /** Key in state dicts; without one, its position among all parameters of the optimizer. */
  readonly name: string | undefined;
  readonly shape: readonly number[];
  /** Number of elements. */
  readonly size: number;
  readonly dtype: D;
  /** @internal */ home: Home | null = null;
  /** @internal What kind of gradient there is; it differs from one set of rows to the next. */
  gradKind = NONE;
  /** @internal The rows of a gradient that consists of rows. */
  rows: TouchedRows | undefined;
  protected dataView: TypedArray<D>;
  protected gradView: TypedArray<D> | undefined;
  private trainable: boolean;

  /** @internal */
  constructor(data: TypedArray<D>, dtype: D, shape: readonly number[], options: ParameterOptions) {
    this.dataView = data;
    this.dtype = dtype;
    this.shape = Object.freeze([...shape]);
    this.size = data.length;
    this.name = options.name;
    this.trainable = options.requiresGrad ?? true;
  }

  /**
   * A live view of the values, in row-major order. Take it after the optimizer is made: making one
   * moves the values, and a view taken before it is then empty (its length is 0). For a copy use
   * `.slice()`: the memory is shared between threads, so `structuredClone` gives another live view.
   */
  get data(): TypedArray<D> {
    if (this.home && this.isStale(this.dataView)) this.lookAgain();
    return this.dataView;
  }

  /** Copies values in. @throws {ParameterError} unless type and shape fit. */
  set data(values: TypedArray<D> | NestedNumbers) {
    this.data.set(this.accept(values, (parts) => new ParameterError("BAD_DATA", parts)));
  }

  /**
   * A live view of the gradient, or `null` where there is none: {@link Optimizer.step} then skips the
   * parameter. Assigning copies the values in. It is `null` too where there is a {@link sparseGrad}.
   *
   * @throws {GradientError} on assigning values of another type or shape, or to a frozen parameter.
   */
  get grad(): TypedArray<D> | null {
    return this.gradKind === DENSE ? this.gradMemory() : null;
  }

  set grad(values: TypedArray<D> | NestedNumbers | null) {
    if (values === null) {
      this.hasGrad = false;
      return;
    }
    this.refuseIfFrozen();
    this.gradMemory().set(this.accept(values, (parts) => new GradientError("BAD_GRADIENT", parts)));
    this.hasGrad = true;
  }

  /**
   * A gradient of some rows alone, `{ indices, values }`, for optimizers that then leave the other rows
   * as they are: `SparseAdam`, `SGD`, `Adagrad`. It costs what its rows cost, however large the parameter.
   * Assigning copies the values in, those of equal indices added up; it takes the place of any gradient
   * before. Reading gives a copy with every row once, in ascending order, or `null`.
   *
   * @example
   * table.sparseGrad = { indices: [7, 3, 7], values: [[1, 0], [0, 1], [2, 2]] }; // rows 3 and 7
   *
   * @throws {GradientError} on assigning indices that are no rows, values of another type or shape, or to a
   *   frozen parameter; the gradient is what it was then.
   */
  get sparseGrad(): CoalescedGradient<D> | null {
    if (!this.isSparse) return null;
    return this.rows!.read(this.gradMemory()) as CoalescedGradient<D>;
  }

  set sparseGrad(gradient: SparseGradient<D> | null) {
    if (gradient === null) {
      this.hasGrad = false;
      return;
    }
    this.refuseIfFrozen();
    this.rows ??= new TouchedRows(this);
    this.rows.accept(gradient, this.gradMemory());
    this.gradKind = DENSE + ++gradientChanges.count;
  }

  /** @internal Whether the gradient consists of rows. */
  get isSparse(): boolean {
    return this.gradKind > DENSE;
  }

  /**
   * Adds to the gradient, in place; where there is none, it becomes a copy of the values. So gradients of
   * several batches add up to one.
   *
   * @throws {GradientError} as assigning to {@link grad} does; the gradient is what it was then.
   */
  addGrad(values: TypedArray<D> | NestedNumbers): void {
    this.refuseIfFrozen();
    const added = this.accept(values, (parts) => new GradientError("BAD_GRADIENT", parts));
    if (!this.hasGrad) {
      this.ensureGrad({ zero: false }).set(added);
      return;
    }
    addTo(this.ensureGrad(), added);
  }

  /**
   * The gradient's own memory, to be written in place: nothing is copied, and from this call on the
   * parameter has a gradient. If it had none, the memory is zeroed first, so that `+=` may start.
   * `{ zero: false }` leaves whatever was there, for writers that set every element.
   *
   * @example
   * const g = w.ensureGrad({ zero: false });
   * for (let i = 0; i < g.length; i++) g[i] = 2 * w.data[i]!;
   */
  ensureGrad({ zero = true }: { zero?: boolean } = {}): TypedArray<D> {
    this.refuseIfFrozen();
    const grad = this.gradMemory();
    if (zero && this.isSparse) this.rows!.fillRest(grad);
    else if (zero && !this.hasGrad) grad.fill(0);
    this.hasGrad = true;
    return grad;
  }

  /** @internal Whether the gradient counts: the optimizer skips parameters without one. */
  get hasGrad(): boolean {
    return this.gradKind !== NONE;
  }

  set hasGrad(value: boolean) {
    const kind = value ? DENSE : NONE;
    if (kind !== this.gradKind) gradientChanges.count++;
    this.gradKind = kind;
  }

  /** `false` freezes: the gradient becomes `null` and may not be set. */
  get requiresGrad(): boolean {
    return this.trainable;
  }

  set requiresGrad(value: boolean) {
    if (typeof value !== "boolean") {
      throw new ParameterError("BAD_OPTION", {
        subject: `${this.label}: requiresGrad`,
        got: value,
        expected: "true or false",
      });
    }
    this.trainable = value;
    if (!value) this.hasGrad = false;
  }

  /** How messages call it. */
  get label(): string {
    return this.name === undefined ? "parameter" : `parameter ${JSON.stringify(this.name)}`;
  }

  /** What it is, without its values. */
  toString(): string {
    const { name, shape, dtype, requiresGrad } = this;
    const parts = Object.entries({ name, shape, dtype, requiresGrad })
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => `${key}: ${show(value)}`);
    return `Parameter { ${parts.join(", ")} }`;
  }

  /** What Node's `console.log` prints. */
  [inspectKey](): string {
    return this.toString();
  }

  /** @internal Moves data and gradient into an arena. Views of the old memory are detached. */
  moveTo(home: Home): void {
    const old = this.dataView;
    const oldGrad = this.gradView;
    this.home = home;
    this.lookAgain();
    this.dataView.set(old);
    if (oldGrad && this.hasGrad) this.gradMemory().set(oldGrad);
    detach(old.buffer);
    if (oldGrad) detach(oldGrad.buffer);
  }

  private gradMemory(): TypedArray<D> {
    if (!this.gradView || this.isStale(this.gradView)) {
      if (this.home) this.lookAgain();
      else
        this.gradView = viewOf(
          this.dtype,
          new ArrayBuffer(this.size * bytesOf(this.dtype)),
          0,
          this.size,
        );
    }
    return this.gradView!;
  }

  /** Whether a view was lost when its memory grew; an empty one does not show it. */
  protected isStale(view: TypedArray): boolean {
    return view.length !== this.size || this.size === 0;
  }

  protected lookAgain(): void {
    const { arena, offset, dataRegion, gradRegion } = this.home!;
    const skip = offset * bytesOf(this.dtype);
    this.dataView = arena.view(dataRegion + skip, this.size) as TypedArray<D>;
    this.gradView = arena.view(gradRegion + skip, this.size) as TypedArray<D>;
  }

  private accept(
    values: unknown,
    error: (parts: ConstructorParameters<typeof GradientError>[1]) => Error,
  ): ArrayLike<number> {
    return acceptValues(values, this.dtype, this.shape, (got, expected, advice = "") => {
      throw error({ subject: this.label, got, expected, advice });
    });
  }

  protected refuseIfFrozen(): void {
    if (this.trainable) return;
    throw new GradientError("FROZEN", {
      subject: this.label,
      got: new Prose("a gradient although requiresGrad is false"),
      expected: "no gradient",
      advice: "Set requiresGrad to true first.",
    });
  }
}

/** What {@link parameter} takes besides the values. */
export interface ParameterOptions {
  /** Key in state dicts and in messages. */
  readonly name?: string;
  /** Row-major; by default that of the values. */
  readonly shape?: readonly number[];
  /** By default that of the typed array, `"float32"` for plain arrays. */
  readonly dtype?: DType;
  /** Whether it is trained (default true). */
  readonly requiresGrad?: boolean;
}

/** Four at a time, which takes engines two thirds of the time. */
function addTo(sum: TypedArray, added: ArrayLike<number>): void {
  const { length } = sum;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    sum[i]! += added[i]!;
    sum[i + 1]! += added[i + 1]!;
    sum[i + 2]! += added[i + 2]!;
    sum[i + 3]! += added[i + 3]!;
  }
  for (; i < length; i++) sum[i]! += added[i]!;
}

/** Empties old views, so that nobody reads or writes memory that no longer counts. */
function detach(buffer: ArrayBufferLike): void {
  if (buffer instanceof ArrayBuffer) structuredClone(buffer, { transfer: [buffer] });
}
