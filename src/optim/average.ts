/**
 * Averages that can take the place of their parameters for a while: to be tried, saved or sent.
 *
 * The values change places in memory, so every view of a parameter shows its average until they
 * change back; nothing is copied to and fro.
 */
import { AverageError, ParameterError, Prose } from "../errors.ts";
import { viewOf, type TypedArray } from "../memory/dtype.ts";
import type { Parameter } from "../memory/parameter.ts";
import { disposeKey } from "../symbols.ts";
import type { Optimizer } from "./optimizer.ts";
import { refuseSwapped, swapped } from "./swapped.ts";

/** What {@link Average.swapIn} returns: `using` swaps out at the end of a block. */
export interface Swap extends Disposable {
  /** Brings the parameters back, unless they are back already. */
  swapOut(): void;
}

/** Elements that change places at a time: what a processor's nearest cache holds. */
const CHUNK = 4096;

/** Averages of parameters, which can take their place for a while; {@link AveragedModel} keeps some. */
export abstract class Average {
  /** How messages call it. */
  protected abstract readonly subject: string;
  /** The parameters whose averages they are. */
  abstract readonly parameters: readonly Parameter[];
  private swap: Swap | undefined;

  /** Live views of the averages there are so far. */
  protected abstract views(): ReadonlyMap<Parameter, TypedArray>;

  /** Whether the parameters hold their averages. */
  get isSwappedIn(): boolean {
    return this.swap !== undefined;
  }

  /**
   * Lets parameters and averages change places. Until they change back, steps, updates of averages
   * and state dicts of optimizers that hold these parameters are refused. A parameter without an
   * average so far is its own average.
   *
   * @throws {AverageError} `SWAPPED_IN` if this or another average of a parameter is in already;
   *   nothing has changed then.
   *
   * @example
   * {
   *   using _ = average.swapIn();
   *   evaluate();
   * }
   */
  swapIn(): Swap {
    const { parameters } = this;
    refuseSwapped(
      `${this.subject}: swapIn`,
      parameters.map((parameter) => ({ parameter })),
    );
    this.exchange();
    swapped.count++;
    for (const parameter of parameters) swapped.parameters.add(parameter);
    const swapOut = (): void => {
      if (this.swap === swap) this.swapOut();
    };
    const swap: Swap = { swapOut, [disposeKey]: swapOut };
    return (this.swap = swap);
  }

  /** Brings the parameters back. @throws {AverageError} `NOT_SWAPPED_IN` if they have not left. */
  swapOut(): void {
    if (!this.swap) {
      throw new AverageError("NOT_SWAPPED_IN", {
        subject: `${this.subject}: swapOut`,
        got: new Prose("averages that are not swapped in"),
        expected: "a call of swapIn() before",
      });
    }
    this.exchange();
    this.swap = undefined;
    swapped.count--;
    for (const parameter of this.parameters) swapped.parameters.delete(parameter);
  }

  /**
   * A live view of a parameter's average; of the parameter itself while it has none, or while the
   * average is swapped in.
   *
   * @throws {ParameterError} `UNKNOWN_PARAMETER` if it is not one of {@link parameters}.
   */
  of(parameter: Parameter): TypedArray {
    if (!this.parameters.includes(parameter)) {
      throw new ParameterError("UNKNOWN_PARAMETER", {
        subject: `${this.subject}: of`,
        got: parameter,
        expected: "one of its parameters",
      });
    }
    return (!this.swap && this.views().get(parameter)) || parameter.data;
  }

  /**
   * Copies the averages into parameters: for good into those that they are the averages of, or into
   * others in the same order, such as those of a second model.
   *
   * @throws {ParameterError} `BAD_TENSORS` unless they fit, one by one, {AverageError} `SWAPPED_IN`
   *   if one of them holds its average; nothing has been copied then.
   */
  copyTo(targets: readonly Parameter[] = this.parameters): void {
    const subject = `${this.subject}: copyTo`;
    const { parameters } = this;
    refuseSwapped(
      subject,
      targets.map((parameter) => ({ parameter })),
    );
    const fits = (target: Parameter, i: number): boolean =>
      target.dtype === parameters[i]!.dtype && target.size === parameters[i]!.size;
    if (targets.length !== parameters.length || !targets.every(fits)) {
      throw new ParameterError("BAD_TENSORS", {
        subject,
        got: targets,
        expected: `${parameters.length} parameters of the types and sizes of its own, in their order`,
      });
    }
    const views = this.swap ? new Map<Parameter, TypedArray>() : this.views();
    targets.forEach((target, i) => {
      target.data.set((views.get(parameters[i]!) ?? parameters[i]!.data) as never);
    });
  }

  private exchange(): void {
    for (const [{ data, dtype }, average] of this.views()) {
      const spare = viewOf(dtype, new ArrayBuffer(CHUNK * data.BYTES_PER_ELEMENT), 0, CHUNK);
      for (let from = 0; from < data.length; from += CHUNK) {
        const mine = data.subarray(from, from + CHUNK);
        const other = average.subarray(from, from + CHUNK);
        spare.set(mine);
        mine.set(other);
        other.set(spare.subarray(0, mine.length));
      }
    }
  }
}

/** An average that an optimizer keeps as part of its rule. */
export class StateAverage extends Average {
  protected override readonly subject: string;
  private readonly optimizer: Optimizer;
  private readonly name: string;

  constructor(optimizer: Optimizer, name: string) {
    super();
    this.optimizer = optimizer;
    this.name = name;
    this.subject = `average ${name}`;
  }

  override get parameters(): readonly Parameter[] {
    return this.optimizer.states().map(([parameter]) => parameter);
  }

  protected override views(): ReadonlyMap<Parameter, TypedArray> {
    return viewsOf(this.optimizer, this.name);
  }
}

/** Live views of a state tensor, of the parameters that have it. */
export function viewsOf(optimizer: Optimizer, slot: string): Map<Parameter, TypedArray> {
  const views = new Map<Parameter, TypedArray>();
  for (const [parameter, state] of optimizer.states()) {
    const view = state[slot];
    if (view !== undefined && typeof view !== "number") views.set(parameter, view);
  }
  return views;
}
