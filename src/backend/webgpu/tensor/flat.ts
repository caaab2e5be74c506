/**
 * WGSL of a kernel without lines, over exact ranges of one tensor at a time: what it stores, and what it
 * leaves of its reductions for each work item.
 */
import { BodyWriter, type Width } from "../body.ts";
import { WORKGROUP } from "../lower.ts";
import { narrowFunctions } from "../narrow.ts";
import {
  controlBindings,
  controlCode,
  factorFunctions,
  indent,
  loadCode,
  numbersBinding,
  partialsCode,
  shaderOf,
  slotBindings,
  storeCode,
  storedSlots,
} from "./shader.ts";
import { uniformsCode, type KernelOn, type Shader } from "./shader.ts";
import { reducerOf, treesFor } from "./tree.ts";
import { itemCode, workBinding } from "./work-list.ts";

/** @param width elements of a vector: 1 where memory ends within a vector of four. */
export function flatShader(on: KernelOn, width: Width): Shader {
  const { kernel } = on;
  const { nodes, outputs, reductions, slots } = kernel;
  const element = `(${width}u * i - start.x)`;
  const load = (slot: number) => loadCode(on, slot, "i", width, element);
  const dice = width === 4 ? "4u * i + vec4u(0u, 1u, 2u, 3u)" : "i";
  const source = { load, uniform: (index: number) => `u${index}`, element: dice };
  const body = new BodyWriter(kernel, source, width);
  const stored = storedSlots(kernel);
  const stores = stored.map((slot) =>
    storeCode(on, slot, "i", body.elements(outputs[slot]!), width),
  );
  const ops = reductions.map((id) => nodes[id]!.op);
  const reducers = reductions.map((id, r) => {
    const operands = nodes[id]!.args.map((arg) => body.elements(arg));
    return reducerOf(ops[r]!, operands, `partial${r}`, width);
  });
  const keep = reducers.length > 0 && width === 4;
  const type = width === 4 ? "vec4f" : "f32";
  const first = `item.y / ${width}u`;
  const end = width === 4 ? "(item.z + 3u) / 4u" : "item.z";
  return shaderOf(
    [
      workBinding,
      numbersBinding(on),
      ...slotBindings(on, new Set(slots.keys()), new Set(stored), type),
      ...controlBindings(on),
    ],
    [...treesFor(ops, WORKGROUP), ...narrowFunctions(kernel, width), ...factorFunctions(on)],
    WORKGROUP,
    [
      ...itemCode,
      ...controlCode(on, [first, end, type]),
      ...uniformsCode(kernel),
      ...reducers.map(({ declare }) => declare),
      `for (var i = ${first} + thread; i < ${end}; i += ${WORKGROUP}u) {`,
      ...indent([
        ...body.lines,
        ...(keep ? ["let keep = vec4u(4u * i) + vec4u(0, 1, 2, 3) < vec4u(item.z);"] : []),
        ...reducers.map((reducer) => reducer.add(keep ? "keep" : undefined)),
        ...stores,
      ]),
      "}",
      ...partialsCode(
        kernel,
        reducers.map((reducer) => reducer.result(`${WORKGROUP}u`)),
      ),
    ],
  );
}
