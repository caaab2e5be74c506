/**
 * How each operation rounds on a GPU, beside the interpreter: what WGSL guarantees on every driver, and
 * what SwiftShader does, which is known to the bit. All bounds of whole steps rest on this.
 *
 * WGSL lets a driver round a sum, a difference or a product to either neighbour, be 2.5 ulps off in a
 * quotient, compute a root as 1 / inverseSqrt(x) and an fma as a product and a sum, and take any
 * subnormal for 0 (https://www.w3.org/TR/WGSL/#floating-point-accuracy).
 */
import { describe, expect, test } from "vitest";
import { Op, opInfo, opTable, type OpCode } from "../../src/ir/op.ts";
import type { KernelIr } from "../../src/ir/plan.ts";
import type { Node } from "../../src/ir/program.ts";
import { noVulkan, onSwiftShader } from "../helpers/find-vulkan.ts";
import { interpret, runOnGpu } from "../helpers/gpu-kernel.ts";
import { sharedDevice } from "../helpers/webgpu.ts";

const LEAST = 2 ** -126;
/** The distance between neighbouring numbers around x. */
const ulp = (x: number): number => 2 ** (Math.floor(Math.log2(Math.max(Math.abs(x), LEAST))) - 23);

/**
 * How far any driver may be from the interpreter, which rounds to nearest: in ulps, where the operands
 * are normal or 0 and so is the result.
 */
const bounds: Readonly<Record<string, number>> = {
  add: 1,
  sub: 1,
  mul: 1,
  div: 3, // 2.5, and half of one that the interpreter's rounding adds
  sqrt: 9, // 2 of the inverse root and 2.5 of the quotient, each twice an ulp of the result at worst
  fma: 1, // and one of the product's
  min: 0,
  max: 0,
  neg: 0,
  abs: 0,
  sign: 0,
  flush: 0,
  gt: 0,
  ge: 0,
  eq: 0,
  where: 0,
  narrow: 0,
  narrowStochastic: 0,
};
const operations = Object.keys(bounds).map((name) => Op[name as keyof typeof Op]);

/** Slot 3 becomes the operation of slots 0, 1 and 2; a comparison gives 1 or 0. */
function kernelOf(op: OpCode): KernelIr {
  const slots = ["a", "b", "c", "out"];
  const leaf = (code: OpCode, index: number, rank: Node["rank"]): Node => ({
    op: code,
    args: [],
    index,
    rank,
    isMask: false,
  });
  const nodes = slots.slice(0, 3).map((_, index) => leaf(Op.load, index, "tensor"));
  const add = (code: OpCode, args: readonly number[]): number =>
    nodes.push({
      op: code,
      args,
      index: 0,
      rank: "tensor",
      isMask: opInfo(code).class === "compare",
    }) - 1;
  nodes.push(leaf(Op.uniform, 0, "number"), leaf(Op.uniform, 1, "number"));
  const args = op === Op.narrowStochastic ? [0, 3] : [0, 1, 2].slice(0, opInfo(op).arity);
  const compares = opInfo(op).class === "compare";
  const result =
    op === Op.where
      ? add(op, [add(Op.gt, [0, 4]), 1, 2])
      : compares
        ? add(Op.where, [add(op, args), 3, 4])
        : add(op, args);
  return { slots, nodes, outputs: [-1, -1, -1, result], uniformCount: 2, reductions: [] };
}
const uniforms = [1, 0];

type Operands = readonly [Float32Array, Float32Array, Float32Array];
const withRoom = (operands: Operands) => [...operands, new Float32Array(operands[0].length)];
const computed = (op: OpCode, operands: Operands): Float32Array =>
  interpret(kernelOf(op), withRoom(operands), uniforms)[3]!;

let state = 1;
function random32(): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
  return (state >>> 16) | (Math.imul(state, 69_069) & 0xffff_0000);
}
const operandsOf = (length: number, next: (i: number, slot: number) => number): Operands =>
  [0, 1, 2].map((slot) => Float32Array.from({ length }, (_, i) => next(i, slot))) as never;

/** Numbers around 1, whose sums cancel: from 2^-8 to 2^8. */
const near = operandsOf(1 << 14, () => (random32() / 2 ** 31) * 2 ** ((random32() & 15) - 8));
/** Any bits at all. */
const any = operandsOf(1 << 14, () => new Float32Array(Int32Array.of(random32()).buffer)[0]!);
const corners = [0, 2 ** -149, 2 ** -127, LEAST, LEAST + 2 ** -149, 2 ** -115, 2 ** -63, 0.5]
  .concat([1 - 2 ** -24, 1, 1 + 2 ** -23, 3, 2 ** 64, 2 ** 126, 2 ** 127, Infinity, NaN])
  .concat(new Float32Array(Int32Array.of(0x7f7f_ffff).buffer)[0]!) // the largest
  .flatMap((x) => [x, -x]);
/** All pairs of corners; the third operand is one of a few. */
const edges = operandsOf(4 * corners.length ** 2, (i, slot) => {
  if (slot === 0) return corners[Math.floor(i / 4 / corners.length)]!;
  return slot === 1
    ? corners[Math.floor(i / 4) % corners.length]!
    : [0, -1, NaN, 2 ** -149][i % 4]!;
});

const isPlain = (x: number): boolean =>
  Number.isFinite(x) && (x === 0 || (Math.abs(x) >= LEAST && Math.abs(x) <= 2 ** 126));
/** Subnormals become 0 of their sign. */
const flushed = (values: Float32Array): Float32Array =>
  values.map((x) => (Math.abs(x) < LEAST ? x / Infinity : x));

/** What SwiftShader computes: subnormals are 0 before and after, and an fma rounds its product. */
function onSwift(op: OpCode, operands: Operands): Float32Array {
  const [a, b, c] = operands.map(flushed) as never as Operands;
  if (op === Op.fma) {
    const product = flushed(computed(Op.mul, [a, b, c]));
    return flushed(computed(Op.add, [product, c, c]));
  }
  // These pass bits on.
  if (op === Op.abs || op === Op.narrow || op === Op.narrowStochastic)
    return computed(op, operands);
  if (op === Op.where) return computed(op, [a, operands[1], operands[2]]);
  return flushed(computed(op, [a, b, c]));
}

/** Whether a result is as it must be; which of two zeros is the smaller is left open. */
function isKnown(op: OpCode, found: number, expected: number): boolean {
  if (Object.is(found, expected)) return true;
  // Too small before it is rounded, the smallest normal number after: it is flushed as well.
  if (Math.abs(expected) === LEAST && found === 0) return true;
  return (op === Op.min || op === Op.max) && found === 0 && expected === 0;
}

test("all operations on elements are here", () => {
  const onElements = opTable.filter(({ class: cls }) => /arithmetic|compare|select/.test(cls));
  expect(Object.keys(bounds).toSorted()).toEqual(onElements.map((info) => info.name).toSorted());
});

describe.skipIf(noVulkan)("WebGPU", () => {
  const onGpu = async (op: OpCode, operands: Operands, tail = false): Promise<Float32Array> =>
    (await runOnGpu(await sharedDevice(), kernelOf(op), withRoom(operands), uniforms, tail))[3]!;

  describe.each(operations.map((op) => [opInfo(op).name, op] as const))("%s", (name, op) => {
    test.each([
      ["near 1", near],
      ["anywhere", any],
    ] as const)("is within WGSL's bound, %s", async (_, operands) => {
      const found = await onGpu(op, operands);
      const expected = computed(op, operands);
      let compared = 0;
      let worst = 0;
      for (let i = 0; i < found.length; i++) {
        const [a, b, c] = operands.map((values) => values[i]!) as [number, number, number];
        if (![a, b, c, expected[i]!].every(isPlain)) continue;
        if (op === Op.fma && !isPlain(Math.fround(a * b))) continue;
        compared++;
        const allowed = op === Op.fma ? ulp(a * b) + ulp(expected[i]!) : ulp(expected[i]!);
        worst = Math.max(worst, Math.abs(found[i]! - expected[i]!) / allowed);
      }
      expect(compared).toBeGreaterThan(found.length / 4);
      expect(worst).toBeLessThanOrEqual(bounds[name]!);
    });

    test.runIf(onSwiftShader).each([
      ["near 1", near, false],
      ["anywhere", any, false],
      ["at the edges", edges, false],
      ["at the edges, one by one", edges, true],
    ] as const)("is known to the bit on SwiftShader, %s", async (_, operands, tail) => {
      const found = await onGpu(op, operands, tail);
      const expected = onSwift(op, operands);
      const wrong: string[] = [];
      for (let i = 0; i < found.length; i++) {
        if (isKnown(op, found[i]!, expected[i]!)) continue;
        const [a, b, c] = operands.map((values) => values[i]!) as [number, number, number];
        wrong.push(`${name} of ${a}, ${b}, ${c}: ${found[i]} instead of ${expected[i]}`);
      }
      expect(wrong.slice(0, 10)).toEqual([]);
    });
  });
});
