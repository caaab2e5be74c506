/** Tensors and numbers as they come from PyTorch, in any of the forms that they travel in. */
import { Prose } from "../../errors.ts";
import type { Rule } from "../../ir/rule.ts";
import { dtypeOf, type DType, type TypedArray } from "../../memory/dtype.ts";
import type { Parameter } from "../../memory/parameter.ts";
import { flatten } from "../../memory/shape.ts";
import { isObject, refusal } from "../state-check.ts";
import type { ParameterInfo, ParameterState } from "../state-dict.ts";
import { REDUCED, reduced, type TorchTensor } from "./layout.ts";

/** Reads the state of one parameter, and what it says of its shape and type. */
export class SlotReader {
  private readonly rule: Rule;
  private readonly key: string;
  private readonly parameter: Parameter | undefined;
  private shape: readonly number[] | undefined;
  private dtype: DType | undefined;

  constructor(rule: Rule, key: string, parameter: Parameter | undefined) {
    this.rule = rule;
    this.key = key;
    this.parameter = parameter;
  }

  /** What is not known counts as the optimizer's own. */
  info(): ParameterInfo {
    const { key, shape, dtype, parameter } = this;
    return {
      name: key,
      shape: [...(shape ?? parameter?.shape ?? [])],
      dtype: dtype ?? parameter?.dtype ?? "float32",
    };
  }

  /** Slots that are `None` in PyTorch are those that were never written. */
  all(slots: unknown): ParameterState {
    if (!isObject(slots)) this.fail("", slots, "an object");
    const state = Object.create(null) as Record<string, number | TypedArray>;
    const { stateNames } = this.rule;
    for (const [slot, value] of Object.entries(slots as object)) {
      if (value === null) continue;
      state[slot] = stateNames.includes(slot)
        ? this.tensor(slot, value)
        : (scalarOf(value) as number);
    }
    return state;
  }

  private tensor(slot: string, value: unknown): TypedArray {
    const { data, shape } = this.read(slot, value);
    const own = this.parameter && reduced(this.parameter.shape, slot);
    const size = own?.reduce((product, n) => product * n, 1);
    const found = shape ?? (data.length === size ? own! : [data.length]);
    if (Object.hasOwn(REDUCED, slot)) this.compare(slot, found, own ?? found);
    else this.compare(slot, found, (this.shape ??= found));
    this.dtype ??= dtypeOf(data)!;
    return data;
  }

  private compare(slot: string, found: readonly number[], expected: readonly number[]): void {
    const [got, wanted] = [found, expected].map((shape) => `shape [${shape.join(", ")}]`);
    if (got !== wanted) this.fail(`: ${slot}`, new Prose(got!), `${wanted}, as the others`);
  }

  private read(slot: string, value: unknown): { data: TypedArray; shape?: readonly number[] } {
    if (dtypeOf(value) !== null) return { data: value as TypedArray };
    if (isObject(value) && dtypeOf((value as TorchTensor).data) !== null) {
      const { shape, data } = value as TorchTensor;
      const size = Array.isArray(shape) && shape.reduce((product: number, n) => product * n, 1);
      if (size === data.length) return { data, shape };
      this.fail(`: ${slot}`, shape, `a shape of ${data.length} elements`);
    }
    const nested = flatten(value);
    if (nested === null) this.fail(`: ${slot}`, value, "a tensor: nested lists, or a typed array");
    const double = this.parameter?.dtype === "float64";
    const data = double ? new Float64Array(nested.values) : new Float32Array(nested.values);
    const at = nested.values.findIndex((x, i) => Number.isFinite(x) && !Number.isFinite(data[i]));
    if (at >= 0) this.fail(`: ${slot}`, nested.values[at], "numbers that float32 can hold");
    return { data, shape: nested.shape };
  }

  private fail(what: string, got: unknown, expected: string): never {
    throw refusal(this.rule, `state of ${JSON.stringify(this.key)}${what}`, got, expected);
  }
}

/** The number that a tensor of one element holds; anything else stays what it is. */
export function scalarOf(value: unknown): unknown {
  const data: unknown = isObject(value) ? ((value as TorchTensor).data ?? value) : value;
  const list = Array.isArray(data) ? flatten(data)?.values : dtypeOf(data) ? data : undefined;
  const numbers = list as ArrayLike<number> | undefined;
  return numbers?.length === 1 ? numbers[0] : value;
}
