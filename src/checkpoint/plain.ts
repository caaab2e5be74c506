/**
 * Plain data as JSON and tensors.
 *
 * What `structuredClone` takes of plain data goes through: typed arrays become tensors under the path
 * that they are found at, `{ "$tensor": name }` stands in their place, and big integers are written as
 * `{ "$bigint": digits }`. Objects come back without a prototype.
 */
import { CheckpointError } from "../errors.ts";
import { dtypeOfArray, type AnyTypedArray } from "./dtypes.ts";
import type { Json } from "./json.ts";
import type { StoredTensor } from "./safetensors.ts";
import type { TensorInput } from "./write-safetensors.ts";

/** Data that a checkpoint can hold: what JSON has, all numbers, big integers and typed arrays. */
export type PlainData =
  | undefined
  | null
  | boolean
  | number
  | bigint
  | string
  | AnyTypedArray
  | readonly PlainData[]
  | { readonly [key: string]: PlainData };

/** The key under which the name of a tensor stands in its place. */
export const TENSOR = "$tensor";
const BIGINT = "$bigint";

/** @param tensors where typed arrays go. @throws {CheckpointError} `BAD_DATA` for what is not plain. */
export function toJson(value: unknown, path: string, tensors: Map<string, TensorInput>): Json {
  const dtype = dtypeOfArray(value);
  if (dtype) {
    const data = value as AnyTypedArray;
    let name = path;
    for (let i = 2; tensors.has(name); i++) name = `${path}#${i}`;
    tensors.set(name, { data, shape: [data.length], dtype });
    return { [TENSOR]: name };
  }
  if (Array.isArray(value)) return value.map((item, i) => toJson(item, `${path}.${i}`, tensors));
  if (typeof value === "bigint") return { [BIGINT]: String(value) };
  if (value === null || ["boolean", "number", "string"].includes(typeof value))
    return value as Json;
  if (isPlain(value)) return objectToJson(value, path, tensors);
  return refuse(path, value, "plain data: numbers, texts, lists, objects and typed arrays");
}

function objectToJson(
  value: Readonly<Record<string, unknown>>,
  path: string,
  tensors: Map<string, TensorInput>,
): Json {
  const json = Object.create(null) as Record<string, Json>;
  for (const [key, item] of Object.entries(value)) {
    if (key === TENSOR || key === BIGINT) refuse(path, key, "another key");
    if (item !== undefined) json[key] = toJson(item, `${path}.${key}`, tensors);
  }
  return json;
}

/** The data again. Typed arrays are views of the file where they can be. */
export function fromJson(
  json: Json,
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
): PlainData {
  if (Array.isArray(json)) return json.map((item, i) => fromJson(item, `${path}.${i}`, tensors));
  if (typeof json !== "object" || json === null) return json as PlainData;
  const given = json as { readonly [key: string]: Json };
  const name = given[TENSOR];
  const digits = given[BIGINT];
  if (name !== undefined) {
    const tensor = typeof name === "string" ? tensors.get(name) : undefined;
    return tensor?.data ?? refuse(path, name, "the name of a tensor");
  }
  if (digits !== undefined) {
    const isInteger = typeof digits === "string" && /^-?\d{1,10000}$/.test(digits);
    return isInteger ? BigInt(digits) : refuse(path, digits, "the digits of an integer");
  }
  const object = Object.create(null) as Record<string, PlainData>;
  for (const [key, item] of Object.entries(given)) {
    object[key] = fromJson(item, `${path}.${key}`, tensors);
  }
  return object;
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function refuse(path: string, got: unknown, expected: string): never {
  throw new CheckpointError("BAD_DATA", { subject: `checkpoint: ${path}`, got, expected });
}
