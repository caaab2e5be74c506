/**
 * Runs one traced operation over lists of tensors, in place.
 *
 * Tensors that lie in an arena at the same distances from one another, as the data and the gradients
 * of an optimizer's parameters do, run as ranges of one kernel. Tensors anywhere else are copied
 * through a small arena, one by one and block by block.
 */
import { BoundPlan } from "../backend/bound-plan.ts";
import { selectBackend } from "../backend/select.ts";
import type { Plan } from "../ir/plan.ts";
import { PlanCache } from "../ir/plan-cache.ts";
import type { Scalar, Tensor } from "../ir/expr.ts";
import { Trace } from "../ir/trace.ts";
import { Arena } from "../memory/arena.ts";
import { bytesOf, dtypeOf, type DType, type TypedArray } from "../memory/dtype.ts";
import { readLists, readNumbers, type Place, type TensorList } from "./lists.ts";

/** An operation as a rule has it: the target, up to two other tensors, one number. */
export interface Operation {
  /** The function's name, for messages. */
  readonly name: string;
  readonly result: (p: Tensor, g: Tensor, h: Tensor, x: number) => Tensor;
}

/** A sum over the elements of a tensor. */
export interface Summation {
  readonly name: string;
  readonly sum: (p: Tensor) => Scalar;
}

/** One kernel over tensors side by side in an arena, or over one set of tensors outside. */
interface Job {
  readonly bound: BoundPlan;
  readonly uniforms: Float64Array;
  /** One tensor of each list: the first of several, if there are ranges. */
  readonly places: readonly Place[];
  /** Begin and end of each tensor, in elements from the first one. */
  readonly ranges: readonly number[] | null;
}

const SLOTS = ["p", "g", "h"];
/** Elements that go through the small arena at a time: a whole number of blocks of a reduction. */
const BLOCK = 1 << 16;

const traces = new Map<
  Operation | Summation,
  { readonly trace: Trace; readonly plans: PlanCache }
>();
const boundPlans = new WeakMap<Arena, Map<Plan, BoundPlan>>();
const scratches = new Map<DType, Arena>();

/** Runs `operation` on each target, with one number for all or one for each. */
export function run(
  operation: Operation,
  targets: TensorList,
  others: readonly TensorList[],
  x: number | readonly number[] = 0,
): void {
  const lists = readLists(operation.name, [targets, ...others]);
  const numbers = readNumbers(operation.name, x, targets.length);
  const jobs: Job[] = [];
  if (typeof numbers === "number") prepare(operation, lists, 0, targets.length, numbers, jobs);
  else numbers.forEach((number, i) => prepare(operation, lists, i, i + 1, number, jobs));
  for (const { bound, uniforms, places, ranges } of jobs) {
    bound.load(uniforms, 0);
    if (!ranges) runOutside(bound, places);
    else {
      bound.place(places.map(({ byteOffset }) => byteOffset));
      bound.runRangeByRange(ranges, ranges.length / 2);
    }
  }
}

/** Reduces each tensor to a number. */
export function sumOver(operation: Summation, tensors: TensorList): number[] {
  const [places] = readLists(operation.name, [tensors]);
  const { plan } = planFor(operation, 0);
  return places!.map((place) => {
    const { arena, byteOffset, length } = place;
    const bound = boundTo(plan, arena ?? scratch(dtypeOf(place.view)!));
    let total = 0;
    const add = (count: number): void => {
      bound.runRangeByRange([0, count], 1);
      total += bound.scalars[plan.program.results[0]!]!;
    };
    bound.place([arena ? byteOffset : 0]);
    if (arena) add(length);
    else inBlocks([place.view], add);
    return total;
  });
}

/** The tensors themselves, checked. */
export function readTensors(name: string, tensors: TensorList): TypedArray[] {
  return readLists(name, [tensors])[0]!.map(({ view }) => view);
}

/** Finds out how to run the tensors `from` to `to` (exclusive) with the number `x`. */
function prepare(
  operation: Operation,
  lists: readonly Place[][],
  from: number,
  to: number,
  x: number,
  jobs: Job[],
): void {
  const { plan, uniforms } = planFor(operation, x);
  let at = from;
  while (at < to) {
    const places = lists.map((list) => list[at]!);
    const { arena, view } = places[0]!;
    if (arena && places.every((place) => place.arena === arena)) {
      const ranges: number[] = [];
      while (at < to && addRange(ranges, lists, places, at)) at++;
      jobs.push({ bound: boundTo(plan, arena), uniforms, places, ranges });
    } else {
      jobs.push({ bound: boundTo(plan, scratch(dtypeOf(view)!)), uniforms, places, ranges: null });
      at++;
    }
  }
}

/** Adds the tensors at `at` to the ranges if they lie at equal distances from `first`. */
function addRange(
  ranges: number[],
  lists: readonly Place[][],
  first: readonly Place[],
  at: number,
): boolean {
  const { byteOffset, length, view } = lists[0]![at]!;
  const distance = byteOffset - first[0]!.byteOffset;
  const parallel = lists.every((list, k) => {
    const place = list[at]!;
    return place.arena === first[0]!.arena && place.byteOffset - first[k]!.byteOffset === distance;
  });
  if (!parallel) return false;
  const begin = distance / view.BYTES_PER_ELEMENT;
  if (ranges.at(-1) === begin) ranges[ranges.length - 1] = begin + length;
  else ranges.push(begin, begin + length);
  return true;
}

function runOutside(bound: BoundPlan, places: readonly Place[]): void {
  const views = places.map(({ arena, view, byteOffset, length }) =>
    arena ? arena.view(byteOffset, length) : view,
  );
  const dtype = dtypeOf(views[0])!;
  bound.place(views.map((_, k) => k * BLOCK * bytesOf(dtype)));
  inBlocks(views, (count, from) => {
    bound.runRangeByRange([0, count], 1);
    views[0]!.set(scratch(dtype).view(0, count), from);
  });
}

/** Copies tensors of one length into the small arena, a block at a time. */
function inBlocks(
  views: readonly TypedArray[],
  visit: (count: number, from: number) => void,
): void {
  const dtype = dtypeOf(views[0])!;
  const { length } = views[0]!;
  for (let from = 0; from < length; from += BLOCK) {
    const count = Math.min(BLOCK, length - from);
    views.forEach((view, k) => {
      const room = scratch(dtype).view(k * BLOCK * bytesOf(dtype), count);
      room.set(view.subarray(from, from + count));
    });
    visit(count, from);
  }
}

/** Traces an operation; finds its plan among those made before. */
function planFor(
  operation: Operation | Summation,
  x: number,
): { plan: Plan; uniforms: Float64Array } {
  let entry = traces.get(operation);
  if (!entry) {
    const trace = new Trace(`foreach.${operation.name}`, SLOTS);
    entry = { trace, plans: new PlanCache({ flush: false, fuse: true }) };
    traces.set(operation, entry);
  }
  const { trace, plans } = entry;
  trace.begin(0);
  const [p, g, h] = [trace.slot(0), trace.slot(1), trace.slot(2)];
  if ("sum" in operation) trace.finish({ p, h }, false, operation.sum(p));
  else trace.finish({ p: operation.result(p, g, h, x), h });
  const uniforms = trace.uniforms.slice(0, trace.uniformCount);
  const { usual: plan } = plans.find(trace) ?? plans.make(trace);
  return { plan, uniforms };
}

function boundTo(plan: Plan, arena: Arena): BoundPlan {
  let plans = boundPlans.get(arena);
  if (!plans) boundPlans.set(arena, (plans = new Map()));
  let bound = plans.get(plan);
  if (!bound) {
    // Each operation is one kernel, so there are no temporaries; and it runs on one thread.
    plans.set(plan, (bound = new BoundPlan(plan, selectBackend("auto"), arena, [], 0)));
  }
  return bound;
}

function scratch(dtype: DType): Arena {
  let arena = scratches.get(dtype);
  if (!arena) {
    const bytes = SLOTS.length * BLOCK * bytesOf(dtype);
    arena = new Arena(dtype, bytes);
    arena.allocate(bytes);
    scratches.set(dtype, arena);
  }
  return arena;
}
