/**
 * From a program to the kernels that run it, one after another.
 *
 * Fused, a program is one kernel, except that it splits at every reduction: a kernel can use the
 * norm of a tensor only after another has read all of it. Unfused, each operation is a kernel of its
 * own with temporaries in between, as frameworks run eager code; it exists to be compared with. Both
 * are cut from the same program by the same function, so they agree bit for bit.
 */
import { isNarrow } from "./bfloat16.ts";
import { cutUnfused } from "./cut-unfused.ts";
import { Cutter, storesOf } from "./cutter.ts";
import { lineEngine, type LineEngine } from "./lines.ts";
import { Op, opInfo, type HostOperation } from "./op.ts";
import type { Program } from "./program.ts";
import { printProgram } from "./print.ts";
import { isHost, type Domain } from "./rank.ts";

/** What a backend compiles: a program over its own slots and uniforms. */
export interface KernelIr extends Pick<Program, "slots" | "storage" | "nodes" | "outputs"> {
  /** Number of uniforms; a kernel's uniform nodes count from 0. */
  readonly uniformCount: number;
  /** Ids of the reduction nodes to one number whose partial sums the kernel delivers. */
  readonly reductions: readonly number[];
  /** For kernels that run along the lines of a matrix. */
  readonly lines?: LinesIr;
  /** Whether reductions go on from where the last run left them, instead of from nothing. */
  readonly continues?: boolean;
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
  /** Who runs its kernels along lines, over one parameter at a time; `null` where no kernel does. */
  readonly lines: LineEngine | null;
  /** Whether tensors must be run one by one, because a value belongs to one tensor. */
  readonly perTensor: boolean;
  /** Slots that are stored, as a bit mask over the program's slots. */
  readonly storeMask: number;
  /** Slots that are loaded or stored. */
  readonly usedMask: number;
  /** Reads and writes for each element, over all kernels; those of a bfloat16 count half. */
  readonly accesses: number;
}

/** The key under which a kernel is cached: equal keys are equal kernels. */
export function kernelKey(kernel: KernelIr): string {
  const { reductions, lines, storage, continues } = kernel;
  const rest = JSON.stringify([lines, storage, continues]);
  return `${printProgram(kernel)}\nreduce ${reductions.join(" ")}\n${rest}`;
}

/**
 * How often a kernel reads or writes memory for each element: once for each slot and direction, and half as
 * much where the slot lies in bfloat16.
 */
export function accessesOf(
  kernel: Pick<KernelIr, "nodes" | "outputs" | "lines" | "storage">,
): number {
  const isElement = (slot: number) => (kernel.lines?.along[slot] ?? "element") === "element";
  const loads = new Set(
    kernel.nodes.flatMap(({ op, index }) => (op === Op.load && isElement(index) ? [index] : [])),
  );
  const stores = kernel.outputs.flatMap((id, slot) => (id >= 0 ? [slot] : []));
  return [...loads, ...stores].reduce((sum, slot) => sum + (isNarrow(kernel, slot) ? 0.5 : 1), 0);
}

export function planOf(program: Program, fuse: boolean): Plan {
  const inLines = program.nodes.some(({ rank }) => !isHost(rank) && rank !== "tensor");
  const lines = inLines ? lineEngine(program) : null;
  const cutter = new Cutter(program, inLines);
  if (!fuse) cutUnfused(cutter);
  else if (lines) lines.cut(cutter);
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
    lines,
    perTensor: inLines || program.nodes.some(({ op, rank }) => rank === "scalar" || op === Op.host),
    storeMask,
    usedMask: usedMask | storeMask,
    accesses: stages.reduce(
      (sum, { kernel, domain }) => sum + (domain === "tensor" ? accessesOf(kernel) : 0),
      0,
    ),
  };
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
