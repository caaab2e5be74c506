/**
 * WGSL of a kernel with lines, up to three shaders that run in this order:
 *
 * - *columns* adds up columns over blocks of rows, into scratch memory;
 * - *lines* goes along lines, some threads to each: it stores, adds up lines, and leaves for each work item
 *   what its reductions to one number have so far;
 * - *finish* adds the blocks of columns. It comes last, because kernels read what a slot held before.
 */
import { Op } from "../../../ir/op.ts";
import type { LinesIr } from "../../../ir/plan.ts";
import type { Domain } from "../../../ir/rank.ts";
import { BodyWriter } from "../body.ts";
import { WORKGROUP } from "../lower.ts";
import { narrowFunctions } from "../narrow.ts";
import { columnsShader, finishShader } from "./columns.ts";
import {
  controlBindings,
  controlCode,
  elementCode,
  factorFunctions,
  indent,
  loadCode,
  numbersBinding,
  partialsCode,
  shaderOf,
  slotBindings,
  slotsCode,
  storeCode,
  storedSlots,
  uniformsCode,
  type KernelOn,
  type Shader,
} from "./shader.ts";
import { reducerOf, treesFor, type Reducer } from "./tree.ts";
import { itemCode, workBinding } from "./work-list.ts";

export interface LineShaders {
  readonly columns: Shader | null;
  readonly lines: Shader | null;
  readonly finish: Shader | null;
}

export function lineShaders(on: KernelOn, domain: Domain): LineShaders {
  const { kernel } = on;
  const { sums, along } = kernel.lines!;
  const columns = sums.filter(({ slot }) => along[slot] === "column");
  const lines = sums.filter((sum) => !columns.includes(sum));
  const { length } = [...lines, ...kernel.reductions, ...storedSlots(kernel)];
  return {
    columns: columns.length > 0 ? columnsShader(on, columns) : null,
    lines: length > 0 ? linesShader(on, domain, lines) : null,
    finish: columns.length > 0 ? finishShader(on, columns) : null,
  };
}

/** Where a segment's numbers of a rank begin, and how long lines of it are; see `work-list.ts`. */
const starts: Readonly<Record<Domain, string>> = {
  tensor: "start.x",
  row: "start.y",
  column: "start.z",
  matrix: "start.w",
};
const widths: Readonly<Record<Domain, string>> = {
  tensor: "size.z",
  row: "size.y",
  column: "size.z",
  matrix: "size.w",
};

type Along = LinesIr["along"][number];

/** Where what a slot has for the element at hand is, by how it lies. */
const indices: Readonly<Record<Along, string>> = {
  element: "at",
  line: "line",
  column: "matrix * width + i",
  matrix: "matrix",
};

function indexCode({ kernel }: KernelOn, slot: number, domain: Domain): string {
  const kind = kernel.lines!.along[slot]!;
  let rank: Domain;
  if (kind === "element") rank = domain;
  else if (kind === "line") rank = domain === "tensor" ? "row" : "matrix";
  else rank = kind;
  return `${starts[rank]} + ${indices[kind]}`;
}

function linesShader(on: KernelOn, domain: Domain, sums: LinesIr["sums"]): Shader {
  const { kernel } = on;
  const { nodes, outputs, reductions, lines } = kernel;
  const stored = storedSlots(kernel);
  const written = new Set([...stored, ...sums.map(({ slot }) => slot)]);
  const used = new Set(written);
  /** What is loaded once for each line. */
  const held = new Set<number>();
  const place = (slot: number) => elementCode(on, slot, indexCode(on, slot, domain));
  const load = (slot: number) => {
    used.add(slot);
    const kind = lines!.along[slot]!;
    if (kind === "line" || kind === "matrix") {
      held.add(slot);
      return `held${slot}`;
    }
    return loadCode(on, slot, indexCode(on, slot, domain), 1, "at");
  };
  const source = { load, uniform: (index: number) => `u${index}`, element: "at" };
  const body = new BodyWriter(kernel, source, 1);
  const reducer = (id: number, name: string) => {
    const operands = nodes[id]!.args.map((arg) => body.elements(arg));
    return reducerOf(nodes[id]!.op, operands, name, 1);
  };
  const stores = stored.map((slot) =>
    storeCode(on, slot, indexCode(on, slot, domain), body.elements(outputs[slot]!), 1),
  );
  const totals = reductions.map((id, r) => reducer(id, `partial${r}`));
  const own = sums.map(({ id }, k) => reducer(id, `sum${k}`));
  const additions = [...totals, ...own].map((each) => each.add());
  const ops = [...reductions.map((id) => nodes[id]!.op), ...sums.map(() => Op.sum)];
  const results = totals.map((each) => each.result(`${WORKGROUP}u`));
  return shaderOf(
    [
      workBinding,
      numbersBinding(on),
      ...slotBindings(on, used, written, "f32"),
      ...controlBindings(on),
    ],
    [...treesFor(ops, WORKGROUP), ...narrowFunctions(kernel, 1), ...factorFunctions(on)],
    WORKGROUP,
    [
      ...itemCode,
      `let width = ${widths[domain]};`,
      ...controlCode(on, ["start.x + item.y * width", "start.x + item.z * width", "f32"]),
      ...uniformsCode(kernel),
      ...slotsCode(on, used),
      ...totals.map(({ declare }) => declare),
      ...loopCode(
        [
          ...(domain === "tensor" ? ["let matrix = line / size.y;"] : []),
          ...[...held].map((slot) => `let held${slot} = ${place(slot)};`),
        ],
        [...body.lines, ...additions, ...stores],
        own,
        sums.map(({ slot }) => place(slot)),
      ),
      ...partialsCode(kernel, results),
    ],
  );
}

/**
 * Goes over the lines of an item.
 *
 * @param line what to do at the start of a line.
 * @param element what to do with an element of it.
 * @param targets where the results of `sums` go.
 */
function loopCode(
  line: readonly string[],
  element: readonly string[],
  sums: readonly Reducer[],
  targets: readonly string[],
): string[] {
  const results = [
    ...sums.map((each, k) => `let result${k} = ${each.result("share")};`),
    "if (line < item.z && thread % share == 0u) {",
    ...indent(targets.map((target, k) => `${target} = result${k};`)),
    "}",
  ];
  return [
    "let share = 1u << item.w;",
    `for (var first = item.y; first < item.z; first += ${WORKGROUP}u / share) {`,
    ...indent([
      "let line = first + thread / share;",
      ...sums.map(({ declare }) => declare),
      "if (line < item.z) {",
      ...indent(line),
      "  for (var i = thread % share; i < width; i += share) {",
      "    let at = line * width + i;",
      ...indent(element, 2),
      "  }",
      "}",
      ...(sums.length > 0 ? results : []),
    ]),
    "}",
  ];
}
