/** The interpreter as a GPU may compute: an fma is a product, rounded, and a sum. */
import type { Backend } from "../../src/backend/backend.ts";
import { InterpBackend } from "../../src/backend/interp.ts";
import { Op } from "../../src/ir/op.ts";
import type { KernelIr } from "../../src/ir/plan.ts";
import type { Node } from "../../src/ir/program.ts";

const interp = new InterpBackend();

export const unfusedInterp: Backend = {
  name: "interp",
  compile: (kernel, dtype) => interp.compile(withoutFma(kernel), dtype),
};

function withoutFma(kernel: KernelIr): KernelIr {
  const nodes: Node[] = [];
  const ids: number[] = [];
  for (const node of kernel.nodes) {
    const args = node.args.map((id) => ids[id]!);
    if (node.op === Op.fma) {
      const [a, b, c] = args as [number, number, number];
      nodes.push({ ...node, op: Op.mul, args: [a, b] });
      nodes.push({ ...node, op: Op.add, args: [nodes.length - 1, c] });
    } else nodes.push({ ...node, args });
    ids.push(nodes.length - 1);
  }
  return {
    ...kernel,
    nodes,
    outputs: kernel.outputs.map((id) => (id < 0 ? id : ids[id]!)),
    reductions: kernel.reductions.map((id) => ids[id]!),
  };
}
