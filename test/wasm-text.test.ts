/**
 * The assembler writes what the text says: a kernel's text, assembled by another assembler, gives the
 * same bytes, for every rule with and without SIMD, shared memory and addresses of 64 bits, and for
 * random kernels. The other assembler validates them too, also where this engine knows no memory64.
 */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import wabt from "wabt";
import { assemble } from "../src/backend/wasm/assemble.ts";
import { lowerIteration } from "../src/backend/matrix/iteration.ts";
import { lowerLines } from "../src/backend/lines/lower.ts";
import { lowerProduct } from "../src/backend/matrix/lower.ts";
import type { WasmFunction } from "../src/backend/wasm/instructions.ts";
import { lower } from "../src/backend/wasm/lower.ts";
import { wasmText } from "../src/backend/wasm/text.ts";
import { Op, opTable, type OpCode } from "../src/ir/op.ts";
import type { KernelIr } from "../src/ir/plan.ts";
import type { Node } from "../src/ir/program.ts";
import type { DType } from "../src/index.ts";
import { withStorage } from "../src/optim/state-storage.ts";
import { wideLimit } from "../src/memory/arena.ts";
import { ruleCases } from "./helpers/rules.ts";
import { planFor } from "./helpers/trace.ts";

let other: Awaited<ReturnType<typeof wabt>>;
beforeAll(async () => {
  other = await wabt();
});

function assembledByWabt(text: string): Uint8Array {
  const features = { simd: true, threads: true, memory64: true };
  const module = other.parseWat("kernel.wat", text, features);
  // Its types know no features here, without which it would refuse.
  (module as { validate(features?: object): void }).validate(features);
  const { buffer } = module.toBinary({ write_debug_names: false });
  module.destroy();
  return buffer;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** Whether this engine knows addresses of 64 bits; where it does not, wabt alone validates. */
const knowsWide = wideLimit() > 0;

/** Both assemblers on both types (but for what lies in bfloat16), widths and kinds of memory. */
function expectEqualBytes(kernel: KernelIr): void {
  const dtypes: readonly DType[] = kernel.storage ? ["float32"] : ["float32", "float64"];
  const lowering = kernel.lines ? lowerLines : lower;
  expectEqualCode((dtype, simd, wide) => lowering(kernel, dtype, simd, wide), dtypes);
}

function expectEqualCode(
  write: (dtype: DType, simd: boolean, wide: boolean) => WasmFunction,
  dtypes: readonly DType[] = ["float32", "float64"],
): void {
  for (const dtype of dtypes) {
    for (const simd of [false, true]) {
      for (const wide of [false, true]) {
        const code = write(dtype, simd, wide);
        for (const shared of [false, true]) {
          const bytes = assemble(code, shared);
          expect(WebAssembly.validate(bytes)).toBe(!wide || knowsWide);
          expect(hex(bytes)).toBe(hex(assembledByWabt(wasmText(code, shared))));
        }
      }
    }
  }
}

describe.each(ruleCases)("$title", ({ rule, options }) => {
  test.each([true, false])("fused: %j", (fused) => {
    for (const fresh of [true, false]) {
      const { stages } = planFor(rule, options, fused, { fresh });
      expect(stages.length).toBeGreaterThan(0);
      for (const { kernel } of stages) expectEqualBytes(kernel);
    }
  });
});

describe.each(["nearest", "stochastic"] as const)("state in bfloat16, %s", (stateRounding) => {
  const some = ruleCases.filter(({ name }) => ["Adam", "SGD", "Balanced", "Normed"].includes(name));
  test.each(some)("$title", ({ rule, options }) => {
    const stored = withStorage(rule, { stateDtype: "bfloat16", stateRounding });
    for (const fused of [false, true]) {
      const { stages, usedMask } = planFor(stored, options, fused);
      expect(stages.some(({ kernel }) => kernel.storage)).toBe(usedMask > 3);
      for (const { kernel } of stages) expectEqualBytes(kernel);
    }
  });
});

describe("code on matrices", () => {
  test.each(["gram", "square", "apply"] as const)("%s", (product) => {
    expectEqualCode((...how) => lowerProduct(product, ...how));
  });
  test("a whole iteration", () => expectEqualCode(lowerIteration));
});

const SLOTS = ["p", "g", "m", "long_name_of_a_slot"];
const storages = ["bfloat16", "element"] as const;
const usable = opTable
  .map((_, op) => op)
  .filter((op) => {
    const isNone = ["leaf", "host"].includes(opTable[op]!.class);
    return !isNone && op !== Op.rowSum && op !== Op.columnSum;
  });

/** A kernel of random operations: every operand is a value of the right kind that came before. */
const kernels = fc
  .record({
    choices: fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat(), fc.nat()), { maxLength: 40 }),
    uniformCount: fc.nat(20),
    reductions: fc.nat(3),
    isNarrow: fc.boolean(),
  })
  .map(({ choices, uniformCount, reductions, isNarrow }): KernelIr => {
    const nodes: Node[] = SLOTS.map((_, index) => leaf(Op.load, index));
    for (let index = 0; index < uniformCount; index++) nodes.push(leaf(Op.uniform, index));
    const sums: number[] = [];
    for (const [choice, ...at] of choices) {
      const op = usable[choice % usable.length] as OpCode;
      const { arity, class: cls } = opTable[op]!;
      const args = at.slice(0, arity).map((index, position) => {
        const wantsMask = cls === "select" && position === 0;
        const fitting = nodes.flatMap((node, id) =>
          node.isMask === wantsMask && node.rank === "tensor" ? [id] : [],
        );
        return fitting[index % fitting.length];
      });
      if (op === Op.narrowStochastic) args[1] = nodes.findIndex((node) => node.op === Op.uniform);
      const rounds = op === Op.narrow || op === Op.narrowStochastic;
      if (rounds && (!isNarrow || args[1] === -1)) continue;
      if (args.includes(undefined) || (cls === "reduce" && sums.length >= reductions)) continue;
      if (cls === "reduce") sums.push(nodes.length);
      nodes.push({
        op,
        args: args as number[],
        index: 0,
        rank: cls === "reduce" ? "scalar" : "tensor",
        isMask: cls === "compare",
      });
    }
    const stored = nodes.flatMap(({ rank, isMask }, id) =>
      rank === "tensor" && !isMask ? [id] : [],
    );
    const outputs = SLOTS.map((_, slot) => (slot % 2 === 0 ? stored.at(-1 - slot)! : -1));
    const storage = isNarrow && { storage: SLOTS.map((_, slot) => storages[slot % 2]!) };
    return { slots: SLOTS, ...storage, nodes, outputs, uniformCount, reductions: sums };
  });

function leaf(op: OpCode, index: number): Node {
  return { op, args: [], index, rank: "tensor", isMask: false };
}

test("random kernels", () => {
  fc.assert(
    fc.property(kernels, (kernel) => expectEqualBytes(kernel)),
    { numRuns: 100 },
  );
});

test("SGD's kernel, with vectors", () => {
  const { kernel } = planFor(ruleCases[0]!.rule, {}, true).stages[0]!;
  expect(wasmText(lower(kernel, "float32", true), true)).toMatchInlineSnapshot(`
    "(module
      (import "env" "memory" (memory 1 65536 shared))
      (func (export "run") (param $job i32) (param $begin i32) (param $end i32)
        (local $p* i32)
        (local $g* i32)
        (local $u.0.v v128)
        (local $*vectors i32)
        (local $u.0.x f32)
        (local $*end i32)
        local.get $job
        i32.load align=4
        local.get $begin
        i32.const 2
        i32.shl
        i32.add
        local.set $p*
        local.get $job
        i32.load offset=4 align=4
        local.get $begin
        i32.const 2
        i32.shl
        i32.add
        local.set $g*
        local.get $job
        v128.load32_splat offset=8 align=4
        local.set $u.0.v
        local.get $p*
        local.get $end
        local.get $begin
        i32.sub
        i32.const -16
        i32.and
        i32.const 2
        i32.shl
        i32.add
        local.set $*vectors
        block
          local.get $p*
          local.get $*vectors
          i32.ge_u
          br_if 0
          loop
            local.get $p*
            local.get $p*
            v128.load align=4
            local.get $g*
            v128.load align=4
            local.get $u.0.v
            f32x4.mul
            f32x4.sub
            v128.store align=4
            local.get $p*
            local.get $p*
            v128.load offset=16 align=4
            local.get $g*
            v128.load offset=16 align=4
            local.get $u.0.v
            f32x4.mul
            f32x4.sub
            v128.store offset=16 align=4
            local.get $p*
            local.get $p*
            v128.load offset=32 align=4
            local.get $g*
            v128.load offset=32 align=4
            local.get $u.0.v
            f32x4.mul
            f32x4.sub
            v128.store offset=32 align=4
            local.get $p*
            local.get $p*
            v128.load offset=48 align=4
            local.get $g*
            v128.load offset=48 align=4
            local.get $u.0.v
            f32x4.mul
            f32x4.sub
            v128.store offset=48 align=4
            local.get $p*
            i32.const 64
            i32.add
            local.set $p*
            local.get $g*
            i32.const 64
            i32.add
            local.set $g*
            local.get $p*
            local.get $*vectors
            i32.lt_u
            br_if 0
          end
        end
        local.get $job
        f32.load offset=8 align=4
        local.set $u.0.x
        local.get $job
        i32.load align=4
        local.get $end
        i32.const 2
        i32.shl
        i32.add
        local.set $*end
        block
          local.get $p*
          local.get $*end
          i32.ge_u
          br_if 0
          loop
            local.get $p*
            local.get $p*
            f32.load align=4
            local.get $g*
            f32.load align=4
            local.get $u.0.x
            f32.mul
            f32.sub
            f32.store align=4
            local.get $p*
            i32.const 4
            i32.add
            local.set $p*
            local.get $g*
            i32.const 4
            i32.add
            local.set $g*
            local.get $p*
            local.get $*end
            i32.lt_u
            br_if 0
          end
        end
      )
    )"
  `);
});

test("in a wide memory, addresses have 64 bits and the rest is the same", () => {
  const { kernel } = planFor(ruleCases[0]!.rule, {}, true).stages[0]!;
  const [narrow, wide] = [false, true].map((isWide) =>
    wasmText(lower(kernel, "float32", true, isWide), true)
      .split("\n")
      .map((line) => line.trim()),
  );
  expect([...new Set(wide)].filter((line) => !narrow!.includes(line))).toMatchInlineSnapshot(`
    [
      "(import "env" "memory" (memory i64 1 262144 shared))",
      "(func (export "run") (param $job.number f64) (param $begin.number f64) (param $end.number f64)",
      "(local $job i64)",
      "(local $begin i64)",
      "(local $end i64)",
      "(local $p* i64)",
      "(local $g* i64)",
      "(local $*vectors i64)",
      "(local $*end i64)",
      "local.get $job.number",
      "i64.trunc_f64_s",
      "local.set $job",
      "local.get $begin.number",
      "local.set $begin",
      "local.get $end.number",
      "local.set $end",
      "i64.load align=8",
      "i64.const 2",
      "i64.shl",
      "i64.add",
      "i64.load offset=8 align=8",
      "v128.load32_splat offset=16 align=4",
      "i64.sub",
      "i64.const -16",
      "i64.and",
      "i64.ge_u",
      "i64.const 64",
      "i64.lt_u",
      "f32.load offset=16 align=4",
      "i64.const 4",
    ]
  `);
});
