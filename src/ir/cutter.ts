/** Cuts kernels out of a program, one after another; which ones, the plan says. */
import { isNarrow } from "./bfloat16.ts";
import { Op, opInfo } from "./op.ts";
import type { HostCall, LinesIr, Stage } from "./plan.ts";
import type { Node, Program } from "./program.ts";
import { isHost, type Domain, type Rank } from "./rank.ts";

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
    const isStored = (target: number) => target >= 0 && isNarrow(this.program, target);
    const storage = pointers.some(isStored) && {
      storage: pointers.map((target) => (isStored(target) ? "bfloat16" : "element")),
    };
    const kernel = {
      slots,
      ...storage,
      nodes,
      outputs,
      uniformCount: uniforms.length,
      reductions: reducers,
    };
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
