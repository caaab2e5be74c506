/**
 * The operations of the intermediate representation: one table that every other part reads.
 *
 * All of them but the reductions and what runs on the host act on one element at a time and round
 * once, so that a kernel may run them in any grouping (one pass each, or all in one pass) and still
 * give the same bits.
 */

/** Operation codes, as they stand on a trace's tape. */
export const Op = {
  /** Element of a slot: the parameter, its gradient or a state tensor. */
  load: 0,
  /** A number of the host, handed to the kernel at run time. */
  uniform: 1,
  /** Number of elements of the tensor at hand. */
  size: 2,
  add: 3,
  sub: 4,
  mul: 5,
  div: 6,
  /** IEEE minimum: NaN if either is NaN, -0 < +0. */
  min: 7,
  max: 8,
  neg: 9,
  abs: 10,
  sqrt: 11,
  /** -1, 0 or 1; 0 for NaN, as in PyTorch. */
  sign: 12,
  /** 0 where |x| is below a threshold: keeps a decaying average out of the subnormal range. */
  flush: 13,
  gt: 14,
  ge: 15,
  eq: 16,
  where: 17,
  /** Sum of all elements, in float64 and a fixed order. */
  sum: 18,
  /** Sum of products of all elements, in float64 and a fixed order. */
  dot: 19,
  /** a·b + c, in float32 with one rounding. */
  fma: 20,
  /** The largest |x| of all elements, NaN if any is NaN. */
  maxAbs: 21,
  /** An operation on a whole matrix that the host runs between two kernels, see {@link HostOperation}. */
  host: 22,
  /** Sum of each row, in float64 and a fixed order: of a tensor, or of what columns have. */
  rowSum: 23,
  /** Sum of each column, as {@link rowSum}. */
  columnSum: 24,
  /** Number of rows of each matrix of the tensor at hand. */
  rows: 25,
  /** Number of columns. */
  columns: 26,
  /** The bfloat16 nearest to a float32, of two the even one, see {@link ./bfloat16.ts}. */
  narrow: 27,
  /** A bfloat16 above or below, the nearer one more often, by the dice of a step and a slot. */
  narrowStochastic: 28,
} as const;

export type OpCode = (typeof Op)[keyof typeof Op];

/** What an operation makes of its operands. */
export type OpClass = "leaf" | "arithmetic" | "compare" | "select" | "reduce" | "host";

/**
 * What {@link Op.host} runs: it turns a matrix and some numbers into a matrix of the same shape. Here it
 * is a name; how it runs is the backends' business.
 */
export interface HostOperation {
  readonly name: string;
}

export interface OpInfo {
  readonly name: keyof typeof Op;
  /** Number of operands that are values (leaves have an index instead; numbers of a host's come on top). */
  readonly arity: 0 | 1 | 2 | 3;
  readonly class: OpClass;
}

const info = (name: keyof typeof Op, arity: OpInfo["arity"], cls: OpClass): OpInfo => ({
  name,
  arity,
  class: cls,
});

/** Looked up by operation code. */
export const opTable: readonly OpInfo[] = /* @__PURE__ */ [
  info("load", 0, "leaf"),
  info("uniform", 0, "leaf"),
  info("size", 0, "leaf"),
  info("add", 2, "arithmetic"),
  info("sub", 2, "arithmetic"),
  info("mul", 2, "arithmetic"),
  info("div", 2, "arithmetic"),
  info("min", 2, "arithmetic"),
  info("max", 2, "arithmetic"),
  info("neg", 1, "arithmetic"),
  info("abs", 1, "arithmetic"),
  info("sqrt", 1, "arithmetic"),
  info("sign", 1, "arithmetic"),
  info("flush", 1, "arithmetic"),
  info("gt", 2, "compare"),
  info("ge", 2, "compare"),
  info("eq", 2, "compare"),
  info("where", 3, "select"),
  info("sum", 1, "reduce"),
  info("dot", 2, "reduce"),
  info("fma", 3, "arithmetic"),
  info("maxAbs", 1, "reduce"),
  info("host", 1, "host"),
  info("rowSum", 1, "reduce"),
  info("columnSum", 1, "reduce"),
  info("rows", 0, "leaf"),
  info("columns", 0, "leaf"),
  info("narrow", 1, "arithmetic"),
  info("narrowStochastic", 2, "arithmetic"),
];

export function opInfo(op: OpCode): OpInfo {
  return opTable[op]!;
}

/**
 * The threshold of {@link Op.flush}: 2^-115 = 2.4e-35 in float32, 2^-1000 = 9.3e-302 in float64.
 *
 * It stands above the smallest normal number by so much (2^11, 2^22) that an average which just passes
 * may be multiplied by 1 - b1 and still be normal; and so low that squares of gradients pass down to
 * 2e-16 with b2 = 0.999.
 */
export function flushThreshold(dtype: "float32" | "float64"): number {
  return dtype === "float32" ? 2 ** -115 : 2 ** -1000;
}

/**
 * Rules that count steps flush in every so many of them, because it costs much of what a step that runs
 * at the speed of memory can spare. In between an average that keeps half of itself or more cannot get
 * from the threshold into the subnormal range. The number is odd so that averages that take turns get
 * theirs too. Rules that do not count flush in every step.
 */
export const FLUSH_PERIOD = 7;
