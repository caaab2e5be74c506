/**
 * From a program to the kernels that run it, one after another.
 *
 * Fused, a program is one kernel, except that it splits at every reduction: a kernel can use the
 * norm of a tensor only after another has read all of it. Unfused, each operation is a kernel of its
 * own with temporaries in between, as frameworks run eager code; it exists to be compared with. Both
 * are cut from the same program by the same function, so they agree bit for bit.
 */
import { cutLines } from "./cut-lines.ts";
import { cutUnfused } from "./cut-unfused.ts";
import { Op, opInfo, type HostOperation } from "./op.ts";
import type { Node, Program } from "./program.ts";
import { printProgram } from "./print.ts";
import { isHost, type Domain, type Rank } from "./rank.ts";

/** What a backend compiles: a program over its own slots and uniforms. */
export interface KernelIr extends Pick<Program, "slots" | "nodes" | "outputs"> {
  /** Number of uniforms; a kernel's uniform nodes count from 0. */
  readonly uniformCount: number;
  /** Ids of the reduction nodes to one number whose partial sums the kernel delivers. */
  readonly reductions: readonly number[];
  /** For kernels that run along the lines of a matrix. */
  readonly lines?: LinesIr;
}

/**
 * How a kernel runs along lines: where each slot has its numbers, and what else it sums up.
 *
 * The lines of a tensor are its rows. Those of what rows (or columns) have are one per matrix, as long as
 * it has rows (or columns); the numbers of matrices are one line.
 */
export interface LinesIr {
  /** Per slot: a number for each element; per line; per column, the same in each line; per matrix. */
  readonly along: readonly ("element" | "line" | "column" | "matrix")[];
  /** Sums along each line, or over all lines of a matrix: the reduction's id and the slot it goes to. */
  readonly sums: readonly { readonly id: number; readonly slot: number }[];
}

/** One kernel and where its inputs come from. */
export interface Stage {
  readonly kernel: KernelIr;
  /** Per kernel slot: a slot of the program, or ~k for temporary k. */
  readonly pointers: readonly number[];
  /** Per kernel uniform: a uniform of the trace, or ~id for the program's scalar value `id`. */
  readonly uniforms: readonly number[];
  /** Ids in the program of the kernel's reductions. */
  readonly reductions: readonly number[];
  /** Ids of the scalar values that the host can compute before this kernel. */
  readonly scalars: readonly number[];
  /** What the kernel runs over. */
  readonly domain: Domain;
  /** What the host runs after this kernel, in place. */
  readonly hostCalls: readonly HostCall[];
}

/** An operation on a matrix that lies in a temporary. */
export interface HostCall {
  readonly operation: HostOperation;
  readonly temporary: number;
  /** Its numbers: uniforms of the trace. */
  readonly uniforms: readonly number[];
}

export interface Plan {
  readonly program: Program;
  readonly stages: readonly Stage[];
  /** Number of temporaries as large as the tensors. */
  readonly temporaries: number;
  /** How many numbers each temporary has, also those of rows, columns and matrices. */
  readonly temporaryRanks: readonly Domain[];
  /** Whether its kernels run along lines, over one parameter at a time. */
  readonly inLines: boolean;
  /** Whether tensors must be run one by one, because a value belongs to one tensor. */
  readonly perTensor: boolean;
  /** Slots that are stored, as a bit mask over the program's slots. */
  readonly storeMask: number;
  /** Slots that are loaded or stored. */
  readonly usedMask: number;
  /** Reads and writes for each element, over all kernels. */
  readonly accesses: number;
}

/** The key under which a kernel is cached: equal keys are equal kernels. */
export function kernelKey(kernel: KernelIr): string {
  const { reductions, lines } = kernel;
  return `${printProgram(kernel)}\nreduce ${reductions.join(" ")}\n${JSON.stringify(lines)}`;
}

/** How often a kernel reads or writes memory for each element: once for each slot and direction. */
export function accessesOf(kernel: Pick<KernelIr, "nodes" | "outputs" | "lines">): number {
  const isElement = (slot: number) => (kernel.lines?.along[slot] ?? "element") === "element";
  const loads = new Set(
    kernel.nodes.flatMap(({ op, index }) => (op === Op.load && isElement(index) ? [index] : [])),
  );
  return loads.size + kernel.outputs.filter((id) => id >= 0).length;
}

export function planOf(program: Program, fuse: boolean): Plan {
  const inLines = program.nodes.some(({ rank }) => !isHost(rank) && rank !== "tensor");
  const cutter = new Cutter(program, inLines);
  if (!fuse) cutUnfused(cutter);
  else if (inLines) cutLines(cutter);
  else cutFused(cutter);
  const { stages, temporaryRanks } = cutter;
  let storeMask = 0;
  let usedMask = 0;
  program.outputs.forEach((id, slot) => {
    if (id >= 0) storeMask |= 1 << slot;
  });
  for (const node of program.nodes) if (node.op === Op.load) usedMask |= 1 << node.index;
  return {
    program,
    stages,
    temporaries: temporaryRanks.filter((rank) => rank === "tensor").length,
    temporaryRanks,
    inLines,
    perTensor: inLines || program.nodes.some(({ op, rank }) => rank === "scalar" || op === Op.host),
    storeMask,
    usedMask: usedMask | storeMask,
    accesses: stages.reduce(
      (sum, { kernel, domain }) => sum + (domain === "tensor" ? accessesOf(kernel) : 0),
      0,
    ),
  };
}

/** A kernel's result: which value goes where (a slot, or ~k for temporary k). */
export interface Store {
  readonly target: number;
  readonly id: number;
}

/** Cuts kernels out of a program and keeps the order in which scalars become known. */
export class Cutter {
  readonly program: Program;
  readonly stages: Stage[] = [];
  readonly temporaryRanks: Domain[] = [];
  private readonly inLines: boolean;
  private readonly free: number[] = [];
  private readonly scalarsDone = new Set<number>();
  private readonly reduced = new Set<number>();

  constructor(program: Program, inLines: boolean) {
    this.program = program;
    this.inLines = inLines;
  }

  node(id: number): Node {
    return this.program.nodes[id]!;
  }

  /** Adds a kernel that brings a host operation's operand into a temporary, and the call. */
  cutHost(id: number, target: number, held: ReadonlyMap<number, number>): void {
    const { operation, args } = this.node(id);
    const [operand, ...numbers] = args;
    const uniforms = numbers.map((number) => this.node(number).index);
    const call = { operation: operation!, temporary: ~target, uniforms };
    this.cut("tensor", [{ target, id: operand! }], [], held, [call]);
  }

  /** What a kernel that computes a value runs over: of a reduction what it reads. */
  domainOf(id: number): Domain {
    const { op, args, rank } = this.node(id);
    const from = opInfo(op).class === "reduce" ? this.node(args[0]!).rank : rank;
    return isHost(from) ? "tensor" : from;
  }

  /** ~k for a temporary k that is free. */
  temporary(rank: Domain): number {
    const again = this.free.findIndex((k) => this.temporaryRanks[k] === rank);
    if (again < 0) return ~(this.temporaryRanks.push(rank) - 1);
    return ~this.free.splice(again, 1)[0]!;
  }

  /** Gives a temporary back. */
  release(target: number): void {
    this.free.unshift(~target);
  }

  /** Adds a kernel; values in `held` are read from where they are, all others are computed in it. */
  cut(
    domain: Domain,
    stores: readonly Store[],
    reductions: readonly number[],
    held: ReadonlyMap<number, number>,
    hostCalls: readonly HostCall[] = [],
  ): void {
    const nodes: Node[] = [];
    const moved = new Map<number, number>();
    const pointers: number[] = [];
    const uniforms: number[] = [];
    const add = (node: Node): number => nodes.push(node) - 1;
    const indexIn = (list: number[], value: number): number => {
      const at = list.indexOf(value);
      return at >= 0 ? at : list.push(value) - 1;
    };
    const place = (id: number): number => {
      const done = moved.get(id);
      if (done !== undefined) return done;
      const node = this.node(id);
      const where = held.get(id);
      let at: number;
      if (where !== undefined) at = add(load(indexIn(pointers, where), node.rank));
      else if (node.op === Op.load) at = add(load(indexIn(pointers, node.index), node.rank));
      else if (node.op === Op.uniform) at = add(uniform(indexIn(uniforms, node.index)));
      else if (node.rank === "scalar" && !reductions.includes(id)) {
        at = add(uniform(indexIn(uniforms, ~id)));
      } else {
        const args = node.args.map(place);
        at = add({ ...node, args });
      }
      moved.set(id, at);
      return at;
    };
    const placed = stores.map(({ target, id }) => ({ target, at: place(id) }));
    const reducers = reductions.map(place);
    for (const { target } of placed) indexIn(pointers, target);
    const isSum = (at: number) => opInfo(nodes[at]!.op).class === "reduce";
    const outputs = pointers.map(
      (target) => placed.find((s) => s.target === target && !isSum(s.at))?.at ?? -1,
    );
    const slots = pointers.map((target) =>
      target < 0 ? `t.${~target}` : this.program.slots[target]!,
    );
    const kernel = { slots, nodes, outputs, uniformCount: uniforms.length, reductions: reducers };
    const sums = placed
      .filter(({ at }) => isSum(at))
      .map(({ target, at }) => ({ id: at, slot: pointers.indexOf(target) }));
    const along = pointers.map((target) => alongLines(domain, this.rankAt(target)));
    this.stages.push({
      kernel: this.inLines ? { ...kernel, lines: { along, sums } } : kernel,
      pointers,
      uniforms,
      reductions,
      scalars: this.scalarsReady(),
      domain,
      hostCalls,
    });
    for (const id of reductions) this.reduced.add(id);
  }

  /** How many numbers a slot or a temporary has. */
  private rankAt(target: number): Domain {
    return target < 0 ? this.temporaryRanks[~target]! : this.program.slotRanks[target]!;
  }

  /** Scalars that the host can compute now and has not yet. */
  private scalarsReady(): number[] {
    const ready: number[] = [];
    this.program.nodes.forEach((node, id) => {
      if (node.rank !== "scalar" || opInfo(node.op).class === "reduce") return;
      const known = (arg: number) =>
        this.node(arg).rank === "number" || this.scalarsDone.has(arg) || this.reduced.has(arg);
      if (this.scalarsDone.has(id) || !node.args.every(known)) return;
      this.scalarsDone.add(id);
      ready.push(id);
    });
    return ready;
  }
}

/** Where the numbers of a rank lie for a kernel over another, see {@link LinesIr}. */
function alongLines(domain: Domain, rank: Domain): LinesIr["along"][number] {
  if (rank === domain) return "element";
  if (domain !== "tensor") return "line";
  return rank === "row" ? "line" : (rank as "column" | "matrix");
}

const load = (index: number, rank: Rank): Node => leafNode(Op.load, index, rank);
const uniform = (index: number): Node => leafNode(Op.uniform, index, "number");
const leafNode = (op: Node["op"], index: number, rank: Node["rank"]): Node => ({
  op,
  args: [],
  index,
  rank,
  isMask: false,
});

export function storesOf(program: Program): Store[] {
  return program.outputs.flatMap((id, slot) => (id >= 0 ? [{ target: slot, id }] : []));
}

/** One kernel per wave of reductions, one for each operation of the host, and one that stores. */
function cutFused(cutter: Cutter): void {
  const { nodes } = cutter.program;
  const waves: number[] = [];
  const splits: { readonly reductions: number[]; readonly hosts: number[] }[] = [];
  nodes.forEach((node, id) => {
    const wave = Math.max(0, ...node.args.map((arg) => waves[arg]!));
    const cls = opInfo(node.op).class;
    const ends = cls === "reduce" || cls === "host";
    if (ends) {
      const split = (splits[wave] ??= { reductions: [], hosts: [] });
      (cls === "reduce" ? split.reductions : split.hosts).push(id);
    }
    waves.push(ends ? wave + 1 : wave);
  });
  const held = new Map<number, number>();
  for (const { reductions, hosts } of splits) {
    if (reductions.length > 0) cutter.cut("tensor", [], reductions, held);
    const before = new Map(held);
    for (const id of hosts) {
      const target = cutter.temporary("tensor");
      cutter.cutHost(id, target, before);
      held.set(id, target);
    }
  }
  const stores = storesOf(cutter.program);
  if (stores.length > 0) cutter.cut("tensor", stores, [], held);
}
