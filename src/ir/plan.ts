/**
 * From a program to the kernels that run it, one after another.
 *
 * Fused, a program is one kernel, except that it splits at every reduction: a kernel can use the
 * norm of a tensor only after another has read all of it. Unfused, each operation is a kernel of its
 * own with temporaries in between, as frameworks run eager code; it exists to be compared with. Both
 * are cut from the same program by the same function, so they agree bit for bit.
 */
import { Op, opInfo, type HostOperation } from "./op.ts";
import type { Node, Program } from "./program.ts";
import { printProgram } from "./print.ts";

/** What a backend compiles: a program over its own slots and uniforms. */
export interface KernelIr extends Pick<Program, "slots" | "nodes" | "outputs"> {
  /** Number of uniforms; a kernel's uniform nodes count from 0. */
  readonly uniformCount: number;
  /** Ids of the reduction nodes whose partial sums the kernel delivers. */
  readonly reductions: readonly number[];
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
  return `${printProgram(kernel)}\nreduce ${kernel.reductions.join(" ")}`;
}

/** How often a kernel reads or writes memory for each element: once for each slot and direction. */
export function accessesOf(kernel: Pick<KernelIr, "nodes" | "outputs">): number {
  const loads = new Set(kernel.nodes.flatMap(({ op, index }) => (op === Op.load ? [index] : [])));
  return loads.size + kernel.outputs.filter((id) => id >= 0).length;
}

export function planOf(program: Program, fuse: boolean): Plan {
  const cutter = new Cutter(program);
  const temporaries = fuse ? cutFused(cutter) : cutUnfused(cutter);
  let storeMask = 0;
  let usedMask = 0;
  program.outputs.forEach((id, slot) => {
    if (id >= 0) storeMask |= 1 << slot;
  });
  for (const node of program.nodes) if (node.op === Op.load) usedMask |= 1 << node.index;
  return {
    program,
    stages: cutter.stages,
    temporaries,
    perTensor: program.nodes.some(({ op, rank }) => rank === "scalar" || op === Op.host),
    storeMask,
    usedMask: usedMask | storeMask,
    accesses: cutter.stages.reduce((sum, { kernel }) => sum + accessesOf(kernel), 0),
  };
}

/** A kernel's result: which value goes where (a slot, or ~k for temporary k). */
interface Store {
  readonly target: number;
  readonly id: number;
}

/** Cuts kernels out of a program and keeps the order in which scalars become known. */
class Cutter {
  readonly program: Program;
  readonly stages: Stage[] = [];
  private readonly scalarsDone = new Set<number>();
  private readonly reduced = new Set<number>();

  constructor(program: Program) {
    this.program = program;
  }

  node(id: number): Node {
    return this.program.nodes[id]!;
  }

  /** Adds a kernel that brings a host operation's operand into a temporary, and the call. */
  cutHost(id: number, temporary: number, held: ReadonlyMap<number, number>): void {
    const { operation, args } = this.node(id);
    const [operand, ...numbers] = args;
    const uniforms = numbers.map((number) => this.node(number).index);
    const call = { operation: operation!, temporary, uniforms };
    this.cut([{ target: ~temporary, id: operand! }], [], held, [call]);
  }

  /** Adds a kernel; values in `held` are read from where they are, all others are computed in it. */
  cut(
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
      if (where !== undefined) at = add(load(indexIn(pointers, where)));
      else if (node.op === Op.load) at = add(load(indexIn(pointers, node.index)));
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
    const outputs = pointers.map((target) => placed.find((s) => s.target === target)?.at ?? -1);
    const slots = pointers.map((target) =>
      target < 0 ? `t.${~target}` : this.program.slots[target]!,
    );
    this.stages.push({
      kernel: { slots, nodes, outputs, uniformCount: uniforms.length, reductions: reducers },
      pointers,
      uniforms,
      reductions,
      scalars: this.scalarsReady(),
      hostCalls,
    });
    for (const id of reductions) this.reduced.add(id);
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

const load = (index: number): Node => leafNode(Op.load, index, "tensor");
const uniform = (index: number): Node => leafNode(Op.uniform, index, "number");
const leafNode = (op: Node["op"], index: number, rank: Node["rank"]): Node => ({
  op,
  args: [],
  index,
  rank,
  isMask: false,
});

function storesOf(program: Program): Store[] {
  return program.outputs.flatMap((id, slot) => (id >= 0 ? [{ target: slot, id }] : []));
}

/**
 * One kernel per wave of reductions, one for each operation of the host, and one that stores. Returns
 * the number of temporaries.
 */
function cutFused(cutter: Cutter): number {
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
    if (reductions.length > 0) cutter.cut([], reductions, held);
    const before = new Map(held);
    for (const id of hosts) {
      cutter.cutHost(id, held.size, before);
      held.set(id, ~held.size);
    }
  }
  const stores = storesOf(cutter.program);
  if (stores.length > 0) cutter.cut(stores, [], held);
  return held.size;
}

/**
 * One kernel per operation on tensors. A result goes straight into its slot where the slot's old
 * value is done with, else into a temporary, from where the last kernels copy it. Returns the number
 * of temporaries.
 */
function cutUnfused(cutter: Cutter): number {
  const { program } = cutter;
  const steps = program.nodes.flatMap((_, id) => (isStep(program, id) ? [id] : []));
  const reads = steps.map((id) => readsOf(program, id));
  const stores = storesOf(program);
  const free: number[] = [];
  const held = new Map<number, number>();
  // What is no step of its own is stored last: numbers.
  const late = stores.filter(({ id }) => program.nodes[id]!.rank === "number");
  let temporaries = 0;
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
        free.push(~place);
        held.delete(value);
      }
    }
    if (opInfo(program.nodes[id]!.op).class === "reduce") return cutter.cut([], [id], before);
    const wanted = stores.filter((store) => store.id === id);
    if (program.nodes[id]!.op === Op.host) {
      const temporary = free.pop() ?? temporaries++;
      held.set(id, ~temporary);
      late.push(...wanted);
      return cutter.cutHost(id, temporary, before);
    }
    const direct = wanted.find(({ target }) => !readLater((read) => read.slots.has(target)));
    const target = direct?.target ?? ~(free.pop() ?? temporaries++);
    held.set(id, target);
    late.push(...wanted.filter((store) => store !== direct));
    return cutter.cut([{ target, id }], [], before);
  });
  for (const store of late) cutter.cut([store], [], held);
  return temporaries;
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
  if (cls === "leaf" || cls === "compare" || rank !== "tensor") return false;
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
    if (node.rank !== "tensor") return;
    if (id !== step && isStep(program, id)) reads.values.add(id);
    else if (node.op === Op.load) reads.slots.add(node.index);
    else node.args.forEach(visit);
  };
  program.nodes[step]!.args.forEach(visit);
  if (program.nodes[step]!.op === Op.load) reads.slots.add(program.nodes[step]!.index);
  return reads;
}
