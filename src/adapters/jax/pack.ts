/**
 * Many small gradients as few arrays.
 *
 * What a function compiled by jax-js returns costs time that grows with the square of the number of arrays: each
 * of them carries a set of all kernels that wait to be run. So where there are many small gradients, the compiled
 * function itself puts them one behind the other, and they are taken apart where they are read.
 */
import { numpy as np } from "@jax-js/jax";
import type { Parameter } from "../../memory/parameter.ts";
import type { JaxArray } from "./tree.ts";

/** Where a gradient is: in which array, and from which element on. */
export interface Place {
  readonly array: number;
  readonly start: number;
}

/** Fewer gradients than this cost less than putting them together. */
const MANY = 33;
/** Larger gradients are arrays of their own: the kernel that joins n of them asks n times for each element. */
const SMALL = 1024;
/** So many fit into one array: a kernel of jax-js takes 64. */
const JOINED = 32;

/** Where the gradients of these parameters are to be put; undefined where each is an array of its own. */
export function placesOf(
  parameters: readonly Pick<Parameter, "dtype" | "size">[],
): readonly Place[] | undefined {
  if (parameters.length < MANY) return undefined;
  const open = new Map<string, { array: number; count: number; elements: number }>();
  let arrays = 0;
  return parameters.map(({ dtype, size }) => {
    if (size === 0 || size > SMALL) return { array: arrays++, start: 0 };
    let joined = open.get(dtype);
    if (joined === undefined || joined.count === JOINED) {
      joined = { array: arrays++, count: 0, elements: 0 };
      open.set(dtype, joined);
    }
    const place = { array: joined.array, start: joined.elements };
    joined.count++;
    joined.elements += size;
    return place;
  });
}

/** The gradients, joined as `places` say; uses them up. */
export function join(
  gradients: readonly JaxArray[],
  places: readonly Place[] | undefined,
): JaxArray[] {
  if (places === undefined) return [...gradients];
  const arrays: JaxArray[][] = [];
  gradients.forEach((gradient, i) => (arrays[places[i]!.array] ??= []).push(gradient));
  return arrays.map((list) =>
    list.length === 1 ? list[0]! : np.concatenate(list.map((each) => each.reshape([-1]))),
  );
}
