/** Reads the lists that operations work on: what they hold, where it lies, whether it fits together. */
import { OptionError, ParameterError, Prose } from "../errors.ts";
import { arenaOf, type Arena } from "../memory/arena.ts";
import { dtypeOf, type TypedArray } from "../memory/dtype.ts";
import { Parameter } from "../memory/parameter.ts";

/** Tensors to work on: parameters (their data) or live views such as `w.grad`. */
export type TensorList = readonly (Parameter | TypedArray)[];

/**
 * Where a tensor lies. It is read once, before any kernel is bound: binding may grow the arena, and
 * views of an unshared memory are lost when it grows.
 */
export interface Place {
  readonly view: TypedArray;
  readonly arena: Arena | undefined;
  readonly byteOffset: number;
  readonly length: number;
}

/** @throws {ParameterError} unless the lists fit together, tensor by tensor. */
export function readLists(name: string, lists: readonly TensorList[]): Place[][] {
  const subject = `foreach.${name}`;
  const views = lists.map((list) => {
    if (!Array.isArray(list)) {
      throw new ParameterError("BAD_TENSORS", {
        subject,
        got: list,
        expected: "a list of tensors",
      });
    }
    return (list as TensorList).map((tensor) =>
      tensor instanceof Parameter ? tensor.data : tensor,
    );
  });
  for (const list of views) {
    if (list.length !== views[0]!.length) {
      throw new ParameterError("BAD_TENSORS", {
        subject,
        got: new Prose(`lists of ${views[0]!.length} and ${list.length} tensors`),
        expected: "lists of equal length",
      });
    }
    list.forEach((tensor, index) => {
      checkTensor(subject, index, tensor, views[0]![index]);
      checkOverlap(subject, index, tensor, views[0]![index]!);
    });
  }
  return views.map((list) => list.map(placeOf));
}

function checkTensor(subject: string, index: number, tensor: unknown, target: unknown): void {
  const lost =
    dtypeOf(tensor) && ((tensor as TypedArray).buffer as { detached?: boolean }).detached;
  if (lost) {
    throw new ParameterError("DETACHED", {
      subject: `${subject}: tensor ${index}`,
      got: new Prose("a view of memory that has moved"),
      expected: "a view taken after the optimizer was made",
    });
  }
  const fits = dtypeOf(tensor) !== null && dtypeOf(tensor) === dtypeOf(target);
  if (fits && (tensor as TypedArray).length === (target as TypedArray).length) return;
  throw new ParameterError("BAD_TENSORS", {
    subject: `${subject}: tensor ${index}`,
    got: tensor,
    expected: dtypeOf(target)
      ? `as the target, a ${showType(target as TypedArray)}`
      : "a parameter or a float array",
  });
}

/** A target that another tensor reaches into would be read half old, half new. */
function checkOverlap(
  subject: string,
  index: number,
  tensor: TypedArray,
  target: TypedArray,
): void {
  const distance = tensor.byteOffset - target.byteOffset;
  const apart = tensor.buffer !== target.buffer || Math.abs(distance) >= target.byteLength;
  if (apart || distance === 0) return;
  throw new ParameterError("OVERLAP", {
    subject: `${subject}: tensor ${index}`,
    got: new Prose("tensors that overlap in part"),
    expected: "tensors that are the same or apart",
    advice: "Copy one of them: x.slice().",
  });
}

function placeOf(view: TypedArray): Place {
  const arena = arenaOf(view);
  const native = arena?.dtype === dtypeOf(view) ? arena : undefined;
  return { view, arena: native, byteOffset: view.byteOffset, length: view.length };
}

function showType(view: TypedArray): string {
  return `${view.constructor.name} of ${view.length} elements`;
}

/** @throws {OptionError} unless it is one finite number, or `count` of them. */
export function readNumbers(
  name: string,
  x: number | readonly number[],
  count: number,
): number | readonly number[] {
  const all = typeof x === "number" ? [x] : x;
  const fits = Array.isArray(all) && all.every((value) => Number.isFinite(value));
  if (fits && (typeof x === "number" || all.length === count)) return x;
  throw new OptionError("BAD_NUMBER", {
    subject: `foreach.${name}`,
    got: x,
    expected: `a finite number, or ${count} of them`,
  });
}
