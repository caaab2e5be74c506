/**
 * The path in place on tfjs's WASM backend: kernels run in tfjs's own memory, over variables and gradients
 * where they are. State lies on the same heap.
 *
 * Variables move whenever somebody assigns to them, and gradients are new tensors, so both are looked up in
 * each step. Gradients may share memory with anything and are only read. A variable that shares its
 * memory gets some of its own first.
 */
import type { Tensor, Variable } from "@tensorflow/tfjs-core";
import type { Rule } from "../../ir/rule.ts";
import { arenaOn, foreignParameters, type ForeignParameter } from "../../memory/foreign.ts";
import { ForeignOptimizer } from "../../optim/foreign.ts";
import type { Optimizer } from "../../optim/optimizer.ts";
import { LocalPath, type NamedShape } from "./local-path.ts";
import type { Move, PathSpec } from "./path.ts";
import type { TensorData, WasmBackendOfTf } from "./wasm-backend.ts";

export class WasmPath extends LocalPath<ForeignParameter> {
  readonly inPlace = "wasm";
  private readonly backend: WasmBackendOfTf;

  constructor(spec: PathSpec, backend: WasmBackendOfTf) {
    super(spec);
    this.backend = backend;
  }

  prepare(moves: readonly Move[]): boolean {
    return this.prepareWith(moves, (own, i) => {
      const [{ variable }, gradient] = moves[i]!;
      const data = this.ownData(variable);
      own.place(data.memoryOffset >>> 0, this.addressOf(gradient));
      this.backend.forget(data, variable.size);
    });
  }

  protected makeParameters(all: readonly NamedShape[]): readonly ForeignParameter[] {
    return foreignParameters(arenaOn(this.backend.heap), all);
  }

  protected makeOptimizer(rule: Rule, groups: object[], options: object): Optimizer {
    return new ForeignOptimizer(rule, groups as never, options);
  }

  private addressOf(tensor: Tensor): number {
    return this.backend.locate(tensor).memoryOffset >>> 0;
  }

  /** Where a variable's values are, which are nobody else's: a copy takes their place if they were. */
  private ownData(variable: Variable): TensorData {
    const data = this.backend.locate(variable);
    if (data.refCount === 1) return data;
    const copy = this.spec.tf.tensor(variable.dataSync<"float32">(), variable.shape, "float32");
    variable.assign(copy);
    copy.dispose();
    return this.backend.locate(variable);
  }
}
