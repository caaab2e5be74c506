/**
 * Kernels run on tensors that begin at any element of a memory, not only where vectors would like it:
 * memory that another library owns is no better aligned than its floats. The bits are those of aligned
 * tensors, and nothing beside the tensors is written.
 */
import { describe, expect, test } from "vitest";
import { BoundPlan } from "../src/backend/bound-plan.ts";
import { lineRunnerOf } from "../src/backend/lines/engine.ts";
import type { DType } from "../src/index.ts";
import { planOf, type Plan } from "../src/ir/plan.ts";
import { programOf } from "../src/ir/program.ts";
import { Trace } from "../src/ir/trace.ts";
import { Arena, wideLimit } from "../src/memory/arena.ts";
import { matrixPlace } from "../src/memory/matrix-place.ts";
import { backends, type BackendKey } from "./helpers/backends.ts";
import { bits } from "./helpers/bits.ts";
import { noise, ruleCases, type RuleCase } from "./helpers/rules.ts";
import { record } from "./helpers/trace.ts";

const SIZE = 1003;
/** The number of the first element: so high that element 0 would lie before the memory begins. */
const FIRST = 100_000;
/** Elements around each tensor: at most so many lie before it. */
const ROOM = 64;
const UNTOUCHED = 12_345;
/** The same elements as rows and columns. */
const matrix = matrixPlace([17, 59], { tensor: FIRST, row: FIRST, column: FIRST })!;
/** Of the two ranges that are run, for rules that want matrices. */
const shapes = [
  [20, 25],
  [251, 2],
] as const;

/** How many elements after a multiple of 64 bytes tensor number i begins. */
const shifts: Readonly<Record<string, (i: number) => number>> = {
  "one element off": () => 1,
  "each one farther": (i) => i + 1,
  "all over the place": (i) => (7 * i + 3) % 16,
};

interface Case {
  readonly plan: Plan;
  readonly uniforms: Float64Array;
}

function caseOf({ rule, options }: RuleCase, fuse: boolean): Case {
  const trace = record(
    new Trace(rule.name, rule.slots, rule.slotRanks),
    rule,
    { ...rule.hyper, ...options },
    { t: 3 },
  );
  return { plan: planOf(programOf(trace, { flush: true }), fuse), uniforms: trace.uniforms };
}

/** The memory around each tensor after the plan has run, counted from the tensor's begin. */
function run(
  { plan, uniforms }: Case,
  backend: BackendKey,
  dtype: DType,
  shift: (i: number) => number,
  wide = false,
): string[] {
  const bytes = dtype === "float32" ? 4 : 8;
  const arena = new Arena(dtype, 0, wide);
  const place = (i: number): number => arena.allocate((SIZE + 2 * ROOM) * bytes) + shift(i) * bytes;
  const { slots } = plan.program;
  const places = slots.map((_, i) => place(i));
  const spare = plan.temporaryRanks.map((_, i) => place(slots.length + i));
  const allocate = (count: number): number => arena.allocate(count);
  places.forEach((at, i) => {
    const next = noise(i + 1);
    arena.view(at - shift(i) * bytes, SIZE + 2 * ROOM).fill(UNTOUCHED);
    // State may be an average of squares.
    arena.view(at, SIZE).forEach((_, k, view) => (view[k] = i < 2 ? next() : next() ** 2));
  });
  const regions = places.map((at) => at - FIRST * bytes);
  const lines = lineRunnerOf(plan);
  if (lines) {
    const unused = [...spare];
    const bound = lines.bind(plan, {
      backend: backends[backend],
      arena,
      places: [matrix],
      allocate,
      temporaries: (count, elements, kind) =>
        kind === "sums"
          ? Array.from({ length: count }, () => allocate(elements * bytes))
          : [unused.shift()!],
    });
    bound.place(regions);
    bound.load(uniforms, 1);
    bound.run(matrix, 1);
  } else {
    const bound = new BoundPlan(plan, backends[backend], arena, spare, SIZE, allocate, {
      shapes,
      scratch: allocate,
      elements: SIZE,
    });
    bound.place(regions);
    bound.load(uniforms, 1);
    bound.runRangeByRange([FIRST, FIRST + 500], 1, 1, shapes[0]);
    bound.runRangeByRange([FIRST + 501, FIRST + SIZE], 1, 1, shapes[1]);
  }
  return places.map((at, i) => {
    const before = arena.view(at - shift(i) * bytes, shift(i));
    const after = arena.view(at + SIZE * bytes, 2 * ROOM - shift(i));
    expect([...before, ...after].every((value) => value === UNTOUCHED)).toBe(true);
    return bits(arena.view(at, SIZE));
  });
}

describe.each(ruleCases)("$title", (ruleCase) => {
  test.each(["float32", "float64"] as const)("%s", (dtype) => {
    for (const fuse of [true, false]) {
      const planned = caseOf(ruleCase, fuse);
      const expected = run(planned, "interp", dtype, () => 0);
      for (const [title, shift] of Object.entries(shifts)) {
        for (const backend of Object.keys(backends) as BackendKey[]) {
          expect(run(planned, backend, dtype, shift), `${backend}, ${title}`).toEqual(expected);
          if (wideLimit() === 0) continue;
          expect(run(planned, backend, dtype, shift, true), `wide ${title}`).toEqual(expected);
        }
      }
    }
  });
});
