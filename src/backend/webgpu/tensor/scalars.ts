/**
 * WGSL of what is computed between kernels for each tensor: the GPU's part of `host-scalars.ts`.
 *
 * One workgroup for each segment. It adds up what the reductions of the stage before have left, in a fixed
 * order, computes the scalars that are then known, in float32, keeps those that a later stage wants, and
 * writes the uniforms of the stage to come.
 */
import { Op } from "../../../ir/op.ts";
import type { Plan } from "../../../ir/plan.ts";
import type { Node } from "../../../ir/program.ts";
import { BodyWriter } from "../body.ts";
import { uniformCountOf } from "../element-plan.ts";
import { indent, shaderOf, type Binding, type Shader } from "./shader.ts";
import { reducerOf, treesFor } from "./tree.ts";
import { segmentCode, workBinding } from "./work-list.ts";

/** Threads that add up partial sums. */
const THREADS = 64;

/** Ids of the scalars that a later stage wants than the one that makes them, in the order they are kept. */
export function keptScalars(plan: Plan): number[] {
  const kept = plan.stages.flatMap((_, k) => {
    const { made, wanted } = scalarsOf(plan, k);
    return wanted.filter((id) => !made.includes(id));
  });
  return [...new Set(kept)].toSorted((a, b) => a - b);
}

/** Which scalars are made before stage k, in order, and which are wanted for them and its uniforms. */
function scalarsOf({ program, stages }: Plan, k: number) {
  const { scalars, uniforms } = stages[k]!;
  const sums = stages[k - 1]?.reductions ?? [];
  const args = scalars.flatMap((id) => program.nodes[id]!.args);
  const wanted = [
    ...args.filter((id) => program.nodes[id]!.rank === "scalar"),
    ...uniforms.flatMap((source) => (source < 0 ? [~source] : [])),
  ];
  return { sums, made: [...sums, ...scalars], wanted };
}

/**
 * Of these bindings it has those that it needs: `work`, the numbers of the `trace`, the kept `scalars`, the
 * `numbers` of the stage to come and of the one `before`.
 *
 * @returns `null` if there is nothing to do before stage k.
 */
export function scalarsShader(plan: Plan, k: number): Shader | null {
  const { nodes } = plan.program;
  const { uniforms } = plan.stages[k]!;
  const { sums, made } = scalarsOf(plan, k);
  if (uniforms.length + made.length === 0) return null;
  const ops = sums.map((id) => (nodes[id]!.op === Op.maxAbs ? Op.maxAbs : Op.sum));
  const reducers = ops.map((op, r) => {
    const offset = `work[0].z * ${plan.stages[k - 1]!.uniforms.length}u`;
    const partial = `before[${offset} + i * ${sums.length}u + ${r}u]`;
    return reducerOf(op, [partial], `partial${r}`, 1);
  });
  const loop = [
    `for (var i = extra.y + thread; i < extra.y + extra.z; i += ${THREADS}u) {`,
    ...indent(reducers.map((reducer) => reducer.add())),
    "}",
  ];
  const body = [
    "let segment = group.y * groups.x + group.x;",
    "if (segment >= work[0].z) { return; }",
    ...segmentCode("segment"),
    ...reducers.map(({ declare }) => declare),
    ...(sums.length > 0 ? loop : []),
    ...reducers.map((reducer, r) => `let sum${r} = ${reducer.result(`${THREADS}u`)};`),
    "if (thread == 0u) {",
    ...indent(valuesCode(plan, k)),
    "}",
  ];
  const of = (name: string, kind: Binding["kind"]): Binding => ({ name, type: "f32", kind });
  const bindings = [
    workBinding,
    of("trace", "dynamic"),
    of("scalars", "write"),
    of("numbers", "write"),
    of("before", "write"),
  ].filter(({ name }) => body.some((line) => line.includes(`${name}[`)));
  return shaderOf(bindings, treesFor(ops, THREADS), THREADS, body);
}

/** What one thread computes and writes. */
function valuesCode(plan: Plan, k: number): string[] {
  const { nodes } = plan.program;
  const { scalars, uniforms } = plan.stages[k]!;
  const { sums, made } = scalarsOf(plan, k);
  const kept = keptScalars(plan);
  const place = (id: number) => `scalars[segment * ${kept.length}u + ${kept.indexOf(id)}u]`;
  const trace = (index: number) => `trace[extra.x * ${uniformCountOf(plan)}u + ${index}u]`;
  const leaf = (id: number): string => {
    const { op, index, isMask } = nodes[id]!;
    if (op === Op.uniform) return trace(index);
    if (op === Op.size) return "f32(size.x)";
    if (op === Op.rows) return "f32(size.y)";
    if (op === Op.columns) return "f32(size.z)";
    if (sums.includes(id)) return `sum${sums.indexOf(id)}`;
    return isMask ? `${place(id)} != 0` : place(id);
  };
  const isLeaf = (id: number) => nodes[id]!.args.length === 0 || !scalars.includes(id);
  // To whoever writes the rest, what comes from elsewhere is a number with the id for a name.
  const known = nodes.map((node, index): Node =>
    isLeaf(index) ? { ...node, op: Op.uniform, args: [], index } : node,
  );
  const writer = new BodyWriter({ nodes: known }, { load: () => "", uniform: leaf }, 1);
  const stores = made.flatMap((id) => {
    if (!kept.includes(id)) return [];
    const value = writer.value(id);
    return [`${place(id)} = ${nodes[id]!.isMask ? `f32(${value})` : value};`];
  });
  const values = uniforms.map((source, i) => {
    const value = source < 0 ? writer.value(~source) : trace(source);
    return `numbers[segment * ${uniforms.length}u + ${i}u] = ${value};`;
  });
  return [...writer.lines, ...stores, ...values];
}
