/** Makes parameters of whatever holds numbers: typed arrays, nested arrays, or a shape alone. */
import { BackendError, ParameterError, Prose } from "../errors.ts";
import { dtypeOf, type DType, type TypedArray } from "./dtype.ts";
import { Parameter, type ParameterOptions } from "./parameter.ts";
import { flatten, sizeOfShape, type NestedNumbers } from "./shape.ts";

/**
 * A parameter with a copy of the given values.
 *
 * @param values a Float32Array or Float64Array (flat, see `shape`), nested arrays of numbers (also a
 *   single number: shape []), or nothing but `{ shape }` for zeros.
 * @throws {ParameterError} `BAD_SHAPE`, `BAD_VALUES` or `BAD_OPTION`; {BackendError} `OUT_OF_MEMORY`.
 *
 * @example
 * parameter(new Float32Array(1000), { name: "w", shape: [10, 100] });
 * parameter([[1, 2], [3, 4]], { dtype: "float64" });
 * parameter({ name: "b", shape: [100] });
 */
export function parameter(values: Float64Array, options?: ParameterOptions): Parameter<"float64">;
export function parameter(values: Float32Array, options?: ParameterOptions): Parameter<"float32">;
export function parameter(values: TypedArray, options?: ParameterOptions): Parameter;
export function parameter<D extends DType = "float32">(
  values: NestedNumbers,
  options?: ParameterOptions & { readonly dtype?: D },
): Parameter<D>;
export function parameter<D extends DType = "float32">(
  options: ParameterOptions & { readonly shape: readonly number[]; readonly dtype?: D },
): Parameter<D>;
export function parameter(
  first: TypedArray | NestedNumbers | ParameterOptions,
  second?: ParameterOptions,
): Parameter {
  const onlyShape = second === undefined && isOptions(first);
  const options = onlyShape ? first : (second ?? {});
  checkOptions(options);
  const dtype = options.dtype ?? dtypeOf(first) ?? "float32";
  const { values, shape } = onlyShape
    ? { values: sizeOfShape(options.shape!, labelOf(options)), shape: options.shape! }
    : readValues(first as TypedArray | NestedNumbers, options);
  return new Parameter<DType>(newArray(dtype, values, labelOf(options)), dtype, shape, options);
}

/** Whether the first argument is `{ shape }` instead of values. */
function isOptions(first: unknown): first is ParameterOptions {
  if (typeof first !== "object" || first === null || first instanceof Parameter) return false;
  return !Array.isArray(first) && !ArrayBuffer.isView(first) && "shape" in first;
}

function readValues(given: TypedArray | NestedNumbers, options: ParameterOptions) {
  const read = dtypeOf(given)
    ? { values: given as TypedArray, shape: [(given as TypedArray).length] }
    : flatten(given);
  if (read === null) {
    throw new ParameterError("BAD_VALUES", {
      subject: labelOf(options),
      got: given,
      expected: "a Float32Array, a Float64Array or evenly nested arrays of numbers",
      advice:
        (given as unknown) instanceof Parameter
          ? "Copy its values: parameter(w.data, { shape: w.shape })."
          : "For zeros give the shape alone: parameter({ shape: [10, 100] }).",
    });
  }
  const shape = options.shape ?? read.shape;
  if (sizeOfShape(shape, labelOf(options)) !== read.values.length) {
    throw new ParameterError("BAD_SHAPE", {
      subject: `${labelOf(options)}: shape`,
      got: shape,
      expected: `a shape of ${read.values.length} elements`,
    });
  }
  return { values: read.values as ArrayLike<number>, shape };
}

/** A copy of values, or as many zeros. */
function newArray(dtype: DType, values: ArrayLike<number> | number, label: string): TypedArray {
  try {
    const array = dtype === "float32" ? Float32Array : Float64Array;
    return typeof values === "number" ? new array(values) : new array(values);
  } catch (error) {
    const size = typeof values === "number" ? values : values.length;
    const refusal = new BackendError("OUT_OF_MEMORY", {
      subject: label,
      got: new Prose(`no memory for ${size} elements`),
      expected: "a parameter that fits into memory",
    });
    refusal.cause = error;
    throw refusal;
  }
}

const known = ["name", "shape", "dtype", "requiresGrad"];

function checkOptions(options: ParameterOptions): void {
  const bad = (option: string, got: unknown, expected: string): never => {
    throw new ParameterError("BAD_OPTION", {
      subject: `${labelOf(options)}: ${option}`,
      got,
      expected,
    });
  };
  if (typeof options !== "object" || options === null) bad("options", options, "an object");
  const stranger = Object.keys(options).find((key) => !known.includes(key));
  if (stranger !== undefined) bad("options", stranger, `only ${known.join(", ")}`);
  const { name, dtype, requiresGrad } = options;
  if (name !== undefined && (typeof name !== "string" || name === "")) bad("name", name, "a text");
  if (dtype !== undefined && dtype !== "float32" && dtype !== "float64") {
    bad("dtype", dtype, '"float32" or "float64"');
  }
  if (requiresGrad !== undefined && typeof requiresGrad !== "boolean") {
    bad("requiresGrad", requiresGrad, "true or false");
  }
}

function labelOf({ name }: ParameterOptions): string {
  return name === undefined ? "parameter" : `parameter ${JSON.stringify(name)}`;
}
