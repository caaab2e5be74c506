/**
 * How dispatches over tensors fall into work items, one for each workgroup.
 *
 * A list is one buffer of vec4u. First comes a header: where the items begin, how many they are, number of
 * segments; and how many numbers a temporary of rows, columns and matrices has. Then four vectors for each
 * segment, the items, and what updates are multiplied by. In a shader the four of a segment are called
 *
 *     size    elements, rows, columns, matrices
 *     start   where it begins in the tensors, rows, columns and matrices that are bound
 *     extra   its batch, its first item, how many it has, where its part of scratch memory begins
 *     more    its parameter group, where its factors begin, how many they are
 *
 * Items follow from sizes and shapes alone, so that sums have the same bits in every step.
 */
import type { Domain } from "../../../ir/rank.ts";
import type { Segments } from "./segments.ts";
import { WORKGROUP } from "../lower.ts";
import type { Binding } from "./shader.ts";

/** A segment's number, and three more whose meaning is up to the list. */
export type Item = readonly [segment: number, a: number, b: number, c: number];

/** Vectors before the segments, and for each of them. */
const HEADER = 2;
const PER_SEGMENT = 4;

/** What items are: parts of tensors, lines of a domain, or blocks of columns and the sums of these. */
export type WorkKind = "flat" | Domain | "blocks" | "finish";

export interface WorkList {
  /** Number of items. */
  readonly count: number;
  /** What the buffer holds. */
  readonly words: Uint32Array<ArrayBuffer>;
  /** How many numbers each sum of columns has in scratch memory. */
  readonly scratch: number;
}

export const workBinding: Binding = { name: "work", type: "vec4u", kind: "read" };

/** WGSL that reads what a list says of segment `s`, see {@link workList}. */
export const segmentCode = (s: string): string[] =>
  ["size", "start", "extra", "more"].map(
    (name, i) => `let ${name} = work[${HEADER + i}u + ${s} * ${PER_SEGMENT}u];`,
  );

const smallRanks = ["row", "column", "matrix"] as const;

/** WGSL of how many numbers a temporary of a rank has. */
export const extentCode = (rank: (typeof smallRanks)[number]): string =>
  `work[1].${"xyz"[smallRanks.indexOf(rank)]}`;

/** WGSL that finds the item of the workgroup at hand and its segment, and leaves where there is none. */
export const itemCode: readonly string[] = [
  "let index = group.y * groups.x + group.x;",
  "if (index >= work[0].y) { return; }",
  "let item = work[work[0].x + index];",
  ...segmentCode("item.x"),
];

/** WGSL of what updates of an element are multiplied by; factors repeat from row to row. */
export const factorCode = `
fn factorOf(more: vec4u, element: u32) -> f32 {
  let at = more.y + element % more.z;
  return bitcast<f32>(work[at / 4u][at % 4u]);
}`;

/**
 * @param items in the order of the segments.
 * @param scratch per segment where its part of scratch memory begins, and where all of it ends.
 */
function workList(
  segments: Segments,
  items: readonly Item[],
  scratch: readonly number[] = [],
): WorkList {
  const { tensors, starts } = segments;
  const firstItem = HEADER + PER_SEGMENT * tensors.length;
  const firstFactor = 4 * (firstItem + items.length);
  const factors: number[] = [];
  let item = 0;
  const infos = tensors.flatMap((each, s) => {
    const { begin, end, place, factors: own = [] } = each;
    const { rows = 0, columns = 0, sizes } = place ?? {};
    const { tensor, row, column, matrix } = starts[s]!;
    const itemsBefore = item;
    while (items[item]?.[0] === s) item++;
    const at = firstFactor + factors.length;
    for (const factor of own) factors.push(factor);
    const size = [end - begin, rows, columns, sizes?.matrix ?? 0];
    const start = [tensor, row, column, matrix];
    const extra = [each.segment, itemsBefore, item - itemsBefore, scratch[s] ?? 0];
    return [...size, ...start, ...extra, each.group, at, own.length, 0];
  });
  const words = new Uint32Array(Math.ceil((firstFactor + factors.length) / 4) * 4);
  const extents = smallRanks.map((rank) => segments.extent(rank));
  words.set([firstItem, items.length, tensors.length, 0, ...extents, 0, ...infos]);
  items.forEach((each, i) => words.set(each, 4 * (firstItem + i)));
  new Float32Array(words.buffer).set(factors, firstFactor);
  return { count: items.length, words, scratch: scratch.at(-1) ?? 0 };
}

/** A workgroup should have so many elements at least, and a segment so many workgroups at most. */
const LEAST_ELEMENTS = 4096;
const MOST_ITEMS = 1024;

const elementsPerItem = (size: number) => Math.max(LEAST_ELEMENTS, Math.ceil(size / MOST_ITEMS));

/** Items (segment, begin, end, 0): elements from the start of what is bound; begins are multiples of 4. */
export function flatList(segments: Segments): WorkList {
  const items = segments.tensors.flatMap(({ begin, end }, s) => {
    const start = segments.starts[s]!.tensor;
    const turn = 4 * WORKGROUP;
    const step = Math.ceil(elementsPerItem(end - begin) / turn) * turn;
    return cut(end - begin, step).map(([from, to]): Item => [s, start + from, start + to, 0]);
  });
  return workList(segments, items);
}

/** How many lines a tensor has for kernels over a domain, and how long they are. */
function linesOf({ tensors }: Segments, s: number, domain: Domain): [number, number] {
  const { place } = tensors[s]!;
  if (!place) return [0, 0];
  const { matrix } = place.sizes;
  if (domain === "tensor") return [matrix * place.rows, place.columns];
  if (domain === "matrix") return [1, matrix];
  return [matrix, domain === "row" ? place.rows : place.columns];
}

/** From this length on a whole workgroup goes along one line. */
const LONG_LINE = 32 * WORKGROUP;

/** Items (segment, first line, end, log2 of the threads that share a line). */
export function linesList(segments: Segments, domain: Domain): WorkList {
  const items = segments.tensors.flatMap((_, s) => {
    const [lines, width] = linesOf(segments, s, domain);
    const shared = width >= LONG_LINE ? 8 : Math.min(6, log2Below(width / 4));
    const atOnce = WORKGROUP >> shared;
    const step = Math.ceil(elementsPerItem(lines * width) / width / atOnce) * atOnce;
    return cut(lines, step).map(([from, to]): Item => [s, from, to, shared]);
  });
  return workList(segments, items);
}

/** Lists for sums of columns: of blocks of rows, and over the blocks. */
export interface ColumnLists {
  /** Items (segment, first column over all matrices, first row, 16 · rows of a block + log2 of the columns). */
  readonly blocks: WorkList;
  /** Items (segment, first column, end, number of blocks). */
  readonly finish: WorkList;
}

/** A block has so many rows at least, if there are as many. */
const LEAST_ROWS = 128;

export function columnLists(segments: Segments): ColumnLists {
  const blocks: Item[] = [];
  const finish: Item[] = [];
  const scratch = [0];
  segments.tensors.forEach(({ place }, s) => {
    scratch.push(scratch[s]!);
    if (!place) return;
    const { rows, sizes } = place;
    // Wide enough to read whole lines of a cache, with threads left for the rows.
    const wide = rows < 8 ? 8 : Math.min(5, log2Below(2 * sizes.column - 1));
    const tiles = cut(sizes.column, 1 << wide);
    const height = Math.max(LEAST_ROWS, Math.ceil((rows * tiles.length) / MOST_ITEMS));
    const parts = cut(rows, height);
    for (const [column] of tiles) {
      for (const [row] of parts) blocks.push([s, column, row, height * 16 + wide]);
    }
    for (const [from, to] of cut(sizes.column, WORKGROUP)) finish.push([s, from, to, parts.length]);
    scratch[s + 1]! += sizes.column * parts.length;
  });
  const list = (items: readonly Item[]) => workList(segments, items, scratch);
  return { blocks: list(blocks), finish: list(finish) };
}

/** Begin and end of pieces of a length. */
function cut(length: number, step: number): [number, number][] {
  return Array.from({ length: Math.ceil(length / step) }, (_, i) => [
    i * step,
    Math.min(length, (i + 1) * step),
  ]);
}

/** The largest n with 2^n ≤ x, at least 0. */
function log2Below(x: number): number {
  return Math.floor(Math.log2(Math.max(1, x)));
}
