/** What a pickle of PyTorch's may name, and what each name does to data: all that there is of "calling". */
import { quoted, refuse } from "./refuse.ts";
import { SavedTensor, Storage, STORAGES, torchDType } from "./tensor.ts";

/** The bytes of storages by their keys. */
export type Stored = (key: string) => Uint8Array | undefined;
export type Dict = Record<string, unknown>;

/** A name out of a pickle: data, and nothing that could be called. */
export class Tag {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

const ORDERED = "collections OrderedDict";
const COUNTER = "collections Counter";
const TENSOR = "torch._utils _rebuild_tensor_v2";
const TENSOR3 = "torch._utils _rebuild_tensor_v3";
const PARAMETER = "torch._utils _rebuild_parameter";
const UNTYPED = "torch.storage UntypedStorage";
const NAMES: ReadonlySet<string> = /* @__PURE__ */ new Set([
  ORDERED,
  COUNTER,
  TENSOR,
  TENSOR3,
  PARAMETER,
  UNTYPED,
]);

export function tagOf(name: string, place: string): Tag {
  const [module, type] = name.split(" ");
  const isType = module === "torch" && torchDType(type!) !== undefined;
  if (NAMES.has(name) || STORAGES.has(name) || isType) return new Tag(name);
  const advice = "Save state dicts: tensors, numbers, texts, lists and dictionaries.";
  const shown = `the Python name ${quoted(name.replace(" ", "."))}`;
  return refuse("FORBIDDEN_NAME", place, shown, "one of data", advice);
}

export function isDict(value: unknown): value is Dict {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === null;
}

const isNatural = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0;
const isTuple = (value: unknown): value is readonly unknown[] =>
  Array.isArray(value) && Object.isFrozen(value);
const isNaturals = (value: unknown): value is readonly number[] =>
  isTuple(value) && value.length <= 64 && value.every(isNatural);
const isEmptyDict = (value: unknown) => isDict(value) && Object.keys(value).length === 0;

export function setItem(dict: Dict, key: unknown, value: unknown, place: string): void {
  if (typeof key !== "string" && !Number.isInteger(key)) {
    refuse("BAD_PICKLE", place, key, "a text or an integer as key");
  }
  const name = String(key);
  if (Object.hasOwn(dict, name)) refuse("DUPLICATE_KEY", place, quoted(name), "each key once");
  dict[name] = value;
}

/** `("storage", type, key, location, numel)`. */
export function storageOf(id: unknown, stored: Stored, place: string): Storage {
  const [kind, tag, key, location, numel] = isTuple(id) && id.length === 5 ? id : [];
  const dtype = tag instanceof Tag ? STORAGES.get(tag.name) : undefined;
  const isKnown = dtype !== undefined || (tag instanceof Tag && tag.name === UNTYPED);
  const fits = kind === "storage" && isKnown && typeof location === "string" && isNatural(numel);
  if (!fits || typeof key !== "string") {
    return refuse("BAD_TENSOR", place, "another reference", "a storage with type, key and size");
  }
  const bytes = stored(key);
  if (bytes) return new Storage(key, dtype, numel, bytes);
  return refuse("BAD_TENSOR", place, `no entry data/${key.slice(0, 80)}`, "the storage's bytes");
}

/** What Python would have made by calling `tag` with `given`. */
export function rebuild(tag: unknown, given: unknown, place: string): unknown {
  if (!(tag instanceof Tag)) return refuse("BAD_PICKLE", place, "a call of no name", "a name");
  if (!isTuple(given)) return refuse("BAD_PICKLE", place, "a call without a tuple", "a tuple");
  const { name } = tag;
  if (name === ORDERED && given.length === 0) return Object.create(null) as Dict;
  if (name === COUNTER && given.length === 1 && isDict(given[0])) return given[0];
  if (name === PARAMETER) return parameterOf(given, place);
  if (name === TENSOR || name === TENSOR3) return tensorOf(name, given, place);
  const shown = `${name.replace(" ", ".")} of ${given.length} values`;
  return refuse("FORBIDDEN_NAME", place, shown, "what torch.save writes");
}

function parameterOf([tensor, grad, hooks]: readonly unknown[], place: string): SavedTensor {
  if (tensor instanceof SavedTensor && typeof grad === "boolean" && isEmptyDict(hooks)) {
    return tensor;
  }
  return refuse("BAD_TENSOR", place, "another parameter", "a tensor, requires_grad and no hooks");
}

/** `(storage, offset, size, stride, requires_grad, hooks)`, and the type with an untyped storage. */
function tensorOf(name: string, given: readonly unknown[], place: string): SavedTensor {
  const [storage, offset, shape, strides, grad, hooks, type] = given;
  const isWhole =
    storage instanceof Storage &&
    isNatural(offset) &&
    isNaturals(shape) &&
    isNaturals(strides) &&
    typeof grad === "boolean" &&
    isEmptyDict(hooks);
  if (isWhole) {
    const named = type instanceof Tag ? torchDType(type.name.slice("torch ".length)) : undefined;
    const dtype = name === TENSOR ? given.length === 6 && storage.dtype : named;
    if (dtype) return new SavedTensor(storage, dtype, offset, shape, strides, place);
  }
  const expected = "a storage, an offset, a shape, strides, requires_grad and no hooks";
  return refuse("BAD_TENSOR", place, "another tensor", expected);
}

/** Attributes, such as the `_metadata` of a model's state dict: they say nothing about its numbers. */
export function setState(target: unknown, state: unknown, place: string): void {
  if (!isDict(target) || !isDict(state)) {
    refuse("BAD_PICKLE", place, "attributes of no dictionary", "those of an ordered dictionary");
  }
}
