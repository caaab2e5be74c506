/**
 * Vectors as long as all parameters together, and the few operations that L-BFGS needs on them.
 *
 * They lie in a memory of their own, without gaps, in the order of the parameters: so sums come out
 * the same wherever the parameters live. Operations are traced like rules and run as kernels, on as
 * many threads as they are worth.
 */
import type { Backend } from "../../backend/backend.ts";
import { BoundPlan } from "../../backend/bound-plan.ts";
import { planOf, type Plan } from "../../ir/plan.ts";
import { programOf } from "../../ir/program.ts";
import type { Scalar, Tensor } from "../../ir/expr.ts";
import { Trace } from "../../ir/trace.ts";
import { abs, dot, maxAbs, sum } from "../../ir/words.ts";
import { requireValues } from "../../memory/adopt.ts";
import { Arena, limits, wideLimit } from "../../memory/arena.ts";
import { bytesOf, type DType, type TypedArray } from "../../memory/dtype.ts";
import type { Parameter } from "../../memory/parameter.ts";

/** One vector: a region of the memory. */
export interface Vector {
  /** Its byte offset. */
  readonly at: number;
  /** A view for each parameter's part, as they were needed last. */
  parts: TypedArray[];
}

/** What becomes of vector a, given b, c and a number; or a sum. */
type Formula = (a: Tensor, b: Tensor, c: Tensor, x: number) => { value?: Tensor; total?: Scalar };

const formulas = {
  dot: (a, b) => ({ total: dot(a, b) }),
  sumAbs: (a) => ({ total: sum(abs(a)) }),
  maxAbs: (a) => ({ total: maxAbs(a) }),
  scale: (_a, b, _c, x) => ({ value: b.mul(x) }),
  add: (a, b, _c, x) => ({ value: a.add(b.mul(x)) }),
  along: (_a, b, c, x) => ({ value: b.add(c.mul(x)) }),
  difference: (_a, b, c) => ({ value: b.sub(c) }),
} as const satisfies Record<string, Formula>;

/** A formula as kernels over the memory. */
interface Operation {
  readonly plan: Plan;
  readonly bound: BoundPlan;
  readonly uniforms: Float64Array;
  version: number;
}

const SLOTS = ["a", "b", "c"];
const SLACK = 1 << 16;

export class Vectors {
  readonly dtype: DType;
  /** Elements of each vector. */
  readonly size: number;
  private readonly parameters: readonly Parameter[];
  private readonly arena: Arena;
  private readonly backend: Backend;
  private readonly threads: number;
  private readonly operations = new Map<keyof typeof formulas, Operation>();
  private readonly places = new Float64Array(SLOTS.length);
  private readonly range: readonly [number, number];

  /**
   * @param most how many vectors there may come to be.
   * @throws {BackendError} `OUT_OF_MEMORY`.
   */
  constructor(parameters: readonly Parameter[], most: number, backend: Backend, threads: number) {
    this.parameters = parameters;
    this.dtype = parameters.some(({ dtype }) => dtype === "float64") ? "float64" : "float32";
    this.size = parameters.reduce((size, parameter) => size + parameter.size, 0);
    this.range = [0, this.size];
    this.backend = backend;
    this.threads = threads;
    const needed = most * this.size * bytesOf(this.dtype) + SLACK;
    this.arena = new Arena(this.dtype, SLACK, needed > limits.narrow && needed <= wideLimit());
  }

  /** A new vector of zeros. @throws {BackendError} `OUT_OF_MEMORY`. */
  create(): Vector {
    return { at: this.arena.allocate(this.size * bytesOf(this.dtype)), parts: [] };
  }

  /** Σ a·b */
  dot(a: Vector, b: Vector): number {
    return this.run("dot", a, b);
  }

  /** Σ |a| */
  sumAbs(a: Vector): number {
    return this.run("sumAbs", a);
  }

  /** Largest |aᵢ|; NaN if any is. */
  maxAbs(a: Vector): number {
    return this.run("maxAbs", a);
  }

  /** a ← x·b */
  scale(a: Vector, x: number, b: Vector): void {
    this.run("scale", a, b, a, x);
  }

  /** a ← a + x·b */
  add(a: Vector, x: number, b: Vector): void {
    this.run("add", a, b, a, x);
  }

  /** a ← b + x·c */
  along(a: Vector, b: Vector, x: number, c: Vector): void {
    this.run("along", a, b, c, x);
  }

  /** a ← b - c */
  difference(a: Vector, b: Vector, c: Vector): void {
    this.run("difference", a, b, c);
  }

  /** a ← the parameters. @throws {ParameterError} `DETACHED`; a has not changed then. */
  readData(a: Vector): void {
    this.parameters.forEach(requireValues);
    let at = a.at / bytesOf(this.dtype);
    for (const { data, size } of this.parameters) {
      this.arena.elements.set(data, at);
      at += size;
    }
  }

  /** a ← the gradients; zeros for a parameter that has none, and where one of rows has none. */
  readGrads(a: Vector): void {
    let at = a.at / bytesOf(this.dtype);
    for (const parameter of this.parameters) {
      const { size } = parameter;
      const grad = parameter.isSparse ? parameter.ensureGrad() : parameter.grad;
      if (grad) this.arena.elements.set(grad, at);
      else this.arena.elements.fill(0, at, at + size);
      at += size;
    }
  }

  /** The parameters ← a. @throws {ParameterError} `DETACHED`; no parameter has changed then. */
  writeData(a: Vector): void {
    this.parameters.forEach(requireValues);
    const parts = this.partsOf(a);
    for (let i = 0; i < parts.length; i++) this.parameters[i]!.data.set(parts[i]!);
  }

  /** All of a vector: a live view. */
  view(a: Vector): TypedArray {
    return this.arena.view(a.at, this.size);
  }

  /** Lets go of the threads. */
  release(): void {
    this.backend.release?.(this);
  }

  private partsOf(a: Vector): TypedArray[] {
    const { elements } = this.arena;
    if (a.parts[0]?.buffer === elements.buffer) return a.parts;
    let at = a.at / bytesOf(this.dtype);
    a.parts = this.parameters.map(({ size }) => elements.subarray(at, (at += size)));
    return a.parts;
  }

  private run(name: keyof typeof formulas, a: Vector, b = a, c = a, x = 0): number {
    let operation = this.operations.get(name);
    if (!operation) this.operations.set(name, (operation = this.bind(name)));
    const { plan, bound, uniforms } = operation;
    const { places } = this;
    uniforms[0] = x;
    bound.load(uniforms, ++operation.version);
    places[0] = a.at;
    places[1] = b.at;
    places[2] = c.at;
    bound.place(places);
    const bytes = this.size * plan.accesses * bytesOf(this.dtype);
    const threads = this.backend.threadsFor?.(bytes, this.threads, this) ?? 1;
    bound.runRangeByRange(this.range, 1, threads);
    const [result] = plan.program.results;
    return result === undefined ? 0 : bound.scalars[result]!;
  }

  private bind(name: keyof typeof formulas): Operation {
    const trace = new Trace(`LBFGS: ${name}`, SLOTS);
    trace.begin(0);
    const [a, b, c] = [trace.slot(0), trace.slot(1), trace.slot(2)];
    const formula: Formula = formulas[name];
    const { value, total } = formula(a, b, c, 0);
    trace.finish({ a: value ?? a, c }, false, total);
    const plan = planOf(programOf(trace, { flush: false }), true);
    const bound = new BoundPlan(plan, this.backend, this.arena, [], this.size);
    return { plan, bound, uniforms: new Float64Array(1), version: 0 };
  }
}
