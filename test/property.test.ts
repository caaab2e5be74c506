/**
 * Random rules over random tensors: every way to run a step gives the same bits.
 *
 * The rules are random expressions of every operation there is, with reductions whose results meet
 * tensors again; the tensors hold NaN, infinities, subnormals and both zeros. Interpreter, scalar and
 * SIMD WebAssembly must agree, one tensor at a time or all at once, fused or one operation at a time.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rule } from "../src/ir/rule.ts";
import {
  abs,
  clamp,
  dot,
  emaSq,
  eq,
  ge,
  gt,
  le,
  lerp,
  lt,
  max,
  maxAbs,
  mean,
  min,
  neg,
  norm,
  Optimizer,
  parameter,
  sign,
  sq,
  sqrt,
  sub,
  sum,
  where,
  type DType,
  type Mask,
  type Operand,
  type Parameter,
  type PlanOptions,
  type Scalar,
  type Tensor,
} from "../src/index.ts";
import { ways } from "./helpers/backends.ts";
import { imprint } from "./helpers/bits.ts";

/** Letters that backends use for names of their own, too: they must keep them apart. */
const LETTERS = ["m", "t0", "u0", "add3"];

/** A rule is a list of choices; what an operand is, is looked up among the values made before. */
interface Choice {
  readonly op: number;
  readonly operands: readonly [number, number, number];
  readonly number: number;
}

const pick = <T>(list: readonly T[], index: number): T => list[index % list.length]!;

const comparisons: readonly ((a: Operand, b: Operand) => Mask)[] = [gt, ge, lt, le, eq];

type TensorOp = (a: Tensor, b: Tensor, c: Tensor, s: Scalar, x: number) => Tensor;

const tensorOps: readonly TensorOp[] = [
  (a, b) => a.add(b),
  (a, b) => a.sub(b),
  (a, b) => a.mul(b),
  (a, b) => a.div(b),
  (a, _b, _c, _s, x) => a.add(x),
  (a, _b, _c, _s, x) => sub(x, a),
  (a, _b, _c, _s, x) => a.mul(x),
  (a, b) => min(a, b),
  (a, b) => max(a, b),
  (a) => neg(a),
  (a) => abs(a),
  (a) => sqrt(a),
  (a) => sign(a),
  (a) => sq(a),
  (a) => clamp(a, -1, 0.5),
  (a, b, _c, _s, x) => lerp(a, b, Math.abs(x) % 1),
  (a, b) => emaSq(a, b, 0.75),
  (a, _b, _c, s) => a.mul(s),
  (a, _b, _c, s) => s.sub(a),
  (a, _b, _c, s) => max(a, s),
  (a, b, c) => where(gt(a, b), b, c),
  (a, b, c) => where(eq(a, b), c, 0.25),
  (a, b, _c, s) => where(le(a, s), s, b),
  (a, b, c, s, x) => where(pick(comparisons, Math.floor(Math.abs(x)))(b, s), a, c),
];

const scalarOps: readonly ((a: Tensor, b: Tensor, s: Scalar, r: Scalar, x: number) => Scalar)[] = [
  (a) => sum(a),
  (a, b) => dot(a, b),
  (a) => norm(a),
  (a) => mean(a),
  (a) => maxAbs(a),
  (_a, _b, s, r) => s.add(r),
  (_a, _b, s, r) => max(s, neg(r)),
  (_a, _b, s, _r, x) => sqrt(abs(s)).div(x + 2),
  (_a, _b, s, r, x) => where(gt(s, r), s.mul(x), sign(r)),
  (_a, _b, s, r) => where(ge(s, 1), r, 1).sub(min(s, 3)),
];

/** Builds the rule: half of the choices would rather be tensors, and slots take the last of them. */
function ruleOf(choices: readonly Choice[], outputs: readonly number[], slots: readonly string[]) {
  return rule({
    name: "Random",
    hyper: {},
    state: slots,
    step(tensors) {
      const made: Tensor[] = [
        tensors.p as Tensor,
        tensors.g as Tensor,
        ...slots.map((slot) => tensors[slot] as Tensor),
      ];
      const scalars: Scalar[] = [];
      for (const { op, operands, number } of choices) {
        const [a, b, c] = operands.map((at) => pick(made, at)) as [Tensor, Tensor, Tensor];
        if (op >= tensorOps.length || scalars.length === 0) {
          const known = scalars.length > 0 ? scalars : [sum(a)];
          const [s, r] = [pick(known, operands[0]), pick(known, operands[1])];
          scalars.push(pick(scalarOps, op)(a, b, s, r, number));
        } else made.push(tensorOps[op]!(a, b, c, pick(scalars, operands[2]), number));
      }
      const late = made.toReversed();
      const result: Record<string, Tensor> = { p: pick(late, outputs[0]!) };
      slots.forEach((slot, index) => (result[slot] = pick(late, outputs[index + 1]!)));
      return result as { p: Tensor };
    },
  });
}

const special = [NaN, Infinity, -Infinity, 0, -0, 1e-40, -1e-40, 2 ** -149, 5e-324, 1e38, 1, -1];
const value = fc.oneof(
  { weight: 1, arbitrary: fc.constantFrom(...special) },
  { weight: 3, arbitrary: fc.double({ min: -8, max: 8, noNaN: true }) },
);
const choice: fc.Arbitrary<Choice> = fc.record({
  op: fc.nat(tensorOps.length + scalarOps.length),
  operands: fc.tuple(fc.nat(40), fc.nat(40), fc.nat(40)),
  number: fc.double({ min: -4, max: 4, noNaN: true }),
});
const elementwise: fc.Arbitrary<Choice> = choice.map((made) => ({
  ...made,
  op: made.op % tensorOps.length,
}));

interface Program {
  readonly choices: readonly Choice[];
  readonly outputs: readonly number[];
  readonly slots: number;
  readonly dtype: DType;
  readonly flush: boolean;
}

const program: fc.Arbitrary<Program> = fc.record({
  choices: fc.oneof(
    fc.array(choice, { maxLength: 14 }),
    fc.array(elementwise, { minLength: 2, maxLength: 20 }),
  ),
  outputs: fc.array(fc.nat(8), { minLength: LETTERS.length + 1, maxLength: LETTERS.length + 1 }),
  slots: fc.nat(LETTERS.length),
  dtype: fc.constantFrom("float32", "float64"),
  flush: fc.boolean(),
});

/** Fills an array from a short list of values, turned a little for each tensor. */
function fill(into: { length: number; [index: number]: number }, from: number[], turn: number) {
  for (let i = 0; i < into.length; i++)
    into[i] = pick(from, i + turn + Math.floor(i / from.length));
}

/** Takes three steps over tensors of the given sizes and says what came out. */
function runSteps(
  { choices, outputs, slots, dtype, flush }: Program,
  sizes: readonly number[],
  values: number[],
  way: PlanOptions,
): Record<string, unknown> {
  const parameters: Parameter[] = sizes.map((size, index) => {
    const made = parameter({ name: `w${index}`, shape: [size], dtype });
    fill(made.data, values, index);
    return made;
  });
  const made = ruleOf(choices, outputs, LETTERS.slice(0, slots));
  const optimizer = new Optimizer(made, parameters, { ...way, flushSubnormals: flush });
  for (let step = 0; step < 3; step++) {
    parameters.forEach((p, index) => {
      if (step === 1 && index === 1) p.grad = null;
      else fill(p.ensureGrad(), values, 3 * step + index + 5);
    });
    optimizer.step();
  }
  return imprint(optimizer, parameters);
}

const someValues = fc.array(value, { minLength: 1, maxLength: 30 });

function expectAllWaysEqual(made: Program, sizes: readonly number[], values: number[]): void {
  const [oracle, ...others] = ways.map(({ name, options }) => ({
    name,
    result: runSteps(made, sizes, values, options),
  }));
  for (const { name, result } of others) expect(result, name).toEqual(oracle!.result);
}

describe("random rules give the same bits on all ways", () => {
  test("over tensors of 0 to 40 elements", { timeout: 120_000 }, () => {
    const sizes = fc.array(fc.nat(40), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(program, sizes, someValues, (made, lengths, values) =>
        expectAllWaysEqual(made, lengths, values),
      ),
      { numRuns: 250 },
    );
  });

  test("over tensors longer than a block of a reduction", { timeout: 120_000 }, () => {
    const sizes = fc.constantFrom([65_536 + 3], [131_072], [511, 65_536 - 1, 513]);
    fc.assert(
      fc.property(program, sizes, someValues, (made, lengths, values) =>
        expectAllWaysEqual(made, lengths, values),
      ),
      { numRuns: 6 },
    );
  });
});
