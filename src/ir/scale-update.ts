/**
 * A program whose update of the parameter is multiplied by a factor for each element:
 *
 *     p ← p + s·(p' - p)        p' being what the rule makes of p
 *
 * That holds for every rule, whatever it does with its learning rate. The factors stand in a slot behind all
 * others. Where one is 1 the result is p' itself, and where it is 0 it is p, to the bit and whatever p' is.
 */
import { Op, opInfo, type OpCode } from "./op.ts";
import type { Node, Program } from "./program.ts";

/** Factors are finite numbers ≥ 0. State that depends on the new parameter depends on the scaled one. */
export function scaleUpdate(program: Program): Program {
  const updated = program.outputs[0]!;
  if (updated < 0) return program;
  const factors = program.slots.length;
  const nodes: Node[] = [];
  const moved: number[] = [];
  let scaled = -1;
  program.nodes.forEach((node, id) => {
    nodes.push({ ...node, args: node.args.map((arg) => moved[arg]!) });
    moved.push(nodes.length - 1);
    if (id !== updated) return;
    scaled = blend(nodes, nodes.length - 1, factors);
    // A gradient or a number that happens to be the new parameter stays what it is.
    if (opInfo(node.op).class !== "leaf") moved[id] = scaled;
  });
  const outputs = program.outputs.map((id, slot) => {
    if (slot === 0) return scaled;
    return id < 0 ? id : moved[id]!;
  });
  return {
    ...program,
    slots: [...program.slots, "lrScale"],
    slotRanks: [...program.slotRanks, "tensor"],
    nodes,
    outputs: [...outputs, -1],
    results: program.results.map((id) => moved[id]!),
    factors,
  };
}

/** Adds what scales an update; the id of the result. */
function blend(nodes: Node[], updated: number, factors: number): number {
  const add = (op: OpCode, args: readonly number[], index = 0): number =>
    nodes.push({ op, args, index, rank: "tensor", isMask: opInfo(op).class === "compare" }) - 1;
  const load = (slot: number): number => {
    const known = nodes.findIndex(({ op, index }) => op === Op.load && index === slot);
    return known < 0 ? add(Op.load, [], slot) : known;
  };
  const [p, s] = [load(0), load(factors)];
  const part = add(Op.add, [p, add(Op.mul, [s, add(Op.sub, [updated, p])])]);
  // Numbers come from rules alone, so 0 is s - s, and s is 0 or 1 where it is its own sign.
  const whole = add(Op.where, [add(Op.gt, [s, add(Op.sub, [s, s])]), updated, p]);
  return add(Op.where, [add(Op.eq, [s, add(Op.sign, [s])]), whole, part]);
}
