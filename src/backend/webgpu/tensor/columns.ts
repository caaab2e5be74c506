/** WGSL that adds up columns: over blocks of rows into scratch memory, and then over the blocks. */
import type { LinesIr } from "../../../ir/plan.ts";
import { BodyWriter } from "../body.ts";
import { WORKGROUP } from "../lower.ts";
import { narrowFunctions } from "../narrow.ts";
import {
  controlBindings,
  controlCode,
  elementCode,
  factorFunctions,
  indent,
  loadCode,
  numbersBinding,
  shaderOf,
  slotBindings,
  slotsCode,
  uniformsCode,
  type Binding,
  type KernelOn,
  type Shader,
} from "./shader.ts";
import { itemCode, workBinding } from "./work-list.ts";

type Sums = LinesIr["sums"];

const scratchBinding = (kind: Binding["kind"]): Binding => ({ name: "scratch", type: "f32", kind });

/** Where the sums of a block of rows are for the column at hand. */
const scratchCode = (block: string) => `let at = extra.w + ${block} * size.w * size.z + column;`;

/** Where what a slot has for the element at hand is, by how it lies; see `work-list.ts`. */
const indices: Readonly<Record<LinesIr["along"][number], string>> = {
  element: "start.x + at",
  line: "start.y + line",
  column: "start.z + column",
  matrix: "start.w + matrix",
};

/** Threads go down columns, some to each, and are added up in a tree. */
export function columnsShader(on: KernelOn, sums: Sums): Shader {
  const { kernel } = on;
  const used = new Set<number>();
  const load = (slot: number) => {
    used.add(slot);
    return loadCode(on, slot, indices[kernel.lines!.along[slot]!], 1, "at", false);
  };
  const body = new BodyWriter(kernel, { load, uniform: (index) => `u${index}` }, 1);
  const additions = sums.map(({ id }, k) => {
    return `sum${k} += ${body.elements(kernel.nodes[id]!.args[0]!)};`;
  });
  return shaderOf(
    [
      workBinding,
      { ...numbersBinding(on), kind: "read" },
      scratchBinding("write"),
      ...slotBindings(on, used, new Set(), "f32"),
      ...controlBindings(on),
    ],
    [across, ...narrowFunctions(kernel, 1), ...factorFunctions(on)],
    WORKGROUP,
    [
      ...itemCode,
      ...controlCode(on),
      ...uniformsCode(kernel),
      ...slotsCode(on, used),
      "let height = item.w / 16u;",
      "let share = 1u << (item.w % 16u);",
      "let column = item.y + thread % share;",
      "let end = min(size.y, item.z + height);",
      ...sums.map((_, k) => `var sum${k} = f32();`),
      "if (column < size.w * size.z) {",
      "  let matrix = column / size.z;",
      `  for (var row = item.z + thread / share; row < end; row += ${WORKGROUP}u / share) {`,
      "    let line = matrix * size.y + row;",
      "    let at = line * size.z + column % size.z;",
      ...indent([...body.lines, ...additions], 2),
      "  }",
      "}",
      ...sums.map((_, k) => `let result${k} = across(thread, share, sum${k});`),
      "if (thread < share && column < size.w * size.z) {",
      ...indent([
        scratchCode("item.z / height"),
        ...sums.map((_, k) => `scratch[at * ${sums.length}u + ${k}u] = result${k};`),
      ]),
      "}",
    ],
  );
}

/** Adds up threads that are multiples of `share` apart, for each of the first `share`. */
const across = `
var<workgroup> sums: array<f32, ${WORKGROUP}>;
fn across(thread: u32, share: u32, value: f32) -> f32 {
  sums[thread] = value;
  for (var half = ${WORKGROUP / 2}u; half >= share; half /= 2u) {
    workgroupBarrier();
    if (thread < half) { sums[thread] += sums[thread + half]; }
  }
  workgroupBarrier();
  let result = sums[thread % share];
  workgroupBarrier();
  return result;
}`;

export function finishShader(on: KernelOn, sums: Sums): Shader {
  const slots = new Set(sums.map(({ slot }) => slot));
  const stores = sums.map(({ slot }, k) => {
    return `${elementCode(on, slot, indices.column)} = sum${k};`;
  });
  return shaderOf(
    [
      workBinding,
      scratchBinding("read"),
      ...slotBindings(on, slots, slots, "f32"),
      ...controlBindings(on),
    ],
    [],
    WORKGROUP,
    [
      ...itemCode,
      ...controlCode(on),
      ...slotsCode(on, slots),
      "let column = item.y + thread;",
      "if (column >= item.z) { return; }",
      ...sums.map((_, k) => `var sum${k} = f32();`),
      "for (var block = 0u; block < item.w; block++) {",
      ...indent([
        scratchCode("block"),
        ...sums.map((_, k) => `sum${k} += scratch[at * ${sums.length}u + ${k}u];`),
      ]),
      "}",
      ...stores,
    ],
  );
}
