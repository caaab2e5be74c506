/**
 * Few kernels for a program with rows, columns and matrices.
 *
 * A kernel runs over tensors, or over what rows, columns or matrices have; a value of one kind that
 * meets another kind is brought into memory first, and so is a sum that makes one of the other. So
 * work falls into waves: the kernels of a wave need nothing but what those before have left.
 */
import { Op, opInfo } from "./op.ts";
import { storesOf, type Cutter, type Store } from "./cutter.ts";
import { isHost, type Domain } from "./rank.ts";

/** What one kernel does. */
interface Item {
  readonly wave: number;
  readonly domain: Domain;
  /** Values to be brought into memory, and reductions. */
  readonly ids: readonly number[];
}

const domains: readonly Domain[] = ["tensor", "row", "column", "matrix"];

/**
 * A result goes straight into its slot where no other kernel wants the slot's old value any more, else
 * into a temporary, from where the last kernels copy it.
 */
export function cutLines(cutter: Cutter): void {
  const { program } = cutter;
  const waves = wavesOf(cutter);
  const items = itemsOf(cutter, waves);
  const stores = storesOf(program);
  const isPlaced = (id: number) => items.some(({ ids }) => ids.includes(id));
  const last = stores.flatMap(({ id }) => (isPlaced(id) ? [] : [id]));
  const all = [...items, { wave: Infinity, domain: "tensor", ids: last } as const];
  const reads = all.map((item) => readsOf(cutter, item, waves, isPlaced));
  const held = new Map<number, number>();
  items.forEach(({ wave, domain, ids }, position) => {
    const isOther = (_: Reads, other: number) => other !== position && all[other]!.wave >= wave;
    const wanted = new Set(reads.filter(isOther).flatMap(({ slots }) => slots));
    const before = new Map([...held].filter(([id]) => waves[id]! < wave));
    const placed: Store[] = [];
    for (const id of ids) {
      const { rank } = program.nodes[id]!;
      if (isHost(rank)) continue;
      const own = stores.findIndex((store) => store.id === id && !wanted.has(store.target));
      const target = own < 0 ? cutter.temporary(rank) : stores.splice(own, 1)[0]!.target;
      placed.push({ target, id });
      held.set(id, target);
    }
    const sums = ids.filter((id) => isHost(program.nodes[id]!.rank));
    cutter.cut(domain, placed, sums, before);
    const later = new Set(reads.slice(position + 1).flatMap(({ values }) => values));
    for (const [id, target] of held) {
      if (target >= 0 || later.has(id) || stores.some((store) => store.id === id)) continue;
      cutter.release(target);
      held.delete(id);
    }
  });
  // Tensors first: they may still want what rows and columns had.
  for (const domain of domains) {
    const late = stores.filter(({ target }) => program.slotRanks[target] === domain);
    if (late.length > 0) cutter.cut(domain, late, [], held);
  }
}

/** In which wave each value can be computed. */
function wavesOf(cutter: Cutter): number[] {
  const { nodes } = cutter.program;
  const waves: number[] = [];
  nodes.forEach(({ args }, id) => {
    const after = args.map((arg) => {
      const { op, rank } = nodes[arg]!;
      if (opInfo(op).class === "reduce") return waves[arg]! + 1;
      const together = isHost(rank) || op === Op.load || rank === cutter.domainOf(id);
      return together ? waves[arg]! : waves[arg]! + 1;
    });
    waves.push(Math.max(0, ...after));
  });
  return waves;
}

/** Reductions, values that meet another kind, and new state of rows and columns; by kernels, in order. */
function itemsOf(cutter: Cutter, waves: readonly number[]): Item[] {
  const { nodes, outputs } = cutter.program;
  const items: (Item & { readonly ids: number[] })[] = [];
  nodes.forEach(({ op, rank, isMask }, id) => {
    const reduces = opInfo(op).class === "reduce";
    const isSmall = !isHost(rank) && rank !== "tensor" && op !== Op.load && !isMask;
    const meetsOthers = () =>
      nodes.some((user, other) => user.args.includes(id) && cutter.domainOf(other) !== rank);
    if (!reduces && !(isSmall && (outputs.includes(id) || meetsOthers()))) return;
    const [wave, domain] = [waves[id]!, cutter.domainOf(id)];
    const item = items.find((known) => known.wave === wave && known.domain === domain);
    if (item) item.ids.push(id);
    else items.push({ wave, domain, ids: [id] });
  });
  return items.toSorted(
    (a, b) => a.wave - b.wave || domains.indexOf(a.domain) - domains.indexOf(b.domain),
  );
}

/** What a kernel reads from memory: old values of slots, and values that kernels before have left. */
interface Reads {
  readonly slots: readonly number[];
  readonly values: readonly number[];
}

function readsOf(
  cutter: Cutter,
  { ids, wave }: Item,
  waves: readonly number[],
  isPlaced: (id: number) => boolean,
): Reads {
  const { nodes } = cutter.program;
  const [slots, values]: [number[], number[]] = [[], []];
  const visit = (id: number): void => {
    const { op, args, index, rank } = nodes[id]!;
    if (op === Op.load) slots.push(index);
    else if (isHost(rank)) return;
    else if (isPlaced(id) && waves[id]! < wave) values.push(id);
    else args.forEach(visit);
  };
  for (const id of ids) {
    if (nodes[id]!.op === Op.load) slots.push(nodes[id]!.index);
    else nodes[id]!.args.forEach(visit);
  }
  return { slots, values };
}
