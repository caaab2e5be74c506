/** How PyTorch lays out the state of an optimizer, and how its names are to ours. */
import type { TypedArray } from "../../memory/dtype.ts";
import type { NestedNumbers } from "../../memory/shape.ts";

/**
 * What `torch.optim.Optimizer.state_dict()` returns. A tensor may be a flat Float32Array or Float64Array,
 * nested lists (as from `tolist()`), or `{ shape, data }`; numbers may be tensors of one element.
 */
export interface TorchStateDict {
  /** By position among the parameters of all groups. */
  readonly state: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly param_groups: readonly TorchGroup[];
}

/** One group: positions of its parameters, and hyperparameters under PyTorch's names. */
export interface TorchGroup {
  readonly params: readonly number[];
  readonly param_names?: readonly string[];
  readonly [name: string]: unknown;
}

/** A tensor of a {@link TorchStateDict}. JSON makes nested lists of it, as `torch.tensor` takes them. */
export class TorchTensor {
  readonly shape: readonly number[];
  readonly data: TypedArray;

  constructor(shape: readonly number[], data: TypedArray) {
    this.shape = shape;
    this.data = data;
  }

  toJSON(): NestedNumbers {
    const nest = (axis: number, from: number, size: number): NestedNumbers => {
      if (axis === this.shape.length) return this.data[from]!;
      const length = this.shape[axis]!;
      const step = size / length;
      return Array.from({ length }, (_, i) => nest(axis + 1, from + i * step, step));
    };
    return nest(0, 0, this.data.length);
  }
}

/** What PyTorch's class has as an option and ours as its nature. */
export const FIXED: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  AdamW: { decoupled_weight_decay: true },
};

/** Slots with a dimension of 1: which one, counted from the last. */
export const REDUCED: Readonly<Record<string, number>> = { row_var: 1, col_var: 2 };

/** The shape of a slot of a parameter. */
export function reduced(shape: readonly number[], slot: string): number[] {
  const axis = Object.hasOwn(REDUCED, slot) ? shape.length - REDUCED[slot]! : -1;
  return shape.map((n, i) => (i === axis ? 1 : n));
}

export function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

export function camelCase(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
