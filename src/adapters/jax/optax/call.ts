/** One call of `update`: all that can be wrong is found out before any array is used up or any number changes. */
import {
  CallError,
  GradientError,
  OptionError,
  ParameterError,
  Prose,
  type ErrorParts,
} from "../../../errors.ts";
import type { TypedArray } from "../../../memory/dtype.ts";
import { toJax } from "../loan.ts";
import { fill, JaxArray, leavesOf, nameOf, type ArrayTree } from "../tree.ts";
import { pending } from "./pending.ts";
import type { LeafFacts } from "./run.ts";
import { TransformState } from "./state.ts";

export class Call<T extends ArrayTree> {
  /** What has to be read, with a reference of its own each: reading uses it up. */
  readonly toRead: readonly JaxArray[];
  private readonly updates: T;
  private readonly state: TransformState;
  private readonly gradients: readonly JaxArray[];
  private readonly params: readonly JaxArray[] | undefined;
  /** Leaves whose parameters are not in Downhill's memory yet. */
  private readonly unknown: readonly number[];

  /**
   * @param owner whose state it has to be.
   * @throws {OptionError} | {GradientError} | {ParameterError} | {CallError} nothing has changed then.
   */
  constructor(owner: object, name: string, updates: T, state: unknown, params: T | undefined) {
    if (!(state instanceof TransformState) || state.owner !== owner) {
      throw new OptionError("BAD_STATE", {
        subject: `${name}: update: state`,
        got: state instanceof TransformState ? new Prose("that of another transformation") : state,
        expected: "a state that this transformation's init() or update() has made",
      });
    }
    state.requireAlive("update");
    const { body } = state;
    this.updates = updates;
    this.state = state;
    this.gradients = arraysOf(`${name}: update: gradient`, updates, body.leaves, "gradients");
    if (params === undefined || params === null) this.params = undefined;
    else this.params = arraysOf(`${name}: update: parameter`, params, body.leaves, "params");
    checkReferences(`${name}: update`, [...this.gradients, ...(this.params ?? [])]);
    if (!this.params && body.leaves.length > 0 && body.usesParams) {
      throw new OptionError("NO_PARAMS", {
        subject: `${name}: update: params`,
        got: params,
        expected: "the parameters, which this transformation requires",
        advice: "Call update(grads, state, tree.ref(params)).",
      });
    }
    const { known } = body;
    this.unknown = (this.params ?? []).flatMap((array, i) => (known[i] === array ? [] : [i]));
    this.toRead = [...this.gradients, ...this.unknown.map((i) => this.params![i]!)];
  }

  /** Takes the step with what was read, and uses the arguments up. */
  finish(values: readonly ArrayBufferView[]): [T, TransformState] {
    const { state, gradients, params } = this;
    state.requireAlive("update");
    const body = state.refCount > 1 ? state.body.fork() : state.body;
    const read = values as readonly TypedArray[];
    this.unknown.forEach((leaf, i) => body.setParameter(leaf, read[gradients.length + i]!));
    if (params) body.known = [...params];
    const updates = body.step(read.slice(0, gradients.length));
    const arrays = updates.map((values_, i) => {
      const array = toJax(values_, body.leaves[i]!.shape);
      pending.set(array, { body, leaf: i, count: body.count });
      return array;
    });
    for (const array of [...gradients, ...(params ?? [])]) array.dispose();
    const next = new TransformState(state.owner, body);
    state.dispose();
    return [fill(this.updates, arrays.values()) as T, next];
  }
}

/** The arrays of a tree that must be like the parameters. */
function arraysOf(
  subject: string,
  tree: unknown,
  leaves: readonly LeafFacts[],
  what: "gradients" | "params",
): readonly JaxArray[] {
  const refuse = (parts: ErrorParts) =>
    what === "gradients"
      ? new GradientError("BAD_GRADIENT", parts)
      : new ParameterError("BAD_VALUES", parts);
  const given = leavesOf(tree).filter(({ value }) => value !== null);
  const names = given.map(({ path }) => nameOf(path));
  const strange = names.findIndex((name, i) => i >= leaves.length || name !== leaves[i]!.name);
  if (strange >= 0 || given.length < leaves.length) {
    throw refuse({
      subject: strange >= 0 ? labelled(subject, names[strange]) : subject,
      got: new Prose(`a tree of ${given.length} arrays, of which this is none of the parameters'`),
      expected: `the tree that init() got, of ${leaves.length}`,
    });
  }
  return given.map(({ value }, i) => {
    const { name, shape, dtype } = leaves[i]!;
    const label = labelled(subject, name);
    if (!(value instanceof JaxArray)) throw notAnArray(label, value);
    const got = `${value.dtype}[${value.shape.join(", ")}]`;
    const expected = `${dtype}[${shape.join(", ")}]`;
    if (got !== expected) throw refuse({ subject: label, got: new Prose(got), expected });
    return value;
  });
}

function notAnArray(subject: string, value: unknown): OptionError {
  const isTracer = typeof (value as { aval?: unknown } | null)?.aval === "object";
  if (!isTracer) {
    return new OptionError("BAD_ARGUMENT", { subject, got: value, expected: "a jax array" });
  }
  return new OptionError("TRACED", {
    subject,
    got: new Prose("an array without numbers, inside jit, grad or vmap"),
    expected: "a jax array",
    advice: "Compile the loss alone, jit(valueAndGrad(loss)): an update is one pass as it is.",
  });
}

/** Every use of an array takes a reference. */
export function checkReferences(subject: string, arrays: readonly JaxArray[]): void {
  const uses = new Map<JaxArray, number>();
  for (const array of arrays) uses.set(array, (uses.get(array) ?? 0) + 1);
  for (const [array, count] of uses) {
    if (array.refCount >= count) continue;
    const plenty = array.refCount > 0 ? `${count} times, with fewer references` : "that is used up";
    throw new CallError("USED_UP", {
      subject,
      got: new Prose(`a jax array ${plenty}`),
      expected: "a live one, with a reference for each use",
      advice: "It uses up what it is given: hand in tree.ref(params) to keep them.",
    });
  }
}

function labelled(subject: string, name: string | undefined): string {
  return name === undefined ? subject : `${subject} ${JSON.stringify(name)}`;
}
