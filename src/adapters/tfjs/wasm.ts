/**
 * Whether steps can go in place on tfjs's WASM backend. It takes what tfjs does not document, so a trial on
 * the backend at hand decides: tensors are where they should be, a step changes a variable and nothing else, and
 * a product that was computed before is computed anew. Where it fails, steps go by copies and a warning says why.
 */
import type { NamedAttrMap, Tensor } from "@tensorflow/tfjs-core";
import { rule } from "../../ir/rule.ts";
import type { PathMaker, Member } from "./path.ts";
import type { Tf } from "./tf.ts";
import { warnOfCopies } from "./warn.ts";
import { WasmBackendOfTf } from "./wasm-backend.ts";
import { WasmPath } from "./wasm-path.ts";

/** What came of the trial, for each backend object. */
const tried = new WeakMap<object, WasmBackendOfTf | string>();

export const wasmPath: PathMaker = (spec) => {
  const { tf } = spec;
  if (tf.getBackend() !== "wasm") return `tfjs is on its backend ${tf.getBackend()}`;
  const { backend } = tf.engine();
  let found = tried.get(backend);
  if (found === undefined) {
    tried.set(backend, (found = tryOut(tf, backend)));
    if (typeof found === "string") warnOfCopies(found);
  }
  return typeof found === "string" ? found : new WasmPath(spec, found);
};

function tryOut(tf: Tf, backend: object): WasmBackendOfTf | string {
  const found = WasmBackendOfTf.of(backend);
  if (typeof found === "string") return found;
  try {
    const wrong = tf.engine().tidy(() => trial(tf, found)) as string;
    return wrong === "" ? found : wrong;
  } catch (error) {
    return `a step on trial failed (${String(error)})`;
  }
}

/** @returns a clause that says what went wrong, or nothing. */
function trial(tf: Tf, found: WasmBackendOfTf): string {
  const engine = tf.engine();
  const run = (kernel: string, inputs: Record<string, Tensor>, how: NamedAttrMap) =>
    engine.runKernel(kernel, inputs, how) as unknown as Tensor;
  const start = tf.tensor(Float32Array.of(1, 2, 3, 4), [2, 2], "float32");
  const ones = tf.tensor(Float32Array.of(1, 1, 1, 1), [2, 2], "float32");
  const variable = engine.makeVariable(start, false);
  start.dispose(); // the variable has its memory for itself then
  const product = () =>
    run("BatchMatMul", { a: ones, b: variable }, { transposeA: false, transposeB: false });
  const sum = rule({ name: "Trial", hyper: {}, step: ({ p, g }) => ({ p: p.add(g) }) });
  const path = new WasmPath({ tf, rule: sum as never, options: {}, clip: {} }, found);
  const member: Member = { variable, key: "w", group: {} };
  const takeStep = (): void => {
    path.prepare([[member, ones]]);
    path.run([[member, ones]]);
  };
  try {
    if (!holds(found.view(variable), 1, 2, 3, 4))
      return "tensors are not where they should be in memory";
    if (!holds(product(), 4, 6, 4, 6)) return "a product of matrices is wrong";
    path.add([member], [undefined]);
    takeStep();
    if (!holds(variable, 2, 3, 4, 5)) return "a step does not reach a variable";
    if (!holds(product(), 6, 8, 6, 8)) return "products go on with the weights from before a step";
    const alias = run("Reshape", { x: variable }, { shape: [4] });
    takeStep();
    if (!holds(variable, 3, 4, 5, 6)) return "a step does not reach a variable";
    if (!holds(alias, 2, 3, 4, 5))
      return "a step changes tensors that share memory with a variable";
    return holds(ones, 1, 1, 1, 1) ? "" : "a step changes gradients";
  } finally {
    path.dispose();
    variable.dispose();
  }
}

function holds(tensor: Tensor | Float32Array, ...expected: number[]): boolean {
  const values = tensor instanceof Float32Array ? tensor : tensor.dataSync();
  return expected.every((value, i) => values[i] === value);
}
