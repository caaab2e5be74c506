/** The numbers that kernels get: those of a trace, and those that the host computes between kernels. */
import { Op } from "../ir/op.ts";
import type { Plan } from "../ir/plan.ts";

interface Kernel {
  setUniform(index: number, value: number): void;
}

export class HostScalars {
  /** Values of the program's numbers and scalars for the tensor at hand, by id. */
  values: Float64Array;
  /** Those of each tensor that is under way. */
  private readonly sets: readonly Float64Array[];
  private readonly plan: Plan;
  private readonly kernels: readonly Kernel[];
  /** Those of the trace. */
  uniforms: Float64Array = new Float64Array(0);
  private version = 0;

  /**
   * @param kernels one for each of the plan's stages.
   * @param tensors that may be under way at once.
   */
  constructor(plan: Plan, kernels: readonly Kernel[], tensors = 1) {
    this.plan = plan;
    this.kernels = kernels;
    const { length } = plan.program.nodes;
    this.sets = Array.from({ length: tensors }, () => new Float64Array(length));
    this.values = this.sets[0]!;
  }

  /** Goes on with the values of another tensor. */
  turnTo(tensor: number): void {
    this.values = this.sets[tensor]!;
  }

  /** Hands the numbers of a trace to the kernels, unless they have those of this version. */
  load(uniforms: Float64Array, version: number): void {
    if (this.uniforms === uniforms && this.version === version) return;
    this.uniforms = uniforms;
    this.version = version;
    const { stages, program } = this.plan;
    for (let id = 0; id < program.nodes.length; id++) {
      const { op, index } = program.nodes[id]!;
      if (op !== Op.uniform) continue;
      for (let i = 0; i < this.sets.length; i++) this.sets[i]![id] = uniforms[index]!;
    }
    for (let s = 0; s < stages.length; s++) {
      const sources = stages[s]!.uniforms;
      for (let i = 0; i < sources.length; i++) {
        if (sources[i]! >= 0) this.kernels[s]!.setUniform(i, uniforms[sources[i]!]!);
      }
    }
  }

  /**
   * Computes what is known before a kernel runs, and hands it over.
   *
   * @param size of the tensor at hand.
   * @param rows of each matrix of it, if it has any.
   */
  prepare(stage: number, size: number, rows = 0, columns = 0): void {
    const { scalars, uniforms } = this.plan.stages[stage]!;
    this.compute(scalars, size, rows, columns);
    for (let i = 0; i < uniforms.length; i++) {
      if (uniforms[i]! < 0) this.kernels[stage]!.setUniform(i, this.values[~uniforms[i]!]!);
    }
  }

  /** Takes the results of a kernel's reductions. */
  take(stage: number, totals: Float64Array): void {
    const { reductions } = this.plan.stages[stage]!;
    for (let r = 0; r < reductions.length; r++) this.values[reductions[r]!] = totals[r]!;
  }

  private compute(ids: readonly number[], size: number, rows: number, columns: number): void {
    const { values, plan } = this;
    const { nodes } = plan.program;
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!;
      const { op, args } = nodes[id]!;
      if (op === Op.size) values[id] = size;
      else if (op === Op.rows) values[id] = rows;
      else if (op === Op.columns) values[id] = columns;
      else operate(op, values, id, args[0]!, args[1] ?? 0, args[2] ?? 0);
    }
  }
}

/** Works on elements of `v`, so that no number needs an object of its own. */
function operate(op: number, v: Float64Array, to: number, a: number, b: number, c: number): void {
  switch (op) {
    case Op.add:
      v[to] = v[a]! + v[b]!;
      break;
    case Op.sub:
      v[to] = v[a]! - v[b]!;
      break;
    case Op.mul:
      v[to] = v[a]! * v[b]!;
      break;
    case Op.div:
      v[to] = v[a]! / v[b]!;
      break;
    case Op.min:
      v[to] = Math.min(v[a]!, v[b]!);
      break;
    case Op.max:
      v[to] = Math.max(v[a]!, v[b]!);
      break;
    case Op.neg:
      v[to] = -v[a]!;
      break;
    case Op.abs:
      v[to] = Math.abs(v[a]!);
      break;
    case Op.sqrt:
      v[to] = Math.sqrt(v[a]!);
      break;
    case Op.sign:
      v[to] = Number(v[a]! > 0) - Number(v[a]! < 0);
      break;
    case Op.gt:
      v[to] = Number(v[a]! > v[b]!);
      break;
    case Op.ge:
      v[to] = Number(v[a]! >= v[b]!);
      break;
    case Op.eq:
      v[to] = Number(v[a] === v[b]);
      break;
    case Op.fma:
      v[to] = v[a]! * v[b]! + v[c]!;
      break;
    case Op.where:
      v[to] = v[a] !== 0 ? v[b]! : v[c]!;
      break;
    default:
      throw new Error(`no such operation on scalars: ${op}`);
  }
}
