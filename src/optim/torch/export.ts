/** From our state dicts to PyTorch's. */
import { Prose } from "../../errors.ts";
import { isObject, refusal } from "../state-check.ts";
import type { ParameterInfo, ParameterState, StateDict } from "../state-dict.ts";
import {
  FIXED,
  reduced,
  snakeCase,
  TorchTensor,
  type TorchGroup,
  type TorchStateDict,
} from "./layout.ts";

/**
 * An optimizer's state in PyTorch's layout, for `load_state_dict`. `param_names` are there where all
 * parameters have names.
 *
 * @param source an optimizer, whose state is copied, or what its `stateDict()` returned, whose tensors
 *   are then shared.
 * @throws {StateDictError} for that of an L-BFGS, whose history PyTorch keeps in another form.
 *
 * @example
 * writeFileSync("adam.json", JSON.stringify(toTorchStateDict(optimizer)));
 * // Python: saved = json.load(open("adam.json"))
 * //         saved["state"] = {int(i): {name: torch.tensor(value) for name, value in slots.items()}
 * //                           for i, slots in saved["state"].items()}
 * //         optimizer.load_state_dict(saved)
 */
export function toTorchStateDict(source: StateDict | { stateDict(): StateDict }): TorchStateDict {
  const dict = readSource(source);
  const all = dict.paramGroups.flatMap(({ params }) => params);
  const isNamed = all.every(({ name }, position) => name !== String(position));
  const state: Record<string, Record<string, unknown>> = {};
  let position = 0;
  const groups = dict.paramGroups.map(({ params, ...hyper }): TorchGroup => {
    const names = params.map(({ name }) => name);
    const first = position;
    for (const info of params) {
      const saved = Object.hasOwn(dict.state, info.name) ? dict.state[info.name] : undefined;
      if (saved) state[position] = tensorsOf(saved, info);
      position++;
    }
    const entries = Object.entries(hyper).map(([name, value]) => [snakeCase(name), copyOf(value)]);
    return {
      ...Object.fromEntries(entries),
      ...FIXED[dict.optimizer],
      params: params.map((_, i) => first + i),
      ...(isNamed && { param_names: names }),
    };
  });
  return { state, param_groups: groups };
}

function readSource(source: StateDict | { stateDict(): StateDict }): StateDict {
  const fail = (got: unknown, expected: string, advice?: string): never => {
    throw refusal({ name: "toTorchStateDict" }, "source", got, expected, advice);
  };
  if (!isObject(source)) fail(source, "an optimizer, or what its stateDict() returned");
  const dict = "stateDict" in source ? source.stateDict() : source;
  if (!isObject(dict.state) || !Array.isArray(dict.paramGroups)) {
    fail(dict, "an optimizer, or what its stateDict() returned");
  }
  if (dict.optimizer === "LBFGS") {
    fail(
      new Prose("the state of an L-BFGS"),
      "that of another optimizer",
      "PyTorch keeps its history in another form.",
    );
  }
  return dict;
}

function tensorsOf(saved: ParameterState, { shape }: ParameterInfo): Record<string, unknown> {
  const tensors = Object.entries(saved).map(([slot, value]) => [
    slot,
    typeof value === "number" ? value : new TorchTensor(reduced(shape, slot), value),
  ]);
  return Object.fromEntries(tensors) as Record<string, unknown>;
}

function copyOf(value: unknown): unknown {
  return Array.isArray(value) ? [...(value as unknown[])] : value;
}
