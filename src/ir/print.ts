/**
 * A program as text, one value a line. It serves as the key of the kernel caches too: equal text is
 * an equal kernel.
 */
import { Op, opInfo } from "./op.ts";
import type { Node, Program } from "./program.ts";

export function printProgram(program: Pick<Program, "slots" | "nodes" | "outputs">): string {
  const lines = program.nodes.map((node, id) => `%${id} = ${printNode(node, program.slots)}`);
  program.outputs.forEach((id, slot) => {
    if (id >= 0) lines.push(`store ${program.slots[slot]}, %${id}`);
  });
  return lines.join("\n");
}

/** One value without its name, e.g. `mul %3, %5`. */
export function printNode(node: Node, slots: readonly string[]): string {
  if (node.op === Op.load) return `load ${slots[node.index]}`;
  if (node.op === Op.uniform) return `uniform u${node.index}`;
  const name = node.operation?.name ?? opInfo(node.op).name;
  const dice = node.op === Op.narrowStochastic ? [`slot ${node.index}`] : [];
  return [name, [...node.args.map((arg) => `%${arg}`), ...dice].join(", ")].join(" ").trim();
}
