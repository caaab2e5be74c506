/** What runs in plans that go tensor by tensor: work items cover everything once, and shaders as text. */
import { describe, expect, test } from "vitest";
import { flatShader } from "../../src/backend/webgpu/tensor/flat.ts";
import { scalarsShader } from "../../src/backend/webgpu/tensor/scalars.ts";
import { Segments, segmentsOf, type Tensor } from "../../src/backend/webgpu/tensor/segments.ts";
import {
  columnLists,
  flatList,
  linesList,
  type WorkList,
} from "../../src/backend/webgpu/tensor/work-list.ts";
import { matrixPlace } from "../../src/memory/matrix-place.ts";
import { norm, rule, type Rule } from "../../src/index.ts";
import { planFor } from "../helpers/trace.ts";

const shapes = [
  [3],
  [1_000_003],
  [],
  [5, 7],
  [100_000, 3],
  [3, 100_000],
  [20_000, 700],
  [900, 3, 3],
];

function tensorsOf(all: readonly (readonly number[])[]): Tensor[] {
  let [begin, row, column] = [128, 0, 0];
  return all.map((shape) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const place = matrixPlace(shape, { tensor: begin, row, column });
    const tensor = { segment: 1, group: 0, begin, end: begin + size, place };
    begin += Math.ceil(size / 64) * 64;
    row += place?.sizes.row ?? 0;
    column += place?.sizes.column ?? 0;
    return tensor;
  });
}

const tensors = tensorsOf(shapes);
const segments = new Segments(tensors);

function itemsOf({ words, count }: WorkList): number[][] {
  const [first] = words;
  return Array.from({ length: count }, (_, i) => {
    return [...words.subarray(4 * (first! + i), 4 * (first! + i + 1))];
  });
}

/** Sums up what items of a segment cover, which must be one after another. */
function covered(list: WorkList, s: number): [begin: number, end: number, items: number] | null {
  const own = itemsOf(list).filter(([segment]) => segment === s);
  if (own.length === 0) return null;
  own.slice(1).forEach(([, begin], i) => expect(begin).toBe(own[i]![2]));
  return [own[0]![1]!, own.at(-1)![2]!, own.length];
}

describe("work items", () => {
  test("cover the elements of each tensor", () => {
    const list = flatList(segments);
    tensors.forEach(({ begin, end }, s) => {
      const [from, to, items] = covered(list, s)!;
      expect([from, to]).toEqual([begin - 128, end - 128]);
      expect(items).toBeLessThanOrEqual(1024);
    });
    expect(itemsOf(list).every(([, begin]) => begin! % 4 === 0)).toBe(true);
  });

  test.each(["tensor", "row", "column", "matrix"] as const)("cover the lines of a %s", (domain) => {
    const list = linesList(segments, domain);
    tensors.forEach(({ place }, s) => {
      const found = covered(list, s);
      if (!place) return expect(found).toBeNull();
      const { row, matrix } = place.sizes;
      const lines = { tensor: row, row: matrix, column: matrix, matrix: 1 }[domain];
      expect(found!.slice(0, 2)).toEqual([0, lines]);
      expect(found![2]).toBeLessThanOrEqual(1024);
    });
  });

  test("cover the columns in blocks of rows, each with scratch memory of its own", () => {
    const { blocks, finish } = columnLists(segments);
    const seen = new Set<number>();
    tensors.forEach(({ place }, s) => {
      const own = itemsOf(blocks).filter(([segment]) => segment === s);
      if (!place) return expect(own).toEqual([]);
      const { column } = place.sizes;
      expect(own.length).toBeLessThanOrEqual(2048);
      const [, , , parts] = itemsOf(finish).find(([segment]) => segment === s)!;
      expect(covered(finish, s)!.slice(0, 2)).toEqual([0, column]);
      const start = blocks.words[4 * (2 + 4 * s) + 11]!;
      for (const [, first, row, packed] of own) {
        const [height, wide] = [packed! >> 4, 1 << (packed! & 15)];
        expect(row! / height).toBeLessThan(parts!);
        for (let c = first!; c < Math.min(column, first! + wide); c++) {
          seen.add(start + (row! / height) * column + c);
        }
      }
      expect(parts! * (own[0]![3]! >> 4)).toBeGreaterThanOrEqual(place.rows);
    });
    expect(seen.size).toBe(blocks.scratch);
    expect([...seen].every((at) => at < blocks.scratch)).toBe(true);
  });

  test("come in sets that can be bound, in order and without those that are empty", () => {
    const all = tensorsOf([[100], [0, 4], [60], [400], [7]]);
    const begins = (sets: Segments[]) => sets.map(({ tensors: set }) => set.map((t) => t.begin));
    expect(begins(segmentsOf(all, 2048, false))).toEqual([[128, 256], [320], [768]]);
    expect(begins(segmentsOf(all, 1e6, false))).toEqual([[128, 256, 320, 768]]);
    expect(begins(segmentsOf(all, 1e6, true))).toEqual([[128], [256], [320], [768]]);
  });
});

describe("shaders", () => {
  const made = rule({
    name: "Unit",
    hyper: { lr: 0.1 },
    step: ({ p, g }, { lr }) => ({ p: p.sub(g.mul(lr).div(norm(g))) }),
  }) as unknown as Rule;
  const plan = planFor(made, {}, true);
  const on = {
    buffers: [0, 1],
    smalls: [null, null],
    factors: -1,
    gradient: -1,
    controlled: false,
  };

  test("of a reduction", () => {
    const { code } = flatShader({ ...on, kernel: plan.stages[0]!.kernel }, 4);
    expect(code).toMatchInlineSnapshot(`
      "@group(0) @binding(0) var<storage, read> work: array<vec4u>;
      @group(0) @binding(1) var<storage, read_write> numbers: array<f32>;
      @group(0) @binding(2) var<storage, read> s0: array<vec4f>;

      var<workgroup> totals: array<f32, 256>;
      fn total(thread: u32, share: u32, value: f32) -> f32 {
        totals[thread] = value;
        for (var half = share / 2u; half > 0u; half /= 2u) {
          workgroupBarrier();
          if (thread % share < half) { totals[thread] = totals[thread] + totals[thread + half]; }
        }
        workgroupBarrier();
        let result = totals[thread - thread % share];
        workgroupBarrier();
        return result;
      }

      @compute @workgroup_size(256)
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
        let index = group.y * groups.x + group.x;
        if (index >= work[0].y) { return; }
        let item = work[work[0].x + index];
        let size = work[2u + item.x * 4u];
        let start = work[3u + item.x * 4u];
        let extra = work[4u + item.x * 4u];
        let more = work[5u + item.x * 4u];
        var partial0 = vec4f();
        for (var i = item.y / 4u + thread; i < (item.z + 3u) / 4u; i += 256u) {
          let v0 = s0[i];
          let keep = vec4u(4u * i) + vec4u(0, 1, 2, 3) < vec4u(item.z);
          partial0 = partial0 + select(vec4f(), v0 * v0, keep);
        }
        let result0 = total(thread, 256u, (partial0.x + partial0.y) + (partial0.z + partial0.w));
        if (thread == 0u) {
          let at = work[0].z * 0u + index * 1u;
          numbers[at + 0u] = result0;
        }
      }
      "
    `);
  });

  test("of the scalars after it", () => {
    expect(scalarsShader(plan, 0)).toBeNull();
    expect(scalarsShader(plan, 1)!.code).toMatchInlineSnapshot(`
      "@group(0) @binding(0) var<storage, read> work: array<vec4u>;
      @group(0) @binding(1) var<storage, read> trace: array<f32>;
      @group(0) @binding(2) var<storage, read_write> numbers: array<f32>;
      @group(0) @binding(3) var<storage, read_write> before: array<f32>;

      var<workgroup> totals: array<f32, 64>;
      fn total(thread: u32, share: u32, value: f32) -> f32 {
        totals[thread] = value;
        for (var half = share / 2u; half > 0u; half /= 2u) {
          workgroupBarrier();
          if (thread % share < half) { totals[thread] = totals[thread] + totals[thread + half]; }
        }
        workgroupBarrier();
        let result = totals[thread - thread % share];
        workgroupBarrier();
        return result;
      }

      @compute @workgroup_size(64)
      fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
        let segment = group.y * groups.x + group.x;
        if (segment >= work[0].z) { return; }
        let size = work[2u + segment * 4u];
        let start = work[3u + segment * 4u];
        let extra = work[4u + segment * 4u];
        let more = work[5u + segment * 4u];
        var partial0 = f32();
        for (var i = extra.y + thread; i < extra.y + extra.z; i += 64u) {
          partial0 = partial0 + before[work[0].z * 0u + i * 1u + 0u];
        }
        let sum0 = total(thread, 64u, partial0);
        if (thread == 0u) {
          let v4 = sum0;
          let v5 = sqrt(v4);
          numbers[segment * 2u + 0u] = trace[extra.x * 1u + 0u];
          numbers[segment * 2u + 1u] = v5;
        }
      }
      "
    `);
  });
});
