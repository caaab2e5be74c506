/**
 * WGSL that puts the numbers of a workgroup's threads together, in a fixed order: a tree in its memory.
 *
 * It runs once for thousands of elements, or once along a line. So it is written for the same order on
 * every device rather than with subgroups, whose sizes differ.
 */
import { Op, type OpCode } from "../../../ir/op.ts";

/** Over neighbours in groups of `share` threads, a power of two; each gets the result of its group. */
const tree = (name: string, type: string, put: string) => `
var<workgroup> ${name}s: array<${type}, THREADS>;
fn ${name}(thread: u32, share: u32, value: ${type}) -> ${type} {
  ${name}s[thread] = value;
  for (var half = share / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread % share < half) { ${name}s[thread] = ${put}; }
  }
  workgroupBarrier();
  let result = ${name}s[thread - thread % share];
  workgroupBarrier();
  return result;
}`;

const trees = {
  total: tree("total", "f32", "totals[thread] + totals[thread + half]"),
  largest: tree("largest", "u32", "max(largests[thread], largests[thread + half])"),
};

/** A reduction in WGSL. */
export interface Reducer {
  /** Declares what a thread holds. */
  readonly declare: string;
  /** Takes the operands at hand in; `keep` says which of them count, if not all. */
  add(keep?: string): string;
  /** What `share` threads hold together, as a number. */
  result(share: string): string;
}

/**
 * @param operands WGSL of the reduction's operands, of f32 or vec4f.
 * @param name of what a thread holds.
 *
 * The largest |x| is found by comparing bits, which order numbers, infinity and NaN as they should:
 * arithmetic in a shader may assume that there is no NaN.
 */
export function reducerOf(
  op: OpCode,
  [a, b]: readonly string[],
  name: string,
  width: 1 | 4,
): Reducer {
  const isMax = op === Op.maxAbs;
  const element = isMax ? "u32" : "f32";
  const type = width === 1 ? element : isMax ? "vec4u" : "vec4f";
  const bits = `(bitcast<${type}>(${a}) & ${type}(0x7fffffff))`;
  const value = isMax ? bits : op === Op.dot ? `${a} * ${b}` : a!;
  const [x, y, z, w] = ["x", "y", "z", "w"].map((part) => `${name}.${part}`);
  const across = isMax ? `max(max(${x}, ${y}), max(${z}, ${w}))` : `(${x} + ${y}) + (${z} + ${w})`;
  const own = width === 1 ? name : across;
  return {
    declare: `var ${name} = ${type}();`,
    add: (keep) => {
      const counted = keep ? `select(${type}(), ${value}, ${keep})` : value;
      return `${name} = ${isMax ? `max(${name}, ${counted})` : `${name} + ${counted}`};`;
    },
    result: (share) => {
      const call = (put: string) => `${put}(thread, ${share}, ${own})`;
      return isMax ? `bitcast<f32>(${call("largest")})` : call("total");
    },
  };
}

/** The functions that these reductions call, for workgroups of so many threads. */
export function treesFor(ops: readonly OpCode[], threads: number): string[] {
  const used = [
    ...(ops.some((op) => op !== Op.maxAbs) ? [trees.total] : []),
    ...(ops.includes(Op.maxAbs) ? [trees.largest] : []),
  ];
  return used.map((text) => text.replaceAll("THREADS", String(threads)));
}
