/**
 * Pytrees: jax arrays in nested objects and arrays, and the same nesting filled with parameters.
 *
 * What counts as a node follows jax-js: arrays and plain objects, in the order of their entries.
 * Everything else is a leaf, and the leaf's path is the parameter's name.
 */
import { Array as JaxArray } from "@jax-js/jax";
import { OptionError, ParameterError, Prose } from "../../errors.ts";
import type { Parameter } from "../../memory/parameter.ts";

export { JaxArray };

/** A jax array, or nested arrays and plain objects of them; `null` where there is none. */
export type ArrayTree =
  JaxArray | null | readonly ArrayTree[] | { readonly [key: string]: ArrayTree };

/** The tree `T` with a parameter in the place of each jax array. */
export type ParameterTree<T, P = Parameter> = T extends JaxArray
  ? P
  : { readonly [K in keyof T]: ParameterTree<T[K], P> };

/**
 * What may stand where a function expects a jax array: the array itself, flat typed arrays (shape
 * [length]), numbers and booleans (shape []).
 */
export type ArrayInput =
  JaxArray | Float32Array | Float64Array | Int32Array | Uint32Array | number | boolean;

/** What a compiled function accepts for an argument of type `A`. */
export type Input<A> = A extends JaxArray ? ArrayInput : { readonly [K in keyof A]: Input<A[K]> };

/** What a compiled function accepts for the arguments `Args`. */
export type Inputs<Args extends readonly unknown[]> = { [K in keyof Args]: Input<Args[K]> };

/** A leaf and the keys that lead to it. */
export interface Leaf {
  readonly value: unknown;
  readonly path: readonly string[];
}

/** The leaves in jax-js's order. */
export function leavesOf(tree: unknown, path: readonly string[] = [], into: Leaf[] = []): Leaf[] {
  if (isNode(tree)) {
    for (const [key, child] of Object.entries(tree)) leavesOf(child, [...path, key], into);
  } else into.push({ value: tree, path });
  return into;
}

/** The same nesting with other leaves, taken in order; `null` stays. */
export function fill(tree: unknown, leaves: Iterator<unknown>): unknown {
  if (tree === null) return null;
  if (!isNode(tree)) return leaves.next().value;
  if (Array.isArray(tree)) return tree.map((child) => fill(child, leaves));
  return Object.fromEntries(Object.entries(tree).map(([key, child]) => [key, fill(child, leaves)]));
}

/** The nesting alone: it keeps no array alive. */
export function skeletonOf(tree: unknown): unknown {
  return fill(tree, [][Symbol.iterator]());
}

function isNode(value: unknown): value is object {
  return (
    Array.isArray(value) ||
    (typeof value === "object" && value !== null && value.constructor === Object)
  );
}

/**
 * A leaf's name: the keys that lead to it, with dots between them. Keys that are empty or hold a dot or a
 * quotation mark are quoted, so that no two leaves have the same.
 */
export function nameOf(path: readonly string[]): string | undefined {
  if (path.length === 0) return undefined;
  return path.map((key) => (/^[^."]+$/.test(key) ? key : JSON.stringify(key))).join(".");
}

/** The same tree, for another use: each array has one more reference. */
export function refAll<T>(tree: T): T {
  const leaves = leavesOf(tree).flatMap(({ value }) => {
    if (value === null) return [];
    return [value instanceof JaxArray ? value.ref : value];
  });
  return fill(tree, leaves.values()) as T;
}

/** A leaf that can become a parameter. */
export interface ArrayLeaf {
  readonly name: string | undefined;
  /** How messages call it. */
  readonly label: string;
  readonly array: JaxArray;
}

/**
 * The arrays of a tree, which may have none.
 *
 * @throws {ParameterError} unless every leaf is a live float array, or `null`.
 */
export function anyLeaves(
  tree: unknown,
  dtypes: readonly string[] = ["float32", "float64"],
): ArrayLeaf[] {
  const given = leavesOf(tree).filter(({ value }) => value !== null);
  return given.map(({ value, path }) => {
    const name = nameOf(path);
    const label = name === undefined ? "parameter" : `parameter ${JSON.stringify(name)}`;
    return { name, label, array: checkLeaf(value, label, dtypes) };
  });
}

/** As {@link anyLeaves}. @throws {ParameterError} if there is none, or if one stands in two places. */
export function arrayLeaves(tree: unknown, dtypes?: readonly string[]): ArrayLeaf[] {
  const leaves = anyLeaves(tree, dtypes);
  if (leaves.length === 0) {
    throw new ParameterError("NO_PARAMS", {
      subject: "trainable: tree",
      got: tree,
      expected: "at least one jax array",
    });
  }
  const seen = new Map<JaxArray, string>();
  for (const { label, array } of leaves) {
    const twin = seen.get(array);
    if (twin !== undefined) {
      throw new ParameterError("DUPLICATE_PARAMETER", {
        subject: label,
        got: new Prose(`the array that is also ${twin}`),
        expected: "each array once",
        advice: "To tie weights, keep one of the two and use it twice in the loss (w.ref, then w).",
      });
    }
    seen.set(array, label);
  }
  return leaves;
}

function checkLeaf(value: unknown, label: string, dtypes: readonly string[]): JaxArray {
  const fail = (code: string, got: unknown, expected: string, advice: string) =>
    new ParameterError(code, { subject: label, got, expected, advice });
  if (!(value instanceof JaxArray)) {
    const advice = "Make it one with np.array(values), of the same copy of @jax-js/jax.";
    throw fail("BAD_VALUES", value, "a jax array", advice);
  }
  if (value.refCount <= 0) {
    const advice = "jax-js arrays are used up by use; hand in array.ref where you need it again.";
    throw fail("BAD_VALUES", new Prose("a jax array that is used up"), "a live one", advice);
  }
  if (dtypes.includes(value.dtype)) return value;
  const advice =
    "Pass numbers that are not trained as arguments of the loss, or convert: .astype().";
  throw fail("BAD_DTYPE", new Prose(value.dtype), dtypes.join(" or "), advice);
}

/** @throws {OptionError} unless it is a function. */
export function checkFunction(value: unknown, subject: string, expected: string): void {
  if (typeof value === "function") return;
  throw new OptionError("BAD_OPTION", { subject, got: value, expected });
}
