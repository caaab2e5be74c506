/** State dicts of L-BFGS, with PyTorch's names. All of one is checked before any of it counts. */
import { dtypeOf, type TypedArray } from "../../memory/dtype.ts";
import type { Member } from "../entry.ts";
import { checkGroups, checkHead, refusal } from "../state-check.ts";
import { infoOf, type ParameterState, type StateDict } from "../state-dict.ts";
import type { Minimizer } from "./minimizer.ts";
import { info, type LBFGSGroup } from "./options.ts";
import type { Vector, Vectors } from "./vectors.ts";

export function saveState(
  minimizer: Minimizer,
  vectors: Vectors,
  members: readonly Member[],
  group: LBFGSGroup,
): StateDict {
  const state = Object.create(null) as Record<string, ParameterState>;
  const { evaluations, iterations, direction, length, history, last } = minimizer;
  const copy = (vector: Vector) => vectors.view(vector).slice();
  if (evaluations > 0) {
    const saved: ParameterState = { func_evals: evaluations, n_iter: iterations };
    if (iterations > 0) {
      saved["d"] = copy(direction);
      saved["t"] = length;
      saved["old_dirs"] = join(
        history.pairs.map(({ y }) => vectors.view(y)),
        vectors,
      );
      saved["old_stps"] = join(
        history.pairs.map(({ s }) => vectors.view(s)),
        vectors,
      );
      saved["ro"] = Float64Array.from(history.pairs, ({ rho }) => rho);
      saved["H_diag"] = history.scale;
      saved["prev_flat_grad"] = copy(last.gradient);
      saved["prev_loss"] = last.f;
    }
    state[members[0]!.key] = saved;
  }
  const hyper = Object.fromEntries(info.hyperNames.map((name) => [name, group[name as "lr"]]));
  return {
    optimizer: info.name,
    version: 1,
    state,
    paramGroups: [{ params: members.map(infoOf), ...hyper }],
  };
}

function join(rows: readonly TypedArray[], { dtype, size }: Vectors): TypedArray {
  const all = new (dtype === "float32" ? Float32Array : Float64Array)(rows.length * size);
  rows.forEach((row, i) => all.set(row, i * size));
  return all;
}

/** @throws {StateDictError} | {OptionError} if it does not fit; nothing has changed then. */
export function loadState(
  minimizer: Minimizer,
  vectors: Vectors,
  members: readonly Member[],
  group: LBFGSGroup,
  dict: StateDict,
): void {
  checkHead(info, dict);
  checkGroups(info, members, [group], dict.paramGroups);
  checkOrder(members, dict);
  const [{ key }] = members as [Member];
  const stranger = Object.keys(dict.state).find((name) => name !== key);
  if (stranger !== undefined) {
    throw refusal(info, "state", stranger, `only that under ${JSON.stringify(key)}`);
  }
  const saved = Object.hasOwn(dict.state, key) ? dict.state[key] : undefined;
  if (saved !== undefined) checkState(saved, vectors);
  const [hyper] = dict.paramGroups as unknown as [LBFGSGroup];
  const pairs = (saved?.["ro"] as Float64Array | undefined)?.length ?? 0;
  minimizer.history.reserve(pairs);
  restore(minimizer, vectors, saved ?? { func_evals: 0, n_iter: 0 });
  for (const name of info.hyperNames) Object.assign(group, { [name]: hyper[name as "lr"] });
}

/** Vectors run through the parameters in order. */
function checkOrder(members: readonly Member[], dict: StateDict): void {
  const names = dict.paramGroups[0]!.params.map(({ name }) => name);
  const mine = members.map(({ key }) => key);
  if (mine.every((name, i) => name === names[i])) return;
  throw refusal(info, "paramGroups[0].params", names, `the order ${JSON.stringify(mine)}`);
}

/** What each entry must be; all but the first two are there once an iteration has been made. */
function checkState(saved: ParameterState, vectors: Vectors): void {
  const array = vectors.dtype === "float32" ? "Float32Array" : "Float64Array";
  const pairs = (saved["ro"] as Float64Array | undefined)?.length ?? 0;
  const need = (name: string, fits: (x: number) => boolean, expected: string): void => {
    const value = saved[name];
    if (typeof value === "number" && fits(value)) return;
    throw refusal(info, `state: ${name}`, value, expected);
  };
  const needVectors = (name: string, count: number): void => {
    const value = saved[name];
    const elements = count * vectors.size;
    if (dtypeOf(value) === vectors.dtype && (value as TypedArray).length === elements) return;
    throw refusal(info, `state: ${name}`, value, `a ${array} of ${elements} elements`);
  };
  const isCount = (x: number) => Number.isSafeInteger(x) && x >= 0;
  need("func_evals", isCount, "a whole number");
  need("n_iter", isCount, "a whole number");
  const names = saved["n_iter"] === 0 ? COUNTS : [...COUNTS, ...REST];
  const stranger = Object.keys(saved).find((name) => !names.includes(name));
  if (stranger !== undefined) {
    throw refusal(info, "state", stranger, `only ${names.join(", ")}`);
  }
  if (saved["n_iter"] === 0) return;
  need("t", (x) => x >= 0 && Number.isFinite(x), "a finite number ≥ 0");
  need("H_diag", (x) => x > 0 && Number.isFinite(x), "a finite number > 0");
  need("prev_loss", Number.isFinite, "a finite number");
  if (!(saved["ro"] instanceof Float64Array) || !saved["ro"].every((x) => x > 0 && x < Infinity)) {
    throw refusal(info, "state: ro", saved["ro"], "a Float64Array of finite numbers > 0");
  }
  needVectors("d", 1);
  needVectors("prev_flat_grad", 1);
  needVectors("old_dirs", pairs);
  needVectors("old_stps", pairs);
}

const COUNTS = ["func_evals", "n_iter"];
const REST = ["d", "t", "old_dirs", "old_stps", "ro", "H_diag", "prev_flat_grad", "prev_loss"];

function restore(minimizer: Minimizer, vectors: Vectors, saved: ParameterState): void {
  const { history, last, direction } = minimizer;
  minimizer.evaluations = saved["func_evals"] as number;
  minimizer.iterations = saved["n_iter"] as number;
  history.clear();
  if (minimizer.iterations === 0) return;
  const fill = (to: Vector, name: string, row = 0): void => {
    const from = saved[name] as TypedArray;
    vectors.view(to).set(from.subarray(row * vectors.size, (row + 1) * vectors.size));
  };
  const rhos = saved["ro"] as Float64Array;
  history.restore(rhos.length).forEach((pair, row) => {
    fill(pair.s, "old_stps", row);
    fill(pair.y, "old_dirs", row);
    pair.rho = rhos[row]!;
  });
  history.scale = saved["H_diag"] as number;
  fill(direction, "d");
  fill(last.gradient, "prev_flat_grad");
  last.f = saved["prev_loss"] as number;
  minimizer.length = saved["t"] as number;
}
