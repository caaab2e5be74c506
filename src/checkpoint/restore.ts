/**
 * Bringing a run to where a checkpoint was made: all of it, or nothing.
 *
 * Parameters are compared first. What is small is loaded and, should something later not fit, loaded
 * back. The optimizer, which checks itself before it changes anything, is the last that can fail.
 */
import { CheckpointError, Prose } from "../errors.ts";
import type { Parameter } from "../memory/parameter.ts";
import { checkDistinct, keyOf } from "../optim/entry.ts";
import type { LoadOptions, LoadReport } from "../optim/load.ts";
import { refuseSwapped } from "../optim/swapped.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { dtypeOfArray, type SafeDType } from "./dtypes.ts";
import { asFloat32, isFloat } from "./floats.ts";
import type { StoredTensor } from "./safetensors.ts";

const SUBJECT = "checkpoint: parameters";

/** What can take up a state again. */
export interface Restorable {
  stateDict(): unknown;
  loadStateDict(state: never): unknown;
}

/** What to restore: what was saved under the same key, in the same order. */
export interface CheckpointTargets {
  readonly parameters?: readonly Parameter[];
  readonly optimizer?: { loadStateDict(state: never, options?: LoadOptions): unknown };
  readonly schedulers?: readonly Restorable[];
  readonly averages?: readonly Restorable[];
  readonly scaler?: Restorable;
  readonly accumulator?: Restorable;
}

/** A parameter that has the same name here and there, but not the same shape or type. */
export interface ParameterMismatch {
  readonly name: string;
  readonly saved: { readonly shape: readonly number[]; readonly dtype: SafeDType };
  readonly expected: { readonly shape: readonly number[]; readonly dtype: SafeDType };
}

/** What became of parameters, by name. */
export interface ParameterReport extends Omit<LoadReport, "mismatched" | "groups"> {
  /** Those of another shape or type. They keep what they had. */
  readonly mismatched: readonly ParameterMismatch[];
}

/** What a restore has done. */
export interface RestoreReport {
  /** `null` if there were none to restore. */
  readonly parameters: ParameterReport | null;
  /** What the optimizer's `loadStateDict` returned: a `LoadReport`, of a GPU's nothing. */
  readonly optimizer: unknown;
}

export function restore(
  checkpoint: Checkpoint,
  targets: CheckpointTargets,
  options: LoadOptions = {},
): RestoreReport {
  const { parameters, optimizer } = targets;
  const plan = parameters ? compare(parameters, checkpoint.parameters, options) : null;
  const parts = partsOf(checkpoint, targets);
  if (optimizer && !checkpoint.optimizer) refuseMissing("optimizer");
  let loaded: unknown = null;
  const undo = [groupsOf(optimizer, ...parts.map(([part]) => (part as HasOptimizer).optimizer))];
  try {
    for (const [part, state] of parts) {
      const before = part.stateDict();
      part.loadStateDict(state as never);
      undo.push(() => part.loadStateDict(before as never));
    }
    loaded = optimizer?.loadStateDict(checkpoint.optimizer as never, options) ?? null;
  } catch (error) {
    for (const back of undo.toReversed()) back();
    throw error;
  }
  plan?.copy();
  return { parameters: plan?.report ?? null, optimizer: loaded };
}

/** All but parameters and the optimizer, each with its state. */
function partsOf(checkpoint: Checkpoint, targets: CheckpointTargets): [Restorable, unknown][] {
  const lists = (["schedulers", "averages"] as const).flatMap((key) => {
    const list = targets[key];
    if (!list) return [];
    const states = checkpoint[key];
    if (list.length !== states.length) refuseMissing(key, states.length, `${list.length}`);
    return list.map((target, i): [Restorable, unknown] => [target, states[i]]);
  });
  const single = (["scaler", "accumulator"] as const).flatMap((key): [Restorable, unknown][] => {
    const target = targets[key];
    if (!target) return [];
    if (checkpoint[key] === undefined) refuseMissing(key);
    return [[target, checkpoint[key]]];
  });
  return [...lists, ...single];
}

interface HasOptimizer {
  readonly optimizer?: unknown;
}

/** How to get back the numbers of all groups: schedulers write into them. */
function groupsOf(...optimizers: readonly unknown[]): () => void {
  type Group = Record<string, unknown>;
  const groups = new Set<Group>();
  for (const one of optimizers) {
    const list = (one as { paramGroups?: readonly Group[] } | undefined)?.paramGroups ?? [];
    for (const group of list) groups.add(group);
  }
  const saved = [...groups].map((group) => {
    const entries = Object.entries(group).filter(([key]) => key !== "params");
    return [group, structuredClone(entries)] as const;
  });
  return () => {
    for (const [group, entries] of saved) {
      for (const [key, value] of entries) {
        const now = group[key];
        if (Array.isArray(now) && Array.isArray(value))
          now.splice(0, now.length, ...(value as unknown[]));
        else group[key] = value;
      }
    }
  };
}

/** @returns what copies the values, and cannot fail; and what that will have done. */
function compare(
  parameters: readonly Parameter[],
  saved: ReadonlyMap<string, StoredTensor>,
  { strict = true, dtype = "exact" }: LoadOptions,
): { copy: () => void; report: ParameterReport } {
  checkDistinct(SUBJECT, parameters, []);
  refuseSwapped(
    SUBJECT,
    parameters.map((parameter) => ({ parameter })),
  );
  const known = new Map(parameters.map((parameter, i) => [keyOf(parameter, i), parameter]));
  const values = new Map<string, Float32Array | Float64Array>();
  const missing: string[] = [];
  const mismatched: ParameterMismatch[] = [];
  for (const [name, { shape, data }] of known) {
    const found = saved.get(name);
    if (!found) {
      missing.push(name);
      continue;
    }
    const wanted = dtypeOfArray(data)!;
    const isSame = found.dtype === wanted;
    const fits = isSame || (dtype === "cast" && isFloat(found.dtype));
    if (fits && String(found.shape) === String(shape)) {
      values.set(name, isSame ? (found.data as Float32Array) : cast(name, found, wanted));
    } else {
      const is = { shape: found.shape, dtype: found.dtype };
      mismatched.push({ name, saved: is, expected: { shape, dtype: wanted } });
    }
  }
  const unexpected = [...saved.keys()].filter((name) => !known.has(name));
  const report = { loaded: [...values.keys()], missing, unexpected, mismatched };
  if (strict) refuseDifferences(report);
  const copy = () => values.forEach((data, name) => known.get(name)!.data.set(data));
  return { copy, report };
}

/** A tensor in the type of a parameter. */
function cast(name: string, found: StoredTensor, wanted: SafeDType): Float32Array | Float64Array {
  const narrow = asFloat32(found, `${SUBJECT}: ${JSON.stringify(name.slice(0, 80))}`);
  return wanted === "F64" ? Float64Array.from(narrow) : narrow;
}

/** @throws {CheckpointError} with all of them. */
function refuseDifferences({ missing, unexpected, mismatched }: ParameterReport): void {
  const quote = (name: string) => JSON.stringify(name.slice(0, 80));
  const differences = [
    ...missing.map((name) => `no ${quote(name)}`),
    ...mismatched.map(
      ({ name, saved, expected }) =>
        `${quote(name)} as ${textOf(saved)} instead of ${textOf(expected)}`,
    ),
    ...unexpected.map((name) => `${quote(name)} besides`),
  ];
  if (differences.length === 0) return;
  const more = differences.length > 20 ? [`and ${differences.length - 20} more`] : [];
  throw new CheckpointError("CHECKPOINT_MISMATCH", {
    subject: SUBJECT,
    got: new Prose([...differences.slice(0, 20), ...more].join(", ")),
    expected: "just these parameters, each with its shape and type",
    advice: '{ strict: false } takes what fits, { dtype: "cast" } converts types.',
  });
}

function textOf({ dtype, shape }: ParameterMismatch["saved"]): string {
  return `${dtype} [${shape.join(", ")}]`;
}

function refuseMissing(key: string, got: unknown = new Prose("none"), expected = "one"): never {
  throw new CheckpointError("NOT_SAVED", {
    subject: `checkpoint: ${key}`,
    got,
    expected,
    advice: "Restore what was saved: leave out the rest.",
  });
}
