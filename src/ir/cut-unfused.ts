/**
 * One kernel for each operation on tensors, or on what rows, columns and matrices have, as frameworks
 * run eager code.
 */
import { Op, opInfo } from "./op.ts";
import { storesOf, type Cutter } from "./cutter.ts";
import type { Program } from "./program.ts";
import { isHost } from "./rank.ts";

/**
 * A result goes straight into its slot where the slot's old value is done with, else into a temporary,
 * from where the last kernels copy it.
 */
export function cutUnfused(cutter: Cutter): void {
  const { program } = cutter;
  const steps = program.nodes.flatMap((_, id) => (isStep(program, id) ? [id] : []));
  const reads = steps.map((id) => readsOf(program, id));
  const stores = storesOf(program);
  const held = new Map<number, number>();
  // What is no step of its own is stored last: numbers.
  const late = stores.filter(({ id }) => program.nodes[id]!.rank === "number");
  steps.forEach((id, position) => {
    const readLater = (wanted: (read: Reads) => boolean) => reads.slice(position + 1).some(wanted);
    const before = new Map(held);
    for (const value of reads[position]!.values) {
      const place = held.get(value);
      const kept = late.some((store) => store.id === value);
      if (
        place !== undefined &&
        place < 0 &&
        !kept &&
        !readLater((read) => read.values.has(value))
      ) {
        cutter.release(place);
        held.delete(value);
      }
    }
    const { rank } = program.nodes[id]!;
    const domain = cutter.domainOf(id);
    if (isHost(rank)) return cutter.cut(domain, [], [id], before);
    const wanted = stores.filter((store) => store.id === id);
    if (program.nodes[id]!.op === Op.host) {
      const target = cutter.temporary("tensor");
      held.set(id, target);
      late.push(...wanted);
      return cutter.cutHost(id, target, before);
    }
    const direct = wanted.find(({ target }) => !readLater((read) => read.slots.has(target)));
    const target = direct?.target ?? cutter.temporary(rank);
    held.set(id, target);
    late.push(...wanted.filter((store) => store !== direct));
    return cutter.cut(domain, [{ target, id }], [], before);
  });
  for (const store of late) cutter.cut(program.slotRanks[store.target]!, [store], [], held);
}

/**
 * Whether a value is a kernel of its own. Comparisons join the `where` that they decide, a flush
 * joins the operation before it, and a load counts where another slot takes it over.
 */
function isStep(program: Program, id: number): boolean {
  const { op, rank } = program.nodes[id]!;
  const cls = opInfo(op).class;
  if (cls === "reduce" || cls === "host") return true;
  if (op === Op.load) return program.outputs.includes(id);
  if (cls === "leaf" || cls === "compare" || isHost(rank)) return false;
  return !program.nodes.some((other) => other.op === Op.flush && other.args[0] === id);
}

interface Reads {
  /** Ids of other steps. */
  readonly values: Set<number>;
  readonly slots: Set<number>;
}

/** What the kernel of one step reads from memory. */
function readsOf(program: Program, step: number): Reads {
  const reads: Reads = { values: new Set(), slots: new Set() };
  const visit = (id: number): void => {
    const node = program.nodes[id]!;
    if (isHost(node.rank)) return;
    if (id !== step && isStep(program, id)) reads.values.add(id);
    else if (node.op === Op.load) reads.slots.add(node.index);
    else node.args.forEach(visit);
  };
  program.nodes[step]!.args.forEach(visit);
  if (program.nodes[step]!.op === Op.load) reads.slots.add(program.nodes[step]!.index);
  return reads;
}
