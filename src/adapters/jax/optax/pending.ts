/** Which updates have been applied in Downhill's memory already, so that `applyUpdates` only uploads. */
import { CallError, OptionError, Prose } from "../../../errors.ts";
import { toJax } from "../loan.ts";
import { fill, JaxArray, leavesOf, nameOf, type ArrayTree } from "../tree.ts";
import type { Body } from "./state.ts";

interface Origin {
  readonly body: Body;
  readonly leaf: number;
  /** How many updates the state had then. */
  readonly count: number;
}

/** Arrays that `update` has returned. */
export const pending = new WeakMap<JaxArray, Origin>();

/**
 * params + updates, leaf by leaf; uses both up. Leaves that are `null` in either tree stay as they are.
 *
 * @throws {OptionError} `BAD_ARGUMENT` if the trees differ, {CallError} `USED_UP`; nothing is used up then.
 *
 * @example
 * params = applyUpdates(params, updates);
 */
export function applyUpdates<T extends ArrayTree>(params: T, updates: T): T {
  const [before, changes] = [leavesOf(params), leavesOf(updates)];
  const names = (leaves: typeof before) => JSON.stringify(leaves.map(({ path }) => nameOf(path)));
  if (before.length !== changes.length || names(before) !== names(changes)) {
    throw new OptionError("BAD_ARGUMENT", {
      subject: "applyUpdates: updates",
      got: new Prose(`a tree of ${changes.length} leaves`),
      expected: `the tree of the parameters, of ${before.length}`,
    });
  }
  const pairs = before.map(({ value }, i) => [value, changes[i]!.value] as const);
  for (const [i, pair] of pairs.entries()) for (const value of pair) checkLeaf(value, before[i]!);
  const leaves = pairs.map(([param, update]) =>
    param instanceof JaxArray && update instanceof JaxArray ? sum(param, update) : param,
  );
  return fillAll(params, leaves) as T;
}

function sum(param: JaxArray, update: JaxArray): JaxArray {
  const origin = pending.get(update);
  if (!origin?.body.holds(origin, param)) return param.add(update);
  const { body, leaf } = origin;
  const result = toJax(body.parameter(leaf).data, param.shape);
  body.known[leaf] = result;
  param.dispose();
  update.dispose();
  return result;
}

/** As `fill`, with a leaf for every place, `null` among them. */
function fillAll(tree: ArrayTree, leaves: readonly unknown[]): unknown {
  return fill(tree, leaves.filter((leaf) => leaf !== null).values());
}

function checkLeaf(value: unknown, { path }: { readonly path: readonly string[] }): void {
  if (value === null || (value instanceof JaxArray && value.refCount > 0)) return;
  const name = nameOf(path);
  const subject = `applyUpdates: ${name === undefined ? "the array" : JSON.stringify(name)}`;
  if (value instanceof JaxArray) {
    throw new CallError("USED_UP", {
      subject,
      got: new Prose("a jax array that is used up"),
      expected: "a live one",
    });
  }
  throw new OptionError("BAD_ARGUMENT", { subject, got: value, expected: "a jax array" });
}
