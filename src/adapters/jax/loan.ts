/**
 * Moving numbers into jax-js and out again without losing an array.
 *
 * jax-js counts references, frees an array when the count reaches zero, and never collects one that
 * was forgotten. So each call keeps a loan: what it uploaded and what it took from the caller, with
 * the counts to go back to if the call fails half way.
 */
import { defaultDevice, numpy as np, type Device } from "@jax-js/jax";
import { BackendError, OptionError, Prose } from "../../errors.ts";
import type { Parameter } from "../../memory/parameter.ts";
import { fill, JaxArray, leavesOf, type Leaf } from "./tree.ts";

/** The jax arrays of one call. */
export class Loan {
  /** The reference count that each array had before the call. */
  private readonly counts = new Map<JaxArray, number>();

  /** A new jax array with the parameter's values of this moment. */
  upload({ data, shape }: Parameter): JaxArray {
    return this.own(toJax(data, shape));
  }

  /** One more reference to an array that stays alive, for the call to use up. */
  lend(array: JaxArray): JaxArray {
    if (!this.counts.has(array)) this.counts.set(array, array.refCount);
    return array.ref;
  }

  /** Takes responsibility for an array that the call made. */
  own(array: JaxArray): JaxArray {
    this.counts.set(array, 0);
    return array;
  }

  /**
   * The caller's arguments, ready to be consumed: jax arrays get one more reference, so the caller
   * keeps them; typed arrays are uploaded.
   *
   * @throws {OptionError} `BAD_ARGUMENT`.
   */
  borrow(args: readonly unknown[], subject: string): unknown[] {
    const leaves = leavesOf(args).map((leaf) => this.take(leaf, subject));
    return fill(args, leaves[Symbol.iterator]()) as unknown[];
  }

  /** After a failure: every array gets back the count it had. Disposed arrays are left alone. */
  release(): void {
    for (const [array, count] of this.counts) while (array.refCount > count) array.dispose();
  }

  private take({ value, path }: Leaf, subject: string): unknown {
    if (typeof value === "number" || typeof value === "boolean") return value;
    if (isUploadable(value)) return this.own(toJax(value, [value.length]));
    const alive = value instanceof JaxArray && value.refCount > 0;
    if (!alive) throw badArgument(value, path, subject);
    return this.lend(value);
  }
}

type Uploadable = Float32Array | Float64Array | Int32Array | Uint32Array;

function isUploadable(value: unknown): value is Uploadable {
  return (
    value instanceof Float32Array ||
    value instanceof Float64Array ||
    value instanceof Int32Array ||
    value instanceof Uint32Array
  );
}

function badArgument(value: unknown, path: readonly string[], subject: string): OptionError {
  const [position, ...keys] = path;
  const usedUp = value instanceof JaxArray;
  return new OptionError("BAD_ARGUMENT", {
    subject: `${subject}: argument ${[Number(position) + 1, ...keys].join(".")}`,
    got: usedUp ? new Prose("a jax array that is used up") : value,
    expected: usedUp
      ? "a live one"
      : "a jax array, a Float32Array, Float64Array, Int32Array or Uint32Array, or a number",
    advice: usedUp
      ? "This function leaves its arguments alive; hand array.ref to whatever used it up before."
      : "Everything else can be captured by the function itself.",
  });
}

/** One copy into jax-js's memory, on its default device. */
export function toJax(data: Uploadable, shape: readonly number[]): JaxArray {
  const options = { shape: [...shape] };
  if (data.length === 0) return np.zeros(options.shape, { dtype: dtypeNameOf(data) });
  const values = isShared(data) && !inMainMemory(defaultDevice()) ? data.slice() : data;
  if (!(values instanceof Float64Array)) return np.array(values, options);
  return withFloat16Array(() => np.array(values, options));
}

/** Node's WebGPU crashes on shared memory, in which parameters live where there are threads. */
function isShared({ buffer }: Uploadable): boolean {
  return typeof SharedArrayBuffer !== "undefined" && buffer instanceof SharedArrayBuffer;
}

function inMainMemory(device: Device): boolean {
  return device === "wasm" || device === "cpu";
}

function dtypeNameOf(data: Uploadable): np.DType {
  if (data instanceof Float32Array) return np.float32;
  if (data instanceof Float64Array) return np.float64;
  return data instanceof Int32Array ? np.int32 : np.uint32;
}

/** A class without instances. */
function Nothing(): void {}

/**
 * On its way to Float64Array, jax-js asks whether the data is a Float16Array, a class that engines
 * before 2025 lack (Node 22 and older). There an empty class stands in for it during this one
 * synchronous call, and the global scope is afterwards as it was.
 */
function withFloat16Array(upload: () => JaxArray): JaxArray {
  const name = "Float16Array";
  if (name in globalThis) return upload();
  const standIn = { value: Nothing, configurable: true };
  if (!Reflect.defineProperty(globalThis, name, standIn)) {
    throw new BackendError("NO_FLOAT64", {
      subject: "upload to jax-js",
      got: new Prose("float64 values, and an engine without Float16Array"),
      expected: "Float16Array, which jax-js refers to",
      advice: "Use a newer engine (Node 24), or float32.",
    });
  }
  try {
    return upload();
  } finally {
    Reflect.deleteProperty(globalThis, name);
  }
}

/**
 * @param asynchronous the function that does the same without a synchronous read.
 * @throws {BackendError} `ASYNC_ONLY` where the device cannot be read synchronously.
 */
export function checkSyncRead({ device }: JaxArray, asynchronous: string): void {
  if (device !== "webgpu" || typeof OffscreenCanvas !== "undefined") return;
  throw new BackendError("ASYNC_ONLY", {
    subject: "read from jax-js",
    got: new Prose("a WebGPU device and no OffscreenCanvas, through which jax-js would read it"),
    expected: "a device that can be read synchronously",
    advice: `Use ${asynchronous}() and await it.`,
  });
}
