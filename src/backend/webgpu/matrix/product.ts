/**
 * WGSL of the products of matrices that a Newton-Schulz iteration consists of, C = Lᵀ·R and what is done
 * with it at once; and of a copy.
 *
 * A workgroup makes a square tile of C. It brings strips of L and R, so many rows deep, into its own memory,
 * and each thread adds up a small square of C from there. Elements are sums from row 0 on, one fused
 * multiplication and addition after another: the size of the tiles makes no difference to the bits.
 *
 * What a dispatch does is said by a job, vectors of four numbers: the rows and columns of C, those that are
 * added up, and the tiles side by side; the numbers from one row of either operand to the next, and which
 * of the step's numbers are meant; then for each matrix, a layer of workgroups, where L, R and C begin.
 */
import { builtins } from "../lower.ts";
import type { BindingKind } from "../gpu.ts";

/** Of jobs, the step's numbers, L, R and C. */
export const kinds: readonly BindingKind[] = ["dynamic", "dynamic", "read", "read", "write"];

/** Vectors of a job before those of the matrices. */
export const JOB_HEADER = 2;

/** Whether the rows that are added up over are rows of the memory (`down`), or its columns. */
type Lie = "down" | "along";

export interface Product {
  readonly left: Lie;
  readonly right: Lie;
  /**
   * What becomes of the sums: C itself, which is symmetric, so half of it is computed; b·L + c·C, which is
   * as well; or a·L + C, or a·R + C, with the operand as it lies in memory.
   */
  readonly result: "gram" | "square" | "applyLeft" | "applyRight";
}

/** A tile's rows and columns, and those of a thread's part of it. */
export interface Tile {
  readonly size: number;
  readonly own: 2 | 4;
}

export const smallTile: Tile = { size: 16, own: 2 };
export const largeTile: Tile = { size: 64, own: 4 };

/** Rows of L and R that are at hand at once. */
const DEPTH = 16;
const COPY_THREADS = 256;

/** Workgroups that cover a C. */
export function tilesOf({ size }: Tile, rows: number, columns: number): number {
  return Math.ceil(rows / size) * Math.ceil(columns / size);
}

const declarations = `
@group(0) @binding(0) var<storage, read> job: array<vec4u>;
@group(0) @binding(1) var<storage, read> numbers: array<f32>;
@group(0) @binding(2) var<storage, read> left: array<f32>;
@group(0) @binding(3) var<storage, read> right: array<f32>;
@group(0) @binding(4) var<storage, read_write> result: array<f32>;
`;

const components = ["x", "y", "z", "w"];

export function productCode(product: Product, tile: Tile): string {
  const { size, own } = tile;
  const { across, stride, threads } = stripOf(tile);
  const vector = `vec${own}f`;
  const parts = components.slice(0, own);
  const rows = [...parts.keys()];
  const puts = rows.flatMap((i) =>
    parts.map((part, j) => put(product, `row + ${i}u`, `column + ${j}u`, `sum${i}.${part}`)),
  );
  const isDone = `top >= size.x${isSymmetric(product) ? " || edge < top" : ""}`;
  return `${declarations}${bringCode("left", product.left, tile)}${bringCode("right", product.right, tile)}
@compute @workgroup_size(${threads})
fn main(${builtins}) {
  let size = job[0];
  let more = job[1];
  let place = job[${JOB_HEADER}u + group.z];
  let tile = group.y * groups.x + group.x;
  let top = tile / size.w * ${size}u;
  let edge = tile % size.w * ${size}u;
  if (${isDone}) { return; }
  let down = thread / ${across}u;
  let across = thread % ${across}u;
${rows.map((i) => `  var sum${i} = ${vector}();`).join("\n")}
  for (var k = 0u; k < size.z; k += ${DEPTH}u) {
    leftStrip(thread, place.x, more.x, k, size.z, top);
    rightStrip(thread, place.y, more.y, k, size.z, edge);
    workgroupBarrier();
    for (var d = 0u; d < ${DEPTH * stride}u; d += ${stride}u) {
      let l = lefts[d + down];
      let r = rights[d + across];
${rows.map((i) => `      sum${i} = fma(${vector}(l.${parts[i]!}), r, sum${i});`).join("\n")}
    }
    workgroupBarrier();
  }
  let row = top + down * ${own}u;
  let column = edge + across * ${own}u;
${puts.map((line) => `  ${line}`).join("\n")}
}
`;
}

const isSymmetric = ({ result }: Product): boolean => result === "gram" || result === "square";

/** Vectors side by side in a strip; with one more, its rows begin in different banks of the memory. */
function stripOf({ size, own }: Tile) {
  const across = size / own;
  return { across, stride: across + 1, threads: across * across };
}

/**
 * Brings a strip of an operand into the workgroup's memory, a vector at a time; below its last row are zeros.
 * Right of its last column is whatever follows, which goes into elements that are not put anywhere.
 * Neighbouring threads read neighbouring elements.
 */
function bringCode(name: "left" | "right", lie: Lie, tile: Tile): string {
  const { own } = tile;
  const { across, stride, threads } = stripOf(tile);
  const isDown = lie === "down";
  const reads = Array.from({ length: own }, (_, e) => {
    const at = isDown ? `(k + d) * row + i + ${e}u` : `(i + ${e}u) * row + k + d`;
    return `${name}[begin + ${at}]`;
  });
  return `
var<workgroup> ${name}s: array<vec${own}f, ${DEPTH * stride}>;
fn ${name}Strip(thread: u32, begin: u32, row: u32, k: u32, depth: u32, first: u32) {
  for (var v = thread; v < ${DEPTH * across}u; v += ${threads}u) {
    let d = v ${isDown ? `/ ${across}u` : `% ${DEPTH}u`};
    let at = v ${isDown ? `% ${across}u` : `/ ${DEPTH}u`};
    let i = first + at * ${own}u;
    var part = vec${own}f();
    if (k + d < depth) { part = vec${own}f(${reads.join(", ")}); }
    ${name}s[d * ${stride}u + at] = part;
  }
}
`;
}

/** Puts an element where it belongs, in a symmetric matrix on both sides of the diagonal. */
function put(product: Product, row: string, column: string, sum: string): string {
  const left = `left[place.x + (${row}) * more.x + ${column}]`;
  const right = `right[place.y + (${row}) * more.y + ${column}]`;
  const value = {
    gram: sum,
    square: `fma(numbers[more.w], ${sum}, numbers[more.z] * ${left})`,
    applyLeft: `fma(numbers[more.z], ${left}, ${sum})`,
    applyRight: `fma(numbers[more.z], ${right}, ${sum})`,
  }[product.result];
  const at = (i: string, j: string) => `result[place.z + (${i}) * size.y + ${j}]`;
  const mirror = isSymmetric(product) ? ` if (edge > top) { ${at(column, row)} = value; }` : "";
  return `if (${row} < size.x && ${column} < size.y) { let value = ${value}; ${at(row, column)} = value;${mirror} }`;
}

/** Workgroups that copy a matrix of so many elements. */
export const copyTiles = (elements: number): number => Math.ceil(elements / COPY_THREADS);

/** Copies L to C; of the header its jobs have the number of elements alone. */
export const copyCode = `${declarations}
@compute @workgroup_size(${COPY_THREADS})
fn main(${builtins}) {
  let place = job[${JOB_HEADER}u + group.z];
  let i = (group.y * groups.x + group.x) * ${COPY_THREADS}u + thread;
  if (i < job[0].x) { result[place.z + i] = left[place.x + i]; }
}
`;
