/**
 * An optimizer's state in a file, under the names that PyTorch's distributed checkpoints flatten it to.
 *
 * Tensors are `state.<parameter>.<slot>`. What is no tensor stands in the metadata, as JSON: numbers as
 * `state.<parameter>.step`, and in the entry `optimizer` the groups, with names as they are. The entry `torch`
 * is for PyTorch, whose `load_state_dict` takes it as it is once tensors are in their places.
 */
import { CheckpointError } from "../errors.ts";
import type { GroupState, ParameterState, StateDict } from "../optim/state-dict.ts";
import { FIXED, reduced, snakeCase } from "../optim/torch/layout.ts";
import type { AnyTypedArray } from "./dtypes.ts";
import { parseJson, writeJson, writeNumber, type Json } from "./json.ts";
import { fromJson, TENSOR, toJson } from "./plain.ts";
import type { Safetensors } from "./safetensors.ts";
import type { TensorInput } from "./write-safetensors.ts";

/** What a file is going to hold. */
export interface Sheet {
  readonly tensors: Map<string, TensorInput>;
  readonly metadata: Map<string, string>;
}

/** @param prefix of all names: empty for the optimizer, `averages.0.` for an average. */
export function writeStateDict(dict: StateDict, prefix: string, sheet: Sheet): void {
  const { tensors, metadata } = sheet;
  const all = dict.paramGroups.flatMap(({ params }) => params);
  const shapes = new Map(all.map(({ name, shape }) => [name, shape]));
  for (const [name, slots] of Object.entries(dict.state)) {
    for (const [slot, value] of Object.entries(slots)) {
      const key = `${prefix}state.${name}.${slot}`;
      if (typeof value === "number") metadata.set(key, writeNumber(value));
      else tensors.set(key, { data: value, shape: shapeOf(shapes.get(name), slot, value) });
    }
  }
  const { optimizer, version, paramGroups } = dict;
  const head = { optimizer, version, paramGroups };
  metadata.set(`${prefix}optimizer`, writeJson(toJson(head, `${prefix}optimizer`, tensors)));
}

/** @param names of the model's tensors, as `model.<name>`. */
export function writeTorch(names: Iterable<string>, dict: StateDict | undefined): string {
  const tensor = (name: string): Json => ({ [TENSOR]: name });
  const model = Object.fromEntries([...names].map((name) => [name, tensor(`model.${name}`)]));
  if (!dict) return writeJson({ model });
  const state = Object.entries(dict.state).map(([name, slots]) => {
    const each = Object.entries(slots).map(([slot, value]): [string, Json] => [
      slot,
      typeof value === "number" ? value : tensor(`state.${name}.${slot}`),
    ]);
    return [name, Object.fromEntries(each)] as const;
  });
  const groups = dict.paramGroups.map(({ params, ...hyper }) => ({
    ...Object.fromEntries(
      Object.entries(hyper).map(([option, value]) => [snakeCase(option), value as Json]),
    ),
    ...FIXED[dict.optimizer],
    params: params.map(({ name }) => name),
  }));
  const optimizer = { state: Object.fromEntries(state), param_groups: groups as Json[] };
  return writeJson({ model, optimizer });
}

/** PyTorch's shape of a slot, if it has that many elements. */
function shapeOf(
  shape: readonly number[] | undefined,
  slot: string,
  { length }: AnyTypedArray,
): readonly number[] {
  const size = (dims: readonly number[]) => dims.reduce((product, n) => product * n, 1);
  const own = shape && reduced(shape, slot);
  return own && size(own) === length ? own : [length];
}

/** The state dict under a prefix, if there is one. Whether it fits is for whoever loads it to say. */
export function readStateDict(prefix: string, file: Safetensors): StateDict | undefined {
  const text = file.metadata.get(`${prefix}optimizer`);
  if (text === undefined) return undefined;
  const subject = `checkpoint: ${prefix}optimizer`;
  const head = fromJson(
    parseJson(text, subject),
    `${prefix}optimizer`,
    file.tensors,
  ) as Partial<StateDict>;
  const { optimizer, version, paramGroups } = head ?? {};
  if (typeof optimizer !== "string" || version !== 1 || !Array.isArray(paramGroups)) {
    throw new CheckpointError("BAD_DATA", {
      subject,
      got: head,
      expected: "{ optimizer, version: 1, paramGroups }",
    });
  }
  const state = Object.create(null) as Record<string, ParameterState>;
  const enter = (key: string, value: number | AnyTypedArray): void => {
    if (!key.startsWith(`${prefix}state.`)) return;
    const from = prefix.length + "state.".length;
    const dot = key.lastIndexOf(".");
    const name = key.slice(from, Math.max(dot, from));
    state[name] ??= Object.create(null) as ParameterState;
    state[name][key.slice(dot + 1)] = value as ParameterState[string];
  };
  for (const [key, tensor] of file.tensors) enter(key, tensor.data);
  for (const [key, value] of file.metadata) {
    if (key.startsWith(`${prefix}state.`))
      enter(key, parseJson(value, `checkpoint: ${key}`) as number);
  }
  return { optimizer, version, state, paramGroups: paramGroups as GroupState[] };
}
