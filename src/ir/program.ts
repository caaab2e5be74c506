/**
 * From a tape to a program: named values in order, checked and tidied.
 *
 * The passes are few, and none changes a bit of a result except `flush`, whose purpose that is:
 * a state tensor whose new value depends on its old one may decay into the subnormal range, where a
 * processor computes many times slower, so what is stored becomes 0 before it gets there.
 */
import { Prose, RuleError } from "../errors.ts";
import type { SlotStorage } from "./bfloat16.ts";
import { Op, opInfo, type HostOperation, type OpCode } from "./op.ts";
import { join, type Rank, type SlotRank } from "./rank.ts";
import { MAX_NUMBERS, TAPE_STRIDE, type Trace } from "./trace.ts";
import { verify } from "./verify.ts";

/** One value of a program. */
export interface Node {
  readonly op: OpCode;
  /** Ids of the operands. */
  readonly args: readonly number[];
  /** The slot of a load, or of the program that dice are for; the number of a uniform; 0 otherwise. */
  readonly index: number;
  readonly rank: Rank;
  /** Whether it is the truth value of a comparison. */
  readonly isMask: boolean;
  /** What the host runs. */
  readonly operation?: HostOperation;
}

/** Values in order (operands come first) and which of them each slot becomes. */
export interface Program {
  /** Who it belongs to, for messages. */
  readonly subject: string;
  readonly slots: readonly string[];
  readonly slotRanks: readonly SlotRank[];
  /** How each slot lies in memory; absent where all are in the parameter's type. */
  readonly storage?: readonly SlotStorage[];
  readonly nodes: readonly Node[];
  /** Per slot the id of its new value; for an untouched slot that of its load, or -1. */
  readonly outputs: readonly number[];
  /** Ids of scalars that the host wants to know. */
  readonly results: readonly number[];
  /** The slot of what updates of the parameter are multiplied by, if they are: see ./scale-update.ts. */
  readonly factors?: number;
}

export interface PassOptions {
  /** Keep state out of the subnormal range. */
  readonly flush: boolean;
}

/** Passes walk a program to its depth; this much fits onto every engine's stack. */
const MAX_VALUES = 2000;

/** Reads, verifies and tidies what a trace has recorded. */
export function programOf(trace: Trace, options: PassOptions): Program {
  const read = decode(trace);
  if (read.nodes.length > MAX_VALUES) {
    throw new RuleError("TOO_LONG", {
      subject: `${trace.subject}: step()`,
      got: new Prose(`${read.nodes.length} operations and numbers`),
      expected: `at most ${MAX_VALUES}`,
    });
  }
  verify(read);
  const tidied = tidy(read);
  return options.flush ? flushState(tidied) : tidied;
}

function decode(trace: Trace): Program {
  const { slots, slotRanks, tape } = trace;
  const nodes: Node[] = slotRanks.map((rank, index) => leaf(Op.load, index, rank));
  const end = trace.operationsEnd;
  for (let at = 0; at < end; at += TAPE_STRIDE) {
    const op = tape[at] as OpCode;
    const operands = [tape[at + 1]!, tape[at + 2]!, tape[at + 3]!];
    if (op === Op.uniform) nodes.push(leaf(op, operands[0]!, "number"));
    else if (opInfo(op).class === "leaf") nodes.push(leaf(op, 0, "scalar"));
    else if (op === Op.host) nodes.push(hostNode(trace, operands, nodes));
    else {
      const node = nodeOf(op, operands.slice(0, opInfo(op).arity), nodes);
      nodes.push(op === Op.narrowStochastic ? { ...node, index: operands[2]! } : node);
    }
  }
  const outputs = slots.map((_, slot) => tape[end + slot]!);
  const results = [...tape.subarray(end + slots.length, trace.length)];
  const storage = trace.storage && { storage: slots.map((_, slot) => trace.storageOf(slot)) };
  return { subject: trace.subject, slots, slotRanks, ...storage, nodes, outputs, results };
}

/** Its operands are a tensor and the numbers that were recorded with it. */
function hostNode(trace: Trace, [x, first, code]: readonly number[], nodes: readonly Node[]): Node {
  const index = Math.floor(code! / MAX_NUMBERS);
  const numbers = Array.from({ length: code! % MAX_NUMBERS }, (_, i) => first! + i);
  const operation = trace.hostOperations[index]!;
  return { ...nodeOf(Op.host, [x!, ...numbers], nodes), index, operation };
}

function leaf(op: OpCode, index: number, rank: Rank): Node {
  return { op, args: [], index, rank, isMask: false };
}

function nodeOf(op: OpCode, args: readonly number[], nodes: readonly Node[]): Node {
  const cls = opInfo(op).class;
  const joined = join(args.map((id) => nodes[id]!.rank));
  const rank = cls === "reduce" ? reducedRank(op, joined) : joined;
  return { op, args, index: 0, rank, isMask: cls === "compare" };
}

/** What is left of a value: of a tensor its rows, columns or one number; of those its matrices. */
function reducedRank(op: OpCode, rank: Rank): Rank {
  if (op !== Op.rowSum && op !== Op.columnSum) return "scalar";
  if (rank !== "tensor") return "matrix";
  return op === Op.rowSum ? "row" : "column";
}

/**
 * Flushes the new value of each state slot that depends on its old one. Whatever reads that value
 * reads the flushed one, so that a step computes with what it stores; equal values are one already.
 */
function flushState(program: Program): Program {
  const decaying = new Set(program.outputs.filter((_, slot) => decays(program, slot)));
  const nodes: Node[] = [];
  const moved: number[] = [];
  program.nodes.forEach((node, id) => {
    const args = node.args.map((arg) => moved[arg]!);
    nodes.push({ ...node, args });
    if (decaying.has(id)) nodes.push(nodeOf(Op.flush, [nodes.length - 1], nodes));
    moved.push(nodes.length - 1);
  });
  const follow = (id: number) => moved[id] ?? -1;
  return {
    ...program,
    nodes,
    outputs: program.outputs.map(follow),
    results: program.results.map(follow),
  };
}

/** Whether a state slot depends on itself, be it by way of other state: a and b may take turns. */
function decays(program: Program, slot: number): boolean {
  const reached = new Set<number>();
  let found = false;
  const visit = (id: number): void => {
    if (id < 0 || reached.has(id)) return;
    reached.add(id);
    const { op, index, args } = program.nodes[id]!;
    if (op === Op.load && index === slot) found = true;
    else if (op === Op.load && index >= 2) visit(program.outputs[index]!);
    args.forEach(visit);
  };
  const output = program.outputs[slot]!;
  if (slot < 2 || output < 0 || program.nodes[output]!.op === Op.load) return false;
  visit(output);
  return found;
}

function isLoadOf(program: Program, id: number, slot: number): boolean {
  const node = program.nodes[id]!;
  return node.op === Op.load && node.index === slot;
}

/** Drops what no slot needs and merges equal values; uniforms are never merged. */
function tidy(program: Program): Program {
  const nodes: Node[] = [];
  const moved = new Map<number, number>();
  const known = new Map<string, number>();
  const place = (id: number): number => {
    const done = moved.get(id);
    if (done !== undefined) return done;
    const node = program.nodes[id]!;
    const args = node.args.map(place);
    const key = `${node.op} ${node.index} ${args.join(" ")}`;
    let at = known.get(key);
    if (at === undefined) {
      at = nodes.length;
      nodes.push({ ...node, args });
      known.set(key, at);
    }
    moved.set(id, at);
    return at;
  };
  const outputs = program.outputs.map((id, slot) => (isLoadOf(program, id, slot) ? -1 : place(id)));
  return { ...program, nodes, outputs, results: program.results.map(place) };
}
