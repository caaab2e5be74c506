/** Which weights decay: trees of numbers, booleans and arrays in the place of the parameters. */
import { numpy as np } from "@jax-js/jax";
import { OptionError, Prose } from "../../../errors.ts";
import type { TypedArray } from "../../../memory/dtype.ts";
import { checkSyncRead } from "../loan.ts";
import { JaxArray, leavesOf, refAll, type ArrayTree } from "../tree.ts";
import type { LeafFacts } from "./run.ts";

/** A factor for each leaf or each of its elements. */
export type MaskTree =
  JaxArray | number | boolean | null | readonly MaskTree[] | { readonly [key: string]: MaskTree };

// The function's argument is of whatever type the user gave the parameters.
/** A tree of factors, a function that makes it of the parameters, or `null` for none. */
export type MaskOption = MaskTree | ((params: never) => MaskTree) | null;

/**
 * A mask's factor for each leaf, or for each element of it.
 *
 * @param params the parameters; a function gets a reference of its own.
 * @throws {OptionError} `BAD_MASK`.
 */
export function readMask(
  owner: string,
  mask: MaskOption,
  params: ArrayTree,
  leaves: readonly LeafFacts[],
): readonly (number | TypedArray)[] {
  const isFunction = typeof mask === "function";
  const given = isFunction ? (mask as (tree: ArrayTree) => MaskTree)(refAll(params)) : mask;
  const factors = leavesOf(given).filter(({ value }) => value !== null);
  const names = factors.map(({ path }) => path.join("."));
  const bad = (got: unknown, expected: string) =>
    new OptionError("BAD_MASK", { subject: `${owner}: mask`, got, expected });
  try {
    const expected = `a factor for each of ${leaves.length} parameters`;
    if (factors.length !== leaves.length) throw bad(names, expected);
    return factors.map(({ value }, i) => {
      const { name, shape, dtype } = leaves[i]!;
      if (typeof value === "number" || typeof value === "boolean") return Number(value);
      if (!(value instanceof JaxArray) || value.refCount <= 0) {
        throw bad(value, `a number, a boolean or a live jax array for ${name ?? "the parameter"}`);
      }
      if (!isReadable(value)) throw bad(value, "numbers or booleans where arrays cannot be read");
      const one = value.size === 1;
      if (!one && !broadcasts(value.shape, shape)) {
        throw bad(
          new Prose(`shape [${value.shape.join(", ")}]`),
          `one that broadcasts to [${shape.join(", ")}]`,
        );
      }
      const whole = one ? value.ref : np.broadcastTo(value.ref, [...shape]);
      const numbers = whole.dataSync() as ArrayLike<number>;
      if (one) return Number(numbers[0]);
      return dtype === "float32" ? Float32Array.from(numbers) : Float64Array.from(numbers);
    });
  } finally {
    if (isFunction) for (const { value } of factors) if (value instanceof JaxArray) value.dispose();
  }
}

function isReadable(array: JaxArray): boolean {
  try {
    checkSyncRead(array, "");
    return true;
  } catch {
    return false;
  }
}

/** Whether each of the last dimensions is the same or 1. */
function broadcasts(from: readonly number[], to: readonly number[]): boolean {
  const skipped = to.length - from.length;
  return skipped >= 0 && from.every((n, axis) => n === 1 || n === to[axis + skipped]);
}
