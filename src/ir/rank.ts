/**
 * How many numbers a value has, and what becomes of two that meet.
 *
 * A tensor of two dimensions or more is a row of matrices: its last two dimensions are their rows and
 * columns, those before count the matrices. Values of rows, columns and matrices are to be thought of
 * as matrices whose other sides are 1 long, and broadcast as such.
 */

/** One known to the host, one per tensor, per matrix, per row, per column, or per element. */
export type Rank = "number" | "scalar" | "matrix" | "row" | "column" | "tensor";

/** What state can have: one number per element, per row or per column. */
export type SlotRank = "tensor" | "row" | "column";

/** What kernels run over: values that live in memory. */
export type Domain = Exclude<Rank, "number" | "scalar">;

const order: readonly Rank[] = ["number", "scalar", "matrix", "row", "column", "tensor"];

/** The rank of an operation's result; a row's number and a column's make one for an element. */
export function join(ranks: readonly Rank[]): Rank {
  if (ranks.includes("row") && ranks.includes("column")) return "tensor";
  return order[Math.max(...ranks.map((rank) => order.indexOf(rank)))]!;
}

/** Whether the host computes it, between kernels. */
export function isHost(rank: Rank): rank is "number" | "scalar" {
  return rank === "number" || rank === "scalar";
}

/** How messages call a value. */
export function describeRank(rank: Rank): string {
  if (rank === "tensor") return "a tensor";
  return rank === "number" || rank === "scalar" ? "one number" : `one number per ${rank}`;
}
