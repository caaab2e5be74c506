/**
 * Bringing a run to where a checkpoint was made: all of it, or nothing.
 *
 * Parameters are compared first. What is small is loaded and, should something later not fit, loaded
 * back. The optimizer, which checks itself before it changes anything, is the last that can fail.
 */
import { CheckpointError, Prose } from "../errors.ts";
import type { Parameter } from "../memory/parameter.ts";
import { checkDistinct, keyOf } from "../optim/entry.ts";
import { refuseSwapped } from "../optim/swapped.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { dtypeOfArray } from "./dtypes.ts";
import type { StoredTensor } from "./safetensors.ts";

/** What can take up a state again. */
export interface Restorable {
  stateDict(): unknown;
  loadStateDict(state: never): unknown;
}

/** What to restore: what was saved under the same key, in the same order. */
export interface CheckpointTargets {
  readonly parameters?: readonly Parameter[];
  readonly optimizer?: { loadStateDict(state: never): unknown };
  readonly schedulers?: readonly Restorable[];
  readonly averages?: readonly Restorable[];
  readonly scaler?: Restorable;
  readonly accumulator?: Restorable;
}

export function restore(checkpoint: Checkpoint, targets: CheckpointTargets): void {
  const { parameters, optimizer } = targets;
  const copy = parameters && compare(parameters, checkpoint.parameters);
  const parts = partsOf(checkpoint, targets);
  if (optimizer && !checkpoint.optimizer) refuseMissing("optimizer");
  const undo = [groupsOf(optimizer, ...parts.map(([part]) => (part as HasOptimizer).optimizer))];
  try {
    for (const [part, state] of parts) {
      const before = part.stateDict();
      part.loadStateDict(state as never);
      undo.push(() => part.loadStateDict(before as never));
    }
    optimizer?.loadStateDict(checkpoint.optimizer as never);
  } catch (error) {
    for (const back of undo.toReversed()) back();
    throw error;
  }
  copy?.();
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

/** @returns what copies the values, and cannot fail. */
function compare(
  parameters: readonly Parameter[],
  saved: ReadonlyMap<string, StoredTensor>,
): () => void {
  const subject = "checkpoint: parameters";
  checkDistinct(subject, parameters, []);
  refuseSwapped(
    subject,
    parameters.map((parameter) => ({ parameter })),
  );
  const known = new Map(parameters.map((parameter, i) => [keyOf(parameter, i), parameter]));
  const differences: string[] = [];
  const quote = (name: string) => JSON.stringify(name.slice(0, 80));
  for (const [name, { shape, data }] of known) {
    const found = saved.get(name);
    const wanted = textOf(dtypeOfArray(data)!, shape);
    const got = found && textOf(found.dtype, found.shape);
    if (got === undefined) differences.push(`no ${quote(name)}`);
    else if (got !== wanted) differences.push(`${quote(name)} as ${got} instead of ${wanted}`);
  }
  for (const name of saved.keys()) if (!known.has(name)) differences.push(`${quote(name)} besides`);
  if (differences.length > 0) {
    const more = differences.length > 20 ? [`and ${differences.length - 20} more`] : [];
    throw new CheckpointError("CHECKPOINT_MISMATCH", {
      subject,
      got: new Prose([...differences.slice(0, 20), ...more].join(", ")),
      expected: "just these parameters, each with its shape and type",
    });
  }
  return () => {
    for (const [name, parameter] of known)
      parameter.data.set(saved.get(name)!.data as Float32Array);
  };
}

function textOf(dtype: string, shape: readonly number[]): string {
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
